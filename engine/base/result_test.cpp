#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace koi {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return Error{.code = "odd", .what = "an odd number has no half"};
  return number / 2;
}

Result<int> quarter(int number) {
  KOI_LET(const int first, half(number));
  KOI_LET(const int second, half(first));
  return second;
}

Result<void> require_quarter(int number) {
  KOI_TRY(quarter(number));
  return {};
}

TEST(Result, PassesValuesOnAndStopsAtTheFirstError) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_EQ(quarter(6).error().code, "odd");
  EXPECT_TRUE(require_quarter(8).has_value());
  EXPECT_EQ(require_quarter(7).error().what, "an odd number has no half");
}

TEST(Result, HoldsWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(ResultDeathTest, AskingAnErrorForItsValueStopsTheProcess) {
  EXPECT_DEATH({ [[maybe_unused]] const int value = half(1).value(); }, "broken invariant");
}

}  // namespace
}  // namespace koi
