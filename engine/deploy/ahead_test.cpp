// A deploy ahead leaves what the same deploy in place leaves, whoever was decided about meanwhile.
#include "deploy/ahead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deploy/detail/shoppers.h"
#include "deploy/detail/trial.h"

namespace koi::deploy {
namespace {

using testing::ElementsAre;

// What a deploy is to: other steps and words, metrics, segments and schedules that were not there.
std::string other_shop(const std::string& more) {
  return replaced(
      replaced(trial_shop("segment rich when sum order.amount > ¥20.00\n"
                          "content hi { body \"hi\" }\n"
                          "campaign daily { class service  enter always  every day at 09:00 for "
                          "rich\n  send hi via app }\n" +
                          more),
               "wait 3 hours", "wait 2 hours"),
      "wait 1 day", "wait 2 days");
}
const Bundle other_rules = trial_bundle(other_shop(""));
const Bundle other_rules_with_metrics = trial_bundle(other_shop(more_metrics));

// What came of a history with a deploy in it.
struct Came {
  std::map<std::string, std::string> states;
  std::map<std::string, Timestamp> timers;
  std::set<Hash128> keys;
  Deployment deployment;
  Carried carried;
  std::vector<std::string> metrics;
};

class DeployAhead : public ::testing::Test {
 protected:
  // Before the deploy, while it is made ready, and behind it.
  static constexpr int before = 20, pieces = 5, behind = 15;

  static Came came_of(Shop& place, const Report& report) {
    Came came{place.stored(), place.timers(), place.outside.keys(), {}, {}, {}};
    came.deployment = **read_deployment(place.directory);
    came.deployment.seed = 0;  // made by chance
    came.carried = report.carried;
    came.metrics = report.metrics_built;
    return came;
  }

  static void live_up_to_the_border(Shop& place, Life& life, Shoppers& history) {
    history.live(place, life, before);
    for (int piece = 0; piece < pieces; ++piece) history.live(place, life, 3);
  }

  // Between two batches, with all written back.
  static Came in_place(std::uint64_t seed, const Bundle& wanted, const Ways& ways) {
    Shop place;
    Shoppers history(seed);
    {
      Life life(place, shop_rules);
      live_up_to_the_border(place, life, history);
      life.stop();
    }
    Life life(place, wanted, ways);
    history.live(place, life, behind);
    life.stop();
    return came_of(place, life.reports.front());
  }

  // While the same is lived. `next` fails where it is told to; null: never.
  static std::optional<Came> ahead(std::uint64_t seed, const Bundle& wanted, const Ways& ways,
                                   Timestamp since, int fail_at = -1, bool after = false) {
    Shop place;
    store::MemoryStore states(trial_groups);
    FailingStore next(states);
    next.fail_at(fail_at, after);
    Shoppers history(seed), which(seed + 1);
    std::optional<Result<Report>> report;
    {
      Life life(place, shop_rules);
      history.live(place, life, before);
      Site site = place.site();
      site.clock = [&] { return since; };
      auto made = Ahead::make(site, life.beside(next), wanted, {}, ways);
      bool is_well = made.has_value();
      for (int piece = 0; piece < pieces; ++piece) {
        history.live(place, life, 3);
        if (which.below(3) == 0) life.write_back();
        if (is_well && which.below(2) == 0) is_well = (*made)->follow().has_value();
      }
      life.stop();
      if (is_well) report = (*made)->go_live();
      if (report && *report && (*made)->carries()) place.live.become(next);
    }
    const bool is_live = report && *report;
    next.revive();
    Life life(place, is_live ? wanted : shop_rules, is_live ? Ways{{}, {}, ways.canary} : Ways());
    EXPECT_TRUE(life.reports.empty());
    history.live(place, life, behind);
    life.stop();
    return came_of(place, is_live ? **report : Report());
  }
};

// Ways that move somebody, or leave some to the former rules.
std::vector<std::pair<Bundle, Ways>> all_deploys() {
  return {{other_rules, {}},
          {other_rules_with_metrics, {}},
          {other_rules, {.migrate = {{"thank"}, {"greet"}}}},
          {other_rules_with_metrics, {.migrate = {{"greet"}}, .stop = {"thank"}}},
          {other_rules, {.canary = 300'000}},
          {trial_bundle(replaced(trial_shop(), "cap marketing 3", "cap marketing 2")), {}}};
}

TEST_F(DeployAhead, LeavesWhatTheSameDeployInPlaceLeavesWhateverIsDecidedMeanwhile) {
  int same_versions = 0;
  for (const auto& [wanted, ways] : all_deploys()) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      SCOPED_TRACE(to_hex(name_of(wanted)) + ", seed " + std::to_string(seed));
      const Came right = in_place(seed, wanted, ways);
      const std::optional<Came> came = ahead(seed, wanted, ways, right.deployment.turns[1].since);
      ASSERT_TRUE(came);
      EXPECT_EQ(came->keys, right.keys);
      EXPECT_EQ(came->metrics, right.metrics);
      // Beforehand it is not known that nobody will be in a version; else all is the same.
      if (came->deployment.turns[1].kept != right.deployment.turns[1].kept) {
        EXPECT_THAT(came->deployment.turns[1].kept,
                    testing::IsSupersetOf(right.deployment.turns[1].kept));
        continue;
      }
      ++same_versions;
      EXPECT_EQ(came->deployment, right.deployment);
      EXPECT_EQ(came->states, right.states);
      EXPECT_EQ(came->timers, right.timers);
      EXPECT_EQ(came->carried, right.carried);
    }
  }
  EXPECT_GT(same_versions, 20);
}

TEST_F(DeployAhead, ThatFailsAnywhereLeavesTheFormerRulesAsIfItHadNeverBeen) {
  const auto never = [](std::uint64_t seed) {
    Shop place;
    Shoppers history(seed);
    Life life(place, shop_rules);
    live_up_to_the_border(place, life, history);
    life.stop();
    history.live(place, life, behind);
    life.stop();
    return came_of(place, {});
  };
  constexpr std::uint64_t seed = 4;
  const Came untouched = never(seed);
  const Came right = in_place(seed, other_rules_with_metrics, {});
  int failed = 0;
  for (int at = 0; at < 1000; ++at) {
    for (const bool after : {false, true}) {
      SCOPED_TRACE(std::to_string(at) + (after ? " after" : " before"));
      const std::optional<Came> came =
          ahead(seed, other_rules_with_metrics, {}, right.deployment.turns[1].since, at, after);
      ASSERT_TRUE(came);
      const bool is_live = came->deployment.turns.size() == 2;
      EXPECT_EQ(came->keys, is_live ? right.keys : untouched.keys);
      EXPECT_EQ(came->states, is_live ? right.states : untouched.states);
      EXPECT_EQ(came->timers, is_live ? right.timers : untouched.timers);
      failed += is_live ? 0 : 1;
      if (is_live && !after) {
        EXPECT_GT(failed, 20);
        return;
      }
    }
  }
  FAIL() << "it never came to its end";
}

TEST_F(DeployAhead, IsGivenUpWhenItIsAsked) {
  Shop place;
  Shoppers history(1);
  Life life(place, shop_rules);
  history.live(place, life, before);
  store::MemoryStore next(trial_groups);
  const Site site = place.site();
  Beside beside = life.beside(next);
  beside.gives_up = [] { return true; };
  const auto made = Ahead::make(site, std::move(beside), other_rules, {}, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "stopping");
  EXPECT_EQ((**read_deployment(place.directory)).turns.size(), 1u);
}

TEST_F(DeployAhead, TakesAlongWhatCustomersShareAndWhatBecomesOfItMeanwhile) {
  Shop place;
  {
    Life life(place, shop_rules);
    Shoppers(1).live(place, life, before);
    life.stop();
  }
  const auto epoch = *place.live.take(0);
  const store::Position position = *place.live.position(0);
  const std::string kept = *place.live.kept(0);
  const auto share = [&](const std::vector<store::Shared>& shared) {
    ASSERT_TRUE(place.live.checkpoint({0, epoch, position, kept, {}, shared}, [] {
      return Result<std::span<const store::Saved>>(std::span<const store::Saved>());
    }));
  };
  std::vector<store::Shared> many;
  for (int i = 1000; i < 2500; ++i) many.push_back({"place " + std::to_string(i), "taken"});
  share(many);
  store::MemoryStore next(trial_groups);
  const Site site = place.site();
  const auto made = *Ahead::make(site,
                                 {.live = place.live,
                                  .next = next,
                                  .folder = {},
                                  .write_back = [] { return Result<void>(); },
                                  .gives_up = {}},
                                 other_rules, {}, {});
  EXPECT_EQ(*next.shared_behind(0, "", 10'000), many);
  share({{"place 1001", ""}, {"place 1002", "given back"}, {"pot", "7"}});
  ASSERT_TRUE(made->follow());
  share({{"pot", "6"}});
  ASSERT_TRUE(made->go_live());
  EXPECT_EQ(*next.shared_behind(0, "", 10'000), *place.live.shared_behind(0, "", 10'000));
  EXPECT_EQ(*next.shared(0, "pot"), "6");
  EXPECT_EQ(*next.shared(0, "place 1001"), "");
}

// --- What was written ---------------------------------------------------------------------------

TEST(FollowedStore, SaysEachWhoWasWrittenOnceAndForgetsHim) {
  store::MemoryStore beneath(trial_groups);
  Followed store(beneath, trial_groups);
  const auto epoch = *store.take(0);
  const auto write = [&](std::string customer) {
    const std::vector<store::Saved> one{{0, std::move(customer), "bytes", Timestamp::never()}};
    EXPECT_TRUE(store.checkpoint(0, epoch, 1, one));
  };
  const auto written = [&] {
    std::vector<std::string> names;
    for (const Followed::Written& group : store.written()) {
      for (const Followed::Customer& each : group.customers) names.push_back(each.id);
      names.insert(names.end(), group.shared.begin(), group.shared.end());
    }
    return names;
  };
  write("nobody asks");
  store.follow();
  write("bo");
  write("ann");
  write("bo");
  EXPECT_THAT(written(), ElementsAre("ann", "bo"));
  EXPECT_THAT(written(), testing::IsEmpty());
  write("ann");
  EXPECT_THAT(written(), ElementsAre("ann"));
  const std::vector<store::Shared> shared{{"pot", "7"}};
  ASSERT_TRUE(store.checkpoint({0, epoch, 1, {}, {}, shared}, [] {
    return Result<std::span<const store::Saved>>(std::span<const store::Saved>());
  }));
  EXPECT_THAT(written(), ElementsAre("pot"));
  EXPECT_EQ(store.checkpoint(0, epoch + 1, 2, {}).error().code, "fenced");
  store.stop_following();
  write("eve");
  EXPECT_THAT(written(), testing::IsEmpty());
}

}  // namespace
}  // namespace koi::deploy
