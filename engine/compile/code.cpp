// Campaigns to code, contents to messages.
#include <algorithm>
#include <numeric>

#include "check/reachable.h"
#include "compile/detail/compiler.h"

namespace koi::compile {
namespace {

plan::CampaignClass class_of(check::CampaignClass campaign_class) {
  switch (campaign_class) {
    case check::CampaignClass::Marketing: return plan::CampaignClass::Marketing;
    case check::CampaignClass::Transactional: return plan::CampaignClass::Transactional;
    case check::CampaignClass::Service: return plan::CampaignClass::Service;
  }
  KOI_ASSERT(false);
}

plan::ChannelId channel_of(check::ChannelId id) {
  return id.is_none() ? plan::ChannelId::none() : plan::ChannelId::of(id.index());
}

std::uint16_t place(const std::vector<plan::Step>& code) {
  KOI_ASSERT(code.size() < 0xffff);  // check counts the steps
  return static_cast<std::uint16_t>(code.size());
}

}  // namespace

plan::Schedule Compiler::schedule_of(const check::Schedule& from) {
  plan::Schedule to;
  switch (from.every) {
    case check::Schedule::Every::Once: to.every = plan::Schedule::Every::Once; break;
    case check::Schedule::Every::Day: to.every = plan::Schedule::Every::Day; break;
    case check::Schedule::Every::Week: to.every = plan::Schedule::Every::Week; break;
    case check::Schedule::Every::Month: to.every = plan::Schedule::Every::Month; break;
    case check::Schedule::Every::Year: to.every = plan::Schedule::Every::Year; break;
  }
  to.at = from.at;
  to.day = from.day;
  to.time = from.time;
  to.date = from.date;
  to.offset = from.offset;
  to.before = from.before;
  return to;
}

void Compiler::policy() {
  const check::Policy& from = program_.policy;
  plan::Policy& to = plan_.policy;
  to.zone = from.zone;
  to.currency = from.currency;
  to.currency_sign = from.currency_sign;
  if (from.quiet) to.quiet = plan::QuietHours{from.quiet->from, from.quiet->to, from.quiet->drop};
  for (const check::Cap& cap : from.caps) {
    plan::Cap made;
    if (cap.campaign_class) made.campaign_class = class_of(*cap.campaign_class);
    made.channel = channel_of(cap.channel);
    made.limit = cap.limit;
    made.per = cap.per;
    switch (cap.calendar) {
      case check::Cap::Calendar::None: made.calendar = plan::Cap::Calendar::None; break;
      case check::Cap::Calendar::Day: made.calendar = plan::Cap::Calendar::Day; break;
      case check::Cap::Calendar::Week: made.calendar = plan::Cap::Calendar::Week; break;
      case check::Cap::Calendar::Month: made.calendar = plan::Cap::Calendar::Month; break;
      case check::Cap::Calendar::Year: made.calendar = plan::Cap::Calendar::Year; break;
    }
    made.more = cap.more;
    made.more_from = cap.more_from;
    to.caps.push_back(made);
  }
  to.consent_required = from.consent_required;
  to.lateness = from.lateness;
  to.id_horizon = std::max(to.id_horizon, from.lateness);
  for (const auto& key : program_.consents)
    plan_.consents.push_back({class_of(key.purpose), channel_of(key.channel)});
}

void Compiler::channels() {
  for (const check::Channel& from : program_.channels) {
    plan::Channel to;
    to.symbol = from.symbol;
    switch (from.channel_class) {
      case check::ChannelClass::Conversation:
        to.channel_class = plan::ChannelClass::Conversation;
        break;
      case check::ChannelClass::Broadcast: to.channel_class = plan::ChannelClass::Broadcast; break;
      case check::ChannelClass::Direct: to.channel_class = plan::ChannelClass::Direct; break;
    }
    to.cost_millionths = from.cost_millionths;
    to.rate_per_second = from.rate_per_second;
    to.reach_by = from.reach_by;
    to.cleared_for = from.cleared_for;
    for (const check::Opening& each : from.openings)
      to.openings.push_back({metric(each.events), each.messages});
    plan_.channels.push_back(std::move(to));
  }
}

// --- Frames --------------------------------------------------------------------------------------

plan::SlotId Compiler::slot(check::BindingId binding, std::uint32_t field) {
  KOI_ASSERT(!binding.is_none() && slots_.size() < 0xffff);  // check counts them
  return slots_.emplace(std::pair(binding.value, field), plan::SlotId::of(slots_.size()))
      .first->second;
}

// Lowers all that a campaign says, so that every field that is read has its slot before the events
// are told what to keep.
void Compiler::keep_slots(const check::Block& steps) {
  for (const check::Step& step : steps) {
    if (const auto* send = std::get_if<check::Send>(&step.what)) {
      for (const auto& variant : program_.messages[send->message.index()].variants) {
        for (const auto id : {variant.title, variant.body, variant.link}) lower(id);
        for (const auto& [name, value] : variant.values) lower(value);
      }
      lower(send->reply_to);
      lower(send->reply_on);
    } else if (const auto* until = std::get_if<check::WaitUntil>(&step.what)) {
      lower(until->instant);
    } else if (const auto* wait = std::get_if<check::WaitFor>(&step.what)) {
      lower(wait->pattern.match.where);
      keep_slots(wait->then);
      keep_slots(wait->otherwise);
    } else if (const auto* choice = std::get_if<check::If>(&step.what)) {
      lower(choice->condition);
      keep_slots(choice->then);
      keep_slots(choice->otherwise);
    } else if (const auto* set = std::get_if<check::Set>(&step.what)) {
      lower(set->value);
    } else if (const auto* split = std::get_if<check::Split>(&step.what)) {
      for (const auto& arm : split->arms) keep_slots(arm.steps);
    } else if (const auto* repeat = std::get_if<check::Repeat>(&step.what)) {
      keep_slots(repeat->steps);
    } else if (const auto* emit = std::get_if<check::Emit>(&step.what)) {
      for (const auto field : emit->fields) lower(field);
    } else if (const auto* notify = std::get_if<check::Notify>(&step.what)) {
      lower(notify->text);
    } else if (const auto* call = std::get_if<check::Call>(&step.what)) {
      for (const auto& field : call->fields) lower(field.second);
    } else if (const auto* give_step = std::get_if<check::Give>(&step.what)) {
      lower(give_step->gift.amount);
      keep_slots(give_step->otherwise);
    } else if (const auto* take_step = std::get_if<check::Take>(&step.what)) {
      lower(take_step->gift.amount);
      keep_slots(take_step->then);
      keep_slots(take_step->otherwise);
    }
  }
}

void Compiler::keep_slots(const check::Campaign& from) {
  slots_.clear();
  for (const auto& group : from.groups) {
    for (const auto& trigger : group.triggers) {
      const auto* on = std::get_if<check::OnEvent>(&trigger.on);
      if (on == nullptr) continue;
      lower(on->first.match.where);
      for (const auto& then : on->thens) lower(then.match.where);
      for (const auto& absent : on->nots) lower(absent.match.where);
    }
  }
  lower(from.enter.key);
  lower(from.audience);
  if (from.goal) lower(from.goal->event.match.where);
  for (const auto& event : from.leave_events) lower(event.match.where);
  for (const auto condition : from.leave_conditions) lower(condition);
  for (const auto& group : from.groups) keep_slots(group.steps);
}

plan::Binding Compiler::binding(const check::EventPattern& pattern) {
  plan::Binding made;
  made.match = match(pattern.match);
  if (pattern.binding.is_none()) return made;
  for (const auto& [place, slot] : slots_) {
    if (place.first != pattern.binding.value) continue;
    const FieldId field = place.second == check::event_time ? plan::event_time_field
                          : place.second == check::event_id ? plan::event_id_field
                                                            : FieldId::of(place.second);
    made.captures.push_back({field, slot});
  }
  return made;
}

// --- Messages ------------------------------------------------------------------------------------

// One message is one campaign's, whose slots must be at hand; so they are made in passing.
void Compiler::messages() { plan_.messages.resize(program_.messages.size()); }

// --- Triggers and steps --------------------------------------------------------------------------

plan::Trigger Compiler::trigger(const check::Trigger& from) {
  plan::Trigger to;
  if (const auto* on = std::get_if<check::OnEvent>(&from.on)) {
    to.first = binding(on->first);
    for (const auto& then : on->thens) to.thens.push_back(binding(then));
    for (const auto& absent : on->nots) to.nots.push_back(match(absent.match));
    if (on->within) to.within = *on->within;
    for (const auto& during : on->nots_during)
      to.nots_during.push_back({during.from, during.until});
    for (const auto& leg : on->legs) to.legs.push_back({leg.from, leg.within});
    to.kind = !to.thens.empty()  ? plan::Trigger::Kind::Sequence
              : !to.nots.empty() ? plan::Trigger::Kind::Absence
                                 : plan::Trigger::Kind::Event;
  } else if (const auto* crossing = std::get_if<check::OnCrossing>(&from.on)) {
    to.kind = crossing->enters ? plan::Trigger::Kind::Enters : plan::Trigger::Kind::Leaves;
    to.watch = watch(crossing->condition);
  } else {
    const auto& on_schedule = std::get<check::OnSchedule>(from.on);
    to.kind = plan::Trigger::Kind::Schedule;
    to.schedule = schedule_of(on_schedule.schedule);
    to.condition = lower(on_schedule.condition);
  }
  return to;
}

void Compiler::note_place(const check::Step& step, const std::vector<plan::Step>& code) {
  const auto* choice = std::get_if<check::If>(&step.what);
  // Of a chain of `else if` each condition is one.
  const SourceSpan span = choice != nullptr ? program_[choice->condition].span : step.span;
  places_.campaigns[current_].steps.emplace(place(code), span);
}

void Compiler::block(const check::Block& steps, plan::Campaign& to, std::vector<plan::Step>& code) {
  for (const check::Step& step : steps) {
    note_place(step, code);
    if (const auto* send = std::get_if<check::Send>(&step.what)) {
      plan::Message& message = plan_.messages[send->message.index()];
      if (message.variants.empty()) {
        const check::Message& from = program_.messages[send->message.index()];
        message.content = plan::ContentId::of(from.content.index());
        const auto text = [&](check::ExpressionId id) {
          return id.is_none() ? plan::TemplateId::none() : template_of(program_[id]);
        };
        for (const auto& variant : from.variants) {
          message.variants.push_back({channel_of(variant.channel), text(variant.title),
                                      text(variant.body), text(variant.link), variant.language,
                                      variant.provider_template});
          for (const auto& [name, value] : variant.values)
            message.variants.back().values.emplace_back(name, text(value));
        }
      }
      plan::Send made;
      made.message = send->message.value;
      for (const auto channel : send->channels) made.channels.push_back(channel_of(channel));
      made.within = send->within;
      made.wait_for_cap = send->wait_for_cap;
      made.ordinal = ordinal_++;
      made.reply_to = lower(send->reply_to);
      made.reply_on = lower(send->reply_on);
      code.emplace_back(std::move(made));
    } else if (const auto* wait = std::get_if<check::Wait>(&step.what)) {
      code.emplace_back(plan::Wait{wait->span});
    } else if (const auto* until = std::get_if<check::WaitUntil>(&step.what)) {
      plan::WaitUntil made;
      switch (until->kind) {
        case check::WaitUntil::Kind::TimeOfDay: made.kind = plan::WaitUntil::Kind::TimeOfDay; break;
        case check::WaitUntil::Kind::Weekday: made.kind = plan::WaitUntil::Kind::Weekday; break;
        case check::WaitUntil::Kind::Instant: made.kind = plan::WaitUntil::Kind::Instant; break;
      }
      made.time = until->time;
      made.weekday = until->weekday;
      made.instant = lower(until->instant);
      made.offset = until->offset;
      made.before = until->before;
      made.at_time = until->at_time;
      code.emplace_back(made);
    } else if (const auto* wait_for = std::get_if<check::WaitFor>(&step.what)) {
      const std::size_t at = code.size();
      code.emplace_back(plan::WaitFor{binding(wait_for->pattern), wait_for->up_to, 0, 0});
      const std::uint16_t on_event = place(code);
      block(wait_for->then, to, code);
      const std::size_t jump = code.size();
      if (!wait_for->otherwise.empty()) code.emplace_back(plan::Jump{});
      const std::uint16_t on_timeout = place(code);
      block(wait_for->otherwise, to, code);
      if (!wait_for->otherwise.empty()) std::get<plan::Jump>(code[jump]).to = place(code);
      auto& made = std::get<plan::WaitFor>(code[at]);
      made.on_event = on_event;
      made.on_timeout = on_timeout;
    } else if (const auto* choice = std::get_if<check::If>(&step.what)) {
      const std::size_t at = code.size();
      code.emplace_back(plan::If{lower(choice->condition), 0});
      block(choice->then, to, code);
      const std::size_t jump = code.size();
      if (!choice->otherwise.empty()) code.emplace_back(plan::Jump{});
      std::get<plan::If>(code[at]).otherwise = place(code);
      block(choice->otherwise, to, code);
      if (!choice->otherwise.empty()) std::get<plan::Jump>(code[jump]).to = place(code);
    } else if (const auto* set = std::get_if<check::Set>(&step.what)) {
      code.emplace_back(plan::Set{set->attribute, lower(set->value), ordinal_++});
    } else if (const auto* tag = std::get_if<check::Tag>(&step.what)) {
      code.emplace_back(plan::Tag{tags_attribute, tag->tag, tag->remove});
    } else if (const auto* split_step = std::get_if<check::Split>(&step.what)) {
      split(*split_step, to, code);
    } else if (const auto* repeat_step = std::get_if<check::Repeat>(&step.what)) {
      repeat(*repeat_step, to, code);
    } else if (const auto* emit = std::get_if<check::Emit>(&step.what)) {
      plan::Emit made{emit->event, {}};
      for (const auto field : emit->fields) made.fields.push_back(lower(field));
      code.emplace_back(std::move(made));
    } else if (const auto* notify = std::get_if<check::Notify>(&step.what)) {
      code.emplace_back(plan::Notify{plan::TeamId::of(notify->team.index()),
                                     template_of(program_[notify->text]), notify->within});
    } else if (const auto* call = std::get_if<check::Call>(&step.what)) {
      plan::Call made{plan::WebhookId::of(call->webhook.index()), {}};
      for (const auto& [name, value] : call->fields)
        made.fields.push_back({name, lower(value), program_[value].type});
      code.emplace_back(std::move(made));
    } else if (const auto* start = std::get_if<check::Start>(&step.what)) {
      code.emplace_back(plan::Start{program_.campaigns[start->campaign].symbol.name});
    } else if (const auto* give_step = std::get_if<check::Give>(&step.what)) {
      give(*give_step, to, code);
    } else if (const auto* take_step = std::get_if<check::Take>(&step.what)) {
      take(*take_step, to, code);
    } else if (const auto* back = std::get_if<check::ClawBack>(&step.what)) {
      code.emplace_back(plan::ClawBack{plan::IncentiveId::of(back->incentive.index())});
    } else {
      KOI_ASSERT(std::holds_alternative<check::Stop>(step.what));
      code.emplace_back(plan::Stop{});
    }
  }
}

void Compiler::split(const check::Split& from, plan::Campaign& to, std::vector<plan::Step>& code) {
  const std::size_t at = code.size();
  const std::uint16_t number = splits_++;
  code.emplace_back(plan::Split{{}, number});
  std::vector<plan::Split::Arm> arms;
  std::int64_t up_to = 0;
  for (const auto& arm : from.arms) {  // their names first: those of a split stand together
    up_to += arm.share.millionths;
    plan::ArmId id;
    if (!arm.name.empty()) {
      KOI_ASSERT(to.arms.size() < 0xffff);  // check counts them among the steps
      id = plan::ArmId::of(to.arms.size());
      to.arms.push_back({arm.name, number});
    }
    arms.push_back({up_to, id, 0});
  }
  std::vector<std::size_t> jumps;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    arms[i].start = place(code);
    block(from.arms[i].steps, to, code);
    if (i + 1 == arms.size()) break;
    jumps.push_back(code.size());
    code.emplace_back(plan::Jump{});
  }
  for (const std::size_t jump : jumps) std::get<plan::Jump>(code[jump]).to = place(code);
  std::get<plan::Split>(code[at]).arms = std::move(arms);
}

void Compiler::repeat(const check::Repeat& from, plan::Campaign& to,
                      std::vector<plan::Step>& code) {
  // Places in the frame that no event fills.
  plan::Passes passes;
  for (plan::SlotId* const each : {&passes.since, &passes.counted, &passes.all})
    *each = slots_
                .emplace(std::pair(check::BindingId::none().value, own_slots_++),
                         plan::SlotId::of(slots_.size()))
                .first->second;
  code.emplace_back(plan::Repeat{passes});
  const std::uint16_t back = place(code);
  block(from.steps, to, code);
  code.emplace_back(plan::Again{passes, from.every, from.at_most, back});
}

// A key that reads only first events (or no event) is known as soon as a trigger in parts begins.
bool Compiler::key_from_first(const check::Campaign& from) const {
  std::set<std::uint16_t> later;
  for (const auto& group : from.groups)
    for (const auto& trigger : group.triggers)
      if (const auto* on = std::get_if<check::OnEvent>(&trigger.on))
        for (const auto& then : on->thens)
          if (!then.binding.is_none()) later.insert(then.binding.value);
  bool reads_later = false;
  check::for_each_reachable(program_, from.enter.key, [&](const check::Expression& expression) {
    reads_later = reads_later || (expression.op == check::Op::BindingField &&
                                  later.count(expression.binding.value) != 0);
    return !reads_later;
  });
  return !reads_later;
}

void Compiler::campaign(const check::Campaign& from, plan::Campaign& to) {
  keep_slots(from);
  ordinal_ = splits_ = 0;
  own_slots_ = 0;
  to.symbol = from.symbol;
  to.campaign_class = class_of(from.campaign_class);
  to.priority = from.priority;
  to.audience = lower(from.audience);
  switch (from.enter.how) {
    case check::Enter::How::Once: to.enter.how = plan::Enter::How::Once; break;
    case check::Enter::How::Every: to.enter.how = plan::Enter::How::Every; break;
    case check::Enter::How::Always: to.enter.how = plan::Enter::How::Always; break;
  }
  to.enter.every = from.enter.every;
  to.enter.key = lower(from.enter.key);
  to.enter.key_from_first = key_from_first(from);
  to.hold_out = from.hold_out;
  to.from = from.from;
  to.until = from.until;
  for (const auto& budget : from.budgets) {
    const std::string owner = "campaign " + from.symbol.name;
    to.budgets.push_back(account(owner, budget));
    if (budget.is_money) keep_costs(to.budgets.back(), owner, budget);
  }
  if (from.goal) to.goal = plan::Goal{match(from.goal->event.match), from.goal->within};
  for (const auto& event : from.leave_events) to.leave_events.push_back(match(event.match));
  for (const auto condition : from.leave_conditions)
    to.leave_conditions.push_back(lower(condition));
  for (std::size_t i = 0; i < from.groups.size(); ++i) {
    const std::uint16_t start = place(to.steps);
    for (const auto& each : from.groups[i].triggers) {
      to.triggers.push_back(trigger(each));
      to.triggers.back().start = start;
    }
    block(from.groups[i].steps, to, to.steps);
    if (i + 1 < from.groups.size()) to.steps.emplace_back(plan::Stop{});
  }
  to.frame_size = static_cast<std::uint16_t>(slots_.size());
}

void Compiler::campaigns() {
  std::vector<std::size_t> order(program_.campaigns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto &left = program_.campaigns[a], &right = program_.campaigns[b];
    if (left.priority != right.priority) return left.priority > right.priority;
    return left.symbol.name < right.symbol.name;
  });
  plan_.campaigns.resize(order.size());
  places_.campaigns.resize(order.size());
  for (current_ = 0; current_ < order.size(); ++current_) {
    places_.campaigns[current_].from = order[current_];
    campaign(program_.campaigns[order[current_]], plan_.campaigns[current_]);
  }
}

}  // namespace koi::compile
