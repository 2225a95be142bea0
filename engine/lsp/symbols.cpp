#include "lsp/symbols.h"

#include <algorithm>
#include <set>

#include "check/effective.h"
#include "lang/keywords.h"

namespace koi::lsp {

namespace ast = lang::ast;

namespace {

bool contains(SourceSpan span, std::uint32_t source, std::uint32_t offset) {
  return span.source == source && span.begin <= offset && offset <= span.end;
}

void add_field(std::vector<Symbol>& out, const ast::Field& field, Symbol::Kind kind,
               const std::string& owner) {
  out.push_back({.kind = kind,
                 .name = field.name.text,
                 .alias = field.alias ? field.alias->text : std::string(),
                 .owner = owner,
                 .named = field.name.span,
                 .whole = field.span,
                 .depth = 1,
                 .type = &field.type});
  for (const auto& value : field.type.values)
    out.push_back({.kind = Symbol::Kind::EnumValue,
                   .name = value.name.text,
                   .alias = value.alias ? value.alias->text : std::string(),
                   .owner = field.name.text,
                   .named = value.name.span,
                   .whole = value.span,
                   .depth = 2});
}

template <class Decl>
constexpr Symbol::Kind kind_of() {
  using Kind = Symbol::Kind;
  if constexpr (std::is_same_v<Decl, ast::EventDecl>) return Kind::Event;
  if constexpr (std::is_same_v<Decl, ast::MetricDecl>) return Kind::Metric;
  if constexpr (std::is_same_v<Decl, ast::SegmentDecl>) return Kind::Segment;
  if constexpr (std::is_same_v<Decl, ast::LetDecl>) return Kind::Let;
  if constexpr (std::is_same_v<Decl, ast::TierDecl>) return Kind::Tier;
  if constexpr (std::is_same_v<Decl, ast::AudienceDecl>) return Kind::Audience;
  if constexpr (std::is_same_v<Decl, ast::ContentDecl>) return Kind::Content;
  if constexpr (std::is_same_v<Decl, ast::ReferralDecl>) return Kind::Referral;
  if constexpr (std::is_same_v<Decl, ast::ChannelDecl>) return Kind::Channel;
  if constexpr (std::is_same_v<Decl, ast::TeamDecl>) return Kind::Team;
  if constexpr (std::is_same_v<Decl, ast::WebhookDecl>) return Kind::Webhook;
  if constexpr (std::is_same_v<Decl, ast::CampaignDecl>) return Kind::Campaign;
  return Kind::Incentive;
}

void add_declaration(std::vector<Symbol>& out, const ast::Declaration& declaration) {
  std::visit(
      [&](const auto& decl) {
        using Decl = std::decay_t<decltype(decl)>;
        if constexpr (std::is_same_v<Decl, ast::CustomerDecl>) {
          out.push_back({.kind = Symbol::Kind::Customer,
                         .name = "customer",
                         .alias = decl.alias ? decl.alias->text : std::string(),
                         .named = decl.alias ? decl.alias->span : decl.span,
                         .whole = decl.span});
          for (const auto& item : decl.items)
            if (const auto* field = std::get_if<ast::Field>(&item))
              add_field(out, *field, Symbol::Kind::Attribute, "customer");
        } else if constexpr (std::is_same_v<Decl, ast::PolicyDecl>) {
          out.push_back({.kind = Symbol::Kind::Policy,
                         .name = "policy",
                         .named = {decl.span.source, decl.span.begin, decl.span.begin},
                         .whole = decl.span});
        } else if constexpr (std::is_same_v<Decl, ast::TestDecl>) {
          out.push_back({.kind = Symbol::Kind::Test,
                         .name = decl.name.text,
                         .named = decl.name.span,
                         .whole = decl.span});
        } else {
          out.push_back({.kind = kind_of<Decl>(),
                         .name = decl.name.text,
                         .alias = decl.alias ? decl.alias->text : std::string(),
                         .named = decl.name.span,
                         .whole = decl.span});
          if constexpr (std::is_same_v<Decl, ast::EventDecl>)
            for (const auto& field : decl.fields)
              add_field(out, field, Symbol::Kind::Field, decl.name.text);
        }
      },
      declaration);
}

// A declaration's text: whole where it is short, else its first lines.
std::string text_of(const Program& program, SourceSpan span) {
  constexpr std::size_t most_lines = 24, most_bytes = 2'000;
  std::string_view text = program.sources[span.source].slice(span);
  std::size_t end = 0, lines = 0;
  while (end < text.size() && end < most_bytes && lines < most_lines)
    if (text[end++] == '\n') ++lines;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  std::string out(text.substr(0, end));
  if (end < text.size()) out += "…";
  return out;
}

// In a fence that the text cannot close.
std::string fenced(const std::string& text) {
  std::string marks = "```";
  while (text.find(marks) != text.npos) marks += '`';
  return marks + "koi\n" + text + "\n" + marks + "\n";
}

std::string told(const Program& program, const Symbol& symbol, Language language) {
  const bool chinese = language == Language::Chinese;
  const auto name_of = [&](const Symbol& each) {
    return each.alias.empty() ? "`" + each.name + "`" : "`" + each.name + "` “" + each.alias + "”";
  };
  std::string out = name_of(symbol) + (chinese ? "：" : " — ") + describe(symbol.kind, language);
  if (!symbol.owner.empty())
    out += chinese ? "，属于 `" + symbol.owner + "`" : " of `" + symbol.owner + "`";
  const Schema& schema = program.meaning.schema;
  const auto type_is = [&](const Type& type) {
    out += (chinese ? "，类型 `" : ", of type `") + describe(type, schema, language) + "`";
  };
  if (symbol.kind == Symbol::Kind::Field) {
    for (const EventType& event : schema.events)
      for (const Field& field : event.fields)
        if (event.symbol.name == symbol.owner && field.symbol.name == symbol.name)
          type_is(field.type);
  } else if (symbol.kind == Symbol::Kind::Attribute) {
    for (const Attribute& attribute : schema.attributes)
      if (attribute.symbol.name == symbol.name) type_is(attribute.type);
  } else if (symbol.kind == Symbol::Kind::Metric) {
    for (const auto& metric : program.meaning.metrics)
      if (metric.symbol.name == symbol.name) type_is(metric.type);
  }
  out += "\n\n" + fenced(text_of(program, symbol.whole));
  if (symbol.kind != Symbol::Kind::Campaign) return out;
  const auto& file = program.trees[symbol.named.source];
  for (const auto& declaration : file.declarations) {
    const auto* campaign = std::get_if<ast::CampaignDecl>(&declaration);
    if (campaign == nullptr || campaign->name.span != symbol.named) continue;
    out = name_of(symbol) + (chinese ? "：" : " — ") + describe(symbol.kind, language) + "\n\n";
    std::string clauses;
    for (const auto& clause : check::effective_clauses(*campaign, check::find_policy(program.trees),
                                                       program.sources, language)) {
      clauses += clause.text;
      using From = check::EffectiveClause::From;
      if (clause.from == From::Policy) clauses += chinese ? "  # 来自总则" : "  # from the policy";
      if (clause.from == From::Silence) clauses += chinese ? "  # 未写明" : "  # not said";
      clauses += '\n';
    }
    if (!clauses.empty()) clauses.pop_back();
    out += fenced(clauses);
  }
  return out;
}

}  // namespace

std::vector<Symbol> symbols_of(const ast::File& file) {
  std::vector<Symbol> out;
  for (const auto& declaration : file.declarations) add_declaration(out, declaration);
  return out;
}

std::vector<Symbol> symbols_of(const Program& program) {
  std::vector<Symbol> out;
  for (const auto& file : program.trees)
    for (const auto& declaration : file.declarations) add_declaration(out, declaration);
  return out;
}

std::string describe(Symbol::Kind kind, Language language) {
  const auto say = [&](const char* english, const char* chinese) {
    return std::string(language == Language::Chinese ? chinese : english);
  };
  using Kind = Symbol::Kind;
  switch (kind) {
    case Kind::Event: return say("an event", "事件");
    case Kind::Customer: return say("the customer", "顾客");
    case Kind::Metric: return say("a metric", "指标");
    case Kind::Segment: return say("a segment", "人群");
    case Kind::Let: return say("a `let`", "`令` 的名称");
    case Kind::Tier: return say("a tier", "等级");
    case Kind::Audience: return say("an audience", "名单");
    case Kind::Content: return say("a content", "内容");
    case Kind::Incentive: return say("an incentive", "权益");
    case Kind::Referral: return say("a referral", "老带新");
    case Kind::Channel: return say("a channel", "渠道");
    case Kind::Team: return say("a team", "团队");
    case Kind::Webhook: return say("a webhook", "回调");
    case Kind::Policy: return say("the policy", "总则");
    case Kind::Campaign: return say("a campaign", "活动");
    case Kind::Test: return say("a test", "测试");
    case Kind::Field: return say("a field", "字段");
    case Kind::Attribute: return say("an attribute", "属性");
    case Kind::EnumValue: return say("a value", "取值");
  }
  return {};
}

std::string describe(const Type& type, const Schema& schema, Language language) {
  const auto word = [&](std::string_view english) {
    for (const auto& row : lang::word_table())
      if (row.english == english && language == Language::Chinese) return std::string(row.chinese);
    return std::string(english);
  };
  const auto name = [&](Kind kind, TextKind text) {
    switch (kind) {
      case Kind::Missing: return std::string("?");
      case Kind::Bool: return word("bool");
      case Kind::Int: return word("int");
      case Kind::Number: return word("number");
      case Kind::Money: return word("money");
      case Kind::Time: return word("time");
      case Kind::Date: return word("date");
      case Kind::Instant: return word("instant");
      case Kind::Duration: return word("duration");
      case Kind::List: return word("list of");
      case Kind::Text:
        switch (text) {
          case TextKind::Plain: return word("text");
          case TextKind::Phone: return word("phone");
          case TextKind::Email: return word("email");
          case TextKind::Url: return word("url");
          case TextKind::Code: return word("code");
        }
        return word("text");
      case Kind::Enum: {
        std::string out = word("enum") + "(";
        if (type.enumeration.index() < schema.enumerations.size())
          for (const auto& value : schema.enumerations[type.enumeration.index()].values)
            out += (out.back() == '(' ? "" : ", ") + value.name;
        return out + ")";
      }
    }
    return std::string();
  };
  std::string out = type.kind == Kind::List
                        ? word("list of") + " " + name(type.element, type.element_text)
                        : name(type.kind, type.text);
  if (type.optional) out += "?";
  return out;
}

std::optional<Meant> meant_at(const Program& program, std::uint32_t source, std::uint32_t offset,
                              Language language) {
  std::optional<Meant> found;
  for (const check::Use& use : program.uses(language)) {
    if (!contains(use.written, source, offset)) continue;
    // Between two names that touch, the one that begins here.
    if (!found || use.written != found->written) found = Meant{use.written, {}};
    found->named.push_back(use.named);
  }
  return found;
}

std::vector<check::Use> uses_of(const Program& program, const std::vector<SourceSpan>& named,
                                Language language) {
  const auto& all = program.uses(language);
  std::set<SourceSpan> meant(named.begin(), named.end());
  std::set<check::Use> found;
  for (bool more = true; more;) {
    std::set<SourceSpan> written;
    for (const check::Use& use : all)
      if (meant.count(use.named) != 0) found.insert(use), written.insert(use.written);
    more = false;
    for (const check::Use& use : all)
      if (written.count(use.written) != 0 && meant.insert(use.named).second) more = true;
  }
  return {found.begin(), found.end()};
}

std::optional<Hover> hover_at(const Program& program, std::uint32_t source, std::uint32_t offset,
                              Language language) {
  const bool chinese = language == Language::Chinese;
  if (const auto meant = meant_at(program, source, offset, language)) {
    std::string text;
    const auto symbols = symbols_of(program);
    for (const SourceSpan& named : meant->named) {
      const auto symbol = std::find_if(symbols.begin(), symbols.end(),
                                       [&](const Symbol& each) { return each.named == named; });
      if (!text.empty()) text += "\n---\n\n";
      if (symbol != symbols.end()) {
        text += told(program, *symbol, language);
      } else {  // named with `as`
        const auto line = program.sources[named.source].position(named.begin).line;
        text += "`" + std::string(program.sources[named.source].slice(named)) + "`" +
                (chinese ? "：活动记下的事件" : " — an event that the campaign has kept") + "\n\n" +
                fenced(std::string(program.sources[named.source].line(line)));
      }
    }
    return Hover{meant->written, text};
  }
  // The innermost expression with a type.
  const check::Expression* best = nullptr;
  for (const auto& each : program.meaning.expressions) {
    if (!contains(each.span, source, offset) || each.type.kind == Kind::Missing) continue;
    const auto size = [](const check::Expression& of) { return of.span.end - of.span.begin; };
    if (best == nullptr || size(each) < size(*best)) best = &each;
  }
  if (best != nullptr)
    return Hover{best->span, (chinese ? "类型 `" : "of type `") +
                                 describe(best->type, program.meaning.schema, language) + "`"};
  return std::nullopt;
}

}  // namespace koi::lsp
