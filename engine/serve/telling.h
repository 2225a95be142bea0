// Telling: inputs of the engine's own making, of many customers, put beside those that come from
// outside. They take the same door, so that the queues' limits hold for both.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "durable/writers.h"

namespace koi::serve {

// Hands in what `made` makes, for each try anew, until the writers have room, and returns when all
// of it is durable and decided. `rest` waits a moment; false: it is all over (error "stopping").
// Other errors are the writers'.
Result<void> tell(durable::Writers& writers,
                  const std::function<std::vector<durable::Given>()>& made,
                  const std::function<bool()>& rest);

}  // namespace koi::serve
