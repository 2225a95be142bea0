#include "check/worst_case.h"

#include <gtest/gtest.h>

namespace koi::check {
namespace {

using Kind = Per::Kind;

TEST(WorstCase, CountsTheCalendarPeriodsThatAnotherTouches) {
  const auto within = [](Kind inner, Kind outer) {
    return periods_within({inner, {}}, {outer, {}});
  };
  EXPECT_EQ(within(Kind::Hour, Kind::Day), 24);
  EXPECT_EQ(within(Kind::Day, Kind::Day), 1);
  EXPECT_EQ(within(Kind::Day, Kind::Month), 31);
  EXPECT_EQ(within(Kind::Week, Kind::Month), 6);
  EXPECT_EQ(within(Kind::Month, Kind::Week), 2);
  EXPECT_EQ(within(Kind::Year, Kind::Hour), 1);
  EXPECT_EQ(within(Kind::Ever, Kind::Day), 1);
  EXPECT_EQ(within(Kind::Ever, Kind::Ever), 1);
  EXPECT_EQ(within(Kind::Day, Kind::Ever), std::nullopt);
}

TEST(WorstCase, ARollingLimitFreesItsPlaceExactlyWhenItsTimeIsOver) {
  const auto rolling = [](Duration span, Kind outer) {
    return periods_within({Kind::Rolling, {0, span}}, {outer, {}});
  };
  EXPECT_EQ(rolling(hours(24), Kind::Day), 1);
  EXPECT_EQ(rolling(hours(23), Kind::Day), 2);
  EXPECT_EQ(rolling(days(2), Kind::Week), 4);
  EXPECT_EQ(rolling(days(30), Kind::Day), 1);
  EXPECT_EQ(rolling(days(30), Kind::Ever), std::nullopt);
}

TEST(WorstCase, SevenDaysTouchEightDaysOfTheCalendar) {
  const Per week{Kind::Rolling, {0, days(7)}};
  EXPECT_EQ(periods_within({Kind::Day, {}}, week), 8);
  EXPECT_EQ(periods_within({Kind::Month, {}}, week), 2);
  EXPECT_EQ(periods_within({Kind::Rolling, {0, days(2)}}, week), 4);
  EXPECT_EQ(periods_within({Kind::Ever, {}}, week), 1);
}

TEST(WorstCase, APeriodLiesWithinAnotherWhereNoneOfItsStretchesLeavesIt) {
  const Per day{Kind::Day, {}}, week{Kind::Week, {}}, month{Kind::Month, {}}, year{Kind::Year, {}};
  const Per thirty{Kind::Rolling, {0, days(30)}}, ever{};
  EXPECT_TRUE(lies_within(day, day));
  EXPECT_TRUE(lies_within(day, week));
  EXPECT_TRUE(lies_within(day, month));
  EXPECT_FALSE(lies_within(week, month));
  EXPECT_FALSE(lies_within(week, year));
  EXPECT_TRUE(lies_within(month, year));
  EXPECT_FALSE(lies_within(month, day));
  EXPECT_TRUE(lies_within(week, thirty));
  EXPECT_FALSE(lies_within(month, thirty));
  EXPECT_FALSE(lies_within(thirty, month));
  EXPECT_TRUE(lies_within(thirty, ever));
  EXPECT_FALSE(lies_within(ever, thirty));
}

Incentive packet(std::int64_t most) {
  Incentive made;
  RedPacket what;
  what.from = 100, what.to = most, what.mean = 200;
  made.what = what;
  return made;
}

TEST(WorstCase, OfOneCustomerIsTheLargestAmountAsOftenAsTheLimitsLet) {
  Program program;
  Incentive incentive = packet(888);
  EXPECT_EQ(worst_case_of_customer(program, incentive, {Kind::Day, {}}), std::nullopt);
  incentive.limits.push_back({{}, false, 2, {}, {Kind::Day, {}}});
  EXPECT_EQ(worst_case_of_customer(program, incentive, {Kind::Day, {}}), 1'776);
  EXPECT_EQ(worst_case_of_customer(program, incentive, {}), std::nullopt);
  incentive.limits.push_back({{}, false, 5, {}, {}});
  EXPECT_EQ(worst_case_of_customer(program, incentive, {}), 4'440);
  EXPECT_EQ(worst_case_of_customer(program, incentive, {Kind::Month, {}}), 4'440);
  program.policy.limits.push_back({{}, true, 1'000, {}, {Kind::Month, {}}});
  EXPECT_EQ(worst_case_of_customer(program, incentive, {Kind::Day, {}}), 1'000);
}

TEST(WorstCase, AtOneInstantTheTightestLimitHoldsWhateverItsPeriod) {
  Program program;
  Incentive incentive = packet(888);
  EXPECT_EQ(pieces_at_once(incentive), 1);
  incentive.limits.push_back({{}, false, 20, {}, {Kind::Day, {}}});
  incentive.limits.push_back({{}, false, 30, {}, {Kind::Week, {}}});
  EXPECT_EQ(pieces_at_once(incentive), 20);
  EXPECT_EQ(policy_lets_have(program, incentive, {}), std::nullopt);
  program.policy.limits.push_back({{}, true, 1'000, {}, {Kind::Month, {}}});
  EXPECT_EQ(policy_lets_have(program, incentive, {}), 1'000);
  EXPECT_EQ(policy_lets_have(program, incentive, {Kind::Year, {}}), 12'000);
}

TEST(WorstCase, ALimitPerDeviceDoesNotBoundACustomer) {
  Incentive incentive = packet(888);
  incentive.limits.push_back({{}, false, 1, AttributeId::of(0), {}});
  EXPECT_EQ(worst_case_of_customer({}, incentive, {}), std::nullopt);
}

TEST(WorstCase, OfAllIsTheTightestBudget) {
  Incentive incentive = packet(888);
  EXPECT_EQ(worst_case_of_all(incentive, {}), std::nullopt);
  incentive.budgets.push_back({{}, true, 10'000, {Kind::Hour, {}}});
  EXPECT_EQ(worst_case_of_all(incentive, {Kind::Day, {}}), 240'000);
  incentive.budgets.push_back({{}, false, 100, {}});
  EXPECT_EQ(worst_case_of_all(incentive, {Kind::Day, {}}), 88'800);
  EXPECT_EQ(worst_case_of_all(incentive, {}), 88'800);
}

TEST(WorstCase, APercentageWithoutACeilingHasNone) {
  Incentive incentive;
  Coupon coupon;
  coupon.is_percent = true;
  coupon.off = 100'000;
  incentive.what = coupon;
  incentive.limits.push_back({{}, false, 1, {}, {}});
  EXPECT_EQ(most_of_one(incentive), std::nullopt);
  EXPECT_EQ(worst_case_of_customer({}, incentive, {}), std::nullopt);
}

}  // namespace
}  // namespace koi::check
