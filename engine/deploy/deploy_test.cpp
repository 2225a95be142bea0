#include "deploy/deploy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "core/metrics.h"
#include "deploy/detail/shoppers.h"
#include "deploy/detail/trial.h"
#include "deploy/extend.h"
#include "deploy/link.h"
#include "deploy/rebuild.h"

namespace koi::deploy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const Bundle shop_with_metrics = trial_bundle(trial_shop(more_metrics));

// --- The first one ------------------------------------------------------------------------------

TEST(Deploy, TheFirstRulesAreLiveAtOnceAndTheSameAgainAreNoDeploy) {
  Shop place;
  const auto first = place.deploy(shop_rules);
  ASSERT_TRUE(first);
  ASSERT_THAT(*first, SizeIs(1));
  EXPECT_EQ(first->front().former, std::nullopt);
  EXPECT_EQ(first->front().bundle, name_of(shop_rules));
  EXPECT_EQ(*Bundles(place.directory).read(name_of(shop_rules)), shop_rules);
  EXPECT_THAT(*place.deploy(shop_rules), IsEmpty());
}

TEST(Deploy, RulesThatAreNoProgramChangeNothing) {
  Shop place;
  ASSERT_TRUE(place.deploy(shop_rules));
  const auto refused = place.deploy(trial_bundle("segment s when nobody\n"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "rules");
  EXPECT_THAT(*place.deploy(shop_rules), IsEmpty());
}

TEST(Deploy, AJournalWithoutItsDeploymentIsRefused) {
  Shop place;
  {
    Life life(place, shop_rules);
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
  }
  std::filesystem::remove(place.directory.path() / "deployment.json");
  EXPECT_EQ(place.deploy(shop_rules).error().code, "foreign");
}

TEST(Deploy, AJournalThatIsShorterThanTheDeploymentIsRefused) {
  Shop place, other;
  {
    Life life(place, shop_rules);
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
  }
  ASSERT_TRUE(place.deploy(shop_with_metrics));
  Site site = place.site();
  const Site elsewhere{.directory = site.directory,
                       .journal = other.journal,
                       .store = other.store,
                       .groups = site.groups,
                       .deeds = site.deeds,
                       .clock = site.clock};
  EXPECT_EQ(deploy(elsewhere, shop_rules).error().code, "foreign");
}

// --- New metrics --------------------------------------------------------------------------------

TEST(Deploy, AMetricThatCameLaterIsByteForByteTheOneThatWasThereFromTheBeginningAtRandom) {
  const char* many = std::getenv("KOI_CRASHES");
  const std::uint64_t seeds = many ? std::stoull(many) : 25;
  std::uint64_t customers = 0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE(seed);
    Shop later, always;
    Shoppers one(seed), other(seed);
    {
      Life life(later, shop_rules);
      one.live(later, life, 25);
      if (seed % 2 == 0) life.stop();
    }
    {
      Life life(always, shop_with_metrics);
      other.live(always, life, 25);
      life.stop();
    }
    {
      Life life(later, shop_with_metrics);
      ASSERT_THAT(life.reports, SizeIs(1));
      // These fourteen, and one without a name that shares its log with `week` from now on.
      EXPECT_THAT(life.reports[0].metrics_built, SizeIs(15));
      EXPECT_EQ(life.reports[0].metrics_built.back(), "1 unnamed");
      EXPECT_THAT(life.reports[0].carried.journeys_ended, IsEmpty());
      EXPECT_EQ(later.states(life.plan()), always.states(life.plan()));
      EXPECT_EQ(later.timers(), always.timers());
      one.live(later, life, 15);
      life.stop();
    }
    {
      Life life(always, shop_with_metrics);
      other.live(always, life, 15);
      life.stop();
    }
    const plan::Plan plan = plan_of(shop_with_metrics);
    ASSERT_EQ(later.states(plan), always.states(plan));
    ASSERT_EQ(later.outside.keys(), always.outside.keys());
    customers += later.states(plan).size();
  }
  EXPECT_GT(customers, seeds * 8);
}

// Whatever rules there were in between: beside the deployment the same is decided again.
TEST(Deploy, TheRebuildComesToTheStatesAsTheyAreAtRandom) {
  const std::vector<std::string> others{
      trial_shop(),
      trial_shop(more_metrics),
      trial_shop("segment late when time since last order > 2 days\n"
                 "content back { body \"back\" }\n"
                 "campaign again { class service  enter always  when enters late\n"
                 "  send back via mail }\n"
                 "campaign daily { class service  enter always  every day at 09:00 for buyer\n"
                 "  send back via app, else mail }\n"),
      trial_shop(
          "metric got = count delivered\nsegment reached when got >= 2\n"
          "content hi { body \"hi {orders}\" }\n"
          "campaign hello { class service  when enters reached\n"
          "  wait for order up to 5 hours { send hi via app } else { send hi via mail } }\n"),
  };
  std::size_t compared = 0;
  const std::uint64_t seeds = std::getenv("KOI_CRASHES") ? 60 : 5;
  for (std::uint64_t seed = 100; seed < 100 + seeds; ++seed) {
    SCOPED_TRACE(seed);
    Shop place;
    Shoppers history(seed);
    for (int turn = 0; turn < 5; ++turn) {
      const Bundle bundle = trial_bundle(others[history.below(others.size())]);
      Life life(place, bundle);
      history.live(place, life, 10);
      if (history.below(2) == 0) life.stop();
    }
    {
      Life life(place, shop_rules);
      life.stop();
    }
    const Deployment deployment = **read_deployment(place.directory);
    const Bundles bundles(place.directory);
    Plans plans(bundles);
    for (const Turn& turn : deployment.turns) ASSERT_TRUE(plans.of(turn));
    const plan::Plan wanted = plan_of(trial_bundle(trial_shop("metric most = max order.amount\n")));
    const plan::Plan& live = **plans.of(deployment.turns.back());
    const auto rebuild = *Rebuild::make(
        place.directory, {place.journal, trial_groups, deployment.turns, plans.all()}, wanted, {},
        99, 4u << 20, [](std::uint64_t) {});
    core::Codec codec(live), codec_beside(rebuild->plan());
    for (store::Group group = 0; group < trial_groups.count; ++group) {
      const auto layouts = *place.memory.layouts(group);
      for (const std::string& layout : layouts) ASSERT_TRUE(codec.learn(layout));
      const auto beside = *rebuild->store().layouts(group);
      for (const std::string& layout : beside) ASSERT_TRUE(codec_beside.learn(layout));
    }
    for (const auto& [customer, bytes] : place.stored()) {
      core::State stored = *codec.decode(bytes);
      const auto beside = *rebuild->store().load(partition_of(customer), customer);
      ASSERT_TRUE(beside);
      core::State again = *codec_beside.decode(*beside);
      again.accumulators.truncate(live.accumulators.size());
      again.logs.truncate(live.logs.size());
      again.recent = stored.recent;
      ASSERT_EQ(again, stored) << customer;
      ++compared;
    }
  }
  EXPECT_GT(compared, 8 * seeds);
}

TEST(Deploy, MetricsOverWhatTheOldRulesDidNotDeclareBeginWithTheDeploy) {
  Shop place;
  {
    Life life(place, shop_rules);
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
  }
  std::string text = trial_shop(
      "event gift { to: text }\nmetric gifts = count gift\n"
      "metric wrapped = count order where wrap\nmetric plain = count order where not wrap\n");
  text.replace(text.find("amount: money  sku"), 13, "wrap: bool = no  amount: money");
  Life life(place, trial_bundle(text));
  ASSERT_THAT(life.reports, SizeIs(1));
  EXPECT_THAT(life.reports[0].metrics_built, ElementsAre("gifts", "wrapped", "plain"));
  const auto value = [&](std::string_view name) {
    for (const plan::Metric& metric : life.plan().metrics)
      if (metric.symbol.name == name)
        return core::read(life.plan(), metric, life.state("ann"), place.now).raw();
    ADD_FAILURE() << name;
    return std::int64_t{-1};
  };
  EXPECT_EQ(value("gifts"), 0);
  EXPECT_EQ(value("wrapped"), 0);
  EXPECT_EQ(value("plain"), 1) << "a field that was not there is as one that was left out";
  life.take({{"gift", "2", "ann", place.now, {{"to", Value::text("bo")}}}});
  EXPECT_EQ(value("gifts"), 1);
}

// Values of an enumeration are numbers in journal and state; rules may put others between them.
TEST(Deploy, EnumerationsAreCarriedByTheirNames) {
  Shop place;
  const Value mid = Value::enumerator(1);
  {
    Life life(place, trial_bundle(trial_shop("metric last_level = last order.level\n")));
    life.take({{"register", "1", "ann", place.now, {{"level", mid}}},
               {"order", "2", "ann", place.now, {{"amount", Value::money(1)}, {"level", mid}}}});
  }
  std::string text = trial_shop(
      "metric last_level = last order.level\n"
      "metric mids = count order where level == mid\n"
      "metric tops = count order where level == top\n");
  for (std::size_t at = 0; (at = text.find("enum(low, mid, high)", at)) != std::string::npos; ++at)
    text.replace(at, 20, "enum(top, high, low, mid)");
  Life life(place, trial_bundle(text));
  const core::State ann = life.state("ann");
  const auto attribute =
      std::find_if(life.plan().schema.attributes.begin(), life.plan().schema.attributes.end(),
                   [](const Attribute& each) { return each.symbol.name == "level"; });
  EXPECT_EQ(
      ann.attributes[static_cast<std::size_t>(attribute - life.plan().schema.attributes.begin())],
      Value::enumerator(3));
  std::map<std::string, Value> values;
  for (const plan::Metric& metric : life.plan().metrics)
    values[metric.symbol.name] = core::read(life.plan(), metric, ann, place.now);
  EXPECT_EQ(values["last_level"], Value::enumerator(3));
  EXPECT_EQ(values["mids"], Value::integer(1));
  EXPECT_EQ(values["tops"], Value::integer(0));
}

// --- The tail -----------------------------------------------------------------------------------

TEST(Deploy, WhatTheOldRulesHaveAcceptedIsDecidedByThem) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    Shop killed, stopped;
    for (Shop* place : {&killed, &stopped}) {
      Shoppers history(seed);
      {
        Life life(*place, shop_rules);
        history.live(*place, life, 10);
        life.stop();
        history.live(*place, life, 10);
        if (place == &stopped) life.stop();
      }
      place->now = place->now + hours(1);
      const Bundle other = trial_bundle(trial_shop("segment rich when orders >= 5\n"));
      Life life(*place, other);
      ASSERT_THAT(life.reports, SizeIs(1));
      EXPECT_EQ(life.reports[0].tail_inputs > 0, place == &killed);
      life.stop();
    }
    EXPECT_EQ(killed.outside.keys(), stopped.outside.keys());
    EXPECT_EQ(killed.stored(), stopped.stored());
    EXPECT_EQ(killed.timers(), stopped.timers());
  }
}

TEST(Deploy, WhatTheDeedsKeepIsCarriedOverAsItIs) {
  Shop place;
  {
    Life life(place, shop_rules);
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
  }
  ASSERT_TRUE(place.deploy(shop_with_metrics));
  std::vector<std::string> kept;
  for (store::Group group = 0; group < trial_groups.count; ++group)
    if (const std::string bytes = *place.memory.kept(group); !bytes.empty())
      kept.push_back(durable::decode_kept(bytes)->deeds);
  EXPECT_THAT(kept, testing::Contains("taken 2"));  // ann entered and was sent something
}

// --- Campaigns ----------------------------------------------------------------------------------

// The state of ann, who is in `thank` (waiting three hours) and on her way into `remind`, after a
// deploy of the text; and what the report says.
struct AfterDeploy {
  core::State ann;
  plan::Plan plan;
  Report report;
  std::set<Hash128> before, after;
};
AfterDeploy deployed(const std::string& text, Duration later = days(1)) {
  Shop place;
  {
    Life life(place, shop_rules);
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}},
               {"view", "2", "ann", place.now, {{"sku", Value::text("a")}}}});
  }
  AfterDeploy result;
  result.before = place.outside.keys();
  Life life(place, trial_bundle(text));
  result.ann = life.state("ann");
  result.plan = life.plan();
  if (!life.reports.empty()) result.report = life.reports.back();
  place.now = place.now + later;
  life.settle();
  for (const Hash128& key : place.outside.keys())
    if (!result.before.contains(key)) result.after.insert(key);
  return result;
}

TEST(Deploy, AJourneyInACampaignThatIsAsItWasGoesOn) {
  const auto same = deployed(trial_shop());
  EXPECT_THAT(same.ann.journeys, SizeIs(2));
  const auto texts = deployed(
      replaced(trial_shop("segment rich when orders >= 9\n"), "welcome", "welcome, welcome"));
  EXPECT_THAT(texts.report.carried.journeys_ended, IsEmpty());
  EXPECT_THAT(texts.ann.journeys, SizeIs(2));
  EXPECT_EQ(texts.after, same.after) << "its keys too";
  EXPECT_THAT(same.after, SizeIs(3));  // mail after three hours, into remind, the nudge
}

std::string without_campaign(std::string text, const std::string& name) {
  const auto from = text.find("campaign " + name + " ");
  KOI_ASSERT(from != std::string::npos);
  return text.erase(from, text.find("}\n", from) + 2 - from);
}

std::map<std::string, std::uint64_t> by_name(const std::map<std::string, std::uint64_t>& kept) {
  std::map<std::string, std::uint64_t> all;
  for (const auto& [name, journeys] : kept) all[name.substr(0, name.find('@'))] += journeys;
  return all;
}

using Counts = std::map<std::string, std::uint64_t>;

TEST(Deploy, AJourneyWhoseStepsHaveChangedGoesOnByThoseItBeganWith) {
  const auto usual = deployed(trial_shop());
  const auto other = deployed(replaced(trial_shop(), "wait 3 hours", "wait 2 hours"));
  EXPECT_EQ(by_name(other.report.carried.journeys_kept), (Counts{{"thank", 1}}));
  EXPECT_THAT(other.report.carried.journeys_ended, IsEmpty());
  EXPECT_EQ(other.report.carried.sends_forgotten, 0u);
  ASSERT_THAT(other.ann.journeys, SizeIs(2));
  EXPECT_EQ(other.after, usual.after);
  EXPECT_NE(told(other.report).find("  1 journey goes on in thank@"), std::string::npos)
      << told(other.report);
  const auto shorter = deployed(replaced(trial_shop(), "wait 3 hours", "wait 2 hours"), hours(2));
  EXPECT_EQ(shorter.after, deployed(trial_shop(), hours(2)).after) << "not by the new hours";
}

TEST(Deploy, ATriggerInPartsWhoseWordsHaveChangedIsCompletedByTheOldOnes) {
  const auto other =
      deployed(replaced(trial_shop(), "within 30 minutes", "within 40 minutes"), minutes(35));
  EXPECT_EQ(by_name(other.report.carried.journeys_kept), (Counts{{"remind", 1}}));
  EXPECT_EQ(other.after, deployed(trial_shop(), minutes(35)).after);
  EXPECT_THAT(other.after, SizeIs(2));  // in, and the nudge
}

TEST(Deploy, WhoIsInACampaignThatIsGoneFinishesAndNobodyEntersIt) {
  const auto usual = deployed(trial_shop());
  std::string text = trial_shop();
  for (const char* name : {"thank", "greet", "remind"}) text = without_campaign(text, name);
  const auto other = deployed(text);
  EXPECT_EQ(by_name(other.report.carried.journeys_kept), (Counts{{"remind", 1}, {"thank", 1}}));
  EXPECT_EQ(other.after, usual.after);
  Shop place;
  {
    Life life(place, shop_rules);
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
  }
  const std::size_t before = place.outside.keys().size();
  Life life(place, trial_bundle(text));
  life.take({{"order", "2", "ann", place.now, {{"amount", Value::money(100)}}},
             {"order", "3", "bo", place.now, {{"amount", Value::money(100)}}}});
  EXPECT_EQ(place.outside.keys().size(), before + 1) << "ann reaches her goal, and that is all";
}

TEST(Deploy, WhoIsInOneVersionIsInTheCampaignAndOutOfItMayEnterTheNext) {
  Shop place;
  {
    Life life(place, shop_rules);
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
    life.stop();
  }
  Life life(place, trial_bundle(replaced(trial_shop(), "thank you for", "many thanks for")));
  const auto versions = [&] {
    std::vector<std::string> names;
    for (const core::Journey& journey : life.state("ann").journeys)
      if (journey.phase == core::Journey::Phase::Active)
        names.push_back(
            plan::full_name_of(life.plan().campaigns[journey.campaign.index()]).substr(0, 6));
    return names;
  };
  life.take({{"order", "2", "ann", place.now, {{"amount", Value::money(100)}}}});
  EXPECT_THAT(versions(), testing::UnorderedElementsAre("thank@", "greet")) << "not in again";
  place.now = place.now + hours(4);
  life.settle();
  life.take({{"order", "3", "ann", place.now, {{"amount", Value::money(100)}}}});
  EXPECT_THAT(versions(), testing::UnorderedElementsAre("thank", "greet"));
  std::set<std::string> texts;
  for (const auto& [key, text] : place.outside.texts()) texts.insert(text);
  EXPECT_EQ(texts, (std::set<std::string>{"thank you for it", "many thanks for it"}));
}

TEST(Deploy, TheGateAsksTheNewestPolicyForOldJourneysToo) {
  const auto other =
      deployed(replaced(replaced(trial_shop(), "still there", "hello"), "cap marketing 3 per day",
                        "quiet hours 08:00 to 09:00 drop"));
  EXPECT_EQ(by_name(other.report.carried.journeys_kept), (Counts{{"remind", 1}}));
  const auto usual = deployed(trial_shop());
  std::vector<Hash128> both;
  std::set_intersection(usual.after.begin(), usual.after.end(), other.after.begin(),
                        other.after.end(), std::back_inserter(both));
  EXPECT_THAT(both, SizeIs(2)) << "the mail, and she is in; a refusal is another thing";
  EXPECT_THAT(other.after, SizeIs(3));
}

TEST(Deploy, AChannelThatIsGoneIsLeftOutOfOldSteps) {
  std::string text = without_campaign(trial_shop(), "thank");
  text = replaced(text, "channel mail { class direct }\n", "");
  const auto other = deployed(text), usual = deployed(trial_shop());
  EXPECT_THAT(other.after, SizeIs(3)) << "the last mail is refused, and not forgotten";
  EXPECT_NE(other.after, usual.after);
}

// Whatever the rules become, and however often: who began before is told what he would have been
// told, word for word and under the same keys.
TEST(Deploy, WhoIsUnderWayFinishesOnTheVersionHeEnteredWithAtRandom) {
  std::string gone = trial_shop();
  for (const char* name : {"thank", "greet", "remind"}) gone = without_campaign(gone, name);
  gone = replaced(gone, "segment buyer when orders >= 2\n", "");
  const std::vector<std::string> others{
      gone,
      replaced(replaced(replaced(trial_shop(), "wait 3 hours", "wait 2 hours"), "wait 1 day",
                        "wait 2 days"),
               "within 30 minutes", "within 3 minutes"),
      replaced(replaced(trial_shop(more_metrics), "thank you", "merci"), "still there", "encore"),
      replaced(replaced(trial_shop(), "event order { amount: money  sku: text?",
                        "event order { sku: text?  paid: bool = no  amount: money"),
               "class transactional  enter always", "class transactional  priority 90"),
      trial_shop("segment late when time since last order > 2 days\n"),
  };
  const std::uint64_t seeds = std::getenv("KOI_CRASHES") ? 200 : 25;
  std::size_t kept = 0;
  for (std::uint64_t seed = 300; seed < 300 + seeds; ++seed) {
    SCOPED_TRACE(seed);
    Shop moved, stayed;
    Shoppers one(seed), other(seed);
    std::size_t before = 0;
    {
      Life life(moved, shop_rules);
      one.live(moved, life, 25);
      if (seed % 2 == 0) life.stop();
    }
    {
      Life life(stayed, shop_rules);
      other.live(stayed, life, 25);
      before = stayed.outside.keys().size();
      stayed.now = stayed.now + days(9);
      life.settle();
    }
    for (int deploys = 0; deploys < 3; ++deploys) {
      Life life(moved, trial_bundle(others[one.below(others.size())]));
      EXPECT_THAT(life.reports.empty() ? Counts() : life.reports[0].carried.journeys_ended,
                  IsEmpty());
      if (!life.reports.empty())
        for (const auto& [name, journeys] : life.reports[0].carried.journeys_kept) kept += journeys;
      moved.now = moved.now + hours(1);
      life.settle();
      if (one.below(2) == 0) life.stop();
    }
    {
      Life life(moved, trial_bundle(gone));
      moved.now = stayed.now;
      life.settle();
      life.stop();
    }
    EXPECT_EQ(moved.outside.texts(), stayed.outside.texts());
    EXPECT_EQ(moved.outside.keys(), stayed.outside.keys());
    EXPECT_GE(stayed.outside.keys().size(), before);
  }
  EXPECT_GT(kept, seeds * 3);
}

TEST(Deploy, AVersionThatNobodyIsInAnyMoreIsLetGo) {
  Shop place;
  {
    Life life(place, shop_rules);
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
    life.answer();
    life.stop();
  }
  const Bundle merci = trial_bundle(replaced(trial_shop(), "thank you", "merci")),
               gracias = trial_bundle(replaced(trial_shop(), "thank you", "gracias"));
  {
    Life life(place, merci);
    EXPECT_THAT(live(place.directory)->turn.kept, SizeIs(1));
    life.stop();
  }
  {
    Life life(place, gracias);
    EXPECT_THAT(live(place.directory)->turn.kept, SizeIs(1)) << "ann is in the first one still";
    EXPECT_EQ(live(place.directory)->turn.kept[0].bundle, name_of(shop_rules));
    place.now = place.now + days(3);
    life.settle();
    life.answer();
    // The goal is over for a customer when something is next decided for her.
    life.take({{"register", "2", "ann", place.now, {}}});
    life.stop();
  }
  Life life(place, merci);
  EXPECT_THAT(live(place.directory)->turn.kept, IsEmpty());
}

TEST(Deploy, WhoIsOverTheLineWhenItIsDrawnIsInsideAndEntersNothing) {
  const std::string more =
      "segment anybody when orders >= 1\nsegment nobody when orders >= 2 and not in anybody\n"
      "content hi { body \"hi\" }\n"
      "campaign hello { class service  when enters anybody  send hi via app }\n";
  const auto other = deployed(trial_shop(more));
  std::map<std::string, bool> inside;
  for (std::size_t i = 0; i < other.plan.watches.size(); ++i)
    inside[other.plan.watches[i].symbol.name] = other.ann.watches[i].inside;
  EXPECT_TRUE(inside["anybody"]);
  EXPECT_FALSE(inside["nobody"]);
  EXPECT_EQ(other.after, deployed(trial_shop()).after);
}

TEST(Deploy, ASegmentThatTimeAloneBringsIsEnteredWhenItsTimeComes) {
  const std::string more =
      "segment lapsed when time since last order > 5 hours\n"
      "segment gone when time since last order > 5 days\ncontent hi { body \"hi\" }\n"
      "campaign hello { class service  when enters lapsed  send hi via app }\n"
      "campaign bye { class service  when enters gone  send hi via app }\n";
  const auto usual = deployed(trial_shop()), other = deployed(trial_shop(more));
  EXPECT_EQ(other.after.size(), usual.after.size() + 2) << "she enters hello and is sent something";
}

TEST(Deploy, SchedulesBeginFromNowOn) {
  Shop place;  // it is eight in the morning
  {
    Life life(place, shop_rules);
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
    place.now = place.now + hours(5);
    life.settle();
    life.stop();
  }
  const std::size_t before = place.outside.keys().size();
  place.now = place.now + hours(50);
  const std::string daily =
      "content hi { body \"hi\" }\n"
      "campaign daily { class service  enter always  every day at 09:00\n  send hi via app }\n"
      "campaign once { class service  enter always  at 2026-03-03 09:00  send hi via mail }\n";
  Life life(place, trial_bundle(trial_shop(daily)));
  life.settle();
  EXPECT_EQ(place.outside.keys().size(), before) << "nothing for the mornings before the deploy";
  place.now = *parse_instant("2026-03-05T00:59:59Z");
  life.settle();
  EXPECT_EQ(place.outside.keys().size(), before);
  place.now = *parse_instant("2026-03-05T01:00:01Z");
  life.settle();
  EXPECT_EQ(place.outside.keys().size(), before + 2) << "in at nine, and sent something";
  place.now = place.now + days(1);
  life.settle();
  EXPECT_EQ(place.outside.keys().size(), before + 4);
}

// The server was down at nine, and comes up with other rules.
TEST(Deploy, WhatASchedulesOwedIsNotLostByADeployOfSomethingElse) {
  const std::string daily =
      "content hi { body \"hi\" }\n"
      "campaign daily { class service  enter always  every day at 09:00\n  send hi via app }\n";
  for (const std::string& more :
       {std::string("segment rich when orders >= 9\n"),
        std::string("campaign nightly { class service  enter always  every day at 03:00\n  send hi "
                    "via app }\n")}) {
    Shop place;
    {
      Life life(place, trial_bundle(trial_shop(daily)));
      life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
      life.stop();
    }
    const std::size_t before = place.outside.keys().size();
    place.now = place.now + hours(2);  // ten
    Life life(place, trial_bundle(trial_shop(daily + more)));
    EXPECT_EQ(life.reports[0].carried.schedules_missed, 0u);
    life.settle();
    EXPECT_EQ(place.outside.keys().size(), before + 2);
  }
  Shop place;
  {
    Life life(place, trial_bundle(trial_shop(daily)));
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
    life.stop();
  }
  const std::size_t before = place.outside.keys().size();
  place.now = place.now + hours(2);
  Life life(place, trial_bundle(trial_shop(
                       daily + "campaign other { class service  enter always  every day at 09:30\n"
                               "  send hi via app }\n")));
  EXPECT_EQ(life.reports[0].carried.schedules_missed, 1u);
  life.settle();
  EXPECT_EQ(place.outside.keys().size(), before) << "neither fires for the past";
}

TEST(Deploy, ANewConditionToLeaveByIsNotAskedOfWhoEnteredWithoutIt) {
  const auto usual = deployed(trial_shop());
  const auto other = deployed(replaced(trial_shop(), "enter always  goal order",
                                       "enter always  leave when orders >= 1  goal order"));
  EXPECT_EQ(other.after, usual.after);
}

TEST(Deploy, ATextIsChangedWithoutAWalk) {
  Shop place;
  {
    Life life(place, shop_rules);
    life.take({{"order", "1", "ann", place.now, {{"amount", Value::money(100)}}}});
    life.stop();
  }
  const int before = place.store.seen();
  const auto reports = place.deploy(trial_bundle(replaced(trial_shop(), "welcome", "good day")));
  ASSERT_TRUE(reports);
  EXPECT_EQ(reports->front().carried.customers, 0u);
  EXPECT_EQ(place.store.seen(), before);
}

// --- Attributes, channels -----------------------------------------------------------------------

TEST(Deploy, AnAttributeOfAnotherTypeBeginsAnew) {
  std::string text = replaced(trial_shop(), "city: text?  level", "city: int = 3  level");
  text = replaced(text, "set city = register.city, level", "set level");
  text = replaced(text, "    set customer.city = \"told\" }", "    set customer.city = 4 }");
  Shop place;
  {
    Life life(place, shop_rules);
    life.take({{"register", "1", "ann", place.now, {{"city", Value::text("Turpan")}}}});
  }
  Life life(place, trial_bundle(text));
  const core::State ann = life.state("ann");
  std::map<std::string, Value> values;
  for (std::size_t i = 0; i < ann.attributes.size(); ++i)
    values[life.plan().schema.attributes[i].symbol.name] = ann.attributes[i];
  EXPECT_EQ(values["city"], Value::integer(3));
}

TEST(Deploy, RefusalsForAChannelThatIsGoneHoldForAll) {
  Shop place;
  {
    Life life(place, trial_bundle(trial_shop("channel post { class direct }\n")));
    Told refusal{"unsubscribed", "1", "ann", place.now, {{"channel", Value::text("post")}}};
    Told kept{"unsubscribed", "2", "ann", place.now, {{"channel", Value::text("mail")}}};
    life.take({refusal, kept});
  }
  Life life(place, shop_rules);
  EXPECT_GT(life.reports[0].carried.refusals_widened, 0u);
  const core::State ann = life.state("ann");
  std::set<std::string> refused;
  for (const core::Consent& consent : ann.consents) {
    EXPECT_FALSE(consent.granted);
    refused.insert(consent.channel ? life.plan().channels[consent.channel.index()].symbol.name
                                   : "everywhere");
  }
  EXPECT_EQ(refused, (std::set<std::string>{"everywhere", "mail"}));
}

// --- Back, and killed ---------------------------------------------------------------------------

TEST(Deploy, TheFormerRulesComeBackWithTheirOwn) {
  Shop there, stayed;
  Shoppers one(5), other(5);
  {
    Life life(there, shop_rules);
    one.live(there, life, 20);
  }
  { Life life(there, shop_with_metrics); }
  {
    Life life(there, shop_rules);
    EXPECT_EQ(life.reports[0].former, name_of(shop_with_metrics));
    one.live(there, life, 20);
    life.stop();
  }
  Life life(stayed, shop_rules);
  other.live(stayed, life, 40);
  life.stop();
  EXPECT_EQ(there.states(life.plan()), stayed.states(life.plan()));
  EXPECT_EQ(there.outside.keys(), stayed.outside.keys());
}

// Another metric, segment and schedule, and other steps for a campaign that some are in.
const Bundle third = trial_bundle(replaced(
    replaced(
        trial_shop("metric spent = sum order.amount\nsegment rich when spent > ¥20.00\n"
                   "content hi { body \"hi\" }\n"
                   "campaign daily { class service  enter always  every day at 09:00 for rich\n"
                   "  send hi via app }\n"),
        "wait 3 hours", "wait 2 hours"),
    "wait 1 day", "wait 2 days"));

// What comes of a history, a deploy that is killed at a checkpoint, and then these.
struct Ending {
  std::map<std::string, std::string> states;
  std::map<std::string, Timestamp> timers;
  std::set<Hash128> keys;
  std::vector<Hash128> turns;
  Carried carried;  // of the deploy that was killed
};
Ending ending(int kill_at, bool after, const Bundle& next, bool* was_killed) {
  Shop place;
  Shoppers history(11);
  {
    Life life(place, shop_rules);
    history.live(place, life, 15);
    life.stop();
    history.live(place, life, 10);
  }
  Ending end;
  place.store.fail_at(kill_at, after);
  const auto reports = place.deploy(third);
  *was_killed = !reports;
  if (!reports) {
    EXPECT_EQ(reports.error().code, "killed");
  } else {
    end.carried = reports->back().carried;
  }
  place.store.revive();
  {
    Life life(place, next);
    if (*was_killed && !life.reports.empty()) end.carried = life.reports.front().carried;
    history.live(place, life, 5);
    life.stop();
  }
  end.states = place.stored();
  end.timers = place.timers();
  end.keys = place.outside.keys();
  const Deployment deployment = **read_deployment(place.directory);
  for (const Turn& turn : deployment.turns) end.turns.push_back(turn.bundle);
  return end;
}

TEST(Deploy, AKillBetweenAnyTwoCheckpointsLeavesTheDataWhole) {
  bool killed = false;
  const Ending whole = ending(1'000'000, false, third, &killed);
  ASSERT_FALSE(killed);
  std::uint64_t kept = 0;
  for (const auto& [campaign, journeys] : whole.carried.journeys_kept) kept += journeys;
  ASSERT_GT(kept, 3u);
  int kills = 0;
  for (int at = 0;; ++at) {
    for (const bool after : {false, true}) {
      SCOPED_TRACE(std::to_string(at) + (after ? " after" : " before"));
      const Ending end = ending(at, after, third, &killed);
      EXPECT_EQ(end.states, whole.states);
      EXPECT_EQ(end.timers, whole.timers);
      EXPECT_EQ(end.keys, whole.keys);
      EXPECT_EQ(end.turns, whole.turns);
      EXPECT_EQ(end.carried, whole.carried) << "the report counts what was done before the kill";
      kills += killed ? 1 : 0;
    }
    if (!killed) break;
  }
  EXPECT_GT(kills, 10);
}

TEST(Deploy, AfterAKillTheFormerRulesOrYetOthersMayFollow) {
  bool killed = false;
  for (const Bundle* next : {&shop_rules, &shop_with_metrics}) {
    const Ending whole = ending(1'000'000, false, *next, &killed);
    for (int at = 0; at < 1000; at += 2) {
      SCOPED_TRACE(at);
      const Ending end = ending(at, at % 4 == 0, *next, &killed);
      if (!killed) break;
      if (end.turns == whole.turns) {
        EXPECT_EQ(end.states, whole.states);
        EXPECT_EQ(end.timers, whole.timers);
        EXPECT_EQ(end.keys, whole.keys);
      } else {
        // Killed before it was decided upon: it has never been.
        EXPECT_THAT(end.turns, testing::Each(testing::Ne(name_of(third))));
      }
    }
  }
}

TEST(Deploy, ABuildForOthersIsMadeAgainAndItsOwnIsTakenUp) {
  Shop place;
  {
    Life life(place, shop_rules);
    Shoppers(3).live(place, life, 20);
    life.stop();
  }
  std::filesystem::create_directory(place.directory.path() / "build");
  std::ofstream(place.directory.path() / "build" / "state-0.db") << "half of a file";
  std::uint64_t rows = 0;
  Site site = place.site();
  site.progress = [&](const Progress& progress) {
    if (progress.stage == Stage::Rebuild) rows = progress.done;
  };
  place.store.fail_at(0, false);  // of the walk: behind the build
  EXPECT_EQ(deploy(site, shop_with_metrics).error().code, "killed");
  EXPECT_GT(std::exchange(rows, 0), 20u);
  place.store.revive();
  const auto reports = deploy(site, shop_with_metrics);
  ASSERT_TRUE(reports);
  EXPECT_TRUE(reports->front().was_broken_off);
  EXPECT_EQ(rows, 0u);
  EXPECT_FALSE(std::filesystem::exists(place.directory.path() / "build"));
}

}  // namespace
}  // namespace koi::deploy
