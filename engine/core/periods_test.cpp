#include "core/periods.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/accounts.h"

namespace koi::core {

namespace {

constexpr Timestamp begin{1'772'409'600'000'000};  // 2026-03-02T00:00:00Z

// One budget of ten pieces for any stretch of that length.
plan::Plan plan_of(Span span) {
  plan::Plan plan;
  plan.policy.zone = &utc();
  plan.budgets.push_back({"gifts", 7, false, 10, {plan::Per::Kind::Rolling, span}});
  return plan;
}

TEST(Periods, AnHourIsOnePotAndCountsAlone) {
  const plan::Per per{plan::Per::Kind::Hour, {}};
  EXPECT_EQ(pots_at(per, begin + minutes(59), utc()), std::vector<Timestamp>{begin});
}

TEST(Periods, WhatWasTakenCountsForTheWholeSpanAndAHundredthMoreAtMost) {
  const plan::Per per{plan::Per::Kind::Rolling, {0, days(7)}};
  const Timestamp taken = pot_begin(per, begin, utc());
  const auto counts = [&](Timestamp now) {
    const auto pots = pots_at(per, now, utc());
    return std::find(pots.begin(), pots.end(), taken) != pots.end();
  };
  EXPECT_TRUE(counts(begin));
  EXPECT_TRUE(counts(begin + days(7) - microseconds(1)));
  EXPECT_FALSE(counts(begin + days(7) + Duration{days(7).us / 100}));
  EXPECT_TRUE(counts(begin - days(6))) << "for somebody whose clock is behind";
}

TEST(Periods, NoStretchOfItsLengthHasMoreThanARollingBudget) {
  const plan::Plan plan = plan_of({0, days(7)});
  const auto budget = plan::BudgetId::of(0);
  Accounts accounts(plan);
  std::vector<Timestamp> taken;
  for (int hour = 0; hour < 24 * 60; ++hour) {
    // Clocks that are now ahead, now behind.
    const Timestamp now = begin + hours(hour + (hour % 5) * 7);
    if (accounts.left(budget, now) < 1) continue;
    accounts.spend(budget, 1, now, {});
    taken.push_back(now);
  }
  std::sort(taken.begin(), taken.end());
  EXPECT_GT(taken.size(), 50u) << "room comes back";
  for (std::size_t i = 0; i + 10 < taken.size(); ++i)
    EXPECT_GE(taken[i + 10] - taken[i], days(7)) << "eleven of ten, from " << i << " on";
}

}  // namespace

}  // namespace koi::core
