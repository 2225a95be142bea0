#include "base/decimal.h"

#include <limits>

namespace koi {

namespace {

// __int128 is an extension; the pragma-free spelling keeps -Wpedantic quiet.
__extension__ typedef __int128 Wide;

std::optional<std::int64_t> narrow(Wide value) {
  if (value > std::numeric_limits<std::int64_t>::max() ||
      value < std::numeric_limits<std::int64_t>::min())
    return std::nullopt;
  return static_cast<std::int64_t>(value);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<std::int64_t> parse_scaled(std::string_view text, int decimals) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty() || !is_digit(text.front())) return std::nullopt;

  // Digits and where the point stands; leading zeros do not count towards the bound.
  Wide value = 0;
  int exponent = 0;  // the value is `value` × 10^exponent
  std::size_t i = 0;
  bool in_fraction = false;
  bool exact = true;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !in_fraction) {
      if (i + 1 == text.size() || !is_digit(text[i + 1])) return std::nullopt;
      in_fraction = true;
      continue;
    }
    if (!is_digit(c)) break;
    if (value > (Wide{1} << 100)) {
      // Too long to hold: only zeros may follow, and they only move the point.
      if (c != '0') exact = false;
      if (!in_fraction) ++exponent;
      continue;
    }
    value = value * 10 + (c - '0');
    if (in_fraction) --exponent;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    bool down = false;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) down = text[i++] == '-';
    if (i == text.size()) return std::nullopt;
    int power = 0;
    for (; i < text.size(); ++i) {
      if (!is_digit(text[i])) return std::nullopt;
      if (power < 10'000) power = power * 10 + (text[i] - '0');
    }
    exponent += down ? -power : power;
  }
  if (i != text.size() || !exact) return std::nullopt;

  exponent += decimals;
  while (exponent < 0) {
    if (value % 10 != 0) return std::nullopt;
    value /= 10;
    if (value == 0)
      exponent = 0;
    else
      ++exponent;
  }
  for (; exponent > 0 && value != 0; --exponent) {
    value *= 10;
    if (value > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  }
  return narrow(negative ? -value : value);
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  const auto scaled = parse_scaled(text, 6);
  if (!scaled) return std::nullopt;
  return Decimal{*scaled};
}

std::string scaled_to_string(std::int64_t value, int decimals) {
  std::uint64_t magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) magnitude = 0 - magnitude;
  std::string digits = std::to_string(magnitude);
  const auto places = static_cast<std::size_t>(decimals);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  if (places > 0) digits.insert(digits.size() - places, ".");
  return value < 0 ? "-" + digits : digits;
}

std::string to_string(Decimal value) {
  std::string text = scaled_to_string(value.millionths, 6);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

namespace {
struct Division {
  Wide quotient;   // rounded down
  Wide remainder;  // 0 ≤ remainder < divisor
  Wide divisor;    // > 0
};
std::optional<Division> divide_floor(std::int64_t a, std::int64_t b, std::int64_t c) {
  if (c == 0) return std::nullopt;
  Wide numerator = Wide{a} * b;
  Wide divisor = c;
  if (divisor < 0) {
    numerator = -numerator;
    divisor = -divisor;
  }
  Division result{numerator / divisor, numerator % divisor, divisor};
  if (result.remainder < 0) {
    result.remainder += divisor;
    --result.quotient;
  }
  return result;
}
}  // namespace

std::optional<std::int64_t> multiply_divide(std::int64_t a, std::int64_t b, std::int64_t c) {
  const auto division = divide_floor(a, b, c);
  if (!division) return std::nullopt;
  const Wide twice = division->remainder * 2;
  const bool odd = (division->quotient & 1) != 0;
  const bool up = twice > division->divisor || (twice == division->divisor && odd);
  return narrow(division->quotient + (up ? 1 : 0));
}

std::optional<std::int64_t> multiply_divide_floor(std::int64_t a, std::int64_t b, std::int64_t c) {
  const auto division = divide_floor(a, b, c);
  if (!division) return std::nullopt;
  return narrow(division->quotient);
}

}  // namespace koi
