// For tests of connectors: what comes of their coroutines.
#pragma once

#include <gtest/gtest.h>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <utility>

namespace koi::connectors {

// Runs `context` until the work is done, at most ten seconds long; what nothing came of is What().
template <class What>
What wait_for(asio::io_context& context, asio::awaitable<What> work) {
  What what{};
  bool is_done = false;
  asio::co_spawn(context, std::move(work), [&](std::exception_ptr thrown, What got) {
    EXPECT_FALSE(thrown);
    what = std::move(got);
    is_done = true;
    context.stop();
  });
  context.restart();
  context.run_for(std::chrono::seconds(10));
  EXPECT_TRUE(is_done) << "it did not end";
  return what;
}

}  // namespace koi::connectors
