#include "core/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "core/codec.h"
#include "core/detail/plan_for_tests.h"
#include "core/gate.h"
#include "core/metrics.h"
#include "match/index.h"

namespace koi::core {
namespace {

using plan::Aggregate;
using plan::CampaignClass;

const Timestamp start = *parse_instant("2026-03-02T10:00:00Z");

// Metrics of every kind, and segments over some of them.
class Metrics : public PlanForTests {
 public:
  Metrics() {
    plan.schema.identifiers = {"phone", "openid", "device"};
    plan.watches_of_identity = {};
    const plan::Window month{plan::WindowKind::Trailing, {0, days(30)}};
    const plan::Window day{plan::WindowKind::ThisDay, {}};
    for (const plan::Window& window : {plan::Window{}, month, day}) {
      for (const FieldId field : {amount, pieces}) {
        metric(Aggregate::Sum, field, window);
        metric(Aggregate::Average, field, window);
        metric(Aggregate::Min, field, window);
        metric(Aggregate::Max, field, window);
      }
      for (const Aggregate each : {Aggregate::First, Aggregate::Last, Aggregate::Distinct,
                                   Aggregate::MostFrequent, Aggregate::Values})
        metric(each, sku, window);
      for (const Aggregate each :
           {Aggregate::Count, Aggregate::Ever, Aggregate::Never, Aggregate::TimeSinceLast})
        metric(each, {}, window);
    }
    plan.watches_of_identity.clear();
    for (std::size_t i = 0; i < plan.metrics.size(); ++i)
      if (plan.metrics[i].aggregate == Aggregate::Count) watch(plan::MetricId::of(i), 4);
    plan.watches_of_watch.resize(plan.watches.size());
    plan.on_enter.resize(plan.watches.size());
    plan.on_leave.resize(plan.watches.size());
  }

 private:
  void watch(plan::MetricId metric, std::int64_t least) {
    plan::Watch made;
    made.definition = 1000 + plan.watches.size();
    made.condition =
        compare(plan::Op::GreaterEqual, metric_node(metric), constant(Value::integer(least)));
    plan.watches.push_back(made);
    plan.reactions[order.index()].watches.push_back(plan::WatchId::of(plan.watches.size() - 1));
  }
};

class Two : public ::testing::Test {
 protected:
  Event order(int number, Timestamp at, std::mt19937_64& random) {
    Event event;
    event.id = "e" + std::to_string(number);
    event.type = made_.order;
    event.time = at;
    event.fields = {
        Value::money(static_cast<std::int64_t>(random() % 2000) - 300),
        random() % 4 == 0 ? Value() : Value::integer(static_cast<std::int64_t>(random() % 9)),
        Value::text("s" + std::to_string(random() % 5))};
    return event;
  }
  State merged(State one, State other, Timestamp at) {
    std::vector<Effect> effects;
    decide(made_.plan, other, Tick{at, false}, effects);
    State all = take_out(made_.plan, other, one.id);
    EXPECT_TRUE(other.is_gone);
    EXPECT_EQ(*gone_to(other), one.id);
    merge(made_.plan, one, std::move(all), at, effects);
    return one;
  }
  Metrics made_;
};

// Whatever is counted is as if there had always been one customer.
TEST_F(Two, AreOneWhereverTheyAreMerged) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    State one = new_customer(made_.plan, "one"), other = new_customer(made_.plan, "other");
    State always = new_customer(made_.plan, "one");
    std::vector<Effect> effects;
    const int count = 3 + static_cast<int>(random() % 60);
    const int until = 1 + static_cast<int>(random() % static_cast<unsigned>(count));
    Timestamp now = start;
    std::vector<Event> happened;
    for (int i = 0; i < count; ++i) {
      now = now + microseconds(1 + static_cast<std::int64_t>(random() % 200'000'000'000));
      const Event& event = happened.emplace_back(order(i, now, random));
      if (i == until) one = merged(std::move(one), std::move(other), now - microseconds(1));
      State& his = i < until && random() % 2 == 0 ? other : one;
      decide(made_.plan, his, event, effects);
      decide(made_.plan, always, event, effects);
    }
    if (until >= count) one = merged(std::move(one), std::move(other), now);
    for (int step = 0; step < 6; ++step) {
      for (State* const each : {&one, &always}) decide(made_.plan, *each, Tick{now, true}, effects);
      for (std::size_t i = 0; i < made_.plan.metrics.size(); ++i)
        ASSERT_EQ(read(made_.plan, made_.plan.metrics[i], one, now),
                  read(made_.plan, made_.plan.metrics[i], always, now))
            << "seed " << seed << " metric " << i << " step " << step;
      for (std::size_t i = 0; i < made_.plan.watches.size(); ++i)
        ASSERT_EQ(one.watches[i].inside, always.watches[i].inside) << "seed " << seed;
      now = now + hours(1 + static_cast<std::int64_t>(random() % 400));
    }
    for (const Event& each : happened) {
      const bool is_forgotten = each.time <= one.clock - made_.plan.policy.id_horizon;
      ASSERT_TRUE(is_forgotten || one.seen.contains(each.id_hash())) << "seed " << seed;
    }
    ASSERT_EQ(one.created, always.created);
    const auto again = decode(made_.plan, encode(made_.plan, one));
    ASSERT_TRUE(again);
    ASSERT_EQ(*again, one);
  }
}

// With an index and without one the same is decided.
TEST_F(Two, AreTheSameOneWithAnIndex) {
  made_.plan.schema.index();
  const match::Index index = match::Index::build(made_.plan);
  for (unsigned seed = 1; seed <= 100; ++seed) {
    std::mt19937_64 random(seed);
    State one = new_customer(made_.plan, "one"), other = new_customer(made_.plan, "other");
    std::vector<Effect> effects;
    Timestamp now = start;
    for (int i = 0; i < 20; ++i) {
      now = now + hours(static_cast<std::int64_t>(random() % 30));
      decide(made_.plan, random() % 2 == 0 ? other : one, order(i, now, random), effects);
    }
    State with = one, without = one;
    Waking waking{index};
    merge(made_.plan, with, other, now, effects, &waking);
    merge(made_.plan, without, other, now, effects);
    for (std::size_t i = 0; i < made_.plan.watches.size(); ++i)
      ASSERT_EQ(with.watches[i].inside, without.watches[i].inside) << "seed " << seed;
    ASSERT_EQ(with.logs, without.logs);
    ASSERT_EQ(with.accumulators, without.accumulators);
  }
}

TEST_F(Two, ARefusalByEitherHoldsWhateverTheOrder) {
  made_.plan.channels.push_back({.symbol = {"sms", ""}});
  made_.plan.channels.push_back({.symbol = {"push", ""}});
  const std::vector<plan::ChannelId> channels{plan::ChannelId::none(), plan::ChannelId::of(0),
                                              plan::ChannelId::of(1)};
  for (unsigned seed = 1; seed <= 500; ++seed) {
    std::mt19937_64 random(seed);
    State one = new_customer(made_.plan, "one"), other = new_customer(made_.plan, "other");
    one.created = other.created = start;
    for (int i = 0; i < 6; ++i)
      record_consent(random() % 2 == 0 ? one : other, CampaignClass::Marketing,
                     channels[random() % 3], random() % 2 == 0, start + minutes(i));
    const State both = merged(one, other, start + hours(1));
    for (std::size_t i = 1; i < channels.size(); ++i) {
      const auto refused = [&](const State& state) {
        return has_refused(state, CampaignClass::Marketing, channels[i]);
      };
      ASSERT_EQ(refused(both), refused(one) || refused(other)) << "seed " << seed << " " << i;
    }
  }
}

// --- Who is who

Face face(std::string id, Timestamp created, std::vector<Identifier> identifiers,
          std::vector<std::string> names = {}) {
  std::sort(identifiers.begin(), identifiers.end());
  return {std::move(id), created, List<Identifier>(identifiers.begin(), identifiers.end()),
          std::move(names)};
}
const IdentifierId phone = IdentifierId::of(0), openid = IdentifierId::of(1),
                   device = IdentifierId::of(2);

TEST(Bond, StaysWhoWasSeenFirst) {
  const Face old = face("b", start, {{device, "d"}});
  EXPECT_EQ(bond_of(old, face("a", start + seconds(1), {{phone, "1"}}), device), Bond::FirstStays);
  EXPECT_EQ(bond_of(face("a", start + seconds(1), {{phone, "1"}}), old, device), Bond::SecondStays);
  EXPECT_EQ(bond_of(old, face("a", start, {{phone, "1"}}), device), Bond::SecondStays);
  EXPECT_EQ(bond_of(old, face("a", Timestamp::never(), {}), device), Bond::FirstStays);
}

TEST(Bond, SurerIdentifiersTellTwoPeopleApart) {
  const Face ann = face("a", start, {{phone, "1"}, {device, "d"}});
  EXPECT_EQ(bond_of(ann, face("b", start, {{phone, "2"}}), device), Bond::TwoPeople);
  EXPECT_EQ(bond_of(ann, face("b", start, {{phone, "1"}, {phone, "2"}}), device), Bond::FirstStays);
  EXPECT_EQ(bond_of(ann, face("b", start, {{device, "e"}}), device), Bond::FirstStays);
  const Face bob = face("b", start, {{openid, "o"}});
  EXPECT_EQ(bond_of(face("a", start, {{openid, "p"}, {device, "d"}}), bob, device),
            Bond::TwoPeople);
}

TEST(Bond, TwoWhomTheSourceNamesAreTwo) {
  EXPECT_EQ(bond_of(face("a", start, {}, {"a"}), face("b", start, {}, {"b"}), phone),
            Bond::TwoPeople);
  EXPECT_EQ(bond_of(face("a", start, {}, {"a"}), face("phone:1", start, {}, {}), phone),
            Bond::FirstStays);
}

TEST_F(Two, AreKnownByTheNamesOfBoth) {
  State state = new_customer(made_.plan, "device:d");
  state.same = {"c17", "phone:1"};
  EXPECT_EQ(face_of(made_.plan, state).names, (std::vector<std::string>{"c17"}));
  state.is_label = true;
  EXPECT_TRUE(face_of(made_.plan, state).names.empty());
}

}  // namespace
}  // namespace koi::core
