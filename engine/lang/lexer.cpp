#include "lang/lexer.h"

#include <algorithm>
#include <array>

#include "lang/characters.h"
#include "lang/diagnostics.h"
#include "lang/parse.h"
#include "lang/text_value.h"

namespace koi::lang {
namespace {

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

// What is open around the place where we read.
struct Open {
  enum class What { Brace, Parenthesis, Bracket, Text, Insertion };
  What what;
  std::uint32_t begin;      // of the opening sign
  char32_t closing = 0;     // of a Text: the mark that ends it
  bool is_long = false;     // of a Text: begun with """
  std::size_t first_token;  // of a Text: its TEXT_OPEN
};

constexpr std::array<std::string_view, 24> currencies{
    "AED", "AUD", "BRL", "CAD", "CHF", "CNY", "EUR", "GBP", "HKD", "IDR", "INR", "JPY",
    "KRW", "MOP", "MYR", "NZD", "PHP", "RUB", "SEK", "SGD", "THB", "TWD", "USD", "VND"};

// What may stand right behind the digits of `最多3天`: nothing, a unit, 日, and after a unit a
// keyword.
bool may_follow_digits(std::string_view rest) {
  if (rest.empty() || rest == "日" || rest == "号") return true;
  const auto fits = [&](std::string_view unit) {
    return rest.starts_with(unit) &&
           (rest.size() == unit.size() || keyword_kind(rest.substr(unit.size())));
  };
  for (auto kind = Kind::SECOND; kind <= Kind::YEAR;
       kind = static_cast<Kind>(static_cast<int>(kind) + 1)) {
    const auto& unit = keyword(kind);
    if (fits(unit.chinese) || std::any_of(unit.others.begin(), unit.others.end(), fits))
      return true;
  }
  return false;
}

// How many bytes of a word are 每, 本 or 自然 before a unit or a weekday; 0 where they are not.
std::uint32_t prefix_length(std::string_view word) {
  const auto calendar = keyword(Kind::CALENDAR).chinese;
  for (const auto prefix : {Kind::EVERY, Kind::PER, Kind::THIS, Kind::CALENDAR}) {
    const auto spelling = keyword(prefix).chinese;
    if (!word.starts_with(spelling)) continue;
    auto rest = word.substr(spelling.size());
    if (prefix != Kind::CALENDAR && rest.starts_with(calendar)) rest.remove_prefix(calendar.size());
    const auto kind = keyword_kind(rest);
    if (kind && *kind >= Kind::SECOND && *kind <= Kind::SUNDAY) {
      return static_cast<std::uint32_t>(spelling.size());
    }
  }
  return 0;
}

class Lexer {
 public:
  Lexer(const Source& source, std::uint32_t number, Language language)
      : text_(source.text()), source_(number), language_(language) {}

  Lexed run();

 private:
  // One character at a byte offset, folded to its half-width twin.
  struct Peek {
    char32_t c = 0;          // 0 at the end
    char32_t written = 0;    // before folding
    std::uint32_t next = 0;  // behind it
  };
  Peek peek(std::uint32_t at) const;
  std::uint32_t skip_blanks(std::uint32_t at) const;

  bool check_characters();
  void code();
  void blanks();
  void comment();
  void sign(const Peek& first);
  void open(Open::What what, Kind kind, std::uint32_t end);
  void close(Open::What what, Kind kind, std::uint32_t end);
  void stray(const Peek& first);

  void begin_text(const Peek& first);
  void chunk();
  void finish_text(const Open& text, std::uint32_t end);
  void unclosed_line();

  struct Word {
    std::string text;  // folded
    std::uint32_t end = 0;
    bool has_han = false;
    bool has_twin = false;
  };
  Word read_word(std::uint32_t at) const;
  void word();
  bool glued(const Word& word);
  void quoted_name();
  bool after_dot() const;

  void number(std::uint32_t begin, std::string_view currency);
  bool moment(std::string_view digits, const std::vector<std::uint32_t>& ends);
  void suffix(std::uint32_t begin, std::uint32_t end, const std::string& digits);
  bool unit(std::uint32_t begin, std::uint32_t end, const std::string& digits);
  void comma_in_number();
  void read_as_one();

  SourceSpan span(std::uint32_t begin, std::uint32_t end) const { return {source_, begin, end}; }
  void report(Code code, SourceSpan place, std::initializer_list<std::string> arguments = {}) {
    out_.diagnostics.push_back(make(code, place, language_, arguments));
  }
  void emit(Kind kind, std::uint32_t begin, std::uint32_t end) {
    out_.tokens.push_back({kind, begin, end, 0});
    at_ = end;
    prefixes_ = kind == Kind::NOT || kind == Kind::MINUS ? prefixes_ + 1 : 0;
    if (prefixes_ > deepest_nesting) too_deep(begin, end);
  }
  void emit(Kind kind, std::uint32_t begin, std::uint32_t end, std::string value) {
    emit(kind, begin, end);
    out_.tokens.back().value = static_cast<std::uint32_t>(out_.values.size());
    out_.values.push_back(std::move(value));
  }
  void too_deep(std::uint32_t begin, std::uint32_t end) {
    if (!out_.complete) return;
    report(Code::NestedTooDeep, span(begin, end), {std::to_string(deepest_nesting)});
    out_.complete = false;
  }

  std::string_view text_;
  std::uint32_t source_;
  Language language_;
  std::uint32_t at_ = 0;
  std::vector<Open> open_;
  std::size_t open_lines_ = 0;  // texts in open_ that must end on their line
  std::size_t prefixes_ = 0;    // `not` and `-` in a row
  Lexed out_;
};

Lexer::Peek Lexer::peek(std::uint32_t at) const {
  if (at >= text_.size()) return {0, 0, at};
  const auto byte = static_cast<unsigned char>(text_[at]);
  if (byte < 0x80) return {byte, byte, at + 1};
  std::size_t next = at;
  const char32_t c = decode_utf8(text_, next);
  return {fold(c), c, static_cast<std::uint32_t>(next)};
}

std::uint32_t Lexer::skip_blanks(std::uint32_t at) const {
  for (auto c = peek(at); c.c != 0 && is_blank(c.c); c = peek(at)) at = c.next;
  return at;
}

// What makes reading on pointless.
bool Lexer::check_characters() {
  if (text_.size() > most_bytes) {
    report(Code::FileTooLarge, span(0, 0),
           {std::to_string(text_.size()), std::to_string(most_bytes)});
    return false;
  }
  if (const auto bad = find_invalid_utf8(text_); bad != std::string_view::npos) {
    std::array<char, 8> hex{};
    std::snprintf(hex.data(), hex.size(), "0x%02X",
                  static_cast<unsigned>(static_cast<unsigned char>(text_[bad])));
    const auto place = static_cast<std::uint32_t>(bad);
    report(Code::InvalidUtf8, span(place, place + 1), {std::to_string(bad + 1), hex.data()});
    return false;
  }
  if (const auto bad = text_.find('\0'); bad != std::string_view::npos) {
    const auto place = static_cast<std::uint32_t>(bad);
    report(Code::NulByte, span(place, place + 1));
    return false;
  }
  return true;
}

Lexed Lexer::run() {
  out_.complete = check_characters();
  if (out_.complete) {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") at_ = 3;  // a byte order mark says nothing
    out_.tokens.reserve(text_.size() / 5 + 16);
    while (at_ < text_.size() && out_.complete) {
      if (out_.tokens.size() >= most_tokens) {
        report(Code::TooManyWords, span(at_, at_), {std::to_string(most_tokens)});
        out_.complete = false;
      } else if (!open_.empty() && open_.back().what == Open::What::Text) {
        chunk();
      } else {
        code();
      }
    }
    if (open_lines_ > 0 && out_.complete) unclosed_line();
    for (const auto& each : open_) {
      if (each.what == Open::What::Text && out_.complete) {
        report(Code::UnclosedLongText, span(each.begin, each.begin + 3));
        break;
      }
    }
  }
  const auto end = static_cast<std::uint32_t>(text_.size());
  out_.tokens.push_back({Kind::END_OF_FILE, end, end, 0});
  return std::move(out_);
}

void Lexer::code() {
  const auto first = peek(at_);
  if (is_blank(first.c)) return blanks();
  if (first.c == '#') return comment();
  if (is_digit(first.c)) return number(at_, {});
  if (is_letter(first.c) || first.c == '_' || latin_twin(first.c) != 0) return word();
  if (first.c == '`') return quoted_name();
  if (first.c == '"' || first.c == 0x201C) return begin_text(first);
  sign(first);
}

void Lexer::blanks() {
  int lines = 0;
  std::uint32_t second_line = at_;
  for (auto c = peek(at_); c.c != 0 && is_blank(c.c); c = peek(at_)) {
    if (c.c == '\n') {
      if (open_lines_ > 0) return unclosed_line();
      if (++lines == 1) second_line = c.next;
    }
    at_ = c.next;
  }
  if (lines >= 2) out_.blank_lines.push_back(second_line);
}

void Lexer::comment() {
  auto end = std::min(text_.find('\n', at_), text_.size());
  if (end > at_ && text_[end - 1] == '\r') --end;
  out_.comments.push_back(span(at_, static_cast<std::uint32_t>(end)));
  while (at_ < end) {
    const auto c = peek(at_);
    if (changes_direction(c.c)) {
      report(Code::HiddenDirection, span(at_, c.next), {describe(c.c)});
    }
    at_ = c.next;
  }
}

void Lexer::sign(const Peek& first) {
  const auto begin = at_;
  const auto one = [&](Kind kind) { emit(kind, begin, first.next); };
  const auto second = peek(first.next);
  const auto two = [&](Kind with_equals, Kind alone) {
    second.c == '=' ? emit(with_equals, begin, second.next) : emit(alone, begin, first.next);
  };
  switch (first.c) {
    case '{': return open(Open::What::Brace, Kind::LBRACE, first.next);
    case '(': return open(Open::What::Parenthesis, Kind::LPAREN, first.next);
    case '[': return open(Open::What::Bracket, Kind::LBRACKET, first.next);
    case '}':
      if (!open_.empty() && open_.back().what == Open::What::Insertion) {
        return close(Open::What::Insertion, Kind::INSERT_CLOSE, first.next);
      }
      return close(Open::What::Brace, Kind::RBRACE, first.next);
    case ')': return close(Open::What::Parenthesis, Kind::RPAREN, first.next);
    case ']': return close(Open::What::Bracket, Kind::RBRACKET, first.next);
    case ',': return one(Kind::COMMA);
    case ':': return one(Kind::COLON);
    case ';': return one(Kind::SEMICOLON);
    case '.': return one(Kind::DOT);
    case '?': return one(Kind::QUESTION);
    case '+': return one(Kind::PLUS);
    case '-': return one(Kind::MINUS);
    case '*':
    case 0xD7: return one(Kind::STAR);
    case '/':
    case 0xF7: return one(Kind::SLASH);
    case '=': return two(Kind::EQUAL, Kind::ASSIGN);
    case '<': return two(Kind::LESS_EQUAL, Kind::LESS);
    case '>': return two(Kind::GREATER_EQUAL, Kind::GREATER);
    case 0x2264:
    case 0x2A7D: return one(Kind::LESS_EQUAL);
    case 0x2265:
    case 0x2A7E: return one(Kind::GREATER_EQUAL);
    case 0x2260: return one(Kind::NOT_EQUAL);
    case '!':
      if (second.c == '=') return emit(Kind::NOT_EQUAL, begin, second.next);
      break;
    case 0x201D:
      // It can only end the text around an insertion that is not closed.
      if (open_lines_ == 1 && open_.size() > 1 && open_.back().what == Open::What::Insertion &&
          open_[open_.size() - 2].closing == first.c) {
        at_ = first.next;
        return unclosed_line();
      }
      break;
    case 0xA5:
    case '$':
    case 0x20AC:
    case 0xA3: {
      const auto digits = skip_blanks(first.next);
      if (!is_digit(peek(digits).c)) break;
      at_ = digits;
      return number(begin, first.c == 0xA5     ? "CNY"
                           : first.c == '$'    ? "USD"
                           : first.c == 0x20AC ? "EUR"
                                               : "GBP");
    }
    default: break;
  }
  stray(first);
}

void Lexer::open(Open::What what, Kind kind, std::uint32_t end) {
  open_.push_back({.what = what, .begin = at_, .first_token = out_.tokens.size()});
  const auto begin = at_;
  emit(kind, begin, end);
  if (open_.size() > deepest_nesting) too_deep(begin, end);
}

// A closing sign without its opening one is left to the parser; texts and insertions stay open.
void Lexer::close(Open::What what, Kind kind, std::uint32_t end) {
  if (!open_.empty() && open_.back().what == what) open_.pop_back();
  emit(kind, at_, end);
}

void Lexer::stray(const Peek& first) {
  const auto begin = at_;
  at_ = first.next;
  if (changes_direction(first.c)) {
    return report(Code::HiddenDirection, span(begin, at_), {describe(first.c)});
  }
  std::string shown(text_.substr(begin, at_ - begin));
  const bool hidden = first.written < 0x20 || first.written == 0x7F || first.written == 0xFEFF ||
                      (first.written >= 0x2000 && first.written <= 0x200F) ||
                      (first.written >= 0x2028 && first.written <= 0x206F) ||
                      (first.written >= 0x80 && first.written < 0xA0);
  if (hidden) shown = describe(first.written);
  // A run of the same is one mistake.
  for (auto c = peek(at_); c.c != 0 && c.written == first.written; c = peek(at_)) at_ = c.next;
  report(Code::StrayCharacter, span(begin, at_), {shown});
}

// ----------------------------------------------------------------------------------------- texts

void Lexer::begin_text(const Peek& first) {
  const bool is_long = text_.substr(at_, 3) == "\"\"\"";
  const auto end = is_long ? at_ + 3 : first.next;
  open_.push_back({.what = Open::What::Text,
                   .begin = at_,
                   .closing = first.c == 0x201C ? U'\u201D' : U'"',
                   .is_long = is_long,
                   .first_token = out_.tokens.size()});
  if (open_.size() > deepest_nesting) return too_deep(at_, end);
  if (!is_long) ++open_lines_;
  emit(Kind::TEXT_OPEN, at_, end);
}

// From here to the end of the text or to the next insertion.
void Lexer::chunk() {
  const auto text = open_.back();
  const auto begin = at_;
  auto at = at_;
  const auto flush = [&] {
    if (at > begin) {
      emit(Kind::TEXT_CHUNK, begin, at, std::string(text_.substr(begin, at - begin)));
    }
    at_ = at;
  };
  while (true) {
    const auto c = peek(at);
    if (c.c == 0) {
      flush();
      return;
    }
    if (c.c == '\\') {
      const auto escaped = peek(c.next);
      at = escaped.c == '\n' && !text.is_long ? c.next : escaped.next;
      continue;
    }
    if (c.c == '\n' && !text.is_long) {
      flush();
      return unclosed_line();
    }
    if (text.is_long && text_.substr(at, 3) == "\"\"\"") {
      flush();
      return finish_text(text, at + 3);
    }
    if (!text.is_long && c.c == text.closing) {
      flush();
      return finish_text(text, c.next);
    }
    if (c.c == '{') {
      const auto after = peek(c.next);
      if (after.c == '{') {
        at = after.next;
        continue;
      }
      flush();
      const auto sign = at;
      open_.push_back(
          {.what = Open::What::Insertion, .begin = sign, .first_token = out_.tokens.size()});
      emit(Kind::INSERT_OPEN, sign, c.next);
      if (open_.size() > deepest_nesting) too_deep(sign, c.next);
      return;
    }
    at = c.next;
  }
}

// The closing mark was read: the chunks get their values, and a text without insertions becomes one
// TEXT.
void Lexer::finish_text(const Open& text, std::uint32_t end) {
  open_.pop_back();
  if (!text.is_long) --open_lines_;
  emit(Kind::TEXT_CLOSE, at_, end);
  auto& tokens = out_.tokens;

  // Insertions hold texts of their own: only chunks at this level are ours.
  std::vector<std::size_t> chunks;
  bool plain = true;
  int depth = 0;
  for (auto i = text.first_token + 1; i + 1 < tokens.size(); ++i) {
    if (tokens[i].kind == Kind::INSERT_OPEN) ++depth, plain = false;
    if (tokens[i].kind == Kind::INSERT_CLOSE) --depth;
    if (tokens[i].kind == Kind::TEXT_CHUNK && depth == 0) chunks.push_back(i);
  }
  std::vector<std::string*> values;
  for (const auto i : chunks) values.push_back(&out_.values[tokens[i].value]);
  if (text.is_long) {
    const bool begins = !chunks.empty() && chunks.front() == text.first_token + 1;
    const bool ends = !chunks.empty() && chunks.back() + 2 == tokens.size();
    trim_long_text(values, begins, ends);
  }
  for (const auto i : chunks) {
    auto& value = out_.values[tokens[i].value];
    std::size_t bad = 0;
    if (const auto escape = resolve_escapes(value, bad); !escape.empty()) {
      report(Code::UnknownEscape, span(tokens[i].begin, tokens[i].end), {escape});
    }
  }
  if (!plain) return;
  std::string value;
  if (!values.empty()) {
    value = std::move(out_.values.back());  // a plain text's one chunk came last
    out_.values.pop_back();
  }
  tokens.resize(text.first_token);
  emit(Kind::TEXT, text.begin, end, std::move(value));
}

// A line ends within a text that must end on it: everything that was opened from there on is closed
// here, so that the next line is read as usual.
void Lexer::unclosed_line() {
  const auto here = at_;
  auto first = std::find_if(open_.begin(), open_.end(), [](const Open& each) {
    return each.what == Open::What::Text && !each.is_long;
  });
  const auto outer = *first;
  const auto inner = first + 1;
  if (inner != open_.end() && inner->what == Open::What::Insertion) {
    report(Code::UnclosedInsertion, span(inner->begin, inner->begin + 1));
  } else {
    std::string mark;
    append_utf8(mark, outer.closing);
    report(Code::UnclosedText, span(outer.begin, here), {mark});
  }
  open_.erase(first, open_.end());
  open_lines_ = 0;
  for (const auto& each : open_) open_lines_ += each.what == Open::What::Text && !each.is_long;
  out_.tokens.resize(outer.first_token);
  const auto inside = peek(outer.begin).next;
  emit(Kind::TEXT, outer.begin, here, std::string(text_.substr(inside, here - inside)));
}

// ----------------------------------------------------------------------------------------- words

Lexer::Word Lexer::read_word(std::uint32_t at) const {
  Word word;
  word.end = at;
  while (true) {
    const auto c = peek(word.end);
    const auto twin = latin_twin(c.c);
    if (c.c == 0 || !(is_letter(c.c) || is_digit(c.c) || c.c == '_' || twin != 0)) break;
    word.has_han |= c.c >= 0x80 && is_han(c.c);
    word.has_twin |= twin != 0;
    append_utf8(word.text, twin != 0 ? twin : c.c);
    word.end = c.next;
  }
  return word;
}

bool Lexer::after_dot() const {
  return !out_.tokens.empty() && out_.tokens.back().kind == Kind::DOT &&
         out_.tokens.back().end == at_;
}

void Lexer::word() {
  const auto begin = at_;
  const auto word = read_word(begin);
  if (word.has_twin) {
    for (auto at = begin; at < word.end;) {
      const auto c = peek(at);
      if (const auto twin = latin_twin(c.c); twin != 0) {
        report(Code::LookAlike, span(begin, word.end),
               {std::string(text_.substr(begin, word.end - begin)), describe(c.c),
                std::string(1, static_cast<char>(twin))});
        break;
      }
      at = c.next;
    }
  }
  if (after_dot()) {  // a field: no phrase begins here, and nothing is glued
    if (const auto kind = keyword_kind(word.text)) return emit(*kind, begin, word.end);
    return emit(Kind::NAME, begin, word.end, word.text);
  }
  if (const auto* phrases = phrases_of(word.text)) {
    for (const auto& phrase : *phrases) {
      auto end = word.end;
      const bool whole = std::all_of(phrase.more.begin(), phrase.more.end(), [&](const auto& more) {
        const auto next = read_word(skip_blanks(end));
        end = next.end;
        return next.text == more;
      });
      if (whole) return emit(phrase.kind, begin, end);
    }
  }
  if (const auto kind = keyword_kind(word.text)) return emit(*kind, begin, word.end);
  if (word.text.size() == 3 &&
      std::binary_search(currencies.begin(), currencies.end(), word.text)) {
    const auto digits = skip_blanks(word.end);
    if (is_digit(peek(digits).c)) {
      at_ = digits;
      return number(begin, *std::lower_bound(currencies.begin(), currencies.end(), word.text));
    }
  }
  if (word.has_han && glued(word)) return;
  emit(Kind::NAME, begin, word.end, word.text);
}

// Words written together that can only be apart: 每, 本, 自然 before a unit or a weekday (`每天`,
// `本月`, `每周一`, `每月1日`), and a keyword before a number with its unit (`于14天内`,
// `最多3天`). Emits the first of them.
bool Lexer::glued(const Word& word) {
  const auto begin = at_;
  auto border = begin;
  std::string before;
  for (auto c = peek(begin); border < word.end && !is_digit(c.c); c = peek(border)) {
    append_utf8(before, c.c);
    border = c.next;
  }
  std::string rest;  // behind the digits
  if (border < word.end) {
    auto at = border;
    while (is_digit(peek(at).c)) at = peek(at).next;
    rest = read_word(at).text;
    if (!may_follow_digits(rest)) return false;
  }
  if (const auto length = prefix_length(before); length != 0) {
    emit(*keyword_kind(before.substr(0, length)), begin, begin + length);
    return true;
  }
  const auto kind = keyword_kind(before);
  if (border == word.end || !kind) return false;
  emit(*kind, begin, border);
  return true;
}

void Lexer::quoted_name() {
  const auto begin = at_;
  const auto word = read_word(begin + 1);
  const auto closing = peek(word.end);
  if (closing.c == '`') {
    const auto first = peek(begin + 1).c;
    if (word.text.empty() || is_digit(first)) {
      report(Code::BadQuotedName, span(begin, closing.next));
    }
    return emit(Kind::NAME, begin, closing.next, word.text);
  }
  const auto line = std::min(text_.find('\n', begin), text_.size());
  const auto other = text_.find('`', begin + 1);
  const bool on_line = other < line;
  const auto end = static_cast<std::uint32_t>(on_line ? other + 1 : word.end);
  report(on_line ? Code::BadQuotedName : Code::UnclosedName, span(begin, end));
  emit(Kind::NAME, begin, std::max(end, begin + 1), word.text);
}

// --------------------------------------------------------------------------------------- numbers

// The digits at at_; `begin` is where the currency before them began, or at_.
void Lexer::number(std::uint32_t begin, std::string_view currency) {
  std::string run;
  std::vector<std::uint32_t> ends;
  const auto digits_begin = at_;
  for (auto c = peek(at_); run.size() < 80; c = peek(c.next)) {
    const bool fits = c.c < 0x80 && (is_digit(c.c) || c.c == '_' || c.c == '.' || c.c == ':' ||
                                     c.c == '-' || c.c == '+' || c.c == 'T' || c.c == 'Z');
    if (c.c == 0 || !fits) break;
    run += static_cast<char>(c.c);
    ends.push_back(c.next);
  }
  if (currency.empty() && moment(run, ends)) return;

  std::size_t n = 0;
  std::string digits;
  const auto take = [&] {
    while (n < run.size() && (is_digit(static_cast<unsigned char>(run[n])) || run[n] == '_')) {
      digits += run[n++];
    }
  };
  take();
  if (n + 1 < run.size() && run[n] == '.' && is_digit(static_cast<unsigned char>(run[n + 1]))) {
    digits += run[n++];
    take();
  }
  // More digits than we looked at: too long to be any number.
  auto end = ends[n - 1];
  if (n == run.size() && is_digit(peek(end).c)) {
    while (is_digit(peek(end).c) || peek(end).c == '_') end = peek(end).next;
  }
  const bool bad_form = digits.find("__") != digits.npos || digits.back() == '_' ||
                        digits.find("_.") != digits.npos || digits.find("._") != digits.npos;
  if (bad_form) {
    report(Code::BadNumberForm, span(digits_begin, end),
           {std::string(text_.substr(digits_begin, end - digits_begin))});
  }
  std::erase(digits, '_');
  if (!currency.empty()) {
    emit(Kind::MONEY, begin, end, std::string(currency) + " " + digits);
    return comma_in_number();
  }
  suffix(digits_begin, end, digits);
  comma_in_number();
}

// Times, dates and instants.
bool Lexer::moment(std::string_view run, const std::vector<std::uint32_t>& ends) {
  const auto begin = at_;
  const auto shape = [&](std::size_t from, std::string_view form) {
    if (run.size() < from + form.size()) return false;
    for (std::size_t i = 0; i < form.size(); ++i) {
      const char c = run[from + i];
      if (form[i] == '0' ? !is_digit(static_cast<unsigned char>(c)) : c != form[i]) return false;
    }
    return true;
  };
  const auto digit_at = [&](std::size_t i) {
    return i < run.size() && is_digit(static_cast<unsigned char>(run[i]));
  };
  // The length of a time of day that begins at `from`, or 0.
  const auto clock = [&](std::size_t from) -> std::size_t {
    std::size_t n = from;
    if (shape(n, "00:00"))
      n += 5;
    else if (shape(n, "0:00"))
      n += 4;
    else
      return 0;
    if (shape(n, ":00")) {
      n += 3;
      if (n < run.size() && run[n] == '.' && digit_at(n + 1)) {
        ++n;
        while (digit_at(n)) ++n;
      }
    }
    return digit_at(n) ? 0 : n - from;
  };
  const auto padded = [](std::string_view time) {
    return time.size() > 1 && time[1] == ':' ? "0" + std::string(time) : std::string(time);
  };

  if (const auto length = clock(0); length != 0) {
    const auto value = padded(run.substr(0, length));
    if (!parse_time_of_day(value)) report(Code::BadTime, span(begin, ends[length - 1]), {value});
    emit(Kind::TIME, begin, ends[length - 1], value);
    return true;
  }
  if (!shape(0, "0000-00-00") || digit_at(10)) return false;
  const std::string date(run.substr(0, 10));
  if (!parse_date(date)) {
    report(Code::BadDate, span(begin, ends[9]), {date});
    // What follows is read as if the day were one.
  }
  std::size_t n = 10;
  if (n < run.size() && run[n] == 'T') {
    auto length = clock(n + 1);
    if (length == 0) return false;
    const auto time = padded(run.substr(n + 1, length));
    n += 1 + length;
    std::string offset;
    if (n < run.size() && run[n] == 'Z') {
      offset = "Z";
    } else if (shape(n, "+00:00") || shape(n, "-00:00")) {
      offset = run.substr(n, 6);
    }
    n += offset.size();
    const auto value = date + "T" + time + offset;
    const bool good =
        offset.empty() ? parse_local(value).has_value() : parse_instant(value).has_value();
    if (!good && parse_date(date)) report(Code::BadInstant, span(begin, ends[n - 1]), {value});
    emit(offset.empty() ? Kind::LOCAL_TIME : Kind::INSTANT, begin, ends[n - 1], value);
    return true;
  }
  // A date and, after blanks, a time are one instant in the program's zone.
  const auto day_end = ends[9];
  const auto next = skip_blanks(day_end);
  if (next > day_end && is_digit(peek(next).c)) {
    std::string time;
    auto end = next;
    std::uint32_t at = next;
    for (auto c = peek(at);
         time.size() < 20 && c.c < 0x80 && (is_digit(c.c) || c.c == ':' || c.c == '.');
         c = peek(at)) {
      time += static_cast<char>(c.c);
      at = c.next;
    }
    const auto saved = run;
    run = time;
    const auto length = clock(0);
    run = saved;
    if (length != 0) {
      for (std::size_t i = 0; i < length; ++i) end = peek(end).next;
      const auto value = date + " " + padded(std::string_view(time).substr(0, length));
      if (!parse_local(value) && parse_date(date))
        report(Code::BadInstant, span(begin, end), {value});
      emit(Kind::LOCAL_TIME, begin, end, value);
      return true;
    }
  }
  emit(Kind::DATE, begin, day_end, date);
  return true;
}

// What stands right behind digits: a percent sign, a unit, 元, or the th of 5th.
void Lexer::suffix(std::uint32_t begin, std::uint32_t end, const std::string& digits) {
  const auto c = peek(end);
  if (c.c == '%') return emit(Kind::PERCENT, begin, c.next, digits);
  const auto word = read_word(end);
  const bool whole = digits.find('.') == digits.npos;
  if (whole && (word.text == "st" || word.text == "nd" || word.text == "rd" || word.text == "th")) {
    return emit(Kind::ORDINAL, begin, word.end, digits);
  }
  if (whole && (word.text.starts_with("日") || word.text.starts_with("号"))) {
    return emit(Kind::ORDINAL, begin, end + 3, digits);
  }
  if (unit(begin, end, digits)) return;
  const bool ascii_glued = c.c < 0x80 && (is_letter(c.c) || c.c == '_');
  if (ascii_glued) {
    const std::string written(text_.substr(begin, word.end - begin));
    report(Code::GluedNumber, span(begin, word.end), {written, digits + " " + word.text});
    return emit(Kind::NAME, begin, word.end, written);
  }
  emit(Kind::NUMBER, begin, end, digits);
}

// `30 days`, `30d`, `30天内`, `12.50元`: a unit after the number that ends at `end`.
bool Lexer::unit(std::uint32_t begin, std::uint32_t end, const std::string& digits) {
  const auto start = skip_blanks(end);
  const bool adjacent = start == end;
  const auto word = read_word(start);
  if (word.text.empty()) return false;

  // The longest spelling that the word is, or begins with: within a word only Han characters end.
  std::string_view best;
  Kind kind = Kind::NAME;
  const auto consider = [&](std::string_view spelling, Kind unit_kind) {
    if (spelling.size() <= best.size() || !word.text.starts_with(spelling)) return;
    const auto rest = std::string_view(word.text).substr(spelling.size());
    const bool is_han_spelling = static_cast<unsigned char>(spelling[0]) >= 0x80;
    const bool fits = rest.empty() || (is_han_spelling && (adjacent || keyword_kind(rest)));
    if (!fits) return;
    best = spelling;
    kind = unit_kind;
  };
  for (auto k = Kind::SECOND; k <= Kind::YEAR; k = static_cast<Kind>(static_cast<int>(k) + 1)) {
    const auto& each = keyword(k);
    consider(each.english, k);
    consider(each.chinese, k);
    for (const auto other : each.others) consider(other, k);
  }
  consider("元", Kind::MONEY);
  if (adjacent) {
    consider("s", Kind::SECOND);
    consider("min", Kind::MINUTE);
    consider("h", Kind::HOUR);
    consider("d", Kind::DAY);
    consider("w", Kind::WEEK);
  }
  if (best.empty()) return false;
  auto unit_end = start;
  for (std::size_t n = 0; n < best.size();) {
    const auto c = peek(unit_end);
    std::string twin;
    append_utf8(twin, c.c);
    n += twin.size();
    unit_end = c.next;
  }
  // `days: int` and `days "天": int` after a number begin the next field.
  if (!adjacent && unit_end == word.end) {
    const auto next = peek(skip_blanks(unit_end)).c;
    if (next == ':' || next == '"' || next == 0x201C) return false;
  }
  if (kind == Kind::MONEY) {
    emit(Kind::MONEY, begin, unit_end, "CNY " + digits);
  } else {
    emit(Kind::DURATION, begin, unit_end, digits + " " + std::string(keyword(kind).english));
  }
  return true;
}

// `10,000` would be read as two amounts. Between brackets it is a list and stays one.
void Lexer::comma_in_number() {
  const auto& tokens = out_.tokens;
  if (tokens.size() < 3 || (!open_.empty() && open_.back().what == Open::What::Bracket)) return;
  const auto& last = tokens.back();
  const auto& comma = tokens[tokens.size() - 2];
  const auto& first = tokens[tokens.size() - 3];
  const bool joined =
      comma.kind == Kind::COMMA && comma.end == last.begin && first.end == comma.begin;
  if (!joined || (first.kind != Kind::NUMBER && first.kind != Kind::MONEY)) return;
  if (last.kind != Kind::NUMBER && last.kind != Kind::MONEY && last.kind != Kind::DURATION) return;
  const auto written = text_.substr(last.begin, last.end - last.begin);
  const auto group = text_.substr(first.begin, first.end - first.begin);
  if (group.find_first_of("_.") != group.npos) return;
  const bool three = written.size() >= 3 &&
                     std::all_of(written.begin(), written.begin() + 3, is_digit) &&
                     (written.size() == 3 || !is_digit(static_cast<unsigned char>(written[3])));
  if (!three) return;
  const auto place = span(first.begin, last.end);
  std::string whole(text_.substr(place.begin, place.end - place.begin));
  std::string mended;
  for (std::size_t at = 0; at < whole.size();) {
    const char32_t c = decode_utf8(whole, at);
    append_utf8(mended, fold(c) == ',' ? U'_' : c);
  }
  // Of `10,000,000` the first half was told before.
  if (!out_.diagnostics.empty() && out_.diagnostics.back().span == span(first.begin, first.end))
    out_.diagnostics.pop_back();
  report(Code::CommaInNumber, place, {whole, mended});
  out_.diagnostics.back().replacement = mended;
  read_as_one();
}

// It goes on with what was meant, so that no other sentence is told of it.
void Lexer::read_as_one() {
  constexpr std::size_t most_digits = 12;
  auto& tokens = out_.tokens;
  const Token last = tokens.back();
  Token& first = tokens[tokens.size() - 3];
  if (last.kind != Kind::NUMBER && (last.kind != Kind::MONEY || first.kind != Kind::NUMBER)) return;
  constexpr std::size_t currency = 4;  // `CNY `
  std::string value = out_.values[first.value];
  std::string_view more = out_.values[last.value];
  if (last.kind == Kind::MONEY) {
    value.insert(0, more.substr(0, currency));
    more.remove_prefix(currency);
  }
  value += more;
  if (value.size() > most_digits + currency) return;
  if (last.kind == Kind::MONEY) first.kind = Kind::MONEY;
  first.end = last.end;
  out_.values[first.value] = value;
  tokens.resize(tokens.size() - 2);
}

}  // namespace

Lexed lex(const Source& source, std::uint32_t source_number, Language language) {
  return Lexer(source, source_number, language).run();
}

}  // namespace koi::lang
