#include <algorithm>

#include "base/source.h"
#include "format/detail/spelling.h"
#include "lang/characters.h"

namespace koi::format {
namespace {

constexpr Marks ascii_marks{"\"", "\""};
constexpr Marks chinese_marks{"“", "”"};
constexpr std::string_view wide_quote = "＂";  // closes what `"` has opened

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

// The digits of a number with their points and underscores.
std::string digits_of(std::string_view written) {
  std::string digits;
  for (const char c : folded(written)) {
    if (is_digit(static_cast<unsigned char>(c)) || c == '.' || c == '_') digits += c;
  }
  return digits;
}

// The written text behind its number.
std::string unit_of(std::string_view written) {
  const auto text = folded(written);
  const auto at = text.find_first_not_of("0123456789._ \t\r\n");
  return at == text.npos ? std::string() : text.substr(at);
}

bool is_any_of(const lang::Keyword& word, std::string_view written) {
  return written == word.english || written == word.chinese ||
         std::find(word.others.begin(), word.others.end(), written) != word.others.end();
}

Kind unit_kind(std::string_view unit) {
  for (auto kind = Kind::SECOND; kind <= Kind::YEAR;
       kind = static_cast<Kind>(static_cast<int>(kind) + 1)) {
    if (is_any_of(lang::keyword(kind), unit)) return kind;
  }
  if (unit == "s") return Kind::SECOND;
  if (unit == "min") return Kind::MINUTE;
  if (unit == "h") return Kind::HOUR;
  return unit == "w" ? Kind::WEEK : Kind::DAY;
}

std::string_view in(const lang::WordRow& row, Language language) {
  return language == Language::English ? row.english : row.chinese;
}

// By its first spelling in either language, else by another: `days` is the function before it is
// another spelling of `day`.
std::string_view find_word(std::string_view word, Language language, bool types) {
  using What = lang::WordRow::What;
  for (const bool others : {false, true}) {
    for (const auto& row : lang::word_table()) {
      if (row.what == What::Group || (row.what == What::Type) != types) continue;
      const bool found =
          others ? std::find(row.others.begin(), row.others.end(), word) != row.others.end()
                 : word == row.english || word == row.chinese;
      if (found && !in(row, language).empty()) return in(row, language);
    }
  }
  return {};
}

}  // namespace

Language language_of(std::string_view written) {
  std::size_t at = 0;
  const auto c = written.empty() ? U'a' : lang::fold(decode_utf8(written, at));
  return c < 0x80 ? Language::English : Language::Chinese;
}

std::string_view spelled(Kind keyword, Language language) {
  const auto& word = lang::keyword(keyword);
  return language == Language::English && !word.english.empty() ? word.english : word.chinese;
}

std::string_view translated(std::string_view word, Language language) {
  return find_word(word, language, false);
}
std::string_view translated_type(std::string_view word, Language language) {
  return find_word(word, language, true);
}

std::string_view sign(Kind kind, Language language) {
  const bool chinese = language == Language::Chinese;
  switch (kind) {
    case Kind::LBRACE: return chinese ? "｛" : "{";
    case Kind::RBRACE: return chinese ? "｝" : "}";
    case Kind::LPAREN: return chinese ? "（" : "(";
    case Kind::RPAREN: return chinese ? "）" : ")";
    case Kind::LBRACKET: return "[";
    case Kind::RBRACKET: return "]";
    case Kind::COMMA: return chinese ? "，" : ",";
    case Kind::COLON: return chinese ? "：" : ":";
    case Kind::SEMICOLON: return chinese ? "；" : ";";
    case Kind::QUESTION: return chinese ? "？" : "?";
    case Kind::DOT: return ".";
    case Kind::ASSIGN: return "=";
    case Kind::EQUAL: return "==";
    case Kind::NOT_EQUAL: return "!=";
    case Kind::LESS: return "<";
    case Kind::LESS_EQUAL: return "<=";
    case Kind::GREATER: return ">";
    case Kind::GREATER_EQUAL: return ">=";
    case Kind::PLUS: return "+";
    case Kind::MINUS: return "-";
    case Kind::STAR: return "*";
    case Kind::SLASH: return "/";
    default: return {};
  }
}

std::string folded(std::string_view written) {
  std::string text;
  for (std::size_t at = 0; at < written.size();) {
    append_utf8(text, lang::fold(decode_utf8(written, at)));
  }
  return text;
}

std::string money(std::string_view written, std::string_view value, Language language) {
  const auto currency = value.substr(0, 3);
  const auto digits = digits_of(written);
  if (currency == "CNY") return language == Language::English ? "¥" + digits : digits + "元";
  if (currency == "USD") return "$" + digits;
  if (currency == "EUR") return "€" + digits;
  if (currency == "GBP") return "£" + digits;
  return std::string(currency) + " " + digits;
}

Language language_of_duration(std::string_view written, Language otherwise) {
  const auto unit = unit_of(written);
  if (unit.size() <= 1 || unit == "min") return otherwise;
  return language_of(unit);
}

std::string duration(std::string_view written, Language language) {
  const auto digits = digits_of(written);
  const auto kind = unit_kind(unit_of(written));
  if (language == Language::Chinese) {
    return digits + (kind == Kind::MONTH ? "个月" : std::string(lang::keyword(kind).chinese));
  }
  return digits + " " + std::string(lang::keyword(kind).english) + (digits == "1" ? "" : "s");
}

std::string ordinal(std::string_view value, Language language) {
  std::string number(value);
  if (language == Language::Chinese) return number + "日";
  const bool teen = number.size() > 1 && number[number.size() - 2] == '1';
  const char last = number.back();
  if (teen) return number + "th";
  return number + (last == '1' ? "st" : last == '2' ? "nd" : last == '3' ? "rd" : "th");
}

std::string requoted(std::string_view raw, const Marks& from, const Marks& to) {
  if (from.open.size() == 3 && from.open == "\"\"\"") {
    // Over lines: only line ends are made one.
    std::string text;
    for (const char c : raw)
      if (c != '\r') text += c;
    return text;
  }
  const std::string_view quote = to.close == "\"" ? "\\\"" : "\"";
  std::string text;
  for (std::size_t at = 0; at < raw.size();) {
    const auto begin = at;
    const auto c = lang::fold(decode_utf8(raw, at));
    if (c == '\\' && at < raw.size()) {
      const auto escaped = decode_utf8(raw, at);
      text += escaped == '"' ? quote : raw.substr(begin, at - begin);
    } else if (at - begin == 1 && c == '"') {
      text += quote;
    } else {
      text += raw.substr(begin, at - begin);
    }
  }
  return text;
}

Marks marks_for(const Marks& from, const std::vector<std::string_view>& raw, Language language) {
  if (from.open == "\"\"\"") return from;
  const bool is_chinese = from.open == chinese_marks.open;
  const auto has = [&](std::string_view what) {
    return std::any_of(raw.begin(), raw.end(),
                       [&](std::string_view each) { return each.find(what) != each.npos; });
  };
  if (language == Language::Chinese) {
    return !is_chinese && has(chinese_marks.close) ? ascii_marks : chinese_marks;
  }
  return is_chinese && has(wide_quote) ? chinese_marks : ascii_marks;
}

}  // namespace koi::format
