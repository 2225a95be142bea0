// What comes of coroutines, for tests.
#pragma once

#include <asio/awaitable.hpp>
#include <optional>
#include <utility>

namespace koi::net {

// Runs `work` to its end and keeps what it gives.
template <class T>
asio::awaitable<void> keep(asio::awaitable<T> work, std::optional<T>& result) {
  result.emplace(co_await std::move(work));
}

}  // namespace koi::net
