#include "runtime/entry.h"

#include <array>

#include "base/decimal.h"
#include "base/source.h"

namespace koi::runtime {

namespace {

constexpr Date first_date{-25567};  // 1900-01-01
constexpr Date last_date{84005};    // 2199-12-31

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// [-](0|[1-9]digits)[.digits][(e|E)[+|-]digits], as JSON has it.
bool is_json_number(std::string_view text) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t begin = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    return i > begin;
  };
  if (i < text.size() && text[i] == '-') ++i;
  const std::size_t whole = i;
  if (!digits() || (text[whole] == '0' && i > whole + 1)) return false;
  if (i < text.size() && text[i] == '.' && (++i, !digits())) return false;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == text.size();
}

// The usual numbers in one pass: [-]digits[.digits], at most eighteen digits, no more decimals
// than there is room for. Others are read at leisure.
bool read_plain(std::string_view text, int decimals, std::int64_t& scaled) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const bool negative = at != end && *at == '-';
  if (negative) ++at;
  if (end - at > 19 || at == end || !is_digit(*at) ||
      (*at == '0' && end - at > 1 && is_digit(at[1])))
    return false;
  std::int64_t n = 0;
  int room = 18;
  for (; at != end && is_digit(*at); ++at, --room) n = n * 10 + (*at - '0');
  if (at != end) {
    if (*at != '.' || ++at == end) return false;
    for (; at != end && is_digit(*at); ++at, --room, --decimals) n = n * 10 + (*at - '0');
    if (at != end || decimals < 0) return false;
  }
  if (room < decimals) return false;
  static constexpr std::array<std::int64_t, 19> powers = [] {
    std::array<std::int64_t, 19> p{1};
    for (std::size_t i = 1; i < p.size(); ++i) p[i] = p[i - 1] * 10;
    return p;
  }();
  if (decimals > 0) n *= powers[static_cast<std::size_t>(decimals)];
  scaled = negative ? -n : n;
  return true;
}

// How many decimals the number has, zeros at its end left out; an exponent counts.
long decimals_of(std::string_view text) {
  long exponent = 0;
  if (const auto e = text.find_first_of("eE"); e != std::string_view::npos) {
    const std::string_view digits = text.substr(e + 1);
    const bool negative = digits.starts_with('-');
    for (const char c : digits)
      if (is_digit(c) && exponent < 1000) exponent = exponent * 10 + (c - '0');
    if (negative) exponent = -exponent;
    text = text.substr(0, e);
  }
  const auto point = text.find('.');
  if (point == std::string_view::npos) return -exponent;
  while (text.ends_with('0')) text.remove_suffix(1);
  return static_cast<long>(text.size() - point - 1) - exponent;
}

// A sentence's "`x` is not …" without its subject.
std::string not_a(std::string_view text, bool quotes, std::string_view what) {
  std::string fault = quotes ? "is " + quoted(text) + ", which is not " : std::string("is not ");
  fault += what;
  return fault;
}

bool read_scaled(std::string_view text, int decimals, bool quotes, std::string_view what,
                 std::int64_t& scaled, std::string& fault) {
  if (read_plain(text, decimals, scaled)) return true;
  if (!is_json_number(text)) {
    fault = not_a(text, quotes, what);
    return false;
  }
  if (const auto read = parse_scaled(text, decimals)) {
    scaled = *read;
    return true;
  }
  if (decimals_of(text) > decimals) {
    fault = quotes ? "is " + quoted(text) + ", which has" : std::string("has");
    fault += decimals == 0
                 ? " decimals; give a whole number"
                 : " more than " + std::to_string(decimals) + " decimals; round it at the source";
  } else {
    fault = quotes ? "is " + quoted(text) + ", which is" : std::string("is");
    fault += " too large; correct it at the source";
  }
  return false;
}

struct Unit {
  std::string_view name;
  std::int64_t us;
};
constexpr std::int64_t second_us = 1'000'000;
constexpr Unit units[] = {
    {"second", second_us},       {"seconds", second_us},       {"s", second_us},
    {"秒", second_us},           {"minute", 60 * second_us},   {"minutes", 60 * second_us},
    {"min", 60 * second_us},     {"分钟", 60 * second_us},     {"hour", 3600 * second_us},
    {"hours", 3600 * second_us}, {"h", 3600 * second_us},      {"小时", 3600 * second_us},
    {"day", 86400 * second_us},  {"days", 86400 * second_us},  {"d", 86400 * second_us},
    {"天", 86400 * second_us},   {"week", 604800 * second_us}, {"weeks", 604800 * second_us},
    {"w", 604800 * second_us},   {"周", 604800 * second_us},
};

// "90 minutes", "1.5 h", "30天".
std::optional<std::int64_t> read_duration(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size() && (is_digit(text[i]) || text[i] == '.')) ++i;
  const auto amount = parse_scaled(text.substr(0, i), 6);
  while (i < text.size() && text[i] == ' ') ++i;
  if (!amount) return std::nullopt;
  for (const Unit& unit : units)
    if (unit.name == text.substr(i)) return multiply_divide(*amount, unit.us, Decimal::one);
  return std::nullopt;
}

std::string decimals_example(int decimals) {
  return decimals == 0 ? "12" : "12." + std::string(static_cast<std::size_t>(decimals), '5');
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "`";
  std::size_t cut = text.size();
  if (cut > longest_quote) {
    cut = longest_quote;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  }
  for (const char c : text.substr(0, cut))
    out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '`' ? '?' : c);
  if (cut < text.size()) out += "…";
  return out + "`";
}

std::string description_of(const Schema& schema, const Type& type) {
  switch (type.kind) {
    case Kind::Missing: return "missing";
    case Kind::Bool: return "true or false";
    case Kind::Int: return "a whole number";
    case Kind::Number: return "a number";
    case Kind::Money:
      return "an amount of money as \"" + decimals_example(schema.currency_decimals) + "\"";
    case Kind::Text: return std::string(koi::description_of(type.text));
    case Kind::Time: return "a time of day as \"09:00\"";
    case Kind::Date: return "a date as \"2026-11-11\"";
    case Kind::Instant: return "an instant as \"2026-11-11T20:00:00+08:00\"";
    case Kind::Duration: return "a duration as \"90 minutes\"";
    case Kind::Enum: {
      std::string names;
      std::size_t listed = 0;
      for (const Symbol& symbol : schema.enumerations[type.enumeration.index()].values) {
        if (++listed > 8) return "one of " + names + ", …";
        names += (names.empty() ? "`" : ", `") + symbol.name + "`";
      }
      return "one of " + names;
    }
    case Kind::List: {
      Type element{
          .kind = type.element, .text = type.element_text, .enumeration = type.enumeration};
      return "a list, each of it " + description_of(schema, element);
    }
  }
  KOI_ASSERT(false);
}

bool EntryReader::from_text(const Type& type, std::string_view text, bool quotes, Value& value,
                            std::string& fault) {
  switch (type.kind) {
    case Kind::Text: {
      if (type.text == TextKind::Plain) {
        value = Value::text(text);
        return true;
      }
      const auto kept = text_of(type.text, text);
      if (kept)
        value = Value::text(*kept);
      else
        fault = "is not " + std::string(koi::description_of(type.text));
      return kept.has_value();
    }
    case Kind::Enum: {
      const auto& symbols = schema_.enumerations[type.enumeration.index()].values;
      for (std::size_t i = 0; i < symbols.size(); ++i) {
        if (symbols[i].name != text && (symbols[i].alias.empty() || symbols[i].alias != text))
          continue;
        value = Value::enumerator(static_cast<std::uint32_t>(i));
        return true;
      }
      fault = not_a(text, quotes, description_of(schema_, type));
      return false;
    }
    case Kind::Money:
    case Kind::Number: return from_number(type, text, quotes, value, fault);
    case Kind::Date: {
      const auto date = parse_date(text);
      if (!date) {
        fault = not_a(text, quotes, "a date as \"2026-11-11\"");
      } else if (*date < first_date || *date > last_date) {
        fault = not_a(text, quotes, "between the years 1900 and 2199");
      } else {
        value = Value::date(*date);
        return true;
      }
      return false;
    }
    case Kind::Time: {
      const auto time = parse_time_of_day(text);
      if (time)
        value = Value::time(*time);
      else
        fault = not_a(text, quotes, "a time of day as \"09:00\"");
      return time.has_value();
    }
    case Kind::Instant: {
      const auto instant = parse_instant(text);
      if (!instant) {
        fault = not_a(text, quotes, "an instant with its offset as \"2026-11-11T20:00:00+08:00\"");
      } else if (*instant < earliest_accepted || *instant > latest_accepted) {
        fault = not_a(text, quotes, "between the years 1970 and 2199");
      } else {
        value = Value::instant(*instant);
        return true;
      }
      return false;
    }
    case Kind::Duration: {
      const auto us = read_duration(text);
      if (us)
        value = Value::duration({*us});
      else
        fault = not_a(text, quotes, "a duration as \"90 minutes\"");
      return us.has_value();
    }
    case Kind::Bool:
    case Kind::Int:
    case Kind::List:
    case Kind::Missing: break;
  }
  fault = "is a text; give " + description_of(schema_, type);
  return false;
}

bool EntryReader::from_number(const Type& type, std::string_view digits, bool quotes, Value& value,
                              std::string& fault) {
  std::int64_t scaled = 0;
  switch (type.kind) {
    case Kind::Int:
      if (!read_scaled(digits, 0, quotes, "a whole number", scaled, fault)) return false;
      value = Value::integer(scaled);
      return true;
    case Kind::Number:
      if (!read_scaled(digits, 6, quotes, "a number", scaled, fault)) return false;
      value = Value::number({scaled});
      return true;
    case Kind::Money:
      if (!read_scaled(digits, schema_.currency_decimals, quotes,
                       "an amount of money as \"12.50\", without a currency sign", scaled, fault))
        return false;
      value = Value::money(scaled);
      return true;
    default: fault = "is a number; give " + description_of(schema_, type); return false;
  }
}

bool EntryReader::from_bare_text(const Type& type, std::string_view text, bool quotes, Value& value,
                                 std::string& fault) {
  if (type.kind == Kind::Int) return from_number(type, text, quotes, value, fault);
  if (type.kind != Kind::Bool) return from_text(type, text, quotes, value, fault);
  for (const auto& [word, truth] : {std::pair<std::string_view, bool>{"true", true},
                                    {"false", false},
                                    {"yes", true},
                                    {"no", false},
                                    {"1", true},
                                    {"0", false},
                                    {"TRUE", true},
                                    {"FALSE", false},
                                    {"是", true},
                                    {"否", false}}) {
    if (text != word) continue;
    value = Value::boolean(truth);
    return true;
  }
  fault = not_a(text, quotes, "true or false");
  return false;
}

}  // namespace koi::runtime
