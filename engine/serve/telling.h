// Telling: inputs of the engine's own making, of many customers, put beside those that come from
// outside. They take the same door, so that the queues' limits hold for both.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "durable/writers.h"

namespace koi::serve {

// Who waits for room, or for what he has told, looks again after that.
constexpr auto until_next_try = std::chrono::milliseconds(20);

// One try: inputs that were handed in, on their way to be durable and decided.
class Telling {
 public:
  // Errors are those of Writers::submit().
  static Result<Telling> begin(durable::Writers& writers, std::vector<durable::Given> inputs);
  // Nothing: they are not there yet. Thread-safe.
  std::optional<Result<void>> how() const;
  // Until how() says something; where the writers' threads run.
  void wait() const;

 private:
  struct Answered;
  std::shared_ptr<Answered> answered_;
};

// Hands in what `made` makes, for each try anew, until the writers have room, and returns when all
// of it is durable and decided. `rest` waits a moment; false: it is all over (error "stopping").
// Other errors are the writers'.
Result<void> tell(durable::Writers& writers,
                  const std::function<std::vector<durable::Given>()>& made,
                  const std::function<bool()>& rest);

}  // namespace koi::serve
