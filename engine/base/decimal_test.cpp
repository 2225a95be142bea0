#include "base/decimal.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace koi {
namespace {

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();

TEST(Decimal, ReadsExactNumbersAndNothingElse) {
  struct Row {
    std::string text;
    std::optional<std::int64_t> millionths;
  };
  const Row rows[] = {
      {"0", 0},
      {"-0", 0},
      {"12", 12'000'000},
      {"0.1", 100'000},
      {"-3.000001", -3'000'001},
      {"007.50", 7'500'000},
      {"1.2345670000", 1'234'567},
      {"1.2345671", std::nullopt},
      {"1e3", 1'000'000'000},
      {"1.5E-5", 15},
      {"15e-7", std::nullopt},
      {"1e-6", 1},
      {"1e-7", std::nullopt},
      {"0e-99999", 0},
      {"0e999999999999", 0},
      {"1e999999999999", std::nullopt},
      {"1e-999999999999", std::nullopt},
      {"9223372036854.775807", most},
      {"9223372036854.775808", std::nullopt},
      {"-9223372036854.775808", least},
      {"-9223372036854.775809", std::nullopt},
      {"1." + std::string(10'000, '0'), 1'000'000},
      {"1." + std::string(10'000, '0') + "1", std::nullopt},
      {"1" + std::string(10'000, '0') + "e-10000", 1'000'000},
      {std::string(10'000, '0') + "1", 1'000'000},
      {std::string(10'000, '9'), std::nullopt},
      {"", std::nullopt},
      {"-", std::nullopt},
      {"+1", std::nullopt},
      {".5", std::nullopt},
      {"1.", std::nullopt},
      {"1.e2", std::nullopt},
      {"1e", std::nullopt},
      {"1e+", std::nullopt},
      {"1.2.3", std::nullopt},
      {" 1", std::nullopt},
      {"1 ", std::nullopt},
      {"0x10", std::nullopt},
      {"１", std::nullopt},
      {"nan", std::nullopt},
      {std::string("1\0", 2), std::nullopt},
  };
  for (const Row& row : rows) {
    const auto read = parse_decimal(row.text);
    EXPECT_EQ(read.has_value(), row.millionths.has_value()) << row.text.substr(0, 40);
    if (read.has_value() && row.millionths.has_value()) {
      EXPECT_EQ(read->millionths, *row.millionths) << row.text;
    }
  }
}

TEST(Decimal, ATenthAndTwoTenthsAreThreeTenths) {
  EXPECT_EQ(parse_decimal("0.1")->millionths + parse_decimal("0.2")->millionths,
            parse_decimal("0.3")->millionths);
}

TEST(Decimal, IsWrittenAsTheShortestTextThatReadsBack) {
  for (const char* text : {"0", "12", "0.75", "-3.000001", "100", "-0.5", "9223372036854.775807",
                           "-9223372036854.775808"})
    EXPECT_EQ(to_string(*parse_decimal(text)), text);
  EXPECT_EQ(to_string(*parse_decimal("1.500000")), "1.5");
}

TEST(Decimal, ScaledNumbersAreWrittenWithAllTheirDecimals) {
  EXPECT_EQ(scaled_to_string(1250, 2), "12.50");
  EXPECT_EQ(scaled_to_string(5, 2), "0.05");
  EXPECT_EQ(scaled_to_string(-5, 2), "-0.05");
  EXPECT_EQ(scaled_to_string(0, 2), "0.00");
  EXPECT_EQ(scaled_to_string(7, 0), "7");
  EXPECT_EQ(scaled_to_string(least, 2), "-92233720368547758.08");
}

// The examples of rounding to nearest, ties to even, in IEEE 754 (11.5 and 12.5), and around them.
TEST(Decimal, QuotientsRoundHalfToEven) {
  EXPECT_EQ(multiply_divide(115, 1, 10), 12);
  EXPECT_EQ(multiply_divide(125, 1, 10), 12);
  EXPECT_EQ(multiply_divide(-115, 1, 10), -12);
  EXPECT_EQ(multiply_divide(-125, 1, 10), -12);
  EXPECT_EQ(multiply_divide(5, 1, 10), 0);
  EXPECT_EQ(multiply_divide(-5, 1, 10), 0);
  EXPECT_EQ(multiply_divide(15, 1, -10), -2);
  EXPECT_EQ(multiply_divide(124, 1, 10), 12);
  EXPECT_EQ(multiply_divide(126, 1, 10), 13);
  EXPECT_EQ(multiply_divide(-126, 1, 10), -13);
  EXPECT_EQ(multiply_divide(2, 1, 3), 1);
  EXPECT_EQ(multiply_divide(-1, 1, 3), 0);
}

TEST(Decimal, ProductsPassThrough128Bits) {
  EXPECT_EQ(multiply_divide(most, most, most), most);
  EXPECT_EQ(multiply_divide(least, least, least), least);
  EXPECT_EQ(multiply_divide(least, 1, -1), std::nullopt);
  EXPECT_EQ(multiply_divide(most, 2, 1), std::nullopt);
  EXPECT_EQ(multiply_divide(1, 1, 0), std::nullopt);
  EXPECT_EQ(multiply_divide(most, 1'000'000, 1'000'000), most);
}

TEST(Decimal, FloorGoesTowardsMinusInfinity) {
  EXPECT_EQ(multiply_divide_floor(7, 1, 2), 3);
  EXPECT_EQ(multiply_divide_floor(-7, 1, 2), -4);
  EXPECT_EQ(multiply_divide_floor(7, 1, -2), -4);
  EXPECT_EQ(multiply_divide_floor(-8, 1, 2), -4);
  EXPECT_EQ(multiply_divide_floor(1, 1, 0), std::nullopt);
}

TEST(Decimal, ArithmeticSaysWhenItOverflows) {
  EXPECT_EQ(checked_add(most, 0), most);
  EXPECT_EQ(checked_add(most, 1), std::nullopt);
  EXPECT_EQ(checked_add(least, -1), std::nullopt);
  EXPECT_EQ(checked_subtract(0, least), std::nullopt);
  EXPECT_EQ(checked_subtract(-1, least), most);
  EXPECT_EQ(checked_multiply(least, -1), std::nullopt);
  EXPECT_EQ(checked_multiply(1LL << 31, 1LL << 31), 1LL << 62);
}

}  // namespace
}  // namespace koi
