// All groups: what the customers of each share, looked at one group after the other, each between
// two batches of its own.
#pragma once

#include <functional>

#include "base/result.h"
#include "core/accounts.h"
#include "durable/writers.h"

namespace koi::serve {

// Calls `each` with every group's, then `done`; the first error, of `each` or of the writers, ends
// it. On the threads that decide, or at once where none were started. What is referred to must
// outlive the writers.
void look_at_all(durable::Writers& writers,
                 std::function<Result<void>(const core::Accounts& shared)> each,
                 std::function<void(Result<void>)> done);

}  // namespace koi::serve
