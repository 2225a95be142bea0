#include "deploy/meaning.h"

#include "model/codec.h"
#include "plan/stretches.h"

namespace koi::deploy {

using plan::Op;

namespace {

void put(HashInput& hash, const Span& span) {
  hash.number(static_cast<std::uint64_t>(span.months));
  hash.number(static_cast<std::uint64_t>(span.fixed.us));
}
void put(HashInput& hash, const std::optional<Span>& span) {
  hash.number(span ? 1 : 0);
  if (span) put(hash, *span);
}

}  // namespace

void put(HashInput& hash, Hash128 part) { hash.number(part.high).number(part.low); }

std::vector<SlotSource> slots_of(const plan::Campaign& campaign) {
  std::vector<SlotSource> slots(campaign.frame_size);
  const auto take = [&](const plan::Binding& binding) {
    for (const plan::Capture& capture : binding.captures)
      slots[capture.slot.index()] = {binding.match.type, capture.field};
  };
  for (const plan::Trigger& trigger : campaign.triggers) {
    take(trigger.first);
    for (const plan::Binding& then : trigger.thens) take(then);
  }
  for (const plan::Step& step : campaign.steps)
    if (const auto* wait = std::get_if<plan::WaitFor>(&step)) take(wait->binding);
  return slots;
}

Type type_of(const Schema& schema, EventTypeId event, FieldId field) {
  if (field == plan::event_time_field) return {.kind = Kind::Instant};
  if (field == plan::event_id_field) return {.kind = Kind::Text};
  if (event.is_none() || field.is_none() || event.index() >= schema.events.size() ||
      field.index() >= schema[event].fields.size())
    return {};
  return schema[event].fields[field.index()].type;
}

// --- Expressions --------------------------------------------------------------------------------

// A constant of an enumeration is a number; what stands beside it says of which.
EnumId Meaning::enumeration_of(plan::NodeId id, EventTypeId event) const {
  if (id.is_none()) return {};
  const plan::Node& node = plan_[id];
  switch (node.op) {
    case Op::Attribute: return plan_.schema.attributes[node.index].type.enumeration;
    case Op::Field: return type_of(plan_.schema, event, FieldId::of(node.index)).enumeration;
    case Op::Slot:
      if (node.index >= frame_.size()) return {};
      return type_of(plan_.schema, frame_[node.index].event, frame_[node.index].field).enumeration;
    case Op::Metric: {
      const plan::Metric& metric = plan_.metrics[node.index];
      return type_of(plan_.schema, metric.events.type, metric.field).enumeration;
    }
    case Op::Default: {
      const EnumId first = enumeration_of(node.a, event);
      return first ? first : enumeration_of(node.b, event);
    }
    default: return {};
  }
}

void Meaning::add_constant(HashInput& hash, const Value& value, EnumId enumeration) const {
  const auto add_one = [&](const Value& each) {
    const auto at = static_cast<std::size_t>(each.raw());
    if (each.kind() == Kind::Enum && enumeration &&
        at < plan_.schema.enumerations[enumeration.index()].values.size()) {
      hash.text(plan_.schema.enumerations[enumeration.index()].values[at].name);
      return;
    }
    ByteWriter bytes;
    bytes.value(each);
    hash.text(bytes.bytes());
  };
  if (value.kind() != Kind::List) return add_one(value);
  hash.number(value.as_list().size());
  for (const Value& element : value.as_list()) add_one(element);
}

Hash128 Meaning::of(plan::NodeId root, EventTypeId event) {
  if (root.is_none()) return {};
  // Operands stand before their users, so that what is asked for last is known last.
  std::vector<plan::NodeId> stack{root};
  while (!stack.empty()) {
    const plan::NodeId id = stack.back();
    if (known_.contains({event, id})) {
      stack.pop_back();
      continue;
    }
    const std::size_t before = stack.size();
    const auto need = [&](plan::NodeId operand) {
      if (operand && !known_.contains({event, operand})) stack.push_back(operand);
    };
    const plan::Node& node = plan_[id];
    need(node.a);
    need(node.b);
    if (node.op == Op::Join)
      for (const auto& part : plan_.templates[node.index].parts) need(part.node);
    if (stack.size() != before) continue;
    known_.emplace(std::pair(event, id), of_node(id, event));
    stack.pop_back();
  }
  return known_.at({event, root});
}

Hash128 Meaning::of_node(plan::NodeId id, EventTypeId event) {
  const plan::Node& node = plan_[id];
  HashInput hash;
  hash.number(static_cast<std::uint64_t>(node.op)).number(static_cast<std::uint64_t>(node.kind));
  switch (node.op) {
    case Op::Constant: add_constant(hash, plan_.constants[node.index], {}); break;
    case Op::Attribute: hash.text(plan_.schema.attributes[node.index].symbol.name); break;
    case Op::Field: add_field(hash, event, FieldId::of(node.index)); break;
    case Op::Metric: hash.number(plan_.metrics[node.index].definition); break;
    case Op::Watch: hash.number(plan_.watches[node.index].definition); break;
    case Op::Audience: {
      const plan::Audience& audience = plan_.audiences[node.index];
      hash.text(audience.symbol.name).number(audience.members.size());
      for (const std::string& member : audience.members) hash.text(member);
      break;
    }
    case Op::Consent: {
      const plan::ConsentKey& key = plan_.consents[node.index];
      hash.number(static_cast<std::uint64_t>(key.purpose));
      hash.text(key.channel ? plan_.channels[key.channel.index()].symbol.name : std::string());
      break;
    }
    case Op::Granted: {
      const plan::GrantRead& read = plan_.grant_reads[node.index];
      hash.number(static_cast<std::uint64_t>(read.what));
      hash.text(read.incentive ? plan_.incentives[read.incentive.index()].symbol.name
                               : plan_.referrals[read.referral.index()].symbol.name);
      break;
    }
    case Op::Join:
      for (const auto& part : plan_.templates[node.index].parts) {
        hash.text(part.literal);
        put(hash, part.node ? known_.at({event, part.node}) : Hash128{});
      }
      break;
    default: hash.number(node.index); break;  // a slot's; of the others it is 0
  }
  const EnumId left = enumeration_of(node.a, event), right = enumeration_of(node.b, event);
  for (const plan::NodeId operand : {node.a, node.b}) {
    if (operand.is_none()) {
      hash.number(0);
    } else if (plan_[operand].op == Op::Constant) {
      add_constant(hash, plan_.constants[plan_[operand].index], left ? left : right);
    } else {
      put(hash, known_.at({event, operand}));
    }
  }
  return hash.hash128();
}

// --- Campaigns ----------------------------------------------------------------------------------

void Meaning::add_event(HashInput& hash, EventTypeId event) const {
  hash.text(event ? plan_.schema[event].symbol.name : std::string());
}

void Meaning::add_field(HashInput& hash, EventTypeId event, FieldId field) const {
  if (field == plan::event_time_field || event.is_none() ||
      field.index() >= plan_.schema[event].fields.size()) {
    hash.number(field.value);
    return;
  }
  const Field& declared = plan_.schema[event].fields[field.index()];
  hash.text(declared.symbol.name).number(static_cast<std::uint64_t>(declared.type.kind));
  hash.number(static_cast<std::uint64_t>(declared.type.element));
}

void Meaning::add(HashInput& hash, plan::NodeId node, EventTypeId event) {
  put(hash, of(node, event));
}

void Meaning::add(HashInput& hash, const plan::EventMatch& match) {
  add_event(hash, match.type);
  add(hash, match.where, match.type);
}

void Meaning::add(HashInput& hash, const plan::Binding& binding) {
  add(hash, binding.match);
  hash.number(binding.captures.size());
  for (const plan::Capture& capture : binding.captures) {
    add_field(hash, binding.match.type, capture.field);
    hash.number(capture.slot.value);
  }
}

void Meaning::add(HashInput& hash, const plan::Schedule& schedule) const {
  hash.number(static_cast<std::uint64_t>(schedule.every));
  hash.number(static_cast<std::uint64_t>(schedule.at.us));
  hash.number(static_cast<std::uint64_t>(schedule.day));
  hash.number(static_cast<std::uint64_t>(schedule.time.us));
  if (schedule.date.is_none()) return;
  hash.text(plan_.schema[schedule.date].symbol.name);
  put(hash, schedule.offset);
  hash.number(schedule.before ? 1 : 0);
}

void Meaning::add(HashInput& hash, const plan::Trigger& trigger) {
  hash.number(static_cast<std::uint64_t>(trigger.kind)).number(trigger.start);
  add(hash, trigger.first);
  hash.number(trigger.thens.size());
  for (const plan::Binding& then : trigger.thens) add(hash, then);
  hash.number(trigger.nots.size());
  for (const plan::EventMatch& absent : trigger.nots) add(hash, absent);
  put(hash, trigger.within);
  for (std::size_t i = 0; i < trigger.nots.size(); ++i) {
    const plan::Trigger::Stretch during = plan::stretch_of(trigger, i);
    if (during != plan::whole_of(trigger)) hash.number(i).number(during.from).number(during.until);
  }
  for (const plan::Trigger::Leg& leg : trigger.legs) hash.number(leg.from), put(hash, leg.within);
  hash.number(trigger.watch ? plan_.watches[trigger.watch.index()].definition : 0);
  add(hash, trigger.schedule);
  add(hash, trigger.condition, {});
}

void Meaning::add(HashInput& hash, const plan::Step& step, const plan::Campaign& campaign) {
  hash.number(step.index());
  if (const auto* send = std::get_if<plan::Send>(&step)) {
    const plan::ContentId content = plan_.messages[send->message].content;
    hash.text(content ? plan_.contents[content.index()].name : std::string());
    hash.number(send->channels.size());
    for (const plan::ChannelId channel : send->channels)
      hash.text(plan_.channels[channel.index()].symbol.name);
    put(hash, send->within);
    put(hash, send->wait_for_cap);
    hash.number(send->ordinal);
    if (send->is_reply()) add(hash, send->reply_to, {}), add(hash, send->reply_on, {});
  } else if (const auto* wait = std::get_if<plan::Wait>(&step)) {
    put(hash, wait->span);
  } else if (const auto* until = std::get_if<plan::WaitUntil>(&step)) {
    hash.number(static_cast<std::uint64_t>(until->kind));
    hash.number(static_cast<std::uint64_t>(until->time.us));
    hash.number(static_cast<std::uint64_t>(until->weekday));
    add(hash, until->instant, {});
    put(hash, until->offset);
    hash.number(until->before ? 1 : 0).number(until->at_time ? 1 : 0);
  } else if (const auto* wait_for = std::get_if<plan::WaitFor>(&step)) {
    add(hash, wait_for->binding);
    put(hash, wait_for->up_to);
    hash.number(wait_for->on_event).number(wait_for->on_timeout);
  } else if (const auto* choice = std::get_if<plan::If>(&step)) {
    add(hash, choice->condition, {});
    hash.number(choice->otherwise);
  } else if (const auto* jump = std::get_if<plan::Jump>(&step)) {
    hash.number(jump->to);
  } else if (const auto* set = std::get_if<plan::Set>(&step)) {
    hash.text(plan_.schema[set->attribute].symbol.name);
    add(hash, set->value, {});
    hash.number(set->ordinal);
  } else if (const auto* give = std::get_if<plan::Give>(&step)) {
    add(hash, *give);
  } else if (const auto* take = std::get_if<plan::Take>(&step)) {
    hash.text(plan_.incentives[take->incentive.index()].symbol.name);
    add(hash, take->amount, {});
    hash.number(take->otherwise).number(take->end).number(take->ordinal);
    hash.number(take->gives.size());
    for (const plan::Take::Next& each : take->gives) {
      add(hash, each.give);
      hash.number(each.behind);
    }
  } else if (const auto* back = std::get_if<plan::ClawBack>(&step)) {
    hash.text(plan_.incentives[back->incentive.index()].symbol.name);
  } else {
    add_act(hash, step, campaign);
  }
}

// What neither sends nor waits.
void Meaning::add_act(HashInput& hash, const plan::Step& step, const plan::Campaign& campaign) {
  const auto add_passes = [&](const plan::Passes& passes) {
    hash.number(passes.since.value).number(passes.counted.value).number(passes.all.value);
  };
  if (const auto* tag = std::get_if<plan::Tag>(&step)) {
    hash.text(plan_.schema[tag->attribute].symbol.name).text(tag->tag);
    hash.number(tag->remove ? 1 : 0);
  } else if (const auto* split = std::get_if<plan::Split>(&step)) {
    hash.number(split->number).number(split->arms.size());
    for (const auto& arm : split->arms) {
      hash.number(static_cast<std::uint64_t>(arm.up_to)).number(arm.start).number(arm.arm.value);
      if (!arm.arm.is_none()) hash.text(campaign.arms[arm.arm.index()].name);
    }
  } else if (const auto* repeat = std::get_if<plan::Repeat>(&step)) {
    add_passes(repeat->passes);
  } else if (const auto* again = std::get_if<plan::Again>(&step)) {
    add_passes(again->passes);
    put(hash, again->every);
    hash.number(static_cast<std::uint64_t>(again->at_most)).number(again->back);
  } else if (const auto* emit = std::get_if<plan::Emit>(&step)) {
    add_event(hash, emit->event);
    hash.number(emit->fields.size());
    for (std::size_t i = 0; i < emit->fields.size(); ++i) {
      add_field(hash, emit->event, FieldId::of(i));
      add(hash, emit->fields[i], {});
    }
  } else if (const auto* notify = std::get_if<plan::Notify>(&step)) {
    hash.text(plan_.teams[notify->team.index()].name);
    put(hash, notify->within);
  } else if (const auto* call = std::get_if<plan::Call>(&step)) {
    hash.text(plan_.webhooks[call->webhook.index()].name);
    hash.number(call->fields.size());
    for (const plan::Call::Given& given : call->fields) {
      hash.text(given.name);
      add(hash, given.value, {});
    }
  } else if (const auto* start = std::get_if<plan::Start>(&step)) {
    hash.text(start->campaign);
  } else {
    KOI_ASSERT(std::holds_alternative<plan::Stop>(step));
  }
}

void Meaning::add(HashInput& hash, const plan::Give& give) {
  hash.text(plan_.incentives[give.incentive.index()].symbol.name);
  add(hash, give.amount, {});
  hash.number(give.to_inviter ? 1 : 0).number(give.what_is_left ? 1 : 0).number(give.ordinal);
  hash.number(give.otherwise);
}

Hash128 Meaning::frame_of(const plan::Campaign& campaign) const {
  HashInput hash;
  for (const SlotSource& slot : slots_of(campaign)) {
    add_event(hash, slot.event);
    add_field(hash, slot.event, slot.field);
  }
  return hash.hash128();
}

Hash128 Meaning::code_of(const plan::Campaign& campaign) {
  frame_ = slots_of(campaign);
  known_.clear();
  HashInput hash;
  put(hash, frame_of(campaign));
  hash.number(campaign.triggers.size());
  for (const plan::Trigger& trigger : campaign.triggers) add(hash, trigger);
  hash.number(campaign.steps.size());
  for (const plan::Step& step : campaign.steps) add(hash, step, campaign);
  return hash.hash128();
}

Hash128 Meaning::parts_of(const plan::Campaign& campaign, const plan::Trigger& trigger) {
  frame_ = slots_of(campaign);
  known_.clear();
  HashInput hash;
  plan::Trigger parts = trigger;
  parts.start = 0;
  add(hash, parts);
  return hash.hash128();
}

Hash128 Meaning::schedule_of(const plan::Trigger& trigger) {
  HashInput hash;
  add(hash, trigger.schedule);
  put(hash, of(trigger.condition, {}));
  return hash.hash128();
}

void Meaning::add(HashInput& hash, plan::TemplateId text) {
  hash.number(text ? 1 : 0);
  if (text.is_none()) return;
  const plan::Template& pieces = plan_.templates[text.index()];
  hash.number(pieces.parts.size());
  for (const auto& part : pieces.parts) {
    hash.text(part.literal);
    add(hash, part.node, {});
  }
}

// Who may enter, when, at what he aims, and what he is told, with all that code_of() has.
std::uint64_t Meaning::version_of(const plan::Campaign& campaign) {
  if (campaign.closed) return campaign.version;
  HashInput hash;
  put(hash, code_of(campaign));
  put(hash, leaving_of(campaign));
  hash.text(campaign.symbol.name).number(static_cast<std::uint64_t>(campaign.campaign_class));
  hash.number(static_cast<std::uint64_t>(campaign.priority));
  add(hash, campaign.audience, {});
  hash.number(static_cast<std::uint64_t>(campaign.enter.how));
  put(hash, campaign.enter.every);
  add(hash, campaign.enter.key, {});
  hash.number(static_cast<std::uint64_t>(campaign.hold_out.millionths));
  hash.number(campaign.goal ? 1 : 0);
  if (campaign.goal) {
    add(hash, campaign.goal->match);
    put(hash, campaign.goal->within);
  }
  hash.number(static_cast<std::uint64_t>(campaign.from.us));
  hash.number(static_cast<std::uint64_t>(campaign.until.us));
  hash.number(campaign.leave_events.size());
  for (const plan::EventMatch& event : campaign.leave_events) add(hash, event);
  for (const plan::Step& step : campaign.steps) {
    if (const auto* notify = std::get_if<plan::Notify>(&step)) add(hash, notify->text);
    const auto* send = std::get_if<plan::Send>(&step);
    if (!send) continue;
    for (const auto& variant : plan_.messages[send->message].variants) {
      hash.text(variant.channel ? plan_.channels[variant.channel.index()].symbol.name
                                : std::string());
      hash.text(variant.language);
      for (const plan::TemplateId text : {variant.title, variant.body, variant.link})
        add(hash, text);
      if (variant.provider_template.empty()) continue;
      hash.text(variant.provider_template).number(variant.values.size());
      for (const auto& [name, value] : variant.values) hash.text(name), add(hash, value);
    }
  }
  return hash.hash64();
}

Hash128 Meaning::leaving_of(const plan::Campaign& campaign) {
  frame_ = slots_of(campaign);
  known_.clear();
  HashInput hash;
  for (const plan::NodeId condition : campaign.leave_conditions) add(hash, condition, {});
  return hash.hash128();
}

}  // namespace koi::deploy
