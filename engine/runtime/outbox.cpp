#include "runtime/outbox.h"

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <atomic>
#include <chrono>
#include <deque>
#include <set>

#include "base/hash.h"
#include "channel/allowance.h"
#include "channel/limits.h"

namespace koi::runtime {

namespace {

using namespace channel;

// One send, until its final receipt.
struct Item {
  Send send;
  std::size_t lane = 0;
  const Form* form = nullptr;  // by which it goes; null where nothing is known of its provider
  std::uint64_t number = 0;    // of its coming, for the order among those that are ready at once
  enum class At : std::uint8_t { Waiting, Recording, UnderWay } at = At::Waiting;
  Timestamp ready;                       // Waiting: not before
  Timestamp starts;                      // Waiting: not after; later than `ready` where it gathers
  std::string alike;                     // Waiting: what goes together with it; empty: nothing
  Timestamp until;                       // UnderWay: cancelled then
  bool cancelled = false;                // UnderWay
  bool may_be_there = false;             // an attempt's outcome is unknown
  bool asks = false;                     // the next act is to ask
  bool recorded = false;                 // that it will be attempted
  Timestamp awaits = Timestamp::ever();  // the provider has it and is to report until then
  std::optional<Failure> heard;          // what it said while an act was under way
  std::string taken_by;                  // who has taken a message to the staff
  std::uint32_t tries = 0;               // acts that came to nothing, for the back-off
  std::uint64_t asked = 0;               // how often it was pending, for the jitter
  std::uint64_t act = 0;            // the number of the act under way: an older one's end is late
  Failure held_by = Failure::None;  // why the channel did not take it: Credentials or Quota
  std::shared_ptr<asio::cancellation_signal> cancel;
};

// One request: an attempt for one send or for several that are alike, or asking after one.
struct Act {
  std::uint64_t number = 0;
  std::size_t lane = 0;
  std::vector<Hash128> keys;
  std::size_t recording = 0;  // of these, those that are not recorded yet
};

using Queue = std::set<std::tuple<Timestamp, std::uint64_t, Hash128>>;

struct LaneState {
  Lane lane;
  Together together;
  OutboxCounts counts;
  Queue waiting;                          // by (starts, number)
  std::map<std::string, Queue> gathered;  // of the same items by what they have in common, by ready
  std::set<std::string> full;             // of these, those that fill a request
  std::set<std::pair<Timestamp, Hash128>> deadlines;  // of the same items
  std::size_t under_way = 0;                          // acts that have not ended
  std::deque<Timestamp> started;               // acts in the last second, where there is a rate
  std::uint32_t failures = 0;                  // in a row
  std::uint64_t failed_act = 0;                // that was counted as one
  Timestamp open_until = Timestamp::ever();    // the circuit is open until then; then one probe
  bool probing = false;                        // half open: one act at a time
  std::uint32_t times_opened = 0;              // in a row
  Timestamp slowed_until = Timestamp::ever();  // as the provider asked
  Timestamp room_from = Timestamp::ever();     // before it the provider's allowance has no room
  Timestamp day_over = Timestamp::ever();      // when the day ends that was said to be used up
  bool is_used_up = false;                     // the circuit is open because of a quota
  std::set<Hash128> with_another_way;          // of what waits, those that the rules have one for
};

Duration doubled(Duration first, std::uint32_t times, Duration longest) {
  Duration wait = first;
  for (std::uint32_t i = 0; i < times && wait < longest; ++i) wait = wait + wait;
  return std::min(wait, longest);
}

}  // namespace

struct Outbox::State : std::enable_shared_from_this<Outbox::State> {
  State(asio::any_io_executor on, const Clock& by, OutboxSettings with, OpenDeliveries& durable,
        OnEnded ended_to, Say say_to)
      : executor(std::move(on)),
        clock(by),
        settings(with),
        open(durable),
        on_ended(std::move(ended_to)),
        say(std::move(say_to)) {}

  asio::any_io_executor executor;
  const Clock& clock;
  OutboxSettings settings;
  OpenDeliveries& open;
  OnEnded on_ended;
  Say say;
  std::vector<LaneState> lanes;
  std::map<std::string, std::size_t, std::less<>> lane_of;
  std::map<Hash128, std::unique_ptr<Item>> items;
  std::set<std::pair<Timestamp, Hash128>> limits;  // of what is under way
  std::uint64_t last_number = 0, last_act = 0;
  bool turning_soon = false;
  bool stopped = false;                  // no more attempts
  bool destroyed = false;                // nothing at all any more
  std::atomic<std::size_t> pending = 0;  // items that await a report
  std::function<void()> woken;           // run() sleeps no longer than needed

  using Rule = OutboxSettings::Rule;
  bool holds(Rule rule) const { return settings.left_out != rule; }

  // --- Coming and going -------------------------------------------------------------------------

  void add(Send send, bool attempted) {
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
                              std::string(lane.lane.type->name) +
                              "` cannot answer what was written");
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

  bool is_wanted(const Item& item) const {
    return !holds(Rule::Wanted) || open.is_wanted(item.send.delivery.key);
  }
  // The last instant at which it may be handed over.
  Timestamp last_chance(const Item& item) const {
    if (!holds(Rule::NotAfter)) return item.send.decided + settings.give_up_after;
    return std::min(item.send.delivery.not_after, item.send.decided + settings.give_up_after);
  }
  static bool is_to_be_taken(const Item& item) {
    return item.send.delivery.take_by != Timestamp::never();
  }
  bool is_pending(const Item& item) const { return item.awaits != Timestamp::ever(); }
  // When waiting is over. Asking is no delivering, so it may go on longer.
  Timestamp deadline(const Item& item) const {
    if (is_pending(item)) return item.asks ? item.awaits + settings.ask_for : item.awaits;
    return item.asks ? last_chance(item) + settings.ask_for : last_chance(item);
  }

  void wait(Item& item, Timestamp ready) {
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
  void unwait(Item& item) {
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

  void end(Item& item, Failure failure, bool unknown) {
    OutboxCounts& counts = lanes[item.lane].counts;
    --counts.open;
    if (is_pending(item)) --pending;
    ++(unknown                    ? counts.ended_unknown
       : failure == Failure::None ? counts.delivered
                                  : counts.failed);
    Ended ended{
        item.send.delivery.customer, item.send.position,
        Receipt{item.send.delivery.key, clock.now(), failure, unknown, std::move(item.taken_by)}};
    items.erase(ended.receipt.key);
    on_ended(std::move(ended));
  }

  // Its time is over.
  void give_up(Item& item) {
    if (is_pending(item) && is_to_be_taken(item)) {
      say(Level::Problem, to_string(item.send.delivery) + ": nobody has taken it in time");
      return end(item, Failure::Lapsed, false);
    }
    if (item.may_be_there) return end(item, Failure::None, true);
    end(item, item.held_by != Failure::None ? item.held_by : Failure::Failed, false);
  }

  // --- What is due ------------------------------------------------------------------------------

  void turn_soon() {
    if (std::exchange(turning_soon, true)) return;
    asio::post(executor, [weak = weak_from_this()] {
      const auto alive = weak.lock();
      if (!alive) return;
      alive->turning_soon = false;
      alive->turn();
      if (alive->woken) alive->woken();
    });
  }

  void turn() {
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

  // When the lane's first may start, but for the number under way.
  Timestamp earliest(const LaneState& lane) const {
    if (lane.waiting.empty()) return Timestamp::never();
    Timestamp at = std::get<Timestamp>(*lane.waiting.begin());
    for (const std::string& alike : lane.full) at = std::min(at, filled_at(lane, alike));
    at = std::max({at, lane.open_until, lane.slowed_until, lane.room_from});
    const std::size_t rate = lane.lane.rate_per_second;
    if (rate > 0 && lane.started.size() >= rate)
      at = std::max(at, lane.started[lane.started.size() - rate] + seconds(1));
    return at;
  }
  // When so many of them are ready that they fill a request.
  static Timestamp filled_at(const LaneState& lane, const std::string& alike) {
    const auto last = static_cast<std::ptrdiff_t>(lane.together.most) - 1;
    return std::get<Timestamp>(*std::next(lane.gathered.at(alike).begin(), last));
  }
  bool has_room(const LaneState& lane) const {
    return !stopped && !lane.probing && lane.under_way < lane.lane.type->capabilities.at_once;
  }
  bool may_start(const LaneState& lane, Timestamp now) const {
    return has_room(lane) && earliest(lane) <= now;
  }

  Timestamp next() const {
    Timestamp at = limits.empty() ? Timestamp::never() : limits.begin()->first;
    for (const LaneState& lane : lanes) {
      if (!lane.deadlines.empty())
        at = std::min(at, lane.deadlines.begin()->first + microseconds(1));
      if (has_room(lane)) at = std::min(at, earliest(lane));
    }
    return at;
  }

  // --- One act: an attempt, or asking after one --------------------------------------------------

  // Those that go together next: a full request, else whoever has waited longest and what is like
  // him.
  std::vector<Hash128> first_of(const LaneState& lane, Timestamp now) const {
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

  // Leaves as many of them as the provider still takes. Where it takes none, they wait for its next
  // day, or the lane for a little.
  bool is_allowed(LaneState& lane, std::vector<Hash128>& keys, Timestamp now) {
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
  // The rules try another channel when it fails here, and here it surely is not.
  static bool may_go_another_way(const Item& item) {
    return item.send.delivery.has_another_way && !item.may_be_there && !item.asks;
  }
  void go_another_way(LaneState& lane) {
    const std::vector<Hash128> keys(lane.with_another_way.begin(), lane.with_another_way.end());
    for (const Hash128 key : keys) {
      Item& item = *items.at(key);
      if (!may_go_another_way(item)) continue;
      unwait(item);
      end(item, Failure::Quota, false);
    }
  }

  void start(LaneState& lane, const std::vector<Hash128>& keys, Timestamp now) {
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

  void recorded(const std::shared_ptr<Act>& act, Hash128 key, const Result<void>& durable) {
    if (destroyed) return;
    Item& item = *items.at(key);
    KOI_ASSERT(item.at == Item::At::Recording && item.act == act->number);
    item.recorded = durable.has_value();
    if (!durable)
      say(Level::Problem,
          to_string(item.send.delivery) + ": not attempted: " + durable.error().what);
    if (--act->recording == 0) all_recorded(act);
  }

  // Recording took its time: it may be too late now, or refused, or the door be closed.
  void all_recorded(const std::shared_ptr<Act>& act) {
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

  void go(const std::shared_ptr<Act>& act, Timestamp now) {
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
    auto work = items.at(act->keys[0])->asks
                    ? lane.lane.connector->ask(act->keys[0])
                    : lane.lane.connector->deliver(std::move(deliveries[0]));
    asio::co_spawn(executor, std::move(work),
                   asio::bind_cancellation_slot(cancel->slot(),
                                                [over](std::exception_ptr thrown, Outcome outcome) {
                                                  over(std::move(thrown), {std::move(outcome)});
                                                }));
  }

  // It takes too long: cancelled first, then given up on.
  void overdue(Item& item) {
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

  void act_ended(LaneState& lane) {
    --lane.under_way;
    --lane.counts.under_way;
  }

  void act_over(const Act& act, std::vector<Outcome> outcomes) {
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

  // --- What came of it --------------------------------------------------------------------------

  // What the provider said by itself, whenever that is.
  void heard(Item& item, Failure failure, std::string by) {
    item.taken_by = std::move(by);
    if (item.at != Item::At::Waiting) {
      item.heard = failure;
      return;
    }
    unwait(item);
    end(item, failure, false);
    turn_soon();
  }

  void settle(Item& item, Outcome outcome) {
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

  void came_of(Item& item, LaneState& lane, Done&) {
    ++lane.counts.done;
    provider_is_well(lane);
    // It is there; now somebody must take it. Said too late, it is there all the same.
    if (!is_to_be_taken(item) || item.send.delivery.take_by <= clock.now())
      return end(item, Failure::None, false);
    await_taking(item);
    wait(item, clock.now());
    turn_soon();
  }
  void await_taking(Item& item) {
    if (!is_pending(item)) ++pending;
    item.awaits = item.send.delivery.take_by;
    item.asks = false;
    item.may_be_there = true;
  }

  void came_of(Item& item, LaneState& lane, Refused& refused) {
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

  void came_of(Item& item, LaneState& lane, Deferred& deferred) {
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

  void came_of(Item& item, LaneState& lane, Pending& came) {
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

  void came_of(Item& item, LaneState& lane, Unknown&) {
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

  // Half of it is sure, the other half is chance: of the key, so that a replay waits as long.
  Duration jittered(Duration wait, Hash128 key, std::uint64_t number) const {
    const std::uint64_t chance =
        HashInput().number(key.high).number(key.low).number(number).hash64(settings.seed);
    const std::int64_t half = wait.us / 2;
    return {wait.us - half +
            static_cast<std::int64_t>(chance % (static_cast<std::uint64_t>(half) + 1))};
  }
  Duration back_off(const Item& item) const {
    return jittered(doubled(settings.first_wait, item.tries, settings.longest_wait),
                    item.send.delivery.key, item.tries);
  }

  void again(Item& item, std::optional<Duration> asked) {
    const Timestamp now = clock.now();
    const Timestamp ready = now + std::max(asked.value_or(Duration{}), back_off(item));
    ++item.tries;
    // It would be too late then: whoever waits for the receipt need not wait as well.
    if (ready > deadline(item)) return give_up(item);
    wait(item, ready);
    turn_soon();
  }

  // --- The circuit ------------------------------------------------------------------------------

  void provider_is_well(LaneState& lane) {
    lane.is_used_up = false;
    lane.failures = 0;
    lane.times_opened = 0;
    lane.probing = false;
    lane.open_until = Timestamp::ever();
  }
  // One request is one failure, however many it carried.
  void provider_fails(LaneState& lane, std::uint64_t act) {
    if (act != 0 && std::exchange(lane.failed_act, act) == act) return;
    ++lane.failures;
    if (lane.probing || lane.failures >= settings.failures_to_open) open_circuit(lane);
  }
  void open_circuit(LaneState& lane) {
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
};

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
