// Whom an input concerns: found by the plan's index where there is one, else every condition is
// asked in turn. Both find the same.
#include <algorithm>

#include "core/calendar.h"
#include "core/detail/turn.h"
#include "core/metrics.h"

namespace koi::core {

namespace {

// What the index reads: what is at hand, and the evaluator for the rest.
struct AtHand {
  explicit AtHand(const Facts& given)
      : fields(given.fields), attributes(given.state.attributes), facts(given) {}
  Value value(plan::NodeId node) const { return value_of(facts, node); }
  bool holds(plan::NodeId node) const { return core::holds(facts, node); }

  std::span<const Value> fields, attributes;
  const Facts& facts;
};

}  // namespace

// The triggers whose first event this is.
void Turn::find_begins(const Happening& what, const plan::Reaction& reaction) {
  const auto began = [&](const plan::TriggerRef& ref) {
    candidates_.push_back({ref.campaign, ref.trigger, Candidate::Kind::Began, {}});
  };
  const auto match_of = [&](const plan::TriggerRef& ref) -> const plan::EventMatch& {
    return campaign(ref.campaign).triggers[ref.trigger].first.match;
  };
  // Who wants to know all ways wants to know whom `for` has kept out, which the index does in
  // passing.
  if (!waking_ || waking_->trace != nullptr) {
    for (const plan::TriggerRef& ref : reaction.begins)
      if (matches(match_of(ref), what, {})) began(ref);
    return;
  }
  const Facts now = facts(what);
  waking_->index.begins(what.type, AtHand(now), waking_->scratch, [&](std::size_t i) {
    if (is_meant(match_of(reaction.begins[i]), what)) began(reaction.begins[i]);
  });
}

// The accumulators and logs that count the event.
void Turn::find_counted(const Happening& what, const plan::Reaction& reaction) {
  if (reaction.accumulators.empty() && reaction.logs.empty()) return;
  if (!waking_) {
    for (const plan::AccumulatorId id : reaction.accumulators)
      if (matches(plan_.accumulators[id.index()].events, what, {})) count(id, what);
    for (const plan::LogId id : reaction.logs)
      if (matches(plan_.logs[id.index()].events, what, {})) log(id, what);
    return;
  }
  const Facts now = facts(what);
  waking_->index.accumulators(what.type, AtHand(now), waking_->scratch, [&](std::size_t i) {
    const plan::AccumulatorId id = reaction.accumulators[i];
    if (is_meant(plan_.accumulators[id.index()].events, what)) count(id, what);
  });
  waking_->index.logs(what.type, AtHand(now), waking_->scratch, [&](std::size_t i) {
    const plan::LogId id = reaction.logs[i];
    if (is_meant(plan_.logs[id.index()].events, what)) log(id, what);
  });
}

void Turn::count(plan::AccumulatorId id, const Happening& what) {
  accumulate(plan_, plan_.accumulators[id.index()], state_.accumulators.at(id.index()), what.time,
             what.fields, now_, zone());
  note_change(id);
}

void Turn::log(plan::LogId id, const Happening& what) {
  const plan::Log& of = plan_.logs[id.index()];
  Logged& kept = state_.logs.at(id.index());
  prune(of, kept, now_, zone());
  log_event(of, kept, what.time, what.fields, now_, zone());
  note_change(id);
}

// The watches that the event may turn: those that read what it has changed. What its instant alone
// turns is its own deadline's, which comes after the events of that instant; but a watch that is
// concerned by events of this type turns with them.
std::span<const plan::WatchId> Turn::watches_to_ask(const plan::Reaction& reaction) {
  if (!waking_) return reaction.watches;
  auto& to_ask = waking_->to_ask;
  to_ask.clear();
  for (const match::SourceId source : waking_->fresh.all()) {
    const auto watches = waking_->index.watches_of(source);
    to_ask.insert(to_ask.end(), watches.begin(), watches.end());
  }
  if (state_.due <= now_)
    for (const auto& [watched, slot] : state_.watches)
      if (const auto id = plan::WatchId::of(slot);
          watched.flip <= now_ &&
          std::binary_search(reaction.watches.begin(), reaction.watches.end(), id))
        to_ask.push_back(id);
  std::sort(to_ask.begin(), to_ask.end());
  to_ask.erase(std::unique(to_ask.begin(), to_ask.end()), to_ask.end());
  waking_->fresh.begin(waking_->index.sources());
  return to_ask;
}

namespace {

// Does the condition ask who the customer is, or since when?
bool asks_who(const plan::Plan& plan, plan::NodeId id) {
  if (id.is_none()) return false;
  const plan::Node& node = plan[id];
  if (node.op == plan::Op::CustomerId || node.op == plan::Op::CustomerCreated) return true;
  if (node.op == plan::Op::Granted) {  // a code to invite others by is anybody's own
    const auto what = plan.grant_reads[node.index].what;
    return what == plan::GrantRead::What::InviteCode || what == plan::GrantRead::What::InviteLink ||
           what == plan::GrantRead::What::InviteScene;
  }
  if (node.op == plan::Op::Join)
    for (const auto& part : plan.templates[node.index].parts)
      if (asks_who(plan, part.node)) return true;
  return asks_who(plan, node.a) || asks_who(plan, node.b);
}

// In ascending order, since watches read those before them. Nothing is known that moves with the
// clock, so that the instant does not matter.
std::vector<plan::WatchId> watches_of_strangers(const plan::Plan& plan) {
  State stranger = new_customer(plan, "");
  std::vector<plan::WatchId> watches;
  for (std::size_t i = 0; i < plan.watches.size(); ++i) {
    const plan::NodeId condition = plan.watches[i].condition;
    const Turning found = turning_of({plan, stranger, Timestamp{}}, condition);
    stranger.watches.set(i, {found.holds, found.flip});
    if (found.holds || found.flip != Timestamp::never() || asks_who(plan, condition))
      watches.push_back(plan::WatchId::of(i));
  }
  return watches;
}

}  // namespace

// Those that a customer's first event may turn: he was outside of every one, now he may be in any.
// That is asked of those which a stranger may be in, and of those which read what is known of him.
std::span<const plan::WatchId> Turn::all_watches(std::vector<plan::WatchId>& room) {
  if (!waking_) {
    for (std::size_t i = 0; i < plan_.watches.size(); ++i) room.push_back(plan::WatchId::of(i));
    return room;
  }
  if (!waking_->of_strangers) waking_->of_strangers = watches_of_strangers(plan_);
  room = *waking_->of_strangers;
  const match::Sources& sources = waking_->index.sources();
  const auto known = [&](match::SourceId source) {
    const auto watches = waking_->index.watches_of(source);
    room.insert(room.end(), watches.begin(), watches.end());
  };
  for (std::size_t i = 0; i < state_.attributes.size(); ++i)
    if (state_.attributes[i] != plan_.schema.attributes[i].fallback)
      known(sources.of(AttributeId::of(i)));
  for (const auto& kept : state_.accumulators)
    known(sources.of(plan::AccumulatorId::of(kept.slot)));
  for (const auto& kept : state_.logs) known(sources.of(plan::LogId::of(kept.slot)));
  if (!state_.consents.empty()) known(sources.consents());
  if (!state_.identifiers.empty()) known(sources.identifiers());
  if (!state_.holdings.empty()) known(sources.grants());
  std::sort(room.begin(), room.end());
  room.erase(std::unique(room.begin(), room.end()), room.end());
  waking_->fresh.begin(sources);
  return room;
}

// What has changed is not followed up in this turn: with the next one everything is asked.
void Turn::ask_anew() {
  for (Journey& journey : state_.journeys)
    if (journey.phase != Journey::Phase::Ended) journey.leave_flip = Timestamp::ever();
  if (!plan_.schedules.empty()) state_.schedule_due = Timestamp::ever();
}

// --- Schedules ----------------------------------------------------------------------------------

void Turn::fire_schedules(std::vector<Candidate>& found) {
  if (state_.schedule_due > now_) return;
  const Timestamp from = schedules_from();
  const auto occurrence_of = [&](const plan::TriggerRef& ref) {
    return next_occurrence(campaign(ref.campaign).triggers[ref.trigger].schedule, state_, from,
                           zone());
  };
  const auto fire = [&](const plan::TriggerRef& ref, Timestamp occurrence) {
    const plan::Trigger& trigger = campaign(ref.campaign).triggers[ref.trigger];
    if (!holds(facts(), trigger.condition)) return;
    const Hash128 cause = HashInput()
                              .text("schedule")
                              .text(state_.id)
                              .number(ref.trigger)
                              .number(static_cast<std::uint64_t>(occurrence.us))
                              .hash128(plan_.seed);
    found.push_back({ref.campaign, ref.trigger, Candidate::Kind::Fired, cause});
  };
  if (!waking_) {
    for (const plan::TriggerRef& ref : plan_.schedules)
      if (const Timestamp at = occurrence_of(ref); at <= now_) fire(ref, at);
  } else {
    const auto& equal = waking_->index.equal_schedules();
    for (std::size_t i = 0; i < equal.size(); ++i) {
      const Timestamp at = occurrence_of(plan_.schedules[equal[i].front()]);
      if (at > now_) continue;
      for (const std::uint32_t place : equal[i]) fire(plan_.schedules[place], at);
    }
  }
  state_.schedules_done = now_;
}

// Schedules count from behind this instant: those of now come after the events of now.
Timestamp Turn::schedules_from() const {
  const Timestamp seen = std::max(state_.clock, state_.created) - microseconds(1);
  return std::max(state_.schedules_done, seen);
}

// When the schedule next comes for somebody whom it means.
Timestamp Turn::next_of(const plan::TriggerRef& ref, Timestamp from) const {
  const plan::Trigger& trigger = campaign(ref.campaign).triggers[ref.trigger];
  // Who does not meet the condition can not before it flips.
  const Turning found = turning_of(facts(), trigger.condition);
  if (!found.holds) {
    if (found.flip == Timestamp::never()) return found.flip;
    from = std::max(from, found.flip - microseconds(1));
  }
  return next_occurrence(trigger.schedule, state_, from, zone());
}

Timestamp Turn::next_schedule() const {
  Timestamp next = Timestamp::never();
  const Timestamp from = schedules_from();
  if (!waking_) {
    for (const plan::TriggerRef& ref : plan_.schedules) next = std::min(next, next_of(ref, from));
    return next;
  }
  const auto& equal = waking_->index.equal_schedules();
  for (std::size_t i = 0; i < equal.size(); ++i) {
    const plan::TriggerRef& first = plan_.schedules[equal[i].front()];
    const auto& schedule = campaign(first.campaign).triggers[first.trigger].schedule;
    const Timestamp earliest = next_occurrence(schedule, state_, from, zone());
    for (const std::uint32_t place : equal[i]) {
      if (earliest >= next) break;  // none of them comes before it
      next = std::min(next, next_of(plan_.schedules[place], from));
    }
  }
  return next;
}

void Turn::settle_schedules() {
  if (plan_.schedules.empty()) {
    state_.schedule_due = Timestamp::never();
    return;
  }
  const auto zone_changed = [&] {
    const match::SourceId zone = waking_->index.sources().of(time_zone_attribute);
    return waking_->changed.any_of(std::span(&zone, 1));
  };
  if (!waking_ || !was_settled_ || state_.schedule_due <= now_ || zone_changed()) {
    state_.schedule_due = next_schedule();
    return;
  }
  // The instant stands, for nothing comes earlier but what has changed.
  const Timestamp from = schedules_from();
  for (const match::SourceId source : waking_->changed.all())
    for (const std::uint32_t place : waking_->index.schedules_of(source))
      state_.schedule_due = std::min(state_.schedule_due, next_of(plan_.schedules[place], from));
}

}  // namespace koi::core
