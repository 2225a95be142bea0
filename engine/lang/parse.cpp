#include "lang/parse.h"

#include <algorithm>
#include <memory>

#include "Koi.h"
#include "base/assert.h"
#include "lang/lexer.h"
#include "lang/outline.h"
#include "lang/parse_builder.h"
#include "lang/parse_errors.h"

namespace koi::lang {
namespace {

// Rules within rules that the parser may be in; each level of nesting takes up to ten.
constexpr std::size_t deepest_rules = 10 * deepest_nesting + 60;

struct TooDeep {
  std::size_t token;
};

// Our words, as the grammar's library wants them.
class WordSource : public antlr4::TokenSource {
 public:
  WordSource(const Lexed& lexed, const std::string& path) : lexed_(lexed), path_(path) {}

  std::unique_ptr<antlr4::Token> nextToken() override {
    const auto at = std::min(next_, lexed_.tokens.size() - 1);
    ++next_;
    auto token = std::make_unique<antlr4::CommonToken>(grammar_token(lexed_.tokens[at].kind));
    token->setTokenIndex(at);
    return token;
  }
  std::size_t getLine() const override { return 0; }
  std::size_t getCharPositionInLine() override { return 0; }
  antlr4::CharStream* getInputStream() override { return nullptr; }
  std::string getSourceName() override { return path_; }
  antlr4::TokenFactory<antlr4::CommonToken>* getTokenFactory() override {
    return antlr4::CommonTokenFactory::DEFAULT.get();
  }

 private:
  const Lexed& lexed_;
  const std::string& path_;
  std::size_t next_ = 0;
};

// Counts how deep it is, so that no text can exhaust the stack.
class BoundedParser : public Grammar {
 public:
  using Grammar::Grammar;

  void enterRule(antlr4::ParserRuleContext* ctx, std::size_t state, std::size_t rule) override {
    while (!within_.empty() && within_.back() != ctx->parent) within_.pop_back();
    within_.push_back(ctx);
    if (within_.size() > deepest_rules) throw TooDeep{getCurrentToken()->getTokenIndex()};
    Grammar::enterRule(ctx, state, rule);
  }

 private:
  std::vector<antlr4::tree::ParseTree*> within_;
};

bool any_error(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& each) { return each.severity == Severity::Error; });
}

// The depth is that of the rules, which is bounded.
void add_stretch(antlr4::ParserRuleContext* ctx, std::uint32_t parent, std::uint32_t& token,
                 Outline& outline) {
  const auto self = static_cast<std::uint32_t>(outline.stretches.size());
  outline.stretches.push_back({rule_of(ctx->getRuleIndex()), token, token, parent, 0});
  for (auto* child : ctx->children) {
    if (auto* within = dynamic_cast<antlr4::ParserRuleContext*>(child)) {
      add_stretch(within, self, token, outline);
    } else {
      outline.innermost[token++] = self;
    }
  }
  outline.stretches[self].last = token;
  outline.stretches[self].next = static_cast<std::uint32_t>(outline.stretches.size());
}

void parse_words(const Source& source, const Lexed& lexed, std::uint32_t number, Language language,
                 Parsed& parsed, Outline* outline) {
  WordSource words(lexed, source.path());
  antlr4::CommonTokenStream stream(&words);
  BoundedParser parser(&stream);
  parser.removeErrorListeners();
  auto* interpreter = parser.getInterpreter<antlr4::atn::ParserATNSimulator>();

  // Most files need no more than the fast way; only those with errors, or where it cannot tell,
  // are read again with full context.
  Grammar::FileContext* file = nullptr;
  std::shared_ptr<Recovery> recovery;
  try {
    interpreter->setPredictionMode(antlr4::atn::PredictionMode::SLL);
    parser.setErrorHandler(std::make_shared<antlr4::BailErrorStrategy>());
    file = parser.file();
  } catch (const antlr4::ParseCancellationException&) {
    recovery = std::make_shared<Recovery>(source, lexed, number, language);
    parser.reset();
    interpreter->setPredictionMode(antlr4::atn::PredictionMode::LL);
    parser.setErrorHandler(recovery);
    file = parser.file();
  }
  Builder builder(source, lexed, number, language);
  if (recovery) {
    for (const auto& each : recovery->diagnostics) builder.broken.push_back(each.span);
  }
  parsed.file = builder.file(file);
  const auto take = [&](const std::vector<Diagnostic>& from) {
    parsed.diagnostics.insert(parsed.diagnostics.end(), from.begin(), from.end());
  };
  take(builder.diagnostics);
  if (recovery) take(recovery->diagnostics);
  if (outline != nullptr && !any_error(parsed.diagnostics)) {
    outline->innermost.resize(lexed.tokens.size());
    std::uint32_t token = 0;
    add_stretch(file, 0, token, *outline);
    KOI_ASSERT(token == lexed.tokens.size());
  }
}

Parsed parse(const Source& source, const Lexed& lexed, std::uint32_t source_number,
             Language language, Outline* outline) {
  Parsed parsed;
  parsed.file.source = source_number;
  parsed.diagnostics = lexed.diagnostics;
  if (lexed.complete) {
    try {
      parse_words(source, lexed, source_number, language, parsed, outline);
    } catch (const TooDeep& deep) {
      const auto& token = lexed.tokens[deep.token];
      parsed.diagnostics.push_back(make(Code::NestedTooDeep,
                                        {source_number, token.begin, token.end}, language,
                                        {std::to_string(deepest_nesting)}));
    }
  }
  sort_and_unique(parsed.diagnostics);
  return parsed;
}

}  // namespace

Rule rule_of(std::size_t index) {
  switch (index) {
#define KOI_RULE(name) \
  case Grammar::Rule##name: return Rule::name;
    KOI_RULES(KOI_RULE)
#undef KOI_RULE
    default: return Rule::Other;
  }
}

Parsed parse(const Source& source, std::uint32_t source_number, Language language) {
  return parse(source, lex(source, source_number, language), source_number, language, nullptr);
}

Outlined outline(const Source& source, std::uint32_t source_number, Language language) {
  Outlined all;
  all.lexed = lex(source, source_number, language);
  all.parsed = parse(source, all.lexed, source_number, language, &all.outline);
  return all;
}

}  // namespace koi::lang
