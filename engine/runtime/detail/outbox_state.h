// How the outbox works: its sends in lanes, one for each channel, and the requests under way.
// Private to it: outbox.cpp has what is due and when, outbox_acts.cpp the requests,
// outbox_outcomes.cpp what came of them.
#pragma once

#include <asio/cancellation_signal.hpp>
#include <atomic>
#include <deque>
#include <map>
#include <set>

#include "channel/allowance.h"
#include "channel/limits.h"
#include "runtime/outbox.h"

namespace koi::runtime {

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

  // --- Coming and going

  void add(Send send, bool attempted);
  bool is_wanted(const Item& item) const {
    return !holds(Rule::Wanted) || open.is_wanted(item.send.delivery.key);
  }
  // The last instant at which it may be handed over.
  Timestamp last_chance(const Item& item) const;
  static bool is_to_be_taken(const Item& item) {
    return item.send.delivery.take_by != Timestamp::never();
  }
  bool is_pending(const Item& item) const { return item.awaits != Timestamp::ever(); }
  // When waiting is over. Asking is no delivering, so it may go on longer.
  Timestamp deadline(const Item& item) const;
  void wait(Item& item, Timestamp ready);
  void unwait(Item& item);
  void end(Item& item, Failure failure, bool unknown);
  // Its time is over.
  void give_up(Item& item);

  // --- What is due

  void turn_soon();
  void turn();
  // When the lane's first may start, but for the number under way.
  Timestamp earliest(const LaneState& lane) const;
  // When so many of them are ready that they fill a request.
  static Timestamp filled_at(const LaneState& lane, const std::string& alike);
  bool has_room(const LaneState& lane) const {
    return !stopped && !lane.probing && lane.under_way < lane.lane.type->capabilities.at_once;
  }
  bool may_start(const LaneState& lane, Timestamp now) const {
    return has_room(lane) && earliest(lane) <= now;
  }
  Timestamp next() const;

  // --- One act: an attempt, or asking after one

  // Those that go together next: a full request, else whoever has waited longest and what is like
  // him.
  std::vector<Hash128> first_of(const LaneState& lane, Timestamp now) const;
  // Leaves as many of them as the provider still takes. Where it takes none, they wait for its next
  // day, or the lane for a little.
  bool is_allowed(LaneState& lane, std::vector<Hash128>& keys, Timestamp now);
  // The rules try another channel when it fails here, and here it surely is not.
  static bool may_go_another_way(const Item& item) {
    return item.send.delivery.has_another_way && !item.may_be_there && !item.asks;
  }
  void go_another_way(LaneState& lane);
  void start(LaneState& lane, const std::vector<Hash128>& keys, Timestamp now);
  void recorded(const std::shared_ptr<Act>& act, Hash128 key, const Result<void>& durable);
  // Recording took its time: it may be too late now, or refused, or the door be closed.
  void all_recorded(const std::shared_ptr<Act>& act);
  void go(const std::shared_ptr<Act>& act, Timestamp now);
  // It takes too long: cancelled first, then given up on.
  void overdue(Item& item);
  void act_ended(LaneState& lane) {
    --lane.under_way;
    --lane.counts.under_way;
  }
  void act_over(const Act& act, std::vector<Outcome> outcomes);

  // --- What came of it

  // What the provider said by itself, whenever that is.
  void heard(Item& item, Failure failure, std::string by);
  void settle(Item& item, Outcome outcome);
  void came_of(Item& item, LaneState& lane, Done&);
  void await_taking(Item& item);
  void came_of(Item& item, LaneState& lane, Refused& refused);
  void came_of(Item& item, LaneState& lane, Deferred& deferred);
  void came_of(Item& item, LaneState& lane, Pending& came);
  void came_of(Item& item, LaneState& lane, Unknown&);
  // Half of it is sure, the other half is chance: of the key, so that a replay waits as long.
  Duration jittered(Duration wait, Hash128 key, std::uint64_t number) const;
  Duration back_off(const Item& item) const;
  void again(Item& item, std::optional<Duration> asked);

  // --- The circuit

  void provider_is_well(LaneState& lane);
  // One request is one failure, however many it carried.
  void provider_fails(LaneState& lane, std::uint64_t act);
  void open_circuit(LaneState& lane);
};

}  // namespace koi::runtime
