#include "core/evaluate.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "core/accounts.h"
#include "core/metrics.h"

namespace koi::core {

using plan::Node;
using plan::NodeId;
using plan::Op;

namespace {

// Calls use(reading) with the metric's reading as of now.
template <class Use>
decltype(auto) with_reading(const Facts& facts, std::uint32_t id, Use use) {
  const auto fresh = [&] {
    return reading_of(facts.plan, facts.plan.metrics[id], facts.state, facts.now);
  };
  if (facts.readings) return use(facts.readings->of(id, facts.now, fresh));
  const Reading reading = fresh();
  return use(reading);
}

Value of(Kind kind, std::optional<std::int64_t> number) {
  return number ? Value::raw(kind, *number) : Value();
}

// --- Arithmetic on kinds ------------------------------------------------------------------------

Value add(const Value& a, const Value& b) {
  const Kind kind = a.kind() == Kind::Duration ? b.kind() : a.kind();
  return of(kind, checked_add(a.raw(), b.raw()));
}

Value subtract(const Value& a, const Value& b) {
  const bool span = a.kind() == Kind::Instant && b.kind() == Kind::Instant;
  return of(span ? Kind::Duration : a.kind(), checked_subtract(a.raw(), b.raw()));
}

Value multiply(const Value& a, const Value& b) {
  if (b.kind() == Kind::Number)
    return of(a.kind(), multiply_divide(a.raw(), b.raw(), Decimal::one));
  if (a.kind() == Kind::Number)
    return of(b.kind(), multiply_divide(a.raw(), b.raw(), Decimal::one));
  return of(a.kind() == Kind::Int ? b.kind() : a.kind(), checked_multiply(a.raw(), b.raw()));
}

Value divide(const Value& a, const Value& b) {
  if (a.kind() == b.kind())  // a ratio; whole numbers too
    return of(Kind::Number, multiply_divide(a.raw(), Decimal::one, b.raw()));
  if (b.kind() == Kind::Number)
    return of(a.kind(), multiply_divide(a.raw(), Decimal::one, b.raw()));
  return of(a.kind(), multiply_divide(a.raw(), 1, b.raw()));
}

// The unit that round and floor go to: one whole, and of money one major unit.
std::int64_t unit_of(const Facts& facts, Kind kind) {
  if (kind == Kind::Number) return Decimal::one;
  std::int64_t unit = 1;
  if (kind == Kind::Money)
    for (int i = 0; i < facts.plan.schema.currency_decimals; ++i) unit *= 10;
  return unit;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

Value whole(const Facts& facts, const Value& a, bool to_nearest) {
  const std::int64_t unit = unit_of(facts, a.kind());
  std::int64_t count = floor_divide(a.raw(), unit);
  // The nearest one, halves away from zero.
  const std::int64_t rest = a.raw() - count * unit;
  if (to_nearest && (rest > unit - rest || (rest == unit - rest && a.raw() >= 0))) ++count;
  if (a.kind() == Kind::Number) return Value::integer(count);
  return of(a.kind(), checked_multiply(count, unit));
}

std::int64_t length_of(const Value& a) {
  if (a.kind() == Kind::List) return static_cast<std::int64_t>(a.as_list().size());
  std::int64_t characters = 0;
  for (const char c : a.as_text()) characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return characters;
}

Value lower(const Value& a) {
  std::string text(a.as_text());
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return Value::text(text);
}

bool contains(const Value& whole, const Value& part) {
  if (whole.kind() == Kind::Text)
    return part.kind() == Kind::Text &&
           whole.as_text().find(part.as_text()) != std::string_view::npos;
  const auto elements = whole.as_list();
  return std::find(elements.begin(), elements.end(), part) != elements.end();
}

bool compare(Op op, const Value& a, const Value& b) {
  if (a.is_missing() || b.is_missing()) return false;
  const bool are_numbers = a.kind() == b.kind() && a.kind() != Kind::Text && a.kind() != Kind::List;
  const auto order = are_numbers ? a.raw() <=> b.raw() : a <=> b;
  switch (op) {
    case Op::Equal: return order == 0;
    case Op::NotEqual: return order != 0;
    case Op::Less: return order < 0;
    case Op::LessEqual: return order <= 0;
    case Op::Greater: return order > 0;
    case Op::GreaterEqual: return order >= 0;
    default: KOI_ASSERT(false);
  }
}

bool is_in(const State& state, const plan::Audience& audience) {
  return std::any_of(
      state.identifiers.begin(), state.identifiers.end(), [&](const Identifier& each) {
        return each.kind == audience.by &&
               std::binary_search(audience.members.begin(), audience.members.end(), each.text);
      });
}

bool has_consented(const Facts& facts, const plan::ConsentKey& key) {
  for (const Consent& consent : facts.state.consents)
    if (consent.purpose == key.purpose && consent.granted &&
        (key.channel.is_none() || consent.channel == key.channel || consent.channel.is_none()))
      return true;
  return false;
}

// What a value is to a person who reads a message.
std::string shown(const Facts& facts, const Value& value, EnumId enumeration) {
  switch (value.kind()) {
    case Kind::Missing: return {};
    case Kind::Bool: return value.as_bool() ? "yes" : "no";
    case Kind::Int: return std::to_string(value.raw());
    case Kind::Number: return to_string(value.as_number());
    case Kind::Money:
      return facts.plan.policy.currency_sign +
             scaled_to_string(value.raw(), facts.plan.schema.currency_decimals);
    case Kind::Text: return std::string(value.as_text());
    case Kind::Time: return to_string(value.as_time());
    case Kind::Date: return to_string(value.as_date());
    case Kind::Instant: {
      const LocalTime local = zone_of(facts.plan, facts.state).local(value.as_instant());
      return to_string(local.date) + " " + to_string(local.time);
    }
    case Kind::Duration: return to_string(value.as_duration());
    case Kind::Enum: {
      const auto& values = facts.plan.schema.enumerations[enumeration.index()].values;
      return values[static_cast<std::size_t>(value.raw())].name;
    }
    case Kind::List: {
      std::string text;
      for (const Value& element : value.as_list()) {
        if (!text.empty()) text += ", ";
        text += shown(facts, element, enumeration);
      }
      return text;
    }
  }
  KOI_ASSERT(false);
}

Value binary(Op op, const Value& a, const Value& b) {
  if (a.is_missing() || b.is_missing()) return {};
  switch (op) {
    case Op::Add: return add(a, b);
    case Op::Subtract: return subtract(a, b);
    case Op::Multiply: return multiply(a, b);
    case Op::Divide: return divide(a, b);
    default: KOI_ASSERT(false);
  }
}

Value unary(const Facts& facts, Op op, const Value& a) {
  if (a.is_missing()) return {};
  switch (op) {
    case Op::Negate: return of(a.kind(), checked_subtract(0, a.raw()));
    case Op::ToNumber: return of(Kind::Number, checked_multiply(a.raw(), Decimal::one));
    case Op::Days: return Value::integer(floor_divide(a.raw(), days(1).us));
    case Op::Hours: return Value::integer(floor_divide(a.raw(), hours(1).us));
    case Op::Round: return whole(facts, a, true);
    case Op::Floor: return whole(facts, a, false);
    case Op::Length: return Value::integer(length_of(a));
    case Op::Lower: return lower(a);
    default: KOI_ASSERT(false);
  }
}

}  // namespace

namespace {

// The value without copying it, where it stands somewhere already; else made in `scratch`.
const Value& seen(const Facts& facts, NodeId id, Value& scratch) {
  const Node& node = facts.plan[id];
  switch (node.op) {
    case Op::Constant: return facts.plan.constants[node.index];
    case Op::Attribute: return facts.state.attributes[node.index];
    case Op::Field:
      if (node.index < facts.fields.size()) return facts.fields[node.index];
      break;
    case Op::Slot:
      if (node.index < facts.frame.size()) return facts.frame[node.index];
      break;
    case Op::Metric:
      if (facts.readings)
        return with_reading(facts, node.index,
                            [](const Reading& reading) -> const Value& { return reading.value; });
      break;
    default: break;
  }
  return scratch = value_of(facts, id);
}

}  // namespace

namespace {

// What he holds, or was given last.
Value granted(const Facts& facts, const plan::GrantRead& read) {
  using What = plan::GrantRead::What;
  const Holdings* mine = facts.state.holdings.empty() ? nullptr : &facts.state.holdings[0];
  switch (read.what) {
    case What::Balance:
      if (mine)
        for (const Purse& purse : mine->purses)
          if (purse.points == read.incentive)
            return Value::integer(ledger::balance(purse.lots, facts.now));
      return Value::integer(0);
    case What::InviteCode:
      return Value::text(invite_code(facts.plan, read.referral, facts.state.id));
    case What::InviteScene:
      return Value::text(std::string(scene_prefix) +
                         invite_code(facts.plan, read.referral, facts.state.id));
    case What::InviteLink: {
      const auto& link = facts.plan.referrals[read.referral.index()].link;
      if (link.empty()) return {};
      std::string text = link.front();
      for (std::size_t i = 1; i < link.size(); ++i)
        text += invite_code(facts.plan, read.referral, facts.state.id) + link[i];
      return Value::text(text);
    }
    case What::Friends: return Value::integer(mine ? friends_who_count(*mine, read.referral) : 0);
    default: break;
  }
  if (!mine) return {};
  for (const Grant* grant = mine->grants.end(); grant != mine->grants.begin();) {
    if ((--grant)->incentive != read.incentive) continue;
    switch (read.what) {
      case What::Code: return grant->code.empty() ? Value() : Value::text(grant->code);
      case What::Amount: {
        const auto& what = facts.plan.incentives[read.incentive.index()].what;
        return std::holds_alternative<plan::Points>(what) ? Value::integer(grant->amount)
                                                          : Value::money(grant->amount);
      }
      case What::ValidUntil:
        return grant->until == Timestamp::never() ? Value() : Value::instant(grant->until);
      case What::Link: return grant->code.empty() ? Value() : Value::text("/p/" + grant->code);
      case What::Prize: return grant->prize.empty() ? Value() : Value::text(grant->prize);
      default: KOI_ASSERT(false);
    }
  }
  return {};
}

// When that can change by time alone.
Timestamp next_lapse(const Facts& facts, const plan::GrantRead& read) {
  Timestamp next = Timestamp::never();
  if (read.what != plan::GrantRead::What::Balance || facts.state.holdings.empty()) return next;
  for (const Purse& purse : facts.state.holdings[0].purses)
    if (purse.points == read.incentive)
      for (const ledger::Lot& lot : purse.lots)
        if (lot.lapses > facts.now) next = std::min(next, lot.lapses);
  return next;
}

}  // namespace

Value value_of(const Facts& facts, NodeId id) {
  const Node& node = facts.plan[id];
  switch (node.op) {
    case Op::Constant: return facts.plan.constants[node.index];
    case Op::Attribute: return facts.state.attributes[node.index];
    case Op::Field:
      if (node.index == plan::event_time_field.index()) return Value::instant(facts.event_time);
      return node.index < facts.fields.size() ? facts.fields[node.index] : Value();
    case Op::Slot: return node.index < facts.frame.size() ? facts.frame[node.index] : Value();
    case Op::Metric:
      return with_reading(facts, node.index, [](const Reading& reading) { return reading.value; });
    case Op::CustomerId: return Value::text(facts.state.id);
    case Op::CustomerCreated:
      return facts.state.created == Timestamp::never() ? Value()
                                                       : Value::instant(facts.state.created);
    case Op::Granted: return granted(facts, facts.plan.grant_reads[node.index]);
    case Op::Default: {
      Value value = value_of(facts, node.a);
      return value.is_missing() ? value_of(facts, node.b) : value;
    }
    case Op::Add:
    case Op::Subtract:
    case Op::Multiply:
    case Op::Divide: return binary(node.op, value_of(facts, node.a), value_of(facts, node.b));
    case Op::Negate:
    case Op::ToNumber:
    case Op::Days:
    case Op::Hours:
    case Op::Round:
    case Op::Floor:
    case Op::Length:
    case Op::Lower: return unary(facts, node.op, value_of(facts, node.a));
    case Op::Join: {
      const auto text = text_of(facts, plan::TemplateId::of(node.index));
      return text ? Value::text(*text) : Value();
    }
    case Op::Watch:
    case Op::Consent:
    case Op::Audience:
    case Op::Not:
    case Op::And:
    case Op::Or:
    case Op::Equal:
    case Op::NotEqual:
    case Op::Less:
    case Op::LessEqual:
    case Op::Greater:
    case Op::GreaterEqual:
    case Op::In:
    case Op::Contains:
    case Op::ContainsAny:
    case Op::IsKnown:
    case Op::IsMissing: return Value::boolean(holds(facts, id));
  }
  KOI_ASSERT(false);
}

bool holds(const Facts& facts, NodeId id) {
  if (id.is_none()) return true;
  const Node& node = facts.plan[id];
  switch (node.op) {
    case Op::Watch: return facts.state.watches[node.index].inside;
    case Op::Consent: return has_consented(facts, facts.plan.consents[node.index]);
    case Op::Audience: return is_in(facts.state, facts.plan.audiences[node.index]);
    case Op::Not: return !holds(facts, node.a);
    case Op::And: return holds(facts, node.a) && holds(facts, node.b);
    case Op::Or: return holds(facts, node.a) || holds(facts, node.b);
    case Op::Equal:
    case Op::NotEqual:
    case Op::Less:
    case Op::LessEqual:
    case Op::Greater:
    case Op::GreaterEqual: {
      Value left, right;
      return compare(node.op, seen(facts, node.a, left), seen(facts, node.b, right));
    }
    case Op::In: {
      Value left, right;
      const Value& element = seen(facts, node.a, left);
      return !element.is_missing() && contains(seen(facts, node.b, right), element);
    }
    case Op::Contains: {
      Value left, right;
      const Value& part = seen(facts, node.b, right);
      return !part.is_missing() && contains(seen(facts, node.a, left), part);
    }
    case Op::ContainsAny: {
      Value left, right;
      const Value& whole = seen(facts, node.a, left);
      const auto parts = seen(facts, node.b, right).as_list();
      return std::any_of(parts.begin(), parts.end(),
                         [&](const Value& part) { return contains(whole, part); });
    }
    case Op::IsKnown:
    case Op::IsMissing: {
      Value scratch;
      return seen(facts, node.a, scratch).is_missing() == (node.op == Op::IsMissing);
    }
    default: {
      const Value value = value_of(facts, id);
      return value.kind() == Kind::Bool && value.as_bool();
    }
  }
}

// --- When things change by time alone -----------------------------------------------------------

namespace {

Timestamp next_change(const Facts& facts, NodeId id);

// `time since` moves at every microsecond. Comparisons, sums, days() and hours() of it are followed
// exactly (Line); the checker refuses it elsewhere, and this bounds the cost if it should not.
constexpr Duration moving_step = seconds(1);

// A quantity of time as it stands now and how it moves: value + slope × (t - now), until it jumps.
struct Line {
  std::optional<std::int64_t> value;  // nothing: missing
  std::int64_t slope = 0;
  Timestamp jump = Timestamp::never();
};

Line line_of(const Facts& facts, NodeId id) {
  const Node& node = facts.plan[id];
  const auto combine = [&](auto operation) {
    const Line a = line_of(facts, node.a), b = line_of(facts, node.b);
    Line result{std::nullopt, operation(a.slope, b.slope), std::min(a.jump, b.jump)};
    if (a.value && b.value) result.value = operation(*a.value, *b.value);
    return result;
  };
  switch (node.op) {
    case Op::Metric: {
      const plan::Metric& metric = facts.plan.metrics[node.index];
      if (metric.aggregate != plan::Aggregate::TimeSinceLast) break;
      const Value value =
          with_reading(facts, node.index, [](const Reading& reading) { return reading.value; });
      Line line{std::nullopt, 1, next_change(facts.plan, metric, facts.state, facts.now)};
      if (!value.is_missing()) line.value = value.raw();
      return line;
    }
    case Op::Add: return combine([](std::int64_t a, std::int64_t b) { return a + b; });
    case Op::Subtract: return combine([](std::int64_t a, std::int64_t b) { return a - b; });
    case Op::Negate: {
      Line line = line_of(facts, node.a);
      if (line.value) line.value = -*line.value;
      line.slope = -line.slope;
      return line;
    }
    case Op::Default: {
      Line a = line_of(facts, node.a);
      if (a.value) return a;
      Line b = line_of(facts, node.b);
      b.jump = std::min(a.jump, b.jump);
      return b;
    }
    default: break;
  }
  const Value value = value_of(facts, id);
  Line line{std::nullopt, 0, next_change(facts, id)};
  if (!value.is_missing()) line.value = value.raw();
  return line;
}

bool is_of_time(Kind kind) { return kind == Kind::Duration || kind == Kind::Instant; }

// The first whole number of microseconds after which distance + slope × n reaches (or, if `beyond`,
// passes) zero from below; slope > 0, distance ≤ 0.
std::int64_t steps_to_zero(std::int64_t distance, std::int64_t slope, bool beyond) {
  return beyond ? -distance / slope + 1 : (-distance + slope - 1) / slope;
}

Timestamp flip_of_lines(const Facts& facts, const Node& node) {
  const Line a = line_of(facts, node.a), b = line_of(facts, node.b);
  Timestamp flip = std::min(a.jump, b.jump);
  if (!a.value || !b.value) return flip;
  std::int64_t distance = *a.value - *b.value;
  std::int64_t slope = a.slope - b.slope;
  if (slope == 0) return flip;
  Op op = node.op;
  if (slope < 0) {  // look at it from the other side, so that the distance grows
    distance = -distance;
    slope = -slope;
    if (op == Op::Less)
      op = Op::Greater;
    else if (op == Op::Greater)
      op = Op::Less;
    else if (op == Op::LessEqual)
      op = Op::GreaterEqual;
    else if (op == Op::GreaterEqual)
      op = Op::LessEqual;
  }
  std::int64_t after = 0;  // 0: never again
  switch (op) {
    case Op::Greater:
    case Op::LessEqual:
      if (distance <= 0) after = steps_to_zero(distance, slope, true);
      break;
    case Op::GreaterEqual:
    case Op::Less:
      if (distance < 0) after = steps_to_zero(distance, slope, false);
      break;
    default:  // equal, not equal: at zero, and just behind it
      if (distance < 0)
        after = steps_to_zero(distance, slope, false);
      else if (distance == 0)
        after = 1;
  }
  if (after == 0) return flip;
  return std::min(flip, facts.now + microseconds(after));
}

Timestamp flip_of_comparison(const Facts& facts, const Node& node) {
  const Node& left = facts.plan[node.a];
  const Node& right = facts.plan[node.b];
  if (is_of_time(left.kind)) return flip_of_lines(facts, node);
  if (left.op == Op::Metric && right.op == Op::Constant)
    return with_reading(facts, left.index, [&](const Reading& reading) {
      return next_crossing(facts.plan, facts.plan.metrics[left.index], facts.state, facts.now,
                           reading, node.op, facts.plan.constants[right.index]);
    });
  return std::min(next_change(facts, node.a), next_change(facts, node.b));
}

// The first instant after now at which the node's value can change by time alone.
Timestamp next_change(const Facts& facts, NodeId id) {
  if (id.is_none()) return Timestamp::never();
  const Node& node = facts.plan[id];
  switch (node.op) {
    case Op::Constant:
    case Op::Attribute:
    case Op::Field:
    case Op::Slot:
    case Op::CustomerId:
    case Op::CustomerCreated:
    case Op::Consent:
    case Op::Audience: return Timestamp::never();
    case Op::Granted: return next_lapse(facts, facts.plan.grant_reads[node.index]);
    case Op::Watch: return facts.state.watches[node.index].flip;
    case Op::Metric: {
      const plan::Metric& metric = facts.plan.metrics[node.index];
      const Timestamp jump = next_change(facts.plan, metric, facts.state, facts.now);
      if (metric.aggregate != plan::Aggregate::TimeSinceLast) return jump;
      return std::min(jump, facts.now + moving_step);
    }
    case Op::Days:
    case Op::Hours: {
      const Line line = line_of(facts, node.a);
      if (!line.value || line.slope == 0) return line.jump;
      const std::int64_t unit = node.op == Op::Days ? days(1).us : hours(1).us;
      const std::int64_t below = floor_divide(*line.value, unit) * unit;
      const std::int64_t after =
          line.slope > 0 ? steps_to_zero(*line.value - (below + unit), line.slope, false)
                         : steps_to_zero(below - *line.value, -line.slope, true);
      return std::min(line.jump, facts.now + microseconds(after));
    }
    case Op::Join: {
      Timestamp first = Timestamp::never();
      for (const auto& part : facts.plan.templates[node.index].parts)
        first = std::min(first, next_change(facts, part.node));
      return first;
    }
    case Op::Not:
    case Op::And:
    case Op::Or:
    case Op::Equal:
    case Op::NotEqual:
    case Op::Less:
    case Op::LessEqual:
    case Op::Greater:
    case Op::GreaterEqual: return next_flip(facts, id);
    default: break;
  }
  if (node.op == Op::Add || node.op == Op::Subtract || node.op == Op::Negate ||
      node.op == Op::Default) {
    const Line line = line_of(facts, id);
    return line.slope == 0 ? line.jump : std::min(line.jump, facts.now + moving_step);
  }
  return std::min(next_change(facts, node.a), next_change(facts, node.b));
}

}  // namespace

Turning turning_of(const Facts& facts, NodeId id) {
  if (id.is_none()) return {true, Timestamp::never()};
  const Node& node = facts.plan[id];
  switch (node.op) {
    case Op::Not: {
      const Turning a = turning_of(facts, node.a);
      return {!a.holds, a.flip};
    }
    case Op::And:
    case Op::Or: {
      // While an `and` is false, each of its false sides must turn first; an `or` is its mirror.
      const bool decided_by = node.op == Op::Or;
      const Turning a = turning_of(facts, node.a);
      if (a.holds == decided_by) {
        if (a.flip == Timestamp::never() || holds(facts, node.b) != decided_by) return a;
        return {decided_by, std::max(a.flip, next_flip(facts, node.b))};
      }
      const Turning b = turning_of(facts, node.b);
      return b.holds == decided_by ? b : Turning{b.holds, std::min(a.flip, b.flip)};
    }
    case Op::Equal:
    case Op::NotEqual:
    case Op::Less:
    case Op::LessEqual:
    case Op::Greater:
    case Op::GreaterEqual: return {holds(facts, id), flip_of_comparison(facts, node)};
    default: return {holds(facts, id), next_change(facts, id)};
  }
}

Timestamp next_flip(const Facts& facts, NodeId id) { return turning_of(facts, id).flip; }

std::optional<std::string> text_of(const Facts& facts, plan::TemplateId id) {
  std::string text;
  for (const auto& part : facts.plan.templates[id.index()].parts) {
    text += part.literal;
    if (part.node.is_none()) continue;
    const Value value = value_of(facts, part.node);
    if (value.is_missing()) return std::nullopt;
    text += shown(facts, value, part.enumeration);
  }
  return text;
}

}  // namespace koi::core
