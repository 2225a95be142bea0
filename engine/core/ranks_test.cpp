#include "core/ranks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace koi::core {
namespace {

using testing::ElementsAre;

// Ranks by an attribute: the top p of each level, and who has no value.
std::vector<std::int64_t> levels(std::vector<std::optional<std::int64_t>> values,
                                 std::vector<std::int64_t> up_to) {
  plan::Plan plan;
  plan.policy.zone = &utc();
  plan.schema.attributes.push_back({.symbol = {"points", ""}, .type = {.kind = Kind::Int}});
  plan.nodes.push_back({plan::Op::Attribute, Kind::Int, 0, {}, {}});
  plan::Tier tier;
  tier.by = plan::NodeId::of(0);
  tier.up_to = std::move(up_to);
  std::vector<State> states;
  for (std::size_t i = 0; i < values.size(); ++i) {
    State& state = states.emplace_back();
    state.id = "c" + std::to_string(i);
    state.created = Timestamp{0};
    state.attributes.push_back(values[i] ? Value::integer(*values[i]) : Value());
  }
  std::vector<const State*> everybody;
  for (const State& state : states) everybody.push_back(&state);
  std::vector<std::int64_t> found;
  for (const Value& level : levels_of(plan, tier, everybody, Timestamp{0}))
    found.push_back(level.raw());
  return found;
}

TEST(Ranks, RankIOfNIsInTheTopPWhenIIsAtLeastTheOthersShare) {
  EXPECT_THAT(levels({10, 40, 30, 20}, {250'000, 500'000, 1'000'000}), ElementsAre(2, 0, 1, 2));
  EXPECT_THAT(levels({10, 40, 30, 20}, {250'000}), ElementsAre(1, 0, 1, 1));
  // A third of two: (1 - 1/3) * 2 = 1.33, and neither rank reaches it.
  EXPECT_THAT(levels({1, 2}, {333'333}), ElementsAre(1, 1));
  EXPECT_THAT(levels({1, 2, 3}, {333'334}), ElementsAre(1, 1, 0));
  EXPECT_THAT(levels({7}, {1'000'000}), ElementsAre(0));
  EXPECT_THAT(levels({7}, {500'000}), ElementsAre(1));
  EXPECT_THAT(levels({}, {500'000}), ElementsAre());
}

TEST(Ranks, EqualsGoByTheirIds) {
  EXPECT_THAT(levels({5, 5, 5, 5}, {250'000, 500'000}), ElementsAre(2, 2, 1, 0));
}

TEST(Ranks, WhoHasNoValueIsNotCounted) {
  EXPECT_THAT(levels({std::nullopt, 1, 2}, {500'000, 1'000'000}), ElementsAre(2, 1, 0));
}

TEST(Ranks, ALevelOfNoShareHasNobodyAndTheNextOneHasTheirs) {
  EXPECT_THAT(levels({1, 2, 3, 4}, {0, 500'000}), ElementsAre(2, 2, 1, 1));
}

}  // namespace
}  // namespace koi::core
