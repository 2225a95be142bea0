#include "deploy/detail/bringing.h"

#include <algorithm>

#include "deploy/detail/find.h"

namespace koi::deploy {

using plan::NodeId;
using plan::Op;

namespace {

template <class Id>
Id named(const std::vector<Symbol>& list, const std::string& name) {
  return find<Id>(list, [&](const Symbol& each) { return each.name == name; });
}

// In place of a step that can do nothing any more.
plan::Jump beyond(std::uint16_t place) { return {static_cast<std::uint16_t>(place + 1)}; }

template <class... Each>
struct Overloaded : Each... {
  using Each::operator()...;
};
template <class... Each>
Overloaded(Each...) -> Overloaded<Each...>;

}  // namespace

template <class Visit>
void Bringing::for_each_reaction(EventTypeId type, Visit visit) {
  if (type) return visit(to_.reactions[type.index()]);
  for (plan::Reaction& reaction : to_.reactions) visit(reaction);
}

// --- Metrics ------------------------------------------------------------------------------------

plan::AccumulatorId Bringing::bring(const plan::Accumulator& metric) {
  const auto known = find<plan::AccumulatorId>(
      to_.accumulators, [&](const auto& each) { return each.definition == metric.definition; });
  if (known) return known;
  plan::Accumulator made = metric;
  made.events = match(metric.events);
  if (metric.field) made.field = field(metric.events.type, metric.field);
  const auto id = plan::AccumulatorId::of(to_.accumulators.size());
  KOI_ASSERT(to_.accumulators.size() < 0xffff);
  to_.accumulators.push_back(made);
  for_each_reaction(made.events.type,
                    [&](plan::Reaction& reaction) { reaction.accumulators.push_back(id); });
  return id;
}

plan::LogId Bringing::bring(const plan::Log& log) {
  const auto known = find<plan::LogId>(
      to_.logs, [&](const auto& each) { return each.definition == log.definition; });
  if (known) return known;
  plan::Log made = log;
  made.events = match(log.events);
  for (FieldId& column : made.columns) column = field(log.events.type, column);
  const auto id = plan::LogId::of(to_.logs.size());
  KOI_ASSERT(to_.logs.size() < 0xffff);
  to_.logs.push_back(std::move(made));
  for_each_reaction(to_.logs.back().events.type,
                    [&](plan::Reaction& reaction) { reaction.logs.push_back(id); });
  return id;
}

plan::MetricId Bringing::metric(plan::MetricId id) {
  const plan::Metric& wanted = from_.metrics[id.index()];
  const auto known = find<plan::MetricId>(to_.metrics, [&](const plan::Metric& each) {
    return each.definition == wanted.definition && each.kind == wanted.kind;
  });
  if (known) return known;
  plan::Metric made = wanted;
  made.symbol = {};  // its name may be another one's by now
  made.events = match(wanted.events);
  if (wanted.field) made.field = field(wanted.events.type, wanted.field);
  if (wanted.accumulator) made.accumulator = bring(from_.accumulators[wanted.accumulator.index()]);
  if (wanted.log) made.log = bring(from_.logs[wanted.log.index()]);
  to_.metrics.push_back(std::move(made));
  return plan::MetricId::of(to_.metrics.size() - 1);
}

// --- The schema ---------------------------------------------------------------------------------

EventTypeId Bringing::event(EventTypeId type) {
  if (type.is_none()) return type;
  const EventType& wanted = from_.schema[type];
  const auto known = find<EventTypeId>(to_.schema.events, [&](const EventType& each) {
    return each.symbol.name == wanted.symbol.name;
  });
  if (known) return known;
  to_.schema.events.push_back({.symbol = {wanted.symbol.name, {}},
                               .fields = {},
                               .made_by_engine = wanted.made_by_engine,
                               .to_everyone = wanted.to_everyone});
  to_.reactions.emplace_back();
  return EventTypeId::of(to_.schema.events.size() - 1);
}

FieldId Bringing::field(EventTypeId type, FieldId id) {
  if (id == plan::event_time_field || id == plan::event_id_field || id.is_none()) return id;
  const Field& wanted = from_.schema[type].fields[id.index()];
  auto& fields = to_.schema.events[event(type).index()].fields;
  const auto has_name = [&](const Field& each) { return each.symbol.name == wanted.symbol.name; };
  const auto known = find<FieldId>(fields, [&](const Field& each) {
    return has_name(each) && each.type.kind == wanted.type.kind &&
           each.type.element == wanted.type.element;
  });
  if (known) return known;
  if (clash_ == Clash::Missing && std::any_of(fields.begin(), fields.end(), has_name)) return {};
  Field made{.symbol = {wanted.symbol.name, {}}, .type = wanted.type};
  made.type.optional = true;
  made.fallback = wanted.fallback;
  if (wanted.type.enumeration) {
    made.type.enumeration = EnumId::of(to_.schema.enumerations.size());
    to_.schema.enumerations.push_back(from_.schema.enumerations[wanted.type.enumeration.index()]);
  }
  fields.push_back(std::move(made));
  return FieldId::of(fields.size() - 1);
}

AttributeId Bringing::attribute(AttributeId id) const {
  const Attribute& wanted = from_.schema[id];
  return find<AttributeId>(to_.schema.attributes, [&](const Attribute& each) {
    return each.symbol.name == wanted.symbol.name && each.type.kind == wanted.type.kind &&
           each.type.element == wanted.type.element;
  });
}

plan::ChannelId Bringing::channel(plan::ChannelId id) const {
  if (id.is_none()) return id;
  return find<plan::ChannelId>(to_.channels, [&](const plan::Channel& each) {
    return each.symbol.name == from_.channels[id.index()].symbol.name;
  });
}

plan::EventMatch Bringing::match(const plan::EventMatch& wanted) {
  return {event(wanted.type), node(wanted.where, wanted.type)};
}

// --- Expressions --------------------------------------------------------------------------------

Bringing::Enums Bringing::enums_of(NodeId id, EventTypeId type) {
  if (id.is_none()) return {};
  const plan::Node& known = from_[id];
  const auto of_field = [&](EventTypeId of, FieldId here) -> Enums {
    const EnumId from = type_of(from_.schema, of, here).enumeration;
    if (from.is_none()) return {};
    return {from, type_of(to_.schema, event(of), field(of, here)).enumeration};
  };
  switch (known.op) {
    case Op::Default: {
      const Enums first = enums_of(known.a, type);
      return first.from ? first : enums_of(known.b, type);
    }
    case Op::Field: return of_field(type, FieldId::of(known.index));
    case Op::Slot:
      if (known.index >= frame_.size()) return {};
      return of_field(frame_[known.index].event, frame_[known.index].field);
    case Op::Metric: {
      const plan::Metric& metric = from_.metrics[known.index];
      return of_field(metric.events.type, metric.field);
    }
    case Op::Attribute: {
      const AttributeId there = AttributeId::of(known.index), here = attribute(there);
      return {from_.schema[there].type.enumeration,
              here ? to_.schema[here].type.enumeration : EnumId::none()};
    }
    default: return {};
  }
}

// A value of the enumeration by its name; one that is not there is put behind the others, where no
// event can have it.
Value Bringing::constant(const Value& value, Enums enums) {
  if (value.kind() == Kind::List) {
    std::vector<Value> elements;
    for (const Value& element : value.as_list()) elements.push_back(constant(element, enums));
    return Value::list(std::move(elements));
  }
  if (value.kind() != Kind::Enum || enums.from.is_none() || enums.to.is_none()) return value;
  const Symbol& wanted =
      from_.schema.enumerations[enums.from.index()].values[static_cast<std::size_t>(value.raw())];
  auto& values = to_.schema.enumerations[enums.to.index()].values;
  auto found = std::find_if(values.begin(), values.end(),
                            [&](const Symbol& each) { return each.name == wanted.name; });
  if (found == values.end()) found = values.insert(values.end(), {wanted.name, {}});
  return Value::enumerator(static_cast<std::uint32_t>(found - values.begin()));
}

// Operands stand before their users, so that what is asked for last is known last.
NodeId Bringing::node(NodeId root, EventTypeId type, Enums enums) {
  if (root.is_none()) return {};
  if (from_[root].op == Op::Constant)
    return add_constant(constant(from_.constants[from_[root].index], enums), from_[root].kind);
  std::vector<NodeId> stack{root};
  while (!stack.empty()) {
    const NodeId id = stack.back();
    if (nodes_.contains({type, id})) {
      stack.pop_back();
      continue;
    }
    const std::size_t before = stack.size();
    const auto need = [&](NodeId operand) {
      if (operand && from_[operand].op != Op::Constant && !nodes_.contains({type, operand}))
        stack.push_back(operand);
    };
    const plan::Node& wanted = from_[id];
    need(wanted.a);
    need(wanted.b);
    if (wanted.op == Op::Join)
      for (const auto& part : from_.templates[wanted.index].parts) need(part.node);
    if (stack.size() != before) continue;
    const NodeId made = made_of(wanted, type);
    nodes_.emplace(std::pair(type, id), made);
    stack.pop_back();
  }
  return nodes_.at({type, root});
}

// One node whose operands are known.
NodeId Bringing::made_of(const plan::Node& wanted, EventTypeId type) {
  plan::Node made = wanted;
  const auto missing = [&] { return add_constant(Value(), wanted.kind); };
  switch (wanted.op) {
    case Op::Field: {
      const FieldId here = field(type, FieldId::of(wanted.index));
      if (here.is_none()) return missing();
      made.index = here.value;
      break;
    }
    case Op::Attribute: {
      const AttributeId here = attribute(AttributeId::of(wanted.index));
      if (here.is_none()) return missing();
      made.index = here.value;
      break;
    }
    case Op::Audience: {
      // Of that name, as it is by now; where there is none, nobody is in it.
      const std::string& name = from_.audiences[wanted.index].symbol.name;
      const auto here = std::find_if(to_.audiences.begin(), to_.audiences.end(),
                                     [&](const auto& each) { return each.symbol.name == name; });
      if (here == to_.audiences.end()) return missing();
      made.index = static_cast<std::uint32_t>(here - to_.audiences.begin());
      break;
    }
    case Op::Consent: {
      const plan::ConsentKey& key = from_.consents[wanted.index];
      const plan::ConsentKey here{key.purpose, channel(key.channel)};
      if (key.channel && here.channel.is_none()) return missing();
      made.index = static_cast<std::uint32_t>(to_.consents.size());
      to_.consents.push_back(here);
      break;
    }
    case Op::Granted: {
      plan::GrantRead here = from_.grant_reads[wanted.index];
      if (here.incentive) {
        here.incentive = incentive(here.incentive);
      } else {
        const std::string& name = from_.referrals[here.referral.index()].symbol.name;
        here.referral = find<plan::ReferralId>(
            to_.referrals, [&](const auto& each) { return each.symbol.name == name; });
      }
      if (here.incentive.is_none() && here.referral.is_none()) return missing();
      made.index = static_cast<std::uint32_t>(to_.grant_reads.size());
      to_.grant_reads.push_back(here);
      break;
    }
    case Op::Join: made.index = text(plan::TemplateId::of(wanted.index), type).value; break;
    case Op::Metric: made.index = metric(plan::MetricId::of(wanted.index)).value; break;
    case Op::Watch: made.index = watch(plan::WatchId::of(wanted.index)).value; break;
    default: break;  // a slot is the same in the frame that goes along
  }
  const Enums left = enums_of(wanted.a, type), right = enums_of(wanted.b, type);
  made.a = node(wanted.a, type, left.from ? left : right);
  made.b = node(wanted.b, type, left.from ? left : right);
  return add(made);
}

plan::TemplateId Bringing::text(plan::TemplateId id, EventTypeId type) {
  if (id.is_none()) return id;
  plan::Template made = from_.templates[id.index()];
  for (auto& part : made.parts) {
    if (part.node.is_none()) continue;
    if (part.enumeration) part.enumeration = enums_of(part.node, type).to;
    part.node = node(part.node, type);
  }
  to_.templates.push_back(std::move(made));
  return plan::TemplateId::of(to_.templates.size() - 1);
}

NodeId Bringing::add(const plan::Node& made) {
  to_.nodes.push_back(made);
  return NodeId::of(to_.nodes.size() - 1);
}

NodeId Bringing::add_constant(Value value, Kind kind) {
  to_.constants.push_back(std::move(value));
  return add({Op::Constant, kind, static_cast<std::uint32_t>(to_.constants.size() - 1), {}, {}});
}

// A watch of its own is hidden: the segment of that name is what the receiving rules say.
plan::WatchId Bringing::watch(plan::WatchId id) {
  const plan::Watch& wanted = from_.watches[id.index()];
  const auto known = find<plan::WatchId>(
      to_.watches, [&](const auto& each) { return each.definition == wanted.definition; });
  if (known) return known;
  const NodeId condition = node(wanted.condition, {});
  KOI_ASSERT(to_.watches.size() < 0xffff);
  to_.watches.push_back({{}, wanted.definition, condition, false});
  return plan::WatchId::of(to_.watches.size() - 1);
}

// --- Campaigns ----------------------------------------------------------------------------------

plan::ContentId Bringing::content(plan::ContentId id) {
  if (id.is_none()) return id;
  const Symbol& wanted = from_.contents[id.index()];
  const auto known = find<plan::ContentId>(
      to_.contents, [&](const Symbol& each) { return each.name == wanted.name; });
  if (known) return known;
  to_.contents.push_back(wanted);
  return plan::ContentId::of(to_.contents.size() - 1);
}

std::uint32_t Bringing::message(std::uint32_t index) {
  const plan::Message& wanted = from_.messages[index];
  plan::Message made{content(wanted.content), {}};
  for (const plan::Message::Variant& variant : wanted.variants) {
    const plan::ChannelId here = channel(variant.channel);
    if (variant.channel && here.is_none()) continue;
    made.variants.push_back({here, text(variant.title, {}), text(variant.body, {}),
                             text(variant.link, {}), variant.language, variant.provider_template});
    for (const auto& [name, value] : variant.values)
      made.variants.back().values.emplace_back(name, text(value, {}));
  }
  to_.messages.push_back(std::move(made));
  return static_cast<std::uint32_t>(to_.messages.size() - 1);
}

plan::Binding Bringing::binding(const plan::Binding& wanted) {
  plan::Binding made{match(wanted.match), {}};
  for (const plan::Capture& capture : wanted.captures)
    if (const FieldId here = field(wanted.match.type, capture.field))
      made.captures.push_back({here, capture.slot});
  return made;
}

// What the receiving rules do not give any more is not given.
plan::IncentiveId Bringing::incentive(plan::IncentiveId id) const {
  const plan::Incentive& wanted = from_.incentives[id.index()];
  return find<plan::IncentiveId>(to_.incentives, [&](const auto& each) {
    return each.symbol.name == wanted.symbol.name && each.what.index() == wanted.what.index();
  });
}

plan::BudgetId Bringing::budget(plan::BudgetId id) {
  const plan::Budget& wanted = from_.budgets[id.index()];
  const auto known = find<plan::BudgetId>(
      to_.budgets, [&](const auto& each) { return each.definition == wanted.definition; });
  if (known) return known;
  plan::Budget made = wanted;
  if (wanted.costs) made.costs = budget(wanted.costs);
  to_.budgets.push_back(std::move(made));
  return plan::BudgetId::of(to_.budgets.size() - 1);
}

plan::Give Bringing::give(const plan::Give& wanted) {
  plan::Give made = wanted;
  made.incentive = incentive(wanted.incentive);
  made.amount = node(wanted.amount, {});
  return made;
}

plan::Step Bringing::step(const plan::Step& wanted, std::uint16_t place) {
  return std::visit(Overloaded{
                        [&](const plan::Send& send) -> plan::Step {
                          plan::Send made = send;
                          made.message = message(send.message);
                          made.channels.clear();
                          for (const plan::ChannelId each : send.channels)
                            if (const plan::ChannelId here = channel(each))
                              made.channels.push_back(here);
                          made.reply_to = node(send.reply_to, {});
                          made.reply_on = node(send.reply_on, {});
                          return made;
                        },
                        [&](const plan::WaitUntil& wait) -> plan::Step {
                          plan::WaitUntil made = wait;
                          made.instant = node(wait.instant, {});
                          return made;
                        },
                        [&](const plan::WaitFor& wait) -> plan::Step {
                          plan::WaitFor made = wait;
                          made.binding = binding(wait.binding);
                          return made;
                        },
                        [&](const plan::If& choice) -> plan::Step {
                          return plan::If{node(choice.condition, {}), choice.otherwise};
                        },
                        [&](const plan::Set& set) -> plan::Step {
                          const AttributeId here = attribute(set.attribute);
                          if (here.is_none()) return beyond(place);
                          return plan::Set{here,
                                           node(set.value, {},
                                                {from_.schema[set.attribute].type.enumeration,
                                                 to_.schema[here].type.enumeration}),
                                           set.ordinal};
                        },
                        [&](const plan::Tag& tag) -> plan::Step {
                          plan::Tag made = tag;
                          made.attribute = attribute(tag.attribute);
                          if (made.attribute.is_none()) return beyond(place);
                          return made;
                        },
                        [&](const plan::Emit& emit) -> plan::Step { return bring(emit); },
                        [&](const plan::Notify& notify) -> plan::Step {
                          plan::Notify made = notify;
                          made.team =
                              named<plan::TeamId>(to_.teams, from_.teams[notify.team.index()].name);
                          if (made.team.is_none()) return beyond(place);
                          made.text = text(notify.text, {});
                          return made;
                        },
                        [&](const plan::Call& call) -> plan::Step {
                          plan::Call made = call;
                          made.webhook = named<plan::WebhookId>(
                              to_.webhooks, from_.webhooks[call.webhook.index()].name);
                          if (made.webhook.is_none()) return beyond(place);
                          for (plan::Call::Given& given : made.fields) {
                            if (given.type.enumeration)
                              given.type.enumeration = enums_of(given.value, {}).to;
                            given.value = node(given.value, {});
                          }
                          return made;
                        },
                        [&](const plan::Give& wanted_give) -> plan::Step {
                          if (incentive(wanted_give.incentive).is_none())
                            return plan::Jump{static_cast<std::uint16_t>(
                                wanted_give.otherwise != 0 ? wanted_give.otherwise : place + 1)};
                          return give(wanted_give);
                        },
                        [&](const plan::ClawBack& back) -> plan::Step {
                          if (incentive(back.incentive).is_none())
                            return plan::Jump{static_cast<std::uint16_t>(place + 1)};
                          return plan::ClawBack{incentive(back.incentive)};
                        },
                        [&](const plan::Take& take) -> plan::Step {
                          plan::Take made = take;
                          made.incentive = incentive(take.incentive);
                          if (made.incentive.is_none()) return plan::Jump{take.otherwise};
                          made.amount = node(take.amount, {});
                          made.gives.clear();
                          for (const plan::Take::Next& each : take.gives)
                            if (incentive(each.give.incentive))
                              made.gives.push_back({give(each.give), each.behind});
                          return made;
                        },
                        [](const plan::Wait& wait) -> plan::Step { return wait; },
                        [](const plan::Jump& jump) -> plan::Step { return jump; },
                        [](const plan::Stop& stop) -> plan::Step { return stop; },
                        [](const plan::Split& split) -> plan::Step { return split; },
                        [](const plan::Repeat& repeat) -> plan::Step { return repeat; },
                        [](const plan::Again& again) -> plan::Step { return again; },
                        [](const plan::Start& start) -> plan::Step { return start; },
                    },
                    wanted);
}

// What is given goes to the fields of these names.
plan::Emit Bringing::bring(const plan::Emit& emit) {
  plan::Emit made{event(emit.event), {}};
  for (std::size_t i = 0; i < emit.fields.size(); ++i) {
    if (emit.fields[i].is_none()) continue;
    const FieldId here = field(emit.event, FieldId::of(i));
    if (here.is_none()) continue;
    if (made.fields.size() <= here.index()) made.fields.resize(here.index() + 1);
    made.fields[here.index()] = node(emit.fields[i], {},
                                     {type_of(from_.schema, emit.event, FieldId::of(i)).enumeration,
                                      type_of(to_.schema, made.event, here).enumeration});
  }
  return made;
}

plan::Campaign Bringing::campaign(const plan::Campaign& wanted, std::uint64_t version,
                                  std::uint32_t takes_from) {
  frame_ = slots_of(wanted);
  nodes_.clear();  // the same slot is another thing in another frame
  plan::Campaign made = wanted;
  made.closed = true;
  made.version = version;
  made.takes_from = takes_from;
  made.others.clear();
  made.entries = {};
  made.audience = node(wanted.audience, {});
  made.enter.key = node(wanted.enter.key, {});
  if (wanted.goal) made.goal = plan::Goal{match(wanted.goal->match), wanted.goal->within};
  for (plan::EventMatch& event : made.leave_events) event = match(event);
  for (NodeId& condition : made.leave_conditions) condition = node(condition, {});
  for (plan::Trigger& trigger : made.triggers) {
    trigger.first = binding(trigger.first);
    for (plan::Binding& then : trigger.thens) then = binding(then);
    for (plan::EventMatch& absent : trigger.nots) absent = match(absent);
    // Else nobody comes in by these any more.
    const bool begins = plan::takes_entries(made);
    trigger.watch = begins && trigger.watch ? watch(trigger.watch) : plan::WatchId::none();
    trigger.condition = begins ? node(trigger.condition, {}) : NodeId::none();
    if (trigger.schedule.date) trigger.schedule.date = attribute(trigger.schedule.date);
  }
  for (plan::BudgetId& each : made.budgets) each = budget(each);
  for (std::size_t i = 0; i < made.steps.size(); ++i)
    made.steps[i] = step(wanted.steps[i], static_cast<std::uint16_t>(i));
  return made;
}

}  // namespace koi::deploy
