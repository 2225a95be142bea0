#include "serve/telling.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

namespace koi::serve {

Result<void> tell(durable::Writers& writers,
                  const std::function<std::vector<durable::Given>()>& made,
                  const std::function<bool()>& rest) {
  struct Answered {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Result<void>> how;
  };
  for (;;) {
    const auto answered = std::make_shared<Answered>();
    const auto taken =
        writers.submit(made(), [answered](const Result<std::vector<durable::Answer>>& answers) {
          const std::lock_guard lock(answered->mutex);
          answered->how = answers ? Result<void>() : Result<void>(answers.error());
          answered->changed.notify_all();
        });
    if (taken) {
      std::unique_lock lock(answered->mutex);
      answered->changed.wait(lock, [&] { return answered->how.has_value(); });
      if (*answered->how || answered->how->error().code != "full") return *answered->how;
    } else if (taken.error().code != "busy") {
      return taken;
    }
    if (!rest()) return Error{"stopping", "this process is stopping"};
  }
}

}  // namespace koi::serve
