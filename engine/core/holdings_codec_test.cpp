#include <gtest/gtest.h>

#include <random>

#include "core/accounts.h"
#include "core/codec.h"
#include "core/detail/plan_for_tests.h"

namespace koi::core {
namespace {

using ledger::Stage;

class Giving : public PlanForTests {
 public:
  Giving() {
    for (const char* name : {"stars", "coupon", "packet"}) {
      plan::Incentive incentive;
      incentive.symbol = {name, ""};
      incentive.what = plan::Points{};
      plan.incentives.push_back(incentive);
    }
    plan::Referral referral;
    referral.symbol = {"friends", ""};
    plan.referrals.push_back(referral);
    plan.budgets.push_back({"stars", 7, false, 100, {}});
    plan.budgets.push_back({"stars per day", 8, false, 30, {plan::Per::Kind::Day, {}}});
  }

  State state() const {
    State made = new_customer(plan, "ann");
    made.clock = {1'772'416'800'000'000};
    Holdings mine;
    Grant grant;
    grant.key = {1, 2};
    grant.entry = {3, 4};
    grant.incentive = plan::IncentiveId::of(2);
    grant.at = made.clock - hours(1);
    grant.until = made.clock + hours(23);
    grant.stage = Stage::Given;
    grant.amount = 2000;
    grant.code = "ABC";
    grant.taken = 1;
    grant.shares = {700, 1300};
    grant.claimants = {99};
    grant.unpaid = {99};
    grant.charges = {{{7, Timestamp::ever()}, 2000, true}, {{8, {0}}, 1, false}};
    mine.grants.push_back(grant);
    Grant coupon = grant;
    coupon.incentive = plan::IncentiveId::of(1);
    coupon.shares.clear();
    coupon.taken = 0;
    coupon.order = "o1";
    coupon.locked_until = made.clock + minutes(10);
    mine.grants.push_back(coupon);
    coupon.stage = Stage::Claimed;
    coupon.locked_until = Timestamp::ever();
    coupon.done = made.clock;
    mine.grants.push_back(coupon);
    mine.counted.push_back({5, Timestamp::ever(), 3});
    mine.purses.push_back({plan::IncentiveId::of(0),
                           {{made.clock, 5}, {Timestamp::never(), 9, made.clock + hours(2)}},
                           {{Moved::What::Earned, made.clock - hours(3), 15},
                            {Moved::What::GivenBack, made.clock, 1}}});
    mine.spent.push_back(
        {{17, 18}, plan::IncentiveId::of(0), "o7", made.clock, {{made.clock + hours(1), 4}}});
    Share share;
    share.key = {19, 20};
    share.entry = {21, 22};
    share.incentive = plan::IncentiveId::of(2);
    share.giver = "bo";
    share.code = "DEF";
    share.amount = 70;
    share.counted.push_back({5, made.clock, 1});
    mine.shares.push_back(share);
    Binding binding;
    binding.referral = plan::ReferralId::of(0);
    binding.inviter = "bo";
    binding.at = made.clock;
    binding.key = {5, 6};
    binding.code = "XYZ";
    binding.by = order;
    binding.is_settled = true;
    binding.ancestors = {1, 2, 3};
    binding.rewards = {{7, 8}};
    mine.bindings.push_back(binding);
    Friend brought;
    brought.referral = plan::ReferralId::of(0);
    brought.invitee = "cy";
    brought.names = {17, 18};
    brought.at = made.clock;
    brought.stage = Friend::Stage::Qualified;
    brought.held = {0, 2};
    brought.has_counted = true;
    brought.above = "ann";
    FriendOfFriend below;
    below.invitee = "dan";
    below.entry = {13, 14};
    below.was_rewarded = true;
    below.rewards = {{15, 16}};
    below.held = {1};
    brought.brought.push_back(below);
    mine.friends.push_back(brought);
    mine.milestones = {{9, 10}};
    Answered answered;
    answered.key = {11, 12};
    answered.asked = 13;
    answered.at = made.clock;
    answered.answer = {Reason::Locked, plan::IncentiveId::of(1), 5, made.clock, "o1", 7};
    mine.answers.push_back(answered);
    answered.key = {11, 13};
    answered.is_pending = true;
    answered.answer = {};
    mine.answers.push_back(answered);
    made.holdings.push_back(mine);
    return made;
  }
};

TEST(HoldingsCodec, WhatWasGivenComesBackAsItWas) {
  const Giving giving;
  const Codec codec(giving.plan);
  const State state = giving.state();
  const std::string bytes = codec.encode(state);
  const auto back = codec.decode(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, state);
  EXPECT_EQ(codec.encode(*back), bytes);
}

TEST(HoldingsCodec, WhatIsNotGivenAnyMoreIsLeftOut) {
  const Giving giving;
  const std::string bytes = encode(giving.plan, giving.state());
  Giving other;
  std::swap(other.plan.incentives[0], other.plan.incentives[1]);
  other.plan.incentives.pop_back();  // packet
  const auto back = decode(other.plan, bytes);
  ASSERT_TRUE(back);
  ASSERT_EQ(back->holdings[0].grants.size(), 2u);  // the coupons
  EXPECT_EQ(back->holdings[0].grants[0].incentive, plan::IncentiveId::of(0));
  EXPECT_EQ(back->holdings[0].answers[0].answer.incentive, plan::IncentiveId::of(0));
  ASSERT_EQ(back->holdings[0].purses.size(), 1u);
  EXPECT_EQ(back->holdings[0].purses[0].points, plan::IncentiveId::of(1));
  ASSERT_EQ(back->holdings[0].spent.size(), 1u);
  EXPECT_EQ(back->holdings[0].spent[0].points, plan::IncentiveId::of(1));
  EXPECT_TRUE(back->holdings[0].shares.empty());
  EXPECT_EQ(back->holdings[0].friends.size(), 1u);
}

TEST(HoldingsCodec, HostileBytesAreRefusedOrMakeAState) {
  const Giving giving;
  const Codec codec(giving.plan);
  const std::string bytes = codec.encode(giving.state());
  std::mt19937_64 random(1);
  std::size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = bytes;
    for (int n = 0; n < 3; ++n)
      damaged[9 + random() % (damaged.size() - 9)] = static_cast<char>(random());
    if (random() % 4 == 0) damaged.resize(9 + random() % (damaged.size() - 9));
    const auto back = codec.decode(damaged);
    if (!back) {
      ++refused;
      continue;
    }
    const auto again = codec.decode(codec.encode(*back));
    ASSERT_TRUE(again);
    EXPECT_EQ(codec.encode(*again), codec.encode(*back));
  }
  EXPECT_GT(refused, 1000u);
}

TEST(Accounts, ABudgetPerDayBeginsAnewAtTheProgramsMidnight) {
  const Giving giving;
  Accounts accounts(giving.plan);
  const auto all = plan::BudgetId::of(0), daily = plan::BudgetId::of(1);
  const Timestamp evening = *parse_instant("2026-03-02T23:59:59+08:00");
  for (const auto id : {all, daily}) accounts.spend(id, 20, evening, {});
  EXPECT_EQ(accounts.left(all, evening), 80);
  EXPECT_EQ(accounts.left(daily, evening), 10);
  EXPECT_EQ(accounts.left(daily, evening + seconds(1)), 30);
  EXPECT_EQ(accounts.left(all, evening + seconds(1)), 80);
}

TEST(Accounts, WhatIsPostedCanBeGoneOverAgain) {
  const Giving giving;
  Accounts accounts(giving.plan);
  accounts.keep_postings();
  for (int i = 0; i < 30; ++i)
    accounts.spend(plan::BudgetId::of(1), 1, Timestamp{0} + hours(i), {});
  EXPECT_TRUE(ledger::verify(accounts.postings(), accounts.ledger().pots()));
  EXPECT_EQ(accounts.postings().size(), 60u);
}

TEST(Limits, ARollingOneFreesItsPlaceExactlyWhenTheTimeIsOver) {
  const plan::Limit limit{1, false, 1, {}, {plan::Per::Kind::Rolling, {0, days(2)}}};
  List<Counted> counted;
  const Counted made = record(counted, limit, 1, 0, {0}, utc());
  EXPECT_EQ(used_of(counted, limit, Timestamp{0} + days(2) - microseconds(1), utc()), 1);
  EXPECT_EQ(used_of(counted, limit, Timestamp{0} + days(2), utc()), 0);
  release(counted, made);
  EXPECT_TRUE(counted.empty());
}

}  // namespace
}  // namespace koi::core
