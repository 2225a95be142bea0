#include "runtime/outbox.h"

#include <algorithm>
#include <asio/experimental/as_tuple.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>

#include "runtime/detail/outbox_state.h"

namespace koi::runtime {

// --- Coming and going ---------------------------------------------------------------------------

void Outbox::State::add(Send send, bool attempted) {
  const auto found = lane_of.find(send.delivery.channel);
  KOI_ASSERT(found != lane_of.end());
  const Hash128 key = send.delivery.key;
  auto [place, is_new] = items.emplace(key, nullptr);
  if (!is_new) return;
  LaneState& lane = lanes[found->second];
  place->second = std::make_unique<Item>();
  Item& item = *place->second;
  item.send = std::move(send);
  item.lane = found->second;
  item.number = ++last_number;
  item.may_be_there = attempted;
  item.asks = attempted && lane.lane.type->capabilities.repeat == Repeat::CanBeAsked;
  item.recorded = attempted;
  if (item.send.delivery.addresses.empty() && !lane.lane.address.empty())
    item.send.delivery.addresses = {{"address", lane.lane.address}};
  if (lane.lane.limits) item.form = lane.lane.limits->going(item.send.delivery).form;
  ++lane.counts.sends;
  ++lane.counts.open;
  if (const std::string why = lane.lane.limits && !attempted
                                  ? lane.lane.limits->refusal(item.send.delivery)
                                  : std::string();
      !why.empty()) {
    say(Level::Warning, to_string(item.send.delivery) + ": not attempted: " + why);
    return end(item, Failure::BadContent, false);
  }
  if (!item.send.delivery.reply_to.empty() && !lane.lane.type->capabilities.replies) {
    say(Level::Warning, to_string(item.send.delivery) + ": the connector `" +
                            std::string(lane.lane.type->name) + "` cannot answer what was written");
    return end(item, Failure::BadContent, false);
  }
  if (attempted && lane.lane.type->capabilities.repeat == Repeat::Neither) {
    const Duration reports = lane.lane.connector->reports_for(item.send.delivery);
    if (is_to_be_taken(item)) {
      await_taking(item);
    } else if (reports > Duration{}) {
      // It was handed over at the latest now; restarts do not make the wait longer than this.
      item.awaits = std::min(clock.now(), item.send.decided + settings.give_up_after) + reports;
      ++pending;
    } else {
      return end(item, Failure::None, true);
    }
  }
  wait(item, std::max(clock.now(), item.send.delivery.not_before));
  turn_soon();
}

Timestamp Outbox::State::last_chance(const Item& item) const {
  if (!holds(Rule::NotAfter)) return item.send.decided + settings.give_up_after;
  return std::min(item.send.delivery.not_after, item.send.decided + settings.give_up_after);
}

Timestamp Outbox::State::deadline(const Item& item) const {
  if (is_pending(item)) return item.asks ? item.awaits + settings.ask_for : item.awaits;
  return item.asks ? last_chance(item) + settings.ask_for : last_chance(item);
}

void Outbox::State::wait(Item& item, Timestamp ready) {
  LaneState& lane = lanes[item.lane];
  const Delivery& delivery = item.send.delivery;
  item.at = Item::At::Waiting;
  item.ready = item.starts = ready;
  item.alike.clear();
  lane.deadlines.emplace(deadline(item), delivery.key);
  if (delivery.has_another_way) lane.with_another_way.insert(delivery.key);
  // What is only to be heard of has nothing to do until then.
  if (is_pending(item) && !item.asks) return;
  if (lane.together.most > 1 && !item.asks) item.alike = lane.lane.connector->alike(delivery);
  if (!item.alike.empty()) {
    item.starts = std::max(ready, std::min(ready + lane.together.within, last_chance(item)));
    Queue& gathered = lane.gathered[item.alike];
    gathered.emplace(item.ready, item.number, delivery.key);
    if (gathered.size() >= lane.together.most) lane.full.insert(item.alike);
  }
  lane.waiting.emplace(item.starts, item.number, delivery.key);
}

void Outbox::State::unwait(Item& item) {
  LaneState& lane = lanes[item.lane];
  lane.deadlines.erase({deadline(item), item.send.delivery.key});
  lane.with_another_way.erase(item.send.delivery.key);
  lane.waiting.erase({item.starts, item.number, item.send.delivery.key});
  if (item.alike.empty()) return;
  const auto gathered = lane.gathered.find(item.alike);
  gathered->second.erase({item.ready, item.number, item.send.delivery.key});
  if (gathered->second.size() < lane.together.most) lane.full.erase(item.alike);
  if (gathered->second.empty()) lane.gathered.erase(gathered);
}

void Outbox::State::end(Item& item, Failure failure, bool unknown) {
  OutboxCounts& counts = lanes[item.lane].counts;
  --counts.open;
  if (is_pending(item)) --pending;
  ++(unknown ? counts.ended_unknown : failure == Failure::None ? counts.delivered : counts.failed);
  Ended ended{
      item.send.delivery.customer, item.send.position,
      Receipt{item.send.delivery.key, clock.now(), failure, unknown, std::move(item.taken_by)}};
  items.erase(ended.receipt.key);
  on_ended(std::move(ended));
}

void Outbox::State::give_up(Item& item) {
  if (is_pending(item) && is_to_be_taken(item)) {
    say(Level::Problem, to_string(item.send.delivery) + ": nobody has taken it in time");
    return end(item, Failure::Lapsed, false);
  }
  if (item.may_be_there) return end(item, Failure::None, true);
  end(item, item.held_by != Failure::None ? item.held_by : Failure::Failed, false);
}

// --- What is due --------------------------------------------------------------------------------

void Outbox::State::turn_soon() {
  if (std::exchange(turning_soon, true)) return;
  asio::post(executor, [weak = weak_from_this()] {
    const auto alive = weak.lock();
    if (!alive) return;
    alive->turning_soon = false;
    alive->turn();
    if (alive->woken) alive->woken();
  });
}

void Outbox::State::turn() {
  if (destroyed) return;
  const Timestamp now = clock.now();
  while (!limits.empty() && limits.begin()->first <= now)
    overdue(*items.at(limits.begin()->second));
  for (LaneState& lane : lanes) {
    while (!lane.deadlines.empty() && lane.deadlines.begin()->first < now) {
      Item& item = *items.at(lane.deadlines.begin()->second);
      unwait(item);
      give_up(item);
    }
    if (lane.is_used_up && lane.open_until > now) go_another_way(lane);
    while (may_start(lane, now)) {
      std::vector<Hash128> keys = first_of(lane, now);
      if (is_allowed(lane, keys, now)) start(lane, keys, now);
    }
  }
}

Timestamp Outbox::State::earliest(const LaneState& lane) const {
  if (lane.waiting.empty()) return Timestamp::never();
  Timestamp at = std::get<Timestamp>(*lane.waiting.begin());
  for (const std::string& alike : lane.full) at = std::min(at, filled_at(lane, alike));
  at = std::max({at, lane.open_until, lane.slowed_until, lane.room_from});
  const std::size_t rate = lane.lane.rate_per_second;
  if (rate > 0 && lane.started.size() >= rate)
    at = std::max(at, lane.started[lane.started.size() - rate] + seconds(1));
  return at;
}

Timestamp Outbox::State::filled_at(const LaneState& lane, const std::string& alike) {
  const auto last = static_cast<std::ptrdiff_t>(lane.together.most) - 1;
  return std::get<Timestamp>(*std::next(lane.gathered.at(alike).begin(), last));
}

Timestamp Outbox::State::next() const {
  Timestamp at = limits.empty() ? Timestamp::never() : limits.begin()->first;
  for (const LaneState& lane : lanes) {
    if (!lane.deadlines.empty()) at = std::min(at, lane.deadlines.begin()->first + microseconds(1));
    if (has_room(lane)) at = std::min(at, earliest(lane));
  }
  return at;
}

// --- The outbox ---------------------------------------------------------------------------------

Outbox::Outbox(asio::any_io_executor executor, const Clock& clock, OutboxSettings settings,
               std::vector<Lane> lanes, OpenDeliveries& open, OnEnded ended, Say say)
    : state_(std::make_shared<State>(std::move(executor), clock, settings, open, std::move(ended),
                                     std::move(say))) {
  for (Lane& lane : lanes) {
    KOI_ASSERT(lane.type && lane.connector);
    KOI_ASSERT(state_->lane_of.emplace(lane.channel, state_->lanes.size()).second);
    LaneState& state = state_->lanes.emplace_back();
    state.together = lane.connector->together();
    state.lane = std::move(lane);
  }
}

Outbox::~Outbox() {
  state_->destroyed = state_->stopped = true;
  std::vector<std::shared_ptr<asio::cancellation_signal>> signals;
  for (const auto& [key, item] : state_->items)
    if (item->at == Item::At::UnderWay) signals.push_back(item->cancel);
  if (state_->woken) state_->woken();
  for (const auto& signal : signals) signal->emit(asio::cancellation_type::terminal);
}

Result<void> Outbox::recover() {
  KOI_LET(auto open, state_->open.take_open());
  for (OpenDeliveries::Open& one : open) {
    const auto& lane = state_->lane_of.find(one.send.delivery.channel);
    KOI_ASSERT(lane != state_->lane_of.end());
    // Only attempts of the third kind are recorded; the others may all have been made.
    const bool attempted =
        one.attempted ||
        state_->lanes[lane->second].lane.type->capabilities.repeat != Repeat::Neither;
    state_->add(std::move(one.send), attempted);
  }
  return {};
}

void Outbox::add(Send send) { state_->add(std::move(send), false); }
std::size_t Outbox::open() const { return state_->items.size(); }
std::size_t Outbox::pending() const { return state_->pending; }
bool Outbox::is_full() const { return open() - pending() >= state_->settings.capacity; }
bool Outbox::heard(Hash128 key, Failure failure, std::string by) {
  const auto found = state_->items.find(key);
  if (found == state_->items.end() || found->second->heard) return false;
  state_->heard(*found->second, failure, std::move(by));
  return true;
}
void Outbox::turn() { state_->turn(); }
Timestamp Outbox::next() const { return state_->next(); }

asio::awaitable<void> Outbox::run() {
  const std::shared_ptr<State> state = state_;
  auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor);
  state->woken = [timer] { timer->cancel(); };
  while (!state->destroyed) {
    state->turn();
    const Timestamp next = state->next(), now = state->clock.now();
    // Looks at least once a second: the clock may jump.
    const Duration sleep = std::clamp(next == Timestamp::never() ? seconds(1) : next - now,
                                      microseconds(0), seconds(1));
    timer->expires_after(std::chrono::microseconds(sleep.us));
    auto [cancelled] =
        co_await timer->async_wait(asio::experimental::as_tuple(asio::use_awaitable));
    (void)cancelled;
  }
}

asio::awaitable<void> Outbox::drain(Duration within) {
  const std::shared_ptr<State> state = state_;
  state->stopped = true;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const auto under_way = [&] {
    std::size_t all = 0;
    for (const LaneState& lane : state->lanes) all += lane.under_way;
    return all;
  };
  const auto settled_before = [&](std::chrono::steady_clock::time_point deadline) {
    return under_way() == 0 || std::chrono::steady_clock::now() >= deadline;
  };
  for (const Duration limit : {within, state->settings.cancel_within}) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(limit.us);
    while (!settled_before(deadline)) {
      timer.expires_after(std::chrono::milliseconds(5));
      co_await timer.async_wait(asio::use_awaitable);
    }
    if (under_way() == 0) break;
    std::vector<std::shared_ptr<asio::cancellation_signal>> signals;
    for (const auto& [key, item] : state->items)
      if (item->at == Item::At::UnderWay) signals.push_back(item->cancel);
    for (const auto& signal : signals) signal->emit(asio::cancellation_type::terminal);
  }
}

std::map<std::string, OutboxCounts> Outbox::counts() const {
  std::map<std::string, OutboxCounts> all;
  for (const LaneState& lane : state_->lanes) all[lane.lane.channel] = lane.counts;
  return all;
}

}  // namespace koi::runtime
