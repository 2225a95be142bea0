#include "channel/token_cache.h"

#include <gtest/gtest.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <vector>

namespace koi::channel {
namespace {

class TokenCacheTest : public ::testing::Test {
 protected:
  // The provider: it takes a moment, and numbers its tokens.
  TokenCache::Fetch fetch() {
    return [this]() -> asio::awaitable<Result<LentToken>> {
      asio::steady_timer timer(context, std::chrono::milliseconds(5));
      co_await timer.async_wait(asio::use_awaitable);
      ++fetched;
      if (fails) co_return Error{"credentials", "no"};
      LentToken lent{"token-" + std::to_string(fetched), hours(2)};
      co_return lent;
    };
  }
  void ask(TokenCache& asked, asio::cancellation_signal* cancel = nullptr) {
    const std::size_t i = got.size();
    got.emplace_back();
    const auto keep = [this, i](std::exception_ptr thrown) {
      if (thrown) got[i] = "thrown";
    };
    if (cancel)
      asio::co_spawn(context, told(asked, i), asio::bind_cancellation_slot(cancel->slot(), keep));
    else
      asio::co_spawn(context, told(asked, i), keep);
  }
  asio::awaitable<void> told(TokenCache& asked, std::size_t i) {
    const auto result = co_await asked.get();
    got[i] = result ? *result : result.error().code;
  }
  void run() {
    context.restart();
    context.run_for(std::chrono::seconds(5));
  }

  asio::io_context context;
  Timestamp now{};
  int fetched = 0;
  bool fails = false;
  std::vector<std::string> got;
  TokenCache cache{context.get_executor(), [this] { return now; }, minutes(4), fetch()};
};

TEST_F(TokenCacheTest, ManyThatAskAtTheSameTimeGetOneToken) {
  for (int i = 0; i < 50; ++i) ask(cache);
  run();
  EXPECT_EQ(fetched, 1);
  EXPECT_EQ(got, std::vector<std::string>(50, "token-1"));
}

TEST_F(TokenCacheTest, ATokenIsRenewedBeforeItEnds) {
  ask(cache);
  run();
  now = now + hours(2) - minutes(4) - microseconds(1);
  ask(cache);
  run();
  now = now + microseconds(1);
  ask(cache);
  run();
  EXPECT_EQ(got, (std::vector<std::string>{"token-1", "token-1", "token-2"}));
}

TEST_F(TokenCacheTest, ATokenThatIsRefusedIsFetchedAnewOnce) {
  ask(cache);
  run();
  cache.refused("token-1");
  ask(cache);
  run();
  cache.refused("token-1");  // somebody comes late with the old one
  ask(cache);
  run();
  EXPECT_EQ(got, (std::vector<std::string>{"token-1", "token-2", "token-2"}));
}

TEST_F(TokenCacheTest, AnErrorIsForThoseWhoWaitedAndNotForTheNext) {
  fails = true;
  ask(cache);
  ask(cache);
  run();
  fails = false;
  ask(cache);
  run();
  EXPECT_EQ(got, (std::vector<std::string>{"credentials", "credentials", "token-2"}));
}

TEST_F(TokenCacheTest, WhoAskedFirstMayBeCancelledWithoutHarmToTheOthers) {
  asio::cancellation_signal cancel;
  ask(cache, &cancel);
  ask(cache);
  context.poll();
  cancel.emit(asio::cancellation_type::terminal);
  run();
  EXPECT_NE(got[0], "token-1");
  EXPECT_EQ(got[1], "token-1");
  EXPECT_EQ(fetched, 1);
}

TEST_F(TokenCacheTest, ItsEndEndsTheWait) {
  auto own = std::make_unique<TokenCache>(
      context.get_executor(), [this] { return now; }, minutes(4), fetch());
  ask(*own);
  context.poll();
  own.reset();
  run();
  EXPECT_EQ(got, std::vector<std::string>{"later"});
}

}  // namespace
}  // namespace koi::channel
