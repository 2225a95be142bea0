#include "serve/telling.h"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace koi::serve {

struct Telling::Answered {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<void>> how;
};

Result<Telling> Telling::begin(durable::Writers& writers, std::vector<durable::Given> inputs) {
  Telling made;
  made.answered_ = std::make_shared<Answered>();
  KOI_TRY(writers.submit(
      std::move(inputs),
      [answered = made.answered_](const Result<std::vector<durable::Answer>>& answers) {
        const std::lock_guard lock(answered->mutex);
        answered->how = answers ? Result<void>() : Result<void>(answers.error());
        answered->changed.notify_all();
      }));
  return made;
}

std::optional<Result<void>> Telling::how() const {
  const std::lock_guard lock(answered_->mutex);
  return answered_->how;
}

void Telling::wait() const {
  std::unique_lock lock(answered_->mutex);
  answered_->changed.wait(lock, [&] { return answered_->how.has_value(); });
}

Result<void> tell(durable::Writers& writers,
                  const std::function<std::vector<durable::Given>()>& made,
                  const std::function<bool()>& rest) {
  for (;;) {
    const auto telling = Telling::begin(writers, made());
    if (telling) {
      telling->wait();
      Result<void> how = *telling->how();
      if (how || how.error().code != "full") return how;
    } else if (telling.error().code != "busy") {
      return telling.error();
    }
    if (!rest()) return Error{"stopping", "this process is stopping"};
  }
}

}  // namespace koi::serve
