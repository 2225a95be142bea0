#include "providers.h"

#include <algorithm>
#include <array>
#include <asio/experimental/as_tuple.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <optional>
#include <stdexcept>

namespace koi::simulator {

using channel::Deferred;
using channel::Done;
using channel::Refused;
using channel::Repeat;
using channel::Unknown;

// One call of a connector, on its way to the provider and back.
struct Providers::Call {
  Call(asio::any_io_executor executor, std::uint64_t n) : number(n), woken(std::move(executor)) {
    woken.expires_at(asio::steady_timer::time_point::max());
  }
  std::uint64_t number;
  std::size_t channel = 0;
  Hash128 key;
  Timestamp begun;
  Delivery delivery;  // empty where it asks
  bool asks = false;
  bool has_arrived = false;  // or never will
  bool is_stubborn = false;  // it does not end when it is cancelled
  bool throws = false;
  std::optional<channel::Outcome> coming;  // on its way back
  std::optional<channel::Outcome> answer;  // there
  asio::steady_timer woken;                // never expires: cancelled when there is an answer
};

class PretendConnector final : public channel::Connector {
 public:
  PretendConnector(Providers& providers, std::size_t channel, asio::any_io_executor executor)
      : providers_(providers), channel_(channel), executor_(std::move(executor)) {}

  asio::awaitable<channel::Outcome> deliver(Delivery delivery) override {
    if (providers_.changes_keys_ && delivery.attempt > 1) delivery.key.low ^= delivery.attempt;
    auto call = make(delivery.key);
    call->delivery = std::move(delivery);
    providers_.begin(call);
    return until_answered(std::move(call));
  }
  asio::awaitable<channel::Outcome> ask(Hash128 key) override {
    auto call = make(key);
    call->asks = true;
    providers_.begin(call);
    return until_answered(std::move(call));
  }

 private:
  std::shared_ptr<Providers::Call> make(Hash128 key) {
    auto call = std::make_shared<Providers::Call>(executor_, ++providers_.last_call_);
    call->channel = channel_;
    call->key = key;
    return call;
  }

  asio::awaitable<channel::Outcome> until_answered(std::shared_ptr<Providers::Call> call) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto state = co_await asio::this_coro::cancellation_state;
    while (!call->answer) {
      if (state.cancelled() != asio::cancellation_type::none) {
        if (!call->is_stubborn) break;
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      }
      auto [woken] =
          co_await call->woken.async_wait(asio::experimental::as_tuple(asio::use_awaitable));
      (void)woken;
    }
    providers_.over(call);
    if (call->throws) throw std::runtime_error("a connector's fault");
    if (!call->answer) co_return Unknown{};
    co_return *call->answer;
  }

  Providers& providers_;
  std::size_t channel_;
  asio::any_io_executor executor_;
};

Providers::Providers(Chance chance, const plan::Plan& plan, const runtime::Clock& clock,
                     Record& record, bool changes_keys)
    : chance_(chance), plan_(plan), clock_(clock), record_(record), changes_keys_(changes_keys) {
  static constexpr std::array kinds{Repeat::Recognised, Repeat::CanBeAsked, Repeat::Neither};
  static constexpr std::array<std::uint32_t, 4> moods{95, 70, 40, 10};
  for (std::size_t i = 0; i < plan.channels.size(); ++i) {
    channel::ConnectorType type{.name = "pretend", .summary = "", .settings = {}};
    type.capabilities.repeat = kinds[chance_.below(kinds.size())];
    type.capabilities.at_once = static_cast<std::uint32_t>(chance_.between(1, 4));
    types_.push_back(type);
    moods_.push_back(moods[chance_.below(moods.size())]);
    record_.say("channel " + plan.channels[i].symbol.name + " " +
                std::string(channel::name_of(type.capabilities.repeat)) + ", well " +
                std::to_string(moods_.back()) + "%");
  }
}

Providers::~Providers() = default;

std::vector<runtime::Lane> Providers::lanes(asio::any_io_executor executor) {
  std::vector<runtime::Lane> lanes;
  for (std::size_t i = 0; i < types_.size(); ++i)
    lanes.push_back({plan_.channels[i].symbol.name, &types_[i],
                     std::make_shared<PretendConnector>(*this, i, executor),
                     plan_.channels[i].rate_per_second});
  return lanes;
}

void Providers::end_life() {
  for (const auto& call : calls_)
    if (!call->has_arrived && !call->asks && chance_.one_in(2)) take(*call);
  calls_.clear();
  is_first_life_ = false;
  // Whoever comes next knows nothing of how those went that have no receipt.
  for (auto& [key, carried] : carried_) carried.may_be_there = carried.is_unclear = true;
}

void Providers::begin(const std::shared_ptr<Call>& call) {
  calls_.push_back(call);
  call->begun = clock_.now();
  call->is_stubborn = chance_.one_in(8);
  const std::string& channel = plan_.channels[call->channel].symbol.name;
  if (call->asks) {
    record_.say("ask " + to_hex(call->key) + " via " + channel);
    if (!carried_.contains(call->key)) {
      // Nothing was ever tried: after a crash it is not known.
      Carried& never = carried_[call->key];
      never.channel = call->channel;
      never.first = Timestamp::never();
    }
    return;
  }
  const Delivery& delivery = call->delivery;
  if (heard_) heard_(delivery);
  const Timestamp now = clock_.now();
  record_.say("deliver " + to_hex(call->key) + " via " + channel + ", attempt " +
              std::to_string(delivery.attempt));
  Carried& carried = carried_[call->key];
  if (carried.calls++ == 0) {
    carried.channel = call->channel;
    carried.delivery = delivery;
    carried.delivery.attempt = 1;
    carried.first = now;
  } else {
    Delivery again = delivery;
    again.attempt = 1;
    if (again != carried.delivery && !carried.is_lost)
      record_.breach(to_string(delivery) + " is not what it was at its first attempt");
  }
  if (now > delivery.not_after || now < delivery.not_before)
    record_.breach(to_string(delivery) + " was handed over at " + koi::to_string(now, utc()) +
                   ", and must not be after " + koi::to_string(delivery.not_after, utc()));
  if (carried.may_be_there && repeat(call->channel) != Repeat::Recognised && !carried.is_unknown)
    record_.breach(to_string(delivery) + " was attempted again, though it may be there, and " +
                   channel + " does not recognise a key");
  carried.may_be_there = carried.is_unclear = true;
}

void Providers::lose_all_but(const std::set<Hash128>& known) {
  for (auto& [key, carried] : carried_) carried.is_lost = carried.is_lost || !known.contains(key);
}

void Providers::forget_lost_but(const std::set<Hash128>& known) {
  for (auto& [key, carried] : carried_)
    carried.is_unknown = carried.is_unknown || (carried.is_lost && !known.contains(key));
}

// The person has it.
void Providers::take(Call& call) {
  Carried& carried = carried_.at(call.key);
  if (repeat(call.channel) == Repeat::Recognised && carried.effects > 0) return;
  if (++carried.effects > 1 && !carried.is_unknown)
    record_.breach(to_string(call.delivery) + " was delivered twice");
}

Duration Providers::absurd_wait() {
  switch (chance_.below(8)) {
    case 0: return microseconds(INT64_MAX);
    case 1: return microseconds(INT64_MIN);
    case 2: return days(400'000);
    case 3: return hours(-5);
    case 4: return hours(2);
    default: return seconds(static_cast<std::int64_t>(chance_.below(100)));
  }
}

Failure Providers::some_failure() {
  static constexpr std::array failures{Failure::Unreachable, Failure::WindowClosed,
                                       Failure::BadContent,  Failure::Quota,
                                       Failure::Credentials, Failure::Failed};
  return failures[chance_.below(failures.size())];
}

// Of a payment that can be asked about: whether all turns on the person, who must confirm it in
// time. Then the call has its answer.
bool Providers::confirms(Call& call) {
  Carried& carried = carried_.at(call.key);
  const auto pending = [&] {
    return channel::Pending{hours(static_cast<std::int64_t>(chance_.between(1, 48))), minutes(10),
                            "", "the person"};
  };
  if (carried.has_lapsed) {
    call.coming = Refused{Failure::Lapsed, "not confirmed"};
    return true;
  }
  if (!carried.waits) {
    const bool must_be = call.delivery.payout && repeat(call.channel) == Repeat::CanBeAsked &&
                         carried.effects == 0 && !behaves_ && chance_.one_in(3);
    if (!must_be) return false;
    carried.waits = true;
    call.coming = pending();
    return true;
  }
  if (!behaves_ && chance_.one_in(2)) {
    call.coming = pending();
    return true;
  }
  carried.waits = false;
  carried.has_lapsed = chance_.one_in(3);
  if (carried.has_lapsed) return confirms(call);
  take(call);
  call.coming = Done{};
  return true;
}

// The provider has the call before it, and says what it says, or nothing.
void Providers::arrive(Call& call) {
  call.has_arrived = true;
  if (confirms(call)) return;
  const bool is_there = carried_.at(call.key).effects > 0;
  const bool goes_well = behaves_ || chance_.percent(moods_[call.channel]);
  if (call.asks) {
    // To be sure of its answer it closes the door to what is still on its way.
    for (const auto& other : calls_)
      if (other->key == call.key) other->has_arrived = true;
    if (goes_well)
      call.coming =
          is_there ? channel::Outcome(Done{}) : channel::Outcome(Deferred{{}, false, "not known"});
    else if (chance_.one_in(2))
      call.coming = Unknown{"hung up"};
    return;  // or it is silent
  }
  if (goes_well) {
    take(call);
    call.coming = Done{};
    return;
  }
  switch (chance_.below(9)) {
    case 0:  // takes it, and hangs up
      take(call);
      call.coming = Unknown{"hung up"};
      return;
    case 1: take(call); return;  // takes it, and is silent
    case 2: return;              // lost on the way
    case 3: call.coming = Unknown{"no connection"}; return;
    case 4: call.throws = true; [[fallthrough]];
    case 5:
      if (chance_.one_in(2)) take(call);
      call.coming = Unknown{"nonsense"};
      return;
    case 6:
    case 7: {
      Deferred busy{{}, chance_.one_in(3), "busy"};
      if (chance_.one_in(2)) busy.wait = absurd_wait();
      call.coming = busy;
      return;
    }
    default:
      // Who recognises a key does not refuse what it has.
      if (is_there && repeat(call.channel) == Repeat::Recognised)
        call.coming = Done{};
      else
        call.coming = Refused{some_failure(), "refused"};
  }
}

bool Providers::move() {
  // An answer may be long in coming, and others overtake it.
  std::vector<std::shared_ptr<Call>> movable;
  for (const auto& call : calls_)
    if (!call->answer && (!call->has_arrived || call->coming)) movable.push_back(call);
  if (movable.empty()) {
    // Those that are silent: one may speak after all.
    for (const auto& call : calls_)
      if (!call->answer && !call->coming) movable.push_back(call);
    if (movable.empty() || (!behaves_ && !chance_.one_in(4))) return false;
    chance_.pick(movable)->coming = Unknown{"closed"};
    return true;
  }
  const auto call = chance_.pick(movable);
  if (!call->has_arrived) {
    arrive(*call);
    return true;
  }
  call->answer = std::move(call->coming);
  call->coming.reset();
  call->woken.cancel();
  return true;
}

void Providers::over(const std::shared_ptr<Call>& call) {
  const auto place = std::find(calls_.begin(), calls_.end(), call);
  if (place == calls_.end()) return;
  calls_.erase(place);
  // What was cancelled on its way comes through now or never.
  if (!call->has_arrived && !call->asks && chance_.one_in(2)) take(*call);
  call->has_arrived = true;
  const channel::Outcome outcome =
      call->throws || !call->answer ? channel::Outcome(Unknown{"none"}) : *call->answer;
  record_.say((call->asks ? "asked " : "delivered ") + to_hex(call->key) + ": " +
              channel::to_string(outcome));
  Carried& carried = carried_.at(call->key);
  // Of an attempt: this one did not come through. Asked: none did.
  const bool is_sure =
      std::holds_alternative<Deferred>(outcome) || std::holds_alternative<Refused>(outcome);
  const bool is_recognised = repeat(call->channel) == Repeat::Recognised;
  if (is_sure && (call->asks || !is_recognised || (carried.calls == 1 && is_first_life_)))
    carried.may_be_there = false;
  if (!carried.may_be_there &&
      clock_.now() - call->begun < runtime::OutboxSettings().attempt_within)
    carried.is_unclear = false;
}

}  // namespace koi::simulator
