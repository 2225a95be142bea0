// What is declared, and in which order definitions can be looked at.
#include <algorithm>
#include <functional>

#include "check/detail/checker.h"

namespace koi::check {
namespace {

// Kinds that can be meant at one place: among them a name or alias must be unique. An alias may be
// shared by kinds that never stand at the same place (an event and a campaign).
std::uint32_t company_of(Declares kind) {
  if (only(kind) & values_and_conditions) return values_and_conditions;
  constexpr std::uint32_t incentives = Declares::Incentive | Declares::Referral;
  if (only(kind) & incentives) return incentives;
  return only(kind);
}

}  // namespace

Diagnostic& Checker::report(Code code, SourceSpan span,
                            std::initializer_list<std::string> arguments) {
  diagnostics_.push_back(lang::make(code, span, language_, arguments));
  return diagnostics_.back();
}

void Checker::suggest(Diagnostic& diagnostic, std::string_view word,
                      const std::vector<std::string>& candidates) const {
  const std::string like = closest(word, candidates);
  if (like.empty() || like == word) return;
  diagnostic.help = say("did you mean `", "是不是想写 `") + like + say("`?", "`？");
  diagnostic.replacement = like;
}

std::string Checker::word(std::string_view english) const {
  static const std::map<std::string_view, std::string_view> chinese{
#define KOI_KEYWORD(token, in_english, in_chinese, others, meaning) {in_english, in_chinese},
#include "lang/keywords.def"
  };
  const auto found = chinese.find(english);
  const bool known = language_ == Language::Chinese && found != chinese.end();
  return std::string(known ? found->second : english);
}

void Checker::said_twice(SourceSpan span, const std::string& what, SourceSpan first) {
  label(report(Code::SaidTwice, span, {what}), first, "first said here", "第一次写在这里");
}

bool Checker::is_first(Once& once, const std::string& what, SourceSpan span) {
  const SourceSpan* before = once.before(what, span);
  if (before != nullptr) said_twice(span, word(what), *before);
  return before == nullptr;
}

bool Checker::is_first(Once& once, const ast::Setting& setting) {
  const SourceSpan* before = once.before(setting.name.text, setting.span);
  if (before != nullptr) said_twice(setting.span, setting.name.text, *before);
  return before == nullptr;
}

std::string Checker::describe(Declares kind) const {
  switch (kind) {
    case Declares::Event: return say("an event", "事件");
    case Declares::Metric: return say("a metric", "指标");
    case Declares::Segment: return say("a segment", "人群");
    case Declares::Let: return say("a `let`", "`令` 的名称");
    case Declares::Tier: return say("a tier", "等级");
    case Declares::Audience: return say("an audience", "名单");
    case Declares::Content: return say("a content", "内容");
    case Declares::Incentive: return say("an incentive", "权益");
    case Declares::Referral: return say("a referral", "老带新");
    case Declares::Channel: return say("a channel", "渠道");
    case Declares::Team: return say("a team", "团队");
    case Declares::Webhook: return say("a webhook", "回调");
    case Declares::Campaign: return say("a campaign", "活动");
  }
  KOI_ASSERT(false);
}

// The first of the kinds speaks for all.
std::string Checker::describe_any(std::uint32_t kinds) const {
  if (kinds == values_and_conditions) return say("a value or a condition", "值或条件");
  for (std::uint32_t bit = 1; bit <= only(Declares::Campaign); bit <<= 1)
    if (kinds & bit) return describe(static_cast<Declares>(bit));
  KOI_ASSERT(false);
}

void Checker::declare(Declares kind, std::size_t index, const ast::Name& name,
                      const ast::Alias& alias) {
  Declared declared{.kind = kind,
                    .index = index,
                    .symbol = {name.text, alias ? alias->text : std::string()},
                    .span = name.span,
                    .alias_span = alias ? alias->span : name.span,
                    .by_engine = false};
  const auto add_spelling = [&](const std::string& spelling, SourceSpan span, bool is_alias) {
    for (const std::size_t other_index : by_name_[spelling]) {
      const Declared& other = declared_[other_index];
      const bool both_names = !is_alias && !other.by_engine && other.symbol.name == spelling;
      const bool clash = both_names || (only(other.kind) & company_of(kind)) != 0;
      if (clash && other.by_engine) {
        report(Code::DeclaredByEngine, span, {spelling});
      } else if (clash) {
        auto& diagnostic = report(Code::DeclaredTwice, span, {spelling});
        const bool by_alias = other.symbol.name != spelling;
        label(diagnostic, by_alias ? other.alias_span : other.span, "declared here",
              "在这里声明过");
      } else if (!other.by_engine) {
        auto& diagnostic =
            report(Code::SharedAlias, span, {spelling, describe(kind), describe(other.kind)});
        label(diagnostic, other.symbol.name == spelling ? other.span : other.alias_span,
              "declared here", "在这里声明过");
      }
    }
    by_name_[spelling].push_back(declared_.size());
  };
  add_spelling(declared.symbol.name, declared.span, false);
  if (!declared.symbol.alias.empty() && declared.symbol.alias != declared.symbol.name)
    add_spelling(declared.symbol.alias, declared.alias_span, true);
  declared_.push_back(std::move(declared));
}

const Declared* Checker::find(const ast::Name& name, std::uint32_t kinds) const {
  const auto among = [&](std::string_view spelling) -> const Declared* {
    const auto found = by_name_.find(spelling);
    if (found == by_name_.end()) return nullptr;
    for (const std::size_t index : found->second) {
      if (!(only(declared_[index].kind) & kinds)) continue;
      if (!declared_[index].by_engine) used(name, declared_[index].span);
      return &declared_[index];
    }
    return nullptr;
  };
  if (const auto* declared = among(name.text)) return declared;
  return name.keyword.empty() ? nullptr : among(name.keyword);
}

std::vector<std::string> Checker::names_of(std::uint32_t kinds) const {
  std::vector<std::string> names;
  for (const Declared& declared : declared_) {
    if (!(only(declared.kind) & kinds)) continue;
    names.push_back(declared.symbol.name);
    if (!declared.symbol.alias.empty()) names.push_back(declared.symbol.alias);
  }
  return names;
}

const Declared* Checker::expect(const ast::Name& name, std::uint32_t kinds) {
  if (const auto* declared = find(name, kinds)) return declared;
  if (const auto* other = find(name, any_declaration)) {
    auto& diagnostic =
        report(Code::WrongKind, name.span, {name.text, describe(other->kind), describe_any(kinds)});
    suggest(diagnostic, name.text, names_of(kinds));
    if (!other->by_engine) label(diagnostic, other->span, "declared here", "在这里声明");
    return nullptr;
  }
  auto& diagnostic = report(Code::UnknownName, name.span, {describe_any(kinds), name.text});
  suggest(diagnostic, name.text, names_of(kinds));
  return nullptr;
}

// None of that name: that has been told.
const Declared* Checker::expect_event(const ast::Name& name) {
  return expect(name, only(Declares::Event));
}

// One that somebody does or has done to him: what is counted, kept or made to happen of a customer.
const Declared* Checker::expect_own_event(const ast::Name& name) {
  const auto* declared = expect_event(name);
  if (declared == nullptr || !is_to_everyone(EventTypeId::of(declared->index))) return declared;
  report(Code::EventOfEveryone, name.span, {name.text});
  return nullptr;
}

void Checker::collect() {
  const auto engine = engine_events();
  for (std::size_t i = 0; i < engine.size(); ++i) {
    by_name_[engine[i].symbol.name].push_back(declared_.size());
    by_name_[engine[i].symbol.alias].push_back(declared_.size());
    declared_.push_back({.kind = Declares::Event,
                         .index = i,
                         .symbol = engine[i].symbol,
                         .span = {},
                         .alias_span = {},
                         .by_engine = true});
  }
  const auto symbol_of = [](const auto& decl) {
    return Symbol{decl.name.text, decl.alias ? decl.alias->text : std::string()};
  };
  const auto keep = [&](auto& list, Declares kind, const auto& decl) {
    declare(kind, list.size(), decl.name, decl.alias);
    list.push_back(&decl);
  };
  for (const auto& file : files_) {
    for (const auto& declaration : file.declarations) {
      std::visit(
          [&](const auto& decl) {
            using Decl = std::decay_t<decltype(decl)>;
            if constexpr (std::is_same_v<Decl, ast::EventDecl>) {
              declare(Declares::Event, engine.size() + events_.size(), decl.name, decl.alias);
              events_.push_back(&decl);
            } else if constexpr (std::is_same_v<Decl, ast::CustomerDecl>) {
              if (customer_ == nullptr)
                customer_ = &decl;
              else
                said_twice(decl.span, word("customer"), customer_->span);
            } else if constexpr (std::is_same_v<Decl, ast::PolicyDecl>) {
              if (policy_ == nullptr)
                policy_ = &decl;
              else
                said_twice(decl.span, word("policy"), policy_->span);
            } else if constexpr (std::is_same_v<Decl, ast::TestDecl>) {
              tests_.push_back(&decl);
            } else if constexpr (std::is_same_v<Decl, ast::MetricDecl>) {
              keep(metrics_, Declares::Metric, decl);
            } else if constexpr (std::is_same_v<Decl, ast::SegmentDecl>) {
              keep(segments_, Declares::Segment, decl);
            } else if constexpr (std::is_same_v<Decl, ast::LetDecl>) {
              keep(lets_, Declares::Let, decl);
            } else if constexpr (std::is_same_v<Decl, ast::ContentDecl>) {
              keep(contents_, Declares::Content, decl);
            } else if constexpr (std::is_same_v<Decl, ast::ChannelDecl>) {
              keep(channels_, Declares::Channel, decl);
            } else if constexpr (std::is_same_v<Decl, ast::CampaignDecl>) {
              keep(campaigns_, Declares::Campaign, decl);
            } else if constexpr (std::is_same_v<Decl, ast::TeamDecl>) {
              declare(Declares::Team, program_.teams.size(), decl.name, decl.alias);
              program_.teams.push_back(symbol_of(decl));
            } else if constexpr (std::is_same_v<Decl, ast::WebhookDecl>) {
              declare(Declares::Webhook, program_.webhooks.size(), decl.name, decl.alias);
              program_.webhooks.push_back(symbol_of(decl));
            } else if constexpr (std::is_same_v<Decl, ast::TierDecl>) {
              keep(tiers_, Declares::Tier, decl);
            } else if constexpr (std::is_same_v<Decl, ast::AudienceDecl>) {
              keep(audiences_, Declares::Audience, decl);
            } else if constexpr (std::is_same_v<Decl, ast::ReferralDecl>) {
              keep(referrals_, Declares::Referral, decl);
              program_.referrals.push_back({.symbol = symbol_of(decl), .span = decl.name.span});
            } else {
              declare(Declares::Incentive, incentives_.size(), decl.name, decl.alias);
              incentives_.push_back(&decl);
              Incentive& made = program_.incentives.emplace_back();
              made.symbol = symbol_of(decl);
              made.span = decl.name.span;
              if constexpr (std::is_same_v<Decl, ast::CouponDecl>)
                made.what = Coupon{};
              else if constexpr (std::is_same_v<Decl, ast::PointsDecl>)
                made.what = Points{};
              else if constexpr (std::is_same_v<Decl, ast::PrizeDrawDecl>)
                made.what = PrizeDraw{};
            }
          },
          declaration);
    }
  }
}

// --- The order of definitions --------------------------------------------------------------------

// The enum whose value an expression is, as far as that can be told from its own words.
EnumId Checker::enum_of(const ast::Expr& expr, EventTypeId where_of, int depth) const {
  const auto field_of = [&](EventTypeId event, const ast::Name& name) {
    const FieldId field = event.is_none() ? FieldId::none() : find_field(event, name);
    return field.is_none() ? EnumId::none()
                           : program_.schema[event].fields[field.index()].type.enumeration;
  };
  if (depth > 8) return EnumId::none();
  if (const auto* path = std::get_if<ast::Path>(&expr.kind)) {
    const auto& head = path->names.front();
    if (path->names.size() == 2 && is_customer(head)) {
      const AttributeId attribute = find_attribute(path->names[1]);
      return attribute.is_none() ? EnumId::none() : program_.schema[attribute].type.enumeration;
    }
    if (path->names.size() == 2) return field_of(where_of, path->names[1]);
    const EnumId field = field_of(where_of, head);
    if (path->names.size() > 2 || !field.is_none()) return field;
    const auto* declared = find(head, Declares::Let | Declares::Metric);
    if (declared == nullptr) return EnumId::none();
    if (declared->kind == Declares::Let)
      return enum_of(lets_[declared->index]->value, {}, depth + 1);
    return enum_of(metrics_[declared->index]->measure);
  }
  if (const auto* either = std::get_if<ast::Or>(&expr.kind))
    return enum_of(either->operands.front(), where_of, depth + 1);
  if (const auto* measure = std::get_if<ast::Measure>(&expr.kind)) return enum_of(*measure);
  return EnumId::none();
}

EnumId Checker::enum_of(const ast::Measure& measure) const {
  if (measure.any_event || measure.event.names.size() != 2) return EnumId::none();
  const auto* event = find(measure.event.names.front(), only(Declares::Event));
  if (event == nullptr) return EnumId::none();
  const auto id = EventTypeId::of(event->index);
  const FieldId field = find_field(id, measure.event.names[1]);
  return field.is_none() ? EnumId::none()
                         : program_.schema[id].fields[field.index()].type.enumeration;
}

// Which lets, segments and metrics an expression reads. Names that are fields where they stand are
// none of them.
void Checker::collect_uses(
    const ast::Expr& expr, EventTypeId where_of, std::vector<std::size_t>& uses,
    const std::map<std::pair<Declares, std::size_t>, std::size_t>& numbers) const {
  const auto each = [&](const ast::Expr& operand) {
    collect_uses(operand, where_of, uses, numbers);
  };
  // A name beside an enum may be one of its values: `customer.role == staff` reads no segment.
  const auto beside = [&](const ast::Expr& operand, const ast::Expr& neighbour) {
    const EnumId enumeration = enum_of(neighbour, where_of);
    // Beside an attribute that is not there nobody can tell, and that is told already.
    const auto* path = std::get_if<ast::Path>(&neighbour.kind);
    const bool unknown = path != nullptr && path->names.size() == 2 &&
                         is_customer(path->names[0]) && find_attribute(path->names[1]).is_none();
    const auto is_value = [&](const ast::Expr& each_operand) {
      const auto* name = std::get_if<ast::Path>(&each_operand.kind);
      if (name == nullptr || name->names.size() != 1) return false;
      return unknown ||
             (!enumeration.is_none() && enum_value(enumeration, name->names.front()).has_value());
    };
    if (is_value(operand)) return;
    if (const auto* list = std::get_if<ast::List>(&operand.kind)) {
      for (const auto& item : list->items)
        if (!is_value(item)) each(item);
    } else {
      each(operand);
    }
  };
  std::visit(
      [&](const auto& node) {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, ast::Path>) {
          const auto& name = node.names.front();
          if (node.names.size() > 1) return;
          if (!where_of.is_none() && !find_field(where_of, name).is_none()) return;
          const auto* declared = find(name, Declares::Metric | Declares::Segment | Declares::Let);
          if (declared != nullptr) uses.push_back(numbers.at({declared->kind, declared->index}));
        } else if constexpr (std::is_same_v<Node, ast::TextLiteral>) {
          for (const auto& part : node.parts)
            if (const auto* value = std::get_if<ast::Box<ast::Expr>>(&part)) each(**value);
        } else if constexpr (std::is_same_v<Node, ast::Not> || std::is_same_v<Node, ast::Negate> ||
                             std::is_same_v<Node, ast::Known>) {
          each(*node.operand);
        } else if constexpr (std::is_same_v<Node, ast::And>) {
          for (const auto& operand : node.operands) each(operand);
        } else if constexpr (std::is_same_v<Node, ast::Or>) {
          for (const auto& operand : node.operands) beside(operand, node.operands.front());
        } else if constexpr (std::is_same_v<Node, ast::Compare>) {
          beside(*node.left, *node.right), beside(*node.right, *node.left);
        } else if constexpr (std::is_same_v<Node, ast::Contains>) {
          each(*node.left), beside(*node.right, *node.left);
        } else if constexpr (std::is_same_v<Node, ast::Arithmetic>) {
          each(*node.left), each(*node.right);
        } else if constexpr (std::is_same_v<Node, ast::In>) {
          if (node.left)
            each(**node.left), beside(*node.right, **node.left);
          else
            each(*node.right);
        } else if constexpr (std::is_same_v<Node, ast::Call>) {
          for (const auto& argument : node.arguments) each(argument);
        } else if constexpr (std::is_same_v<Node, ast::List>) {
          for (const auto& item : node.items) each(item);
        } else if constexpr (std::is_same_v<Node, ast::Measure>) {
          if (!node.where) return;
          EventTypeId of;
          if (!node.any_event)
            if (const auto* event = find(node.event.names.front(), only(Declares::Event)))
              of = EventTypeId::of(event->index);
          collect_uses(**node.where, of, uses, numbers);
        }
      },
      expr.kind);
}

// Checks metrics, segments and lets in an order in which what is used comes first. A chain of
// definitions may be as long as the program, so the walk keeps its own stack.
void Checker::order_definitions() {
  std::vector<Definition> definitions;
  std::map<std::pair<Declares, std::size_t>, std::size_t> numbers;
  const auto number = [&](Declares kind, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      numbers[{kind, i}] = definitions.size();
      definitions.push_back({kind, i});
    }
  };
  number(Declares::Metric, metrics_.size());
  number(Declares::Segment, segments_.size());
  number(Declares::Let, lets_.size());

  std::vector<std::vector<std::size_t>> uses(definitions.size());
  for (std::size_t i = 0; i < definitions.size(); ++i) {
    const auto [kind, index] = definitions[i];
    if (kind == Declares::Segment) {
      collect_uses(segments_[index]->when, {}, uses[i], numbers);
    } else if (kind == Declares::Let) {
      collect_uses(lets_[index]->value, {}, uses[i], numbers);
    } else {
      const auto& measure = metrics_[index]->measure;
      const ast::Expr whole{.span = measure.span, .kind = measure, .in_parentheses = false};
      collect_uses(whole, {}, uses[i], numbers);
    }
  }

  const auto name_of_definition = [&](std::size_t i) -> const ast::Name& {
    const auto [kind, index] = definitions[i];
    if (kind == Declares::Metric) return metrics_[index]->name;
    if (kind == Declares::Segment) return segments_[index]->name;
    return lets_[index]->name;
  };
  enum class Seen : std::uint8_t { No, UnderWay, Done };
  std::vector<Seen> seen(definitions.size(), Seen::No);
  struct Visit {
    std::size_t definition;
    std::size_t next = 0;
  };
  const auto check_definition = [&](std::size_t i) {
    const auto [kind, index] = definitions[i];
    if (kind == Declares::Metric) metric(index);
    if (kind == Declares::Segment) segment(index);
    if (kind == Declares::Let) let(index);
  };
  for (std::size_t root = 0; root < definitions.size(); ++root) {
    if (seen[root] != Seen::No) continue;
    std::vector<Visit> stack{{root}};
    seen[root] = Seen::UnderWay;
    while (!stack.empty()) {
      Visit& top = stack.back();
      if (top.next == uses[top.definition].size()) {
        check_definition(top.definition);
        seen[top.definition] = Seen::Done;
        stack.pop_back();
        continue;
      }
      const std::size_t used = uses[top.definition][top.next++];
      if (seen[used] == Seen::No) {
        seen[used] = Seen::UnderWay;
        stack.push_back({used});
      } else if (seen[used] == Seen::UnderWay) {
        const auto& name = name_of_definition(used);
        auto& diagnostic = report(Code::DefinedByItself, name.span, {name.text});
        for (auto at = stack.rbegin(); at != stack.rend() && at->definition != used; ++at) {
          diagnostic.labels.push_back(
              {name_of_definition(at->definition).span,
               say("by way of `", "经由 `") + name_of_definition(at->definition).text + "`"});
        }
        const auto [kind, index] = definitions[used];
        cyclic_[{kind, index}] = true;
      }
    }
  }
}

}  // namespace koi::check
