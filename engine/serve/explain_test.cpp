#include "serve/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "deploy/detail/trial.h"
#include "model/partition.h"

namespace koi::serve {
namespace {

using deploy::trial_groups;
using testing::HasSubstr;
using testing::Not;

// Who orders comes into `first`, once: for nobody has come before him.
const deploy::Bundle rules = deploy::trial_bundle(
    deploy::trial_shop("metric came = count entered where campaign == \"first\"\n"
                       "campaign first { class transactional  enter always  for came == 0\n"
                       "  when order  send told via app }\n"));

class Explained : public ::testing::Test {
 protected:
  Explained() {
    deploy::Life life(place_, rules);
    for (const char* id : {"1", "2"}) {
      life.take({{"order", id, "ann", place_.now, {{"amount", Value::money(100)}}}});
      place_.now = place_.now + hours(1);
    }
    life.stop();
  }
  Result<std::string> why(const std::string& campaign) {
    return explain(place_.directory, place_.journal, trial_groups,
                   {"ann", campaign, place_.now, {}});
  }
  deploy::Shop place_;
};

TEST_F(Explained, WhomItIsForIsAsToldWhenItWasAskedNotAsItsAnswerMadeIt) {
  const auto told = why("first");
  ASSERT_TRUE(told);
  EXPECT_THAT(*told, HasSubstr(R"("holds":true,"values":{"came":0}},"decided":true)"));
  EXPECT_THAT(*told, HasSubstr(R"("holds":false,"values":{"came":1}},"decided":false)"));
}

TEST_F(Explained, OfACustomerAloneTellsOfAllCampaigns) {
  const auto told = why("");
  ASSERT_TRUE(told);
  EXPECT_THAT(*told, HasSubstr(R"("campaign":"first","action":"enter")"));
  EXPECT_THAT(*told, HasSubstr(R"("campaign":"thank","action":"enter")"));
  EXPECT_THAT(*why("first"), Not(HasSubstr(R"("campaign":"thank")")));
}

TEST(ExplainedCap, HasCountedWhatWasSentInItsPeriodAndDidNotFail) {
  const deploy::Bundle capped = deploy::trial_bundle(
      "policy { time zone \"Asia/Shanghai\"  currency CNY  cap transactional 1 per day }\n"
      "event order { amount: money }\nchannel app { class direct }\n"
      "content told { body \"told\" }\n"
      "campaign tell { class transactional  enter always  when order  send told via app }\n");
  deploy::Shop place;
  const Timestamp begin = place.now;
  std::size_t orders = 0;
  {
    deploy::Life life(place, capped);
    const auto order_at = [&](Timestamp at) {
      place.now = at;
      life.take(
          {{"order", std::to_string(++orders), "ann", place.now, {{"amount", Value::money(100)}}}});
    };
    order_at(begin);
    life.answer();
    order_at(begin + days(1));
    life.answer(Failure::Unreachable);
    order_at(begin + days(1) + hours(1));
    order_at(begin + days(1) + hours(2));  // refused
    life.stop();
  }
  const auto told =
      explain(place.directory, place.journal, trial_groups, {"ann", "tell", place.now, {}});
  ASSERT_TRUE(told);
  const std::size_t caps = told->find(R"("caps":[{"limit":1,"counted":[)");
  ASSERT_NE(caps, std::string::npos) << *told;
  const std::string counted = told->substr(caps, told->find(']', caps) - caps);
  EXPECT_THAT(counted, HasSubstr(R"("time":"2026-03-03T09:00:00+08:00")"));
  EXPECT_EQ(counted.find("\"time\""), counted.rfind("\"time\"")) << counted;
}

// A shop whose customers compete: codes are numbered over all of them, one packet is left for many.
const std::string fair = R"(policy { time zone "Asia/Shanghai"  currency CNY }
event come {}
event order { amount: money }
channel app { class direct }
points stars {}
coupon ten { off ¥10.00  codes generated "T-##########"  budget 60 issued }
campaign giving { class service  enter always  when come  give ten }
campaign saving { class service  enter always  when order  give 3 stars }
)";

TEST(ExplainedOfAll, IsTheSameWithNextToNoMemoryAndLeavesNothingBehind) {
  deploy::Shop place{.groups = {1}};
  const auto happen = [&](deploy::Life& life, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      const std::string who = "c" + std::to_string(i * 7 % 50);
      life.take({{"order", "o" + std::to_string(i), who, place.now, {{"amount", Value::money(5)}}},
                 {"come", "k" + std::to_string(i), who, place.now, {}}});
      place.now = place.now + minutes(1);
    }
    life.stop();
  };
  {
    deploy::Life life(place, deploy::trial_bundle(fair));
    happen(life, 0, 70);
  }
  {  // other rules in between: everybody is carried to them
    deploy::Life life(place, deploy::trial_bundle(fair + "metric orders = count order\n"));
    happen(life, 70, 100);
  }
  for (const char* who : {"c0", "c7", "c49"}) {
    const serve::Question question{who, "giving", place.now, {}};
    const auto roomy = explain(place.directory, place.journal, place.groups, question);
    const auto tight = explain(place.directory, place.journal, place.groups, question, 40u << 10);
    ASSERT_TRUE(roomy) << roomy.error().what;
    ASSERT_TRUE(tight) << tight.error().what;
    EXPECT_EQ(*tight, *roomy);
    EXPECT_THAT(*roomy, HasSubstr(R"("name":"ten")"));
  }
  for (const auto& entry : std::filesystem::directory_iterator(place.directory.path()))
    EXPECT_NE(entry.path().filename(), "explaining");
}

// Two groups give of one budget, and one of them has to be lent of it first.
TEST(ExplainedOfGroups, WhatWaitedSaysWhatForAndWhereItWasDecided) {
  deploy::Shop place{.groups = {2}};
  const deploy::Bundle giving = deploy::trial_bundle(
      "policy { time zone \"Asia/Shanghai\"  currency CNY }\nevent come {}\n"
      "points stars { budget 1_000 }\n"
      "campaign giving { class service  enter always  when come  give 3 stars }\n");
  std::vector<std::string> people;
  {
    deploy::Life life(place, giving);
    for (int i = 0; i < 8; ++i) {
      const std::string who = people.emplace_back("c" + std::to_string(i));
      life.take({{"come", "e" + who, who, place.now, {}}});
      place.now = place.now + minutes(1);
    }
    life.stop();
  }
  std::size_t waited = 0;
  for (const std::string& who : people) {
    const auto told =
        explain(place.directory, place.journal, place.groups, {who, "giving", place.now, {}});
    ASSERT_TRUE(told) << told.error().what;
    EXPECT_THAT(*told, HasSubstr(R"("action":"give","name":"stars")"));
    EXPECT_THAT(*told, HasSubstr(R"("decided":true})"));  // the attempt, though it had to wait
    if (told->find(R"("waits")") == std::string::npos) {
      EXPECT_THAT(*told, Not(HasSubstr("waited_since")));
      continue;
    }
    ++waited;
    const std::size_t at = told->find(R"("key":")", told->find(R"("action":"give")"));
    const std::string key = told->substr(at + 7, 32);
    EXPECT_THAT(*told, testing::ContainsRegex("\"waits\":\\[\\{\"event\":\"e" + who +
                                              "\",\"came\":\\{\"position\":[0-9]+,\"time\":"));
    EXPECT_THAT(*told, HasSubstr(R"("for":["`stars`"],"decided":{"position":)"));
    EXPECT_THAT(told->substr(told->find(R"("waits")")), HasSubstr('"' + key + '"'));
    EXPECT_THAT(*told, HasSubstr(R"("waited_since":"2026-03-02T08:)"));
  }
  // The first of the group that has to ask, and whoever comes when what was lent is used up.
  EXPECT_GE(waited, 1u);
  EXPECT_LT(waited, people.size());
}

TEST_F(Explained, SaysThatHistoryWasErasedAndNothingElse) {
  const store::Group group = trial_groups.group_of(partition_of("ann"));
  const auto epoch = *place_.journal.take(group);
  ASSERT_TRUE(place_.journal.drop(group, epoch, 2));
  const auto told = why("first");
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, "erased");
}

}  // namespace
}  // namespace koi::serve
