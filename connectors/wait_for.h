// For tests of connectors: what comes of their coroutines.
#pragma once

#include <gtest/gtest.h>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include "base/result.h"

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

template <class What>
asio::awaitable<std::optional<Result<What>>> optionally(asio::awaitable<Result<What>> work) {
  std::optional<Result<What>> came;
  came.emplace(co_await std::move(work));
  co_return came;
}

// The same of work that may fail; what nothing came of is an error.
template <class What>
Result<What> wait_for_result(asio::io_context& context, asio::awaitable<Result<What>> work) {
  auto came = wait_for(context, optionally(std::move(work)));
  if (!came) return Error{"test", "it did not end"};
  return *std::move(came);
}

}  // namespace koi::connectors
