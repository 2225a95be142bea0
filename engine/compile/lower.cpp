// Expressions to shared nodes; metrics to accumulators and logs; segments to watches.
#include <algorithm>

#include "compile/detail/compiler.h"

namespace koi::compile {
namespace {

plan::Op op_of(check::Op op) {
  switch (op) {
    case check::Op::Constant: return plan::Op::Constant;
    case check::Op::Attribute: return plan::Op::Attribute;
    case check::Op::EventField: return plan::Op::Field;
    case check::Op::BindingField: return plan::Op::Slot;
    case check::Op::Metric: return plan::Op::Metric;
    case check::Op::Segment: return plan::Op::Watch;
    case check::Op::CustomerId: return plan::Op::CustomerId;
    case check::Op::CustomerCreated: return plan::Op::CustomerCreated;
    case check::Op::Consent: return plan::Op::Consent;
    case check::Op::Audience: return plan::Op::Audience;
    case check::Op::Not: return plan::Op::Not;
    case check::Op::And: return plan::Op::And;
    case check::Op::Or: return plan::Op::Or;
    case check::Op::Equal: return plan::Op::Equal;
    case check::Op::NotEqual: return plan::Op::NotEqual;
    case check::Op::Less: return plan::Op::Less;
    case check::Op::LessEqual: return plan::Op::LessEqual;
    case check::Op::Greater: return plan::Op::Greater;
    case check::Op::GreaterEqual: return plan::Op::GreaterEqual;
    case check::Op::In: return plan::Op::In;
    case check::Op::Contains: return plan::Op::Contains;
    case check::Op::ContainsAny: return plan::Op::ContainsAny;
    case check::Op::IsKnown: return plan::Op::IsKnown;
    case check::Op::IsMissing: return plan::Op::IsMissing;
    case check::Op::Default: return plan::Op::Default;
    case check::Op::Add: return plan::Op::Add;
    case check::Op::Subtract: return plan::Op::Subtract;
    case check::Op::Multiply: return plan::Op::Multiply;
    case check::Op::Divide: return plan::Op::Divide;
    case check::Op::Negate: return plan::Op::Negate;
    case check::Op::ToNumber: return plan::Op::ToNumber;
    case check::Op::Days: return plan::Op::Days;
    case check::Op::Hours: return plan::Op::Hours;
    case check::Op::Round: return plan::Op::Round;
    case check::Op::Floor: return plan::Op::Floor;
    case check::Op::Length: return plan::Op::Length;
    case check::Op::Lower: return plan::Op::Lower;
    case check::Op::Join: return plan::Op::Join;
    case check::Op::Granted: return plan::Op::Granted;
  }
  KOI_ASSERT(false);
}

plan::Aggregate aggregate_of(check::Aggregate aggregate) {
  switch (aggregate) {
    case check::Aggregate::Count: return plan::Aggregate::Count;
    case check::Aggregate::Sum: return plan::Aggregate::Sum;
    case check::Aggregate::Average: return plan::Aggregate::Average;
    case check::Aggregate::Min: return plan::Aggregate::Min;
    case check::Aggregate::Max: return plan::Aggregate::Max;
    case check::Aggregate::First: return plan::Aggregate::First;
    case check::Aggregate::Last: return plan::Aggregate::Last;
    case check::Aggregate::Distinct: return plan::Aggregate::Distinct;
    case check::Aggregate::TimeSinceLast: return plan::Aggregate::TimeSinceLast;
    case check::Aggregate::Streak: return plan::Aggregate::Streak;
    case check::Aggregate::Ever: return plan::Aggregate::Ever;
    case check::Aggregate::Never: return plan::Aggregate::Never;
    case check::Aggregate::MostFrequent: return plan::Aggregate::MostFrequent;
    case check::Aggregate::Values: return plan::Aggregate::Values;
  }
  KOI_ASSERT(false);
}

// What must be kept for an aggregate over the whole lifetime.
plan::Aggregate kept_for(plan::Aggregate aggregate) {
  switch (aggregate) {
    case plan::Aggregate::Count:
    case plan::Aggregate::Ever:
    case plan::Aggregate::Never: return plan::Aggregate::Count;
    case plan::Aggregate::Sum:
    case plan::Aggregate::Average: return plan::Aggregate::Sum;
    case plan::Aggregate::Min: return plan::Aggregate::Min;
    case plan::Aggregate::Max: return plan::Aggregate::Max;
    case plan::Aggregate::First: return plan::Aggregate::First;
    case plan::Aggregate::Last:
    case plan::Aggregate::TimeSinceLast: return plan::Aggregate::Last;
    case plan::Aggregate::Distinct:
    case plan::Aggregate::MostFrequent:
    case plan::Aggregate::Values: return plan::Aggregate::Distinct;
    case plan::Aggregate::Streak: return plan::Aggregate::Streak;
  }
  KOI_ASSERT(false);
}

plan::Window window_of(const check::Window& window) {
  switch (window.kind) {
    case check::WindowKind::Lifetime: return {plan::WindowKind::Lifetime, {}};
    case check::WindowKind::Trailing: return {plan::WindowKind::Trailing, window.span};
    case check::WindowKind::ThisDay: return {plan::WindowKind::ThisDay, {}};
    case check::WindowKind::ThisWeek: return {plan::WindowKind::ThisWeek, {}};
    case check::WindowKind::ThisMonth: return {plan::WindowKind::ThisMonth, {}};
    case check::WindowKind::ThisYear: return {plan::WindowKind::ThisYear, {}};
  }
  KOI_ASSERT(false);
}

// A fixed span that is never shorter than the window: a month has at most 31 days, and a clock
// change may add an hour to any of them.
Duration retention_of(const plan::Window& window) {
  switch (window.kind) {
    case plan::WindowKind::Lifetime: break;
    case plan::WindowKind::Trailing:
      if (window.span.months == 0) return window.span.fixed;
      return days(31 * window.span.months + 1) + window.span.fixed;
    case plan::WindowKind::ThisDay: return days(2);
    case plan::WindowKind::ThisWeek: return days(8);
    case plan::WindowKind::ThisMonth: return days(32);
    case plan::WindowKind::ThisYear: return days(367);
  }
  KOI_ASSERT(false);
}

}  // namespace

// --- Nodes ---------------------------------------------------------------------------------------

plan::NodeId Compiler::node(plan::Op op, Kind kind, std::uint32_t index, plan::NodeId a,
                            plan::NodeId b) {
  const plan::Node made{op, kind, index, a, b};
  const auto [known, is_new] = node_ids_.emplace(made, plan::NodeId::of(plan_.nodes.size()));
  if (is_new) plan_.nodes.push_back(made);
  return known->second;
}

// Operands stand before what uses them in the program too, but what is not used is not lowered.
plan::NodeId Compiler::lower(check::ExpressionId root) {
  if (root.is_none()) return plan::NodeId::none();
  std::vector<check::ExpressionId> stack{root};
  while (!stack.empty()) {
    const check::ExpressionId id = stack.back();
    if (!lowered_[id.index()].is_none()) {
      stack.pop_back();
      continue;
    }
    const check::Expression& expression = program_[id];
    const std::size_t before = stack.size();
    const auto need = [&](check::ExpressionId operand) {
      if (!operand.is_none() && lowered_[operand.index()].is_none()) stack.push_back(operand);
    };
    need(expression.b);
    need(expression.a);
    for (const auto& part : expression.parts) need(part.value);
    if (stack.size() != before) continue;
    const plan::NodeId made = lower_one(expression);
    lowered_[id.index()] = made;
    stack.pop_back();
  }
  return lowered_[root.index()];
}

plan::NodeId Compiler::lower_one(const check::Expression& expression) {
  const auto operand = [&](check::ExpressionId id) {
    return id.is_none() ? plan::NodeId::none() : lowered_[id.index()];
  };
  std::uint32_t index = expression.index;
  switch (expression.op) {
    case check::Op::Constant: {
      const auto [known, is_new] = constant_ids_.emplace(
          expression.constant, static_cast<std::uint32_t>(plan_.constants.size()));
      if (is_new) plan_.constants.push_back(expression.constant);
      index = known->second;
      break;
    }
    case check::Op::BindingField: index = slot(expression.binding, expression.index).value; break;
    case check::Op::Metric: index = metric(check::MetricId::of(expression.index)).value; break;
    case check::Op::Segment: index = segment_watches_[expression.index].value; break;
    case check::Op::Join: index = template_of(expression).value; break;
    default: break;
  }
  return node(op_of(expression.op), expression.type.kind, index, operand(expression.a),
              operand(expression.b));
}

// The pieces of a text; its values are lowered already, or lowered here.
plan::TemplateId Compiler::template_of(const check::Expression& text) {
  plan::Template made;
  if (text.op == check::Op::Join) {
    for (const auto& part : text.parts) {
      plan::Template::Part piece;
      piece.literal = part.literal;
      if (!part.value.is_none()) {
        piece.node = lower(part.value);
        piece.enumeration = program_[part.value].type.enumeration;
      }
      made.parts.push_back(std::move(piece));
    }
  } else {
    KOI_ASSERT(text.op == check::Op::Constant);
    made.parts.push_back({std::string(text.constant.as_text()), {}, {}});
  }
  plan_.templates.push_back(std::move(made));
  return plan::TemplateId::of(plan_.templates.size() - 1);
}

plan::EventMatch Compiler::match(const check::EventMatch& events) {
  return {events.type, lower(events.where)};
}

// --- Metrics -------------------------------------------------------------------------------------

// What is counted, told by names.
HashInput Compiler::definition_of(const check::EventMatch& events, FieldId field) const {
  HashInput hash;
  hash.text(events.type.is_none() ? std::string() : program_.schema[events.type].symbol.name);
  const Hash128 where = events.where.is_none() ? Hash128{} : program_[events.where].definition;
  hash.number(where.high).number(where.low);
  if (!field.is_none()) {
    const Field& declared = program_.schema[events.type].fields[field.index()];
    hash.text(declared.symbol.name).number(static_cast<std::uint64_t>(declared.type.kind));
  }
  return hash;
}

plan::AccumulatorId Compiler::accumulator(const check::Metric& metric,
                                          const plan::EventMatch& events) {
  plan::Accumulator made;
  made.aggregate = kept_for(aggregate_of(metric.aggregate));
  made.events = events;
  made.field = metric.field;
  made.definition = definition_of(metric.events, metric.field)
                        .text("accumulator")
                        .number(static_cast<std::uint64_t>(made.aggregate))
                        .hash64();
  const auto [known, is_new] =
      accumulator_ids_.emplace(made.definition, plan::AccumulatorId::of(plan_.accumulators.size()));
  if (is_new) plan_.accumulators.push_back(made);
  return known->second;
}

std::pair<plan::LogId, std::uint16_t> Compiler::log(const check::Metric& metric,
                                                    const plan::EventMatch& events) {
  const std::uint64_t key = definition_of(metric.events, FieldId::none()).hash64();
  const auto [known, is_new] = log_ids_.emplace(key, plan::LogId::of(plan_.logs.size()));
  if (is_new) plan_.logs.push_back({0, events, {}, {}});
  plan::Log& log = plan_.logs[known->second.index()];
  log.retention.fixed = std::max(log.retention.fixed, retention_of(window_of(metric.window)));
  if (metric.field.is_none()) return {known->second, 0};
  auto column = std::find(log.columns.begin(), log.columns.end(), metric.field);
  if (column == log.columns.end()) column = log.columns.insert(column, metric.field);
  return {known->second, static_cast<std::uint16_t>(column - log.columns.begin())};
}

// A log's definition has its columns and how long it keeps: behind all metrics.
void Compiler::name_logs() {
  std::vector<check::EventMatch> events(plan_.logs.size());
  for (const auto& metric : program_.metrics) {
    const auto found = log_ids_.find(definition_of(metric.events, FieldId::none()).hash64());
    if (found != log_ids_.end()) events[found->second.index()] = metric.events;
  }
  for (std::size_t i = 0; i < plan_.logs.size(); ++i) {
    plan::Log& log = plan_.logs[i];
    HashInput hash = definition_of(events[i], FieldId::none());
    hash.text("log");
    for (const FieldId column : log.columns) {
      const Field& field = program_.schema[log.events.type].fields[column.index()];
      hash.text(field.symbol.name).number(static_cast<std::uint64_t>(field.type.kind));
    }
    hash.number(static_cast<std::uint64_t>(log.retention.fixed.us));
    log.definition = hash.hash64();
  }
}

plan::MetricId Compiler::metric(check::MetricId id) {
  plan::MetricId& known = metric_ids_[id.index()];
  if (!known.is_none()) return known;
  const check::Metric& from = program_.metrics[id.index()];
  plan::Metric made;
  made.symbol = from.symbol;
  made.definition = from.definition.low;
  made.aggregate = aggregate_of(from.aggregate);
  made.events = match(from.events);
  made.field = from.field;
  made.window = window_of(from.window);
  made.kind = from.type.kind;
  if (made.window.kind == plan::WindowKind::Lifetime)
    made.accumulator = accumulator(from, made.events);
  else
    std::tie(made.log, made.column) = log(from, made.events);
  known = plan::MetricId::of(plan_.metrics.size());
  plan_.metrics.push_back(std::move(made));
  return known;
}

// --- Watches -------------------------------------------------------------------------------------

void Compiler::segments() {
  // A segment was checked behind those that it reads, and so its condition stands behind theirs.
  std::vector<std::size_t> order(program_.segments.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto &left = program_.segments[a], &right = program_.segments[b];
    return std::pair(left.condition, a) < std::pair(right.condition, b);
  });
  segment_watches_.resize(order.size());
  for (const std::size_t i : order) {
    const check::Segment& segment = program_.segments[i];
    const Hash128 condition = program_[segment.condition].definition;
    const auto id = plan::WatchId::of(plan_.watches.size());
    segment_watches_[i] = id;
    watch_ids_.emplace(condition, id);
    const std::uint64_t definition =
        HashInput().text(segment.symbol.name).number(condition.high).number(condition.low).hash64();
    const plan::NodeId node = lower(segment.condition);
    plan_.watches.push_back({segment.symbol, definition, node, true});
  }
}

void Compiler::audiences() {
  for (const check::Audience& from : program_.audiences) {
    plan_.audiences.push_back({from.symbol, from.by, from.members});
  }
}

// What was found of a customer for one way to rank is of no use for another: it is another name.
AttributeId Compiler::taken_of(const check::Tier& tier) {
  HashInput hash;
  for (const check::ExpressionId id : {tier.by, tier.among}) {
    const Hash128 definition = id.is_none() ? Hash128{} : program_[id].definition;
    hash.number(definition.high).number(definition.low);
  }
  const auto& when = tier.refreshed;
  hash.number(static_cast<std::uint64_t>(when.every)).number(static_cast<std::uint64_t>(when.day));
  hash.number(static_cast<std::uint64_t>(when.time.us)).text(program_.policy.zone->name());
  const auto id = AttributeId::of(plan_.schema.attributes.size());
  const Attribute& level = plan_.schema[tier.attribute];
  plan_.schema.attributes.push_back(
      {.symbol = {level.symbol.name + " by " + to_hex(hash.hash128()), {}},
       .type = {.kind = program_[tier.by].type.kind, .optional = true},
       .is_inner = true});
  return id;
}

void Compiler::tiers() {
  for (const check::Tier& from : program_.tiers) {
    plan::Tier to;
    to.symbol = from.symbol;
    to.by = lower(from.by);
    to.among = lower(from.among);
    to.refreshed = schedule_of(from.refreshed);
    for (const Decimal share : from.up_to) to.up_to.push_back(share.millionths);
    to.attribute = from.attribute;
    to.ranked = from.ranked;
    to.taken = taken_of(from);
    plan_.tiers.push_back(std::move(to));
  }
}

// The watch of a condition on whose crossing a campaign begins: a segment's, or a hidden one.
plan::WatchId Compiler::watch(check::ExpressionId condition) {
  const check::Expression& expression = program_[condition];
  if (expression.op == check::Op::Segment) return segment_watches_[expression.index];
  const auto [known, is_new] =
      watch_ids_.emplace(expression.definition, plan::WatchId::of(plan_.watches.size()));
  if (is_new) {
    const plan::NodeId node = lower(condition);
    plan_.watches.push_back({{}, expression.definition.low, node, false});
  }
  return known->second;
}

}  // namespace koi::compile
