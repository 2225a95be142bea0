// Later: work that is done after a rest, on one thread of its own, which begins with the first of
// it. For what has to be asked again a few milliseconds later.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace koi::serve {

// Thread-safe.
class Later {
 public:
  Later() = default;
  // Does what waits at once, and ends.
  ~Later();
  Later(const Later&) = delete;

  void after(std::chrono::milliseconds rest, std::function<void()> work);
  // From here on nothing rests any more, what waits already neither.
  void hurry();

 private:
  using Clock = std::chrono::steady_clock;
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, std::function<void()>> waiting_;
  bool hurries_ = false, is_over_ = false;
  std::thread thread_;
};

}  // namespace koi::serve
