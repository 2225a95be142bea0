// An inviter of another group answers later than his friend goes on: what the friend does meanwhile
// counts as if the answer had come at once, and so it does where either is merged meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/decide.h"
#include "core/merge.h"
#include "event.h"
#include "program.h"

namespace koi {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* referral_rules = R"(
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

// Everybody is a group of his own, one might say: what he is told, and what he says, is handed on
// when the test wants.
class Friends {
 public:
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
      hand_on(0);
    }
  }
  // Of what two say to each other the first comes first, but for that letters may overtake others.
  void hand_on_one(std::mt19937& chance) {
    if (on_the_way_.empty()) return;
    std::size_t which = chance() % on_the_way_.size();
    for (std::size_t i = which; i-- > 0;)
      if (on_the_way_[i].by == on_the_way_[which].by &&
          on_the_way_[i].message.to == on_the_way_[which].message.to)
        which = i;
    hand_on(which);
  }
  void hand_on(std::size_t which) {
    Letter letter = std::move(on_the_way_[which]);
    on_the_way_.erase(on_the_way_.begin() + static_cast<std::ptrdiff_t>(which));
    letter.message.time = noon + minutes(5);
    const std::string to = letter.message.to;
    if (const std::string* const now = core::gone_to(state_of(to))) {
      letter.by = to;
      letter.message.to = *now;
      return on_the_way_.push_back(std::move(letter));
    }
    decide(to, letter.message);
  }
  void merges(const std::string& goes, const std::string& stays) {
    core::State& his = state_of(stays);
    core::State came = core::take_out(plan_, state_of(goes), stays);
    std::vector<core::Effect> effects;
    core::merge(plan_, his, std::move(came), noon + minutes(4), effects, nullptr, &accounts_);
    note(stays, effects);
  }
  core::State& state_of(const std::string& who) {
    const auto [place, is_new] = customers_.try_emplace(who);
    if (is_new) place->second = core::new_customer(plan_, who);
    return place->second;
  }
  const core::Holdings& holdings_of(const std::string& who) {
    static const core::Holdings nothing;
    const core::State& state = state_of(who);
    return state.holdings.empty() ? nothing : state.holdings.front();
  }
  template <class What>
  void decide(const std::string& who, const What& what) {
    std::vector<core::Effect> effects;
    core::decide(plan_, state_of(who), what, effects, nullptr, &accounts_);
    note(who, effects);
  }
  void note(const std::string& who, const std::vector<core::Effect>& effects) {
    for (const core::Effect& effect : effects) {
      if (effect.action == core::Action::Refuse && effect.reason == core::Reason::Cycle)
        in_a_ring_.push_back(who);
      if (effect.action == core::Action::Give)
        given_.push_back(who + " " + std::to_string(effect.gift->amount.raw()));
    }
    for (core::Message& message : accounts_.take_messages())
      on_the_way_.push_back({who, std::move(message)});
  }

  static const plan::Plan& plan() {
    static const plan::Plan made = plan_of(referral_rules);
    return made;
  }
  const plan::Plan& plan_ = plan();
  core::Accounts accounts_{plan_};
  std::map<std::string, core::State> customers_;
  struct Letter {
    std::string by;  // whoever has sent it, or sent it on
    core::Message message;
  };
  std::deque<Letter> on_the_way_;
  std::vector<std::string> given_, in_a_ring_;
  int events_ = 0;
};

class AskedInviter : public ::testing::Test, protected Friends {};

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

TEST_F(AskedInviter, AFriendWhoIsMergedBeforeSheHasHeardOfHimIsKnownByWhoHeIs) {
  for (const char* who : {"ann", "bob", "bo"}) happens(who, "visit");
  registers("bo", "ann");
  merges("bo", "bob");
  hand_on(1);  // that he is called otherwise, which says nothing to her yet
  hand_on();
  ASSERT_EQ(holdings_of("ann").friends.size(), 1u);
  EXPECT_EQ(holdings_of("ann").friends[0].invitee, "bob");
  happens("bob", "purchase", {{"amount", Value::money(6000)}});
  hand_on();
  EXPECT_THAT(given_, ElementsAre("ann 7"));
}

TEST_F(AskedInviter, WhoeverTakesHimIsHisInviterThoughHeAskedSomebodyWhoIsMergedBefore) {
  for (const char* who : {"anna", "ann", "bo"}) happens(who, "visit");
  registers("bo", "ann");
  merges("ann", "anna");
  hand_on();
  ASSERT_EQ(holdings_of("bo").bindings.size(), 1u);
  EXPECT_EQ(holdings_of("bo").bindings[0].inviter, "anna");
  registers("bo", "ann");
  hand_on();
  EXPECT_EQ(holdings_of("anna").friends.size(), 1u);
  happens("bo", "purchase", {{"amount", Value::money(6000)}});
  hand_on();
  EXPECT_THAT(given_, ElementsAre("anna 7"));
}

TEST_F(AskedInviter, WhatAFriendHasSaidUnderHisOldNameCountsThoughItComesBehindHisNewOne) {
  for (const char* who : {"ann", "bob", "bo"}) happens(who, "visit");
  registers("bo", "ann");
  hand_on();
  happens("bo", "purchase", {{"amount", Value::money(6000)}});
  merges("bo", "bob");
  hand_on(1);
  ASSERT_EQ(holdings_of("ann").friends.size(), 1u);
  EXPECT_EQ(holdings_of("ann").friends[0].invitee, "bob");
  hand_on();
  EXPECT_THAT(given_, ElementsAre("ann 7"));
}

TEST_F(AskedInviter, NobodyBringsHimselfWhoTurnsOutToBeWhoHeHasAsked) {
  for (const char* who : {"ann", "bo"}) happens(who, "visit");
  registers("bo", "ann");
  merges("bo", "ann");
  hand_on();
  EXPECT_THAT(holdings_of("ann").friends, IsEmpty());
  EXPECT_THAT(holdings_of("ann").bindings, IsEmpty());
  happens("ann", "purchase", {{"amount", Value::money(6000)}});
  hand_on();
  EXPECT_THAT(given_, IsEmpty());
}

// Whoever is merged into whom, and whichever letter overtakes which.
TEST(AskedInviters, InTheEndEitherKnowsTheOtherByWhoHeIsAndWhoHasDoneWhatCountsCounts) {
  const std::vector<std::string> names{"al", "bo", "cy", "di", "ed", "flo"};
  std::size_t merged = 0, counted = 0;
  for (unsigned seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 chance(seed);
    Friends all;
    std::vector<std::string> there = names;
    const auto below = [&](std::size_t end) { return static_cast<std::size_t>(chance() % end); };
    for (const std::string& who : names) all.happens(who, "visit");
    for (int step = 0; step < 60; ++step) {
      const std::string& who = there[below(there.size())];
      switch (below(8)) {
        case 0: all.registers(who, names[below(names.size())]); break;
        case 1: all.happens(who, "purchase", {{"amount", Value::money(6000)}}); break;
        case 2:
          if (const std::size_t goes = below(there.size()); goes > 0 && below(3) == 0) {
            all.merges(there[goes], there[below(goes)]);
            there.erase(there.begin() + static_cast<std::ptrdiff_t>(goes));
            ++merged;
          }
          break;
        default: all.hand_on_one(chance);
      }
    }
    while (!all.on_the_way_.empty()) all.hand_on_one(chance);
    const auto persons = [&](const auto& is) {
      return static_cast<std::uint64_t>(std::count_if(there.begin(), there.end(), is));
    };
    const auto figures = *all.accounts_.figures(plan::ReferralId::of(0));
    EXPECT_EQ(figures.customers(), persons([&](const std::string& who) {
                return all.state_of(who).created != Timestamp::never();
              }));
    EXPECT_EQ(figures.inviters(), persons([&](const std::string& who) {
                return !all.holdings_of(who).friends.empty();
              }));
    for (const std::string& who : there) {
      for (const core::Binding& each : all.holdings_of(who).bindings) {
        ASSERT_TRUE(each.is_settled);
        if (each.inviter == who) continue;
        const auto& friends = all.holdings_of(each.inviter).friends;
        const auto his =
            std::find_if(friends.begin(), friends.end(),
                         [&](const core::Friend& brought) { return brought.invitee == who; });
        ASSERT_NE(his, friends.end()) << who << " of " << each.inviter;
        if (each.qualified == Timestamp::never()) continue;
        EXPECT_NE(his->stage, core::Friend::Stage::Joined) << who << " of " << each.inviter;
        counted += his->stage == core::Friend::Stage::Qualified;
      }
    }
  }
  EXPECT_GT(merged, 1000u);
  EXPECT_GT(counted, 500u);
}

}  // namespace
}  // namespace koi
