#include "lang/parse_errors.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/assert.h"

namespace koi::lang {
namespace {

using antlr4::misc::IntervalSet;
using Grammar = grammar::Koi;

constexpr std::array grammar_tokens{
    std::size_t{antlr4::Token::EOF},     std::size_t{Grammar::NAME},
    std::size_t{Grammar::NUMBER},        std::size_t{Grammar::PERCENT},
    std::size_t{Grammar::MONEY},         std::size_t{Grammar::DURATION},
    std::size_t{Grammar::ORDINAL},       std::size_t{Grammar::TIME},
    std::size_t{Grammar::DATE},          std::size_t{Grammar::LOCAL_TIME},
    std::size_t{Grammar::INSTANT},       std::size_t{Grammar::TEXT},
    std::size_t{Grammar::TEXT_OPEN},     std::size_t{Grammar::TEXT_CHUNK},
    std::size_t{Grammar::TEXT_CLOSE},    std::size_t{Grammar::INSERT_OPEN},
    std::size_t{Grammar::INSERT_CLOSE},  std::size_t{Grammar::LBRACE},
    std::size_t{Grammar::RBRACE},        std::size_t{Grammar::LPAREN},
    std::size_t{Grammar::RPAREN},        std::size_t{Grammar::LBRACKET},
    std::size_t{Grammar::RBRACKET},      std::size_t{Grammar::COMMA},
    std::size_t{Grammar::COLON},         std::size_t{Grammar::SEMICOLON},
    std::size_t{Grammar::DOT},           std::size_t{Grammar::QUESTION},
    std::size_t{Grammar::ASSIGN},        std::size_t{Grammar::EQUAL},
    std::size_t{Grammar::NOT_EQUAL},     std::size_t{Grammar::LESS},
    std::size_t{Grammar::LESS_EQUAL},    std::size_t{Grammar::GREATER},
    std::size_t{Grammar::GREATER_EQUAL}, std::size_t{Grammar::PLUS},
    std::size_t{Grammar::MINUS},         std::size_t{Grammar::STAR},
    std::size_t{Grammar::SLASH},
#define KOI_KEYWORD(token, english, chinese, others, meaning) std::size_t{Grammar::token},
#include "lang/keywords.def"
};

bool has(const IntervalSet& set, Kind kind) {
  return set.contains(static_cast<ssize_t>(grammar_token(kind)));
}

// How a sign or word is shown to the author.
std::string spelling(Kind kind, Language language) {
  if (is_keyword(kind)) {
    const auto& word = keyword(kind);
    const bool english = language == Language::English && !word.english.empty();
    return "`" + std::string(english ? word.english : word.chinese) + "`";
  }
  const bool english = language == Language::English;
  switch (kind) {
    case Kind::END_OF_FILE: return english ? "the end of the file" : "文件结尾";
    case Kind::NAME: return english ? "a name" : "名称";
    case Kind::NUMBER: return english ? "a number" : "数";
    case Kind::PERCENT: return english ? "a percentage (`10%`)" : "百分比（`10%`）";
    case Kind::MONEY: return english ? "an amount of money (`¥12.50`)" : "金额（`¥12.50`）";
    case Kind::DURATION: return english ? "a length of time (`30 minutes`)" : "时长（`30分钟`）";
    case Kind::ORDINAL: return english ? "a day of the month (`1st`)" : "日（`1日`）";
    case Kind::TIME: return english ? "a time of day (`09:00`)" : "时间（`09:00`）";
    case Kind::DATE: return english ? "a date (`2026-11-11`)" : "日期（`2026-11-11`）";
    case Kind::LOCAL_TIME:
    case Kind::INSTANT:
      return english ? "an instant (`2026-11-11 20:00`)" : "时刻（`2026-11-11 20:00`）";
    case Kind::TEXT:
    case Kind::TEXT_OPEN: return english ? "a text in quotes" : "引号中的文本";
    case Kind::TEXT_CHUNK:
    case Kind::TEXT_CLOSE: return "`\"`";
    case Kind::INSERT_OPEN:
    case Kind::LBRACE: return "`{`";
    case Kind::INSERT_CLOSE:
    case Kind::RBRACE: return "`}`";
    case Kind::LPAREN: return "`(`";
    case Kind::RPAREN: return "`)`";
    case Kind::LBRACKET: return "`[`";
    case Kind::RBRACKET: return "`]`";
    case Kind::COMMA: return "`,`";
    case Kind::COLON: return "`:`";
    case Kind::SEMICOLON: return "`;`";
    case Kind::DOT: return "`.`";
    case Kind::QUESTION: return "`?`";
    case Kind::ASSIGN: return "`=`";
    case Kind::EQUAL: return "`==`";
    case Kind::NOT_EQUAL: return "`!=`";
    case Kind::LESS: return "`<`";
    case Kind::LESS_EQUAL: return "`<=`";
    case Kind::GREATER: return "`>`";
    case Kind::GREATER_EQUAL: return "`>=`";
    case Kind::PLUS: return "`+`";
    case Kind::MINUS: return "`-`";
    case Kind::STAR: return "`*`";
    case Kind::SLASH: return "`/`";
    default: return "";
  }
}

// The lists: each rule that holds items, the rule of the items, and what an item is called.
struct ItemList {
  std::size_t holder;
  std::size_t item;
  const char* english;
  const char* chinese;
};
constexpr std::array item_lists{
    ItemList{Grammar::RuleFile, Grammar::RuleDeclaration, "a declaration", "声明"},
    ItemList{Grammar::RuleEventDeclaration, Grammar::RuleField, "a field (`name: type`)",
             "字段（`名称：类型`）"},
    ItemList{Grammar::RuleCustomerDeclaration, Grammar::RuleCustomerItem,
             "an attribute (`name: type`), `identify by` or `on`",
             "属性（`名称：类型`）、`识别` 或 `逢`"},
    ItemList{Grammar::RuleTierDeclaration, Grammar::RuleTierLevel, "a level (`gold: top 5%`)",
             "级别（`金：前 5%`）"},
    ItemList{Grammar::RuleContentBlock, Grammar::RuleContentItem,
             "`title`, `body`, `link`, `template`, `for` or `language`",
             "`标题`、`正文`、`链接`、`模板`、`面向` 或 `语言`"},
    ItemList{Grammar::RuleChannelDeclaration, Grammar::RuleChannelClause,
             "`class`, `cost`, `rate`, `cleared for`, `reach by` or `open`",
             "`类别`、`费用`、`速率`、`可含`、`寻址` 或 `开放`"},
    ItemList{Grammar::RuleCouponDeclaration, Grammar::RuleCouponClause, "a clause of the coupon",
             "优惠券的规定"},
    ItemList{Grammar::RuleRedPacketDeclaration, Grammar::RuleRedPacketClause,
             "a clause of the red packet", "红包的规定"},
    ItemList{Grammar::RulePointsDeclaration, Grammar::RulePointsClause, "a clause of the points",
             "积分的规定"},
    ItemList{Grammar::RulePrizeDrawDeclaration, Grammar::RulePrizeDrawClause,
             "a prize or a clause of the draw", "奖品或抽奖的规定"},
    ItemList{Grammar::RuleReferralDeclaration, Grammar::RuleReferralClause,
             "a clause of the referral", "推荐的规定"},
    ItemList{Grammar::RulePolicyDeclaration, Grammar::RulePolicyClause,
             "a clause of the policy, such as `quiet hours` or `cap`",
             "总则的规定，如 `免打扰` 或 `频次`"},
    ItemList{Grammar::RulePolicyClause, Grammar::RuleCampaignClause,
             "a clause that campaigns inherit, such as `enter` or `leave when`",
             "各活动继承的规定，如 `进入` 或 `退出 当`"},
    ItemList{Grammar::RuleCampaignDeclaration, Grammar::RuleCampaignItem,
             "a clause, a trigger or a step", "规定、触发条件或步骤"},
    ItemList{Grammar::RuleBlock, Grammar::RuleStep, "a step, such as `send`, `wait` or `if`",
             "步骤，如 `发送`、`等待` 或 `如果`"},
    ItemList{Grammar::RuleSplitStep, Grammar::RuleSplitArm, "an arm (`50% { … }`)",
             "一支（`50% { … }`）"},
    ItemList{Grammar::RuleChooseStep, Grammar::RuleChooseArm, "`when … { … }`", "`当 … { … }`"},
    ItemList{Grammar::RuleSettings, Grammar::RuleSetting, "a field and its value (`name: value`)",
             "字段及其值（`名称：值`）"},
    ItemList{Grammar::RuleTestDeclaration, Grammar::RuleTestLine,
             "`given`, `at`, `until` or `expect`", "`假如`、`在`、`直到` 或 `应当`"},
};

// What is called for in a rule where too many words would do to name them.
struct RulePhrase {
  std::size_t rule;
  const char* english;
  const char* chinese;
};
constexpr std::array rule_phrases{
    RulePhrase{Grammar::RuleExpectation, "an action, such as `send` or `give`, or `nothing`",
               "动作（如 `发送`、`发放`）或 `无动作`"},
    RulePhrase{Grammar::RuleExpectedDeed, "an action, such as `send` or `give`",
               "动作，如 `发送`、`发放`"},
    RulePhrase{Grammar::RuleTrigger, "a trigger", "触发条件"},
    RulePhrase{Grammar::RuleAggregate, "an aggregate, such as `count` or `sum`",
               "汇总方式，如 `计数`、`合计`"},
    RulePhrase{Grammar::RuleMeasure, "an aggregate, such as `count` or `sum`",
               "汇总方式，如 `计数`、`合计`"},
    RulePhrase{Grammar::RuleCalendarUnit, "a unit of time, such as `day`", "时间单位，如 `天`"},
};

const ItemList* list_held_by(std::size_t rule) {
  const auto found = std::find_if(item_lists.begin(), item_lists.end(),
                                  [&](const ItemList& each) { return each.holder == rule; });
  return found == item_lists.end() ? nullptr : &*found;
}
const ItemList* list_of_items(std::size_t rule) {
  // A setting is too small to go on behind: its line is.
  if (rule == Grammar::RuleSetting) return nullptr;
  const auto found = std::find_if(item_lists.begin(), item_lists.end(),
                                  [&](const ItemList& each) { return each.item == rule; });
  return found == item_lists.end() ? nullptr : &*found;
}

IntervalSet starts_of(antlr4::Parser* parser, std::size_t rule) {
  const auto& atn = parser->getATN();
  return atn.nextTokens(atn.ruleToStartState[rule]);
}

std::size_t position(antlr4::Parser* parser) { return parser->getCurrentToken()->getTokenIndex(); }

// Past a word, without it becoming part of the tree.
void pass_over(antlr4::Parser* parser) { parser->getInputStream()->consume(); }

// What may always follow a value; named only where nothing else is expected.
constexpr std::array go_on{Kind::AND,        Kind::OR,
                           Kind::NOT,        Kind::IN,
                           Kind::CONTAINS,   Kind::IS_KNOWN,
                           Kind::IS_MISSING, Kind::ASSIGN,
                           Kind::EQUAL,      Kind::NOT_EQUAL,
                           Kind::LESS,       Kind::LESS_EQUAL,
                           Kind::GREATER,    Kind::GREATER_EQUAL,
                           Kind::PLUS,       Kind::MINUS,
                           Kind::STAR,       Kind::SLASH,
                           Kind::DOT,        Kind::LPAREN,
                           Kind::SEMICOLON,  Kind::COMMA,
                           Kind::OVER,       Kind::THIS,
                           Kind::QUESTION,   Kind::PRIVATE,
                           Kind::TEXT_CHUNK, Kind::INSERT_OPEN};

}  // namespace

std::size_t grammar_token(Kind kind) { return grammar_tokens[static_cast<std::size_t>(kind)]; }

Kind kind_of(std::size_t token) {
  const auto found = std::find(grammar_tokens.begin(), grammar_tokens.end(), token);
  KOI_ASSERT(found != grammar_tokens.end());
  return static_cast<Kind>(found - grammar_tokens.begin());
}

Recovery::Recovery(const Source& source, const Lexed& lexed, std::uint32_t source_number,
                   Language language)
    : source_(source), lexed_(lexed), number_(source_number), language_(language) {
  std::uint32_t depth = 0;
  depth_.reserve(lexed.tokens.size());
  for (const auto& token : lexed.tokens) {
    depth_.push_back(depth);
    if (token.kind == Kind::LBRACE) ++depth;
    if (token.kind == Kind::RBRACE && depth > 0) --depth;
  }
}

SourceSpan Recovery::span(std::size_t index) const {
  const auto& token = lexed_.tokens[index];
  return {number_, token.begin, token.end};
}

std::string Recovery::written(std::size_t index) const {
  return std::string(source_.slice(span(index)));
}

bool Recovery::begins_line(std::size_t index) const {
  if (index == 0) return true;
  const auto before = lexed_.tokens[index - 1].end;
  const auto between = source_.text().substr(before, lexed_.tokens[index].begin - before);
  return between.find('\n') != between.npos;
}

// A declaration's word at the left edge: people write declarations there, and nothing else.
bool Recovery::begins_declaration(std::size_t index) const {
  const auto& token = lexed_.tokens[index];
  if (token.kind < Kind::EVENT || token.kind > Kind::TEST) return false;
  return token.begin == 0 || source_.text()[token.begin - 1] == '\n';
}

// Whether it goes on as one, too: fields and settings may have any name.
bool Recovery::looks_like_declaration(std::size_t index) const {
  if (!begins_declaration(index)) return false;
  const auto next = lexed_.tokens[index + 1].kind;
  if (next == Kind::TEXT) return lexed_.tokens[index + 2].kind != Kind::COLON;
  return next != Kind::COLON && next != Kind::ASSIGN && next != Kind::DOT && next != Kind::COMMA;
}

// ---------------------------------------------------------------------------------- where to go on

antlr4::Token* Recovery::recoverInline(antlr4::Parser* parser) {
  throw antlr4::InputMismatchException(parser);
}

// Goes on behind the broken item that began at `first`.
void Recovery::resume(antlr4::Parser* parser, std::size_t first, const IntervalSet& starts) {
  const auto depth = depth_[first];
  if (go_back_to_ != nowhere && go_back_to_ > first) {
    parser->getInputStream()->seek(go_back_to_);
    go_back_to_ = nowhere;
    return;
  }
  go_back_to_ = nowhere;
  if (position(parser) == first && parser->getCurrentToken()->getType() != antlr4::Token::EOF &&
      !(lexed_.tokens[first].kind == Kind::RBRACE)) {
    pass_over(parser);  // progress
  }
  while (true) {
    const auto at = position(parser);
    const auto kind = lexed_.tokens[at].kind;
    if (kind == Kind::END_OF_FILE) return;
    if (at > first && begins_declaration(at)) return;
    if (depth_[at] < depth) return;
    if (depth_[at] == depth) {
      if (kind == Kind::RBRACE && depth > 0) return;
      const bool fresh = begins_line(at) || lexed_.tokens[at - 1].kind == Kind::SEMICOLON;
      if (fresh && starts.contains(static_cast<ssize_t>(parser->getCurrentToken()->getType())))
        return;
    }
    pass_over(parser);
  }
}

void Recovery::recover(antlr4::Parser* parser, std::exception_ptr error) {
  auto* ctx = parser->getContext();
  const auto* list = list_of_items(ctx->getRuleIndex());
  if (list == nullptr) {
    if (ctx->getRuleIndex() != Grammar::RuleFile) std::rethrow_exception(error);
    return;
  }
  // Whatever the reason, no item is recovered from twice at one place.
  const auto first = ctx->getStart()->getTokenIndex();
  const std::pair here{first, position(parser)};
  if (here == last_recovered_ && parser->getCurrentToken()->getType() != antlr4::Token::EOF) {
    pass_over(parser);
  }
  last_recovered_ = here;
  resume(parser, first, starts_of(parser, list->item));
}

// At each turn of a list: what is no item and does not end the list is reported and passed over.
void Recovery::sync(antlr4::Parser* parser) {
  const auto* list = list_held_by(parser->getContext()->getRuleIndex());
  if (list == nullptr) return;
  if (list->holder != Grammar::RuleFile && looks_like_declaration(position(parser)) &&
      position(parser) > parser->getContext()->getStart()->getTokenIndex()) {
    throw antlr4::InputMismatchException(parser);  // a brace is missing before it
  }
  const auto& atn = parser->getATN();
  auto* state = atn.states[parser->getState()];
  switch (state->getStateType()) {
    case antlr4::atn::ATNState::STAR_LOOP_ENTRY:
    case antlr4::atn::ATNState::STAR_LOOP_BACK:
    case antlr4::atn::ATNState::PLUS_LOOP_BACK: break;
    default: return;
  }
  const auto& next = atn.nextTokens(state);
  const auto here = [&] { return static_cast<ssize_t>(parser->getCurrentToken()->getType()); };
  if (next.contains(antlr4::Token::EPSILON) || next.contains(here())) return;
  // Only the loop over the items: its turn may begin with one.
  const auto starts = starts_of(parser, list->item);
  if (next.And(starts).isEmpty()) return;
  while (!next.contains(here()) && here() != static_cast<ssize_t>(antlr4::Token::EOF)) {
    const auto at = position(parser);
    if (lexed_.tokens[at].kind == Kind::RBRACE && depth_[at] > 0) return;
    if (at > 0 && depth_[at] > 0 && begins_declaration(at)) return;
    say(parser, at, next, false);
    if (go_back_to_ != nowhere) {
      parser->getInputStream()->seek(go_back_to_);
      go_back_to_ = nowhere;
      return;
    }
    resume(parser, at, starts);
    if (position(parser) == at) pass_over(parser);
  }
}

// ------------------------------------------------------------------------------------ what is said

void Recovery::reportError(antlr4::Parser* parser, const antlr4::RecognitionException& error) {
  const auto index = error.getOffendingToken()->getTokenIndex();
  const bool looked_ahead = index != position(parser);
  say(parser, index, parser->getExpectedTokens(), looked_ahead);
}

void Recovery::say(antlr4::Parser* parser, std::size_t index, const IntervalSet& expected,
                   bool looked_ahead) {
  if (index == last_said_) return;
  last_said_ = index;
  const auto kind = lexed_.tokens[index].kind;
  // A text or word that the lexer has already complained of says enough.
  const auto place = span(index);
  for (const auto& said : lexed_.diagnostics) {
    if (said.span.begin < place.end && place.begin < said.span.end) return;
  }
  // The lexer has complained of what never ends.
  if (kind == Kind::END_OF_FILE &&
      (has(expected, Kind::TEXT_CLOSE) || has(expected, Kind::INSERT_CLOSE)))
    return;
  if (says_unfinished(parser, index)) return;
  if (says_condition(parser, index)) return;
  if (say_glued(index, expected)) return;
  if (say_unclosed(parser, index, expected)) return;
  const auto wanted = phrase(parser, expected, looked_ahead);
  if (kind == Kind::END_OF_FILE) {
    const auto end = index > 0 ? span(index - 1).end : place.end;
    diagnostics.push_back(make(Code::ExpectedAtEnd, {number_, end, end}, language_, {wanted}));
    return;
  }
  if (parser->getContext()->getRuleIndex() == Grammar::RuleFile) {
    if (index > 0 && !begins_line(index)) {
      diagnostics.push_back(
          make(Code::DoesNotFit, place, language_, {found(index), written(index - 1)}));
      return;
    }
    std::vector<std::string> words;
    for (const auto& each : keywords()) {
      if (each.kind > Kind::TEST) break;
      words.emplace_back(each.english);
      words.emplace_back(each.chinese);
    }
    diagnostics.push_back(make(Code::NotADeclaration, place, language_, {found(index)}));
    if (kind == Kind::NAME) {
      if (const auto meant = closest(written(index), words); !meant.empty()) {
        diagnostics.back().replacement = meant;
      }
    }
    return;
  }
  if (kind == Kind::NAME) {
    std::vector<std::string> words;
    for (const auto& each : keywords()) {
      if (!has(expected, each.kind)) continue;
      for (const auto word : {each.english, each.chinese}) {
        if (!word.empty()) words.emplace_back(word);
      }
    }
    if (index > 0 && lexed_.tokens[index - 1].kind == Kind::COMMA) {
      words.emplace_back(keyword(Kind::ELSE).english);  // `via wechat, els sms`
    }
    if (const auto meant = closest(written(index), words); !meant.empty()) {
      diagnostics.push_back(
          make(Code::DidYouMean, place, language_, {wanted, found(index), meant}));
      diagnostics.back().replacement = meant;
      return;
    }
  }
  diagnostics.push_back(make(Code::Expected, place, language_, {wanted, found(index)}));
}

// A word at the beginning of a line that begins a sentence, but was read as the name that the line
// before lacks: reading goes back to it.
bool Recovery::says_unfinished(antlr4::Parser* parser, std::size_t index) {
  if (index == 0) return false;
  const auto before = index - 1;
  const auto kind = lexed_.tokens[before].kind;
  if (!is_keyword(kind) || !begins_line(before) ||
      (last_begun_ != nowhere && before <= last_begun_)) {
    return false;
  }
  for (auto* ctx = parser->getContext(); ctx != nullptr;
       ctx = dynamic_cast<antlr4::ParserRuleContext*>(ctx->parent)) {
    const auto rule = ctx->getRuleIndex();
    if (const auto* list = list_of_items(rule)) {
      // Nothing goes back over the item's own first word.
      if (ctx->getStart()->getTokenIndex() >= before) return false;
      if (!starts_of(parser, list->item).contains(static_cast<ssize_t>(grammar_token(kind))))
        return false;
      break;
    }
    if (const auto* list = list_held_by(rule)) {
      const auto starts = starts_of(parser, list->item);
      if (ctx->getStart()->getTokenIndex() >= before && rule != Grammar::RuleFile) return false;
      if (!starts.contains(static_cast<ssize_t>(grammar_token(kind)))) return false;
      if (rule == Grammar::RuleFile && !begins_declaration(before)) return false;
      break;
    }
  }
  diagnostics.push_back(make(Code::Unfinished, span(before), language_, {written(before)}));
  last_begun_ = before;
  go_back_to_ = before;
  return true;
}

// `when orders > 3`
bool Recovery::says_condition(antlr4::Parser* parser, std::size_t index) {
  const auto kind = lexed_.tokens[index].kind;
  const bool compares = (kind >= Kind::ASSIGN && kind <= Kind::GREATER_EQUAL) || kind == Kind::IN ||
                        kind == Kind::CONTAINS || kind == Kind::IS_KNOWN ||
                        kind == Kind::IS_MISSING;
  if (!compares) return false;
  const auto rule = parser->getContext()->getRuleIndex();
  if (rule != Grammar::RuleCampaignDeclaration && rule != Grammar::RuleTrigger) return false;
  constexpr std::size_t farthest = 8;  // words of what is compared
  for (auto first = index; first-- > 0 && index - first <= farthest;) {
    const auto word = lexed_.tokens[first].kind;
    if (word == Kind::WHERE || word == Kind::LBRACE || word == Kind::RBRACE) return false;
    if (word != Kind::WHEN) continue;
    if (first + 1 == index) return false;
    const SourceSpan place{number_, span(first + 1).begin, span(index).end};
    diagnostics.push_back(make(Code::NotAnEvent, place, language_));
    return true;
  }
  return false;
}

// `当购买`: a name that begins with a keyword which is expected here, or a name before this place
// that ends with one.
bool Recovery::say_glued(std::size_t index, const IntervalSet& expected) {
  const auto try_name = [&](std::size_t at, bool at_begin) {
    const auto& token = lexed_.tokens[at];
    if (token.kind != Kind::NAME || source_.text()[token.begin] == '`') return false;
    const std::string_view word = lexed_.values[token.value];
    std::string_view best;
    for (const auto& each : keywords()) {
      if (at_begin && !has(expected, each.kind)) continue;
      if (!at_begin && each.kind != Kind::AND && each.kind != Kind::OR && each.kind != Kind::IN)
        continue;
      auto spellings = each.others;
      spellings.push_back(each.chinese);
      for (const auto candidate : spellings) {
        if (candidate.empty() || static_cast<unsigned char>(candidate[0]) < 0x80) continue;
        const bool fits = at_begin ? word.starts_with(candidate) : word.ends_with(candidate);
        if (fits && candidate.size() < word.size() && candidate.size() > best.size())
          best = candidate;
      }
    }
    if (best.empty()) return false;
    const auto rest =
        at_begin ? word.substr(best.size()) : word.substr(0, word.size() - best.size());
    const auto meant = at_begin ? std::string(best) + " " + std::string(rest)
                                : std::string(rest) + " " + std::string(best);
    diagnostics.push_back(make(Code::GluedKeyword, span(at), language_, {written(at), meant}));
    diagnostics.back().replacement = meant;
    return true;
  };
  return try_name(index, true) || (index > 0 && try_name(index - 1, false));
}

// A block that a declaration at the left edge, or the end of the file, interrupts.
bool Recovery::say_unclosed(antlr4::Parser* parser, std::size_t index,
                            const IntervalSet& expected) {
  const auto kind = lexed_.tokens[index].kind;
  const bool ends = kind == Kind::END_OF_FILE || looks_like_declaration(index);
  if (!ends || depth_[index] == 0 || parser->getContext()->getRuleIndex() == Grammar::RuleFile)
    return false;
  if (!has(expected, Kind::RBRACE)) return false;
  std::uint32_t closed = 0;
  for (auto at = index; at-- > 0;) {
    if (lexed_.tokens[at].kind == Kind::RBRACE) ++closed;
    if (lexed_.tokens[at].kind != Kind::LBRACE) continue;
    if (closed-- > 0) continue;
    diagnostics.push_back(make(Code::UnclosedBrace, span(at), language_, {"{"}));
    return true;
  }
  return false;
}

std::string Recovery::phrase(antlr4::Parser* parser, const IntervalSet& expected,
                             bool looked_ahead) const {
  const bool english = language_ == Language::English;
  const auto rule = parser->getContext()->getRuleIndex();
  if (const auto* list = list_held_by(rule)) {
    if (!expected.And(starts_of(parser, list->item)).isEmpty()) {
      return english ? list->english : list->chinese;
    }
  }
  if (has(expected, Kind::NUMBER) && has(expected, Kind::LPAREN) && has(expected, Kind::NAME)) {
    return english ? "a value" : "值";
  }
  if (looked_ahead) {
    if (rule == Grammar::RuleTrigger) return english ? "a trigger" : "触发条件";
    if (const auto* list = list_of_items(rule)) return english ? list->english : list->chinese;
  }
  std::set<Kind> kinds;
  for (const auto token : expected.toList()) {
    if (token == static_cast<ssize_t>(antlr4::Token::EPSILON)) continue;
    kinds.insert(kind_of(static_cast<std::size_t>(token)));
  }
  if (kinds.contains(Kind::NAME)) {
    std::erase_if(kinds, [](Kind each) { return is_keyword(each); });
  }
  auto main = kinds;
  for (const auto each : go_on) main.erase(each);
  if (main.contains(Kind::LBRACE) || main.size() > 1) main.erase(Kind::TEXT);
  if (!main.empty()) kinds = main;
  if (kinds.contains(Kind::TEXT)) kinds.erase(Kind::TEXT_OPEN);
  std::vector<std::string> words;
  for (const auto each : kinds) {
    if (auto word = spelling(each, language_); !word.empty()) words.push_back(std::move(word));
  }
  constexpr std::size_t most_words = 6;
  if (words.empty() || words.size() > most_words) {
    for (const auto& each : rule_phrases) {
      if (each.rule == rule) return english ? each.english : each.chinese;
    }
    for (auto* ctx = parser->getContext(); ctx != nullptr;
         ctx = dynamic_cast<antlr4::ParserRuleContext*>(ctx->parent)) {
      const auto* list = list_held_by(ctx->getRuleIndex());
      if (list == nullptr) continue;
      if (expected.And(starts_of(parser, list->item)).isEmpty()) break;
      return english ? list->english : list->chinese;
    }
    return english ? "something else" : "别的内容";
  }
  std::string all = words.front();
  for (std::size_t i = 1; i < words.size(); ++i) {
    const bool last = i + 1 == words.size();
    if (english) {
      all += last ? " or " : ", ";
    } else {
      all += last ? "或" : "、";
    }
    all += words[i];
  }
  return all;
}

std::string Recovery::found(std::size_t index) const {
  const auto kind = lexed_.tokens[index].kind;
  if (kind == Kind::END_OF_FILE) return spelling(kind, language_);
  auto text = written(index);
  constexpr std::size_t most = 30;
  if (text.size() > most || text.find('\n') != text.npos) {
    std::size_t end = 0;
    while (end < most && end < text.size() && text[end] != '\n') decode_utf8(text, end);
    text = text.substr(0, end) + "…";
  }
  return "`" + text + "`";
}

}  // namespace koi::lang
