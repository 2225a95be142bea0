// How a word, a literal or a text is written in its canonical form. The module's own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "lang/lexer.h"

namespace koi::format {

using lang::Kind;

// The language that a keyword or a unit is written in.
Language language_of(std::string_view written);

// The first spelling of a keyword in that language; where the language has none, the other's.
std::string_view spelled(Kind keyword, Language language);
// A word of the table that is not a keyword (a type, a class, a function), or a keyword that stands
// for a name; empty where the table has no such word.
std::string_view translated(std::string_view word, Language language);
std::string_view translated_type(std::string_view word, Language language);

// A sign such as `:`; empty where the kind is none.
std::string_view sign(Kind kind, Language language);

// In half-width letters, digits and signs.
std::string folded(std::string_view written);

std::string money(std::string_view written, std::string_view value, Language language);
// The language where `written` does not tell: `30d`.
std::string duration(std::string_view written, Language otherwise);
Language language_of_duration(std::string_view written, Language otherwise);
std::string ordinal(std::string_view value, Language language);

// The marks of texts.
struct Marks {
  std::string_view open;
  std::string_view close;
};
// How the piece of a text within other marks says the same.
std::string requoted(std::string_view raw, const Marks& from, const Marks& to);
// The marks for a text that is written with `from` and has these pieces: those of the language, or
// `from` where the others would end it too early.
Marks marks_for(const Marks& from, const std::vector<std::string_view>& raw, Language language);

}  // namespace koi::format
