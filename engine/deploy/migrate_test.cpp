#include "deploy/migrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deploy/detail/trial.h"

namespace koi::deploy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

std::string program(const std::string& thank, const std::string& more = {}) {
  return R"(policy { time zone "Asia/Shanghai"  currency CNY }
event order { amount: money  sku: text?  note: text? }
event view { sku: text }
channel app { class direct }
channel mail { class direct }
metric orders = count order
content hello { body "hello" }
content asked { body "asked" }
content last { body "last {o.sku or "nothing"}" }
)" + more +
         "campaign thank { class transactional  enter always\n" + thank + "}\n";
}

const std::string steps = R"(  when order as o
    send hello via app
    wait 1 day
    send asked via app
    wait 2 days
    send last via app
)";
const Bundle former_rules = trial_bundle(program(steps));

const plan::Campaign& thank_of(const plan::Plan& plan) { return plan.campaigns.front(); }

Ways migrate(std::vector<StepMove> moves = {}) { return {{{"thank", std::move(moves)}}, {}}; }

Told order(Timestamp at, const std::string& id, const std::string& customer) {
  return {"order",
          id,
          customer,
          at,
          {{"amount", Value::money(100)}, {"sku", Value::text("tea")}, {"note", Value::text("n")}}};
}

// The texts that were sent, in no order.
std::vector<std::string> said(const Shop& place) {
  std::vector<std::string> texts;
  for (const auto& [key, text] : place.outside.texts()) texts.push_back(text);
  return texts;
}

TEST(Migrate, StepsAreNamedByWhatTheyDoAndWaitsByWhatTheyComeAfter) {
  const plan::Plan plan = plan_of(trial_bundle(program(R"(  when order as o
    wait 1 hour
    send hello via app
    wait until 20:00
    wait for view as v up to 1 day { send hello via mail } else { wait 5 minutes }
    repeat every 1 day at most 3 times { send asked via app }
    wait 1 day
)")));
  std::vector<std::string> seen;
  for (const std::string& name : step_names(plan, thank_of(plan)))
    if (!name.empty()) seen.push_back(name);
  EXPECT_THAT(seen, ElementsAre("wait at the beginning", "send hello", "wait after send hello",
                                "wait for view", "send hello #2", "wait after send hello #2",
                                "send asked", "repeat", "wait after repeat"));
}

TEST(Migrate, WhoIsUnderWayGoesOnAtTheStepOfTheSameNameInTheNewVersion) {
  Shop place;
  const Timestamp begin = place.now;
  {
    Life life(place, former_rules);
    life.take({order(place.now, "1", "ann")});  // will be at the second wait
    place.now = begin + days(1) + hours(1);
    life.take({order(place.now, "2", "bo")});  // at the first
    life.stop();
  }
  // Shorter waits, other words, and one step more.
  const Bundle mended = trial_bundle(
      replaced(replaced(replaced(program(steps), "wait 1 day", "wait 3 hours"), "wait 2 days",
                        "wait 1 day\n    set customer.city = \"told\""),
               "content asked { body \"asked\" }",
               "customer { city: text? }\ncontent asked { body \"asked otherwise\" }"));
  Life life(place, mended, migrate());
  EXPECT_THAT(life.reports[0].carried.journeys_moved, ElementsAre(std::pair("thank", 2u)));
  EXPECT_TRUE(life.reports[0].carried.journeys_kept.empty());
  EXPECT_EQ(life.plan().campaigns.size(), 2u) << "of this deploy; the next one lets it go";
  place.now = begin + days(1) + hours(5);
  life.settle();
  EXPECT_THAT(said(place), UnorderedElementsAre("hello", "asked", "hello", "asked otherwise"));
  place.now = begin + days(2) + minutes(1);
  life.settle();
  EXPECT_THAT(said(place),
              UnorderedElementsAre("hello", "asked", "hello", "asked otherwise", "last tea"));
  place.now = begin + days(4);
  life.settle();
  EXPECT_EQ(said(place).size(), 6u);
  life.stop();
}

TEST(Migrate, ADeadlineThatAShorterWaitHasMovedIntoThePastIsNow) {
  Shop place;
  {
    Life life(place, former_rules);
    life.take({order(place.now, "1", "ann")});
    life.stop();
  }
  place.now = place.now + hours(20);
  const Timestamp deployed = place.now;
  Life life(place, trial_bundle(replaced(program(steps), "wait 1 day", "wait 1 hour")), migrate());
  place.now = place.now + microseconds(1);
  life.settle();
  EXPECT_EQ(said(place).size(), 2u);
  EXPECT_GE(life.state("ann").journeys.front().since, deployed) << "nothing is fired for the past";
  life.stop();
}

TEST(Migrate, StepsGoWhereTheDeploySaysAndThoseWithoutACounterpartStay) {
  const std::string one_wait = R"(  when order as o
    send hello via app
    wait 6 hours
    send last via app
)";
  for (const bool is_told : {false, true}) {
    SCOPED_TRACE(is_told);
    Shop place;
    {
      Life life(place, former_rules);
      life.take({order(place.now, "1", "ann")});
      place.now = place.now + days(1) + hours(1);
      life.settle();
      life.stop();
    }
    const Ways ways =
        is_told ? migrate({{"wait after send asked", "wait after send hello"}}) : migrate();
    const Bundle next = trial_bundle(program(one_wait));
    const auto text = preview(place.site(), next, ways);
    ASSERT_TRUE(text) << text.error().what;
    EXPECT_THAT(*text, HasSubstr("1 journey at `wait after send asked`"));
    EXPECT_THAT(*text, HasSubstr(is_told ? ": at `wait after send hello`" : "no such step"));
    Life life(place, next, ways);
    EXPECT_EQ(life.reports[0].carried.journeys_moved.size(), is_told ? 1u : 0u);
    EXPECT_EQ(life.reports[0].carried.journeys_kept.size(), is_told ? 0u : 1u);
    place.now = place.now + hours(7);
    life.settle();
    EXPECT_EQ(said(place).size(), is_told ? 3u : 2u);
    life.stop();
  }
}

TEST(Migrate, WhatDoesNotFitIsRefusedAndNothingIsChanged) {
  Shop place;
  {
    Life life(place, former_rules);
    life.take({order(place.now, "1", "ann")});
    life.stop();
  }
  const auto refused = [&](const Bundle& next, const Ways& ways) {
    const auto deployed = place.deploy(next, ways);
    return deployed ? "it was deployed" : deployed.error().what;
  };
  // What the last message says now was not kept of the order when it came.
  EXPECT_THAT(refused(trial_bundle(replaced(program(steps), "{o.sku", "{o.note")), migrate()),
              HasSubstr("kept the note of order, which the former version did not keep"));
  EXPECT_THAT(refused(former_rules, migrate({{"wait after send asked", "wait after send hello"}})),
              HasSubstr("no former version"));
  const Bundle next = trial_bundle(replaced(program(steps), "wait 1 day", "wait 2 hours"));
  EXPECT_THAT(refused(next, migrate({{"wait after send asked", "wait after lunch"}})),
              HasSubstr("no step `wait after lunch`"));
  EXPECT_THAT(refused(next, migrate({{"wait after lunch", "wait after send hello"}})),
              HasSubstr("no former version of campaign `thank` has a step `wait after lunch`"));
  EXPECT_THAT(refused(next, {{{"think", {}}}, {}}), HasSubstr("no campaign `think`"));
  EXPECT_THAT(refused(next, {{}, {"think"}}), HasSubstr("no campaign `think`"));
  EXPECT_THAT(refused(next, {{{"thank", {}}}, {"thank"}}), HasSubstr("stopped and migrated"));
  EXPECT_EQ((**read_deployment(place.directory)).turns.size(), 1u);
  EXPECT_FALSE((**read_deployment(place.directory)).is_under_way);
}

TEST(Migrate, WhoIsInThePartsOfATriggerGoesAlongWhereItIsTheSame) {
  const std::string parts = R"(  when view as v then order as o where sku == v.sku within 1 day
    send hello via app
)";
  Shop place;
  {
    Life life(place, trial_bundle(program(parts)));
    life.take({{"view", "1", "ann", place.now, {{"sku", Value::text("tea")}}}});
    life.stop();
  }
  const Bundle next = trial_bundle(
      replaced(program(parts), "send hello via app", "send hello via mail\n    wait 1 hour"));
  Life life(place, next, migrate());
  EXPECT_THAT(life.reports[0].carried.journeys_moved, ElementsAre(std::pair("thank", 1u)));
  place.now = place.now + hours(1);
  life.take({order(place.now, "2", "ann")});
  EXPECT_THAT(said(place), ElementsAre("hello"));
  ASSERT_EQ(life.state("ann").journeys.size(), 1u) << "it waits, as only the new version does";
  life.stop();
}

TEST(Migrate, GoalsAndReceiptsOfThoseWhoAreMovedAreTheNewVersions) {
  const std::string before = R"(  goal view within 5 days
  when order as o
    send hello via app, else mail
)";
  // Who has ended may reach its goal for longer, and what fails on one channel takes the next one
  // of the new version, with its words.
  const Bundle next =
      trial_bundle(replaced(replaced(replaced(program(before), "within 5 days", "within 9 days"),
                                     "via app, else mail", "via mail, else app, else post"),
                            "body \"hello\"", "body \"hello again\"") +
                   "channel post { class direct }\n");
  Shop place;
  const Timestamp begin = place.now;
  {
    Life life(place, trial_bundle(program(before)));
    life.take({order(place.now, "1", "ann")});
    ASSERT_EQ(life.state("ann").open.size(), 1u);
    life.stop();
  }
  Life life(place, next, migrate());
  const core::State ann = life.state("ann");
  ASSERT_EQ(ann.journeys.size(), 1u);
  ASSERT_EQ(ann.open.size(), 1u);
  for (const plan::CampaignId each : {ann.journeys[0].campaign, ann.open[0].campaign})
    EXPECT_FALSE(life.plan().campaigns[each.index()].closed);
  EXPECT_TRUE(life.reports[0].carried.journeys_moved.empty()) << "nobody stands at a step";
  place.now = begin + hours(1);
  life.answer(Failure::Unreachable);  // the app: behind it comes the post
  EXPECT_THAT(said(place), UnorderedElementsAre("hello", "hello again"));
  life.answer(Failure::Unreachable);
  EXPECT_EQ(said(place).size(), 2u) << "and behind that nothing";
  place.now = begin + days(7);
  const std::size_t keys = place.outside.keys().size();
  life.take({{"view", "2", "ann", place.now, {{"sku", Value::text("tea")}}}});
  EXPECT_EQ(place.outside.keys().size(), keys + 1) << "the goal, later than the former one";
  life.stop();
}

TEST(Migrate, ACampaignThatIsStoppedSendsNothingMoreAndItsGoalMayStillBeReached) {
  const std::string with_goal = "  goal view within 5 days\n" + steps;
  Shop place;
  {
    Life life(place, trial_bundle(program(with_goal)));
    life.take({order(place.now, "1", "ann")});
    life.stop();
  }
  const Bundle none =
      trial_bundle(replaced(program(with_goal), "campaign thank", "campaign other"));
  const auto text = preview(place.site(), none, {{}, {"thank"}});
  ASSERT_TRUE(text) << text.error().what;
  EXPECT_EQ(*text, "stop thank\n  1 journey ends\n");
  Life life(place, none, {{}, {"thank"}});
  EXPECT_THAT(life.reports[0].carried.journeys_ended, ElementsAre(std::pair("thank", 1u)));
  const std::size_t before = place.outside.keys().size();
  place.now = place.now + days(4);
  life.settle();
  EXPECT_EQ(place.outside.keys().size(), before);
  life.take({{"view", "2", "ann", place.now, {{"sku", Value::text("tea")}}}});
  EXPECT_EQ(place.outside.keys().size(), before + 1) << "the goal";
  life.stop();
}

TEST(Migrate, TheSameRulesCanBeDeployedAgainToStopACampaign) {
  Shop place;
  {
    Life life(place, former_rules);
    life.take({order(place.now, "1", "ann")});
    life.stop();
  }
  Life life(place, former_rules, {{}, {"thank"}});
  ASSERT_EQ(life.reports.size(), 1u);
  EXPECT_TRUE(life.state("ann").journeys.empty());
  life.take({order(place.now, "2", "bo")});
  EXPECT_EQ(life.state("bo").journeys.size(), 1u) << "it takes entries as before";
  life.stop();
}

// Killed at each checkpoint, before and after it, and finished by the next start.
TEST(Migrate, AKillLeavesTheOldOrTheNewWholeAndNobodyIsMovedTwice) {
  const Bundle next = trial_bundle(
      replaced(program(steps, "metric spent = sum order.amount\n"), "wait 1 day", "wait 3 hours"));
  struct EndOfMove {
    std::map<std::string, std::string> states;
    std::set<Hash128> keys;
    std::uint64_t moved = 0;
  };
  const auto ending = [&](int kill_at, bool after, bool* was_killed) {
    Shop place;
    {
      Life life(place, former_rules);
      for (int i = 0; i < 30; ++i)
        life.take({order(place.now + minutes(i), std::to_string(i), "c" + std::to_string(i))});
      place.now = place.now + hours(2);
      life.stop();
    }
    place.store.fail_at(kill_at, after);
    const auto reports = place.deploy(next, migrate());
    *was_killed = !reports;
    EndOfMove end;
    if (reports) end.moved = reports->back().carried.journeys_moved.at("thank");
    place.store.revive();
    {
      Life life(place, next,
                *was_killed && (**read_deployment(place.directory)).turns.size() == 1 ? migrate()
                                                                                      : Ways());
      if (*was_killed) end.moved = life.reports.front().carried.journeys_moved["thank"];
      place.now = place.now + days(5);
      life.settle();
      life.stop();
    }
    end.states = place.stored();
    end.keys = place.outside.keys();
    return end;
  };
  bool killed = false;
  const EndOfMove whole = ending(1'000'000, false, &killed);
  ASSERT_FALSE(killed);
  EXPECT_EQ(whole.moved, 30u);
  int kills = 0;
  for (int at = 0; killed || at == 0; ++at)
    for (const bool after : {false, true}) {
      SCOPED_TRACE(std::to_string(at) + (after ? " after" : " before"));
      const EndOfMove end = ending(at, after, &killed);
      EXPECT_EQ(end.states, whole.states);
      EXPECT_EQ(end.keys, whole.keys);
      EXPECT_EQ(end.moved, 30u);
      kills += killed ? 1 : 0;
    }
  EXPECT_GT(kills, 10);
}

}  // namespace
}  // namespace koi::deploy
