#include "lang/characters.h"

#include <array>
#include <cstdio>
#include <utility>

namespace koi::lang {
namespace {

// Letters of Cyrillic, Greek, Armenian and phonetic writing whose usual glyph is that of an ASCII
// letter (after the data of Unicode technical standard 39).
constexpr std::array<std::pair<char32_t, char32_t>, 62> twins{{
    {0x0410, 'A'}, {0x0412, 'B'}, {0x0415, 'E'}, {0x041A, 'K'}, {0x041C, 'M'}, {0x041D, 'H'},
    {0x041E, 'O'}, {0x0420, 'P'}, {0x0421, 'C'}, {0x0422, 'T'}, {0x0425, 'X'}, {0x0405, 'S'},
    {0x0406, 'I'}, {0x0408, 'J'}, {0x0430, 'a'}, {0x0435, 'e'}, {0x043E, 'o'}, {0x0440, 'p'},
    {0x0441, 'c'}, {0x0443, 'y'}, {0x0445, 'x'}, {0x0455, 's'}, {0x0456, 'i'}, {0x0458, 'j'},
    {0x04BB, 'h'}, {0x0501, 'd'}, {0x051B, 'q'}, {0x051D, 'w'}, {0x04CF, 'l'}, {0x04C0, 'I'},
    {0x0391, 'A'}, {0x0392, 'B'}, {0x0395, 'E'}, {0x0396, 'Z'}, {0x0397, 'H'}, {0x0399, 'I'},
    {0x039A, 'K'}, {0x039C, 'M'}, {0x039D, 'N'}, {0x039F, 'O'}, {0x03A1, 'P'}, {0x03A4, 'T'},
    {0x03A5, 'Y'}, {0x03A7, 'X'}, {0x03B1, 'a'}, {0x03B9, 'i'}, {0x03BA, 'k'}, {0x03BD, 'v'},
    {0x03BF, 'o'}, {0x03C1, 'p'}, {0x03C5, 'u'}, {0x03F2, 'c'}, {0x03F3, 'j'}, {0x0585, 'o'},
    {0x057D, 'u'}, {0x0578, 'n'}, {0x0570, 'h'}, {0x0581, 'g'}, {0x0251, 'a'}, {0x0261, 'g'},
    {0x0131, 'i'}, {0x0269, 'i'},
}};

constexpr bool between(char32_t c, char32_t first, char32_t last) {
  return c >= first && c <= last;
}

}  // namespace

char32_t fold(char32_t c) {
  if (between(c, 0xFF01, 0xFF5E)) return c - 0xFEE0;
  switch (c) {
    case 0x3000: return ' ';
    case 0x3001: return ',';   // 、
    case 0x3010: return '[';   // 【
    case 0x3011: return ']';   // 】
    case 0xFFE5: return 0xA5;  // ￥
    case 0x2212: return '-';   // −
    default: return c;
  }
}

bool is_han(char32_t c) {
  return between(c, 0x4E00, 0x9FFF) || between(c, 0x3400, 0x4DBF) || between(c, 0xF900, 0xFAFF) ||
         between(c, 0x20000, 0x3FFFD) || c == 0x3007 || c == 0x3005;
}

bool is_letter(char32_t c) {
  if (c < 0x80) return between(c | 0x20, 'a', 'z');
  if (is_han(c)) return true;
  if (between(c, 0xC0, 0x24F)) return c != 0xD7 && c != 0xF7 && latin_twin(c) == 0;
  return between(c, 0x3041, 0x3096) || between(c, 0x309D, 0x309F) || between(c, 0x30A1, 0x30FA) ||
         between(c, 0x30FC, 0x30FF) || between(c, 0x3105, 0x312F) || between(c, 0xAC00, 0xD7A3);
}

char32_t latin_twin(char32_t c) {
  if (c < 0x131) return 0;
  for (const auto& [foreign, latin] : twins) {
    if (foreign == c) return latin;
  }
  return 0;
}

bool changes_direction(char32_t c) {
  return between(c, 0x202A, 0x202E) || between(c, 0x2066, 0x2069) || c == 0x200E || c == 0x200F ||
         c == 0x061C;
}

bool is_blank(char32_t c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0xA0 || c == 0x3000;
}

std::string describe(char32_t c) {
  std::array<char, 16> code{};
  std::snprintf(code.data(), code.size(), "U+%04X", static_cast<unsigned>(c));
  return code.data();
}

}  // namespace koi::lang
