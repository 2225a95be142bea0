// Which characters make words, which stand for others, and which must not appear.
#pragma once

#include <string>

namespace koi::lang {

// A full-width sign, letter or digit as its half-width twin; `、` as a comma, `【】` as brackets;
// every other character as it is.
char32_t fold(char32_t character);

// Letters of Latin, Han, kana, hangul and bopomofo writing (not digits, not `_`).
bool is_letter(char32_t character);
bool is_han(char32_t character);

// The ASCII letter that this letter of another alphabet cannot be told from, or 0.
char32_t latin_twin(char32_t character);

// Controls that reorder what is displayed (Unicode technical report 36).
bool changes_direction(char32_t character);

bool is_blank(char32_t character);  // with line ends

// "U+202E" and, where Koi knows it, a name: for characters that cannot be shown.
std::string describe(char32_t character);

}  // namespace koi::lang
