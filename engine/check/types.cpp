// What an expression is: every name found, every operator's operands of kinds that it takes.
#include <algorithm>
#include <set>

#include "check/detail/checker.h"
#include "check/functions.h"
#include "model/codec.h"

namespace koi::check {
namespace {

// Deeper trees would make the engine's evaluation deep: definitions are read through their names.
constexpr int deepest_expression = 1000;

Type simple(Kind kind, bool optional = false) { return {.kind = kind, .optional = optional}; }

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

// Two types of which values can be equal.
bool comparable(const Type& a, const Type& b) {
  return a.kind == b.kind && (a.kind != Kind::Enum || a.enumeration == b.enumeration);
}

const ast::Name* bare(const ast::Expr& expr) {
  const auto* path = std::get_if<ast::Path>(&expr.kind);
  return path != nullptr && path->names.size() == 1 ? &path->names.front() : nullptr;
}

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

// --- Names ---------------------------------------------------------------------------------------

ExpressionId Checker::event_field(const Scope& scope, const ast::Name& field, SourceSpan span) {
  if (scope.event_poisoned) return poison(span);
  if (!scope.event.is_none()) {
    const FieldId found = find_field(scope.event, field);
    const EventType& event = program_.schema[scope.event];
    if (!found.is_none()) {
      const Field& declared = event.fields[found.index()];
      return add({.op = Op::EventField,
                  .type = declared.type,
                  .span = span,
                  .index = static_cast<std::uint32_t>(found.index())},
                 declared.symbol.name, names_meant(event, declared));
    }
  }
  if (field.canonical() == "time")
    return add(
        {.op = Op::EventField, .type = simple(Kind::Instant), .span = span, .index = event_time},
        "time");
  const std::string event_name = scope.event.is_none() ? say("any event", "任何事件")
                                                       : program_.schema[scope.event].symbol.name;
  auto& diagnostic = report(Code::NoField, field.span, {event_name, field.text});
  if (!scope.event.is_none()) suggest(diagnostic, field.text, field_names(scope.event));
  return poison(span);
}

ExpressionId Checker::binding_field(const Visible& visible, const ast::Name& field,
                                    SourceSpan span) {
  if (visible.poisoned) return poison(span);
  if (!visible.type.is_none()) {
    const FieldId found = find_field(visible.type, field);
    const EventType& event = program_.schema[visible.type];
    if (!found.is_none()) {
      const Field& declared = event.fields[found.index()];
      Type type = declared.type;
      type.optional = type.optional || !visible.always;
      return add({.op = Op::BindingField,
                  .type = type,
                  .span = span,
                  .index = static_cast<std::uint32_t>(found.index()),
                  .binding = visible.binding},
                 visible.name + "." + declared.symbol.name, names_meant(event, declared));
    }
  }
  if (field.canonical() == "time")
    return add({.op = Op::BindingField,
                .type = simple(Kind::Instant, !visible.always),
                .span = span,
                .index = event_time,
                .binding = visible.binding},
               visible.name + ".time");
  const std::string event_name = visible.type.is_none() ? say("any event", "任何事件")
                                                        : program_.schema[visible.type].symbol.name;
  auto& diagnostic = report(Code::NoField, field.span, {event_name, field.text});
  if (!visible.type.is_none()) suggest(diagnostic, field.text, field_names(visible.type));
  return poison(span);
}

// The declarations whose names a field of an engine's event holds.
std::uint32_t Checker::names_meant(const EventType& event, const Field& field) {
  if (!event.made_by_engine) return 0;
  if (field.symbol.name == "content") return only(Declares::Content);
  if (field.symbol.name == "channel") return only(Declares::Channel);
  if (field.symbol.name == "campaign") return only(Declares::Campaign);
  if (field.symbol.name == "segment") return only(Declares::Segment);
  if (field.symbol.name == "incentive") return Declares::Incentive | Declares::Referral;
  return 0;
}

Want Checker::want_of(ExpressionId other) const {
  Want want;
  const Type& of = type(other);
  if (of.kind == Kind::Enum || (of.kind == Kind::List && of.element == Kind::Enum))
    want.enumeration = of.enumeration;
  want.names = facts_[other.index()].names;
  return want;
}

ExpressionId Checker::declared_value(const Declared& declared, SourceSpan span,
                                     const Scope& scope) {
  if (cyclic_.count({declared.kind, declared.index}) != 0) return poison(span);
  if (declared.kind == Declares::Tier) {
    report(Code::TierNeedsLevel, span, {declared.symbol.name});
    return poison(span);
  }
  ExpressionId value;
  switch (declared.kind) {
    case Declares::Metric: {
      const MetricId metric = metric_ids_[declared.index];
      if (metric.is_none()) return poison(span);
      value = add({.op = Op::Metric,
                   .type = program_.metrics[metric.index()].type,
                   .span = span,
                   .index = static_cast<std::uint32_t>(metric.index())});
      break;
    }
    case Declares::Segment:
      if (program_.segments[declared.index].condition.is_none()) return poison(span);
      value = add({.op = Op::Segment,
                   .type = simple(Kind::Bool),
                   .span = span,
                   .index = static_cast<std::uint32_t>(declared.index)});
      break;
    case Declares::Audience:
      value = add({.op = Op::Audience,
                   .type = simple(Kind::Bool),
                   .span = span,
                   .index = static_cast<std::uint32_t>(declared.index)},
                  declared.symbol.name);
      break;
    case Declares::Let:
      value = let_ids_[declared.index];
      if (value.is_none()) return poison(span);
      break;
    default: KOI_ASSERT(false);
  }
  if (facts_[value.index()].reads_customer) {
    if (scope.place == Scope::Place::MetricWhere) {
      report(Code::MetricReadsOther, span, {declared.symbol.name});
      return poison(span);
    }
    if (scope.place == Scope::Place::OnSet && reads_history(value)) {
      report(Code::SetReadsHistory, span, {declared.symbol.name});
      return poison(span);
    }
  }
  return value;
}

// Does it read a metric or a segment?
bool Checker::reads_history(ExpressionId root) const {
  std::vector<ExpressionId> stack{root};
  std::set<ExpressionId> seen;
  while (!stack.empty()) {
    const ExpressionId id = stack.back();
    stack.pop_back();
    if (id.is_none() || !seen.insert(id).second) continue;
    const Expression& expression = program_[id];
    if (expression.op == Op::Metric || expression.op == Op::Segment || expression.op == Op::Granted)
      return true;
    stack.push_back(expression.a);
    stack.push_back(expression.b);
    for (const auto& part : expression.parts) stack.push_back(part.value);
  }
  return false;
}

ExpressionId Checker::bare_name(const ast::Name& name, SourceSpan span, const Scope& scope,
                                const Want& want) {
  if (!want.enumeration.is_none()) {
    if (const auto value = enum_value(want.enumeration, name)) {
      Type type = simple(Kind::Enum);
      type.enumeration = want.enumeration;
      return constant(Value::enumerator(*value), type, span);
    }
  }
  if (want.names != 0) {
    if (const auto* declared = find(name, want.names))
      return constant(Value::text(declared->symbol.name), simple(Kind::Text), span);
  }
  if (scope.has_event && !scope.event_poisoned && !scope.event.is_none() &&
      !find_field(scope.event, name).is_none())
    return event_field(scope, name, span);
  const auto says = [&](std::string_view spelling) { return spelling == name.text; };
  const bool is_own_event =
      scope.has_event && std::any_of(scope.event_names.begin(), scope.event_names.end(), says);
  const bool is_kept =
      scope.visible != nullptr &&
      std::any_of(scope.visible->begin(), scope.visible->end(), [&](const Visible& visible) {
        return says(visible.name) || (!visible.alias.empty() && says(visible.alias));
      });
  const Declared* declared = find(name, values_and_conditions);
  if (declared != nullptr && !is_own_event && !is_kept)
    return declared_value(*declared, span, scope);
  if (const auto* held = find(name, only(Declares::Incentive));
      held != nullptr && is_points(*held) && !is_own_event && !is_kept) {
    if (scope.place == Scope::Place::MetricWhere || scope.place == Scope::Place::OnSet) {
      report(scope.place == Scope::Place::OnSet ? Code::SetReadsHistory : Code::MetricReadsOther,
             span, {name.text});
      return poison(span);
    }
    return points_held(*held, span);
  }
  if (scope.event_poisoned) return poison(span);
  if (is_own_event || is_kept) {
    report(Code::EventNeedsField, span, {name.text});
    return poison(span);
  }
  if (!want.enumeration.is_none()) {
    Type type = simple(Kind::Enum);
    type.enumeration = want.enumeration;
    auto& diagnostic = report(Code::NoEnumValue, span, {name.text, describe(type)});
    suggest(diagnostic, name.text, enum_names(want.enumeration));
    return poison(span);
  }
  if (scope.has_event && name.canonical() == "time" && find(name, any_declaration) == nullptr)
    return event_field(scope, name, span);
  if (find(name, any_declaration) == nullptr && is_customer(name)) {
    report(Code::CustomerNeedsAttribute, span);
    return poison(span);
  }
  if (const auto* other = find(name, any_declaration)) {
    auto& diagnostic = report(Code::WrongKind, span,
                              {name.text, describe(other->kind),
                               describe_any(want.names ? want.names : values_and_conditions)});
    if (!other->by_engine) label(diagnostic, other->span, "declared here", "在这里声明");
    return poison(span);
  }
  std::vector<std::string> candidates = names_of(values_and_conditions | want.names);
  if (scope.has_event && !scope.event.is_none()) {
    const auto fields = field_names(scope.event);
    candidates.insert(candidates.end(), fields.begin(), fields.end());
  }
  auto& diagnostic =
      report(Code::UnknownName, span,
             {describe_any(want.names ? want.names : values_and_conditions), name.text});
  suggest(diagnostic, name.text, candidates);
  if (diagnostic.help.empty()) {
    // `city` where `customer.city` is meant.
    if (!find_attribute(name).is_none()) {
      diagnostic.help =
          say("did you mean `customer.", "是不是想写 `顾客.") + name.text + say("`?", "`？");
      diagnostic.replacement = say("customer.", "顾客.") + name.text;
    } else {
      diagnostic.help = say("a text stands in quotes", "文本要加引号");
    }
  }
  return poison(span);
}

ExpressionId Checker::customer_path(const ast::Path& path, const Scope& scope) {
  const SourceSpan span = path.span;
  if (scope.place == Scope::Place::MetricWhere) {
    report(Code::MetricReadsOther, span, {"customer." + path.names[1].text});
    return poison(span);
  }
  const auto& name = path.names[1];
  const auto canonical = name.canonical();
  if (canonical == "consent" && find_attribute(name).is_none()) {
    if (path.names.size() < 3 || path.names.size() > 4) {
      report(Code::ConsentNeedsClass, span);
      return poison(span);
    }
    const auto purpose = campaign_class(path.names[2]);
    ConsentKey key;
    if (path.names.size() == 4) {
      const auto* channel = expect(path.names[3], only(Declares::Channel));
      if (channel == nullptr) return poison(span);
      key.channel = ChannelId::of(channel->index);
    }
    if (!purpose) return poison(span);
    key.purpose = *purpose;
    auto& all = program_.consents;
    auto found = std::find(all.begin(), all.end(), key);
    if (found == all.end()) found = all.insert(all.end(), key);
    return add({.op = Op::Consent,
                .type = simple(Kind::Bool),
                .span = span,
                .index = static_cast<std::uint32_t>(found - all.begin())},
               std::to_string(static_cast<int>(*purpose)) +
                   (path.names.size() == 4 ? program_.channels[key.channel.index()].symbol.name
                                           : std::string()));
  }
  if (path.names.size() > 2) {
    report(Code::NoParts, path.names[2].span, {name.text});
    return poison(span);
  }
  const AttributeId attribute = find_attribute(name);
  if (!attribute.is_none()) {
    const auto& declared = program_.schema[attribute];
    return add({.op = Op::Attribute,
                .type = declared.type,
                .span = span,
                .index = static_cast<std::uint32_t>(attribute.index())},
               declared.symbol.name);
  }
  if (canonical == "id")
    return add({.op = Op::CustomerId, .type = simple(Kind::Text), .span = span});
  if (canonical == "created")
    return add({.op = Op::CustomerCreated, .type = simple(Kind::Instant), .span = span});
  if (!program_.schema.find_identifier(name.text).is_none()) {
    auto& diagnostic = report(Code::IdentifierNotAttribute, span, {name.text});
    static_cast<void>(diagnostic);
    return poison(span);
  }
  suggest(report(Code::NoAttribute, name.span, {name.text}), name.text, attribute_names());
  return poison(span);
}

ExpressionId Checker::path(const ast::Path& path, const Scope& scope, const Want& want) {
  const auto& head = path.names.front();
  if (path.names.size() == 1) return bare_name(head, path.span, scope, want);
  const auto no_more = [&](std::size_t most) {
    if (path.names.size() <= most) return true;
    report(Code::NoParts, path.names[most].span, {path.names[most - 1].text});
    return false;
  };
  const auto says = [&](std::string_view spelling) { return spelling == head.text; };
  if (scope.has_event && std::any_of(scope.event_names.begin(), scope.event_names.end(), says)) {
    if (scope.event_as.end != 0 && head.text == scope.event_names.front())
      used(head, scope.event_as);
    else if (!scope.event.is_none())
      used_event(head, scope.event);
    return no_more(2) ? event_field(scope, path.names[1], path.span) : poison(path.span);
  }
  if (scope.visible != nullptr) {
    // The innermost one of that name.
    for (auto visible = scope.visible->rbegin(); visible != scope.visible->rend(); ++visible) {
      if (!says(visible->name) && (visible->alias.empty() || !says(visible->alias))) continue;
      if (scope.place == Scope::Place::MetricWhere) {
        report(Code::MetricReadsOther, path.span, {head.text});
        return poison(path.span);
      }
      if (visible->by_as)
        used(head, visible->span);
      else if (!visible->type.is_none())
        used_event(head, visible->type);
      return no_more(2) ? binding_field(*visible, path.names[1], path.span) : poison(path.span);
    }
  }
  const Declared* declared = find(head, any_declaration);
  if (is_customer(head) && (declared == nullptr || declared->symbol.name != head.text))
    return customer_path(path, scope);
  if (scope.place == Scope::Place::UnsentContent &&
      (declared == nullptr || declared->kind == Declares::Event))
    return poison(path.span);  // a name of whichever campaign will say it
  if (scope.event_poisoned) return poison(path.span);
  if (declared != nullptr) {
    if (declared->kind == Declares::Tier && scope.place == Scope::Place::MetricWhere) {
      report(Code::MetricReadsOther, path.span, {head.text});
      return poison(path.span);
    }
    if (declared->kind == Declares::Tier)
      return no_more(2) ? level(*declared, path.names[1], path.span) : poison(path.span);
    if (declared->kind == Declares::Incentive || declared->kind == Declares::Referral) {
      if (scope.place == Scope::Place::MetricWhere || scope.place == Scope::Place::OnSet) {
        report(scope.place == Scope::Place::OnSet ? Code::SetReadsHistory : Code::MetricReadsOther,
               path.span, {head.text});
        return poison(path.span);
      }
      return no_more(2) ? grant_field(*declared, path.names[1], path.span) : poison(path.span);
    }
    if (declared->kind == Declares::Event) {
      auto& diagnostic = report(Code::NoSuchEventHere, head.span, {head.text});
      if (scope.place == Scope::Place::Content)
        diagnostic.labels.push_back({scope.said_at, say("said here by `", "由活动 `") +
                                                        std::string(scope.campaign) +
                                                        say("`", "` 在这里发送")});
      return poison(path.span);
    }
    auto& diagnostic = report(Code::NoParts, path.names[1].span, {head.text});
    if (!declared->by_engine) label(diagnostic, declared->span, "declared here", "在这里声明");
    return poison(path.span);
  }
  std::vector<std::string> candidates{"customer"};
  if (scope.visible != nullptr)
    for (const auto& visible : *scope.visible) candidates.push_back(visible.name);
  if (scope.has_event)
    candidates.insert(candidates.end(), scope.event_names.begin(), scope.event_names.end());
  if (scope.place == Scope::Place::Content) {
    auto& diagnostic =
        report(Code::NotKnownToSender, head.span, {head.text, std::string(scope.campaign)});
    diagnostic.labels.push_back({scope.said_at, say("sent here", "在这里发送")});
    suggest(diagnostic, head.text, candidates);
  } else {
    suggest(report(Code::UnknownName, head.span,
                   {say("a kept event or the customer", "记下的事件或顾客"), head.text}),
            head.text, candidates);
  }
  return poison(path.span);
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

namespace {
template <class Visit>
void for_each_reachable(const Program& program, ExpressionId root, Visit visit) {
  std::vector<ExpressionId> stack{root};
  std::set<ExpressionId> seen;
  while (!stack.empty()) {
    const ExpressionId id = stack.back();
    stack.pop_back();
    if (id.is_none() || !seen.insert(id).second) continue;
    const Expression& expression = program[id];
    visit(expression);
    stack.push_back(expression.b);
    stack.push_back(expression.a);
  }
}
}  // namespace

void Checker::collect_asked(ExpressionId condition, std::vector<Hash128>& asked) const {
  for_each_reachable(program_, condition, [&](const Expression& expression) {
    if (expression.op == Op::IsKnown || expression.op == Op::IsMissing)
      asked.push_back(program_[expression.a].definition);
  });
}

void Checker::missing_decides(ExpressionId condition, const std::vector<Hash128>& asked) {
  std::vector<std::pair<SourceSpan, SourceSpan>> found;
  for_each_reachable(program_, condition, [&](const Expression& expression) {
    if (!is_comparison(expression.op) && expression.op != Op::In && expression.op != Op::Contains)
      return;
    for (const ExpressionId side : {expression.a, expression.b}) {
      if (!type(side).optional) continue;
      const auto& definition = program_[side].definition;
      if (std::find(asked.begin(), asked.end(), definition) != asked.end()) continue;
      found.emplace_back(expression.span, program_[side].span);
    }
  });
  for (const auto& [whole, side] : found) report(Code::MissingDecides, side);
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
