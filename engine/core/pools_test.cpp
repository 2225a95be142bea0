// Codes that were uploaded, in memory and beyond it.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "core/accounts.h"
#include "core/detail/shelf_for_tests.h"
#include "ledger/codes.h"

namespace koi::core {
namespace {

plan::Plan plan_with_coupons() {
  plan::Plan plan;
  plan.policy.zone = &utc();
  plan::Incentive coupon;
  coupon.symbol = {"ten", ""};
  coupon.what = plan::Coupon{};
  plan.incentives.push_back(coupon);
  return plan;
}

TEST(Pools, GiveEachCodeOnceInTheOrderOfTheirUpload) {
  const plan::Plan plan = plan_with_coupons();
  Accounts accounts(plan);
  EXPECT_EQ(accounts.stock("a", {"X-1", "X-2", "X-1"}), 2u);
  EXPECT_EQ(accounts.stock("a", {"X-2", "X-3"}), 1u);
  EXPECT_EQ(accounts.stock("b", {"X-3", "Y-1"}), 1u) << "a code is in one pool";
  EXPECT_EQ(accounts.codes_left("a"), 3u);
  for (const char* code : {"X-1", "X-2", "X-3", ""}) EXPECT_EQ(accounts.take_code("a"), code);
  EXPECT_EQ(accounts.stock("a", {"X-1"}), 0u) << "though nobody has it any more";
  EXPECT_EQ(accounts.take_code("b"), "Y-1");
  EXPECT_EQ(accounts.codes_left("nothing"), 0u);
}

TEST(Pools, TakeNoCodeThatLeadsSomewhereOrMeansSomethingInAnAddress) {
  const plan::Plan plan = plan_with_coupons();
  Accounts accounts(plan);
  accounts.lead("T-1", {"ann", plan::IncentiveId::of(0), {}});
  EXPECT_EQ(accounts.stock("a", {"T-1", "", "a b", "a/b", "a?", "..", "\xe5\x88\xb8",
                                 std::string(65, 'A'), std::string(64, 'A')}),
            1u);
}

TEST(Pools, TakeNoCodeThatACouponMayGenerate) {
  plan::Plan plan = plan_with_coupons();
  plan::Incentive generated;
  generated.symbol = {"new", ""};
  plan::Coupon of_pattern;
  of_pattern.pattern = "N-####";
  generated.what = of_pattern;
  plan.incentives.push_back(generated);
  Accounts accounts(plan);
  const std::string next = ledger::CodePattern::read("N-####")->code({1, 2}, 77);
  std::string other = next;
  other.back() = other.back() == '2' ? '3' : '2';
  EXPECT_EQ(maker_of(plan.incentives, next), &plan.incentives[1]);
  EXPECT_EQ(accounts.stock("a", {next, other, "n" + next.substr(1)}), 2u)
      << "a wrong check character, and another beginning";
  EXPECT_EQ(accounts.take_code("a"), other);
}

TEST(Pools, ComeToTheSameWhateverIsInMemory) {
  const plan::Plan plan = plan_with_coupons();
  ShelfForTests shelf;
  auto accounts = std::make_unique<Accounts>(plan);
  accounts->keep_on(shelf, 4);
  std::set<std::string> given;
  int uploaded = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> codes;
    for (int i = 0; i < 9; ++i) codes.push_back("C" + std::to_string(round * 5 + i));
    uploaded += static_cast<int>(accounts->stock("a", codes));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(given.insert(accounts->take_code("a")).second);
    if (round % 4 == 1) shelf.put(*accounts);
    if (round % 8 == 5) {  // a restart
      accounts = std::make_unique<Accounts>(plan);
      accounts->keep_on(shelf, 4);
    }
  }
  EXPECT_FALSE(accounts->fault());
  EXPECT_EQ(uploaded, 9 + 59 * 5) << "what overlaps counts once";
  EXPECT_EQ(accounts->codes_left("a"), static_cast<std::uint64_t>(uploaded) - given.size());
}

TEST(Pools, WhatAHolderHasNoMoreLeadsNowhereAndLeavesTheStore) {
  const plan::Plan plan = plan_with_coupons();
  ShelfForTests shelf;
  Accounts accounts(plan);
  accounts.keep_on(shelf, 4);
  accounts.lead("T-1", {"ann", plan::IncentiveId::of(0), {}});
  shelf.put(accounts);
  EXPECT_EQ(shelf.rows.size(), 1u);
  ASSERT_NE(accounts.find("T-1"), nullptr);
  accounts.forget("T-1");
  EXPECT_EQ(accounts.find("T-1"), nullptr);
  shelf.put(accounts);
  EXPECT_TRUE(shelf.rows.empty());
  Accounts in_memory(plan);
  in_memory.lead("T-1", {"ann", plan::IncentiveId::of(0), {}});
  in_memory.forget("T-1");
  EXPECT_EQ(in_memory.find("T-1"), nullptr);
}

TEST(Pools, ATurnThatIsUndoneLeavesACodeWhereItLedBefore) {
  const plan::Plan plan = plan_with_coupons();
  ShelfForTests shelf;
  {
    Accounts accounts(plan);
    accounts.keep_on(shelf, 4);
    accounts.lead("T-1", {"ann", plan::IncentiveId::of(0), {}});
    shelf.put(accounts);
  }
  Accounts accounts(plan);
  accounts.keep_on(shelf, 4);
  accounts.share(0, 2);
  accounts.begin_turn();
  accounts.lead("T-1", {"ben", plan::IncentiveId::of(0), {}});
  accounts.undo_turn();
  shelf.put(accounts);
  ASSERT_NE(accounts.find("T-1"), nullptr);
  EXPECT_EQ(accounts.find("T-1")->customer, "ann");
  EXPECT_EQ(shelf.rows.size(), 1u);
}

}  // namespace
}  // namespace koi::core
