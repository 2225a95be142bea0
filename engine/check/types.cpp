// What an expression is: literals, texts, what is asked of its parts, and how it is built.
#include <algorithm>

#include "check/detail/checker.h"
#include "model/codec.h"

namespace koi::check {
namespace {

// Deeper trees would make the engine's evaluation deep: definitions are read through their names.
constexpr int deepest_expression = 1000;

}  // namespace

// --- Building ------------------------------------------------------------------------------------

ExpressionId Checker::add(Expression expression, std::string_view name, std::uint32_t names) {
  ExpressionFacts facts;
  facts.names = names;
  HashInput hash;
  hash.number(static_cast<std::uint64_t>(expression.op));
  hash.number(static_cast<std::uint64_t>(expression.type.kind));
  hash.text(name);
  const auto define = [&](Hash128 definition) {
    hash.number(definition.high).number(definition.low);
  };
  facts.constant = true;
  switch (expression.op) {
    case Op::Constant: {
      facts.constant = expression.type.kind != Kind::Missing;
      const auto& value = expression.constant;
      if (!expression.type.enumeration.is_none() && !value.is_missing()) {
        const auto& values =
            program_.schema.enumerations[expression.type.enumeration.index()].values;
        if (value.kind() == Kind::Enum) {
          hash.text(values[static_cast<std::size_t>(value.raw())].name);
        } else {
          for (const Value& element : value.as_list())
            hash.text(values[static_cast<std::size_t>(element.raw())].name);
        }
      } else {
        ByteWriter bytes;
        bytes.value(value);
        hash.text(bytes.bytes());
      }
      break;
    }
    case Op::EventField: facts.constant = false; break;
    case Op::BindingField:
      facts.constant = false;
      hash.number(expression.binding.value);
      break;
    case Op::Attribute:
    case Op::CustomerId:
    case Op::CustomerCreated:
    case Op::Granted:
    case Op::Consent: facts.constant = false, facts.reads_customer = true; break;
    case Op::Audience:  // with other people in it, it is another condition
      facts.constant = false, facts.reads_customer = true;
      define(program_.audiences[expression.index].definition);
      break;
    case Op::Metric:
      facts.constant = false, facts.reads_customer = true;
      define(program_.metrics[expression.index].definition);
      break;
    case Op::Segment:
      facts.constant = false, facts.reads_customer = true;
      define(program_[program_.segments[expression.index].condition].definition);
      break;
    default: break;
  }
  const auto operand = [&](ExpressionId id) {
    if (id.is_none()) return;
    const auto& other = facts_[id.index()];
    facts.depth = std::max(facts.depth, other.depth + 1);
    facts.constant = facts.constant && other.constant;
    facts.reads_customer = facts.reads_customer || other.reads_customer;
    define(program_[id].definition);
  };
  operand(expression.a);
  operand(expression.b);
  for (const auto& part : expression.parts) {
    hash.text(part.literal);
    operand(part.value);
  }
  if (facts.depth > deepest_expression) {
    report(Code::TooDeep, expression.span, {std::to_string(deepest_expression)});
    return poison(expression.span);
  }
  expression.definition = hash.hash128();
  program_.expressions.push_back(std::move(expression));
  facts_.push_back(facts);
  return ExpressionId::of(program_.expressions.size() - 1);
}

ExpressionId Checker::poison(SourceSpan span) {
  return add({.op = Op::Constant, .type = {}, .span = span});
}

ExpressionId Checker::constant(Value value, Type type, SourceSpan span) {
  return add({.op = Op::Constant, .type = type, .span = span, .constant = std::move(value)});
}

ExpressionId Checker::unary(Op op, ExpressionId a, Type type, SourceSpan span) {
  return add({.op = op, .type = type, .span = span, .a = a});
}

ExpressionId Checker::binary(Op op, ExpressionId a, ExpressionId b, Type type, SourceSpan span) {
  return add({.op = op, .type = type, .span = span, .a = a, .b = b});
}

ExpressionId Checker::to_number(ExpressionId id) {
  const Expression& expression = program_[id];
  const SourceSpan span = expression.span;
  if (expression.op == Op::Constant) {
    const auto millionths = checked_multiply(expression.constant.raw(), Decimal::one);
    KOI_ASSERT(millionths);  // a literal was a number before it was an int
    return constant(Value::number({*millionths}), simple(Kind::Number), span);
  }
  return unary(Op::ToNumber, id, simple(Kind::Number, expression.type.optional), span);
}

void Checker::balance(ExpressionId& a, ExpressionId& b) {
  if (type(a).kind == Kind::Int && type(b).kind == Kind::Number)
    a = to_number(a);
  else if (type(a).kind == Kind::Number && type(b).kind == Kind::Int)
    b = to_number(b);
}

std::string Checker::describe(const Type& type) const {
  switch (type.kind) {
    case Kind::Missing: return say("nothing", "空");
    case Kind::Bool: return say("a condition", "条件");
    case Kind::Int: return say("a whole number", "整数");
    case Kind::Number: return say("a number", "数");
    case Kind::Money: return say("money", "金额");
    case Kind::Text: return say("a text", "文本");
    case Kind::Time: return say("a time of day", "一天中的时间");
    case Kind::Date: return say("a date", "日期");
    case Kind::Instant: return say("an instant", "时刻");
    case Kind::Duration: return say("a length of time", "时长");
    case Kind::Enum: {
      const auto& values = program_.schema.enumerations[type.enumeration.index()].values;
      std::string list;
      for (std::size_t i = 0; i < values.size() && i < 4; ++i)
        list += (i == 0 ? "`" : ", `") + values[i].name + "`";
      if (values.size() > 4) list += ", …";
      return say("one of ", "") + list + say("", " 之一");
    }
    case Kind::List: return say("a list", "列表");
  }
  KOI_ASSERT(false);
}

// --- Expressions ---------------------------------------------------------------------------------

ExpressionId Checker::money(const ast::MoneyLiteral& literal) {
  const auto& policy = program_.policy;
  if (literal.currency != policy.currency) {
    report(Code::OtherCurrency, literal.span, {policy.currency, literal.currency});
    return poison(literal.span);
  }
  const int decimals = program_.schema.currency_decimals;
  const auto minor = parse_scaled(literal.amount, decimals);
  if (!minor) {
    report(Code::MoneyTooPrecise, literal.span, {literal.amount, std::to_string(decimals)});
    return poison(literal.span);
  }
  return constant(Value::money(*minor), simple(Kind::Money), literal.span);
}

// What is put into a text; poison where it cannot be.
ExpressionId Checker::inserted(const ast::Expr& expr, const Scope& scope, bool is_content) {
  const ExpressionId value = expression(expr, scope);
  const Type& of = type(value);
  if (of.kind == Kind::Missing) return value;
  if (of.kind == Kind::Bool) {
    report(Code::NotInsertable, expr.span, {describe(of)});
    return poison(expr.span);
  }
  // What he was given is there where the campaign has given it.
  if (of.optional && is_content && program_[value].op != Op::Granted)
    report(Code::MayBeMissing, expr.span);
  return value;
}

// As a content says it: a text, or a value as it would stand in one.
ExpressionId Checker::shown(const ast::Expr& expr, const Scope& scope) {
  if (const auto* literal = std::get_if<ast::TextLiteral>(&expr.kind))
    return text(*literal, scope, true);
  const ExpressionId value = inserted(expr, scope, true);
  if (is_poison(value)) return value;
  return add({.op = Op::Join,
              .type = simple(Kind::Text, type(value).optional),
              .span = expr.span,
              .parts = {{{}, value}}});
}

ExpressionId Checker::text(const ast::TextLiteral& literal, const Scope& scope, bool is_content) {
  std::vector<TextPart> parts;
  std::string all;
  bool optional = false, poisoned = false, fixed = true;
  for (const auto& part : literal.parts) {
    if (const auto* chunk = std::get_if<ast::TextChunk>(&part)) {
      all += chunk->text;
      parts.push_back({chunk->text, {}});
      continue;
    }
    const ExpressionId value = inserted(*std::get<ast::Box<ast::Expr>>(part), scope, is_content);
    fixed = false;
    poisoned = poisoned || is_poison(value);
    optional = optional || type(value).optional;
    parts.push_back({{}, value});
  }
  if (poisoned) return poison(literal.span);
  if (fixed) return constant(Value::text(all), simple(Kind::Text), literal.span);
  return add({.op = Op::Join,
              .type = simple(Kind::Text, optional),
              .span = literal.span,
              .parts = std::move(parts)});
}

// Is it certain that a bare name means something by itself, without a neighbour's help?
bool Checker::resolves(const ast::Expr& expr, const Scope& scope) const {
  const ast::Name* name = bare(expr);
  if (name == nullptr) return true;
  if (scope.has_event && !scope.event.is_none() && !find_field(scope.event, *name).is_none())
    return true;
  const auto* held = find(*name, only(Declares::Incentive));
  return find(*name, values_and_conditions) != nullptr || (held != nullptr && is_points(*held));
}

// Two sides of a comparison: a bare name may be a value of the other side's enum.
std::pair<ExpressionId, ExpressionId> Checker::pair_of(const ast::Expr& left,
                                                       const ast::Expr& right, const Scope& scope) {
  const bool right_first =
      bare(left) != nullptr &&
      (bare(right) == nullptr || (!resolves(left, scope) && resolves(right, scope)));
  if (right_first) {
    const ExpressionId b = expression(right, scope);
    if (is_poison(b) && !resolves(left, scope)) return {poison(left.span), b};
    return {expression(left, scope, want_of(b)), b};
  }
  const ExpressionId a = expression(left, scope);
  if (is_poison(a) && !resolves(right, scope)) return {a, poison(right.span)};
  return {a, expression(right, scope, want_of(a))};
}

ExpressionId Checker::expression(const ast::Expr& expr, const Scope& scope, const Want& want) {
  const SourceSpan span = expr.span;
  return std::visit(
      [&](const auto& node) -> ExpressionId {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, ast::TextLiteral>) {
          return text(node, scope, false);
        } else if constexpr (std::is_same_v<Node, ast::NumberLiteral>) {
          if (node.value.millionths % Decimal::one == 0)
            return constant(Value::integer(node.value.millionths / Decimal::one), simple(Kind::Int),
                            span);
          return constant(Value::number(node.value), simple(Kind::Number), span);
        } else if constexpr (std::is_same_v<Node, ast::PercentLiteral>) {
          return constant(Value::number(node.value), simple(Kind::Number), span);
        } else if constexpr (std::is_same_v<Node, ast::MoneyLiteral>) {
          return money(node);
        } else if constexpr (std::is_same_v<Node, ast::DurationLiteral>) {
          if (node.value.months != 0) {
            report(Code::NoFixedLength, span);
            return poison(span);
          }
          return constant(Value::duration(node.value.fixed), simple(Kind::Duration), span);
        } else if constexpr (std::is_same_v<Node, ast::TimeLiteral>) {
          return constant(Value::time(node.value), simple(Kind::Time), span);
        } else if constexpr (std::is_same_v<Node, ast::DateLiteral>) {
          return constant(Value::date(node.value), simple(Kind::Date), span);
        } else if constexpr (std::is_same_v<Node, ast::LocalTimeLiteral>) {
          return constant(Value::instant(program_.policy.zone->instant(node.value)),
                          simple(Kind::Instant), span);
        } else if constexpr (std::is_same_v<Node, ast::InstantLiteral>) {
          return constant(Value::instant(node.value), simple(Kind::Instant), span);
        } else if constexpr (std::is_same_v<Node, ast::BoolLiteral>) {
          return constant(Value::boolean(node.value), simple(Kind::Bool), span);
        } else if constexpr (std::is_same_v<Node, ast::Path>) {
          return path(node, scope, want);
        } else if constexpr (std::is_same_v<Node, ast::Not>) {
          return unary(Op::Not, condition(*node.operand, scope), simple(Kind::Bool), span);
        } else if constexpr (std::is_same_v<Node, ast::Negate>) {
          const ExpressionId a = expression(*node.operand, scope);
          const Type of = type(a);
          switch (of.kind) {
            case Kind::Missing: return a;
            case Kind::Int:
            case Kind::Number:
            case Kind::Money:
            case Kind::Duration:
              if (program_[a].op == Op::Constant) {
                const auto negated = checked_subtract(0, program_[a].constant.raw());
                if (negated) return constant(Value::raw(of.kind, *negated), of, span);
              }
              return unary(Op::Negate, a, of, span);
            default:
              report(Code::ExpectedType, node.operand->span, {say("a number", "数"), describe(of)});
              return poison(span);
          }
        } else if constexpr (std::is_same_v<Node, ast::And>) {
          return logical(Op::And, node.operands, span, scope);
        } else if constexpr (std::is_same_v<Node, ast::Or>) {
          return or_(node, span, scope, want);
        } else if constexpr (std::is_same_v<Node, ast::Compare>) {
          return compare(node, span, scope);
        } else if constexpr (std::is_same_v<Node, ast::Arithmetic>) {
          return arithmetic(node, span, scope);
        } else if constexpr (std::is_same_v<Node, ast::In>) {
          return in(node, span, scope);
        } else if constexpr (std::is_same_v<Node, ast::Contains>) {
          return contains(node, span, scope);
        } else if constexpr (std::is_same_v<Node, ast::Known>) {
          const ExpressionId a = expression(*node.operand, scope);
          if (!is_poison(a) && !type(a).optional)
            report(Code::AlwaysSame, span,
                   {node.known ? say("true", "成立") : say("false", "不成立")});
          return unary(node.known ? Op::IsKnown : Op::IsMissing, a, simple(Kind::Bool), span);
        } else if constexpr (std::is_same_v<Node, ast::Call>) {
          return call(node, span, scope);
        } else if constexpr (std::is_same_v<Node, ast::List>) {
          return list(node, span, scope, want);
        } else {
          static_assert(std::is_same_v<Node, ast::Measure>);
          if (scope.place == Scope::Place::MetricWhere) {
            report(Code::MetricReadsOther, span, {say("a metric", "指标")});
            return poison(span);
          }
          if (scope.place == Scope::Place::OnSet) {
            report(Code::SetReadsHistory, span, {say("a metric", "指标")});
            return poison(span);
          }
          const MetricId metric = measure(node, {});
          if (metric.is_none()) return poison(span);
          return add({.op = Op::Metric,
                      .type = program_.metrics[metric.index()].type,
                      .span = span,
                      .index = static_cast<std::uint32_t>(metric.index())});
        }
      },
      expr.kind);
}

ExpressionId Checker::condition(const ast::Expr& expr, const Scope& scope) {
  const ExpressionId id = expression(expr, scope);
  const Type& of = type(id);
  if (of.kind == Kind::Missing || of.kind == Kind::Bool) return id;
  report(Code::ExpectedType, expr.span, {say("a condition", "条件"), describe(of)});
  return poison(expr.span);
}

ExpressionId Checker::of_type(const ast::Expr& expr, const Scope& scope, const Type& wanted) {
  Want want;
  if (wanted.kind == Kind::Enum || wanted.element == Kind::Enum)
    want.enumeration = wanted.enumeration;
  const ExpressionId id = expression(expr, scope, want);
  const Type of = type(id);
  if (of.kind == Kind::Missing || wanted.kind == Kind::Missing) return id;
  if (of.kind == Kind::Int && wanted.kind == Kind::Number) return to_number(id);
  const bool same =
      comparable(of, wanted) &&
      (of.kind != Kind::List || of.element == wanted.element || of.element == Kind::Missing);
  if (same) return id;
  auto& diagnostic = report(Code::ExpectedType, expr.span, {describe(wanted), describe(of)});
  if (wanted.kind == Kind::Money && (of.kind == Kind::Int || of.kind == Kind::Number))
    diagnostic.help = say("money is written with its currency, as ", "金额要写明货币，如 ") + "`" +
                      program_.policy.currency_sign + "100`";
  return poison(expr.span);
}

// A balanced tree: a long condition is not a deep one.
ExpressionId Checker::logical(Op op, const std::vector<ast::Expr>& operands, SourceSpan span,
                              const Scope& scope) {
  std::vector<ExpressionId> level;
  for (const auto& operand : operands) level.push_back(condition(operand, scope));
  while (level.size() > 1) {
    std::vector<ExpressionId> next;
    for (std::size_t i = 0; i + 1 < level.size(); i += 2)
      next.push_back(binary(op, level[i], level[i + 1], simple(Kind::Bool), span));
    if (level.size() % 2 != 0) next.push_back(level.back());
    level = std::move(next);
  }
  return level.front();
}

}  // namespace koi::check
