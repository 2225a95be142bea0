// What happens when a sentence is not of the language: where reading goes on, and what is said.
// Of the parse*.cpp files alone, which see ANTLR.
#pragma once

#include <string>
#include <vector>

#include "Koi.h"
#include "lang/diagnostics.h"
#include "lang/lexer.h"

namespace koi::lang {

// Reports each mistake once and goes on at the next item (declaration, field, clause, step, line)
// of the same depth; nothing is guessed into or out of the text. Errors of one item hide nothing of
// the others.
class Recovery : public antlr4::DefaultErrorStrategy {
 public:
  Recovery(const Source& source, const Lexed& lexed, std::uint32_t source_number,
           Language language);

  std::vector<Diagnostic> diagnostics;

  void reportError(antlr4::Parser* parser, const antlr4::RecognitionException& error) override;
  void recover(antlr4::Parser* parser, std::exception_ptr error) override;
  antlr4::Token* recoverInline(antlr4::Parser* parser) override;
  void sync(antlr4::Parser* parser) override;
  bool inErrorRecoveryMode(antlr4::Parser*) override { return false; }
  void reportMatch(antlr4::Parser*) override {}

 private:
  SourceSpan span(std::size_t index) const;
  std::string written(std::size_t index) const;
  bool begins_line(std::size_t index) const;
  bool begins_declaration(std::size_t index) const;
  bool looks_like_declaration(std::size_t index) const;
  bool says_condition(antlr4::Parser* parser, std::size_t index);
  bool says_unfinished(antlr4::Parser* parser, std::size_t index);
  void resume(antlr4::Parser* parser, std::size_t first, const antlr4::misc::IntervalSet& starts);

  void say(antlr4::Parser* parser, std::size_t index, const antlr4::misc::IntervalSet& expected,
           bool looked_ahead);
  bool say_glued(std::size_t index, const antlr4::misc::IntervalSet& expected);
  bool say_unclosed(antlr4::Parser* parser, std::size_t index,
                    const antlr4::misc::IntervalSet& expected);
  std::string phrase(antlr4::Parser* parser, const antlr4::misc::IntervalSet& expected,
                     bool looked_ahead) const;
  std::string found(std::size_t index) const;

  const Source& source_;
  const Lexed& lexed_;
  std::uint32_t number_;
  Language language_;
  std::vector<std::uint32_t> depth_;  // open braces before each token
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);
  std::size_t last_said_ = nowhere;
  std::size_t last_begun_ = nowhere;  // where it last went back to: never twice
  std::pair<std::size_t, std::size_t> last_recovered_{nowhere, nowhere};  // item, place
  std::size_t go_back_to_ =
      nowhere;  // the word that begins a sentence though it was read as a name
};

// The grammar's token of a kind, and back.
std::size_t grammar_token(Kind kind);
Kind kind_of(std::size_t grammar_token);

}  // namespace koi::lang
