#include "deploy/extend.h"

#include <algorithm>
#include <map>
#include <utility>

#include "deploy/meaning.h"

namespace koi::deploy {

using plan::NodeId;
using plan::Op;

namespace {

template <class List>
bool has(const List& list, std::uint64_t definition) {
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& each) { return each.definition == definition; });
}

// Brings metrics from one plan into another.
class Extension {
 public:
  Extension(const plan::Plan& from, plan::Plan& to) : from_(from), to_(to) {}

  void bring(const plan::Accumulator& metric) {
    plan::Accumulator made = metric;
    made.events = match(metric.events);
    if (metric.field) made.field = field(metric.events.type, metric.field);
    const auto id = plan::AccumulatorId::of(to_.accumulators.size());
    KOI_ASSERT(to_.accumulators.size() < 0xffff);
    to_.accumulators.push_back(made);
    for_each_reaction(made.events.type,
                      [&](plan::Reaction& reaction) { reaction.accumulators.push_back(id); });
  }
  void bring(const plan::Log& log) {
    plan::Log made = log;
    made.events = match(log.events);
    for (FieldId& column : made.columns) column = field(log.events.type, column);
    const auto id = plan::LogId::of(to_.logs.size());
    KOI_ASSERT(to_.logs.size() < 0xffff);
    to_.logs.push_back(std::move(made));
    for_each_reaction(to_.logs.back().events.type,
                      [&](plan::Reaction& reaction) { reaction.logs.push_back(id); });
  }

 private:
  template <class Visit>
  void for_each_reaction(EventTypeId type, Visit visit) {
    if (type) return visit(to_.reactions[type.index()]);
    for (plan::Reaction& reaction : to_.reactions) visit(reaction);
  }

  EventTypeId event(EventTypeId type) {
    if (type.is_none()) return type;
    const EventType& wanted = from_.schema[type];
    auto& events = to_.schema.events;
    for (std::size_t i = 0; i < events.size(); ++i)
      if (events[i].symbol.name == wanted.symbol.name) return EventTypeId::of(i);
    events.push_back({.symbol = {wanted.symbol.name, {}},
                      .fields = {},
                      .made_by_engine = wanted.made_by_engine});
    to_.reactions.emplace_back();
    return EventTypeId::of(events.size() - 1);
  }

  FieldId field(EventTypeId type, FieldId id) {
    if (id == plan::event_time_field) return id;
    const Field& wanted = from_.schema[type].fields[id.index()];
    auto& fields = to_.schema.events[event(type).index()].fields;
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (fields[i].symbol.name == wanted.symbol.name && fields[i].type.kind == wanted.type.kind &&
          fields[i].type.element == wanted.type.element)
        return FieldId::of(i);
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

  plan::EventMatch match(const plan::EventMatch& wanted) {
    return {event(wanted.type), node(wanted.where, wanted.type, {})};
  }

  // An enumeration there, and what stands for it here.
  struct Enums {
    EnumId from, to;
  };
  Enums enums_of(NodeId id, EventTypeId type) {
    if (id.is_none()) return {};
    const plan::Node& known = from_[id];
    if (known.op == Op::Default) {
      const Enums first = enums_of(known.a, type);
      return first.from ? first : enums_of(known.b, type);
    }
    if (known.op != Op::Field) return {};
    const FieldId here = FieldId::of(known.index);
    const EnumId from = type_of(from_.schema, type, here).enumeration;
    if (from.is_none()) return {};
    return {from, type_of(to_.schema, event(type), field(type, here)).enumeration};
  }

  // A value of the enumeration by its name; one that is not there is put behind the others, where
  // no event can have it.
  Value constant(const Value& value, Enums enums) {
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

  // The `where` of a metric reads its event and constants alone, and is not deep: check sees to it.
  NodeId node(NodeId id, EventTypeId type, Enums enums) {
    if (id.is_none()) return {};
    const plan::Node& wanted = from_[id];
    if (wanted.op == Op::Constant) {
      to_.constants.push_back(constant(from_.constants[wanted.index], enums));
      return add({Op::Constant,
                  wanted.kind,
                  static_cast<std::uint32_t>(to_.constants.size() - 1),
                  {},
                  {}});
    }
    const auto known = nodes_.find({type, id});
    if (known != nodes_.end()) return known->second;
    plan::Node made = wanted;
    switch (wanted.op) {
      case Op::Field: made.index = field(type, FieldId::of(wanted.index)).value; break;
      case Op::Join: made.index = text(plan::TemplateId::of(wanted.index), type).value; break;
      case Op::Attribute:
      case Op::Slot:
      case Op::Metric:
      case Op::Watch:
      case Op::CustomerId:
      case Op::CustomerCreated:
      case Op::Consent: KOI_ASSERT(!"a metric's where reads its event alone"); break;
      default: break;
    }
    const Enums left = enums_of(wanted.a, type), right = enums_of(wanted.b, type);
    const Enums beside = left.from ? left : right.from ? right : enums;
    made.a = node(wanted.a, type, beside);
    made.b = node(wanted.b, type, beside);
    return nodes_[{type, id}] = add(made);
  }

  plan::TemplateId text(plan::TemplateId id, EventTypeId type) {
    plan::Template made = from_.templates[id.index()];
    for (auto& part : made.parts) {
      if (part.node.is_none()) continue;
      if (part.enumeration) part.enumeration = enums_of(part.node, type).to;
      part.node = node(part.node, type, {});
    }
    to_.templates.push_back(std::move(made));
    return plan::TemplateId::of(to_.templates.size() - 1);
  }

  NodeId add(const plan::Node& made) {
    to_.nodes.push_back(made);
    return NodeId::of(to_.nodes.size() - 1);
  }

  const plan::Plan& from_;
  plan::Plan& to_;
  std::map<std::pair<EventTypeId, NodeId>, NodeId> nodes_;
};

}  // namespace

Lacking lacking(const plan::Plan& plan, const plan::Plan& than) {
  Lacking found;
  for (std::size_t i = 0; i < plan.accumulators.size(); ++i)
    if (!has(than.accumulators, plan.accumulators[i].definition))
      found.accumulators.push_back(plan::AccumulatorId::of(i));
  for (std::size_t i = 0; i < plan.logs.size(); ++i)
    if (!has(than.logs, plan.logs[i].definition)) found.logs.push_back(plan::LogId::of(i));
  return found;
}

plan::Plan extend(const plan::Plan& rules, std::span<const plan::Plan* const> later) {
  plan::Plan made = rules;
  for (const plan::Plan* each : later) {
    const Lacking wanted = lacking(*each, made);
    Extension extension(*each, made);
    for (const plan::AccumulatorId id : wanted.accumulators)
      extension.bring(each->accumulators[id.index()]);
    for (const plan::LogId id : wanted.logs) extension.bring(each->logs[id.index()]);
  }
  made.schema.index();
  return made;
}

void fill(const plan::Plan& extended, Event& event) {
  const auto& fields = extended.schema[event.type].fields;
  while (event.fields.size() < fields.size())
    event.fields.push_back(fields[event.fields.size()].fallback);
}

}  // namespace koi::deploy
