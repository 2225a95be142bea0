#include "deploy/carry.h"

#include <gtest/gtest.h>

#include <random>

#include "core/decide.h"
#include "deploy/detail/trial.h"

namespace koi::deploy {
namespace {

const std::string more_campaigns =
    "content hi { body \"hi\" }\n"
    "campaign daily { class service  enter always  every day at 09:00 for buyer\n"
    "  send hi via app, else mail }\n"
    "segment late when time since last order > 2 days\n"
    "campaign again { class service  leave when not in late  when enters late\n"
    "  send hi via mail  wait 3 days  send hi via app }\n";

// Customers as a random life leaves them, under the plan.
std::vector<core::State> states_of(const plan::Plan& plan, std::uint64_t seed) {
  std::mt19937_64 chance(seed);
  std::vector<core::State> states;
  for (int i = 0; i < 20; ++i) {
    core::State state = core::new_customer(plan, "c" + std::to_string(i));
    Timestamp now = trial_begin();
    std::vector<core::Effect> effects;
    for (std::uint64_t n = chance() % 20; n > 0; --n) {
      now = now + minutes(static_cast<std::int64_t>(chance() % 900));
      Told told{"order", "e" + std::to_string(n), state.id, now, {}};
      if (chance() % 3 == 0)
        told.type = "view", told.fields = {{"sku", Value::text("a")}};
      else
        told.fields = {{"amount", Value::money(static_cast<std::int64_t>(chance() % 500))}};
      if (chance() % 4 == 0)
        core::decide(plan, state, core::Tick{now, true}, effects);
      else
        core::decide(plan, state, event_of(plan, told), effects);
    }
    states.push_back(std::move(state));
  }
  return states;
}

TEST(Carry, ToTheSameRulesEveryStateStaysAsItIs) {
  const plan::Plan plan = plan_of(trial_bundle(trial_shop(more_campaigns)));
  const plan::Plan same = plan_of(trial_bundle("# a word\n" + trial_shop(more_campaigns)));
  const Carry carry(plan, same);
  EXPECT_TRUE(carry.changes_nothing());
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    for (const core::State& state : states_of(plan, seed)) {
      Carried carried;
      EXPECT_EQ(carry(state, state.clock + days(3), carried), state);
      EXPECT_EQ(carried, Carried{.customers = 1});
    }
}

// Whatever is recomputed for the new rules, the old ones would have come to the same.
TEST(Carry, ThereAndBackOverRulesWithMoreLosesNothing) {
  const plan::Plan plan = plan_of(trial_bundle(trial_shop(more_campaigns)));
  std::string text = trial_shop(
      "event gift { to: text }\n"
      "channel post { class direct }\nmetric gifts = count gift\n"
      "metric spent = sum order.amount\nsegment aaa when gifts > 2\n"
      "campaign given_to { class service  priority 90  when gift  wait 1 day  send told via post "
      "}\n" +
      more_campaigns);
  text.insert(text.find("customer { ") + 11, "age: int = 3  nick: text?  ");
  const plan::Plan more = plan_of(trial_bundle(text));
  const Carry there(plan, more), back(more, plan);
  EXPECT_FALSE(there.changes_nothing());
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    for (const core::State& state : states_of(plan, seed)) {
      Carried carried;
      const Timestamp now = state.clock + days(3);
      const core::State other = there(state, now, carried);
      EXPECT_EQ(other.due, state.due);
      EXPECT_EQ(back(other, now, carried), state);
      EXPECT_TRUE(carried.journeys_ended.empty());
    }
}

TEST(Carry, ValuesOfAnEnumerationGoByTheirNames) {
  Schema old, now;
  old.enumerations = {{{{"low", ""}, {"mid", ""}, {"high", ""}}}};
  now.enumerations = {{{{"high", ""}, {"low", ""}}},
                      {{{"low", ""}, {"mid", ""}, {"high", ""}, {"top", ""}}}};
  const Type level{.kind = Kind::Enum, .enumeration = EnumId::of(0)};
  const Type longer{.kind = Kind::Enum, .enumeration = EnumId::of(1)};
  const ValueMap map(old, level, now, level);
  EXPECT_EQ(map(Value::enumerator(0)), Value::enumerator(1));
  EXPECT_EQ(map(Value::enumerator(1)), Value());
  EXPECT_EQ(map(Value::enumerator(2)), Value::enumerator(0));
  EXPECT_EQ(map(Value()), Value());
  EXPECT_EQ(map(Value::list({Value::enumerator(2), Value::enumerator(1)})),
            Value::list({Value::enumerator(0)}));
  EXPECT_TRUE(ValueMap(old, level, now, longer).is_same());
  EXPECT_FALSE(ValueMap(old, level, now, {.kind = Kind::Int}).carries());
}

}  // namespace
}  // namespace koi::deploy
