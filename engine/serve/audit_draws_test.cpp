// Prize draws made again: over groups and other rules each comes to what it was, and whatever was
// told otherwise is found.
#include "serve/audit_draws.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/codec.h"
#include "deploy/detail/trial.h"
#include "serve/figures.h"
#include "store/over.h"

namespace koi::serve {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Prizes that run out; one is an incentive that is refused at last, and in the hat again then.
std::string wheel_of(const std::string& tea, const std::string& more = {}) {
  return R"(policy { time zone "Asia/Shanghai"  currency CNY }
event play {}
points stars {}
coupon ten { off ¥10.00  codes generated "T-##########"  budget 3 issued }
prize_draw wheel { prize "tea" )" +
         tea + R"(  prize 7 stars weight 2 stock 9
  prize ten weight 2 stock 8  prize "nothing" weight 4 }
campaign plays { class service  enter always  when play  give wheel }
)" + more;
}
const deploy::Bundle first_draws = deploy::trial_bundle(wheel_of("weight 3 stock 5"));
const deploy::Bundle later_draws =
    deploy::trial_bundle(wheel_of("weight 1 stock 7", "metric times = count play\n"));

// As a store of other bytes would give them: one customer has another prize than he won.
class ForgedStore final : public store::StoreOver {
 public:
  ForgedStore(store::Store& beneath, const plan::Plan& plan, std::string winner)
      : StoreOver(beneath), codec_(plan), winner_(std::move(winner)) {}
  Result<std::vector<store::Saved>> scan(Partition partition, std::string_view after,
                                         std::size_t limit) const override {
    KOI_LET(auto piece, StoreOver::scan(partition, after, limit));
    for (store::Saved& each : piece) {
      if (each.customer != winner_) continue;
      KOI_LET(core::State state, codec_.decode(each.bytes));
      for (core::Grant& grant : state.holdings[0].grants)
        if (!grant.prize.empty()) grant.prize = grant.prize == "tea" ? "nothing" : "tea";
      each.bytes = codec_.encode(state);
    }
    return piece;
  }

 private:
  core::Codec codec_;
  std::string winner_;
};

class DrawsAuditTest : public ::testing::TestWithParam<std::uint16_t> {
 protected:
  DrawsAuditTest() {
    play(first_draws, 60);
    play(later_draws, 40);
    timeline_ = *store::Timeline::open(place_.directory);
  }

  // So many play, some at once; then the server stops.
  void play(const deploy::Bundle& bundle, int players) {
    deploy::Life life(place_, bundle);
    plan_ = life.plan();
    plan_.schema.index();  // it was copied
    for (int i = 0; i < players; i += 5) {
      std::vector<deploy::Told> batch;
      for (int each = 0; each < 5; ++each) {
        const std::string number = std::to_string(++plays_);
        batch.push_back({"play", number, "c" + std::to_string(plays_ % 23), place_.now, {}});
      }
      life.take(batch);
      place_.now = place_.now + minutes(1);
    }
    life.stop();
  }

  // The line that the timeline has of a prize in somebody's hand.
  store::TimelineEntry line_of(const std::string& customer, const core::Grant& grant) const {
    return {partition_of(customer), customer, grant.at, grant.key,
            R"({"customer":")" + customer + R"(","action":"give","name":"wheel","key":")" +
                to_hex(grant.key) + R"(","prize":")" + grant.prize + R"("})"};
  }
  // What everybody has won, by his id.
  std::vector<std::pair<std::string, core::Grant>> won() const {
    std::vector<std::pair<std::string, core::Grant>> all;
    const core::Codec codec(plan_);
    for (const auto& [customer, bytes] : place_.states(plan_)) {
      const core::State state = *codec.decode(bytes);
      if (state.holdings.empty()) continue;
      for (const core::Grant& grant : state.holdings[0].grants)
        if (!grant.prize.empty()) all.emplace_back(customer, grant);
    }
    return all;
  }
  void tell(const store::TimelineEntry& entry) {
    ASSERT_TRUE(timeline_->add(std::vector<store::TimelineEntry>{entry}));
  }
  DrawsAudit audit(const store::Store& store, const DrawsQuestion& question = {},
                   bool is_copy = false) {
    auto made = audit_draws(place_.directory, place_.journal, store, *timeline_, place_.groups,
                            is_copy, question);
    EXPECT_TRUE(made) << made.error().what;
    return made ? *std::move(made) : DrawsAudit();
  }
  DrawsAudit audit(const DrawsQuestion& question = {}, bool is_copy = false) {
    return audit(place_.live, question, is_copy);
  }

  deploy::Shop place_{.groups = {GetParam()}};
  plan::Plan plan_;  // that was live last
  int plays_ = 0;
  std::unique_ptr<store::Timeline> timeline_;
};

TEST_P(DrawsAuditTest, EveryDrawComesToWhatItWas) {
  for (const auto& [customer, grant] : won()) tell(line_of(customer, grant));
  const DrawsAudit right = audit();
  EXPECT_THAT(right.findings, IsEmpty());
  EXPECT_THAT(right.notes, IsEmpty());  // no draw went without a prize that was there
  EXPECT_EQ(right.draws, 100u);
  EXPECT_EQ(right.in_hand, won().size());
  EXPECT_EQ(right.told, won().size());
  EXPECT_EQ(ledger::commitment(right.key), draws_commitment(plan_));
  const auto& wheel = right.drawn.at("wheel");
  EXPECT_EQ(wheel.at("tea"), 7u);    // all of it
  EXPECT_EQ(wheel.at("stars"), 9u);  // likewise
  EXPECT_GT(wheel.at("ten"), 3u);    // drawn again and again, though only three were there
  EXPECT_THAT(told(right), HasSubstr("every draw is right"));
  EXPECT_FALSE(std::filesystem::exists(place_.directory.path() / "build"));
}

TEST_P(DrawsAuditTest, AnotherPrizeInTheTimelineIsFound) {
  auto [customer, grant] = won().at(10);
  const std::string was = grant.prize;
  grant.prize = was == "tea" ? "nothing" : "tea";
  tell(line_of(customer, grant));
  EXPECT_THAT(audit().findings, ElementsAre(AllOf(HasSubstr(customer), HasSubstr(to_hex(grant.key)),
                                                  HasSubstr("`wheel` makes it `" + was + "`"))));
}

TEST_P(DrawsAuditTest, SomebodyElsesPrizeIsFound) {
  const auto [customer, grant] = won().at(3);
  tell(line_of("a_cousin", grant));
  EXPECT_THAT(audit().findings, ElementsAre(HasSubstr("somebody else who won it")));
}

TEST_P(DrawsAuditTest, ADrawThatNeverWasIsFoundButInABackupOfALaterMoment) {
  auto [customer, grant] = won().at(3);
  ++grant.key.low;
  tell(line_of(customer, grant));
  EXPECT_THAT(audit().findings, ElementsAre(HasSubstr("the journal has no such draw")));
  const DrawsAudit copy = audit({}, true);
  EXPECT_THAT(copy.findings, IsEmpty());
  EXPECT_THAT(copy.notes, ElementsAre(HasSubstr("behind the moment of this backup")));
}

TEST_P(DrawsAuditTest, AnotherPrizeInSomebodysHandIsFound) {
  const std::string winner = won().at(0).first;
  const ForgedStore forged(place_.live, plan_, winner);
  const auto findings = audit(forged).findings;
  EXPECT_FALSE(findings.empty());
  EXPECT_THAT(findings, Each(AllOf(HasSubstr(winner), HasSubstr("in hand"))));
}

TEST_P(DrawsAuditTest, AnotherKeyMakesOtherPrizes) {
  EXPECT_FALSE(audit({.key = ledger::Key{1, 2}}).findings.empty());
}

TEST_P(DrawsAuditTest, OtherRulesThanWerePublishedAreFound) {
  EXPECT_THAT(audit({.published = &plan_}).findings,
              ElementsAre(HasSubstr("`wheel`: the rules that were live since")));
}

TEST_P(DrawsAuditTest, WithoutTheJournalsBeginningNothingIsGuessed) {
  const auto epoch = place_.journal.take(0);
  ASSERT_TRUE(epoch);
  ASSERT_TRUE(place_.journal.drop(0, *epoch, 3));
  const auto made = audit_draws(place_.directory, place_.journal, place_.live, *timeline_,
                                place_.groups, false, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "erased");
}

TEST(DrawsCommitment, IsShownWhereSomethingIsDrawn) {
  const plan::Plan draws = deploy::plan_of(first_draws);
  EXPECT_THAT(campaigns_json(draws, "abc", {}, {}),
              HasSubstr(R"("draws_commitment":")" + draws_commitment(draws) + '"'));
  EXPECT_NE(
      draws_commitment(draws),
      draws_commitment(deploy::plan_of(deploy::trial_bundle(wheel_of("weight 3 stock 5"), 8))));
  EXPECT_THAT(campaigns_json(deploy::plan_of(deploy::shop_rules), "abc", {}, {}),
              Not(HasSubstr("commitment")));
}

INSTANTIATE_TEST_SUITE_P(Groups, DrawsAuditTest, ::testing::Values(1, 3));

}  // namespace
}  // namespace koi::serve
