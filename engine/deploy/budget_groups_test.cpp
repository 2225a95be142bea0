// What several groups give out of one budget: all of it, whatever dies or is lost, and nothing
// more.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "deploy/detail/town.h"
#include "durable/rows.h"

namespace koi::deploy {
namespace {

// So many events of forty customers, each sent again by whoever was not answered, and all at rest.
void grab_until_rest(Town& town, int events) {
  std::vector<Told> all;
  for (int number = 0; number < events; ++number) {
    all.push_back(grab(town, number, "c" + std::to_string(town.below(40))));
    town.submit(all.back());
    for (std::size_t left = town.below(6); left > 0; --left) town.go_on(true);
  }
  for (const Told& told : all) town.submit(told);
  town.come_to_rest();
  town.expect_at_rest();
}

TEST(BudgetOverGroups, OfAHundredYuanInOnesExactlyAHundredAreGivenAndTheNextOneIsRefused) {
  for (std::uint16_t groups = 2; groups <= 3; ++groups)
    for (std::uint32_t seed = 1; seed <= 6; ++seed) {
      SCOPED_TRACE(std::to_string(groups) + " groups, seed " + std::to_string(seed));
      Town town(packet_of_ones(), groups, seed);
      town.lose_one_in(seed % 2 == 0 ? 3 : 0);
      grab_until_rest(town, 130);
      EXPECT_EQ(town.handed.count(core::Action::Give), 100u);
      EXPECT_EQ(town.handed.money(), 100'00);
      EXPECT_EQ(town.handed.count(core::Action::Refuse, core::Reason::Budget), 30u);
      town.expect_as_replayed();
    }
}

TEST(BudgetOverGroups, TheLastCentIsGivenWhereWhatIsLeftWillDo) {
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    Town town(with_packets("red_packet gift { amount random ¥0.30 to ¥8.88 average ¥2.00 "
                           " budget ¥100.00  pay via wechat }",
                           "give gift or what is left"),
              3, seed);
    town.lose_one_in(4);
    grab_until_rest(town, 120);
    EXPECT_EQ(town.handed.money(), 100'00);
    town.expect_as_replayed();
  }
}

TEST(BudgetOverGroups, ACleanStopLeavesNoTailAndNothingOpen) {
  const plan::Plan plan = plan_of(trial_bundle(packet_of_ones()));
  constexpr store::Groups groups{3};
  store::MemoryJournal journal{groups, 1};
  store::MemoryStore store{groups};
  Handed handed;
  const Timestamp now = trial_begin();
  std::atomic<int> answered = 0;
  {
    auto writers = *durable::Writers::open(
        {plan, fair_rules, journal, store, groups, handed, [now] { return now; }}, {});
    writers->start({});
    for (int number = 0; number < 130; ++number) {
      std::vector<durable::Given> given;
      given.emplace_back(event_of(plan, {"grab",
                                         "e" + std::to_string(number),
                                         "c" + std::to_string(number),
                                         now,
                                         {{"openid", Value::text("o" + std::to_string(number))}}}));
      ASSERT_TRUE(
          writers->submit(std::move(given), [&](Result<std::vector<durable::Answer>> answers) {
            EXPECT_TRUE(answers);
            ++answered;
          }));
    }
    ASSERT_TRUE(writers->stop());
    EXPECT_EQ(writers->figures().letters, 0u);
  }
  EXPECT_EQ(answered, 130);
  for (store::Group group = 0; group < groups.count; ++group) {
    EXPECT_EQ(*journal.last(group), *store.position(group));
    EXPECT_FALSE(*durable::has_open(store, group));
  }
  EXPECT_EQ(handed.count(core::Action::Give), 100u);
}

TEST(BudgetOverGroups, ABudgetIsGivenToItsEndOverADeploy) {
  Shop shop{.groups = {2}};
  int number = 0;
  const auto serve = [&](const std::string& program, int events) {
    Life life(shop, trial_bundle(program));
    for (int i = 0; i < events; ++i) {
      const std::string who = "c" + std::to_string(++number);
      life.take({{"grab", "e" + who, who, shop.now, {{"openid", Value::text("o" + who)}}}});
    }
    life.stop();
  };
  serve(packet_of_ones(), 70);
  serve(packet_of_ones() + "metric grabs = count grab\n", 60);
  std::vector<std::int64_t> outs;
  for (const auto& [pot, balances] : balances_of(shop.live, shop.groups))
    if (balances.out() > 0) outs.push_back(balances.out());
  // The money, and how many packets it was.
  EXPECT_THAT(outs, testing::UnorderedElementsAre(100'00, 100));
}

}  // namespace
}  // namespace koi::deploy
