#include "channel/token_cache.h"

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <optional>

namespace koi::channel {

struct TokenCache::State {
  State(asio::any_io_executor given, std::function<Timestamp()> clock, Duration before, Fetch ask)
      : executor(std::move(given)), now(std::move(clock)), margin(before), fetch(std::move(ask)) {}

  // A fetch that is under way, and who waits for it.
  struct Flight {
    explicit Flight(const asio::any_io_executor& on)
        : landed(on, asio::steady_timer::time_point::max()) {}
    asio::steady_timer landed;  // never ends, but is cancelled
    std::optional<Result<std::string>> result;
    asio::cancellation_signal cancel;
  };

  // Of its own, so that who asked first may be cancelled without harm to the others.
  static std::shared_ptr<Flight> take_off(const std::shared_ptr<State>& self) {
    const auto mine = std::make_shared<Flight>(self->executor);
    self->flight = mine;
    asio::co_spawn(
        self->executor, fly(self, mine),
        asio::bind_cancellation_slot(mine->cancel.slot(), [self, mine](std::exception_ptr thrown) {
          if (thrown) self->land(*mine, Error{"later", "asking was cancelled"});
        }));
    return mine;
  }

  static asio::awaitable<void> fly(std::shared_ptr<State> self, std::shared_ptr<Flight> mine) {
    auto lent = co_await self->fetch();
    self->land(*mine, std::move(lent));
  }

  void land(Flight& landing, Result<LentToken> lent) {
    if (lent) {
      const Duration lasts = lent->lasts;
      token = lent->text;
      until = now() + std::max(lasts - margin, Duration{lasts.us / 2});
      landing.result.emplace(lent->text);
    } else {
      landing.result.emplace(std::move(lent).error());
    }
    landing.landed.cancel();
    if (flight.get() == &landing) flight = nullptr;
  }

  asio::any_io_executor executor;
  std::function<Timestamp()> now;
  Duration margin;
  Fetch fetch;
  std::string token;
  Timestamp until = Timestamp::ever();
  std::shared_ptr<Flight> flight;
};

TokenCache::TokenCache(asio::any_io_executor executor, std::function<Timestamp()> now,
                       Duration margin, Fetch fetch)
    : state_(
          std::make_shared<State>(std::move(executor), std::move(now), margin, std::move(fetch))) {}

TokenCache::~TokenCache() {
  if (state_->flight) state_->flight->cancel.emit(asio::cancellation_type::terminal);
}

asio::awaitable<Result<std::string>> TokenCache::get() {
  const std::shared_ptr<State> state = state_;
  if (!state->token.empty() && state->now() < state->until)
    co_return Result<std::string>(state->token);
  const auto flight = state->flight ? state->flight : State::take_off(state);
  if (!flight->result)
    co_await flight->landed.async_wait(asio::experimental::as_tuple(asio::use_awaitable));
  if (flight->result) co_return *flight->result;
  co_return Error{"unsent", "cancelled before there was a token"};
}

void TokenCache::refused(const std::string& token) {
  if (state_->token == token) state_->token.clear();
}

}  // namespace koi::channel
