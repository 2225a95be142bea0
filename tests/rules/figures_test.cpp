// What the figures of a referral say, against a count of our own over random histories: of what was
// said and done, not of what the accounts keep.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/accounts.h"
#include "event.h"
#include "program.h"
#include "sim/world.h"

namespace koi {
namespace {

using core::Action;
using core::books::ReferralFigures;
using core::books::Tally;

constexpr const char* referring_shop = R"(
policy { time zone "Asia/Shanghai"  currency CNY }
customer { device: text?  on register set device = register.device }
event register { device: text?  invited_by: code? }
event purchase { amount: money }
event refund {}
points stars {}
referral friends {
  bind first touch
  qualify when purchase
  reward inviter give 7 stars
  reward invitee give 3 stars
  refuse self, same device, cycle
  claw back when refund within 7 days
}
)";

const Timestamp begin = *parse_instant("2026-03-02T09:00:00+08:00");

// A history, and what its figures are by it alone: who came with whose code, and when either was
// given what a friend brings (3 stars to him, 7 to whoever brought him).
class History {
 public:
  History(const plan::Plan& plan, std::uint64_t seed) : plan_(plan), world_(plan), random_(seed) {
    Timestamp now = begin;
    for (int i = 0; i < 400; ++i) {
      now = now + seconds(static_cast<std::int64_t>(below(40'000)));
      happen(now, i);
    }
    for (const sim::Done& done : world_.done()) note(done);
  }

  core::Accounts& accounts() { return world_.accounts(); }
  std::uint64_t customers() const { return world_.customers().size(); }
  std::uint64_t asked() const { return asked_; }
  std::uint64_t refused() const { return refused_; }
  std::uint64_t qualified() const { return qualified_; }
  std::uint64_t clawed_back() const { return clawed_back_; }
  // Of those who were brought and have brought somebody, in order.
  std::vector<Duration> cycles() const {
    std::vector<Duration> all;
    for (const auto& [inviter, first] : first_success_)
      if (const auto bound = brought_at_.find(inviter);
          bound != brought_at_.end() && bound->second <= first)
        all.push_back(first - bound->second);
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  static std::string name(std::uint64_t i) { return "c" + std::to_string(i); }

  void happen(Timestamp now, int number) {
    const std::string who = name(below(60));
    std::map<std::string, Value> fields;
    std::string type = "register";
    switch (below(5)) {
      case 0:
      case 1: {
        const std::string by = name(below(60));
        fields["invited_by"] = Value::text(core::invite_code(plan_, plan::ReferralId::of(0), by));
        if (below(3) == 0) fields["device"] = Value::text("d" + std::to_string(below(30)));
        // An invitation is one only from somebody who is there, and once from each.
        const bool is_there = world_.customers().contains(by);
        const bool is_his_already = inviter_.contains(who) && inviter_[who] == by;
        if (is_there && by != who && !is_his_already) {
          ++asked_;
          said_[who] = {by, now};
        }
        break;
      }
      case 2: type = "refund"; break;
      default: type = "purchase"; fields["amount"] = Value::money(100);
    }
    const std::size_t before = world_.done().size();
    world_.happen(event(plan_, "e" + std::to_string(number), type, now, who, fields));
    const bool was_refused = std::any_of(
        world_.done().begin() + static_cast<std::ptrdiff_t>(before), world_.done().end(),
        [&](const sim::Done& done) {
          return done.effect.action == Action::Refuse && done.effect.of == Action::Claim;
        });
    const auto said = said_.find(who);
    if (said == said_.end()) return;
    if (was_refused) {
      ++refused_;
    } else {
      inviter_[who] = said->second.first;
      brought_at_[who] = said->second.second;
    }
    said_.erase(said);
  }

  void note(const sim::Done& done) {
    const core::Effect& effect = done.effect;
    if (!effect.gift || effect.gift->referral.is_none()) return;
    if (effect.action == Action::Give && effect.gift->amount.raw() == 7) {
      ++qualified_;
      first_success_.emplace(done.customer, effect.time);
    }
    if (effect.action == Action::ClawBack && effect.gift->amount.raw() == 7) ++clawed_back_;
  }

  const plan::Plan& plan_;
  sim::World world_;
  std::mt19937_64 random_;
  std::map<std::string, std::pair<std::string, Timestamp>> said_;  // by the event at hand
  std::map<std::string, std::string> inviter_;
  std::map<std::string, Timestamp> brought_at_, first_success_;
  std::uint64_t asked_ = 0, refused_ = 0, qualified_ = 0, clawed_back_ = 0;
};

TEST(Figures, AreWhatRandomHistoriesComeToByTheirDefinitions) {
  const plan::Plan plan = plan_of(referring_shop);
  std::size_t told = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    History history(plan, seed);
    const auto figures = history.accounts().figures(plan::ReferralId::of(0));
    ASSERT_TRUE(figures);
    EXPECT_EQ(figures->of(Tally::Customers), history.customers());
    EXPECT_EQ(figures->of(Tally::Asked), history.asked());
    EXPECT_EQ(figures->of(Tally::Qualified), history.qualified());
    EXPECT_EQ(figures->of(Tally::Joined), history.asked() - history.refused());
    EXPECT_EQ(figures->of(Tally::ClawedBack), history.clawed_back());
    // K by the definition, as a fraction that was not shortened.
    const double k =
        static_cast<double>(history.asked()) / static_cast<double>(history.customers()) *
        (static_cast<double>(history.qualified()) / static_cast<double>(history.asked()));
    EXPECT_NEAR(static_cast<double>(figures->k_factor().value()) / 1e6, k, 2e-6);
    const std::vector<Duration> cycles = history.cycles();
    if (cycles.empty()) {
      EXPECT_FALSE(figures->cycle_time());
      continue;
    }
    ++told;
    const std::int64_t median = cycles[(cycles.size() - 1) / 2].us / 1'000'000;
    const std::int64_t said = figures->cycle_time().value().us / 1'000'000;
    EXPECT_LE(said, median);
    EXPECT_GE(said + said / 32 + 1, median);
  }
  EXPECT_GT(told, 20u);
}

TEST(Figures, TimesThatAreCountedTogetherAreAThirtySecondApart) {
  for (const std::int64_t length : {0, 1, 31, 32, 63, 64, 65, 100, 1000, 86'400, 31'536'000}) {
    ReferralFigures figures;
    ASSERT_TRUE(figures.add(core::books::key_of_cycle("friends", seconds(length)), 1));
    const std::int64_t first = figures.cycle_time().value().us / 1'000'000;
    EXPECT_LE(first, length);
    EXPECT_GE(first + first / 32, length);
  }
  ReferralFigures figures;
  EXPECT_FALSE(figures.add("f", 1));
  EXPECT_FALSE(figures.add(core::books::prefix_of_counts("friends") + "t9", 1));
  EXPECT_FALSE(figures.add(core::books::key_of_prize("friends", "t0"), 1));
  EXPECT_FALSE(figures.cycle_time());
  EXPECT_FALSE(figures.k_factor());
}

TEST(Figures, OfSeveralTimesTheMiddleOneIsTold) {
  ReferralFigures figures;
  for (const auto& [length, count] : {std::pair(10, 2), std::pair(20, 1), std::pair(30, 3)})
    ASSERT_TRUE(figures.add(core::books::key_of_cycle("friends", seconds(length)),
                            static_cast<std::uint64_t>(count)));
  EXPECT_EQ(figures.cycle_time(), seconds(20));  // the third of six
}

}  // namespace
}  // namespace koi
