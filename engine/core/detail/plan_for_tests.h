// A plan made by hand, for core's own tests: one event type `order` after the engine's, with an
// amount, a count, a text and a date, and whatever metrics, nodes and campaigns a test adds.
#pragma once

#include <string>

#include "plan/plan.h"

namespace koi::core {

inline constexpr FieldId no_field = FieldId::none();  // of a metric that reads none

class PlanForTests {
 public:
  PlanForTests() {
    plan.policy.zone = find_zone("Asia/Shanghai");
    plan.schema.events = engine_events();
    order = EventTypeId::of(plan.schema.events.size());
    const auto optional = [](Kind kind) { return Type{.kind = kind, .optional = true}; };
    plan.schema.events.push_back(
        {.symbol = {"order", "订单"},
         .fields = {{.symbol = {"amount", ""}, .type = optional(Kind::Money)},
                    {.symbol = {"pieces", ""}, .type = optional(Kind::Int)},
                    {.symbol = {"sku", ""}, .type = optional(Kind::Text)}}});
    for (const char* name : {"time_zone", "language", "stage", "city"})
      plan.schema.attributes.push_back({.symbol = {name, ""}, .type = optional(Kind::Text)});
    plan.watches_of_attribute.resize(plan.schema.attributes.size());
    plan.reactions.resize(plan.schema.events.size());
    plan.schema.index();
  }

  static constexpr FieldId amount = FieldId::of(0), pieces = FieldId::of(1), sku = FieldId::of(2);
  static constexpr AttributeId city = AttributeId::of(3);

  plan::NodeId node(plan::Op op, Kind kind, std::size_t index, plan::NodeId a = {},
                    plan::NodeId b = {}) {
    plan.nodes.push_back({op, kind, static_cast<std::uint32_t>(index), a, b});
    return plan::NodeId::of(plan.nodes.size() - 1);
  }
  plan::NodeId constant(Value value) {
    const Kind kind = value.kind();
    plan.constants.push_back(std::move(value));
    return node(plan::Op::Constant, kind, plan.constants.size() - 1);
  }
  plan::NodeId compare(plan::Op op, plan::NodeId a, plan::NodeId b) {
    return node(op, Kind::Bool, 0, a, b);
  }
  plan::NodeId metric_node(plan::MetricId id) {
    return node(plan::Op::Metric, plan.metrics[id.index()].kind, id.index());
  }

  // A metric over all orders, with its own accumulator or log.
  plan::MetricId metric(plan::Aggregate aggregate, FieldId field, plan::Window window = {}) {
    using plan::Aggregate;
    plan::Metric made;
    made.aggregate = aggregate;
    made.events.type = order;
    made.field = field;
    made.window = window;
    made.definition = plan.metrics.size() + 1;
    const Kind summed =
        field.is_none() ? Kind::Int : plan.schema[order].fields[field.index()].type.kind;
    switch (aggregate) {
      case Aggregate::Count:
      case Aggregate::Distinct:
      case Aggregate::Streak: made.kind = Kind::Int; break;
      case Aggregate::Ever:
      case Aggregate::Never: made.kind = Kind::Bool; break;
      case Aggregate::TimeSinceLast: made.kind = Kind::Duration; break;
      case Aggregate::Values: made.kind = Kind::List; break;
      case Aggregate::Average: made.kind = summed == Kind::Int ? Kind::Number : summed; break;
      default: made.kind = summed;
    }
    auto& reaction = plan.reactions[order.index()];
    if (window.kind == plan::WindowKind::Lifetime) {
      plan.accumulators.push_back({made.definition, kept_as(aggregate), made.events, field});
      made.accumulator = plan::AccumulatorId::of(plan.accumulators.size() - 1);
      reaction.accumulators.push_back(made.accumulator);
    } else {
      plan::Log log{made.definition, made.events, {}, retention(window)};
      if (field) log.columns = {field};
      plan.logs.push_back(log);
      made.log = plan::LogId::of(plan.logs.size() - 1);
      reaction.logs.push_back(made.log);
    }
    plan.metrics.push_back(made);
    return plan::MetricId::of(plan.metrics.size() - 1);
  }

  plan::Plan plan;
  EventTypeId order;

 private:
  static plan::Aggregate kept_as(plan::Aggregate aggregate) {
    using plan::Aggregate;
    switch (aggregate) {
      case Aggregate::Ever:
      case Aggregate::Never: return Aggregate::Count;
      case Aggregate::Average: return Aggregate::Sum;
      case Aggregate::TimeSinceLast: return Aggregate::Last;
      case Aggregate::MostFrequent:
      case Aggregate::Values: return Aggregate::Distinct;
      default: return aggregate;
    }
  }
  static Span retention(const plan::Window& window) {
    switch (window.kind) {
      case plan::WindowKind::ThisDay: return {0, days(2)};
      case plan::WindowKind::ThisWeek: return {0, days(8)};
      case plan::WindowKind::ThisMonth: return {0, days(32)};
      case plan::WindowKind::ThisYear: return {0, days(367)};
      default: return window.span;
    }
  }
};

}  // namespace koi::core
