#include "core/decide.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/hash.h"
#include "core/calendar.h"
#include "core/detail/turn.h"
#include "core/gate.h"
#include "core/metrics.h"

namespace koi::core {

using plan::CampaignClass;

namespace {

// Echoes of echoes (a segment entered, a campaign entered by that, …) end here at the latest.
constexpr std::size_t echoes_at_most = 256;

// Forgets ids older than the horizon, about once a day of the customer's time.
void prune_ids(State& state, Duration horizon) {
  if (state.seen_pruned == Timestamp::ever()) state.seen_pruned = state.clock;
  if (state.clock - state.seen_pruned < days(1)) return;
  state.seen.forget_before(state.clock - horizon);
  state.seen_pruned = state.clock;
}

// Whether one of them is new to him.
bool link(State& state, const std::vector<Identifier>& identifiers) {
  bool is_new = false;
  for (const Identifier& identifier : identifiers) {
    const auto place =
        std::lower_bound(state.identifiers.begin(), state.identifiers.end(), identifier);
    if (place != state.identifiers.end() && *place == identifier) continue;
    state.identifiers.insert(place, identifier);
    is_new = true;
  }
  return is_new;
}

}  // namespace

Standing decide(const plan::Plan& plan, State& state, const Event& event,
                std::vector<Effect>& effects, Waking* waking, Accounts* accounts) {
  return Turn(plan, state, effects, waking, accounts).take(event);
}
Standing decide(const plan::Plan& plan, State& state, const Tick& tick,
                std::vector<Effect>& effects, Waking* waking, Accounts* accounts) {
  return Turn(plan, state, effects, waking, accounts).take(tick);
}
Standing decide(const plan::Plan& plan, State& state, const Receipt& receipt,
                std::vector<Effect>& effects, Waking* waking, Accounts* accounts) {
  return Turn(plan, state, effects, waking, accounts).take(receipt);
}
Standing decide(const plan::Plan& plan, State& state, const Message& message,
                std::vector<Effect>& effects, Waking* waking, Accounts* accounts) {
  return Turn(plan, state, effects, waking, accounts).take(message);
}
Standing decide(const plan::Plan& plan, State& state, const Call& call,
                std::vector<Effect>& effects, Waking* waking, Accounts* accounts) {
  return Turn(plan, state, effects, waking, accounts).take(call);
}
Standing decide(const plan::Plan& plan, State& state, const Input& input,
                std::vector<Effect>& effects, Waking* waking, Accounts* accounts) {
  return std::visit(
      [&](const auto& each) { return decide(plan, state, each, effects, waking, accounts); },
      input);
}

void pass_over(const plan::Plan& plan, State& state, const Event& event) {
  std::vector<Effect> none;
  Turn(plan, state, none, nullptr, nullptr).pass_over(event);
}

Timestamp next_due(const State& state) { return state.due; }

// --- The inputs ---------------------------------------------------------------------------------

void Turn::pass_over(const Event& event) {
  const std::uint64_t id_hash = event.id_hash();
  if (state_.seen.contains(id_hash)) return;
  state_.seen.insert(id_hash, event.time);
  if (event.type == type_of(EngineEvent::Unsubscribed)) apply_consent(event);
}

Standing Turn::take(const Event& event) {
  const EventType& type = plan_.schema[event.type];
  // Who is not there yet does not see what happens to everyone.
  if (type.to_everyone && event.time < state_.created) return Standing::Applied;
  const std::uint64_t id_hash = event.id_hash();
  if (state_.seen.contains(id_hash)) return Standing::Duplicate;
  const bool late = event.time < state_.clock;
  if (late && state_.clock - event.time > plan_.policy.lateness) {
    // However late, a refusal is a refusal; nothing else of such an event counts.
    if (event.type == type_of(EngineEvent::Unsubscribed)) {
      apply_consent(event);
      ask_anew();
    }
    return Standing::TooLate;
  }
  if (!late) advance(event.time, false);

  state_.seen.insert(id_hash, event.time);
  now_ = late ? state_.clock : event.time;
  state_.clock = now_;
  const bool was_there = state_.begun;
  if (state_.created == Timestamp::never()) {
    state_.created = event.time;
    if (accounts_) accounts_->introduce(state_.id);
  }
  let_in_.clear();
  input_ = {&event, {}};
  identity_is_new_ = link(state_, event.identifiers);
  if (identity_is_new_ && waking_) note_source(waking_->index.sources().identifiers());
  apply_consent(event);

  if (!claim_share(event) && !refuse_redemption(event)) {
    std::vector<Value> room;
    happen({event.type, event.time, completed(event, room), {&event, {}}, late, type.is_inner});
  } else if (identity_is_new_) {
    update_watches(plan_.watches_of_identity, {&event, {}});
    admit(nullptr);
  }
  if (accounts_ && !plan_.referrals.empty()) touch(event, was_there);
  happen_echoes();
  settle();
  // What a late event began may have been over by now: its deadlines are met at once.
  if (late) advance(now_, false);
  return late ? Standing::Late : Standing::Applied;
}

Standing Turn::take(const Tick& tick) {
  if (state_.created == Timestamp::never()) return Standing::Applied;
  now_ = std::max(state_.clock, state_.created);
  if (state_.due == Timestamp::never()) settle();
  advance(tick.to, tick.inclusive);
  return Standing::Applied;
}

Standing Turn::take(const Receipt& receipt) {
  advance(receipt.time, false);
  now_ = std::max(state_.clock, receipt.time);
  input_ = {nullptr, receipt.key};
  if (accounts_ && (take_payout(receipt) || take_share_payout(receipt))) {
    state_.clock = now_;
    admit(nullptr);
    happen_echoes();
    settle();
    return Standing::Applied;
  }
  const auto place = std::find_if(state_.open.begin(), state_.open.end(),
                                  [&](const OpenSend& open) { return open.key == receipt.key; });
  if (place == state_.open.end()) return Standing::Duplicate;
  state_.clock = now_;

  OpenSend open = std::move(*place);
  state_.open.erase(place);
  const plan::Campaign& from = campaign(open.campaign);
  const auto& send = std::get<plan::Send>(from.steps[open.step]);
  const bool failed = receipt.failure != Failure::None;
  if (!receipt.unknown)
    echo(failed ? EngineEvent::Failed : EngineEvent::Delivered,
         {Value::text(plan_.contents[plan_.messages[send.message].content.index()].name),
          Value::text(plan_.channels[send.channels[open.channel].index()].symbol.name),
          Value::text(from.symbol.name)},
         HashInput()
             .text("receipt")
             .number(receipt.key.high)
             .number(receipt.key.low)
             .hash128(plan_.seed));
  // Of what nobody knows whether it came the campaign's budgets stay reserved.
  if (accounts_ && !receipt.unknown)
    move(open.charges, open.key, ledger::Stage::Reserved,
         failed ? ledger::Stage::Returned : ledger::Stage::Given);
  if (failed) {
    if (!send.is_reply())
      release_sent(state_, from.campaign_class, send.channels[open.channel], open.sent);
    open.charges.clear();
    if (open.first_reason == Reason::None) open.first_reason = reason_of(name_of(receipt.failure));
    if (!send.is_reply()) ++open.channel;
    wake(open);
  }
  happen_echoes();
  settle();
  return Standing::Applied;
}

Standing Turn::take(const Message& message) {
  KOI_ASSERT(accounts_);
  advance(message.time, false);
  now_ = std::max(state_.clock, message.time);
  state_.clock = now_;
  if (state_.created == Timestamp::never()) state_.created = now_;
  let_in_.clear();
  input_ = {nullptr, message.key};
  hops_ = message.hops;
  switch (message.kind) {
    case Message::Kind::Claim: take_claim(message); break;
    case Message::Kind::Claimed: take_claimed(message); break;
    case Message::Kind::Reward: take_reward(message); break;
    case Message::Kind::Join: take_join(message); break;
    case Message::Kind::Joined: take_joined(message); break;
    case Message::Kind::Qualified: take_qualified(message); break;
    case Message::Kind::ClawBack: take_claw_back(message); break;
    case Message::Kind::RewardAbove: take_reward_above(message); break;
    case Message::Kind::ClawBackAbove: take_claw_back_above(message); break;
    case Message::Kind::Milestone: take_milestone(message); break;
    case Message::Kind::Paid:
    case Message::Kind::NotPaid: take_paid(message); break;
    case Message::Kind::Renamed: take_renamed(message); break;
    case Message::Kind::RenamedAbove: take_renamed_above(message); break;
    case Message::Kind::Apart: take_apart(message); break;
  }
  admit(nullptr);
  happen_echoes();
  settle();
  return Standing::Applied;
}

// --- Time ---------------------------------------------------------------------------------------

void Turn::advance(Timestamp to, bool inclusive) {
  while (state_.due < to || (inclusive && state_.due == to)) {
    if (state_.due == Timestamp::never()) return;
    now_ = std::max(state_.clock, state_.due);
    state_.clock = now_;
    let_in_.clear();
    input_ = {nullptr, HashInput()
                           .text("timer")
                           .text(state_.id)
                           .number(static_cast<std::uint64_t>(now_.us))
                           .hash128(plan_.seed)};
    fire_due();
    happen_echoes();
    settle();
  }
}

// All that is due at this instant: first what time alone makes true or false, then the campaigns in
// their order, each with its waits before its entries.
void Turn::fire_due() {
  std::vector<plan::WatchId> flips;
  for (const auto& [watched, slot] : state_.watches)
    if (watched.flip <= now_) flips.push_back(plan::WatchId::of(slot));
  if (!flips.empty()) {
    const Hash128 cause = HashInput()
                              .text("timer")
                              .text(state_.id)
                              .number(static_cast<std::uint64_t>(now_.us))
                              .hash128(plan_.seed);
    update_watches(flips, {nullptr, cause});
  }
  if (accounts_) lapse_grants();
  leave_by_conditions();
  fire_schedules(candidates_);
  std::sort(candidates_.begin(), candidates_.end());
  std::vector<Candidate> entries = std::exchange(candidates_, {});

  struct Due {
    plan::CampaignId campaign;
    Hash128 journey;  // or of an open send
    bool is_send = false;
  };
  std::vector<Due> dues;
  for (const Journey& journey : state_.journeys)
    if (journey.due <= now_) dues.push_back({journey.campaign, journey.id, false});
  for (const OpenSend& open : state_.open)
    if (open.due <= now_) dues.push_back({open.campaign, open.key, true});
  std::stable_sort(dues.begin(), dues.end(),
                   [](const Due& a, const Due& b) { return a.campaign < b.campaign; });

  auto entry = entries.begin();
  const auto admit_until = [&](plan::CampaignId bound) {
    for (; entry != entries.end() && entry->campaign < bound; ++entry)
      candidates_.push_back(*entry);
    admit(nullptr);
  };
  for (const Due& due : dues) {
    admit_until(due.campaign);
    if (due.is_send) {
      const auto open = std::find_if(state_.open.begin(), state_.open.end(),
                                     [&](const OpenSend& each) { return each.key == due.journey; });
      if (open == state_.open.end()) continue;
      OpenSend taken = std::move(*open);
      state_.open.erase(open);
      wake(taken);
    } else if (Journey* journey = find_journey(due.journey); journey && journey->due <= now_) {
      wake(*journey);
    }
    admit(nullptr);
  }
  admit_until(plan::CampaignId::none());
  if (has_ended_) sweep();
  bool has_empty = false;
  for (auto& [kept, slot] : state_.logs) {
    prune(plan_.logs[slot], kept, now_, zone());
    has_empty = has_empty || kept.times.empty();
  }
  if (has_empty) state_.logs.tidy();
}

// --- One event: rule 4's order ------------------------------------------------------------------

void Turn::happen(const Happening& what) {
  const plan::Reaction& reaction = plan_.reactions[what.type.index()];
  apply_profile(what, reaction);
  find_counted(what, reaction);
  if (!state_.begun && !what.by_engine && !plan_.schema[what.type].to_everyone) {
    state_.begun = true;  // he was outside of every segment; now he may be in any
    std::vector<plan::WatchId> room;
    update_watches(all_watches(room), what.cause);
  } else {
    update_watches(watches_to_ask(reaction), what.cause);
  }
  remember(what, reaction);
  note_claim(what);
  pass_journeys(what);
  find_begins(what, reaction);
  admit(&what);
  note_for_inviter(what);
  if (has_ended_) sweep();
}

void Turn::happen_echoes() {
  for (std::size_t i = 0; i < echoes_.size() && i < echoes_at_most; ++i) {
    const Echo each = std::move(echoes_[i]);
    happen({each.type, now_, each.fields, {nullptr, each.cause}, false, each.by_engine});
  }
  echoes_.clear();
}

void Turn::apply_profile(const Happening& what, const plan::Reaction& reaction) {
  for (const plan::AttributeSet& set : reaction.sets) {
    const std::size_t slot = set.attribute.index();
    // A late event does not overwrite what a later one has said.
    if (what.time < state_.attribute_times[slot]) continue;
    if (!holds(facts(what), set.where)) continue;
    Value value = value_of(facts(what), set.value);
    if (value.is_missing()) continue;
    if (set.attribute == time_zone_attribute && !find_zone(value.as_text())) continue;
    if (value != state_.attributes[slot]) note_change(set.attribute);
    state_.attributes[slot] = std::move(value);
    state_.attribute_times[slot] = what.time;
  }
}

void Turn::apply_consent(const Event& event) {
  const bool granted = event.type == type_of(EngineEvent::Consented);
  if (!granted && event.type != type_of(EngineEvent::Unsubscribed)) return;
  const std::string_view channel_name = event.fields[message_field::channel].as_text();
  const std::string_view purpose_name = event.fields[message_field::purpose].as_text();
  plan::ChannelId channel;
  for (std::size_t i = 0; i < plan_.channels.size(); ++i) {
    const Symbol& symbol = plan_.channels[i].symbol;
    if (!channel_name.empty() && (symbol.name == channel_name || symbol.alias == channel_name))
      channel = plan::ChannelId::of(i);
  }
  // A consent for a channel that nobody knows grants nothing; a refusal for one refuses them all.
  if (granted && !channel_name.empty() && channel.is_none()) return;
  for (const CampaignClass purpose :
       {CampaignClass::Marketing, CampaignClass::Transactional, CampaignClass::Service}) {
    const bool meant = purpose_name.empty() ? purpose != CampaignClass::Transactional
                                            : purpose_name == plan::name_of(purpose);
    if (meant) record_consent(state_, purpose, channel, granted, event.time);
  }
  if (waking_) note_source(waking_->index.sources().consents());
}

void Turn::remember(const Happening& what, const plan::Reaction& reaction) {
  const Timestamp oldest = now_ - plan_.policy.lateness;
  if (!state_.recent.empty() && state_.recent.front().time < oldest) {
    const auto keep =
        std::lower_bound(state_.recent.begin(), state_.recent.end(), oldest,
                         [](const Recent& each, Timestamp t) { return each.time < t; });
    state_.recent.erase(state_.recent.begin(), keep);
    if (state_.recent.empty()) state_.recent.clear();
  }
  if (!reaction.remembered || what.by_engine) return;
  const auto place =
      std::upper_bound(state_.recent.begin(), state_.recent.end(), what.time,
                       [](Timestamp t, const Recent& each) { return t < each.time; });
  state_.recent.insert(place, {what.time, what.type, {what.fields.begin(), what.fields.end()}});
}

// Brings these watches up to date, and those that read what has changed. Watches read only watches
// before them, so one pass in ascending order is enough.
void Turn::update_watches(std::span<const plan::WatchId> todo, const Cause& cause) {
  std::vector<plan::WatchId> with_readers;  // of the rest, once something has changed
  for (std::size_t i = 0; i < todo.size(); ++i) {
    const plan::WatchId id = todo[i];
    const plan::Watch& watch = plan_.watches[id.index()];
    const Watched before = state_.watches[id.index()];
    const Turning found = turning_of(facts(), watch.condition);
    const Watched now{found.holds, found.flip};
    if (now == before) continue;
    state_.watches.set(id.index(), now);
    if (now.inside == before.inside) continue;
    note_change(id);
    cross(id, cause);

    const auto& readers = plan_.watches_of_watch[id.index()];
    if (readers.empty()) continue;
    std::vector<plan::WatchId> rest;
    const auto behind = todo.subspan(i + 1);
    std::set_union(behind.begin(), behind.end(), readers.begin(), readers.end(),
                   std::back_inserter(rest));
    with_readers = std::move(rest);
    todo = with_readers;
    i = static_cast<std::size_t>(-1);
  }
}

// A watch has turned: who waits for it, and those who listen to segments.
void Turn::cross(plan::WatchId id, const Cause& cause) {
  const plan::Watch& watch = plan_.watches[id.index()];
  const bool inside = state_.watches[id.index()].inside;
  const auto& triggers = (inside ? plan_.on_enter : plan_.on_leave)[id.index()];
  const EngineEvent event = inside ? EngineEvent::Entered : EngineEvent::Left;
  const bool is_heard = watch.is_segment && is_listened_to(event);
  if (triggers.empty() && !is_heard) return;
  const Hash128 from = hash_of(cause);
  const Hash128 crossing = HashInput()
                               .text(inside ? "enters" : "leaves")
                               .number(from.high)
                               .number(from.low)
                               .number(watch.definition)
                               .hash128(plan_.seed);
  for (const plan::TriggerRef& ref : triggers)
    candidates_.push_back({ref.campaign, ref.trigger, Candidate::Kind::Fired, crossing});
  if (is_heard) echo(event, {Value::text(watch.symbol.name), {}}, crossing);
}

Hash128 Turn::hash_of(const Cause& cause) {
  if (!cause.event) return cause.known;
  if (cause.event != event_) {
    event_ = cause.event;
    event_hash_ = HashInput().text("event").text(state_.id).text(event_->id).hash128(plan_.seed);
  }
  return event_hash_;
}

bool Turn::is_listened_to(EngineEvent type) const {
  const plan::Reaction& reaction = plan_.reactions[type_of(type).index()];
  return !reaction.sets.empty() || !reaction.accumulators.empty() || !reaction.logs.empty() ||
         !reaction.begins.empty() || !reaction.concerns.empty();
}

void Turn::echo(EngineEvent type, std::vector<Value> fields, Hash128 cause) {
  if (is_listened_to(type)) echoes_.push_back({type_of(type), std::move(fields), cause, true});
}

// --- The end of a turn --------------------------------------------------------------------------

void Turn::find_leave_flip(Journey& journey) {
  journey.leave_flip = Timestamp::never();
  if (journey.phase == Journey::Phase::Ended) return;
  for (const plan::NodeId condition : campaign(journey.campaign).leave_conditions)
    journey.leave_flip = std::min(journey.leave_flip, next_flip(facts(journey.frame), condition));
}

// Finds the customer's next timers, now that everything has happened.
void Turn::settle() {
  leave_by_conditions();
  happen_echoes();
  prune_ids(state_, plan_.policy.id_horizon);
  settle_schedules();

  Timestamp due = state_.schedule_due;
  for (const auto& [watched, slot] : state_.watches) due = std::min(due, watched.flip);
  bool has_over = false;
  for (Journey& journey : state_.journeys) {
    if (may_want_out(journey)) find_leave_flip(journey);
    due = std::min({due, journey.due, journey.leave_flip});
    has_over = has_over || is_over(journey);
  }
  if (has_over) sweep();
  for (const OpenSend& open : state_.open) due = std::min(due, open.due);
  if (!state_.holdings.empty()) due = std::min(due, next_lapse(state_.holdings[0]));
  state_.due = due;
  was_settled_ = true;
  forget_changes();
}

}  // namespace koi::core
