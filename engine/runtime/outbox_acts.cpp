// The outbox's requests: attempts, and asking after them.
#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/post.hpp>

#include "runtime/detail/outbox_state.h"

namespace koi::runtime {

std::vector<Hash128> Outbox::State::first_of(const LaneState& lane, Timestamp now) const {
  const Hash128 first = std::get<Hash128>(*lane.waiting.begin());
  std::string alike = items.at(first)->alike;
  for (const std::string& full : lane.full)
    if (filled_at(lane, full) <= now) {
      alike = full;
      break;
    }
  if (alike.empty()) return {first};
  std::vector<Hash128> keys;
  std::set<std::string_view> persons;
  for (const auto& [ready, number, key] : lane.gathered.at(alike)) {
    if (ready > now || keys.size() >= lane.together.most) break;
    const auto& addresses = items.at(key)->send.delivery.addresses;
    if (!addresses.empty() && !persons.insert(addresses[0].value).second) continue;
    keys.push_back(key);
  }
  return keys;
}

bool Outbox::State::is_allowed(LaneState& lane, std::vector<Hash128>& keys, Timestamp now) {
  const Item& first = *items.at(keys[0]);
  if (!lane.lane.allowance || !first.form || first.asks) return true;
  const Allowance::Room room = lane.lane.allowance->room(*first.form, keys.size(), now);
  if (room.messages > 0) {
    keys.resize(std::min<std::size_t>(keys.size(), room.messages));
    return true;
  }
  if (!room.is_of_day) {
    lane.room_from = room.from;
    return false;
  }
  if (std::exchange(lane.day_over, room.from) != room.from)
    say(Level::Problem, "channel " + lane.lane.channel +
                            ": what its provider takes in a day is used up; its messages wait " +
                            "until " + koi::to_string(room.from, utc()));
  for (const Hash128 key : keys) {
    Item& item = *items.at(key);
    unwait(item);
    item.held_by = Failure::Quota;
    if (may_go_another_way(item))
      end(item, Failure::Quota, false);
    else if (room.from > deadline(item))
      give_up(item);
    else
      wait(item, room.from);
  }
  return false;
}

void Outbox::State::go_another_way(LaneState& lane) {
  const std::vector<Hash128> keys(lane.with_another_way.begin(), lane.with_another_way.end());
  for (const Hash128 key : keys) {
    Item& item = *items.at(key);
    if (!may_go_another_way(item)) continue;
    unwait(item);
    end(item, Failure::Quota, false);
  }
}

void Outbox::State::start(LaneState& lane, const std::vector<Hash128>& keys, Timestamp now) {
  auto act = std::make_shared<Act>();
  for (const Hash128 key : keys) {
    Item& item = *items.at(key);
    unwait(item);
    if (item.asks || is_wanted(item))
      act->keys.push_back(key);
    else
      give_up(item);
  }
  if (act->keys.empty()) return;
  const Item& first = *items.at(act->keys[0]);
  if (lane.lane.allowance && first.form && !first.asks)
    lane.lane.allowance->take(*first.form, act->keys.size(), now);
  if (lane.open_until != Timestamp::ever()) {
    lane.open_until = Timestamp::ever();
    lane.probing = true;
  }
  ++lane.under_way;
  ++lane.counts.under_way;
  if (const std::size_t rate = lane.lane.rate_per_second; rate > 0) {
    lane.started.push_back(now);
    while (lane.started.size() > rate) lane.started.pop_front();
  }
  act->number = ++last_act;
  act->lane = items.at(act->keys[0])->lane;
  const bool records =
      lane.lane.type->capabilities.repeat == Repeat::Neither && holds(Rule::RecordFirst);
  std::vector<Hash128> to_record;
  for (const Hash128 key : act->keys) {
    Item& item = *items.at(key);
    item.act = act->number;
    item.at = Item::At::Recording;
    if (records && !item.recorded) to_record.push_back(key);
  }
  if (to_record.empty()) return go(act, now);
  act->recording = to_record.size();
  for (const Hash128 key : to_record)
    open.attempting(key, items.at(key)->send.position,
                    [weak = weak_from_this(), on = executor, key, act](Result<void> durable) {
                      asio::post(on, [weak, key, act, durable = std::move(durable)] {
                        if (const auto alive = weak.lock()) alive->recorded(act, key, durable);
                      });
                    });
}

void Outbox::State::recorded(const std::shared_ptr<Act>& act, Hash128 key,
                             const Result<void>& durable) {
  if (destroyed) return;
  Item& item = *items.at(key);
  KOI_ASSERT(item.at == Item::At::Recording && item.act == act->number);
  item.recorded = durable.has_value();
  if (!durable)
    say(Level::Problem, to_string(item.send.delivery) + ": not attempted: " + durable.error().what);
  if (--act->recording == 0) all_recorded(act);
}

void Outbox::State::all_recorded(const std::shared_ptr<Act>& act) {
  LaneState& lane = lanes[act->lane];
  const Timestamp now = clock.now();
  bool is_one_heard = false;
  std::vector<Hash128> left;
  for (const Hash128 key : act->keys) {
    Item& item = *items.at(key);
    if (item.heard) {
      is_one_heard = true;
      end(item, *item.heard, false);
    } else if (item.recorded && !stopped && now <= last_chance(item) && is_wanted(item)) {
      left.push_back(key);
    } else {
      wait(item, now + back_off(item));
    }
  }
  act->keys = std::move(left);
  if (!act->keys.empty()) return go(act, now);
  act_ended(lane);
  // The next one is the probe, unless the provider has shown that it is well.
  if (std::exchange(lane.probing, false) && !is_one_heard) lane.open_until = now;
  turn_soon();
}

void Outbox::State::go(const std::shared_ptr<Act>& act, Timestamp now) {
  LaneState& lane = lanes[act->lane];
  const auto cancel = std::make_shared<asio::cancellation_signal>();
  std::vector<Delivery> deliveries;
  for (const Hash128 key : act->keys) {
    Item& item = *items.at(key);
    item.at = Item::At::UnderWay;
    item.cancelled = false;
    item.until = now + settings.attempt_within;
    item.cancel = cancel;
    limits.emplace(item.until, key);
    ++(item.asks ? lane.counts.asked : lane.counts.attempts);
    deliveries.push_back(item.send.delivery);
    deliveries.back().attempt = item.tries + 1;
  }
  const auto over = [weak = weak_from_this(), act, cancel](std::exception_ptr thrown,
                                                           std::vector<Outcome> outcomes) {
    const auto alive = weak.lock();
    if (!alive) return;
    if (thrown) outcomes.assign(act->keys.size(), Unknown{"the connector threw"});
    alive->act_over(*act, std::move(outcomes));
  };
  if (act->keys.size() > 1) {
    auto work = lane.lane.connector->deliver_together(std::move(deliveries));
    asio::co_spawn(executor, std::move(work), asio::bind_cancellation_slot(cancel->slot(), over));
    return;
  }
  auto work = items.at(act->keys[0])->asks ? lane.lane.connector->ask(act->keys[0])
                                           : lane.lane.connector->deliver(std::move(deliveries[0]));
  asio::co_spawn(executor, std::move(work),
                 asio::bind_cancellation_slot(cancel->slot(),
                                              [over](std::exception_ptr thrown, Outcome outcome) {
                                                over(std::move(thrown), {std::move(outcome)});
                                              }));
}

void Outbox::State::overdue(Item& item) {
  limits.erase({item.until, item.send.delivery.key});
  if (!item.cancelled) {
    item.cancelled = true;
    item.until = clock.now() + settings.cancel_within;
    limits.emplace(item.until, item.send.delivery.key);
    ++lanes[item.lane].counts.timed_out;
    const auto cancel = item.cancel;  // the item may be gone before emit returns
    cancel->emit(asio::cancellation_type::terminal);
    return;
  }
  say(Level::Problem,
      to_string(item.send.delivery) + ": the connector does not end when cancelled");
  item.act = 0;  // its end, should it come, frees the place and no more
  settle(item, Unknown{"no answer in time"});
}

void Outbox::State::act_over(const Act& act, std::vector<Outcome> outcomes) {
  if (destroyed) return;
  act_ended(lanes[act.lane]);
  outcomes.resize(act.keys.size());  // of which one that is missing is unknown
  for (std::size_t i = 0; i < act.keys.size(); ++i) {
    const auto found = items.find(act.keys[i]);
    if (found == items.end() || found->second->at != Item::At::UnderWay ||
        found->second->act != act.number)
      continue;
    Item& item = *found->second;
    limits.erase({item.until, act.keys[i]});
    settle(item, std::move(outcomes[i]));
  }
  turn_soon();
}

}  // namespace koi::runtime
