// Ending: what ends a life: a signal, or trouble; and what wakes who waits for that before.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "base/result.h"

namespace koi::serve {

// Thread-safe.
class Ending {
 public:
  void wake() {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_all();
  }
  bool is_over() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  // Whether it has come to an end; false: only woken.
  bool wait_or_woken() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || woken_; });
    woken_ = false;
    return ended_;
  }
  void because(std::optional<Error> error) {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      ended_ = true;
      error_ = std::move(error);
    }
    changed_.notify_all();
  }
  std::optional<Error> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_; });
    return error_;
  }
  template <class Time>
  bool wait_for(Time time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [&] { return ended_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false, woken_ = false;
  std::optional<Error> error_;
};

}  // namespace koi::serve
