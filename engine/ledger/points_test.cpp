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

}  // namespace
}  // namespace koi::ledger
