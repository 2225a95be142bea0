#include "ledger/points.h"

#include <gtest/gtest.h>

#include <vector>

namespace koi::ledger {
namespace {

using Lots = std::vector<Lot>;

TEST(Points, WhatLapsesFirstIsSpentFirst) {
  Lots lots;
  EXPECT_TRUE(earn(lots, {{300}, 50}));
  EXPECT_TRUE(earn(lots, {{100}, 20}));
  EXPECT_TRUE(earn(lots, {{200}, 30}));
  EXPECT_TRUE(spend(lots, 35, {0}));
  EXPECT_EQ(lots, (Lots{{{200}, 15}, {{300}, 50}}));
}

TEST(Points, NeverGoBelowZero) {
  Lots lots;
  EXPECT_TRUE(earn(lots, {{100}, 99}));
  EXPECT_FALSE(spend(lots, 100, {0}));
  EXPECT_EQ(balance(lots, {0}), 99);
  EXPECT_FALSE(spend(lots, -1, {0}));
  EXPECT_TRUE(spend(lots, 99, {0}));
  EXPECT_TRUE(lots.empty());
  EXPECT_FALSE(spend(lots, 1, {0}));
}

TEST(Points, LapseBehindTheirInstant) {
  Lots lots;
  EXPECT_TRUE(earn(lots, {{100}, 5}));
  EXPECT_TRUE(earn(lots, {Timestamp::never(), 7}));
  EXPECT_EQ(balance(lots, {100}), 12);
  EXPECT_EQ(balance(lots, {101}), 7);
  EXPECT_FALSE(spend(lots, 8, {101}));
  EXPECT_EQ(lapse(lots, {99}), 0);
  EXPECT_EQ(lapse(lots, {100}), 5);
  EXPECT_EQ(lots, (Lots{{Timestamp::never(), 7}}));
}

TEST(Points, OfOneInstantAreOneLotAndDoNotOverflow) {
  Lots lots;
  EXPECT_TRUE(earn(lots, {{100}, 5}));
  EXPECT_TRUE(earn(lots, {{100}, 6}));
  EXPECT_EQ(lots.size(), 1u);
  EXPECT_FALSE(earn(lots, {{200}, INT64_MAX}));
  EXPECT_EQ(balance(lots, {0}), 11);
}

TEST(Points, PendingOnesAreSpentFromTheirInstantOn) {
  Lots lots;
  EXPECT_TRUE(earn(lots, {Timestamp::never(), 5, {200}}));
  EXPECT_TRUE(earn(lots, {Timestamp::never(), 7}));
  EXPECT_TRUE(earn(lots, {Timestamp::never(), 1, {200}}));
  EXPECT_EQ(balance(lots, {199}), 7);
  EXPECT_EQ(pending(lots, {199}), 6);
  EXPECT_FALSE(spend(lots, 8, {199}));
  EXPECT_FALSE(ripen(lots, {199}));
  EXPECT_EQ(balance(lots, {200}), 13);
  EXPECT_TRUE(ripen(lots, {200}));
  EXPECT_EQ(lots, (Lots{{Timestamp::never(), 13}}));
}

TEST(Points, WhatIsTakenBackIsTheLotItselfThenWhatElseCanBeUsed) {
  Lots lots;
  EXPECT_TRUE(earn(lots, {{900}, 5, {200}}));
  EXPECT_TRUE(earn(lots, {{900}, 9, {300}}));
  EXPECT_TRUE(earn(lots, {{900}, 3}));
  EXPECT_EQ(take_back(lots, {{900}, 5, {200}}, {100}), 5);
  EXPECT_EQ(lots, (Lots{{{900}, 3}, {{900}, 9, {300}}}));
  EXPECT_EQ(take_back(lots, {{900}, 5, {200}}, {250}), 3) << "as far as they are still there";
  EXPECT_EQ(lots, (Lots{{{900}, 9, {300}}})) << "what is pending of others is theirs";
}

TEST(Points, WhatWasSpentSaysFromWhichLots) {
  Lots lots, taken;
  EXPECT_TRUE(earn(lots, {{100}, 2}));
  EXPECT_TRUE(earn(lots, {{300}, 5}));
  EXPECT_TRUE(spend(lots, 4, {0}, &taken));
  EXPECT_EQ(taken, (Lots{{{100}, 2}, {{300}, 2}}));
}

}  // namespace
}  // namespace koi::ledger
