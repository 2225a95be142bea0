#include "lang/expected.h"

#include <algorithm>
#include <map>

#include "lang/parse_builder.h"
#include "lang/parse_errors.h"

namespace koi::lang {
namespace {

using antlr4::atn::ATNState;
using antlr4::atn::Transition;

constexpr std::size_t most_words = 20'000;
constexpr std::size_t deepest = 1'000;  // sentences within sentences

const antlr4::atn::ATN& table() {
  static const antlr4::atn::ATN* const atn = [] {
    std::vector<std::unique_ptr<antlr4::Token>> end;  // the library takes no empty list
    end.push_back(std::make_unique<antlr4::CommonToken>(antlr4::Token::EOF));
    static antlr4::ListTokenSource nothing(std::move(end));
    static antlr4::CommonTokenStream stream(&nothing);
    static Grammar grammar(&stream);
    return &grammar.getATN();
  }();
  return *atn;
}

// Walks the grammar's table along the words, all ways at once: where a rule that begins before one
// word may end is asked once. The grammar has no rule that begins with itself.
class Walk {
 public:
  Walk(const std::vector<std::size_t>& words, Expected& out) : words_(words), out_(out) {
    for (const Kind kind : kinds()) kind_of_[grammar_token(kind)] = kind;
  }

  void declaration() { ends(Grammar::RuleDeclaration, 0, 0); }

 private:
  static std::vector<Kind> kinds() {
    std::vector<Kind> all;
    for (std::size_t i = 1; i <= static_cast<std::size_t>(Kind::SLASH); ++i)
      all.push_back(static_cast<Kind>(i));
    for (const Keyword& each : keywords()) all.push_back(each.kind);
    return all;
  }

  const std::set<std::size_t>& ends(std::size_t rule, std::size_t from, std::size_t depth) {
    const auto [known, is_new] = ends_.emplace(std::pair(rule, from), std::set<std::size_t>{});
    std::set<std::size_t>& found = known->second;
    if (!is_new || depth > deepest) return found;
    const auto& atn = table();
    std::set<std::pair<std::size_t, std::size_t>> seen;
    std::vector<std::pair<ATNState*, std::size_t>> open{{atn.ruleToStartState[rule], from}};
    const auto go = [&](ATNState* state, std::size_t at) {
      if (seen.emplace(state->stateNumber, at).second) open.emplace_back(state, at);
    };
    while (!open.empty()) {
      const auto [state, at] = open.back();
      open.pop_back();
      if (state->getStateType() == ATNState::RULE_STOP) {
        found.insert(at);
        continue;
      }
      for (const Transition* way : state->transitions) {
        if (way->getSerializationType() == Transition::RULE) {
          const auto* call = static_cast<const antlr4::atn::RuleTransition*>(way);
          const std::size_t called = call->target->ruleIndex;
          const bool is_name = called == Grammar::RuleName || called == Grammar::RuleWord;
          if (is_name && at == words_.size()) {
            out_.names.insert(rule_of(rule));
          } else {
            for (const std::size_t end : ends(called, at, depth + 1)) go(call->followState, end);
          }
        } else if (way->isEpsilon()) {
          go(way->target, at);
        } else if (at < words_.size()) {
          if (way->matches(words_[at], 1, atn.maxTokenType)) go(way->target, at + 1);
        } else {
          expect(*way);
        }
      }
    }
    return found;
  }

  void expect(const Transition& way) {
    for (const auto& [token, kind] : kind_of_)
      if (way.matches(token, 1, table().maxTokenType)) out_.words.insert(kind);
  }

  const std::vector<std::size_t>& words_;
  Expected& out_;
  std::map<std::size_t, Kind> kind_of_;
  std::map<std::pair<std::size_t, std::size_t>, std::set<std::size_t>> ends_;
};

bool begins_declaration(Kind kind) { return kind >= Kind::EVENT && kind <= Kind::TEST; }

// The last word that begins a declaration: outside all braces, or first in its line, where nothing
// but a declaration stands as a rule. (A declaration's word is a name in other places.)
std::size_t last_declaration(const Lexed& lexed, std::string_view text) {
  std::size_t depth = 0, found = lexed.tokens.size();
  for (std::size_t i = 0; i < lexed.tokens.size(); ++i) {
    const Token& token = lexed.tokens[i];
    if (token.kind == Kind::LBRACE) ++depth;
    if (token.kind == Kind::RBRACE && depth > 0) --depth;
    if (!begins_declaration(token.kind)) continue;
    const bool first_in_line = token.begin == 0 || text[token.begin - 1] == '\n';
    const bool alone =
        depth == 0 &&
        (i == 0 || lexed.tokens[i - 1].kind == Kind::RBRACE ||
         text.substr(lexed.tokens[i - 1].end, token.begin - lexed.tokens[i - 1].end).find('\n') !=
             std::string_view::npos);
    if (first_in_line) depth = 0;
    if (first_in_line || alone) found = i;
  }
  return found;
}

// The lexer takes a text that is not closed for one word. Where the place is within what is
// inserted into it, the words of that insertion take its place.
void open_insertion(Lexed& lexed, std::string_view text) {
  const auto open = std::find_if(lexed.diagnostics.begin(), lexed.diagnostics.end(),
                                 [](const Diagnostic& each) { return each.code == "K0012"; });
  if (open == lexed.diagnostics.end() || lexed.tokens.empty()) return;
  const std::uint32_t sign = open->span.begin;
  const Token whole = lexed.tokens.back();
  if (whole.kind != Kind::TEXT || sign < whole.begin || sign >= text.size()) return;
  const std::uint32_t begin = sign + 1;
  Lexed inner = lex(Source("", std::string(text.substr(begin))), 0, Language::English);
  lexed.tokens.back() = {Kind::TEXT_OPEN, whole.begin, whole.begin + 1, 0};
  lexed.tokens.push_back({Kind::INSERT_OPEN, sign, begin, 0});
  const auto first_value = static_cast<std::uint32_t>(lexed.values.size());
  for (Token token : inner.tokens) {
    token.begin += begin, token.end += begin, token.value += first_value;
    lexed.tokens.push_back(token);
  }
  lexed.values.insert(lexed.values.end(), inner.values.begin(), inner.values.end());
}

}  // namespace

Expected expected_after(std::string_view prefix) {
  Expected out;
  const Source source("", std::string(prefix));
  out.before = lex(source, 0, Language::English);
  auto& tokens = out.before.tokens;
  const auto size = static_cast<std::uint32_t>(prefix.size());
  for (const SourceSpan& comment : out.before.comments)
    if (comment.begin < size && size <= comment.end) out.in_text = true;
  for (const Diagnostic& each : out.before.diagnostics)
    if (each.code == "K0010" || each.code == "K0011") out.in_text = true;
  const auto drop_end = [&] {
    while (!tokens.empty() && tokens.back().kind == Kind::END_OF_FILE) tokens.pop_back();
  };
  drop_end();
  open_insertion(out.before, source.text());
  drop_end();
  out.first = last_declaration(out.before, source.text());
  if (!out.before.complete || tokens.size() - out.first > most_words) return out;
  std::vector<std::size_t> words;
  for (std::size_t i = out.first; i < tokens.size(); ++i)
    words.push_back(grammar_token(tokens[i].kind));
  Walk(words, out).declaration();
  return out;
}

}  // namespace koi::lang
