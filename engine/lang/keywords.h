// The words of the language as data (keywords.def), and the kinds of words and signs that the lexer
// makes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lang/ast.h"

namespace koi::lang {

enum class Kind : std::uint16_t {
  END_OF_FILE,
  // Words and literals
  NAME,
  NUMBER,
  PERCENT,
  MONEY,
  DURATION,
  ORDINAL,
  TIME,
  DATE,
  LOCAL_TIME,
  INSTANT,
  TEXT,  // a whole text into which nothing is inserted
  TEXT_OPEN,
  TEXT_CHUNK,
  TEXT_CLOSE,
  INSERT_OPEN,
  INSERT_CLOSE,
  // Signs
  LBRACE,
  RBRACE,
  LPAREN,
  RPAREN,
  LBRACKET,
  RBRACKET,
  COMMA,
  COLON,
  SEMICOLON,
  DOT,
  QUESTION,
  ASSIGN,
  EQUAL,
  NOT_EQUAL,
  LESS,
  LESS_EQUAL,
  GREATER,
  GREATER_EQUAL,
  PLUS,
  MINUS,
  STAR,
  SLASH,
// Keywords
#define KOI_KEYWORD(token, english, chinese, others, meaning) token,
#include "lang/keywords.def"
};

constexpr bool is_keyword(Kind kind) { return kind > Kind::SLASH; }

struct Keyword {
  Kind kind;
  std::string_view english;  // may be a phrase; empty for a particle that only Chinese has
  std::string_view chinese;
  std::vector<std::string_view> others;
  std::string_view meaning;
};
// In the order of the table.
const std::vector<Keyword>& keywords();
const Keyword& keyword(Kind kind);

// A row of the table as the reference shows it: a heading, or a word under it.
struct WordRow {
  enum class What { Group, Keyword, Builtin, Type };
  What what = What::Keyword;
  std::string_view english;
  std::string_view chinese;
  std::vector<std::string_view> others = {};
  std::string_view meaning =
      {};  // of what is always there: `event: …`, `function: …` where it is one
};
// All words with their headings, in the order of the table.
const std::vector<WordRow>& word_table();

// The keyword of exactly that spelling (one word), if there is one.
std::optional<Kind> keyword_kind(std::string_view word);

// The phrases that begin with `word`, longest first; null where there is none.
struct Phrase {
  std::vector<std::string_view> more;  // the words after the first
  Kind kind;
};
const std::vector<Phrase>* phrases_of(std::string_view word);

// What is always there (`marketing`, `opened`, `days`), by either spelling: its English one, or
// empty. In static storage.
std::string_view builtin_word(std::string_view word);

std::optional<ast::TypeKind> type_of_word(std::string_view word);
// The English spellings of the types.
const std::vector<std::string_view>& type_words();
std::string_view type_word(ast::TypeKind kind);

}  // namespace koi::lang
