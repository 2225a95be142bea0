#include "serve/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deploy/detail/trial.h"
#include "model/partition.h"

namespace koi::serve {
namespace {

using deploy::trial_groups;
using testing::HasSubstr;
using testing::Not;

// Who orders comes into `first`, once: for nobody has come before him.
const deploy::Bundle rules = deploy::trial_bundle(
    deploy::trial_shop("metric came = count entered where campaign == \"first\"\n"
                       "campaign first { class transactional  enter always  for came == 0\n"
                       "  when order  send told via app }\n"));

class Explained : public ::testing::Test {
 protected:
  Explained() {
    deploy::Life life(place_, rules);
    for (const char* id : {"1", "2"}) {
      life.take({{"order", id, "ann", place_.now, {{"amount", Value::money(100)}}}});
      place_.now = place_.now + hours(1);
    }
    life.stop();
  }
  Result<std::string> why(const std::string& campaign) {
    return explain(place_.directory, place_.journal, trial_groups,
                   {"ann", campaign, place_.now, {}});
  }
  deploy::Shop place_;
};

TEST_F(Explained, WhomItIsForIsAsToldWhenItWasAskedNotAsItsAnswerMadeIt) {
  const auto told = why("first");
  ASSERT_TRUE(told);
  EXPECT_THAT(*told, HasSubstr(R"("holds":true,"values":{"came":0}},"decided":true)"));
  EXPECT_THAT(*told, HasSubstr(R"("holds":false,"values":{"came":1}},"decided":false)"));
}

TEST_F(Explained, OfACustomerAloneTellsOfAllCampaigns) {
  const auto told = why("");
  ASSERT_TRUE(told);
  EXPECT_THAT(*told, HasSubstr(R"("campaign":"first","action":"enter")"));
  EXPECT_THAT(*told, HasSubstr(R"("campaign":"thank","action":"enter")"));
  EXPECT_THAT(*why("first"), Not(HasSubstr(R"("campaign":"thank")")));
}

TEST_F(Explained, SaysThatHistoryWasErasedAndNothingElse) {
  const store::Group group = trial_groups.group_of(partition_of("ann"));
  const auto epoch = *place_.journal.take(group);
  ASSERT_TRUE(place_.journal.drop(group, epoch, 2));
  const auto told = why("first");
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, "erased");
}

}  // namespace
}  // namespace koi::serve
