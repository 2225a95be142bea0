// What asio's operations are given so that a failure is a value and nothing is thrown.
#pragma once

#include <asio/experimental/as_tuple.hpp>
#include <asio/use_awaitable.hpp>

namespace koi::connectors {

inline constexpr auto quietly = asio::experimental::as_tuple(asio::use_awaitable);

}  // namespace koi::connectors
