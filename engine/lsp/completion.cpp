#include "lsp/completion.h"

#include <algorithm>
#include <array>
#include <set>

#include "check/functions.h"
#include "lang/characters.h"
#include "lang/expected.h"
#include "lang/keywords.h"

namespace koi::lsp {
namespace {

using lang::Rule;
using Names = Symbol::Kind;
using TokenKind = lang::Kind;

bool is_comparator(TokenKind kind) {
  return kind == TokenKind::ASSIGN ||
         (kind >= TokenKind::EQUAL && kind <= TokenKind::GREATER_EQUAL);
}
bool is_aggregate(TokenKind kind) {
  return kind >= TokenKind::COUNT && kind <= TokenKind::MOST_FREQUENT;
}

// What the place asks for, gathered from the words before it.
class Place {
 public:
  Place(const Program& program, std::string_view prefix, Language reader, bool chinese)
      : program_(program),
        text_(prefix),
        reader_(reader),
        chinese_(chinese),
        expected_(lang::expected_after(prefix)),
        symbols_(symbols_of(program)) {}

  std::vector<Candidate> candidates() {
    if (expected_.in_text) return {};
    for (const TokenKind kind : expected_.words) keyword(kind);
    for (const Rule rule : expected_.names) names(rule);
    std::stable_sort(out_.begin(), out_.end(), [](const Candidate& a, const Candidate& b) {
      return std::tie(a.rank, a.text) < std::tie(b.rank, b.text);
    });
    out_.erase(std::unique(out_.begin(), out_.end(),
                           [](const Candidate& a, const Candidate& b) {
                             return a.text == b.text && a.kind == b.kind;
                           }),
               out_.end());
    return std::move(out_);
  }

 private:
  const std::vector<lang::Token>& tokens() const { return expected_.before.tokens; }
  // The nth word from the end, 0 the last; END_OF_FILE before the declaration.
  TokenKind back(std::size_t n) const {
    const std::size_t count = tokens().size() - expected_.first;
    return n < count ? tokens()[tokens().size() - 1 - n].kind : TokenKind::END_OF_FILE;
  }
  std::string word(std::size_t index) const {
    const auto& token = tokens()[index];
    if (token.kind == TokenKind::NAME) return expected_.before.values[token.value];
    return std::string(text_.substr(token.begin, token.end - token.begin));
  }
  std::string word_back(std::size_t n) const { return word(tokens().size() - 1 - n); }

  void add(std::string text, Candidate::Kind kind, std::string detail, int rank) {
    if (!text.empty()) out_.push_back({std::move(text), kind, std::move(detail), rank});
  }
  void both(const std::string& name, const std::string& alias, Candidate::Kind kind,
            const std::string& detail, int rank) {
    const bool alias_first = chinese_ && !alias.empty();
    add(name, kind, alias.empty() ? detail : detail + " “" + alias + "”",
        rank + (alias_first ? 1 : 0));
    if (alias != name) add(alias, kind, detail + " `" + name + "`", rank + (alias_first ? 0 : 1));
  }
  void keyword(TokenKind kind) {
    if (!lang::is_keyword(kind)) return;
    const auto& word = lang::keyword(kind);
    const auto spelling = chinese_ || word.english.empty() ? word.chinese : word.english;
    add(std::string(spelling), Candidate::Kind::Keyword, std::string(word.meaning), 4);
  }
  // A word that is always there, in the file's language.
  void builtin(std::string_view english, const char* what_english, const char* what_chinese) {
    std::string text(english);
    if (chinese_)
      for (const auto& row : lang::word_table())
        if (row.english == english && !row.chinese.empty()) text = row.chinese;
    add(text, Candidate::Kind::Value, reader_ == Language::Chinese ? what_chinese : what_english,
        2);
  }

  void declared(std::initializer_list<Names> kinds, int rank = 0) {
    for (const Symbol& each : symbols_)
      if (std::find(kinds.begin(), kinds.end(), each.kind) != kinds.end())
        both(each.name, each.alias, Candidate::Kind::Name, describe(each.kind, reader_), rank);
  }
  void engine_events(int rank) {
    for (const EventType& event : program_.meaning.schema.events)
      if (event.made_by_engine && !event.is_inner)
        both(event.symbol.name, event.symbol.alias, Candidate::Kind::Name,
             describe(Names::Event, reader_), rank);
  }
  void events() {
    declared({Names::Event});
    engine_events(2);
  }
  void classes() {
    for (const char* each : {"marketing", "transactional", "service"})
      builtin(each, "a class of messages", "消息类别");
  }
  void attributes() {
    for (const Attribute& each : program_.meaning.schema.attributes)
      if (!each.is_inner)
        both(each.symbol.name, each.symbol.alias, Candidate::Kind::Field,
             describe(each.type, program_.meaning.schema, reader_), 0);
  }
  void identifiers() {
    for (const std::string& each : program_.meaning.schema.identifiers)
      add(each, Candidate::Kind::Field, reader_ == Language::Chinese ? "标识" : "an identifier", 0);
  }

  const EventType* event(std::string_view name) const {
    for (const EventType& each : program_.meaning.schema.events)
      if (each.symbol.name == name || (!each.symbol.alias.empty() && each.symbol.alias == name))
        return &each;
    return nullptr;
  }
  bool is_customer(std::string_view name) const {
    if (const auto kind = lang::keyword_kind(name); kind == TokenKind::CUSTOMER) return true;
    return std::any_of(symbols_.begin(), symbols_.end(), [&](const Symbol& each) {
      return each.kind == Names::Customer && !each.alias.empty() && each.alias == name;
    });
  }
  // The event that a name stands for in this declaration: its own, or one named with `as`. In a
  // content, what any campaign calls so.
  const EventType* kept(std::string_view name) const {
    for (std::size_t i = expected_.first; i + 2 < tokens().size(); ++i)
      if (tokens()[i + 1].kind == TokenKind::AS && word(i + 2) == name)
        if (const auto* found = event(word(i))) return found;
    if (const auto* found = event(name)) return found;
    for (const auto& campaign : program_.meaning.campaigns)
      for (const auto& binding : campaign.bindings)
        if (binding.symbol.name == name && !binding.type.is_none())
          return &program_.meaning.schema[binding.type];
    return nullptr;
  }
  void fields(const EventType& of, int rank) {
    for (const Field& each : of.fields)
      both(each.symbol.name, each.symbol.alias, Candidate::Kind::Field,
           describe(each.type, program_.meaning.schema, reader_), rank);
    builtin("time", "when it happened", "发生的时刻");
  }
  // The event that the innermost open `where` asks of.
  const EventType* asked_event() const {
    int depth = 0;
    for (std::size_t i = tokens().size(); i-- > expected_.first;) {
      const TokenKind kind = tokens()[i].kind;
      if (kind == TokenKind::RPAREN) ++depth;
      if (kind == TokenKind::LPAREN && depth > 0) --depth;
      if (kind == TokenKind::LBRACE || kind == TokenKind::RBRACE) return nullptr;
      if (kind != TokenKind::WHERE || depth > 0) continue;
      if (i >= 3 && tokens()[i - 2].kind == TokenKind::AS) return event(word(i - 3));
      return i >= 1 ? event(word(i - 1)) : nullptr;
    }
    return nullptr;
  }

  // The type of the path that ends `n` words before the place.
  const Type* type_before(std::size_t n) const {
    const auto& schema = program_.meaning.schema;
    const auto among = [](const auto& list, const std::string& name) -> const Type* {
      for (const auto& each : list)
        if (each.symbol.name == name || (!each.symbol.alias.empty() && each.symbol.alias == name))
          return &each.type;
      return nullptr;
    };
    if (back(n) == TokenKind::END_OF_FILE) return nullptr;
    if (back(n + 1) == TokenKind::DOT && back(n + 2) != TokenKind::END_OF_FILE) {
      const std::string head = word_back(n + 2);
      if (is_customer(head)) return among(schema.attributes, word_back(n));
      const auto* of = kept(head);
      return of != nullptr ? among(of->fields, word_back(n)) : nullptr;
    }
    if (const auto* of = asked_event())
      if (const Type* found = among(of->fields, word_back(n))) return found;
    for (const auto& metric : program_.meaning.metrics)
      if (metric.symbol.name == word_back(n)) return &metric.type;
    return nullptr;
  }
  void values_of(const Type& type) {
    const auto& schema = program_.meaning.schema;
    if (type.enumeration.is_none() || type.enumeration.index() >= schema.enumerations.size())
      return;
    for (const auto& value : schema.enumerations[type.enumeration.index()].values)
      both(value.name, value.alias, Candidate::Kind::Value, describe(Names::EnumValue, reader_),
           -2);
  }

  void value() {
    if (back(0) == TokenKind::DOT) {
      const std::string head = back(1) == TokenKind::END_OF_FILE ? std::string() : word_back(1);
      if (is_customer(head)) {
        attributes();
        for (const char* each : {"id", "created", "consent"})
          builtin(each, "of every customer", "每个顾客都有");
      } else if (const auto* of = kept(head)) {
        fields(*of, 0);
      } else if (back(2) == TokenKind::DOT) {
        classes();  // customer.consent.▮
        declared({Names::Channel});
      }
      return;
    }
    if (is_aggregate(back(0))) return events();
    if (back(0) == TokenKind::SET) return attributes(), builtin("customer", "the customer", "顾客");
    if (is_comparator(back(0)) || back(0) == TokenKind::CONTAINS)
      if (const Type* type = type_before(1)) values_of(*type);
    if (back(0) == TokenKind::LBRACKET && back(1) == TokenKind::IN)
      if (const Type* type = type_before(2)) values_of(*type);
    if (const auto* of = asked_event()) fields(*of, -1);
    declared({Names::Metric, Names::Segment, Names::Let, Names::Tier, Names::Audience});
    builtin("customer", "the customer at hand", "当前的顾客");
    for (std::size_t i = expected_.first; i + 1 < tokens().size(); ++i)
      if (tokens()[i].kind == TokenKind::AS)
        add(word(i + 1), Candidate::Kind::Name,
            reader_ == Language::Chinese ? "记下的事件" : "an event that is kept", 0);
    for (const auto& each : check::functions()) builtin(each.name, "a function", "函数");
  }

  // The customers of a test, by the words behind `customer` in it.
  void customers() {
    for (std::size_t i = expected_.first; i + 1 < tokens().size(); ++i)
      if (tokens()[i].kind == TokenKind::CUSTOMER)
        add(word(i + 1), Candidate::Kind::Name,
            reader_ == Language::Chinese ? "顾客" : "a customer", -1);
  }
  // `redeem first_order of ann {`, the brace being that token.
  bool is_at_the_till(std::size_t brace) const {
    if (brace < expected_.first + 4) return false;
    const TokenKind deed = tokens()[brace - 4].kind;
    return deed == TokenKind::REDEEM || deed == TokenKind::LOCK || deed == TokenKind::ROLL_BACK;
  }
  // Labels in braces: `ann purchase { ▮` has the event's fields, `given customer ann { ▮`
  // attributes.
  void labels() {
    std::size_t depth = 1;
    for (std::size_t i = tokens().size(); i-- > expected_.first;) {
      if (tokens()[i].kind == TokenKind::RBRACE) ++depth;
      if (tokens()[i].kind != TokenKind::LBRACE || --depth > 0) continue;
      if (i >= 2 && tokens()[i - 2].kind == TokenKind::CUSTOMER) {
        attributes();
        identifiers();
        for (const char* each : {"consent", "hold_out"}) builtin(each, "a knob", "开关");
      } else if (is_at_the_till(i)) {
        keyword(TokenKind::AMOUNT);
        for (const char* each : {"order", "hold", "beside"})
          builtin(each, "what the till says", "收银台提供的信息");
      } else if (i >= 1) {
        if (const auto* of = event(word(i - 1))) fields(*of, 0);
      }
      return;
    }
  }

  void names(Rule rule) {
    const TokenKind last = back(0);
    switch (rule) {
      case Rule::SendStep:
        return last == TokenKind::SEND ? declared({Names::Content}) : declared({Names::Channel});
      case Rule::ReplyStep: return last == TokenKind::REPLY ? declared({Names::Content}) : value();
      case Rule::Gift: return declared({Names::Incentive, Names::Referral});
      case Rule::StartStep: return declared({Names::Campaign});
      case Rule::NotifyStep: return declared({Names::Team});
      case Rule::CallStep: return declared({Names::Webhook});
      case Rule::EmitStep:
      case Rule::EventPattern:
      case Rule::Trigger: return events();
      case Rule::LeaveCondition: events(); return declared({Names::Segment, Names::Let}, 1);
      case Rule::Path:
      case Rule::Call: return value();
      case Rule::Type:
        for (const auto each : lang::type_words()) builtin(each, "a type", "类型");
        return;
      case Rule::CampaignClause: return classes();
      case Rule::ChannelClause:
        if (last == TokenKind::CLASS)
          for (const char* each : {"conversation", "broadcast", "direct"})
            builtin(each, "a class of channels", "渠道类别");
        else if (last == TokenKind::REACH_BY)
          identifiers();
        else
          attributes();
        return;
      case Rule::PolicyClause:
        classes();
        return last == TokenKind::CAP ? declared({Names::Channel}) : void();
      case Rule::ContentItem: return declared({Names::Channel});
      case Rule::IdentifyBy: return attributes();
      case Rule::Setting:
      case Rule::Label: return labels();
      case Rule::TestAct:
        if (last == TokenKind::AT || back(0) == TokenKind::LOCAL_TIME ||
            back(0) == TokenKind::INSTANT)
          return customers();
        return events();
      case Rule::TestLine: return last == TokenKind::GIVEN ? declared({Names::Channel}) : void();
      case Rule::ExpectedDeed:
        switch (last) {
          case TokenKind::ENTER:
          case TokenKind::LEAVE:
          case TokenKind::GOAL:
          case TokenKind::START: return declared({Names::Campaign});
          case TokenKind::SEND:
          case TokenKind::REPLY: return declared({Names::Content});
          case TokenKind::NOTIFY: return declared({Names::Team});
          case TokenKind::CALL: return declared({Names::Webhook});
          case TokenKind::EMIT: return events();
          default: return declared({Names::Incentive, Names::Referral});
        }
      case Rule::ExpectedTail:
        return last == TokenKind::VIA ? declared({Names::Channel}) : customers();
      default: return;  // a new name, which is the author's to choose
    }
  }

  const Program& program_;
  std::string_view text_;
  Language reader_;
  bool chinese_;
  lang::Expected expected_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> out_;
};

}  // namespace

std::uint32_t word_begin(std::string_view text, std::uint32_t offset) {
  std::size_t begin = offset;
  while (begin > 0) {
    std::size_t at = begin - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    std::size_t next = at;
    const char32_t c = decode_utf8(text, next);
    const bool digit = c >= U'0' && c <= U'9';
    if (next != begin || !(lang::is_letter(c) || digit || c == U'_' || c == U'`')) break;
    begin = at;
  }
  return static_cast<std::uint32_t>(begin);
}

Language language_of_text(std::string_view text) {
  std::size_t chinese = 0, english = 0;
  const Source source("", std::string(text));
  for (const auto& token : lang::lex(source, 0, Language::English).tokens) {
    if (!lang::is_keyword(token.kind)) continue;
    const bool ascii = static_cast<unsigned char>(source.text()[token.begin]) < 0x80;
    ++(ascii ? english : chinese);
  }
  return chinese > english ? Language::Chinese : Language::English;
}

std::vector<Candidate> candidates_at(const Program& program, std::uint32_t source,
                                     std::uint32_t offset, Language reader) {
  const std::string_view text = program.sources[source].text();
  offset = std::min(offset, static_cast<std::uint32_t>(text.size()));
  const bool chinese = language_of_text(text) == Language::Chinese;
  return Place(program, text.substr(0, word_begin(text, offset)), reader, chinese).candidates();
}

}  // namespace koi::lsp
