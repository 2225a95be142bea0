#include "core/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "core/detail/plan_for_tests.h"

namespace koi::core {
namespace {

using plan::Aggregate;

// A plan with something of everything that a state can hold.
class Everything : public PlanForTests {
 public:
  Everything() {
    plan.schema.identifiers = {"phone", "email"};
    metric(Aggregate::Count, {});
    metric(Aggregate::Sum, amount);
    metric(Aggregate::Max, pieces);
    metric(Aggregate::Last, sku);
    metric(Aggregate::Distinct, sku);
    metric(Aggregate::Streak, {});
    metric(Aggregate::Sum, amount, {plan::WindowKind::Trailing, {0, days(30)}});
    metric(Aggregate::Count, {}, {plan::WindowKind::ThisMonth, {}});
    for (std::uint64_t i = 0; i < 3; ++i) {
      plan::Watch watch;
      watch.definition = 100 + i;
      plan.watches.push_back(watch);
    }
    for (const char* name : {"wechat", "sms"}) plan.channels.push_back({.symbol = {name, ""}});
    for (const char* name : {"first", "second", "third"}) {
      plan::Campaign campaign;
      campaign.symbol = {name, ""};
      campaign.frame_size = 2;
      campaign.triggers.resize(2);
      campaign.triggers[1].thens.resize(1);
      plan::Send send;
      send.channels = {plan::ChannelId::of(0), plan::ChannelId::of(1)};
      campaign.steps = {send, plan::Wait{{0, days(1)}}, plan::Stop{}};
      plan.campaigns.push_back(campaign);
    }
  }
};

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  std::uint64_t operator()(std::uint64_t below) { return random_() % below; }
  std::uint64_t bits() { return random_(); }
  bool one_in(std::uint64_t n) { return random_() % n == 0; }
  Timestamp time() {
    switch ((*this)(8)) {
      case 0: return Timestamp::never();
      case 1: return Timestamp::ever();
      case 2: return {static_cast<std::int64_t>(bits())};
      case 3: return now + seconds(static_cast<std::int64_t>((*this)(100'000)));
      case 4: return now - microseconds(1000 * static_cast<std::int64_t>((*this)(100'000)));
      default: return now - microseconds(static_cast<std::int64_t>((*this)(1u << 30)));
    }
  }
  Value value() {
    switch ((*this)(5)) {
      case 0: return {};
      case 1: return Value::text(std::string((*this)(30), 'x'));
      case 2: return Value::money(static_cast<std::int64_t>(bits()));
      case 3: return Value::list({Value::integer(1), Value::text("a text that is not short")});
      default: return Value::integer(static_cast<std::int64_t>((*this)(100)));
    }
  }
  List<Value> values(std::size_t n) {
    List<Value> made(n);
    for (Value& each : made) each = value();
    return made;
  }
  const Timestamp now = *parse_instant("2026-03-02T10:00:00Z");

 private:
  std::mt19937_64 random_;
};

// A state such as decisions might make it: sorted what is sorted, and of every kind.
State random_state(const plan::Plan& plan, std::uint64_t seed) {
  Chance chance(seed);
  State state = new_customer(plan, "c" + std::to_string(seed));
  if (chance.one_in(20)) return state;
  state.created = chance.time();
  state.clock = chance.one_in(10) ? chance.time() : chance.now;
  state.begun = chance.one_in(2);
  state.due = chance.time();
  if (chance.one_in(3)) state.schedules_done = chance.time(), state.schedule_due = chance.time();
  state.hold_out_never = chance.one_in(4);
  state.hold_out_always = chance.one_in(4);
  state.is_label = chance.one_in(4);
  state.is_gone = chance.one_in(8);
  if (state.is_gone || chance.one_in(4)) state.same.push_back("another");
  if (!state.is_gone && chance.one_in(8)) state.same.push_back("and one more");
  for (std::size_t i = chance(3); i > 0; --i)
    state.identifiers.push_back({IdentifierId::of(chance(2)), std::string(chance(30), 'y')});
  std::sort(state.identifiers.begin(), state.identifiers.end());
  for (std::size_t i = 0; i < state.attributes.size(); ++i) {
    if (chance.one_in(2)) continue;
    state.attributes[i] = chance.value();
    state.attribute_times[i] = chance.time();
  }
  for (std::size_t i = 0; i < plan.accumulators.size(); ++i) {
    if (chance.one_in(3)) continue;
    Accumulated& kept = state.accumulators.at(i);
    switch (plan.accumulators[i].aggregate) {
      case Aggregate::Count: kept.count = static_cast<std::int64_t>(chance(1000)); break;
      case Aggregate::Sum: kept.count = 3, kept.value = Value::money(17); break;
      case Aggregate::Max: kept.value = chance.value(); break;
      case Aggregate::Last: kept.value = chance.value(), kept.time = chance.time(); break;
      case Aggregate::Distinct:
        for (std::int64_t n = 0; n < 3; ++n)
          kept.seen.push_back({Value::integer(n), n + 1, chance.time(), n});
        kept.count = 6;
        break;
      default: kept.runs = {{{1}, {4}}, {{7}, {7}}};
    }
  }
  for (std::size_t i = 0; i < plan.logs.size(); ++i) {
    Timestamp at = chance.now - days(3);
    for (std::size_t n = chance(40); n > 0; --n) {
      state.logs.at(i).times.push_back(at = at + microseconds(std::int64_t{1} << chance(34)));
      for (std::size_t c = plan.logs[i].columns.size(); c > 0; --c)
        state.logs.at(i).values.push_back(chance.value());
    }
  }
  for (std::size_t i = 0; i < plan.watches.size(); ++i)
    state.watches.set(i, {chance.one_in(2), chance.time()});
  for (std::size_t i = chance(60); i > 0; --i) state.seen.insert(chance.bits(), chance.time());
  if (chance.one_in(2)) state.seen_pruned = chance.time();
  for (std::size_t i = 0; i < 3; ++i) {
    const auto campaign = plan::CampaignId::of(i);
    if (chance.one_in(2)) {
      Journey journey;
      journey.campaign = campaign;
      journey.trigger = static_cast<std::uint16_t>(chance(2));
      journey.phase = static_cast<Journey::Phase>(chance(3));
      journey.held_out = chance.one_in(2), journey.goal_reached = chance.one_in(2);
      journey.part = static_cast<std::uint16_t>(chance(2));
      journey.pc = static_cast<std::uint16_t>(chance(4));
      journey.occurrence = static_cast<std::uint16_t>(chance.bits());
      journey.key = chance.one_in(2) ? 0 : chance.bits();
      journey.id = {chance.bits(), chance.bits()};
      journey.entered = chance.time(), journey.since = chance.time();
      journey.due = chance.time(), journey.leave_flip = chance.time();
      journey.goal_until = chance.time();
      journey.frame = chance.values(2);
      state.journeys.push_back(journey);
    }
    if (chance.one_in(2)) state.entries.push_back({campaign, 0, chance.time()});
    if (chance.one_in(2)) state.entries.push_back({campaign, chance.bits() | 1, chance.time()});
    if (chance.one_in(2)) {
      OpenSend open;
      open.key = {chance.bits(), 1}, open.entry = {2, chance.bits()};
      open.campaign = campaign;
      open.channel = static_cast<std::uint16_t>(chance(3));
      open.first_reason = static_cast<Reason>(chance(15));
      open.since = chance.time(), open.sent = chance.time(), open.due = chance.time();
      if (chance.one_in(2)) open.frame = chance.values(2);
      if (chance.one_in(2)) open.charges.push_back({{chance.bits(), chance.time()}, 7, false});
      state.open.push_back(open);
    }
    state.sent.push_back({chance.time(), static_cast<plan::CampaignClass>(i),
                          chance.one_in(2) ? plan::ChannelId::none() : plan::ChannelId::of(1)});
    state.consents.push_back({static_cast<plan::CampaignClass>(i),
                              chance.one_in(2) ? plan::ChannelId::none() : plan::ChannelId::of(0),
                              chance.one_in(2), chance.time()});
  }
  for (std::size_t i = chance(3); i > 0; --i) {
    const auto type = EventTypeId::of(plan.schema.events.size() - 1);
    state.recent.push_back({chance.time(), type, chance.values(plan.schema[type].fields.size())});
  }
  return state;
}

constexpr std::uint64_t state_count = 400;

TEST(StateCodec, EveryStateComesBackAsItWas) {
  const Everything made;
  const Codec codec(made.plan);
  for (std::uint64_t seed = 0; seed < state_count; ++seed) {
    const State state = random_state(made.plan, seed);
    const std::string bytes = codec.encode(state);
    const auto read = codec.decode(bytes);
    ASSERT_TRUE(read) << "seed " << seed << ": " << read.error().what;
    ASSERT_TRUE(*read == state) << "seed " << seed;
    ASSERT_EQ(codec.encode(*read), bytes) << "seed " << seed;
    ASSERT_TRUE(*decode(made.plan, encode(made.plan, state)) == state) << "seed " << seed;
    ASSERT_EQ(*codec.next_due(bytes), state.due) << "seed " << seed;
  }
}

TEST(StateCodec, ANewCustomerTakesLittleMoreThanHisId) {
  const Everything made;
  const Codec codec(made.plan);
  EXPECT_LE(codec.encode(new_customer(made.plan, "c0000001")).size(), 24u);
}

// Another plan's slots stand elsewhere; some are new, some are gone.
TEST(StateCodec, APlanWithOtherSlotsFindsItsOwn) {
  const Everything before;
  Everything after;
  std::reverse(after.plan.accumulators.begin(), after.plan.accumulators.end());
  after.plan.accumulators.insert(after.plan.accumulators.begin(),
                                 {777, Aggregate::Count, {after.order, {}}, {}});
  std::reverse(after.plan.logs.begin(), after.plan.logs.end());
  after.plan.watches.erase(after.plan.watches.begin());
  std::reverse(after.plan.channels.begin(), after.plan.channels.end());
  std::reverse(after.plan.campaigns.begin(), after.plan.campaigns.end());
  std::reverse(after.plan.schema.identifiers.begin(), after.plan.schema.identifiers.end());
  after.plan.schema.attributes.erase(after.plan.schema.attributes.begin() + 3);
  after.plan.schema.attributes.push_back(
      {.symbol = {"new", ""}, .type = {}, .fallback = Value::integer(5)});
  const Codec from(before.plan);
  Codec to(after.plan);
  Codec back(before.plan);
  EXPECT_EQ(to.decode(from.encode(random_state(before.plan, 1))).error().code, "layout");
  ASSERT_TRUE(to.learn(from.layout()));
  ASSERT_TRUE(back.learn(to.layout()));
  for (std::uint64_t seed = 0; seed < state_count; ++seed) {
    State state = random_state(before.plan, seed);
    const auto read = to.decode(from.encode(state));
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->accumulators[0], Accumulated());
    for (std::size_t i = 0; i < before.plan.accumulators.size(); ++i)
      ASSERT_EQ(read->accumulators[before.plan.accumulators.size() - i], state.accumulators[i]);
    EXPECT_EQ(read->logs[1], state.logs[0]);
    EXPECT_EQ(read->watches[0], state.watches[1]);
    EXPECT_EQ(read->attributes.back(), Value::integer(5));
    EXPECT_EQ(read->journeys.size(), state.journeys.size());
    EXPECT_TRUE(
        std::is_sorted(read->journeys.begin(), read->journeys.end(),
                       [](const auto& a, const auto& b) { return a.campaign < b.campaign; }));
    // What both plans know comes back through the other one.
    const auto again = back.decode(to.encode(*read));
    ASSERT_TRUE(again);
    state.attributes.back() = before.plan.schema.attributes.back().fallback;
    state.attribute_times.back() = Timestamp::ever();
    state.watches.set(0, Watched());
    ASSERT_TRUE(*again == state) << "seed " << seed;
  }
}

TEST(StateCodec, HostileBytesAreRefusedOrMakeAState) {
  const Everything made;
  const Codec codec(made.plan);
  std::mt19937_64 random(1);
  std::size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = codec.encode(random_state(made.plan, random() % state_count));
    switch (random() % 3) {
      case 0: bytes.resize(random() % bytes.size()); break;
      case 1: bytes.append(random() % 9 + 1, static_cast<char>(random())); break;
      default:
        for (std::size_t i = random() % 8 + 1; i > 0; --i)
          bytes[9 + random() % (bytes.size() - 9)] = static_cast<char>(random());
    }
    const auto read = codec.decode(bytes);
    if (!read) {
      ++refused;
      continue;
    }
    // Whatever it is, it is one that can be written and read.
    ASSERT_TRUE(*codec.decode(codec.encode(*read)) == *read);
  }
  EXPECT_GT(refused, 10'000u);
}

TEST(StateCodec, AHostileLayoutIsRefusedOrOne) {
  const Everything made;
  const std::string layout = Codec(made.plan).layout();
  std::mt19937_64 random(2);
  Codec codec(made.plan);
  std::size_t refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = layout;
    if (random() % 2 == 0) bytes.resize(random() % bytes.size());
    for (std::size_t i = random() % 4; i > 0 && !bytes.empty(); --i)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    if (const auto learnt = codec.learn(bytes); !learnt) {
      EXPECT_EQ(learnt.error().code, "corrupt");
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000u);
}

TEST(StateCodec, TellsWhoseTheBytesAreWithoutTheRest) {
  const Everything made;
  const std::string bytes = Codec(made.plan).encode(new_customer(made.plan, "somebody"));
  EXPECT_EQ(customer_in(bytes), "somebody");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string_view told = customer_in(std::string_view(bytes).substr(0, size));
    EXPECT_TRUE(told.empty() || told == "somebody");
  }
}

TEST(StateCodec, AnotherVersionIsNamed) {
  const Everything made;
  const Codec codec(made.plan);
  std::string bytes = codec.encode(new_customer(made.plan, "c"));
  bytes[0] = static_cast<char>(state_version + 1);
  EXPECT_EQ(codec.decode(bytes).error().code, "version");
  EXPECT_EQ(codec.decode("").error().code, "corrupt");
}

}  // namespace
}  // namespace koi::core
