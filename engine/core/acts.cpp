// Steps that neither send nor wait for something: tags, arms, passes, what is told to others.
#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "core/detail/turn.h"
#include "core/gate.h"

namespace koi::core {

namespace {

// `every`, so many times behind an instant; never where that is beyond all time.
Timestamp after(Timestamp since, Span every, std::int64_t times, const Zone& zone) {
  std::int32_t months = 0;
  std::int64_t us = 0;
  if (__builtin_mul_overflow(every.months, times, &months) ||
      __builtin_mul_overflow(every.fixed.us, times, &us))
    return Timestamp::never();
  return add(since, {months, {us}}, zone);
}

}  // namespace

// Goes on behind the step, or where it leads; false: it waits at it.
bool Turn::act(const plan::Step& step, Journey& journey) {
  if (const auto* again = std::get_if<plan::Again>(&step)) return go_again(*again, journey);
  if (const auto* split = std::get_if<plan::Split>(&step)) {
    do_split(*split, journey);
    return true;
  }
  if (const auto* repeat = std::get_if<plan::Repeat>(&step)) {
    journey.frame[repeat->passes.since.index()] = Value::instant(now_);
    journey.frame[repeat->passes.counted.index()] = Value::integer(1);
    journey.frame[repeat->passes.all.index()] = Value::integer(1);
    journey.leave_flip = Timestamp::ever();  // what it is left by may read them
  } else if (const auto* tag = std::get_if<plan::Tag>(&step)) {
    do_tag(*tag, journey);
  } else if (const auto* event = std::get_if<plan::Emit>(&step)) {
    do_emit(*event, journey);
  } else if (const auto* note = std::get_if<plan::Notify>(&step)) {
    do_notify(*note, journey);
  } else if (const auto* call = std::get_if<plan::Call>(&step)) {
    do_call(*call, journey);
  } else {
    do_start(std::get<plan::Start>(step), journey);
  }
  ++journey.pc;
  return true;
}

// The act itself, where the gate lets it pass; else its refusal.
Effect& Turn::emit_or_refuse(const Journey& journey, Action action) {
  const Reason reason = ask_gate(campaign(journey.campaign), journey.held_out, now_);
  if (reason == Reason::None) return emit(journey, action);
  Effect& refusal = emit(journey, Action::Refuse);
  refusal.of = action;
  refusal.reason = reason;
  return refusal;
}

// --- Ways through the steps ---------------------------------------------------------------------

// Chance is of the customer and not of the entry: he takes the same arm every time. Who is held out
// goes the same ways, but no experiment counts him.
void Turn::do_split(const plan::Split& split, Journey& journey) {
  const plan::Campaign& from = campaign(journey.campaign);
  const std::uint64_t chance = HashInput()
                                   .text("split")
                                   .number(split.number)
                                   .text(from.symbol.name)
                                   .text(state_.id)
                                   .hash64(plan_.seed);
  const auto share = static_cast<std::int64_t>((chance >> 32) * 1'000'000 >> 32);
  const auto arm = std::find_if(split.arms.begin(), split.arms.end() - 1,
                                [&](const auto& each) { return share < each.up_to; });
  const bool is_new =
      std::find(journey.arms.begin(), journey.arms.end(), arm->arm) == journey.arms.end();
  if (!arm->arm.is_none() && is_new && !journey.held_out) {
    journey.arms.push_back(arm->arm);
    emit(journey, Action::Split).arm = arm->arm;
  }
  journey.pc = arm->start;
}

// The next pass is due `every` after the last one was, or when that one ends, if it ends later;
// then passes are counted from there, so that those of a month keep its day.
bool Turn::go_again(const plan::Again& again, Journey& journey) {
  const auto number = [&](plan::SlotId slot) {
    const Value& value = journey.frame[slot.index()];
    return value.kind() == Kind::Int ? value.raw() : 0;
  };
  const auto put = [&](plan::SlotId slot, Value value) {
    journey.frame[slot.index()] = std::move(value);
    journey.leave_flip = Timestamp::ever();  // what it is left by may read it
  };
  const std::int64_t all = number(again.passes.all);
  if (all >= again.at_most) {
    ++journey.pc;
    return true;
  }
  const Value& since = journey.frame[again.passes.since.index()];
  const std::int64_t counted = std::clamp<std::int64_t>(number(again.passes.counted), 0, all);
  const Timestamp due = since.kind() == Kind::Instant
                            ? after(since.as_instant(), again.every, counted, zone())
                            : now_;
  if (now_ < due) {
    journey.since = now_;
    journey.due = due;
    return false;
  }
  const bool is_delayed = now_ > due;
  put(again.passes.all, Value::integer(all + 1));
  put(again.passes.counted, Value::integer(is_delayed ? 1 : counted + 1));
  if (is_delayed) put(again.passes.since, Value::instant(now_));
  ++journey.occurrence;  // the effects of each pass have names of their own
  journey.pc = again.back;
  return true;
}

// --- What is done -------------------------------------------------------------------------------

void Turn::do_tag(const plan::Tag& tag, const Journey& journey) {
  Effect& done = emit_or_refuse(journey, tag.remove ? Action::Untag : Action::Tag);
  done.value = Value::text(tag.tag);
  if (done.action == Action::Refuse) return;
  const Value& before = state_.attributes[tag.attribute.index()];
  std::vector<Value> tags;
  if (before.kind() == Kind::List) tags.assign(before.as_list().begin(), before.as_list().end());
  const auto found = std::find(tags.begin(), tags.end(), done.value);
  if ((found == tags.end()) == tag.remove) return;
  if (tag.remove)
    tags.erase(found);
  else
    tags.push_back(done.value);
  change(tag.attribute, Value::list(std::move(tags)), done.key);
}

void Turn::do_emit(const plan::Emit& step, const Journey& journey) {
  const auto& declared = plan_.schema[step.event].fields;
  std::vector<Value> fields;
  bool is_whole = true;
  for (std::size_t i = 0; i < declared.size(); ++i) {
    // Of a version that other rules had, the event may have more fields by now.
    const bool is_given = i < step.fields.size() && !step.fields[i].is_none();
    Value value = is_given ? value_of(facts(journey.frame), step.fields[i]) : declared[i].fallback;
    is_whole = is_whole && (!value.is_missing() || declared[i].type.optional);
    fields.push_back(std::move(value));
  }
  Effect& done = emit_or_refuse(journey, Action::Emit);
  done.event = step.event;
  if (done.action == Action::Refuse) return;
  if (!is_whole) {
    done.action = Action::Refuse;
    done.of = Action::Emit;
    done.reason = Reason::MissingValue;
    return;
  }
  done.fields.assign(fields.begin(), fields.end());
  echoes_.push_back({step.event, std::move(fields), done.key, false});
}

void Turn::do_notify(const plan::Notify& step, const Journey& journey) {
  auto text = text_of(facts(journey.frame), step.text);
  Effect& done = emit_or_refuse(journey, Action::Notify);
  done.team = step.team;
  if (done.action == Action::Refuse) return;
  if (!text) {
    done.action = Action::Refuse;
    done.of = Action::Notify;
    done.reason = Reason::MissingValue;
    return;
  }
  done.text = std::make_unique<const Text>(Text{{}, *std::move(text), {}, {}});
  if (step.within) done.not_after = add(now_, *step.within, zone());
}

void Turn::do_call(const plan::Call& step, const Journey& journey) {
  Effect& done = emit_or_refuse(journey, Action::Call);
  done.webhook = step.webhook;
  done.step = journey.pc;
  if (done.action == Action::Refuse) return;
  for (const plan::Call::Given& given : step.fields)
    done.fields.push_back(value_of(facts(journey.frame), given.value));
}

// To be called is an event, which lets him in when the one at hand is done.
void Turn::do_start(const plan::Start& step, const Journey& journey) {
  Effect& done = emit_or_refuse(journey, Action::Start);
  done.value = Value::text(step.campaign);
  if (done.action == Action::Refuse) return;
  echo(EngineEvent::Called, {done.value}, done.key);
}

}  // namespace koi::core
