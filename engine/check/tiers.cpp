// Tiers: a level is a value of an attribute that no file can name, which an inner event sets. So
// conditions, segments and triggers read it as they read any attribute.
#include <algorithm>
#include <array>

#include "check/detail/checker.h"

namespace koi::check {
namespace {

// What nobody can write in a file: names with a blank.
const std::string inner_name = "tier ";
const std::string no_level = "no level";

bool can_rank(Kind kind) {
  constexpr std::array ranked{Kind::Int,  Kind::Number,  Kind::Money,   Kind::Time,
                              Kind::Date, Kind::Instant, Kind::Duration};
  return std::find(ranked.begin(), ranked.end(), kind) != ranked.end();
}

}  // namespace

Schedule Checker::schedule(const ast::Schedule& from) {
  Schedule to;
  to.time = from.at.value;
  if (std::holds_alternative<ast::EveryDay>(from.when)) {
    to.every = Schedule::Every::Day;
  } else if (const auto* week = std::get_if<ast::EveryWeekday>(&from.when)) {
    to.every = Schedule::Every::Week;
    to.day = week->weekday;
  } else {
    to.every = Schedule::Every::Month;
    to.day = std::get<ast::EveryMonthDay>(from.when).day;
  }
  return to;
}

// The levels and where they are kept, before anything reads them.
void Checker::declare_tiers() {
  auto& schema = program_.schema;
  for (const auto* decl : tiers_) {
    Tier tier;
    tier.symbol = {decl->name.text, decl->alias ? decl->alias->text : std::string()};
    tier.span = decl->name.span;
    tier.refreshed.every = Schedule::Every::Day;
    if (decl->refreshed) tier.refreshed = schedule(*decl->refreshed);
    Enumeration levels;
    Decimal all;
    bool in_order = decl->quintiles == decl->levels.empty(), ended = false;
    for (const auto& each : decl->levels) {
      const auto* top = std::get_if<ast::TopShare>(&each.share);
      const auto* next = std::get_if<ast::NextShare>(&each.share);
      const bool is_first = &each == decl->levels.data();
      in_order = in_order && !ended && is_first == (top != nullptr);
      ended = top == nullptr && next == nullptr;
      if (ended) {
        all = Decimal::of(1);
      } else {
        const auto& share = top != nullptr ? top->share : next->share;
        const auto* percent = std::get_if<ast::PercentLiteral>(&share.kind);
        if (percent == nullptr || percent->value < Decimal{} || percent->value > Decimal::of(1))
          report(Code::ShareNotInRange, share.span);
        else
          all.millionths += percent->value.millionths;
      }
      Symbol symbol{each.name.text, each.alias ? each.alias->text : std::string()};
      for (const Symbol& other : levels.values)
        if (other.name == symbol.name || (!symbol.alias.empty() && other.alias == symbol.alias))
          report(Code::SaidTwice, each.name.span, {each.name.text});
      levels.values.push_back(std::move(symbol));
      tier.up_to.push_back(all);
    }
    if (!in_order || all > Decimal::of(1)) report(Code::TierLevels, decl->name.span);
    // The lowest fifth is the first, as in recency, frequency and monetary value.
    for (int fifth = 5; decl->quintiles && fifth > 0; --fifth) {
      levels.values.push_back({"q" + std::to_string(fifth), {}});
      all.millionths += Decimal::one / 5;
      tier.up_to.push_back(all);
    }
    Type type{.kind = Kind::Enum};
    type.enumeration = EnumId::of(schema.enumerations.size());
    const auto none = static_cast<std::uint32_t>(levels.values.size());
    levels.values.push_back({no_level, {}});
    schema.enumerations.push_back(std::move(levels));

    tier.attribute = AttributeId::of(schema.attributes.size());
    schema.attributes.push_back({.symbol = {inner_name + tier.symbol.name, {}},
                                 .type = type,
                                 .fallback = Value::enumerator(none),
                                 .is_inner = true});
    tier.ranked = EventTypeId::of(schema.events.size());
    schema.events.push_back({.symbol = {inner_name + tier.symbol.name, {}},
                             .fields = {{.symbol = {"level", {}}, .type = type}},
                             .made_by_engine = true,
                             .is_inner = true});
    const ExpressionId said =
        add({.op = Op::EventField, .type = type, .span = decl->name.span}, "level");
    program_.sets.push_back({{tier.ranked, {}}, tier.attribute, said});
    program_.tiers.push_back(std::move(tier));
  }
}

// By what customers are ranked, and among whom.
void Checker::tiers() {
  for (std::size_t i = 0; i < tiers_.size(); ++i) {
    const auto& decl = *tiers_[i];
    const ExpressionId by = expression(decl.by, {});
    if (!is_poison(by) && !can_rank(type(by).kind))
      report(Code::NoOrder, decl.by.span, {describe(type(by))});
    program_.tiers[i].by = by;
    if (!decl.among) continue;
    program_.tiers[i].among = condition(*decl.among, {});
    always_the_same(program_.tiers[i].among, decl.among->span);
  }
}

std::optional<std::uint32_t> Checker::level_of(const Declared& declared, const ast::Name& name) {
  const Tier& tier = program_.tiers[declared.index];
  const Type& type = program_.schema[tier.attribute].type;
  auto names = enum_names(type.enumeration);
  names.erase(std::remove(names.begin(), names.end(), no_level), names.end());
  const auto found = enum_value(type.enumeration, name);
  if (found) return found;
  std::string all;
  for (const Symbol& each : program_.schema.enumerations[type.enumeration.index()].values)
    if (each.name != no_level) all += (all.empty() ? "`" : ", `") + each.name + "`";
  suggest(report(Code::NoLevel, name.span, {name.text, tier.symbol.name, all}), name.text, names);
  return std::nullopt;
}

// `value.gold`: is he in it?
ExpressionId Checker::level(const Declared& declared, const ast::Name& name, SourceSpan span) {
  const auto found = level_of(declared, name);
  if (!found) return poison(span);
  const AttributeId attribute = program_.tiers[declared.index].attribute;
  const Attribute& known = program_.schema[attribute];
  const ExpressionId kept = add({.op = Op::Attribute,
                                 .type = known.type,
                                 .span = span,
                                 .index = static_cast<std::uint32_t>(attribute.index())},
                                known.symbol.name);
  const ExpressionId asked = constant(Value::enumerator(*found), known.type, span);
  return binary(Op::Equal, kept, asked, {.kind = Kind::Bool}, span);
}

}  // namespace koi::check
