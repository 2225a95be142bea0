// An access token that a provider lends for a while. However many ask for it, it is fetched once;
// it is renewed before it ends, and thrown away when the provider no longer takes it. One thread,
// that of the executor.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace koi::channel {

struct LentToken {
  std::string text;
  Duration lasts;  // from now on
};

class TokenCache {
 public:
  // Asks the provider for a token. It may outlive the cache for a moment: what it holds is its own.
  using Fetch = std::function<asio::awaitable<Result<LentToken>>()>;

  // A token is used until `margin` before its end, or for half of its time where that is shorter.
  TokenCache(asio::any_io_executor executor, std::function<Timestamp()> now, Duration margin,
             Fetch fetch);
  ~TokenCache();  // who waits gets an error
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  // The token, or the error that `fetch` gave; who asks after an error asks the provider again.
  asio::awaitable<Result<std::string>> get();

  // The provider did not take that token: it is not given out again. What was fetched since stays.
  void refused(const std::string& token);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace koi::channel
