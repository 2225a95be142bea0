#include "serve/later.h"

#include <utility>

namespace koi::serve {

Later::~Later() {
  {
    const std::lock_guard lock(mutex_);
    hurries_ = is_over_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Later::after(std::chrono::milliseconds rest, std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(Clock::now() + rest, std::move(work));
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }
  changed_.notify_all();
}

void Later::hurry() {
  {
    const std::lock_guard lock(mutex_);
    hurries_ = true;
  }
  changed_.notify_all();
}

void Later::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (waiting_.empty()) {
      if (is_over_) return;
      changed_.wait(lock);
      continue;
    }
    const auto next = waiting_.begin();
    if (!hurries_ && next->first > Clock::now()) {
      changed_.wait_until(lock, next->first);
      continue;
    }
    const std::function<void()> work = std::move(next->second);
    waiting_.erase(next);
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace koi::serve
