// What events and customers look like, and what channels and the policy say.
#include <algorithm>
#include <array>

#include "check/detail/checker.h"

namespace koi::check {
namespace {

struct Currency {
  std::string_view code;
  int decimals;
  std::string_view sign;
};
// ISO 4217, the ones that shops use; minor units as there.
constexpr std::array currencies{
    Currency{"AED", 2, "AED "}, Currency{"AUD", 2, "A$"},   Currency{"BRL", 2, "R$"},
    Currency{"CAD", 2, "CA$"},  Currency{"CHF", 2, "CHF "}, Currency{"CLP", 0, "CLP "},
    Currency{"CNY", 2, "¥"},    Currency{"CZK", 2, "CZK "}, Currency{"DKK", 2, "DKK "},
    Currency{"EUR", 2, "€"},    Currency{"GBP", 2, "£"},    Currency{"HKD", 2, "HK$"},
    Currency{"HUF", 2, "HUF "}, Currency{"IDR", 2, "Rp"},   Currency{"ILS", 2, "₪"},
    Currency{"INR", 2, "₹"},    Currency{"JPY", 0, "JP¥"},  Currency{"KRW", 0, "₩"},
    Currency{"KWD", 3, "KWD "}, Currency{"MOP", 2, "MOP$"}, Currency{"MXN", 2, "MX$"},
    Currency{"MYR", 2, "RM"},   Currency{"NOK", 2, "NOK "}, Currency{"NZD", 2, "NZ$"},
    Currency{"PHP", 2, "₱"},    Currency{"PLN", 2, "zł"},   Currency{"RUB", 2, "₽"},
    Currency{"SAR", 2, "SAR "}, Currency{"SEK", 2, "SEK "}, Currency{"SGD", 2, "S$"},
    Currency{"THB", 2, "฿"},    Currency{"TRY", 2, "₺"},    Currency{"TWD", 2, "NT$"},
    Currency{"USD", 2, "$"},    Currency{"VND", 0, "₫"},    Currency{"ZAR", 2, "R"},
};

bool same_text(const ast::Name& name, const Symbol& symbol) {
  return symbol.name == name.text || (!symbol.alias.empty() && symbol.alias == name.text);
}
bool same_keyword(const ast::Name& name, const Symbol& symbol) {
  return !name.keyword.empty() && symbol.name == name.keyword;
}

// By name or alias, then by the keyword that the name may be.
template <class List, class SymbolOf>
std::optional<std::size_t> position_of(const List& list, const ast::Name& name,
                                       SymbolOf symbol_of) {
  for (const auto match : {same_text, same_keyword})
    for (std::size_t i = 0; i < list.size(); ++i)
      if (match(name, symbol_of(list[i]))) return i;
  return std::nullopt;
}

Symbol symbol_of(const ast::Name& name, const ast::Alias& alias) {
  return {name.text, alias ? alias->text : std::string()};
}

}  // namespace

// --- Looking up ----------------------------------------------------------------------------------

std::optional<std::uint32_t> Checker::enum_value(EnumId enumeration, const ast::Name& name) const {
  const auto& values = program_.schema.enumerations[enumeration.index()].values;
  const auto found = position_of(values, name, [](const Symbol& symbol) { return symbol; });
  if (!found) return std::nullopt;
  const auto value = static_cast<std::uint32_t>(*found);
  used_value(name, enumeration, value);
  return value;
}

std::vector<std::string> Checker::enum_names(EnumId enumeration) const {
  std::vector<std::string> names;
  for (const auto& value : program_.schema.enumerations[enumeration.index()].values) {
    names.push_back(value.name);
    if (!value.alias.empty()) names.push_back(value.alias);
  }
  return names;
}

FieldId Checker::find_field(EventTypeId event, const ast::Name& name) const {
  const auto& fields = program_.schema.events[event.index()].fields;
  const auto found = position_of(fields, name, [](const Field& field) { return field.symbol; });
  if (!found) return FieldId::none();
  used_field(name, event, FieldId::of(*found));
  return FieldId::of(*found);
}

AttributeId Checker::find_attribute(const ast::Name& name) const {
  const auto& attributes = program_.schema.attributes;
  const auto found =
      position_of(attributes, name, [](const Attribute& attribute) { return attribute.symbol; });
  if (!found) return AttributeId::none();
  used_attribute(name, AttributeId::of(*found));
  return AttributeId::of(*found);
}

std::vector<std::string> Checker::field_names(EventTypeId event) const {
  std::vector<std::string> names;
  for (const auto& field : program_.schema.events[event.index()].fields) {
    names.push_back(field.symbol.name);
    if (!field.symbol.alias.empty()) names.push_back(field.symbol.alias);
  }
  return names;
}

std::vector<std::string> Checker::attribute_names() const {
  std::vector<std::string> names{"id", "created", "consent"};
  for (const auto& attribute : program_.schema.attributes) {
    if (attribute.is_inner) continue;
    names.push_back(attribute.symbol.name);
    if (!attribute.symbol.alias.empty()) names.push_back(attribute.symbol.alias);
  }
  return names;
}

bool Checker::is_customer(const ast::Name& name) const {
  if (name.canonical() == "customer") return true;
  return customer_ != nullptr && customer_->alias && customer_->alias->text == name.text;
}

// --- Types ---------------------------------------------------------------------------------------

Type Checker::type_of(const ast::Type& type) {
  Type out;
  out.optional = type.optional;
  Kind kind = Kind::Text;
  TextKind text = TextKind::Plain;
  switch (type.kind) {
    case ast::TypeKind::Text: break;
    case ast::TypeKind::Number: kind = Kind::Number; break;
    case ast::TypeKind::Int: kind = Kind::Int; break;
    case ast::TypeKind::Money: kind = Kind::Money; break;
    case ast::TypeKind::Bool: kind = Kind::Bool; break;
    case ast::TypeKind::Time: kind = Kind::Time; break;
    case ast::TypeKind::Date: kind = Kind::Date; break;
    case ast::TypeKind::Instant: kind = Kind::Instant; break;
    case ast::TypeKind::Duration: kind = Kind::Duration; break;
    case ast::TypeKind::Phone: text = TextKind::Phone; break;
    case ast::TypeKind::Email: text = TextKind::Email; break;
    case ast::TypeKind::Url: text = TextKind::Url; break;
    case ast::TypeKind::Code: text = TextKind::Code; break;
    case ast::TypeKind::Enum: kind = Kind::Enum; break;
  }
  if (kind == Kind::Enum) {
    Enumeration enumeration;
    std::map<std::string, SourceSpan> seen;
    for (const auto& value : type.values) {
      Symbol symbol = symbol_of(value.name, value.alias);
      for (const auto& spelling : {symbol.name, symbol.alias}) {
        if (spelling.empty() || (&spelling != &symbol.name && symbol.alias == symbol.name))
          continue;
        const auto [first, is_new] = seen.emplace(spelling, value.span);
        if (is_new || first->second == value.span) continue;
        auto& diagnostic = report(Code::DeclaredTwice, value.span, {spelling});
        label(diagnostic, first->second, "declared here", "在这里声明过");
      }
      enumeration.values.push_back(std::move(symbol));
    }
    // Enums of the same values are one type, so that an attribute can be set from a field.
    auto& all = program_.schema.enumerations;
    const auto same = std::find_if(all.begin(), all.end(), [&](const Enumeration& other) {
      return std::equal(other.values.begin(), other.values.end(), enumeration.values.begin(),
                        enumeration.values.end(), [](const Symbol& a, const Symbol& b) {
                          return a.name == b.name && a.alias == b.alias;
                        });
    });
    if (same == all.end() && all.size() >= 60'000) {
      report(Code::TooMany, type.span, {say("enums", "枚举"), "60000"});
      out.enumeration = EnumId::of(0);
      out.kind = Kind::Enum;
      return out;
    }
    out.enumeration = EnumId::of(static_cast<std::size_t>(same - all.begin()));
    if (same == all.end()) all.push_back(std::move(enumeration));
    if (uses_ != nullptr) {
      enum_places_.resize(all.size());
      for (std::size_t i = 0; i < type.values.size(); ++i)
        enum_places_[out.enumeration.index()].emplace_back(i, type.values[i].name.span);
    }
  }
  out.kind = type.list ? Kind::List : kind;
  (type.list ? out.element_text : out.text) = text;
  if (type.list) out.element = kind;
  return out;
}

Value Checker::default_of(const ast::Field& field, const Type& type) {
  if (!field.default_value) return {};
  const auto value = fixed(*field.default_value, type);
  return value ? *value : Value();
}

// --- Events --------------------------------------------------------------------------------------

void Checker::events() {
  program_.schema.events = engine_events();
  // All of them first, so that numbers are those of the declarations whatever follows.
  for (const auto* decl : events_) {
    EventType event;
    event.symbol = symbol_of(decl->name, decl->alias);
    event.to_everyone = decl->to_everyone;
    program_.schema.events.push_back(std::move(event));
  }
  const std::size_t first = engine_event_count;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const auto* decl = events_[i];
    std::map<std::string, SourceSpan> seen;
    std::vector<Field> fields;
    for (const auto& field : decl->fields) {
      Field out;
      out.symbol = symbol_of(field.name, field.alias);
      out.type = type_of(field.type);
      out.fallback = default_of(field, out.type);
      for (const auto& spelling : {out.symbol.name, out.symbol.alias}) {
        if (spelling.empty()) continue;
        const auto [other, is_new] = seen.emplace(spelling, field.name.span);
        if (is_new || other->second == field.name.span) continue;
        auto& diagnostic = report(Code::DeclaredTwice, field.name.span, {spelling});
        label(diagnostic, other->second, "declared here", "在这里声明过");
      }
      out.is_private = field.is_private;
      fields.push_back(std::move(out));
    }
    program_.schema.events[first + i].fields = std::move(fields);
  }
}

// --- The customer --------------------------------------------------------------------------------

void Checker::customer() {
  const Type optional_text{.kind = Kind::Text, .optional = true};
  auto& schema = program_.schema;
  for (const auto& [name, alias] : {std::pair("time_zone", "时区"), std::pair("language", "语言"),
                                    std::pair("stage", "阶段")}) {
    Attribute attribute;
    attribute.symbol = {name, alias};
    attribute.type = optional_text;
    schema.attributes.push_back(std::move(attribute));
  }
  Attribute tags;
  tags.symbol = {"tags", "标签"};
  tags.type = {.kind = Kind::List, .element = Kind::Text};
  tags.fallback = Value::list({});
  schema.attributes.push_back(std::move(tags));
  if (customer_ == nullptr) return;
  std::map<std::string, SourceSpan> seen;
  for (const auto& item : customer_->items) {
    const auto* field = std::get_if<ast::Field>(&item);
    if (field == nullptr) continue;
    Attribute attribute;
    attribute.symbol = symbol_of(field->name, field->alias);
    attribute.type = type_of(field->type);
    attribute.fallback = default_of(*field, attribute.type);
    attribute.is_private = field->is_private;
    for (const auto& spelling : {attribute.symbol.name, attribute.symbol.alias}) {
      if (spelling.empty()) continue;
      const auto canonical = spelling == field->name.text ? field->name.canonical() : spelling;
      if (canonical == "id" || canonical == "created" || canonical == "consent" ||
          canonical == "time_zone" || canonical == "language" || canonical == "stage" ||
          canonical == "tags" || canonical == "标签") {
        report(Code::AttributeAlwaysThere, field->name.span, {std::string(canonical)});
        continue;
      }
      const auto [other, is_new] = seen.emplace(spelling, field->name.span);
      if (is_new || other->second == field->name.span) continue;
      auto& diagnostic = report(Code::DeclaredTwice, field->name.span, {spelling});
      label(diagnostic, other->second, "declared here", "在这里声明过");
    }
    // Whoever has no value and no default begins without one.
    if (!attribute.type.optional && attribute.fallback.is_missing() && !field->default_value) {
      report(Code::AttributeNeedsDefault, field->name.span, {field->name.text});
    }
    schema.attributes.push_back(std::move(attribute));
  }
  std::map<std::string, SourceSpan> identifiers;
  for (const auto& item : customer_->items) {
    const auto* identify = std::get_if<ast::IdentifyBy>(&item);
    if (identify == nullptr) continue;
    for (const auto& name : identify->names) {
      const auto [other, is_new] = identifiers.emplace(name.text, name.span);
      if (!is_new) {
        auto& diagnostic = report(Code::DeclaredTwice, name.span, {name.text});
        label(diagnostic, other->second, "declared here", "在这里声明过");
        continue;
      }
      const AttributeId attribute = find_attribute(name);
      std::string identifier = name.text;
      if (!attribute.is_none()) {
        auto& known = schema.attributes[attribute.index()];
        if (known.type.kind != Kind::Text)
          report(Code::ExpectedType, name.span, {say("a text", "文本"), describe(known.type)});
        known.identifier = IdentifierId::of(schema.identifiers.size());
        identifier = known.symbol.name;
      }
      schema.identifiers.push_back(std::move(identifier));
    }
  }
}

// `on register set city = register.city`; behind the definitions, because a `let` may be read.
void Checker::customer_sets() {
  if (customer_ == nullptr) return;
  for (const auto& item : customer_->items) {
    const auto* on = std::get_if<ast::OnEvent>(&item);
    if (on == nullptr) continue;
    Pattern checked = pattern(on->event, {});
    if (checked.ok && !on->event.any && is_to_everyone(checked.pattern.match.type)) {
      report(Code::EventOfEveryone, on->event.event.span, {on->event.event.text});
      checked.ok = false;
    }
    Scope scope;
    scope.place = Scope::Place::OnSet;
    scope.has_event = true;
    scope.event_poisoned = !checked.ok;
    scope.event = checked.pattern.match.type;
    scope.event_names = {on->event.as ? on->event.as->text : on->event.event.text};
    if (on->event.as) scope.event_as = on->event.as->span;
    if (checked.ok && !on->event.any) {
      const auto& symbol = program_.schema.events[scope.event.index()].symbol;
      scope.event_names.push_back(symbol.name);
      if (!symbol.alias.empty()) scope.event_names.push_back(symbol.alias);
    }
    for (const auto& assignment : on->assignments) {
      const auto& names = assignment.target.names;
      const bool dotted = names.size() == 2 && is_customer(names.front());
      if (names.size() != 1 && !dotted) {
        report(Code::NoAttribute, assignment.target.span, {names.back().text});
        continue;
      }
      const auto& name = names.back();
      const AttributeId attribute = find_attribute(name);
      const IdentifierId identifier = attribute.is_none()
                                          ? program_.schema.find_identifier(name.text)
                                          : program_.schema[attribute].identifier;
      if (attribute.is_none() && identifier.is_none()) {
        auto candidates = attribute_names();
        for (const auto& each : program_.schema.identifiers) candidates.push_back(each);
        suggest(report(Code::NoAttribute, name.span, {name.text}), name.text, candidates);
        continue;
      }
      const Type text{.kind = Kind::Text, .optional = true};
      const Type& type = attribute.is_none() ? text : program_.schema[attribute].type;
      const ExpressionId value = of_type(assignment.value, scope, type);
      if (is_poison(value) || !checked.ok) continue;
      if (!identifier.is_none()) {
        const auto& read = program_[value];
        if (read.op != Op::EventField || read.index == event_time || on->event.where ||
            on->event.any) {
          report(Code::IdentifierFromField, assignment.span, {name.text});
          continue;
        }
        auto& field = program_.schema.events[scope.event.index()].fields[read.index];
        if (!field.links.is_none() && field.links != identifier) {
          report(Code::LinksTwice, assignment.span, {field.symbol.name});
          continue;
        }
        field.links = identifier;
      }
      if (!attribute.is_none()) program_.sets.push_back({checked.pattern.match, attribute, value});
    }
  }
}

// --- Policy --------------------------------------------------------------------------------------

std::optional<CampaignClass> Checker::campaign_class(const ast::Name& name) {
  const auto canonical = name.canonical();
  if (canonical == "marketing") return CampaignClass::Marketing;
  if (canonical == "transactional") return CampaignClass::Transactional;
  if (canonical == "service") return CampaignClass::Service;
  suggest(report(Code::UnknownClass, name.span, {name.text}), name.text,
          {"marketing", "transactional", "service", "营销", "交易", "服务"});
  return std::nullopt;
}

std::optional<Cap> Checker::cap(const ast::CapLimit& limit) {
  Cap out;
  const auto count = whole_number(limit.count, 1, 1'000'000, "a cap", "频次上限");
  if (const auto* span = std::get_if<Span>(&limit.per.length)) {
    if (limit.per.calendar) {
      report(Code::NoCalendarPeriod, limit.per.span);
      return std::nullopt;
    }
    if (*span == Span{}) {
      report(Code::ZeroLength, limit.per.span, {say("a cap's period", "频次上限的周期")});
      return std::nullopt;
    }
    out.per = *span;
  } else {
    const auto unit = std::get<ast::CalendarUnit>(limit.per.length);
    switch (unit) {
      case ast::CalendarUnit::Day:
        out.per = {0, days(1)};
        out.calendar = Cap::Calendar::Day;
        break;
      case ast::CalendarUnit::Week:
        out.per = {0, days(7)};
        out.calendar = Cap::Calendar::Week;
        break;
      case ast::CalendarUnit::Month:
        out.per = {1, {}};
        out.calendar = Cap::Calendar::Month;
        break;
      case ast::CalendarUnit::Year:
        out.per = {12, {}};
        out.calendar = Cap::Calendar::Year;
        break;
    }
    if (!limit.per.calendar) out.calendar = Cap::Calendar::None;
  }
  if (!count) return std::nullopt;
  out.limit = static_cast<std::uint32_t>(*count);
  return out;
}

// `1 more for priority >= 80`, of every limit of that cap.
Cap Checker::places_kept(const ast::PolicyCap& cap) {
  Cap out;
  const ast::CapMore* first = nullptr;
  for (const auto& item : cap.items) {
    const auto* more = std::get_if<ast::CapMore>(&item);
    if (more == nullptr) continue;
    if (first != nullptr) {
      said_twice(more->span, word("more for priority"), first->span);
      continue;
    }
    first = more;
    if (more->op != ast::CompareOp::GreaterEqual && more->op != ast::CompareOp::Greater) {
      report(Code::PlaceFromPriority, more->span);
      continue;
    }
    const auto count = whole_number(more->count, 1, 1'000'000, "a cap", "频次上限");
    const auto priority = whole_number(more->priority, 0, 100, "a priority", "优先级");
    if (!count || !priority) continue;
    out.more = static_cast<std::uint32_t>(*count);
    out.more_from = static_cast<int>(*priority) + (more->op == ast::CompareOp::Greater ? 1 : 0);
  }
  return out;
}

void Checker::policy() {
  auto& out = program_.policy;
  out.zone = &utc();
  program_.schema.currency_decimals = 2;
  if (policy_ == nullptr) return;
  Once once;
  const auto first = [&](const std::string& what, SourceSpan span) {
    return is_first(once, what, span);
  };
  for (const auto& clause : policy_->clauses) {
    if (const auto* zone = std::get_if<ast::PolicyTimeZone>(&clause)) {
      if (!first("time zone", zone->span)) continue;
      if (const Zone* found = find_zone(zone->zone.text))
        out.zone = found;
      else
        report(Code::UnknownZone, zone->zone.span, {zone->zone.text});
    } else if (const auto* currency = std::get_if<ast::PolicyCurrency>(&clause)) {
      if (!first("currency", currency->span)) continue;
      const auto& text = currency->currency.text;
      const auto* found = std::find_if(currencies.begin(), currencies.end(),
                                       [&](const Currency& each) { return each.code == text; });
      if (found == currencies.end()) {
        std::vector<std::string> codes;
        for (const auto& each : currencies) codes.emplace_back(each.code);
        suggest(report(Code::UnknownCurrency, currency->currency.span, {text}), text, codes);
        continue;
      }
      out.currency = found->code;
      out.currency_sign = found->sign;
      program_.schema.currency_decimals = found->decimals;
    } else if (const auto* quiet = std::get_if<ast::PolicyQuietHours>(&clause)) {
      if (!first("quiet hours", quiet->span)) continue;
      if (quiet->from.value == quiet->to.value)
        report(Code::QuietWithoutLength, quiet->span);
      else
        out.quiet = QuietHours{quiet->from.value, quiet->to.value, quiet->drop};
    } else if (const auto* lateness = std::get_if<ast::PolicyLateness>(&clause)) {
      if (!first("lateness", lateness->span)) continue;
      if (lateness->value.value.months != 0)
        report(Code::NoFixedLength, lateness->value.span);
      else
        out.lateness = lateness->value.value.fixed;
    } else if (const auto* campaigns = std::get_if<ast::PolicyCampaigns>(&clause)) {
      first("campaigns", campaigns->span);
    } else if (const auto* consent = std::get_if<ast::PolicyConsent>(&clause)) {
      for (const auto& name : consent->classes) {
        const auto named = campaign_class(name);
        if (!named || !first(word("consent") + " " + name.text, name.span)) continue;
        out.consent_required[static_cast<std::size_t>(*named)] = consent->required;
      }
    }
  }
}

// --- Channels ------------------------------------------------------------------------------------

// The name of a private field of some event that is called so; empty where there is none.
std::string Checker::private_field(const ast::Name& name) const {
  for (std::size_t i = 0; i < program_.schema.events.size(); ++i) {
    const FieldId field = find_field(EventTypeId::of(i), name);
    if (field.is_none()) continue;
    const Field& found = program_.schema.events[i].fields[field.index()];
    if (found.is_private) return found.symbol.name;
  }
  return {};
}

// One of the engine's own events, of which each channel has some, is meant as this channel's where
// nothing else is said.
std::optional<Opening> Checker::opening(const ast::ChannelOpening& from, const Symbol& channel) {
  ast::Measure events;
  events.span = from.span;
  events.any_event = from.event.any;
  events.event = {.names = {from.event.event}, .span = from.event.event.span};
  events.window = ast::Window{.span = from.lasts.span, .length = from.lasts.value};
  if (from.event.where) {
    events.where = ast::Box<ast::Expr>(*from.event.where);
  } else if (const auto* declared = from.event.any ? nullptr : expect_event(from.event.event)) {
    const auto of_channel = [](const Field& field) { return field.symbol.name == "channel"; };
    const EventType& type = program_.schema[EventTypeId::of(declared->index)];
    if (type.made_by_engine && std::any_of(type.fields.begin(), type.fields.end(), of_channel)) {
      const SourceSpan at = from.event.span;
      const ast::Expr field{at, ast::Path{{{"channel", at}}, at}};
      const ast::Expr name{at, ast::TextLiteral{{ast::TextChunk{channel.name, at}}, at}};
      events.where = ast::Box<ast::Expr>({at, ast::Compare{ast::CompareOp::Equal, field, name}});
    }
  }
  Opening out;
  out.events = measure(events, {});
  std::optional<std::int64_t> messages = 0;
  if (from.messages)
    messages = whole_number(*from.messages, 1, 1'000'000, "how many messages may follow",
                            "可以发送的消息数");
  if (!messages || out.events.is_none()) return std::nullopt;
  out.messages = static_cast<std::uint32_t>(*messages);
  return out;
}

void Checker::channels() {
  for (const auto* decl : channels_) {
    Channel out;
    out.symbol = symbol_of(decl->name, decl->alias);
    out.span = decl->name.span;
    std::set<std::string> cleared;
    Once once;
    const auto first = [&](const char* what, SourceSpan span) {
      return is_first(once, what, span);
    };
    for (const auto& clause : decl->clauses) {
      if (const auto* channel_class = std::get_if<ast::ChannelClass>(&clause)) {
        if (!first("class", channel_class->span)) continue;
        const auto canonical = channel_class->name.canonical();
        if (canonical == "conversation")
          out.channel_class = ChannelClass::Conversation;
        else if (canonical == "broadcast")
          out.channel_class = ChannelClass::Broadcast;
        else if (canonical == "direct")
          out.channel_class = ChannelClass::Direct;
        else
          suggest(report(Code::UnknownChannelClass, channel_class->name.span,
                         {channel_class->name.text}),
                  channel_class->name.text, {"conversation", "broadcast", "direct"});
      } else if (const auto* cost = std::get_if<ast::ChannelCost>(&clause)) {
        if (!first("cost", cost->span)) continue;
        const auto* literal = std::get_if<ast::MoneyLiteral>(&cost->cost.kind);
        if (literal == nullptr) {
          report(Code::ExpectedType, cost->cost.span,
                 {say("an amount of money", "金额"), say("something else", "其他内容")});
        } else if (literal->currency != program_.policy.currency) {
          report(Code::OtherCurrency, literal->span, {program_.policy.currency, literal->currency});
        } else if (const auto millionths = parse_scaled(literal->amount, 6)) {
          out.cost_millionths = *millionths;
        } else {
          report(Code::MoneyTooPrecise, literal->span, {literal->amount, "6"});
        }
      } else if (const auto* rate = std::get_if<ast::ChannelRate>(&clause)) {
        if (!first("rate", rate->span)) continue;
        const auto messages = whole_number(rate->messages, 1, 1'000'000, "a rate", "速率");
        if (rate->per.months != 0 || rate->per.fixed.us <= 0) {
          report(Code::NoFixedLength, rate->span);
        } else if (messages) {
          const auto us = rate->per.fixed.us;
          const std::int64_t per_second = (*messages * seconds(1).us + us - 1) / us;
          out.rate_per_second = static_cast<std::uint32_t>(std::max<std::int64_t>(1, per_second));
        }
      } else if (const auto* cleared_for = std::get_if<ast::ChannelClearedFor>(&clause)) {
        for (const auto& name : cleared_for->attributes) {
          const AttributeId attribute = find_attribute(name);
          const std::string of_field = private_field(name);
          if (attribute.is_none() && of_field.empty()) {
            suggest(report(Code::NoAttribute, name.span, {name.text}), name.text,
                    attribute_names());
            continue;
          }
          if (!of_field.empty()) cleared.insert(of_field);
          if (attribute.is_none()) continue;
          cleared.insert(program_.schema[attribute].symbol.name);
          out.cleared_for.push_back(attribute);
        }
      } else if (const auto* reach = std::get_if<ast::ChannelReachBy>(&clause)) {
        if (!first("reach by", reach->span)) continue;
        const AttributeId attribute = find_attribute(reach->identifier);
        out.reach_by = attribute.is_none() ? program_.schema.find_identifier(reach->identifier.text)
                                           : program_.schema[attribute].identifier;
        if (out.reach_by.is_none()) {
          suggest(report(Code::NoIdentifier, reach->identifier.span, {reach->identifier.text}),
                  reach->identifier.text, program_.schema.identifiers);
        }
      } else if (const auto* open = std::get_if<ast::ChannelOpen>(&clause)) {
        if (!first("open", open->span)) continue;
        for (const auto& each : open->openings)
          if (const auto opening = this->opening(each, out.symbol))
            out.openings.push_back(*opening);
      }
    }
    program_.channels.push_back(std::move(out));
    cleared_.push_back(std::move(cleared));
  }
  if (policy_ == nullptr) return;
  for (const auto& clause : policy_->clauses) {
    const auto* caps = std::get_if<ast::PolicyCap>(&clause);
    if (caps == nullptr) continue;
    std::optional<CampaignClass> of_class;
    ChannelId of_channel;
    if (const auto* channel = find(caps->of, only(Declares::Channel))) {
      of_channel = ChannelId::of(channel->index);
    } else {
      const auto canonical = caps->of.canonical();
      if (canonical == "marketing" || canonical == "transactional" || canonical == "service") {
        of_class = campaign_class(caps->of);
      } else {
        auto candidates = names_of(only(Declares::Channel));
        candidates.insert(candidates.end(), {"marketing", "transactional", "service"});
        suggest(report(Code::UnknownCapped, caps->of.span, {caps->of.text}), caps->of.text,
                candidates);
      }
    }
    const auto kept = places_kept(*caps);
    for (const auto& item : caps->items) {
      if (std::holds_alternative<ast::CapMore>(item)) continue;
      auto limit = cap(std::get<ast::CapLimit>(item));
      if (!limit || (!of_class && of_channel.is_none())) continue;
      limit->campaign_class = of_class;
      limit->channel = of_channel;
      limit->more = kept.more;
      limit->more_from = kept.more_from;
      program_.policy.caps.push_back(*limit);
    }
  }
}

}  // namespace koi::check
