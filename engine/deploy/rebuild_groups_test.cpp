// New metrics of customers who came from another group: beside the deployment the journals of all
// groups are decided again, each as far as those have come who go to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/codec.h"
#include "deploy/detail/shoppers.h"
#include "deploy/detail/trial.h"
#include "deploy/link.h"
#include "deploy/rebuild.h"

namespace koi::deploy {
namespace {

const IdentifierId phone = IdentifierId::of(0), device = IdentifierId::of(1);

// The shop, whose customers are known by their phones and by the devices that they use.
Bundle people_shop(const std::string& more = {}) {
  std::string text = trial_shop(more);
  text.insert(text.find("customer {") + 10, " identify by phone, device  ");
  return trial_bundle(text);
}

// Visitors on devices and customers of the shop's own, who log in on them: some on more than one,
// some where others of the family have logged in before.
Shoppers family(std::uint64_t seed) {
  const auto does = [told_before = 0](Shoppers& shoppers, Timestamp now) mutable {
    const auto below = [&](std::uint64_t bound) { return shoppers.below(bound); };
    const std::uint64_t who = below(10);
    const Identifier used{device, "d" + std::to_string(below(3) == 0 ? below(10) : who)};
    const std::string visitor = "device:" + used.text;
    Told told;
    told.id = "e" + std::to_string(++told_before);
    told.time = now - minutes(static_cast<std::int64_t>(below(3)));
    told.type = below(3) == 0 ? "view" : "order";
    if (told.type == "view")
      told.fields = {{"sku", Value::text(std::string(1, static_cast<char>('a' + below(3))))}};
    else
      told.fields = {{"amount", Value::money(static_cast<std::int64_t>(below(1000)))}};
    if (below(2) == 0) {  // nobody knows who looks around there
      told.customer = visitor;
      told.identifiers = {used};
    } else {
      told.customer = "c" + std::to_string(who);
      if (below(3) == 0) told.met = {{used, visitor, device}};
    }
    return told;
  };
  return Shoppers(seed, does);
}

// How many have gone to somebody of another group.
std::size_t went_over(const Shop& place, const plan::Plan& plan) {
  std::size_t all = 0;
  const core::Codec codec(plan);
  for (const auto& [customer, bytes] : place.states(plan)) {
    const core::State state = *codec.decode(bytes);
    const std::string* const other = core::gone_to(state);
    all += other != nullptr && place.groups.group_of(partition_of(customer)) !=
                                   place.groups.group_of(partition_of(*other));
  }
  return all;
}

TEST(RebuildOverGroups, AMetricThatCameLaterIsTheOneThatWasThereFromTheBeginning) {
  const Bundle shop = people_shop(), with_metrics = people_shop(more_metrics);
  std::size_t moved = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    Shop later{.groups = {3}}, always{.groups = {3}};
    Shoppers one = family(seed), other = family(seed);
    {
      Life life(later, shop);
      one.live(later, life, 25);
      if (seed % 2 == 0) life.stop();
    }
    {
      Life life(always, with_metrics);
      other.live(always, life, 25);
      life.stop();
    }
    Life life(later, with_metrics);
    ASSERT_EQ(life.reports.size(), 1u);
    EXPECT_EQ(life.reports[0].metrics_built.size(), 15u);
    ASSERT_EQ(later.states(life.plan()), always.states(life.plan()));
    EXPECT_EQ(later.timers(), always.timers());
    moved += went_over(later, life.plan());
  }
  EXPECT_GT(moved, 30u);
}

// It goes on where it stood, whoever was on his way then, on threads and one after the other.
TEST(RebuildOverGroups, GoesOnWhereItStoodAndComesToTheStatesAsTheyAre) {
  const Bundle shop = people_shop();
  const plan::Plan wanted = plan_of(people_shop("metric most = max order.amount\n"));
  std::size_t moved = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    Shop place{.groups = {3}};
    Shoppers history = family(seed);
    std::unique_ptr<Rebuild> rebuild;
    std::optional<Deployment> deployment;
    Life life(place, shop);
    deployment = **read_deployment(place.directory);
    const Bundles bundles(place.directory);
    Plans plans(bundles);
    ASSERT_TRUE(plans.of(deployment->turns[0]));
    for (int piece = 0; piece < 6; ++piece) {
      history.live(place, life, 8);
      rebuild.reset();
      auto made = Rebuild::make(
          place.directory,
          {place.journal, place.groups, deployment->turns, plans.all(), seed % 2 == 0}, wanted, {},
          99, 4u << 20, [](std::uint64_t) {});
      ASSERT_TRUE(made) << made.error().what;
      rebuild = *std::move(made);
    }
    life.stop();
    const plan::Plan& live = life.plan();
    core::Codec codec(live), codec_beside(rebuild->plan());
    for (store::Group group = 0; group < place.groups.count; ++group) {
      const auto layouts = *place.memory.layouts(group);
      for (const std::string& layout : layouts) ASSERT_TRUE(codec.learn(layout));
      const auto beside = *rebuild->store().layouts(group);
      for (const std::string& layout : beside) ASSERT_TRUE(codec_beside.learn(layout));
    }
    std::size_t compared = 0;
    for (const auto& [customer, bytes] : place.stored()) {
      core::State stored = *codec.decode(bytes);
      const auto beside = *rebuild->store().load(partition_of(customer), customer);
      ASSERT_TRUE(beside) << customer;
      core::State again = *codec_beside.decode(*beside);
      again.accumulators.truncate(live.accumulators.size());
      again.logs.truncate(live.logs.size());
      again.recent = stored.recent;
      ASSERT_EQ(again, stored) << customer;
      ++compared;
    }
    EXPECT_GT(compared, 10u);
    moved += went_over(place, live);
  }
  EXPECT_GT(moved, 20u);
}

}  // namespace
}  // namespace koi::deploy
