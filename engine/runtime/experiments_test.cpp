#include "runtime/experiments.h"

#include <gtest/gtest.h>

namespace koi::runtime {
namespace {

ArmFigures arm(std::uint64_t customers, std::uint64_t reached) {
  return {customers, customers, reached};
}
Certainty of(std::vector<ArmFigures> arms) { return certainty_of(arms); }

core::Effect split(std::uint16_t arm) {
  core::Effect effect;
  effect.action = core::Action::Split;
  effect.campaign = plan::CampaignId::of(0);
  effect.arm = plan::ArmId::of(arm);
  return effect;
}
core::Effect goal(std::initializer_list<std::uint16_t> arms) {
  core::Effect effect;
  effect.action = core::Action::Goal;
  effect.campaign = plan::CampaignId::of(0);
  for (const std::uint16_t each : arms) effect.arms.push_back(plan::ArmId::of(each));
  return effect;
}

// Chi-squared of each as the comments have it; one degree's critical values are 3.841, 6.635 and
// 10.828.
TEST(Experiments, ADifferenceIsSignificantAsPearsonsTestSays) {
  EXPECT_EQ(of({arm(100, 30), arm(100, 20)}), Certainty::None);  // 2.667
  EXPECT_EQ(of({arm(100, 33), arm(100, 20)}), Certainty::P05);   // 4.338
  EXPECT_EQ(of({arm(100, 38), arm(100, 20)}), Certainty::P01);   // 7.868
  EXPECT_EQ(of({arm(100, 45), arm(100, 20)}), Certainty::P001);  // 14.245
  EXPECT_EQ(of({arm(100, 20), arm(100, 45)}), Certainty::P001);
}

TEST(Experiments, ThreeArmsAreComparedAtOnce) {
  EXPECT_EQ(of({arm(100, 30), arm(100, 30), arm(100, 20)}), Certainty::None);  // 3.409
  EXPECT_EQ(of({arm(100, 35), arm(100, 30), arm(100, 20)}), Certainty::None);  // 5.746
  EXPECT_EQ(of({arm(100, 36), arm(100, 30), arm(100, 20)}), Certainty::P05);   // 6.390
  EXPECT_EQ(of({arm(100, 45), arm(100, 30), arm(100, 20)}), Certainty::P001);  // 14.634
}

// The critical values of four degrees are 9.488, 13.277 and 18.467.
TEST(Experiments, ManyArmsAreJudgedByAnApproximation) {
  EXPECT_EQ(of({arm(100, 20), arm(100, 20), arm(100, 20), arm(100, 20), arm(100, 33)}),
            Certainty::None);  // 7.729
  EXPECT_EQ(of({arm(100, 20), arm(100, 20), arm(100, 20), arm(100, 20), arm(100, 36)}),
            Certainty::P05);  // 11.494
}

TEST(Experiments, WhereFewAreExpectedNothingIsSaid) {
  EXPECT_EQ(of({arm(20, 4), arm(20, 5)}), Certainty::TooFew);
  EXPECT_EQ(of({arm(20, 20), arm(20, 20)}), Certainty::TooFew);
  EXPECT_EQ(of({arm(0, 0), arm(0, 0)}), Certainty::TooFew);
  EXPECT_EQ(of({arm(1000, 500)}), Certainty::TooFew);
}

TEST(Experiments, CustomersAreCountedOnceAndTheirEntriesEachTime) {
  Experiments counted;
  List<ArmTaken> ann, bo;
  counted.count(split(1), ann);
  counted.count(goal({1}), ann);
  counted.count(split(1), ann);
  counted.count(goal({1}), ann);
  counted.count(split(1), bo);
  counted.count(goal({}), bo);  // reached before the arm was taken
  Experiments others;
  List<ArmTaken> cy;
  others.count(split(0), cy);
  counted.add(others);

  const auto of_arm = [&](std::uint16_t id) {
    return counted.of(plan::CampaignId::of(0), plan::ArmId::of(id));
  };
  EXPECT_EQ(of_arm(1).entries, 3u);
  EXPECT_EQ(of_arm(1).customers, 2u);
  EXPECT_EQ(of_arm(1).reached, 1u);
  EXPECT_EQ(of_arm(0).customers, 1u);
  EXPECT_EQ(counted.of(plan::CampaignId::of(5), plan::ArmId::of(0)).customers, 0u);
}

TEST(Experiments, TheArmsOfOneSplitStandTogether) {
  plan::Plan plan;
  plan.campaigns.resize(2);
  plan.campaigns[1].arms = {{"a", 0}, {"b", 0}, {"c", 3}, {"d", 3}};
  const auto all = experiments_of(plan, {});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].arms[1].name, "d");
  EXPECT_FALSE(all[1].has_goal);
}

}  // namespace
}  // namespace koi::runtime
