// Customers of several groups who turn out to be one person: whoever dies when, and whatever letter
// is lost, they come to what one group would have come to, and to an end.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>

#include "core/gate.h"
#include "durable/by_hand.h"
#include "durable/detail/trial.h"
#include "store/memory.h"

namespace koi::durable {
namespace {

constexpr auto phone = IdentifierId::of(0), device = IdentifierId::of(1);

plan::Plan plan_with_devices() {
  plan::Plan plan = trial_plan(minutes(10));
  plan.schema.identifiers = {"phone", "device"};
  return plan;
}

class WantedAndRefused final : public Deeds {
 public:
  void take(store::Group, std::vector<Deed> deeds) override {
    const std::lock_guard lock(mutex_);  // groups recover side by side
    for (const Deed& deed : deeds)
      if (deed.wanted) keys.emplace(deed.effect.key, deed.customer);
  }
  void refused(store::Group group, const core::State& customer) override {
    const std::lock_guard lock(mutex_);
    refusals[group].insert(customer.id);
  }
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }
  std::set<Hash128> all() const {
    std::set<Hash128> all;
    for (const auto& [key, customer] : keys) all.insert(key);
    return all;
  }
  std::map<Hash128, std::string> keys;
  std::map<store::Group, std::set<std::string>> refusals;

 private:
  std::mutex mutex_;
};

// A process by hand, and the directory before it.
class WorldByHand {
 public:
  WorldByHand(std::uint16_t groups, unsigned seed) : groups_{groups}, chance_(seed) { start(); }

  std::size_t below(std::size_t end) { return chance_() % end; }
  void lose_one_in(std::size_t many) { lost_ = many; }
  void pass(Duration time) { now_ = now_ + time; }
  Timestamp now() const { return now_; }

  // An order of that customer, with identifiers of his or of whoever had them first.
  Event order(const std::string& customer, const std::vector<Identifier>& identifiers = {}) {
    ++number_;
    Event event = trial_order(plan_, "e" + std::to_string(number_), customer, now_, number_);
    for (const Identifier& each : identifiers) {
      const std::string& owner = owners_.try_emplace(each, customer).first->second;
      if (owner == customer)
        event.identifiers.push_back(each);
      else
        event.met.push_back({each, owner, each.kind});
    }
    return event;
  }
  // That he wants messages, or none.
  Event says(const std::string& customer, EngineEvent what) {
    Event event;
    event.id = "e" + std::to_string(++number_);
    event.type = type_of(what);
    event.time = now_;
    event.customer = customer;
    event.fields.resize(plan_.schema[event.type].fields.size());
    return event;
  }
  // Whoever is not answered sends it again.
  void submit(Event event) {
    const std::string id = event.id;
    open_.insert_or_assign(id, event);
    std::vector<Given> inputs;
    inputs.emplace_back(std::move(event));
    const auto done = [this, id](const Result<std::vector<Answer>>& answered) {
      if (answered) open_.erase(id);
    };
    ASSERT_TRUE(writers_->submit(std::move(inputs), done));
  }
  void go_on(bool with_kills = true) {
    const auto group = static_cast<store::Group>(below(groups_.count));
    const std::size_t what = below(with_kills ? things_done + 2 : things_done);
    if (what >= things_done) return kill();
    ASSERT_TRUE(do_one(*writers_, group, what));
  }
  void kill() {
    writers_.reset();
    start();
  }
  void come_to_rest() {
    lost_ = 0;
    ASSERT_TRUE(writers_->resend());
    do {
      run_dry(*writers_);
      for (const auto& [id, event] : std::map(open_)) submit(event);
    } while (!::testing::Test::HasFatalFailure() &&
             (writers_->figures().letters > 0 || !open_.empty()));
    EXPECT_EQ(writers_->figures().undecided, 0u);
    ASSERT_TRUE(store_all(*writers_));
    ASSERT_TRUE(store_all(*writers_));  // and what has arrived is no row any more
    for (store::Group group = 0; group < groups_.count; ++group)
      EXPECT_FALSE(*has_open(store_, group));
  }

  core::State state(const std::string& customer) {
    const core::Codec codec(plan_);
    const auto bytes = *store_.load(partition_of(customer), customer);
    return bytes ? *codec.decode(*bytes) : core::new_customer(plan_, customer);
  }
  std::string whoever(std::string customer) const {
    return durable::whoever(store_, plan_, std::move(customer));
  }
  // Of whoever is himself: all that is known of him, and who has turned out to be he.
  std::map<std::string, std::string> people() {
    std::map<std::string, std::string> all;
    const core::Codec codec(plan_);
    for (std::size_t partition = 0; partition < partition_count; ++partition) {
      const std::vector<store::Saved> saved =
          *store_.scan(static_cast<Partition>(partition), "", 10'000);
      for (const store::Saved& each : saved) {
        core::State found = *codec.decode(each.bytes);
        if (found.is_gone) {
          all[each.customer] = "is " + whoever(each.customer);
          continue;
        }
        std::sort(found.same.begin(), found.same.end());
        all[each.customer] = codec.encode(found);
      }
    }
    return all;
  }
  std::int64_t orders() {
    std::int64_t orders = 0;
    for (const auto& [customer, bytes] : people())
      if (const core::State found = state(customer); !found.is_gone)
        orders += found.accumulators[0].count;
    return orders;
  }
  // Each group's journal alone says what is stored.
  void expect_as_replayed() {
    WantedAndRefused again;
    const match::Index index = match::Index::build(plan_);
    for (store::Group group = 0; group < groups_.count; ++group) {
      store::MemoryStore nothing{groups_};
      Writer writer(plan_, index, nothing, groups_, group, 1u << 30, again);
      writer.letters().keep_none();
      ASSERT_TRUE(replay(writer, plan_, journal_, group));
      EXPECT_EQ(differently_stored(store_, plan_, groups_, group, writer),
                std::vector<std::string>());
    }
    EXPECT_EQ(again.all(), outside.all());
  }
  std::string id_of(store::Group group, const std::string& begin) const {
    return durable::id_of(groups_, group, begin);
  }

  const plan::Plan& plan() const { return plan_; }
  const store::Journal& journal() const { return journal_; }
  Writers& writers() { return *writers_; }
  const store::Groups groups_;
  WantedAndRefused outside;

 private:
  void start() {
    Settings settings;
    settings.budget = 1u << 20;
    settings.longest_batch = 5;
    settings.timers_at_once = 3;
    World world{plan_, trial_rules, journal_, store_, groups_, outside, [this] { return now_; }};
    world.carry = [this](const Letter&) { return lost_ == 0 || below(lost_) != 0; };
    auto opened = Writers::open(std::move(world), settings);
    ASSERT_TRUE(opened) << opened.error().what;
    writers_ = *std::move(opened);
  }

  const plan::Plan plan_ = plan_with_devices();
  std::mt19937_64 chance_;
  std::size_t lost_ = 0;
  int number_ = 0;
  std::map<std::string, Event> open_;  // events whose sender is not answered, by their ids
  std::map<Identifier, std::string> owners_;
  store::MemoryJournal journal_{groups_, 1};
  store::MemoryStore store_{groups_};
  Timestamp now_ = *parse_instant("2026-03-02T10:00:00Z");
  std::unique_ptr<Writers> writers_;
};

// --- By hand -------------------------------------------------------------------------------------

TEST(Moving, WhoeverWasSeenFirstStaysAndHasBothHistoriesWhicheverGroupItIs) {
  for (const bool stays_where_it_is_seen : {false, true}) {
    WorldByHand world(2, 1);
    const std::string anna = world.id_of(0, "phone:a"), ben = world.id_of(1, "ben");
    const std::string& first = stays_where_it_is_seen ? ben : anna;
    const std::string& second = stays_where_it_is_seen ? anna : ben;
    // The one who asks is always Ben, who logs in on a phone that is Anna's.
    world.submit(world.order(
        first, first == anna ? std::vector<Identifier>{{phone, "1"}} : std::vector<Identifier>{}));
    world.come_to_rest();
    world.pass(minutes(1));
    world.submit(world.order(second, second == anna ? std::vector<Identifier>{{phone, "1"}}
                                                    : std::vector<Identifier>{}));
    world.come_to_rest();
    world.pass(minutes(1));
    world.submit(world.order(ben, {{phone, "1"}}));
    world.come_to_rest();
    EXPECT_EQ(world.whoever(second), first);
    const core::State both = world.state(first);
    EXPECT_EQ(both.accumulators[0].count, 3);
    EXPECT_EQ(both.identifiers.size(), 1u);
    // What comes for the one who has gone is for the one who stays.
    world.pass(minutes(1));
    world.submit(world.order(second));
    world.come_to_rest();
    EXPECT_EQ(world.state(first).accumulators[0].count, 4);
    world.expect_as_replayed();
  }
}

TEST(Moving, TwoWhoMeetEachOtherAtOneMomentAreOneAndBothEventsCount) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    WorldByHand world(2, seed);
    const std::string anna = world.id_of(0, "phone:a"), ben = world.id_of(1, "phone:b");
    world.submit(world.order(anna, {{phone, "1"}}));
    world.submit(world.order(ben, {{phone, "2"}}));
    world.come_to_rest();
    world.pass(minutes(2));
    Event one = world.order(anna), other = world.order(ben);
    one.met = {{{phone, "2"}, ben, phone}};
    other.met = {{{phone, "1"}, anna, phone}};
    world.submit(std::move(one));
    world.submit(std::move(other));
    world.lose_one_in(seed % 2 == 0 ? 3 : 0);
    for (int i = 0; i < 60; ++i) world.go_on();
    world.come_to_rest();
    EXPECT_EQ(world.whoever(anna), world.whoever(ben));
    EXPECT_EQ(world.orders(), 4);
    world.expect_as_replayed();
  }
}

TEST(Moving, AChainOfThreeGroupsComesTogether) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    WorldByHand world(3, seed);
    std::vector<std::string> ids;
    for (store::Group group = 0; group < 3; ++group)
      ids.push_back(world.id_of(group, "device:d" + std::to_string(group) + "-"));
    std::shuffle(ids.begin(), ids.end(), std::mt19937_64(seed));
    for (const std::string& each : ids) {
      world.submit(world.order(each, {{device, each}}));
      if (seed % 3 != 0) world.come_to_rest();
      world.pass(seconds(20));
    }
    // Each of them meets the next, all at one moment.
    for (std::size_t i = 0; i < ids.size(); ++i) {
      Event event = world.order(ids[i]);
      event.met = {{{device, ids[(i + 1) % 3]}, ids[(i + 1) % 3], IdentifierId::of(0)}};
      world.submit(std::move(event));
    }
    world.lose_one_in(seed % 2 == 0 ? 3 : 0);
    for (int i = 0; i < 80; ++i) world.go_on();
    world.come_to_rest();
    EXPECT_EQ(world.whoever(ids[1]), world.whoever(ids[0]));
    EXPECT_EQ(world.whoever(ids[2]), world.whoever(ids[0]));
    EXPECT_EQ(world.orders(), 6);
    world.expect_as_replayed();
  }
}

// Two members of a family, with a name each, log in for the first time on the device that the
// family shares: one of them has had it, and nobody else becomes he.
TEST(Moving, AFamilyOnOneDeviceIsNotOnePersonHoweverTheyCome) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    WorldByHand world(3, seed);
    const std::string shared = world.id_of(static_cast<store::Group>(seed % 3), "device:d");
    std::vector<std::string> family;
    for (store::Group group = 0; group < 3; ++group)
      family.push_back(world.id_of(group, "member" + std::to_string(group) + "-"));
    world.submit(world.order(shared, {{device, "d"}}));
    if (seed % 2 == 0) world.come_to_rest();
    world.pass(seconds(1));
    for (const std::string& each : family) world.submit(world.order(each, {{device, "d"}}));
    world.lose_one_in(seed % 3 == 0 ? 3 : 0);
    for (int i = 0; i < 80; ++i) world.go_on();
    world.come_to_rest();
    std::set<std::string> people;
    for (const std::string& each : family) people.insert(world.whoever(each));
    EXPECT_EQ(people.size(), 3u);
    EXPECT_TRUE(people.contains(world.whoever(shared)));
    EXPECT_EQ(world.orders(), 4);
    world.expect_as_replayed();
  }
}

TEST(Moving, AnEventThatHadToWaitCountsThoughTheOtherHasSeenMuchSince) {
  WorldByHand world(2, 1);
  const std::string anna = world.id_of(0, "phone:a"), ben = world.id_of(1, "ben");
  world.submit(world.order(anna, {{phone, "1"}}));
  world.come_to_rest();
  world.pass(minutes(1));
  Event login = world.order(ben, {{phone, "1"}});
  world.pass(hours(2));
  world.submit(world.order(anna));
  world.come_to_rest();
  world.submit(std::move(login));  // a batch of the past
  world.come_to_rest();
  EXPECT_EQ(world.whoever(ben), anna);
  EXPECT_EQ(world.state(anna).accumulators[0].count, 3);
}

TEST(Moving, ARefusalOfOneWhoHasGoneIsTheOneWhoStaysAndWithdrawsAtOnce) {
  WorldByHand world(2, 1);
  const std::string anna = world.id_of(0, "phone:a"), ben = world.id_of(1, "ben");
  world.submit(world.order(anna, {{phone, "1"}}));
  world.come_to_rest();
  world.pass(minutes(1));
  world.submit(world.order(ben, {{phone, "1"}}));
  world.come_to_rest();
  world.lose_one_in(1);
  world.submit(world.says(ben, EngineEvent::Unsubscribed));
  run_dry(world.writers());
  EXPECT_EQ(world.outside.refusals[1], std::set<std::string>{ben}) << "before anything is told";
  world.come_to_rest();
  EXPECT_TRUE(world.outside.refusals[0].contains(anna));
  EXPECT_TRUE(core::has_refused(world.state(anna), plan::CampaignClass::Marketing, {}));
  world.expect_as_replayed();
}

TEST(Moving, AMergeThatIsSetAsideTellsTheOtherGroupOfRefusalsAndOfNothingElse) {
  const auto letters_where_he = [](std::optional<EngineEvent> said) {
    WorldByHand world(2, 1);
    const std::string anna = world.id_of(0, "phone:a"), ben = world.id_of(1, "ben");
    world.submit(world.order(anna, {{phone, "1"}}));
    world.come_to_rest();
    world.pass(minutes(1));
    world.submit(said ? world.says(ben, *said) : world.order(ben));
    world.come_to_rest();
    world.submit(world.order(ben, {{phone, "1"}}));
    world.come_to_rest();
    store::Position comes = 0;  // where Ben has come to Anna, and the two are merged
    const auto rows = *world.journal().read(0, 1, 1000);
    for (const store::Read& read : rows) {
      const Input input = *decode_input(world.plan(), read.row.bytes);
      const auto* letter = std::get_if<LetterFrom>(&input);
      if (letter && std::holds_alternative<Arrival>(letter->told)) comes = read.position;
    }
    EXPECT_GT(comes, 0u);
    WantedAndRefused again;
    const match::Index index = match::Index::build(world.plan());
    store::MemoryStore nothing{world.groups_};
    Writer writer(world.plan(), index, nothing, world.groups_, 0, 1u << 30, again);
    writer.leave_out({{comes, store::place_of(partition_of(anna), anna) + 1}});
    EXPECT_TRUE(replay(writer, world.plan(), world.journal(), 0));
    EXPECT_TRUE(writer.waiting().empty());
    return writer.letters().last(1);
  };
  const std::uint64_t without = letters_where_he({});
  EXPECT_EQ(letters_where_he(EngineEvent::Consented), without);
  EXPECT_EQ(letters_where_he(EngineEvent::Unsubscribed), without + 1);
}

// --- At random -----------------------------------------------------------------------------------

// Somebody's order: by his name, his phone or his device, now and then with what is another's.
Event any_order(WorldByHand& world) {
  const auto number = [&] { return std::to_string(world.below(14)); };
  const std::string who = number();
  std::vector<Identifier> identifiers;
  std::string customer;
  switch (world.below(3)) {
    case 0: customer = "c" + who; break;
    case 1:
      customer = "phone:" + who;
      identifiers.push_back({phone, who});
      break;
    default: customer = "device:" + who; identifiers.push_back({device, who});
  }
  if (world.below(4) == 0) {
    const Identifier more{world.below(2) == 0 ? phone : device, number()};
    if (identifiers.empty() || identifiers.front() != more) identifiers.push_back(more);
  }
  return world.order(customer, identifiers);
}

TEST(Moving, WorldsThatComeToRestAfterEachInputAreThoseOfOneGroup) {
  std::size_t gone = 0;
  for (unsigned seed = 1; seed <= 24; ++seed) {
    SCOPED_TRACE(seed);
    WorldByHand one(1, seed), many(static_cast<std::uint16_t>(2 + seed % 3), seed + 1000);
    for (int turn = 0; turn < 70; ++turn) {
      const Duration time = seconds(static_cast<std::int64_t>(one.below(400)));
      one.pass(time);
      many.pass(time);
      const Event event = any_order(one);
      Event same = event;
      one.submit(event);
      one.come_to_rest();
      many.submit(std::move(same));
      many.lose_one_in(seed % 2 == 0 ? 4 : 0);
      for (std::size_t left = many.below(12); left > 0; --left) many.go_on(seed % 3 != 0);
      many.come_to_rest();
    }
    const auto expected = one.people();
    EXPECT_TRUE(many.people() == expected);
    EXPECT_TRUE(many.outside.all() == one.outside.all());
    many.expect_as_replayed();
    for (const auto& [customer, what] : expected) gone += what.starts_with("is ");
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(gone, 100u);
}

TEST(Moving, WorldsThatNeverRestLoseNoOrderAndAreWhatEachJournalSays) {
  std::size_t letters = 0;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    WorldByHand world(static_cast<std::uint16_t>(2 + seed % 4), seed);
    constexpr int turns = 120;
    for (int turn = 0; turn < turns; ++turn) {
      world.pass(seconds(static_cast<std::int64_t>(world.below(30))));
      world.submit(any_order(world));
      world.lose_one_in(seed % 2 == 0 ? 4 : 0);
      for (std::size_t left = world.below(6); left > 0; --left) world.go_on();
    }
    world.come_to_rest();
    EXPECT_EQ(world.orders(), turns);
    world.expect_as_replayed();
    for (store::Group from = 0; from < world.groups_.count; ++from)
      for (store::Group to = 0; to < world.groups_.count; ++to)
        letters += world.writers().writer(from).letters().last(to);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(letters, 1000u);
}

}  // namespace
}  // namespace koi::durable
