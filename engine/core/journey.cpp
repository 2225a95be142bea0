// What campaigns do with one input: triggers in parts, entries, waits, goals, and the steps.
#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "core/calendar.h"
#include "core/detail/turn.h"
#include "core/gate.h"
#include "model/codec.h"
#include "plan/stretches.h"

namespace koi::core {

namespace {

// The lower end of what a sorted list of (campaign, key) has for this pair.
// What is kept of an event; of one that follows from a decision there is no id.
Value captured(FieldId field, const Happening& what) {
  if (field == plan::event_time_field) return Value::instant(what.time);
  if (field != plan::event_id_field) return what.fields[field.index()];
  return what.cause.event ? Value::text(what.cause.event->id) : Value();
}

template <class List>
auto place_of(List& list, plan::CampaignId campaign, std::uint64_t key) {
  return std::lower_bound(
      list.begin(), list.end(), std::pair(campaign, key),
      [](const auto& a, const auto& b) { return std::pair(a.campaign, a.key) < b; });
}

}  // namespace

// --- Events and journeys under way --------------------------------------------------------------

bool Turn::matches(const plan::EventMatch& match, const Happening& what,
                   std::span<const Value> frame) const {
  return is_meant(match, what) && holds(facts(what, frame), match.where);
}

void Turn::capture(const plan::Binding& binding, const Happening& what, List<Value>& frame) const {
  for (const plan::Capture& capture : binding.captures)
    frame[capture.slot.index()] = captured(capture.field, what);
}

// Each journey in turn: goal, then leave, then steps.
void Turn::pass_journeys(const Happening& what) {
  if (state_.journeys.empty()) return;
  std::optional<match::Index::Listening> listening;
  if (waking_) listening = waking_->index.listening(what.type, what.fields);
  for (Journey& journey : state_.journeys) {
    // An event counts for what was open at its own time (that is always so unless it is late).
    if (what.time < journey.entered) continue;
    if (listening && !listening->may_concern(journey.campaign) && !may_want_out(journey)) continue;
    if (journey.phase == Journey::Phase::Forming) {
      pass_forming(journey, what);
      continue;
    }
    const plan::Campaign& from = campaign(journey.campaign);
    if (from.goal && !journey.goal_reached && what.time <= journey.goal_until &&
        matches(from.goal->match, what, journey.frame))
      reach_goal(journey);
    if (journey.phase == Journey::Phase::Ended) continue;

    const auto led_out =
        std::find_if(from.leave_events.begin(), from.leave_events.end(),
                     [&](const auto& match) { return matches(match, what, journey.frame); });
    if (led_out != from.leave_events.end())
      mark(journey.campaign, Trace::What::LeftByEvent,
           static_cast<std::size_t>(led_out - from.leave_events.begin()));
    if (led_out != from.leave_events.end() || (may_want_out(journey) && wants_out(journey))) {
      leave(journey);
      continue;
    }
    if (journey.pc >= from.steps.size() || what.time < journey.since) continue;
    const auto* wait = std::get_if<plan::WaitFor>(&from.steps[journey.pc]);
    if (!wait || !matches(wait->binding.match, what, journey.frame)) continue;
    capture(wait->binding, what, journey.frame);
    mark(journey.campaign, Trace::What::Came, journey.pc);
    journey.leave_flip = Timestamp::ever();  // it may read what was kept just now
    journey.due = Timestamp::never();
    journey.pc = wait->on_event;
    run(journey);
  }
}

// A trigger in parts: the event may end it, break it, or be its next part.
void Turn::pass_forming(Journey& journey, const Happening& what) {
  const plan::Campaign& from = campaign(journey.campaign);
  const plan::Trigger& trigger = from.triggers[journey.trigger];
  if (journey.part > trigger.thens.size()) return;  // complete; it enters in this turn
  const auto is_matched = [&](const auto& match) { return matches(match, what, journey.frame); };
  if (std::any_of(from.leave_events.begin(), from.leave_events.end(), is_matched))
    return end(journey);
  if (journey.part < trigger.thens.size()) {
    const plan::Binding& next = trigger.thens[journey.part];
    if (is_matched(next.match)) {
      capture(next, what, journey.frame);
      journey.leave_flip = Timestamp::ever();
      ++journey.part;
      journey.since = what.time;
      const auto leg =
          std::find_if(trigger.legs.begin(), trigger.legs.end(),
                       [&](const plan::Trigger::Leg& each) { return each.from == journey.part; });
      if (leg != trigger.legs.end()) journey.due = add(what.time, leg->within, zone());
      // Behind the last part an absence may follow.
      if (journey.part < trigger.thens.size() || leg != trigger.legs.end()) return;
      ++journey.part;  // beyond the last: complete
      candidates_.push_back(
          {journey.campaign, journey.trigger, Candidate::Kind::Completed, journey.id});
      return;
    }
  }
  for (std::size_t i = 0; i < trigger.nots.size(); ++i) {
    const plan::Trigger::Stretch during = plan::stretch_of(trigger, i);
    if (journey.part < during.from || journey.part >= during.until) continue;
    if (during.from > 0 && what.time < journey.since) continue;  // late: it came before that
    if (is_matched(trigger.nots[i])) return end(journey);
  }
}

// Asks; may_want_out() says whether there is a reason to.
bool Turn::wants_out(const Journey& journey) const {
  const auto& conditions = campaign(journey.campaign).leave_conditions;
  const auto met = std::find_if(conditions.begin(), conditions.end(), [&](plan::NodeId condition) {
    return holds(facts(journey.frame), condition);
  });
  if (met == conditions.end()) return false;
  mark(journey.campaign, Trace::What::LeftByCondition,
       static_cast<std::size_t>(met - conditions.begin()));
  return true;
}

void Turn::leave_by_conditions() {
  for (Journey& journey : state_.journeys)
    if (journey.phase != Journey::Phase::Ended && may_want_out(journey) && wants_out(journey))
      leave(journey);
}

void Turn::reach_goal(Journey& journey) {
  journey.goal_reached = true;
  mark(journey.campaign, Trace::What::Goal);
  has_ended_ = true;
  emit(journey, Action::Goal).arms = journey.arms;
}

// Who is only on his way in was never there: that leaves no trace.
void Turn::leave(Journey& journey, Reason reason) {
  if (journey.phase == Journey::Phase::Forming) return end(journey);
  emit(journey, Action::Leave).reason = reason;
  echo(EngineEvent::Left, {Value(), Value::text(campaign(journey.campaign).symbol.name)},
       journey.id);
  // What waits for its next channel is not sent any more; what is on its way is.
  erase_if(state_.open, [&](const OpenSend& open) {
    return open.entry == journey.id && open.due != Timestamp::never();
  });
  // Of one person's two entries one counts, its goal too.
  if (reason == Reason::Merged) return end(journey);
  finish(journey);
}

// The steps are over. What is left of it is its goal, where that may still be reached.
void Turn::finish(Journey& journey) {
  const auto& goal = campaign(journey.campaign).goal;
  const bool goal_is_open = goal && goal->within && !journey.goal_reached;
  const Timestamp until = journey.goal_until;
  end(journey);
  if (goal_is_open) journey.goal_until = until;
}

void Turn::end(Journey& journey) {
  has_ended_ = true;
  journey.phase = Journey::Phase::Ended;
  journey.due = journey.leave_flip = Timestamp::never();
  journey.goal_until = Timestamp::ever();
}

// Ended, and nothing can come of its goal any more, however late the event.
bool Turn::is_over(const Journey& journey) const {
  return journey.phase == Journey::Phase::Ended &&
         (journey.goal_reached || journey.goal_until < now_ - plan_.policy.lateness);
}

void Turn::sweep() {
  has_ended_ = false;
  erase_if(state_.journeys, [&](const Journey& journey) { return is_over(journey); });
}

Journey* Turn::find_journey(Hash128 id) {
  for (Journey& journey : state_.journeys)
    if (journey.id == id && journey.phase != Journey::Phase::Ended) return &journey;
  return nullptr;
}

// --- Entries ------------------------------------------------------------------------------------

std::uint64_t Turn::key_of(const plan::Campaign& from, std::span<const Value> frame) const {
  if (from.enter.key.is_none()) return 0;
  ByteWriter key;
  key.value(value_of(facts(frame), from.enter.key));
  return hash64(key.bytes(), 1);
}

bool Turn::is_in(plan::CampaignId id, std::uint64_t key) const {
  const auto is_in_version = [&](plan::CampaignId version) {
    for (auto place = place_of(state_.journeys, version, key);
         place != state_.journeys.end() && place->campaign == version && place->key == key; ++place)
      if (place->phase != Journey::Phase::Ended) return true;
    return false;
  };
  const auto& others = campaign(id).others;
  return is_in_version(id) || std::any_of(others.begin(), others.end(), is_in_version);
}

// Under which campaign entries into this one are noted.
plan::CampaignId Turn::noted_under(plan::CampaignId id) const {
  const plan::CampaignId elsewhere = campaign(id).entries;
  return elsewhere ? elsewhere : id;
}

bool Turn::may_enter_again(const plan::Campaign& from, plan::CampaignId into,
                           std::uint64_t key) const {
  if (from.enter.how == plan::Enter::How::Always) return true;
  const plan::CampaignId id = noted_under(into);
  const auto place = place_of(state_.entries, id, key);
  if (place == state_.entries.end() || place->campaign != id || place->key != key) return true;
  return from.enter.how == plan::Enter::How::Every &&
         now_ >= add(place->at, from.enter.every, zone());
}

// Takes the candidates in the campaigns' order, with those that come up on the way.
void Turn::admit(const Happening* what) {
  while (!candidates_.empty()) {
    std::vector<Candidate> round = std::exchange(candidates_, {});
    std::stable_sort(round.begin(), round.end());
    for (const Candidate& candidate : round) {
      const plan::Campaign& into = campaign(candidate.campaign);
      switch (candidate.kind) {
        case Candidate::Kind::Completed: {
          Journey* forming = find_journey(candidate.cause);
          if (!forming) break;
          List<Value> frame = std::move(forming->frame);
          end(*forming);
          enter(candidate.campaign, candidate.trigger, std::move(frame), candidate.cause);
          break;
        }
        case Candidate::Kind::Began: begin(candidate, *what); break;
        case Candidate::Kind::Fired:
          if (plan::takes_entries_of(plan_, into, state_.id))
            enter(candidate.campaign, candidate.trigger, List<Value>(into.frame_size),
                  candidate.cause);
          break;
      }
    }
  }
}

// The event is the first of a trigger: the whole of it, or the beginning of one in parts.
void Turn::begin(const Candidate& candidate, const Happening& what) {
  const plan::Campaign& into = campaign(candidate.campaign);
  if (!plan::takes_entries_of(plan_, into, state_.id)) return;
  const plan::Trigger& trigger = into.triggers[candidate.trigger];
  List<Value> frame(into.frame_size);
  capture(trigger.first, what, frame);
  if (trigger.kind == plan::Trigger::Kind::Event)
    return enter(candidate.campaign, candidate.trigger, std::move(frame), hash_of(what.cause));

  const std::uint64_t key = into.enter.key_from_first ? key_of(into, frame) : 0;
  if (is_in(candidate.campaign, key)) return;
  // What can not be entered a second time need not begin a second time.
  if (into.enter.how == plan::Enter::How::Once && into.enter.key_from_first &&
      !may_enter_again(into, candidate.campaign, key))
    return mark(candidate.campaign, Trace::What::EnteredBefore);
  const Hash128 cause = hash_of(what.cause);
  Journey journey;
  journey.campaign = candidate.campaign;
  journey.trigger = candidate.trigger;
  journey.phase = Journey::Phase::Forming;
  journey.key = key;
  journey.id = HashInput()
                   .text("begin")
                   .number(cause.high)
                   .number(cause.low)
                   .text(into.symbol.name)
                   .number(candidate.trigger)
                   .hash128(plan_.seed);
  journey.entered = journey.since = what.time;
  journey.due = add(what.time, trigger.within, zone());
  journey.leave_flip = Timestamp::ever();  // nobody has asked yet
  journey.frame = std::move(frame);
  auto place = place_of(state_.journeys, candidate.campaign, key);
  while (place != state_.journeys.end() && place->campaign == candidate.campaign &&
         place->key == key)
    ++place;
  place = state_.journeys.insert(place, std::move(journey));
  if (what.late) look_back(*place, what.time);
}

// A trigger that begins late sees what has come since.
void Turn::look_back(Journey& journey, Timestamp since) {
  for (const Recent& recent : state_.recent) {
    if (recent.time <= since || recent.time > journey.due) continue;
    if (journey.phase == Journey::Phase::Ended) return;
    pass_forming(journey, {recent.type, recent.time, recent.fields, {}, false, false});
  }
}

void Turn::enter(plan::CampaignId id, std::uint16_t trigger, List<Value> frame, Hash128 cause) {
  const plan::Campaign& into = campaign(id);
  const std::uint64_t key = key_of(into, frame);
  if (now_ < into.from || now_ >= into.until) return;
  if (is_in(id, key)) return mark(id, Trace::What::EnteredBefore);
  if (!holds(facts(frame), into.audience)) return mark(id, Trace::What::KeptOut);
  if (!may_enter_again(into, id, key)) return mark(id, Trace::What::EnteredBefore);
  const plan::CampaignId noted = noted_under(id);
  const std::pair once{noted, key};
  if (std::find(let_in_.begin(), let_in_.end(), once) != let_in_.end()) return;
  let_in_.push_back(once);

  if (into.enter.how != plan::Enter::How::Always) {
    const auto place = place_of(state_.entries, noted, key);
    if (place != state_.entries.end() && place->campaign == noted && place->key == key)
      place->at = now_;
    else
      state_.entries.insert(place, {noted, key, now_});
  }
  Journey entered;
  entered.campaign = id;
  entered.trigger = trigger;
  entered.phase = Journey::Phase::Active;
  entered.held_out = is_held_out(plan_, state_, into);
  entered.pc = into.triggers[trigger].start;
  entered.key = key;
  entered.id = HashInput()
                   .text("entry")
                   .number(cause.high)
                   .number(cause.low)
                   .text(into.symbol.name)
                   .number(key)
                   .hash128(plan_.seed);
  entered.entered = entered.since = now_;
  entered.leave_flip = Timestamp::ever();
  if (into.goal && into.goal->within) entered.goal_until = add(now_, *into.goal->within, zone());
  entered.frame = std::move(frame);
  auto place = place_of(state_.journeys, id, key);
  while (place != state_.journeys.end() && place->campaign == id && place->key == key) ++place;
  Journey& journey = *state_.journeys.insert(place, std::move(entered));
  mark(id, Trace::What::Entered, trigger);
  if (journey.held_out) mark(id, Trace::What::HeldOut);

  emit(journey, Action::Enter);
  echo(EngineEvent::Entered, {Value(), Value::text(into.symbol.name)}, journey.id);
  if (wants_out(journey)) return leave(journey);
  run(journey);
}

// --- Steps --------------------------------------------------------------------------------------

// Goes on from the step at pc until one waits or the end is reached.
void Turn::run(Journey& journey) {
  const plan::Campaign& from = campaign(journey.campaign);
  while (journey.pc < from.steps.size()) {
    const plan::Step& step = from.steps[journey.pc];
    mark(journey.campaign, Trace::What::Step, journey.pc);
    if (const auto* send = std::get_if<plan::Send>(&step)) {
      journey.since = now_;
      if (!do_send(*send, journey)) return;
      ++journey.pc;
    } else if (const auto* wait = std::get_if<plan::Wait>(&step)) {
      journey.since = now_;
      journey.due = add(now_, wait->span, zone());
      return;
    } else if (const auto* until = std::get_if<plan::WaitUntil>(&step)) {
      const Timestamp target = target_of(*until, facts(journey.frame), zone());
      if (target > now_) {
        journey.since = now_;
        journey.due = target;
        return;
      }
      ++journey.pc;
    } else if (const auto* wait_for = std::get_if<plan::WaitFor>(&step)) {
      journey.since = now_;
      journey.due = add(now_, wait_for->up_to, zone());
      return;
    } else if (const auto* choice = std::get_if<plan::If>(&step)) {
      const bool met = holds(facts(journey.frame), choice->condition);
      mark(journey.campaign, met ? Trace::What::True : Trace::What::False, journey.pc);
      if (met)
        ++journey.pc;
      else
        journey.pc = choice->otherwise;
    } else if (const auto* jump = std::get_if<plan::Jump>(&step)) {
      journey.pc = jump->to;
    } else if (const auto* set = std::get_if<plan::Set>(&step)) {
      do_set(*set, journey);
      ++journey.pc;
      // Asked at once, not at the next wait.
      if (may_want_out(journey) && wants_out(journey)) return leave(journey);
    } else if (const auto* give = std::get_if<plan::Give>(&step)) {
      KOI_ASSERT(accounts_);
      const bool given = do_give(*give, journey);
      if (give->otherwise != 0)
        mark(journey.campaign, given ? Trace::What::True : Trace::What::False, journey.pc);
      if (given || give->otherwise == 0)
        ++journey.pc;
      else
        journey.pc = give->otherwise;
      if (may_want_out(journey) && wants_out(journey)) return leave(journey);
    } else if (const auto* take = std::get_if<plan::Take>(&step)) {
      KOI_ASSERT(accounts_);
      if (do_take(*take, journey)) ++journey.pc;
      if (may_want_out(journey) && wants_out(journey)) return leave(journey);
    } else if (const auto* back = std::get_if<plan::ClawBack>(&step)) {
      KOI_ASSERT(accounts_);
      do_claw_back(*back, journey);
      ++journey.pc;
      if (may_want_out(journey) && wants_out(journey)) return leave(journey);
    } else if (std::holds_alternative<plan::Stop>(step)) {
      break;
    } else if (!act(step, journey)) {
      return;
    } else if (may_want_out(journey) && wants_out(journey)) {
      return leave(journey);
    }
  }
  finish(journey);
}

// The journey's timer has come: the deadline of a trigger in parts, or of what it waits at.
void Turn::wake(Journey& journey) {
  // A campaign before this one may just have set what it is left by.
  if (may_want_out(journey) && wants_out(journey)) return leave(journey);
  journey.due = Timestamp::never();
  const plan::Campaign& from = campaign(journey.campaign);
  if (journey.phase == Journey::Phase::Forming) {
    // What it waits out at last is an absence.
    if (journey.part == from.triggers[journey.trigger].thens.size())
      candidates_.push_back(
          {journey.campaign, journey.trigger, Candidate::Kind::Completed, journey.id});
    else
      end(journey);
    return;
  }
  const plan::Step& step = from.steps[journey.pc];
  if (std::holds_alternative<plan::Again>(step)) return run(journey);
  if (const auto* send = std::get_if<plan::Send>(&step)) {
    if (!do_send(*send, journey)) return;
    ++journey.pc;
  } else if (const auto* wait_for = std::get_if<plan::WaitFor>(&step)) {
    mark(journey.campaign, Trace::What::TimedOut, journey.pc);
    journey.pc = wait_for->on_timeout;
  } else {
    ++journey.pc;
  }
  run(journey);
}

// False: it was delayed, and the journey stays at this step.
bool Turn::do_send(const plan::Send& send, Journey& journey) {
  OpenSend open;
  open.entry = journey.id;
  open.campaign = journey.campaign;
  open.step = journey.pc;
  open.occurrence = journey.occurrence;
  open.since = journey.since;
  const Attempt attempted = attempt(send, std::move(open), journey.held_out, journey.frame);
  if (attempted.delayed) {
    journey.due = attempted.until;
    return false;
  }
  ++journey.occurrence;
  return true;
}

// A delivery failed, or its delay is over: the message goes on to its next channel.
void Turn::wake(OpenSend& open) {
  open.due = Timestamp::never();
  const auto& send = std::get<plan::Send>(campaign(open.campaign).steps[open.step]);
  const OpenSend kept = open;
  const Attempt attempted = attempt(send, open, false, kept.frame);
  if (!attempted.delayed) return;
  state_.open.push_back(kept);
  state_.open.back().due = attempted.until;
}

Turn::Attempt Turn::attempt(const plan::Send& send, OpenSend open, bool held_out,
                            std::span<const Value> frame) {
  const plan::Campaign& from = campaign(open.campaign);
  const plan::Message& message = plan_.messages[send.message];
  const Action done = send.is_reply() ? Action::Reply : Action::Send;
  const Timestamp last = send.within ? add(open.since, *send.within, zone()) : Timestamp::never();
  Timestamp free = Timestamp::never();  // the first instant at which no cap would refuse
  Reason first = open.first_reason;
  const auto refused = [&](Reason reason) {
    if (first == Reason::None) first = reason;
  };
  const auto effect = [&](Action action, plan::ChannelId channel) -> Effect& {
    Effect& made = effects_.emplace_back();
    made.time = now_;
    made.campaign = open.campaign;
    made.action = action;
    made.content = message.content;
    made.channel = channel;
    made.entry = open.entry;
    made.key = HashInput()
                   .text(name_of(action))
                   .number(open.entry.high)
                   .number(open.entry.low)
                   .number(send.ordinal)
                   .number(open.occurrence)
                   .number(open.channel)
                   .hash128(plan_.seed);
    return made;
  };

  std::size_t end = send.channels.size();
  plan::ChannelId tried = end == 0 ? plan::ChannelId::none() : send.channels.front();
  if (send.is_reply()) {
    // By the one channel that he has written on, and once.
    const bool has_failed = first != Reason::None;
    if (!has_failed)
      open.channel = static_cast<std::uint16_t>(channel_of_reply(send, frame).value_or(end));
    tried = open.channel < end ? send.channels[open.channel] : plan::ChannelId::none();
    end = has_failed ? open.channel : std::min(end, open.channel + std::size_t{1});
  }
  for (; open.channel < end; ++open.channel) {
    const plan::ChannelId channel = send.channels[open.channel];
    if (now_ > last) {
      refused(Reason::Expired);
      continue;
    }
    Verdict verdict =
        send.is_reply() ? ask_gate_of_reply(plan_, state_, from, held_out, channel, now_, accounts_)
                        : ask_gate(plan_, state_, from, held_out, channel, now_, accounts_);
    if (verdict.kind == Verdict::Kind::Delay) {
      if (verdict.until <= last) return {true, verdict.until};
      refused(Reason::Expired);
      continue;
    }
    if (verdict.kind == Verdict::Kind::Refuse) {
      if (verdict.reason == Reason::Cap) free = std::min(free, verdict.until);
      refused(verdict.reason);
      continue;
    }
    auto text = std::make_unique<Text>();
    Reason reason = Reason::None;
    if (!render(message, channel, frame, *text, reason)) {
      refused(reason);
      continue;
    }
    if (send.is_reply()) {
      const Value answered = value_of(facts(frame), send.reply_to);
      if (answered.kind() != Kind::Text) {
        refused(Reason::MissingValue);
        continue;
      }
      text->reply_to = answered.as_text();
    } else {
      record_sent(plan_, state_, from, channel, now_);
    }
    text->address = address(channel);
    mark(open.campaign, Trace::What::Sent, open.step, open.channel);
    Effect& sent = effect(done, channel);
    sent.text = std::move(text);
    sent.not_after = last;
    sent.wants_receipt = true;
    sent.has_another_way = !send.is_reply() && open.channel + 1u < end;
    open.key = sent.key;
    open.first_reason = first;
    open.sent = now_;
    open.charges = std::move(verdict.charges);
    if (accounts_) move(open.charges, open.key, ledger::Stage::Budget, ledger::Stage::Reserved);
    if (open.channel + 1u < end)
      open.frame.assign(frame.begin(), frame.end());
    else
      open.frame.clear();
    state_.open.push_back(std::move(open));
    return {};
  }

  if (send.wait_for_cap && free != Timestamp::never()) {
    const Timestamp patience = add(open.since, *send.wait_for_cap, zone());
    const Timestamp until = std::min({free, patience, last});
    if (until > now_) return {true, until};
  }
  if (first == Reason::None) first = Reason::Unreachable;  // no channel of it is there any more
  Effect& refusal = effect(Action::Refuse, tried);
  refusal.of = done;
  refusal.reason = first;
  return {};
}

// Which of the channels he has written on, by its name or its alias.
std::optional<std::size_t> Turn::channel_of_reply(const plan::Send& send,
                                                  std::span<const Value> frame) const {
  const Value written_on = value_of(facts(frame), send.reply_on);
  if (written_on.kind() != Kind::Text) return std::nullopt;
  for (std::size_t i = 0; i < send.channels.size(); ++i) {
    const Symbol& symbol = plan_.channels[send.channels[i].index()].symbol;
    if (written_on.as_text() == symbol.name || written_on.as_text() == symbol.alias) return i;
  }
  return std::nullopt;
}

// What the channel reaches him by; the gate has seen that he has it.
std::string Turn::address(plan::ChannelId channel) const {
  const IdentifierId needed = plan_.channels[channel.index()].reach_by;
  for (const Identifier& each : state_.identifiers)
    if (each.kind == needed) return each.text;
  return {};
}

// The one in the customer's language (`pt-BR`), or else in what it is a kind of (`pt`), or else the
// one for all languages; null where none serves the channel.
const plan::Message::Variant* Turn::variant_of(const plan::Message& message,
                                               plan::ChannelId channel) const {
  const auto in = [&](std::string_view language) -> const plan::Message::Variant* {
    for (const auto& each : message.variants)
      if (each.language == language && (each.channel == channel || each.channel.is_none()))
        return &each;
    return nullptr;
  };
  if (message.variants.empty() || message.variants.front().language.empty()) return in({});
  std::string language;
  if (const Value& spoken = state_.attributes[language_attribute.index()];
      spoken.kind() == Kind::Text)
    language = spoken.as_text();
  for (char& c : language) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  while (!language.empty()) {
    if (const auto* found = in(language)) return found;
    const std::size_t kind = language.rfind('-');
    language.resize(kind == std::string::npos ? 0 : kind);
  }
  return in({});
}

// The content's texts for that channel; false with the reason if it has none or a value is missing.
bool Turn::render(const plan::Message& message, plan::ChannelId channel,
                  std::span<const Value> frame, Text& text, Reason& reason) const {
  const plan::Message::Variant* const variant = variant_of(message, channel);
  if (variant == nullptr) {
    reason = Reason::NoVariant;
    return false;
  }
  const auto fill = [&](plan::TemplateId from, std::string& to) {
    if (from.is_none()) return true;
    auto filled = text_of(facts(frame), from);
    if (!filled) return false;
    to = std::move(*filled);
    return true;
  };
  text.provider_template = variant->provider_template;
  const bool has_values =
      std::all_of(variant->values.begin(), variant->values.end(), [&](const auto& value) {
        return fill(value.second, text.values.emplace_back(value.first, std::string()).second);
      });
  if (has_values && fill(variant->title, text.title) && fill(variant->body, text.body) &&
      fill(variant->link, text.link))
    return true;
  reason = Reason::MissingValue;
  return false;
}

void Turn::do_set(const plan::Set& set, Journey& journey) {
  if (const Reason reason = ask_gate(campaign(journey.campaign), journey.held_out, now_);
      reason != Reason::None) {
    Effect& refusal = emit(journey, Action::Refuse);
    refusal.of = Action::Set;
    refusal.reason = reason;
    refusal.attribute = set.attribute;
    return;
  }
  Value value = value_of(facts(journey.frame), set.value);
  if (value.is_missing()) return;
  if (set.attribute == time_zone_attribute && !find_zone(value.as_text())) return;
  Effect& done = emit(journey, Action::Set);
  done.attribute = set.attribute;
  done.value = value;
  change(set.attribute, std::move(value), done.key);
}

void Turn::change(AttributeId attribute, Value value, Hash128 cause) {
  if (value != state_.attributes[attribute.index()]) note_change(attribute);
  state_.attributes[attribute.index()] = std::move(value);
  state_.attribute_times[attribute.index()] = now_;
  update_watches(plan_.watches_of_attribute[attribute.index()], {nullptr, cause});
}

Effect& Turn::emit(const Journey& journey, Action action) {
  Effect& effect = effects_.emplace_back();
  effect.time = now_;
  effect.campaign = journey.campaign;
  effect.action = action;
  effect.entry = journey.id;
  // The step's place is part of the key, for actions that a step makes.
  effect.key = HashInput()
                   .text(name_of(action))
                   .number(journey.id.high)
                   .number(journey.id.low)
                   .number(journey.pc)
                   .number(journey.occurrence)
                   .hash128(plan_.seed);
  return effect;
}

}  // namespace koi::core
