// State: everything known of one customer, as one value. Its lists are slots that the plan lays
// out (attributes, accumulators, logs, watches by their ids); codec.h turns it into canonical
// bytes.
#pragma once

#include <cstdint>
#include <string>

#include "base/hash.h"
#include "base/list.h"
#include "base/time.h"
#include "core/effect.h"
#include "core/holdings.h"
#include "core/seen.h"
#include "core/slots.h"
#include "model/event.h"
#include "model/value.h"
#include "plan/plan.h"

namespace koi::core {

// What a lifetime metric keeps. Which members mean something depends on its plan::Aggregate:
//   Count: count · Sum: count, value (missing though something was counted: the sum did not fit,
//   and so is the metric) · Min, Max: value · First, Last: value, time · Distinct: seen, count ·
//   Streak: runs
struct Accumulated {
  static constexpr bool moves_as_bytes = true;  // (base/list.h)
  struct Seen {
    Value value;
    std::int64_t count = 0;
    Timestamp latest;
    std::int64_t arrival = 0;  // of the latest, counted by `count`: it parts equal instants
    friend bool operator==(const Seen&, const Seen&) = default;
  };
  struct Run {  // consecutive days, both included
    Date first, last;
    friend bool operator==(const Run&, const Run&) = default;
  };
  std::int64_t count = 0;
  Timestamp time = Timestamp::ever();
  Value value;
  List<Seen> seen;  // by value, ascending
  List<Run> runs;   // ascending; those that no late event can reach any more are dropped
  friend bool operator==(const Accumulated&, const Accumulated&) = default;
};

// The events of a window, by time (ties by arrival), with the fields that its metrics read. Of
// many, the first may be older than what is asked for.
struct Logged {
  static constexpr bool moves_as_bytes = true;  // (base/list.h)
  List<Timestamp> times;
  List<Value> values;  // times.size() × the log's columns
  friend bool operator==(const Logged&, const Logged&) = default;
};

struct Watched {
  bool inside = false;
  Timestamp flip = Timestamp::never();  // not before this instant can time alone change it
  friend bool operator==(const Watched&, const Watched&) = default;
};

// One customer under way in one campaign (and key).
struct Journey {
  static constexpr bool moves_as_bytes = true;  // (base/list.h)
  enum class Phase : std::uint8_t {
    Forming,  // a trigger in parts is under way; he has not entered yet
    Active,   // at `pc`
    Ended,    // kept for its goal alone, until goal_until
  };
  plan::CampaignId campaign;
  std::uint16_t trigger = 0;
  std::uint16_t part = 0;        // Forming: how many of `thens` have come
  std::uint16_t pc = 0;          // Active: the step he stands at
  std::uint16_t occurrence = 0;  // Active: how many effects it has caused
  Phase phase = Phase::Active;
  bool held_out = false;
  bool goal_reached = false;
  std::uint64_t key = 0;               // of `enter … per KEY`
  Hash128 id;                          // the entry's name; Forming: of the first event's cause
  Timestamp entered;                   // Forming: when it began
  Timestamp since;                     // when he came to the step at pc
  Timestamp due = Timestamp::never();  // deadline of the wait, the delay or the trigger
  Timestamp leave_flip = Timestamp::never();  // when a leave condition may turn true
  Timestamp goal_until = Timestamp::never();  // the last instant at which a goal counts
  List<Value> frame;
  List<plan::ArmId> arms;  // with names, that he has taken, in that order
  friend bool operator==(const Journey&, const Journey&) = default;
};

// When he last entered a campaign (by key): what `enter once` and `every D` ask.
struct Entered {
  plan::CampaignId campaign;
  std::uint64_t key = 0;
  Timestamp at;
  friend bool operator==(const Entered&, const Entered&) = default;
};

// A message that passed the gate, for the caps and reply windows.
struct Sent {
  Timestamp at;
  plan::CampaignClass campaign_class;
  plan::ChannelId channel;
  friend bool operator==(const Sent&, const Sent&) = default;
};

// A message whose receipt still decides something (its next channel, an event that is listened to).
struct OpenSend {
  Hash128 key;
  Hash128 entry;
  plan::CampaignId campaign;
  std::uint16_t step = 0;     // of the campaign's code: a plan::Send
  std::uint16_t channel = 0;  // which of its channels it went to
  std::uint16_t occurrence = 0;
  Reason first_reason = Reason::None;  // why the first channel did not take it
  Timestamp since;                     // when the step was reached
  Timestamp sent;                      // when it passed the gate
  Timestamp due = Timestamp::never();  // delayed at the gate of the next channel until then
  List<Value> frame;                   // of the journey, as it was; empty without a next channel
  List<Charge> charges;                // what it took of the campaign's budgets
  friend bool operator==(const OpenSend&, const OpenSend&) = default;
};

// Consent or its refusal for a class of campaigns on a channel (none: on all of them).
struct Consent {
  plan::CampaignClass purpose;
  plan::ChannelId channel;
  bool granted = false;
  Timestamp at;
  friend bool operator==(const Consent&, const Consent&) = default;
};

// An event that a trigger which begins late may look back at.
struct Recent {
  static constexpr bool moves_as_bytes = true;  // (base/list.h)
  Timestamp time;
  EventTypeId type;
  List<Value> fields;
  friend bool operator==(const Recent&, const Recent&) = default;
};

struct State {
  // Out of line: each file that keeps a state would compile how all of its parts are copied.
  State();
  State(const State&);
  State(State&&) noexcept;
  State& operator=(const State&);
  State& operator=(State&&) noexcept;
  ~State();

  std::string id;
  Timestamp created = Timestamp::never();  // since when he exists: his first input; never: not yet
  Timestamp clock = Timestamp::ever();     // what he has seen
  List<Identifier> identifiers;            // ascending
  List<Value> attributes;
  List<Timestamp> attribute_times;  // of the event that set it; ever: by default or by a step
  Slots<Accumulated> accumulators;
  Slots<Logged> logs;
  Slots<Watched> watches;
  List<Journey> journeys;   // by (campaign, key); at most one that is not Ended for each
  List<Entered> entries;    // by (campaign, key)
  List<Sent> sent;          // by time
  List<OpenSend> open;      // by order of decision
  List<Consent> consents;   // by (purpose, channel)
  List<Recent> recent;      // by time
  List<Holdings> holdings;  // one, or none where he was never given anything
  SeenIds seen;
  // The ids of customers who have turned out to be he (merge.h). Of one who has turned out to be
  // another it is that other's alone: nothing else is kept of him.
  List<std::string> same;
  Timestamp seen_pruned = Timestamp::ever();     // when `seen` was last cleared of what is too old
  Timestamp schedules_done = Timestamp::ever();  // scheduled triggers up to this instant have fired
  Timestamp schedule_due = Timestamp::never();   // the next one that may concern him
  Timestamp due = Timestamp::never();            // the earliest of all his timers
  bool begun = false;                            // his first event has come
  bool is_gone = false;                          // he has turned out to be another
  bool is_label = false;                         // tests alone: his id says nothing of who he is
  bool hold_out_never = false;                   // tests alone: `hold_out: no`
  bool hold_out_always = false;                  // tests alone: `hold_out: yes`

  friend bool operator==(const State&, const State&) = default;
};

// The id of whom he has turned out to be; null where he is himself. That one may have turned out to
// be another since.
inline const std::string* gone_to(const State& state) {
  return state.is_gone ? &state.same.front() : nullptr;
}

// Asks the memory for a state that will be decided on soon, in three steps some events apart: the
// state itself, what its lists hold, and what its logs hold. A million customers are in no cache;
// without this the core waits for memory most of the time.
void prefetch(const State& state, int step);

// Lets go, undecided, of all that is due up to `to`: journeys that wait for it end, what time would
// have made true or false stays as it is until an event tells. For timers that crash the core.
void pass_over_due(State& state, Timestamp to);

// A customer who has not been seen yet, with the plan's slots and defaults.
State new_customer(const plan::Plan& plan, std::string id);

// The zone of the customer's clock times: his own, or else the program's.
const Zone& zone_of(const plan::Plan& plan, const State& state);

}  // namespace koi::core
