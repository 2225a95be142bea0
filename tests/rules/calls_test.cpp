// What tills, pages and reviewers ask for, as .koi tests cannot say it: the same call again, many
// tills at once, and that every answer is in the ledger.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "core/codec.h"
#include "shop.h"

namespace koi {
namespace {

using core::Action;
using core::Answer;
using core::Call;
using core::Reason;
using ledger::Stage;

constexpr const char* till_rules = R"(
policy { time zone "Asia/Shanghai"  currency CNY }
channel push { class direct }
event register { invited_by: code? }
event purchase { amount: money }
event come  {}
event share {}
points stars {}
coupon ten  { off ¥10.00 on orders from ¥50.00  codes generated "T-########"  budget ¥60.00  valid 3 hours }
coupon part { off 50% up to ¥8.00  codes generated "P-########"  budget ¥40.00 per day  valid 5 hours  combine with any }
red_packet party { total ¥10.00 split among 4 by luck at least ¥0.30  claim within 5 hours }
referral friends {
  qualify when purchase
  reward inviter give 40 stars at register
  reward inviter give 7 stars
  reward invitee give 3 stars
  at 2 friends give ten to inviter
  hold for review when more than 1 friends within 1 hour
}
campaign giving  { class service  enter always  when come give ten give part }
campaign sharing { class service  enter always  when share give party }
campaign counts  { class service  enter always  when redeemed give 1 stars }
)";

class Calls : public Shop {
 public:
  Calls() : Shop(till_rules) {}

  // The code that he was given last.
  std::string code(const std::string& customer, std::string_view incentive) {
    std::string found;
    if (world_.customer(customer).holdings.empty()) return found;
    for (const core::Grant& each : world_.customer(customer).holdings[0].grants)
      if (plan_.incentives[each.incentive.index()].symbol.name == incentive) found = each.code;
    return found;
  }

  Call call(Call::Kind kind, std::string id, std::string_view time, std::string of) const {
    Call made;
    made.kind = kind;
    made.id = std::move(id);
    made.time = that_day_at(time);
    made.code = std::move(of);
    made.order = "o1";
    made.amount = 8000;
    made.hold = minutes(10);
    return made;
  }

  Answer ask(Call::Kind kind, std::string id, std::string_view time, std::string of) {
    return world_.ask(call(kind, std::move(id), time, std::move(of)));
  }

  std::int64_t stars(const std::string& customer) {
    std::int64_t sum = 0;
    for (const core::Purse& purse : world_.customer(customer).holdings[0].purses)
      sum += ledger::balance(purse.lots, world_.clock());
    return sum;
  }

  std::size_t done(Action action) const {
    return static_cast<std::size_t>(
        std::count_if(world_.done().begin(), world_.done().end(),
                      [&](const sim::Done& each) { return each.effect.action == action; }));
  }
};

TEST_F(Calls, TheSameCallAgainIsAnsweredTheSameAndChangesNothing) {
  happen("come", "10:00", "ann");
  const std::string ten = code("ann", "ten");
  const Answer first = ask(Call::Kind::Redeem, "k1", "10:01", ten);
  EXPECT_EQ(first.reason, Reason::None);
  EXPECT_EQ(first.amount, 1000);
  const core::State before = world_.customer("ann");
  EXPECT_EQ(ask(Call::Kind::Redeem, "k1", "10:02", ten), first);
  EXPECT_EQ(world_.customer("ann"), before);
  EXPECT_EQ(ask(Call::Kind::Redeem, "k2", "10:03", ten).reason, Reason::Redeemed);
  EXPECT_EQ(done(Action::Redeem), 1u);
  EXPECT_EQ(stars("ann"), 1);
}

TEST_F(Calls, AnIdThatWasUsedForSomethingElseIsRefused) {
  happen("come", "10:00", "ann");
  const std::string ten = code("ann", "ten");
  ask(Call::Kind::Lock, "k1", "10:01", ten);
  EXPECT_EQ(ask(Call::Kind::Redeem, "k1", "10:02", ten).reason, Reason::KeyReused);
  EXPECT_EQ(done(Action::Redeem), 0u);
}

TEST_F(Calls, AnswersAreForgottenWithTheIdsOfEvents) {
  happen("come", "10:00", "ann");
  const std::string ten = code("ann", "ten");
  ask(Call::Kind::Lock, "k1", "10:01", ten);
  ask(Call::Kind::RollBack, "k2", "10:02", ten);
  EXPECT_EQ(world_.customer("ann").holdings[0].answers.size(), 2u);
  Call later = call(Call::Kind::Redeem, "k3", "10:02", ten);
  later.time = later.time + plan_.policy.id_horizon;
  EXPECT_EQ(world_.ask(later).reason, Reason::Lapsed);
  EXPECT_EQ(world_.customer("ann").holdings[0].answers.size(), 2u);  // k2, at its last instant
}

TEST_F(Calls, ToValidateChangesNothingAndSaysWhatARedemptionWould) {
  happen("come", "10:00", "ann");
  const std::string ten = code("ann", "ten");
  world_.run_to(that_day_at("10:01"), false);
  const core::State before = world_.customer("ann");
  EXPECT_EQ(ask(Call::Kind::Validate, "", "10:01", ten).amount, 1000);
  Call small = call(Call::Kind::Validate, "", "10:01", ten);
  small.amount = 4999;
  EXPECT_EQ(world_.ask(small).reason, Reason::Threshold);
  EXPECT_EQ(ask(Call::Kind::Validate, "", "10:01", "T-NOBODYS").reason, Reason::UnknownCode);
  EXPECT_EQ(world_.customer("ann"), before);
  // The timer that lets it lapse has not fired when somebody only looks.
  Call late = call(Call::Kind::Validate, "", "10:01", ten);
  late.time = that_day_at("13:01");
  EXPECT_EQ(core::validate(plan_, before, world_.accounts(), late).reason, Reason::Lapsed);
}

TEST_F(Calls, OfManyTillsExactlyOneWins) {
  happen("come", "10:00", "ann");
  const std::string ten = code("ann", "ten");
  int won = 0;
  for (int till = 0; till < 20; ++till) {
    Call redeem = call(till % 3 == 0 ? Call::Kind::Lock : Call::Kind::Redeem,
                       "k" + std::to_string(till), "10:01", ten);
    redeem.order = "o" + std::to_string(till);
    const Answer answer = world_.ask(redeem);
    won += answer.reason == Reason::None ? 1 : 0;
    if (till > 0) {
      EXPECT_EQ(answer.reason, Reason::Locked);
      EXPECT_EQ(answer.about, "o0");
    }
  }
  EXPECT_EQ(won, 1);
}

TEST_F(Calls, WhatWasNotTakenOffIsThereAgainAndARollBackTakesItBack) {
  happen("come", "10:00", "ann");
  const std::string part = code("ann", "part");
  const auto out = [&] {
    for (std::size_t i = 0; i < plan_.budgets.size(); ++i)
      if (plan_.budgets[i].is_money && plan_.budgets[i].name.starts_with("part"))
        return 4000 - world_.accounts().left(plan::BudgetId::of(i), world_.clock());
    return std::int64_t{-1};
  };
  EXPECT_EQ(out(), 800);
  Call small = call(Call::Kind::Redeem, "k1", "10:01", part);
  small.amount = 500;
  EXPECT_EQ(world_.ask(small).amount, 250);
  EXPECT_EQ(out(), 250);
  EXPECT_EQ(ask(Call::Kind::RollBack, "k2", "10:02", part).reason, Reason::None);
  EXPECT_EQ(out(), 800);
  // Where others have had the rest meanwhile, it is worth what is left.
  EXPECT_EQ(world_
                .ask([&] {
                  small.id = "k3";
                  small.time = that_day_at("10:03");
                  return small;
                }())
                .amount,
            250);
  for (const char* each : {"bo", "cy", "di", "ed"}) happen("come", "10:04", each);
  EXPECT_EQ(out(), 250 + 4 * 800);
  EXPECT_EQ(ask(Call::Kind::RollBack, "k4", "10:05", part).reason, Reason::None);
  EXPECT_EQ(out(), 4000);
  EXPECT_EQ(ask(Call::Kind::Redeem, "k5", "10:06", part).amount, 800);
}

TEST_F(Calls, ACampaignThatWaitsForARedemptionSeesEachOfThem) {
  happen("come", "10:00", "ann");
  const std::string ten = code("ann", "ten");
  ask(Call::Kind::Redeem, "k1", "10:01", ten);
  ask(Call::Kind::RollBack, "k2", "10:02", ten);
  ask(Call::Kind::Redeem, "k3", "10:03", ten);
  EXPECT_EQ(stars("ann"), 2);
  EXPECT_EQ(ask(Call::Kind::RollBack, "k4", "10:04", "T-NOBODYS").reason, Reason::UnknownCode);
  Call other = call(Call::Kind::RollBack, "k5", "10:04", ten);
  other.order = "o2";
  EXPECT_EQ(world_.ask(other).reason, Reason::NotHeld);
}

TEST_F(Calls, AFriendWhoClaimsIsToldHisShareAndWhyThereIsNone) {
  happen("share", "10:00", "ann");
  const std::string link = code("ann", "party");
  const auto claim = [&](const std::string& who, const std::string& id, std::string of) {
    Call made = call(Call::Kind::Claim, id, "10:01", std::move(of));
    made.customer = who;
    made.order.clear();
    return world_.ask(made);
  };
  std::int64_t sum = 0;
  for (const char* each : {"bo", "cy", "di"}) {
    const Answer answer = claim(each, "k", link);
    EXPECT_EQ(answer.reason, Reason::None);
    EXPECT_GE(answer.amount, 30);
    EXPECT_EQ(claim(each, "k", link), answer);
    sum += answer.amount;
  }
  EXPECT_EQ(claim("bo", "again", link).reason, Reason::TakenBefore);
  sum += claim("ed", "k", link).amount;
  EXPECT_EQ(sum, 1000);
  EXPECT_EQ(claim("fay", "k", link).reason, Reason::AllTaken);
  EXPECT_EQ(claim("fay", "k2", "NOBODYS").reason, Reason::UnknownCode);
  happen("come", "10:02", "ann");
  EXPECT_EQ(claim("fay", "k3", code("ann", "ten")).reason, Reason::UnknownCode);
  EXPECT_EQ(done(Action::Claim), 4u);
}

TEST_F(Calls, WhatWasHeldForReviewIsGivenOnceSomebodyHasLookedAtIt) {
  happen("come", "10:00", "ann");
  const std::string mine = core::invite_code(plan_, plan::ReferralId::of(0), "ann");
  for (const char* each : {"bo", "cy", "di", "ed"})
    happen("register", "10:01", each, {{"invited_by", Value::text(mine)}});
  EXPECT_EQ(stars("ann"), 40);  // the first; the others are held
  for (const char* each : {"bo", "di"})
    happen("purchase", "10:02", each, {{"amount", Value::money(100)}});
  EXPECT_EQ(stars("ann"), 47);
  const auto review = [&](Call::Kind kind, const std::string& id, const std::string& friend_) {
    Call made = call(kind, id, "10:03", {});
    made.customer = "ann";
    made.referral = plan::ReferralId::of(0);
    made.invitee = friend_;
    return world_.ask(made).reason;
  };
  EXPECT_EQ(review(Call::Kind::Approve, "r1", "di"), Reason::None);
  EXPECT_EQ(stars("ann"), 47 + 40 + 7);
  const auto tens = [&] {
    return std::count_if(world_.done().begin(), world_.done().end(), [&](const sim::Done& each) {
      return each.effect.action == Action::Give && each.effect.gift->referral &&
             each.effect.gift->code.starts_with("T-");
    });
  };
  EXPECT_EQ(tens(), 1);  // two friends
  EXPECT_EQ(review(Call::Kind::Approve, "r1", "di"), Reason::None);
  EXPECT_EQ(review(Call::Kind::Approve, "r2", "di"), Reason::NotInReview);
  EXPECT_EQ(review(Call::Kind::Decline, "r3", "ed"), Reason::None);
  happen("purchase", "10:04", "ed", {{"amount", Value::money(100)}});
  EXPECT_EQ(review(Call::Kind::Approve, "r4", "ed"), Reason::NotInReview);
  EXPECT_EQ(review(Call::Kind::Approve, "r5", "nobody"), Reason::NotInReview);
  EXPECT_EQ(stars("ann"), 47 + 40 + 7);
  EXPECT_EQ(tens(), 1);
}

// Random days at the till: however calls come, come again and come late, a code is taken off once,
// no budget is exceeded, and a state can be written and read in between.
TEST_F(Calls, RandomTillsNeverTakeACouponTwice) {
  std::mt19937_64 random(7);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  const core::Codec codec(plan_);
  std::vector<std::string> codes;
  std::map<std::string, std::int64_t> standing;  // codes that are redeemed, and not rolled back
  std::vector<std::pair<Call, Answer>> asked;
  Timestamp clock = that_day_at("06:00");
  std::size_t redeemed = 0, rolled_back = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    if (below(4) == 0) clock = clock + minutes(static_cast<std::int64_t>(below(6)));
    if (below(12) == 0) {
      const std::string who = "c" + std::to_string(below(5));
      world_.happen(event(plan_, "r" + std::to_string(i), "come", clock, who));
      const std::string given = code(who, below(2) == 0 ? "ten" : "part");
      if (!given.empty()) codes.push_back(given);
    }
    if (codes.empty()) continue;
    Call made;
    if (!asked.empty() && below(5) == 0) {
      const auto& [before, answer] =
          asked[asked.size() - 1 - below(std::min<std::size_t>(asked.size(), 50))];
      Call again = before;
      again.time = clock;
      if (clock - before.time > plan_.policy.id_horizon) continue;
      ASSERT_EQ(world_.ask(again), answer);
      continue;
    }
    made.kind = std::array{Call::Kind::Lock, Call::Kind::Redeem, Call::Kind::RollBack,
                           Call::Kind::Redeem}[below(4)];
    made.id = "k" + std::to_string(i);
    made.time = clock;
    made.code = codes[codes.size() - 1 - below(std::min<std::size_t>(codes.size(), 8))];
    made.order = "o" + std::to_string(below(4));
    made.amount = static_cast<std::int64_t>(below(10'000)) + 1;
    made.hold = minutes(static_cast<std::int64_t>(below(20)) + 1);
    const Answer answer = world_.ask(made);
    if (answer.incentive) asked.emplace_back(made, answer);  // else nobody has the code
    if (answer.reason != Reason::None) {
      ++refused;
    } else if (made.kind == Call::Kind::Redeem) {
      ++redeemed;
      EXPECT_LE(answer.amount, made.amount);
      EXPECT_TRUE(standing.emplace(made.code, answer.amount).second);
    } else if (made.kind == Call::Kind::RollBack) {
      rolled_back += standing.erase(made.code);
    }
    if (i % 100 == 0)
      for (const auto& [id, state] : world_.customers()) {
        const auto back = codec.decode(codec.encode(state));
        ASSERT_TRUE(back);
        EXPECT_EQ(*back, state);
      }
  }
  EXPECT_GT(redeemed, 50u);
  EXPECT_GT(rolled_back, 10u);
  EXPECT_GT(refused, 100u);
  EXPECT_EQ(done(Action::Redeem), redeemed);
  EXPECT_EQ(done(Action::RollBack), rolled_back);
}

}  // namespace
}  // namespace koi
