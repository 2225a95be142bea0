// What operators and functions take, and what a missing value makes of them.
#include <algorithm>

#include "check/detail/checker.h"
#include "check/functions.h"
#include "check/reachable.h"

namespace koi::check {
namespace {

bool is_comparison(Op op) { return op >= Op::Equal && op <= Op::GreaterEqual; }

bool has_order(Kind kind) {
  switch (kind) {
    case Kind::Int:
    case Kind::Number:
    case Kind::Money:
    case Kind::Time:
    case Kind::Date:
    case Kind::Instant:
    case Kind::Duration: return true;
    case Kind::Missing:
    case Kind::Bool:
    case Kind::Text:
    case Kind::Enum:
    case Kind::List: return false;
  }
  KOI_ASSERT(false);
}

}  // namespace

void Checker::mixes_and_or(const ast::Or& node, SourceSpan span) {
  for (const auto& operand : node.operands) {
    if (operand.in_parentheses || !std::holds_alternative<ast::And>(operand.kind)) continue;
    auto& diagnostic = report(Code::MixedAndOr, span);
    label(diagnostic, operand.span, "this is taken together first", "这一部分先结合");
    return;
  }
}

void Checker::missing_is_not_unequal(ExpressionId value, SourceSpan span) {
  report(Code::MissingIsNotUnequal, span);
  unequal_.emplace_back(span, program_[value].definition);
}

// `x != a or x is missing` says that the missing ones are meant: takes back what was found since
// the diagnostics were `from`.
void Checker::asked_for_missing(ExpressionId either, std::size_t from) {
  const Expression& node = program_[either];
  if (node.op == Op::Or) {
    asked_for_missing(node.a, from);
    asked_for_missing(node.b, from);
  }
  if (node.op != Op::IsMissing) return;
  const auto code = lang::entry(Code::MissingIsNotUnequal).text;
  const Hash128 asked = program_[node.a].definition;
  const auto is_answered = [&](const Diagnostic& each) {
    return each.code == code && std::find(unequal_.begin(), unequal_.end(),
                                          std::pair(each.span, asked)) != unequal_.end();
  };
  diagnostics_.erase(std::remove_if(diagnostics_.begin() + static_cast<std::ptrdiff_t>(from),
                                    diagnostics_.end(), is_answered),
                     diagnostics_.end());
}

// `a or b` of conditions, or a value with a default.
ExpressionId Checker::or_(const ast::Or& node, SourceSpan span, const Scope& scope,
                          const Want& want) {
  const std::size_t found = diagnostics_.size();
  const ExpressionId first = expression(node.operands.front(), scope, want);
  const Kind kind = type(first).kind;
  if (kind == Kind::Bool || (kind == Kind::Missing && node.operands.size() > 2)) {
    mixes_and_or(node, span);
    const ExpressionId either = logical(Op::Or, node.operands, span, scope);
    asked_for_missing(either, found);
    return either;
  }
  if (kind == Kind::Missing) {
    expression(node.operands[1], scope, want);
    return first;
  }
  ExpressionId value = first;
  for (std::size_t i = 1; i < node.operands.size(); ++i) {
    const auto& operand = node.operands[i];
    Want next = want_of(value);
    if (next.enumeration.is_none()) next.enumeration = want.enumeration;
    ExpressionId other = expression(operand, scope, next);
    if (is_poison(value) || is_poison(other)) return poison(span);
    if (!type(value).optional) report(Code::NeverMissing, operand.span);
    balance(value, other);
    if (!comparable(type(value), type(other))) {
      auto& diagnostic =
          report(Code::ExpectedType, operand.span, {describe(type(value)), describe(type(other))});
      if (type(other).kind == Kind::Bool)
        diagnostic.help = say("a default in a comparison stands in parentheses: `(x or y) == z`",
                              "比较中的默认值要加括号：`（x 或 y）== z`");
      return poison(span);
    }
    Type of = type(value);
    of.optional = type(other).optional;
    value = binary(Op::Default, value, other, of, span);
  }
  return value;
}

ExpressionId Checker::comparison(Op op, ExpressionId left, ExpressionId right, SourceSpan span) {
  if (is_poison(left) || is_poison(right)) return binary(op, left, right, simple(Kind::Bool), span);
  balance(left, right);
  const Type a = type(left), b = type(right);
  if (!comparable(a, b) || a.kind == Kind::List) {
    auto& diagnostic = report(Code::CannotCompare, span, {describe(a), describe(b)});
    const bool number = a.kind == Kind::Int || a.kind == Kind::Number || b.kind == Kind::Int ||
                        b.kind == Kind::Number;
    if (number && (a.kind == Kind::Money || b.kind == Kind::Money))
      diagnostic.help = say("money is written with its currency, as ", "金额要写明货币，如 ") +
                        "`" + program_.policy.currency_sign + "100`";
    else if (number && (a.kind == Kind::Duration || b.kind == Kind::Duration))
      diagnostic.help = say("a length of time has a unit, as `30 days`; `days(x)` gives whole days",
                            "时长要写明单位，如 `30天`；`days（x）` 给出整天数");
    else if (a.kind == Kind::List || b.kind == Kind::List)
      diagnostic.help = say("a list is asked with `x in list` or `list contains x`",
                            "对列表请用 `x 属于 列表` 或 `列表 包含 x`");
    else if ((a.kind == Kind::Date && b.kind == Kind::Instant) ||
             (a.kind == Kind::Instant && b.kind == Kind::Date))
      diagnostic.help = say("write the instant with its time of day, as `2026-11-11 00:00`",
                            "请写明时刻的钟点，如 `2026-11-11 00:00`");
    else if (a.kind == Kind::Enum || b.kind == Kind::Enum)
      diagnostic.help = say("its values are written without quotes", "枚举值不加引号");
    return poison(span);
  }
  const bool equality = op == Op::Equal || op == Op::NotEqual;
  if (!equality && !has_order(a.kind)) {
    report(Code::NoOrder, span, {describe(a)});
    return poison(span);
  }
  return binary(op, left, right, simple(Kind::Bool), span);
}

ExpressionId Checker::compare(const ast::Compare& node, SourceSpan span, const Scope& scope) {
  const auto [left, right] = pair_of(*node.left, *node.right, scope);
  switch (node.op) {
    case ast::CompareOp::Equal: return comparison(Op::Equal, left, right, span);
    case ast::CompareOp::NotEqual: {
      const ExpressionId id = comparison(Op::NotEqual, left, right, span);
      const auto& of = program_[id];
      if (of.op == Op::NotEqual && (type(left).optional || type(right).optional))
        missing_is_not_unequal(type(left).optional ? left : right, span);
      return id;
    }
    case ast::CompareOp::Less: return comparison(Op::Less, left, right, span);
    case ast::CompareOp::LessEqual: return comparison(Op::LessEqual, left, right, span);
    case ast::CompareOp::Greater: return comparison(Op::Greater, left, right, span);
    case ast::CompareOp::GreaterEqual: return comparison(Op::GreaterEqual, left, right, span);
  }
  KOI_ASSERT(false);
}

ExpressionId Checker::arithmetic(const ast::Arithmetic& node, SourceSpan span, const Scope& scope) {
  ExpressionId left = expression(*node.left, scope);
  ExpressionId right = expression(*node.right, scope);
  if (is_poison(left) || is_poison(right)) return poison(span);
  balance(left, right);
  const Kind a = type(left).kind, b = type(right).kind;
  const auto is_count = [](Kind kind) { return kind == Kind::Int || kind == Kind::Number; };
  const auto is_amount = [](Kind kind) { return kind == Kind::Money || kind == Kind::Duration; };
  Op op = Op::Add;
  const char* sign = "+";
  Kind result = Kind::Missing;
  switch (node.op) {
    case ast::ArithmeticOp::Add:
      if (a == b && (is_count(a) || is_amount(a))) result = a;
      if (a == Kind::Instant && b == Kind::Duration) result = Kind::Instant;
      if (a == Kind::Duration && b == Kind::Instant) result = Kind::Instant;
      break;
    case ast::ArithmeticOp::Subtract:
      op = Op::Subtract, sign = "-";
      if (a == b && (is_count(a) || is_amount(a))) result = a;
      if (a == Kind::Instant && b == Kind::Duration) result = Kind::Instant;
      if (a == Kind::Instant && b == Kind::Instant) result = Kind::Duration;
      break;
    case ast::ArithmeticOp::Multiply:
      op = Op::Multiply, sign = "*";
      if (a == b && is_count(a)) result = a;
      if (is_amount(a) && is_count(b)) result = a;
      if (is_count(a) && is_amount(b)) result = b;
      break;
    case ast::ArithmeticOp::Divide:
      op = Op::Divide, sign = "/";
      if (a == b && (is_count(a) || is_amount(a))) result = Kind::Number;
      if (is_amount(a) && is_count(b)) result = a;
      break;
  }
  if (result == Kind::Missing) {
    report(Code::CannotCalculate, span, {sign, describe(type(left)), describe(type(right))});
    return poison(span);
  }
  const bool optional = type(left).optional || type(right).optional;
  if (op == Op::Divide && program_[right].op == Op::Constant &&
      program_[right].constant.raw() == 0) {
    report(Code::DivisionByZero, node.right->span);
    return poison(span);
  }
  // A quotient by what may be zero may be missing.
  const bool may_fail = op == Op::Divide && program_[right].op != Op::Constant;
  return binary(op, left, right, simple(result, optional || may_fail), span);
}

ExpressionId Checker::in(const ast::In& node, SourceSpan span, const Scope& scope) {
  const ast::Expr& right = *node.right;
  if (!node.left) {
    const ExpressionId of = condition(right, scope);
    return of;
  }
  const ast::Expr& left = **node.left;
  ExpressionId element, all;
  const auto* literal = std::get_if<ast::List>(&right.kind);
  if (literal == nullptr) {
    std::tie(element, all) = pair_of(left, right, scope);
  } else if (bare(left) != nullptr && !resolves(left, scope)) {
    expression(left, scope);  // says that the name is unknown
    return poison(span);
  } else {
    element = expression(left, scope);
    all = list(*literal, right.span, scope, want_of(element));
  }
  if (is_poison(element) || is_poison(all))
    return binary(Op::In, element, all, simple(Kind::Bool), span);
  const Type list_type = type(all);
  if (list_type.kind != Kind::List) {
    report(Code::ExpectedType, right.span, {say("a list", "列表"), describe(list_type)});
    return poison(span);
  }
  all = fit_list(all, type(element));
  if (type(element).kind == Kind::Int && type(all).element == Kind::Number)
    element = to_number(element);
  if (type(all).element != type(element).kind ||
      (type(element).kind == Kind::Enum && type(all).enumeration != type(element).enumeration)) {
    Type item;
    item.kind = type(all).element;
    item.enumeration = type(all).enumeration;
    report(Code::CannotCompare, span, {describe(type(element)), describe(item)});
    return poison(span);
  }
  const ExpressionId asked = binary(Op::In, element, all, simple(Kind::Bool), span);
  if (!node.negated) return asked;
  if (type(element).optional) {
    // Missing is in no list, and so `not in` would hold of it; a comparison with a missing value
    // is false.
    const ExpressionId known = unary(Op::IsKnown, element, simple(Kind::Bool), span);
    const ExpressionId outside = unary(Op::Not, asked, simple(Kind::Bool), span);
    missing_is_not_unequal(element, span);
    return binary(Op::And, known, outside, simple(Kind::Bool), span);
  }
  return unary(Op::Not, asked, simple(Kind::Bool), span);
}

// A fixed list of ints is one of numbers where numbers are asked for.
ExpressionId Checker::fit_list(ExpressionId id, const Type& element) {
  const Expression& expression = program_[id];
  if (element.kind != Kind::Number || expression.op != Op::Constant ||
      expression.type.element != Kind::Int)
    return id;
  std::vector<Value> values;
  for (const Value& value : expression.constant.as_list()) {
    const auto millionths = checked_multiply(value.raw(), Decimal::one);
    if (millionths) values.push_back(Value::number({*millionths}));
  }
  Type of = expression.type;
  of.element = Kind::Number;
  return constant(Value::list(std::move(values)), of, expression.span);
}

ExpressionId Checker::contains(const ast::Contains& node, SourceSpan span, const Scope& scope) {
  const ExpressionId whole = expression(*node.left, scope);
  const auto* literal = std::get_if<ast::List>(&node.right->kind);
  const ExpressionId part = literal != nullptr && node.any_of
                                ? list(*literal, node.right->span, scope, want_of(whole))
                                : expression(*node.right, scope, want_of(whole));
  const Op op = node.any_of ? Op::ContainsAny : Op::Contains;
  if (is_poison(whole) || is_poison(part)) return binary(op, whole, part, simple(Kind::Bool), span);
  const Type of = type(whole);
  if (of.kind != Kind::Text && of.kind != Kind::List) {
    report(Code::ExpectedType, node.left->span,
           {say("a text or a list", "文本或列表"), describe(of)});
    return poison(span);
  }
  Type element = of;
  if (of.kind == Kind::List) element.kind = of.element;
  ExpressionId sought = part;
  if (node.any_of) {
    if (type(part).kind != Kind::List) {
      report(Code::ExpectedType, node.right->span, {say("a list", "列表"), describe(type(part))});
      return poison(span);
    }
    sought = fit_list(part, element);
  } else if (element.kind == Kind::Number && type(part).kind == Kind::Int) {
    sought = to_number(part);
  }
  Type found = type(sought);
  if (node.any_of) found.kind = found.element;
  if (!comparable(element, found)) {
    report(Code::ExpectedType, node.right->span, {describe(element), describe(found)});
    return poison(span);
  }
  return binary(op, whole, sought, simple(Kind::Bool), span);
}

ExpressionId Checker::call(const ast::Call& node, SourceSpan span, const Scope& scope) {
  const Function* const function = find_function(node.function.canonical());
  if (function == nullptr) {
    std::vector<std::string> names;
    for (const Function& each : functions()) names.emplace_back(each.name);
    suggest(report(Code::NoFunction, node.function.span, {node.function.text}), node.function.text,
            names);
    return poison(span);
  }
  if (node.arguments.size() != 1) {
    report(Code::OneArgument, span, {node.function.text, std::to_string(node.arguments.size())});
    return poison(span);
  }
  const ExpressionId argument = expression(node.arguments.front(), scope);
  const Type of = type(argument);
  if (of.kind == Kind::Missing) return argument;
  const auto mismatch = [&](const char* english, const char* chinese) {
    report(Code::ExpectedType, node.arguments.front().span, {say(english, chinese), describe(of)});
    return poison(span);
  };
  Kind result = Kind::Int;
  switch (function->op) {
    case Op::Days:
    case Op::Hours:
      if (of.kind != Kind::Duration) return mismatch("a length of time", "时长");
      break;
    case Op::Round:
    case Op::Floor:
      if (of.kind == Kind::Int) return argument;
      if (of.kind != Kind::Number && of.kind != Kind::Money)
        return mismatch("a number or money", "数或金额");
      if (of.kind == Kind::Money) result = Kind::Money;
      break;
    case Op::Length:
      if (of.kind != Kind::Text && of.kind != Kind::List)
        return mismatch("a text or a list", "文本或列表");
      break;
    default:
      if (of.kind != Kind::Text) return mismatch("a text", "文本");
      result = Kind::Text;
      break;
  }
  return unary(function->op, argument, simple(result, of.optional), span);
}

ExpressionId Checker::list(const ast::List& node, SourceSpan span, const Scope& scope,
                           const Want& want) {
  std::vector<ExpressionId> items;
  bool poisoned = false, numbers = false;
  for (const auto& item : node.items) {
    const ExpressionId id = expression(item, scope, want);
    if (is_poison(id)) {
      poisoned = true;
      continue;
    }
    if (program_[id].op != Op::Constant || type(id).kind == Kind::List) {
      report(Code::ListNotFixed, item.span);
      poisoned = true;
      continue;
    }
    numbers = numbers || type(id).kind == Kind::Number;
    items.push_back(id);
  }
  if (poisoned) return poison(span);
  Type of = simple(Kind::List);
  std::vector<Value> values;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (numbers && type(items[i]).kind == Kind::Int) items[i] = to_number(items[i]);
    if (i > 0 && !comparable(type(items[0]), type(items[i]))) {
      report(Code::ListMixed, node.items[i].span,
             {describe(type(items[0])), describe(type(items[i]))});
      return poison(span);
    }
    if (is_poison(items[i])) return poison(span);
    values.push_back(program_[items[i]].constant);
  }
  if (items.empty()) {
    report(Code::ListEmpty, span);
    return poison(span);
  }
  of.element = type(items[0]).kind;
  of.enumeration = type(items[0]).enumeration;
  return constant(Value::list(std::move(values)), of, span);
}

// --- What a missing value decides ----------------------------------------------------------------

void Checker::collect_asked(ExpressionId condition, std::vector<Hash128>& asked) const {
  for_each_reachable(program_, condition, [&](const Expression& expression) {
    if (expression.op == Op::IsKnown || expression.op == Op::IsMissing)
      asked.push_back(program_[expression.a].definition);
    return expression.op != Op::Join;  // the parts of a text are no conditions
  });
}

void Checker::missing_decides(ExpressionId condition, const std::vector<Hash128>& asked) {
  std::vector<SourceSpan> found;
  for_each_reachable(program_, condition, [&](const Expression& expression) {
    if (is_comparison(expression.op) || expression.op == Op::In || expression.op == Op::Contains)
      for (const ExpressionId side : {expression.a, expression.b}) {
        if (!type(side).optional) continue;
        const auto& definition = program_[side].definition;
        if (std::find(asked.begin(), asked.end(), definition) != asked.end()) continue;
        found.push_back(program_[side].span);
      }
    return expression.op != Op::Join;  // the parts of a text are no conditions
  });
  for (const SourceSpan& side : found) report(Code::MissingDecides, side);
}

void Checker::always_the_same(ExpressionId condition, SourceSpan span) {
  if (is_poison(condition)) return;
  if (!is_constant(condition)) {
    same_parts(condition, span);
    return;
  }
  // Only literals: what it comes to is the same for everybody.
  report(Code::AlwaysSame, span, {say("the same for everybody", "对所有人都一样")});
}

}  // namespace koi::check
