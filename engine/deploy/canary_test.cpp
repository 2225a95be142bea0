#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/metrics.h"
#include "deploy/detail/trial.h"
#include "deploy/link.h"

namespace koi::deploy {
namespace {

using testing::HasSubstr;

const std::string head = R"(policy { time zone "Asia/Shanghai"  currency CNY }
event order { amount: money }
event view {}
channel app { class direct }
metric orders = count order
segment buyer when orders >= 2
content old { body "old" }
content fresh { body "fresh" }
content both { body "both" }
campaign unchanged { class transactional  enter always  when view  send both via app }
)";
// Every kind of trigger: an event, one in parts, a crossing, a schedule.
std::string campaigns(const std::string& said) {
  return "campaign thank { class transactional  enter always  when order  send " + said +
         " via app  wait 2 days  send " + said + " via app }\n" +
         "campaign parts { class transactional  enter always  when view and no order within 1 hour "
         " send " +
         said + " via app }\n" +
         "campaign crossing { class transactional  enter always  when enters buyer  send " + said +
         " via app }\n" +
         "campaign daily { class service  enter always  every day at 09:00  send " + said +
         " via app }\n";
}
const Bundle old_rules =
    trial_bundle(head + campaigns("old") +
                 "campaign going { class service  enter always  when order  send old via app }\n");
const Bundle new_rules = trial_bundle(
    head + campaigns("fresh") +
    "campaign coming { class service  enter always  when order  send fresh via app }\n");

Ways canary(std::uint32_t millionths) { return {{}, {}, millionths}; }

class Canaried : public ::testing::Test {
 protected:
  static constexpr int customers = 200;

  // A day of everybody's, under these rules.
  void live(const Bundle& bundle, const Ways& ways, int day) { live(place_, bundle, ways, day); }
  void live(Shop& place, const Bundle& bundle, const Ways& ways, int day) {
    Life life(place, bundle, ways);
    plan_ = life.plan();
    plan_.schema.index();
    std::vector<Told> views, orders;
    for (int i = 0; i < customers; ++i) {
      const std::string customer = "c" + std::to_string(i);
      const std::string id = std::to_string(day) + " " + customer;
      views.push_back({"view", "v" + id, customer, place.now, {}});
      const Timestamp later = place.now + hours(2);
      orders.push_back({"order", "o" + id, customer, later, {{"amount", Value::money(100)}}});
    }
    life.take(views);
    place.now = place.now + hours(2);
    life.take(orders);
    place.now = place.now + hours(22);
    life.settle();
    life.stop();
  }
  // The names of what was sent since it was last asked for, by customer.
  static std::map<std::string, std::set<Hash128>> sent(Shop& place) {
    std::map<std::string, std::set<Hash128>> keys;
    for (const auto& [key, customer] : place.outside.answer()) keys[customer].insert(key);
    return keys;
  }
  std::map<std::string, std::set<std::string>> said() {
    std::map<std::string, std::set<std::string>> texts;
    for (const auto& [key, customer] : place_.outside.answer())
      texts[customer].insert(place_.outside.texts().at(key));
    return texts;
  }
  bool is_chosen(int customer, std::uint32_t millionths) const {
    return plan::share_of(plan_, "c" + std::to_string(customer)) < millionths;
  }

  Shop place_;
  plan::Plan plan_, chosen_by_;
};

TEST_F(Canaried, WhoIsChosenEntersTheNewCampaignsAndAllOthersTheFormer) {
  live(old_rules, {}, 0);
  said();
  constexpr std::uint32_t share = 250'000;
  live(new_rules, canary(share), 1);
  const auto texts = said();
  int chosen = 0;
  for (int i = 0; i < customers; ++i) {
    const auto& mine = texts.at("c" + std::to_string(i));
    SCOPED_TRACE(i);
    // Who was in the old version finishes it, wherever he stands now.
    EXPECT_EQ(mine.contains("fresh"), is_chosen(i, share));
    EXPECT_TRUE(mine.contains("both"));
    chosen += is_chosen(i, share) ? 1 : 0;
  }
  EXPECT_GT(chosen, 20);
  EXPECT_LT(chosen, 80);
}

TEST_F(Canaried, ALargerShareKeepsWhomTheSmallerHadAndPromotingGivesItToAll) {
  live(old_rules, {}, 0);
  std::set<std::string> before;
  for (const std::uint32_t share : {100'000u, 400'000u, 0u}) {
    said();
    live(new_rules, share == 0 ? Ways() : canary(share), static_cast<int>(share) + 1);
    std::set<std::string> fresh;
    for (const auto& [customer, texts] : said())
      if (texts.contains("fresh")) fresh.insert(customer);
    EXPECT_TRUE(std::includes(fresh.begin(), fresh.end(), before.begin(), before.end()));
    EXPECT_GT(fresh.size(), before.size());
    before = fresh;
  }
  EXPECT_EQ(before.size(), static_cast<std::size_t>(customers));
  EXPECT_EQ((**read_deployment(place_.directory)).turns.size(), 4u);
}

TEST_F(Canaried, WhoIsNotChosenIsDecidedAsIfThereWereNoCanaryAndAfterARollBackEverybodyIs) {
  Shop stayed;
  constexpr std::uint32_t share = 300'000;
  for (int day = 0; day < 6; ++day) {
    SCOPED_TRACE(day);
    const bool is_canary = day == 1 || day == 2;
    live(stayed, old_rules, {}, day);
    const auto usual = sent(stayed);
    live(is_canary ? new_rules : old_rules, is_canary ? canary(share) : Ways(), day);
    const auto now = sent(place_);
    if (is_canary) chosen_by_ = plan_;
    for (int i = 0; i < customers; ++i) {
      const std::string customer = "c" + std::to_string(i);
      const bool is_touched = day > 0 && plan::share_of(chosen_by_, customer) < share;
      if (!is_touched) {
        EXPECT_EQ(now.at(customer), usual.at(customer)) << customer;
      }
    }
  }
  // What daily brings, both have again, though the chosen were in another version meanwhile.
  live(stayed, old_rules, {}, 6);
  live(old_rules, {}, 6);
  EXPECT_EQ(sent(place_), sent(stayed));
}

TEST_F(Canaried, AKillLeavesTheOldOrTheNewWholeAndTheSameAreChosen) {
  constexpr std::uint32_t share = 250'000;
  std::map<std::string, std::string> whole;
  int kills = 0;
  bool killed = true;
  for (int at = -1; killed; at += at < 3 ? 1 : 7) {
    SCOPED_TRACE(at);
    Shop place;
    live(place, old_rules, {}, 0);
    place.store.fail_at(at, at % 2 == 0);
    const auto reports = place.deploy(new_rules, canary(share));
    killed = at < 0 || !reports;
    kills += reports ? 0 : 1;
    place.store.revive();
    live(place, new_rules, canary(share), 1);
    const Deployment deployment = **read_deployment(place.directory);
    EXPECT_EQ(deployment.turns.size(), 2u);
    EXPECT_EQ(deployment.turns.back().ways.canary, share);
    if (at < 0)
      whole = place.stored();
    else
      EXPECT_EQ(place.stored(), whole);
  }
  EXPECT_GT(kills, 5);
}

// The journal is decided again as it was, each of its turns by the rules of then.
TEST_F(Canaried, MetricsThatComeLaterKnowWhoseEntriesWereTheCanarys) {
  constexpr std::uint32_t share = 500'000;
  live(old_rules, {}, 0);
  live(new_rules, canary(share), 1);
  const plan::Plan chosen_by = plan_;
  Bundle later = new_rules;
  later.files[0].text += "metric came = count entered where campaign == \"coming\"\n";
  Life life(place_, later);
  ASSERT_EQ(life.reports[0].metrics_built, std::vector<std::string>{"came"});
  for (int i = 0; i < customers; ++i) {
    const core::State state = life.state("c" + std::to_string(i));
    std::int64_t came = -1;
    for (const plan::Metric& metric : life.plan().metrics)
      if (metric.symbol.name == "came")
        came = core::read(life.plan(), metric, state, state.clock).raw();
    EXPECT_EQ(came, plan::share_of(chosen_by, state.id) < share ? 1 : 0) << state.id;
  }
  life.stop();
}

TEST_F(Canaried, WhatCannotBeACanaryIsRefusedAndNothingIsChanged) {
  const auto refused = [&](const Bundle& bundle) {
    const auto deployed = place_.deploy(bundle, canary(1));
    return deployed ? "it was deployed" : deployed.error().what;
  };
  EXPECT_THAT(refused(new_rules), HasSubstr("nothing is live here yet"));
  ASSERT_TRUE(place_.deploy(old_rules));
  EXPECT_THAT(refused(old_rules), HasSubstr("live for everybody already"));
  Bundle other = new_rules;
  other.files[0].text.replace(other.files[0].text.find("event view {}"), 13,
                              "event view { x: int? }");
  const Bundle without = trial_bundle(
      "policy { time zone \"Asia/Shanghai\"  currency CNY }\nevent order { amount: text }\n"
      "channel post { class direct }\n");
  EXPECT_THAT(refused(without), HasSubstr("channel `app`"));
  EXPECT_THAT(refused(without), HasSubstr("event `view`"));
  EXPECT_THAT(refused(without), HasSubstr("field `order.amount`"));
  EXPECT_EQ((**read_deployment(place_.directory)).turns.size(), 1u);
  ASSERT_TRUE(place_.deploy(new_rules, canary(1)));
  EXPECT_THAT(refused(other), HasSubstr("a canary of other rules is live"));
  EXPECT_EQ((**read_deployment(place_.directory)).turns.size(), 2u);
}

}  // namespace
}  // namespace koi::deploy
