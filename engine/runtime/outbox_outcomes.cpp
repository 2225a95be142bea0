// What came of the outbox's requests: receipts, trying again, and the circuit of a provider that
// fails.
#include <algorithm>

#include "base/hash.h"
#include "runtime/detail/outbox_state.h"

namespace koi::runtime {

namespace {

Duration doubled(Duration first, std::uint32_t times, Duration longest) {
  Duration wait = first;
  for (std::uint32_t i = 0; i < times && wait < longest; ++i) wait = wait + wait;
  return std::min(wait, longest);
}

}  // namespace

void Outbox::State::heard(Item& item, Failure failure, std::string by) {
  item.taken_by = std::move(by);
  if (item.at != Item::At::Waiting) {
    item.heard = failure;
    return;
  }
  unwait(item);
  end(item, failure, false);
  turn_soon();
}

void Outbox::State::settle(Item& item, Outcome outcome) {
  LaneState& lane = lanes[item.lane];
  if (item.heard) {
    provider_is_well(lane);
    return end(item, *item.heard, false);
  }
  if (item.cancelled)
    if (auto* const unknown = std::get_if<Unknown>(&outcome); unknown && unknown->why.empty())
      unknown->why = "cancelled";
  if (!std::holds_alternative<Done>(outcome) && !std::holds_alternative<Pending>(outcome))
    say(Level::Warning, to_string(item.send.delivery) + (item.asks ? ", asked: " : ": ") +
                            channel::to_string(outcome));
  std::visit([&](auto& came) { came_of(item, lane, came); }, outcome);
}

void Outbox::State::came_of(Item& item, LaneState& lane, Done&) {
  ++lane.counts.done;
  provider_is_well(lane);
  // It is there; now somebody must take it. Said too late, it is there all the same.
  if (!is_to_be_taken(item) || item.send.delivery.take_by <= clock.now())
    return end(item, Failure::None, false);
  await_taking(item);
  wait(item, clock.now());
  turn_soon();
}

void Outbox::State::await_taking(Item& item) {
  if (!is_pending(item)) ++pending;
  item.awaits = item.send.delivery.take_by;
  item.asks = false;
  item.may_be_there = true;
}

void Outbox::State::came_of(Item& item, LaneState& lane, Refused& refused) {
  ++lane.counts.refused;
  if (refused.failure != Failure::Credentials && refused.failure != Failure::Quota) {
    provider_is_well(lane);
    KOI_ASSERT(refused.failure != Failure::None);
    // Refused now; but an earlier attempt may have come through.
    if (item.may_be_there && !item.asks &&
        lane.lane.type->capabilities.repeat != Repeat::Recognised)
      return end(item, Failure::None, true);
    return end(item, refused.failure, false);
  }
  item.held_by = refused.failure;
  lane.is_used_up = refused.failure == Failure::Quota;
  open_circuit(lane);
  if (lane.is_used_up && may_go_another_way(item)) return end(item, Failure::Quota, false);
  again(item, {});
}

void Outbox::State::came_of(Item& item, LaneState& lane, Deferred& deferred) {
  ++lane.counts.deferred;
  item.held_by = Failure::None;
  if (item.asks) {  // the provider is sure that it does not have it
    provider_is_well(lane);
    item.asks = false;
    item.may_be_there = false;
    if (is_pending(item)) --pending;
    item.awaits = Timestamp::ever();
    return again(item, deferred.wait);
  }
  if (deferred.of_person) {
    provider_is_well(lane);
  } else if (deferred.throttled) {
    lane.probing = false;
    lane.failures = 0;
    const Timestamp until = clock.now() + deferred.wait.value_or(back_off(item));
    lane.slowed_until = std::max(lane.slowed_until, std::min(until, clock.now() + hours(24)));
  } else {
    provider_fails(lane, item.act);
  }
  again(item, deferred.wait);
}

void Outbox::State::came_of(Item& item, LaneState& lane, Pending& came) {
  ++lane.counts.pending;
  item.held_by = Failure::None;
  item.may_be_there = true;
  item.tries = 0;
  provider_is_well(lane);
  if (!is_pending(item)) ++pending;
  const Timestamp now = clock.now();
  // Asked again it says how long from now; the first time counts.
  if (!is_pending(item)) item.awaits = now + came.within;
  item.asks = lane.lane.type->capabilities.repeat == Repeat::CanBeAsked;
  open.pending(item.send.delivery.key, came);
  if (now > deadline(item)) return give_up(item);
  wait(item, now + jittered(came.ask_again, item.send.delivery.key, ++item.asked));
  turn_soon();
}

void Outbox::State::came_of(Item& item, LaneState& lane, Unknown&) {
  ++lane.counts.unknown;
  item.held_by = Failure::None;
  item.may_be_there = true;
  provider_fails(lane, item.act);
  switch (lane.lane.type->capabilities.repeat) {
    case Repeat::Neither:
      if (holds(Rule::NeverTwice)) return end(item, Failure::None, true);
      break;
    case Repeat::CanBeAsked: item.asks = holds(Rule::AskFirst); break;
    case Repeat::Recognised: break;
  }
  again(item, {});
}

Duration Outbox::State::jittered(Duration wait, Hash128 key, std::uint64_t number) const {
  const std::uint64_t chance =
      HashInput().number(key.high).number(key.low).number(number).hash64(settings.seed);
  const std::int64_t half = wait.us / 2;
  return {wait.us - half +
          static_cast<std::int64_t>(chance % (static_cast<std::uint64_t>(half) + 1))};
}

Duration Outbox::State::back_off(const Item& item) const {
  return jittered(doubled(settings.first_wait, item.tries, settings.longest_wait),
                  item.send.delivery.key, item.tries);
}

void Outbox::State::again(Item& item, std::optional<Duration> asked) {
  const Timestamp now = clock.now();
  const Timestamp ready = now + std::max(asked.value_or(Duration{}), back_off(item));
  ++item.tries;
  // It would be too late then: whoever waits for the receipt need not wait as well.
  if (ready > deadline(item)) return give_up(item);
  wait(item, ready);
  turn_soon();
}

// --- The circuit --------------------------------------------------------------------------------

void Outbox::State::provider_is_well(LaneState& lane) {
  lane.is_used_up = false;
  lane.failures = 0;
  lane.times_opened = 0;
  lane.probing = false;
  lane.open_until = Timestamp::ever();
}

void Outbox::State::provider_fails(LaneState& lane, std::uint64_t act) {
  if (act != 0 && std::exchange(lane.failed_act, act) == act) return;
  ++lane.failures;
  if (lane.probing || lane.failures >= settings.failures_to_open) open_circuit(lane);
}

void Outbox::State::open_circuit(LaneState& lane) {
  // What was under way when it opened says nothing new.
  if (lane.open_until != Timestamp::ever() && !lane.probing) return;
  const Duration wait =
      jittered(doubled(settings.circuit_wait, lane.times_opened, settings.longest_circuit_wait),
               hash128(lane.lane.channel), lane.counts.circuit_opened);
  lane.open_until = clock.now() + wait;
  lane.probing = false;
  lane.failures = 0;
  ++lane.times_opened;
  ++lane.counts.circuit_opened;
  say(Level::Problem, "channel " + lane.lane.channel +
                          ": its provider fails; the next attempt is in " + koi::to_string(wait));
}

}  // namespace koi::runtime
