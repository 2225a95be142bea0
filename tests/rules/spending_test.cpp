// Points that calls spend and give back, shares that could not be paid, and that all of it is in
// the ledger.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "shop.h"

namespace koi {
namespace {

using core::Answer;
using core::Call;
using core::Reason;
using ledger::Stage;

constexpr const char* spending_rules = R"(
policy { time zone "Asia/Shanghai"  currency CNY }
customer { identify by phone }
channel push { class direct }
event come {}
event more {}
event share {}
points stars { expire 2 hours }
red_packet party { total ¥9.00 split among 3 equally  claim within 5 hours  budget ¥9.00  pay via push  limit 1 per customer }
campaign giving  { class service  enter always  when come give 100 stars }
campaign again   { class service  enter always  when more give 50 stars }
campaign sharing { class service  enter always  when share give party }
)";

class Spending : public Shop {
 public:
  Spending() : Shop(spending_rules) {}

  Call call(Call::Kind kind, std::string id, std::string_view time, std::int64_t amount,
            std::string order) const {
    Call made;
    made.kind = kind;
    made.id = std::move(id);
    made.time = that_day_at(time);
    made.customer = "ann";
    made.points = plan::IncentiveId::of(0);
    made.amount = amount;
    made.order = std::move(order);
    return made;
  }
  Answer spend(std::string id, std::string_view time, std::int64_t amount, std::string order) {
    return world_.ask(call(Call::Kind::Spend, std::move(id), time, amount, std::move(order)));
  }
  Answer roll_back(std::string id, std::string_view time, std::string order) {
    return world_.ask(call(Call::Kind::Unspend, std::move(id), time, 0, std::move(order)));
  }
  // Of all pots of what has that name.
  std::int64_t posted(std::string_view budget, Stage stage) {
    std::int64_t sum = 0;
    for (const plan::Budget& each : plan_.budgets)
      for (const auto& [pot, balances] : world_.accounts().ledger().pots())
        if (each.name == budget && pot.of == each.definition) sum += balances[stage];
    return sum;
  }
  void claim(std::string_view time, const std::string& friend_) {
    std::string code;
    for (const core::Grant& each : world_.customer("ann").holdings[0].grants)
      if (!each.shares.empty()) code = each.code;
    happen("claimed", time, friend_, {{"code", Value::text(code)}});
  }
};

TEST_F(Spending, IsNeverOfMoreThanThereIs) {
  happen("come", "10:00", "ann");
  EXPECT_EQ(spend("k1", "10:01", 60, "o1").other, 40);
  const Answer refused = spend("k2", "10:02", 41, "o2");
  EXPECT_EQ(refused.reason, Reason::NotEnough);
  EXPECT_EQ(refused.other, 40);
  EXPECT_EQ(spend("k3", "10:03", 40, "o3").reason, Reason::None);
  EXPECT_EQ(spend("k4", "10:04", 1, "o4").reason, Reason::NotEnough);
  EXPECT_EQ(posted("stars", Stage::Claimed), 100);
}

TEST_F(Spending, HappensOnceHoweverOftenItIsAsked) {
  happen("come", "10:00", "ann");
  const Answer first = spend("k1", "10:01", 60, "o1");
  EXPECT_EQ(spend("k1", "10:02", 60, "o1"), first);
  EXPECT_EQ(spend("k1", "10:03", 61, "o1").reason, Reason::KeyReused);
  Call of_other_words = call(Call::Kind::Spend, "k1", "10:04", 60, "o1");
  of_other_words.said = 7;
  EXPECT_EQ(world_.ask(of_other_words).reason, Reason::KeyReused);
  EXPECT_EQ(posted("stars", Stage::Claimed), 60);
}

TEST_F(Spending, IsRolledBackToTheLotsThatItWasTakenFrom) {
  happen("come", "10:00", "ann");
  happen("more", "11:00", "ann");
  EXPECT_EQ(spend("k1", "11:01", 120, "o1").other, 30);
  EXPECT_EQ(roll_back("k2", "11:02", "o2").reason, Reason::NotHeld);
  const Answer back = roll_back("k3", "11:03", "o1");
  EXPECT_EQ(back.amount, 120);
  EXPECT_EQ(back.other, 150);
  EXPECT_EQ(roll_back("k4", "11:04", "o1").reason, Reason::NotHeld);
  world_.run_to(that_day_at("12:30"), true);
  EXPECT_EQ(spend("k5", "12:30", 51, "o3").other, 50)
      << "the others have lapsed as they would have";
  EXPECT_EQ(posted("stars", Stage::Lapsed), 100);
  EXPECT_EQ(posted("stars", Stage::Claimed), 0);
}

TEST_F(Spending, IsRolledBackWithAllThatWasSpentForTheOrder) {
  happen("come", "10:00", "ann");
  happen("more", "10:00", "ann");
  EXPECT_EQ(spend("k1", "10:01", 55, "o1").other, 95);
  EXPECT_EQ(spend("k2", "10:02", 10, "o2").other, 85);
  EXPECT_EQ(spend("k3", "10:03", 5, "o1").other, 80);
  const Answer back = roll_back("k4", "10:04", "o1");
  EXPECT_EQ(back.amount, 60);
  EXPECT_EQ(back.other, 140);
  EXPECT_EQ(roll_back("k4", "10:05", "o1"), back);
  EXPECT_EQ(roll_back("k5", "10:05", "o1").reason, Reason::NotHeld);
  EXPECT_EQ(posted("stars", Stage::Claimed), 10);
}

TEST_F(Spending, WhatHasLapsedMeanwhileIsNotGivenBack) {
  happen("come", "10:00", "ann");
  happen("more", "11:00", "ann");
  EXPECT_EQ(spend("k1", "11:01", 120, "o1").reason, Reason::None);
  const Answer back = roll_back("k2", "12:30", "o1");
  EXPECT_EQ(back.amount, 20);
  EXPECT_EQ(back.other, 50);
}

TEST_F(Spending, AStatementHasTheLatestMovements) {
  happen("come", "10:00", "ann");
  for (int i = 0; i < 30; ++i) spend("k" + std::to_string(i), "10:01", 1, "o");
  const auto& history = world_.customer("ann").holdings[0].purses[0].history;
  EXPECT_EQ(history.size(), core::most_moved);
  EXPECT_EQ(history[history.size() - 1],
            (core::Moved{core::Moved::What::Spent, that_day_at("10:01"), 1}));
}

TEST_F(Spending, OfNobodyIsRefused) {
  EXPECT_EQ(spend("k1", "10:01", 1, "o1").reason, Reason::NotEnough);
  EXPECT_EQ(roll_back("k2", "10:01", "o1").reason, Reason::NotHeld);
}

TEST_F(Spending, AShareThatCouldNotBePaidIsThePacketsAgain) {
  happen("share", "10:00", "ann");
  claim("10:01", "bo");
  EXPECT_EQ(posted("party CNY", Stage::Claimed), 300);
  world_.fail(plan::ChannelId::of(0), Failure::Unreachable);
  claim("10:02", "cy");
  EXPECT_EQ(posted("party CNY", Stage::Claimed), 300);
  EXPECT_EQ(posted("party CNY", Stage::Given), 600);
  world_.fail(plan::ChannelId::of(0), Failure::None);
  claim("10:03", "cy");
  claim("10:04", "di");
  EXPECT_EQ(posted("party CNY", Stage::Claimed), 900);
  const core::Grant& packet = world_.customer("ann").holdings[0].grants[0];
  EXPECT_EQ(packet.taken, 3u);
  EXPECT_TRUE(packet.unpaid.empty());
  EXPECT_TRUE(world_.customer("cy").holdings[0].shares.empty());
}

TEST_F(Spending, AShareThatCouldNotBePaidBeforeTheEndLapsesWithThePacket) {
  happen("share", "10:00", "ann");
  for (const char* friend_ : {"bo", "cy"}) claim("10:01", friend_);
  world_.fail(plan::ChannelId::of(0), Failure::Unreachable);
  claim("10:02", "di");
  world_.run_to(that_day_at("16:00"), true);
  EXPECT_EQ(posted("party CNY", Stage::Claimed), 600);
  EXPECT_EQ(posted("party CNY", Stage::Returned), 300);
  EXPECT_EQ(posted("party CNY", Stage::Given), 0);
}

}  // namespace
}  // namespace koi
