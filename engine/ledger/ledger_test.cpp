#include "ledger/ledger.h"

#include <gtest/gtest.h>

namespace koi::ledger {
namespace {

const Pot newcomers{7, Timestamp::ever()};

Posting moved(Stage from, Stage to, std::int64_t amount, const Pot& pot = newcomers) {
  return {{0}, pot, from, to, amount, {}};
}

TEST(Ledger, AnAmountIsAlwaysSomewhere) {
  Ledger ledger;
  const std::vector<Posting> way{
      moved(Stage::Budget, Stage::Reserved, 500),   moved(Stage::Reserved, Stage::Given, 300),
      moved(Stage::Reserved, Stage::Returned, 200), moved(Stage::Given, Stage::Claimed, 100),
      moved(Stage::Given, Stage::Lapsed, 200),      moved(Stage::Lapsed, Stage::Returned, 200),
      moved(Stage::Claimed, Stage::ClawedBack, 40)};
  for (const Posting& posting : way) {
    ASSERT_TRUE(ledger.post(posting));
    EXPECT_EQ(ledger.balances(newcomers).sum(), 0);
  }
  const Balances now = ledger.balances(newcomers);
  EXPECT_EQ(now[Stage::Budget], -500);
  EXPECT_EQ(now[Stage::Claimed], 60);
  EXPECT_EQ(now[Stage::Returned], 400);
  EXPECT_EQ(now[Stage::ClawedBack], 40);
  EXPECT_EQ(now.out(), 100);  // whoever was paid has the money
}

TEST(Ledger, WhatIsNotThereCannotBeMoved) {
  Ledger ledger;
  ASSERT_TRUE(ledger.post(moved(Stage::Budget, Stage::Reserved, 5)));
  const auto refused = ledger.post(moved(Stage::Reserved, Stage::Given, 6));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "overdrawn");
  EXPECT_EQ(ledger.balances(newcomers)[Stage::Reserved], 5);
}

TEST(Ledger, AmountsGoOnlyTheirWayAndAreAboveZero) {
  Ledger ledger;
  ASSERT_TRUE(ledger.post(moved(Stage::Budget, Stage::Reserved, INT64_MAX)));
  EXPECT_EQ(ledger.post(moved(Stage::Reserved, Stage::Claimed, 1)).error().code, "stages");
  EXPECT_EQ(ledger.post(moved(Stage::Returned, Stage::Budget, 1)).error().code, "stages");
  EXPECT_EQ(ledger.post(moved(Stage::Reserved, Stage::Given, 0)).error().code, "amount");
  EXPECT_EQ(ledger.post(moved(Stage::Reserved, Stage::Given, -1)).error().code, "amount");
  EXPECT_EQ(ledger.post(moved(Stage::Budget, Stage::Reserved, INT64_MAX)).error().code, "amount");
}

TEST(Ledger, EachPeriodIsAPotOfItsOwn) {
  Ledger ledger;
  const Pot monday{7, {0}}, tuesday{7, Timestamp{0} + days(1)};
  ASSERT_TRUE(ledger.post(moved(Stage::Budget, Stage::Reserved, 5, monday)));
  EXPECT_FALSE(ledger.post(moved(Stage::Reserved, Stage::Given, 5, tuesday)));
  EXPECT_EQ(ledger.balances(monday).out(), 5);
}

TEST(Verify, TakesWhatThePostingsMakeAndNothingElse) {
  const std::vector<Posting> postings{moved(Stage::Budget, Stage::Reserved, 5),
                                      moved(Stage::Reserved, Stage::Given, 3)};
  Ledger ledger;
  for (const Posting& posting : postings) ASSERT_TRUE(ledger.post(posting));
  EXPECT_TRUE(verify(postings, ledger.pots()));

  auto wrong = ledger.pots();
  ++wrong[newcomers][Stage::Given];
  EXPECT_EQ(verify(postings, wrong).error().code, "differs");
  EXPECT_EQ(verify(postings, {}).error().code, "differs");
  auto invented = ledger.pots();
  invented[Pot{8, Timestamp::ever()}][Stage::Claimed] = 1;
  EXPECT_EQ(verify(postings, invented).error().code, "differs");
}

}  // namespace
}  // namespace koi::ledger
