// What a name in an expression stands for: of an event, a customer, what is declared.
#include <algorithm>

#include "check/detail/checker.h"
#include "check/reachable.h"

namespace koi::check {

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
  bool reads = false;
  for_each_reachable(program_, root, [&](const Expression& expression) {
    reads = reads || expression.op == Op::Metric || expression.op == Op::Segment ||
            expression.op == Op::Granted;
    return !reads;
  });
  return reads;
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

}  // namespace koi::check
