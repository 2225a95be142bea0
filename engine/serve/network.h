// Network: an io_context with the one thread that runs it.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <future>
#include <thread>
#include <utility>

namespace koi::serve {

class Network {
 public:
  Network() : work_(asio::make_work_guard(context_)), thread_([this] { context_.run(); }) {}
  ~Network() { stop(); }
  Network(const Network&) = delete;
  asio::io_context& context() { return context_; }

  // Runs it there, and waits.
  template <class What>
  auto on_thread(What what) {
    std::packaged_task<decltype(what())()> task(std::move(what));
    auto done = task.get_future();
    asio::post(context_, [&task] { task(); });
    return done.get();
  }
  void stop() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace koi::serve
