#include "core/unread.h"

#include <gtest/gtest.h>

namespace koi::core {
namespace {

Message message(Message::Kind kind, Reason reason = Reason::None) {
  Message made;
  made.kind = kind;
  made.key = {1, 2};
  made.time = {77};
  made.from = "ann";
  made.to = "bo";
  made.incentive = plan::IncentiveId::of(3);
  made.referral = plan::ReferralId::of(4);
  made.code = "CODE";
  made.amount = 500;
  made.reason = reason;
  return made;
}

// What bo waits for.
State asking() {
  State bo;
  bo.holdings.push_back(Holdings());
  Answered answered;
  answered.key = {1, 2};
  answered.is_pending = true;
  bo.holdings.front().answers.push_back(answered);
  answered.key = {3, 4};
  bo.holdings.front().answers.push_back(answered);
  Binding asked;
  asked.key = {1, 2};
  bo.holdings.front().bindings.push_back(asked);
  return bo;
}

TEST(Unread, WhoAsksIsToldThatItHasFailed) {
  for (const auto& [asked, answered] : {std::pair(Message::Kind::Claim, Message::Kind::Claimed),
                                        std::pair(Message::Kind::Join, Message::Kind::Joined)}) {
    State bo = asking();
    const State before = bo;
    const auto told = leave_unread(bo, message(asked));
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].kind, answered);
    EXPECT_EQ(told[0].from, "bo");
    EXPECT_EQ(told[0].to, "ann");
    EXPECT_EQ(told[0].key, (Hash128{1, 2}));
    EXPECT_EQ(told[0].code, "CODE");
    EXPECT_EQ(told[0].reason, Reason::Failed);
    EXPECT_EQ(told[0].amount, 0);
    EXPECT_EQ(bo, before);
  }
}

TEST(Unread, AShareThatNobodyHearsOfIsItsGiversAgainAndTheCallMayBeRepeated) {
  State bo = asking();
  const auto told = leave_unread(bo, message(Message::Kind::Claimed));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].kind, Message::Kind::NotPaid);
  EXPECT_EQ(told[0].amount, 500);
  EXPECT_EQ(told[0].to, "ann");
  ASSERT_EQ(bo.holdings.front().answers.size(), 1u);
  EXPECT_EQ(bo.holdings.front().answers.front().key, (Hash128{3, 4}));
  EXPECT_EQ(bo.holdings.front().bindings.size(), 1u);
}

TEST(Unread, WhoNeverHearsThatHeIsAFriendIsNone) {
  State bo = asking();
  const auto told = leave_unread(bo, message(Message::Kind::Joined));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].kind, Message::Kind::ClawBack);
  EXPECT_EQ(told[0].to, "ann");
  EXPECT_TRUE(bo.holdings.front().bindings.empty());
}

TEST(Unread, ARefusalThatNobodyHearsOfLeavesNothingOpen) {
  State bo = asking();
  EXPECT_TRUE(leave_unread(bo, message(Message::Kind::Claimed, Reason::AllTaken)).empty());
  EXPECT_TRUE(leave_unread(bo, message(Message::Kind::Joined, Reason::Cycle)).empty());
  EXPECT_EQ(bo.holdings.front().answers.size(), 1u);
  EXPECT_TRUE(bo.holdings.front().bindings.empty());
  EXPECT_TRUE(leave_unread(bo, message(Message::Kind::Reward)).empty());
}

}  // namespace
}  // namespace koi::core
