// An inviter of another group answers later than his friend goes on: what the friend does meanwhile
// counts as if the answer had come at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/decide.h"
#include "event.h"
#include "program.h"

namespace koi {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* rules = R"(
policy { currency CNY }
event register { invited_by: code? }
event purchase { amount: money }
event visit {}
event refund {}
points stars {}
referral friends {
  bind last touch
  qualify when purchase where amount >= ¥50.00
  reward inviter give 7 stars
  reward invitee give 3 stars at visit
  refuse self, cycle
  claw back when refund within 1 day
}
)";

const Timestamp noon = *parse_instant("2026-03-02T12:00:00Z");

// Two groups, one might say: what ann is told, and what she says, is handed on when the test wants.
class AskedInviter : public ::testing::Test {
 protected:
  void happens(const std::string& who, std::string_view type,
               const std::map<std::string, Value>& fields = {}) {
    ++events_;
    decide(who,
           event(plan_, "e" + std::to_string(events_), type, noon + seconds(events_), who, fields));
  }
  void registers(const std::string& who, const std::string& inviter) {
    const std::string code = core::invite_code(plan_, plan::ReferralId::of(0), inviter);
    happens(who, "register", {{"invited_by", Value::text(code)}});
  }
  // Until nobody has anything to say.
  void hand_on() {
    while (!on_the_way_.empty()) {
      core::Message message = std::move(on_the_way_.front());
      on_the_way_.pop_front();
      message.time = noon + minutes(5);
      decide(message.to, message);
    }
  }
  template <class What>
  void decide(const std::string& who, const What& what) {
    auto [place, is_new] = customers_.try_emplace(who);
    if (is_new) place->second = core::new_customer(plan_, who);
    std::vector<core::Effect> effects;
    core::decide(plan_, place->second, what, effects, nullptr, &accounts_);
    for (const core::Effect& effect : effects) {
      if (effect.action == core::Action::Refuse && effect.reason == core::Reason::Cycle)
        in_a_ring_.push_back(who);
      if (effect.action == core::Action::Give)
        given_.push_back(who + " " + std::to_string(effect.gift->amount.raw()));
    }
    for (core::Message& message : accounts_.take_messages())
      on_the_way_.push_back(std::move(message));
  }

  plan::Plan plan_ = plan_of(rules);
  core::Accounts accounts_{plan_};
  std::map<std::string, core::State> customers_;
  std::deque<core::Message> on_the_way_;
  std::vector<std::string> given_, in_a_ring_;
  int events_ = 0;
};

TEST_F(AskedInviter, WhatTheFriendDoesMeanwhileCounts) {
  happens("ann", "visit");
  registers("bo", "ann");
  happens("bo", "visit");
  happens("bo", "purchase", {{"amount", Value::money(6000)}});
  EXPECT_THAT(given_, IsEmpty()) << "she has not been told yet";
  hand_on();
  EXPECT_THAT(given_, ElementsAre("bo 3", "ann 7"));
  happens("bo", "visit");
  happens("bo", "purchase", {{"amount", Value::money(6000)}});
  hand_on();
  EXPECT_EQ(given_.size(), 2u) << "once";
}

TEST_F(AskedInviter, WhatDoesNotCountDoesNotMeanwhile) {
  happens("ann", "visit");
  registers("bo", "ann");
  happens("bo", "purchase", {{"amount", Value::money(4000)}});
  hand_on();
  EXPECT_THAT(given_, IsEmpty());
  happens("bo", "purchase", {{"amount", Value::money(5000)}});
  hand_on();
  EXPECT_THAT(given_, ElementsAre("ann 7"));
}

TEST_F(AskedInviter, WhatIsTakenBackMeanwhileIsNotGiven) {
  happens("ann", "visit");
  registers("bo", "ann");
  happens("bo", "purchase", {{"amount", Value::money(6000)}});
  happens("bo", "refund");
  hand_on();
  EXPECT_THAT(given_, IsEmpty());
  const core::Holdings& anns = customers_["ann"].holdings.front();
  ASSERT_EQ(anns.friends.size(), 1u);
  EXPECT_EQ(anns.friends[0].stage, core::Friend::Stage::ClawedBack);
  EXPECT_EQ(accounts_.figures(plan::ReferralId::of(0))->of(core::books::Tally::Qualified), 0u);
  happens("bo", "visit");
  happens("bo", "purchase", {{"amount", Value::money(6000)}});
  hand_on();
  EXPECT_THAT(given_, IsEmpty()) << "and does not count again";
}

// In one group he has been given what `visit` promises, and loses it again.
TEST_F(AskedInviter, WhatWasPromisedOnTheWayIsNotGivenToWhoHasTakenItBackMeanwhile) {
  happens("ann", "visit");
  registers("bo", "ann");
  happens("bo", "visit");
  happens("bo", "purchase", {{"amount", Value::money(6000)}});
  happens("bo", "refund");
  hand_on();
  EXPECT_THAT(given_, IsEmpty());
}

TEST_F(AskedInviter, WhoCountedForTheOneBeforeMeanwhileStaysHis) {
  happens("ann", "visit");
  happens("cy", "visit");
  registers("bo", "ann");
  hand_on();
  registers("bo", "cy");
  happens("bo", "purchase", {{"amount", Value::money(6000)}});
  hand_on();
  EXPECT_THAT(given_, ElementsAre("ann 7"));
}

// Whatever order the three came in; here each is known before whoever brought him is brought.
TEST_F(AskedInviter, ARingIsNoticedThoughWhoClosesItIsNotAmongThoseThatTheInviterRemembers) {
  for (const char* who : {"ann", "bo", "cy", "di"}) happens(who, "visit");
  registers("ann", "bo");
  hand_on();
  registers("bo", "cy");
  hand_on();
  registers("cy", "di");
  hand_on();
  EXPECT_THAT(in_a_ring_, IsEmpty());
  registers("di", "ann");
  hand_on();
  EXPECT_THAT(in_a_ring_, ElementsAre("di"));
  EXPECT_TRUE(customers_["ann"].holdings.front().friends.empty());
}

TEST_F(AskedInviter, ARingOfThreeWhoAskAtOneMomentIsNobodysFriend) {
  for (const char* who : {"ann", "bo", "cy"}) happens(who, "visit");
  registers("ann", "bo");
  registers("bo", "cy");
  registers("cy", "ann");
  hand_on();
  EXPECT_THAT(in_a_ring_, UnorderedElementsAre("ann", "bo", "cy"));
  for (const char* who : {"ann", "bo", "cy"})
    EXPECT_TRUE(customers_[who].holdings.empty() ||
                customers_[who].holdings.front().friends.empty())
        << who;
}

TEST_F(AskedInviter, AllAboveAreAskedAndWhoClosesNoRingIsTaken) {
  for (const char* who : {"ann", "bo", "cy"}) happens(who, "visit");
  registers("bo", "ann");
  hand_on();
  registers("cy", "bo");
  hand_on();
  happens("di", "visit");
  registers("di", "cy");
  happens("di", "purchase", {{"amount", Value::money(6000)}});
  hand_on();
  EXPECT_THAT(in_a_ring_, IsEmpty());
  EXPECT_THAT(given_, ElementsAre("cy 7"));
}

}  // namespace
}  // namespace koi
