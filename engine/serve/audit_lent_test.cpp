// What groups have lent one another: whatever is in two places, or in none, is found.
#include "serve/audit_lent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "core/books.h"
#include "serve/detail/trial.h"

namespace koi::serve {
namespace {

using core::Escrow;
using core::Loan;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t definition = 77;
const ledger::Pot pot{definition, Timestamp::ever()};

class LentTest : public ::testing::Test {
 protected:
  LentTest() {
    plan_.policy.zone = &utc();
    plan_.budgets.push_back({.name = "gift", .definition = definition, .amount = 100});
    home_ = core::home_of(account_, three_groups.count);
    of_[home_].lent = {30, 20, 40};
    for (store::Group group = 0; group < three_groups.count; ++group) {
      of_[group].slice = of_[home_].lent[group];
      outs_[group] = 10;
    }
  }

  Lent::Findings found(bool had_others = false) {
    Lent lent(plan_, three_groups, had_others);
    for (store::Group group = 0; group < three_groups.count; ++group) {
      EXPECT_TRUE(lent.learn(group, core::books::key_of_escrow(account_), encode(of_[group])));
      lent.learn(group, pot, outs_[group]);
      for (const store::Shared& each : letters_[group])
        EXPECT_TRUE(lent.learn(group, each.key, each.bytes));
    }
    return lent.finish();
  }

  // A letter that is on its way.
  void writes(store::Group from, store::Group to, const Loan& loan) {
    durable::Rows rows;
    durable::Letters letters(from, three_groups, rows);
    letters.write(to, 1, loan);
    rows.freeze(letters_[from]);
  }

  plan::Plan plan_;
  std::string account_ = core::books::key_of(pot);
  store::Group home_ = 0;
  std::array<Escrow, three_groups.count> of_;
  std::array<std::int64_t, three_groups.count> outs_{};
  std::array<std::vector<store::Shared>, three_groups.count> letters_;
};

TEST_F(LentTest, WhatIsWhereItsHomeSaysIsRight) { EXPECT_THAT(found().wrong, IsEmpty()); }

TEST_F(LentTest, ASliceThatIsNotWhatWasLentIsFound) {
  const auto other = static_cast<store::Group>((home_ + 1) % three_groups.count);
  --of_[other].slice;
  EXPECT_THAT(found().wrong, ElementsAre(HasSubstr("`gift` has")));
  // Unless the rest is on its way, there or back.
  Loan loan;
  loan.account = account_;
  loan.amount = 1;
  loan.kind = Loan::Kind::Lend;
  writes(home_, other, loan);
  EXPECT_THAT(found().wrong, IsEmpty());
  letters_ = {};
  loan.kind = Loan::Kind::Back;
  writes(other, home_, loan);
  EXPECT_THAT(found().wrong, IsEmpty());
  loan.amount = 2;
  letters_ = {};
  writes(other, home_, loan);
  EXPECT_THAT(found().wrong, ElementsAre(HasSubstr("`gift` has")));
}

TEST_F(LentTest, WhatIsTakenBeyondASliceIsFound) {
  outs_[1] = of_[1].slice + 1;
  EXPECT_THAT(found().wrong, ElementsAre(HasSubstr("was taken by customers of group 1")));
  EXPECT_THAT(found(true).wrong, IsEmpty());
  EXPECT_THAT(found(true).notes, ElementsAre(HasSubstr("former rules")));
}

TEST_F(LentTest, WhatIsLentBeyondTheAmountIsFound) {
  of_[home_].lent[2] += 11;
  of_[2].slice += 11;
  EXPECT_THAT(found().wrong, ElementsAre(HasSubstr("has 100, and 101 are lent")));
}

TEST_F(LentTest, ASliceOfWhichItsHomeKnowsNothingIsFound) {
  of_[home_].lent.clear();
  for (store::Group group = 0; group < three_groups.count; ++group)
    if (group != home_) of_[group] = {};
  EXPECT_THAT(found().wrong, ElementsAre(HasSubstr("of which its home knows nothing")));
}

TEST_F(LentTest, ANumberInTwoPlacesIsFound) {
  account_ = core::books::key_of_codes("ten");
  of_ = {};
  home_ = core::home_of(account_, three_groups.count);
  of_[home_].lent = {5, 5, 5};
  of_[home_].next_number = 15;
  of_[0].ranges = {{0, 5}};
  of_[1].ranges = {{5, 10}};
  of_[2].ranges = {{12, 15}};
  of_[home_].pool_ranges = {{10, 12}};
  EXPECT_THAT(found().wrong, IsEmpty());
  of_[2].ranges = {{11, 15}};
  EXPECT_THAT(found().wrong, ElementsAre(HasSubstr("`ten` have the number 11 in two places")));
  of_[2].ranges = {{12, 16}};
  EXPECT_THAT(found().wrong, ElementsAre(HasSubstr("15, which was never lent")));
}

TEST_F(LentTest, ACodeInTwoPlacesIsFound) {
  account_ = core::books::key_of_stocked("spring.csv");
  of_ = {};
  of_[0].lent = {1, 1, 1};
  of_[1].codes = {{0, "A"}};
  of_[2].codes = {{1, "B"}};
  EXPECT_THAT(found().wrong, IsEmpty());
  Loan loan;
  loan.account = account_;
  loan.kind = Loan::Kind::Lend;
  loan.codes = {{1, "B"}};
  writes(0, 1, loan);
  EXPECT_THAT(found().wrong, ElementsAre(HasSubstr("`spring.csv` has its code number 1")));
}

}  // namespace
}  // namespace koi::serve
