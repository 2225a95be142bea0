// Reception: the thread that the door belongs to. Requests wait here in a bounded queue, so that
// who takes them from the network never waits for decoding, identifiers or the journal's queue.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "serve/engine.h"

namespace koi::serve {

class Reception {
 public:
  // Starts the thread. The engine must outlive it.
  explicit Reception(Engine& engine, std::size_t most_bytes = 64u << 20);
  // Answers what waits, and ends.
  ~Reception();
  Reception(const Reception&) = delete;

  // As Door::take, later and on another thread. Errors beside the door's: "busy" where too much
  // waits here or to be delivered, "stopping". Thread-safe.
  void take(std::string body, bool is_lines, const Door::Answer& answer);
  // As Door::customer_of.
  void customer_of(std::string subject, const std::function<void(Result<std::string>)>& answer);

  // Does the work later, on that thread; never where this server stops before. Thread-safe.
  void later(std::function<void()> work);

  std::size_t waiting_bytes() const { return bytes_; }  // thread-safe

 private:
  struct Job {
    std::string text;
    bool is_lines = false;
    Door::Answer answer;
    std::function<void(Result<std::string>)> found;  // set: the text is a subject
    std::function<void()> work;                      // set: there is no text
  };
  void run();
  bool enqueue(Job job);

  Engine& engine_;
  std::size_t most_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::atomic<std::size_t> bytes_ = 0;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace koi::serve
