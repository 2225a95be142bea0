// Decimal: an exact number with six decimals, the language's `number`. No binary floating point:
// 0.1 + 0.2 is 0.3 on every machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace koi {

struct Decimal {
  static constexpr std::int64_t one = 1'000'000;

  std::int64_t millionths = 0;  // the value times one million: ±9.2e12 in all

  static constexpr Decimal of(std::int64_t whole) { return {whole * one}; }
  friend auto operator<=>(const Decimal&, const Decimal&) = default;
};

// Reads [-]digits[.digits] with at most `decimals` digits after the point, giving the value times
// 10^decimals; further digits are allowed when they are zero. Exponents (1e3) are read as well.
// Nothing if the text is no such number, is more precise, or does not fit into 64 bits.
std::optional<std::int64_t> parse_scaled(std::string_view text, int decimals);

std::optional<Decimal> parse_decimal(std::string_view text);

// The shortest text that reads back as the same value: "12", "0.75", "-3.000001".
std::string to_string(Decimal value);

// `value` scaled by 10^decimals as text with exactly that many decimals: (1250, 2) is "12.50".
std::string scaled_to_string(std::int64_t value, int decimals);

// Arithmetic that says when it overflows. Products and quotients round half to even.
constexpr std::optional<std::int64_t> checked_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}
constexpr std::optional<std::int64_t> checked_subtract(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) return std::nullopt;
  return difference;
}
constexpr std::optional<std::int64_t> checked_multiply(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}
// a × b ÷ c in 128 bits, rounded half to even; nothing when c is 0 or the result does not fit.
std::optional<std::int64_t> multiply_divide(std::int64_t a, std::int64_t b, std::int64_t c);
// The same, rounded towards minus infinity.
std::optional<std::int64_t> multiply_divide_floor(std::int64_t a, std::int64_t b, std::int64_t c);

}  // namespace koi
