// Text to words and signs. Written by hand rather than generated: it knows texts with insertions
// that hold texts, full-width signs, the free border between digits and Han characters, and it says
// what is wrong in the author's words.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "base/source.h"
#include "lang/keywords.h"

namespace koi::lang {

struct Token {
  Kind kind = Kind::END_OF_FILE;
  std::uint32_t begin = 0;  // bytes
  std::uint32_t end = 0;
  std::uint32_t value = 0;  // where the kind has one: an index into Lexed::values
};

struct Lexed {
  std::vector<Token> tokens;  // the last is END_OF_FILE
  // NAME: the name without back-quotes and in half-width letters. NUMBER, PERCENT: digits. MONEY:
  // "CNY 12.50". DURATION: "30 day". ORDINAL: the number. TIME and the like: as base/time.h reads
  // them. TEXT, TEXT_CHUNK: what the text says. A keyword has none.
  std::vector<std::string> values;
  std::vector<SourceSpan> comments;
  std::vector<std::uint32_t> blank_lines;
  std::vector<Diagnostic> diagnostics;
  bool complete = true;  // false: a limit was reached or these are not characters; do not parse
};

// Never fails: what is wrong becomes a diagnostic, and the tokens go on behind it.
Lexed lex(const Source& source, std::uint32_t source_number, Language language);

}  // namespace koi::lang
