#include "durable/writers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <random>

#include "durable/by_hand.h"
#include "durable/detail/trial.h"
#include "store/memory.h"
#include "store/over.h"

namespace koi::durable {
namespace {

// What stands outside: every key that came, and whether one life gave it twice.
class Outside final : public Deeds {
 public:
  void take(store::Group group, std::vector<Deed> deeds) override {
    const std::lock_guard lock(mutex_);
    for (const Deed& deed : deeds) {
      EXPECT_EQ(three_groups.group_of(deed.partition), group);
      EXPECT_TRUE(in_this_life_.insert(deed.effect.key).second) << "an effect twice";
      keys.insert(deed.effect.key);
    }
  }
  std::string freeze(store::Group group) override { return "frozen " + std::to_string(group); }
  Result<void> thaw(store::Group group, std::string_view frozen) override {
    EXPECT_EQ(frozen, "frozen " + std::to_string(group));
    return {};
  }
  void settled(store::Group, const ReceiptFor& receipt) override {
    told("settled", receipt.receipt.key);
  }
  void attempted(store::Group, Hash128 key) override { told("attempted", key); }
  void begin_life() {
    in_this_life_.clear();
    told_in_this_life.clear();
  }

  std::set<Hash128> keys;
  std::vector<std::string> told_in_this_life;

 private:
  void told(std::string_view what, Hash128 key) {
    const std::lock_guard lock(mutex_);
    told_in_this_life.push_back(std::string(what) + " " + to_hex(key));
  }
  std::mutex mutex_;
  std::set<Hash128> in_this_life_;
};

struct Deployment {
  plan::Plan plan = trial_plan();
  store::MemoryJournal journal{three_groups, 1};
  store::MemoryStore store{three_groups};
  Outside outside;
  Timestamp now = *parse_instant("2026-03-02T10:00:00Z");

  World world() {
    return {plan, trial_rules, journal, store, three_groups, outside, [this] { return now; }};
  }
  Result<std::unique_ptr<Writers>> open(Settings settings) {
    outside.begin_life();
    return Writers::open(world(), settings);
  }
  Given order(int number, int customers) {
    const std::string customer = "c" + std::to_string(number * 7 % customers);
    return trial_order(plan, "e" + std::to_string(number), customer, now - minutes(number % 3),
                       number);
  }
  // After a clean stop everything is in the store, and as a plain run over the journal has it.
  void expect_as_run() {
    const Expected expected = expected_of(plan, journal, three_groups);
    std::map<std::string, std::string> stored;
    for (Partition partition = 0; partition < partition_count; ++partition) {
      const std::vector<store::Saved> all = *store.scan(partition, "", 1'000'000);
      for (const store::Saved& saved : all) {
        EXPECT_EQ(partition, partition_of(saved.customer));
        stored[saved.customer] = saved.bytes;
        const auto found = expected.customers.find(saved.customer);
        if (found == expected.customers.end()) continue;
        EXPECT_EQ(saved.due, core::next_due(found->second));
      }
    }
    EXPECT_EQ(stored, expected.bytes(plan));
    EXPECT_EQ(outside.keys, std::set(expected.effects.begin(), expected.effects.end()));
  }
};

// So small that hardly anybody stays in memory.
Settings tight() {
  Settings settings;
  settings.budget = std::uint64_t{three_groups.count} * 6000;
  settings.longest_batch = 20;
  settings.timers_at_once = 7;
  return settings;
}

// Where the door waits because too much must stay in memory, what is inside is finished first.
void submit(Writers& writers, std::vector<Given> inputs) {
  auto taken = writers.submit(std::move(inputs), {});
  if (!taken && taken.error().code == "busy") {
    run_dry(writers);
    ASSERT_TRUE(store_all(writers));
    taken = writers.submit(std::move(inputs), {});
  }
  EXPECT_TRUE(taken);
}

TEST(Writers, AnswerWhenTheBatchIsDurableAndSteppedAndNotBefore) {
  Deployment deployment;
  const auto writers = *deployment.open(tight());
  std::optional<std::vector<Answer>> answers;
  std::vector<Given> inputs;
  for (int i = 0; i < 10; ++i) inputs.push_back(deployment.order(i, 5));
  inputs.push_back(deployment.order(3, 5));
  ASSERT_TRUE(writers->submit(std::move(inputs), [&](auto result) { answers = *result; }));
  EXPECT_FALSE(answers);
  EXPECT_TRUE(*writers->commit());
  EXPECT_FALSE(answers);
  EXPECT_TRUE(deployment.outside.keys.empty());
  for (store::Group group = 0; group < three_groups.count; ++group) {
    EXPECT_FALSE(answers);
    while (*writers->step(group)) {
    }
  }
  ASSERT_TRUE(answers);
  ASSERT_EQ(answers->size(), 11u);
  EXPECT_EQ((*answers)[3].standing, core::Standing::Applied);
  EXPECT_EQ((*answers)[10].standing, core::Standing::Duplicate);
  EXPECT_GT((*answers)[10].position, (*answers)[3].position);
  EXPECT_EQ(deployment.outside.keys.size(), 10u);  // five customers: an entry and a message each
}

TEST(Writers, StepOnlyWhatIsSyncedAndWriteMoreBeforeIt) {
  Deployment deployment;
  const auto writers = *deployment.open(tight());
  const auto step_all = [&] {
    int steps = 0;
    for (store::Group group = 0; group < three_groups.count; ++group)
      while (*writers->step(group)) ++steps;
    return steps;
  };
  int answered = 0;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(writers->submit({deployment.order(i, 1)}, [&](auto result) {
      EXPECT_TRUE(result);
      ++answered;
    }));
    EXPECT_TRUE(*writers->write());
  }
  EXPECT_FALSE(*writers->write());
  EXPECT_EQ(step_all(), 0);
  EXPECT_TRUE(*writers->sync());
  EXPECT_EQ(answered, 0);
  EXPECT_EQ(step_all(), 2);
  EXPECT_EQ(answered, 2);
  EXPECT_FALSE(*writers->sync());
}

TEST(Writers, FillABatchFromRequestsThatDoNotFitIntoItWhole) {
  Deployment deployment;
  const auto writers = *deployment.open(tight());
  std::vector<std::vector<Answer>> answers;
  for (int request = 0; request < 4; ++request) {
    std::vector<Given> inputs;
    for (int i = 0; i < 15; ++i) inputs.push_back(deployment.order(15 * request + i, 1));
    ASSERT_TRUE(writers->submit(std::move(inputs),
                                [&](auto result) { answers.push_back(*std::move(result)); }));
  }
  int commits = 0;
  while (*writers->commit()) ++commits;
  EXPECT_EQ(commits, 3);  // of twenty inputs each
  run_dry(*writers);
  ASSERT_EQ(answers.size(), 4u);
  store::Position last = 0;
  for (const std::vector<Answer>& request : answers)
    for (const Answer& answer : request) {
      EXPECT_NE(answer.standing, core::Standing::Duplicate);
      EXPECT_GT(answer.position, last);
      last = answer.position;
    }
}

TEST(Writers, FillTheOthersBatchesWhileAGroupHasAsMuchBeforeItAsItMay) {
  Deployment deployment;
  Settings settings = tight();
  settings.most_batches = 1;
  const auto writers = *deployment.open(settings);
  int next = 0;
  const auto submit_to = [&](store::Group group, Lane lane = Lane::Outer) {
    for (;; ++next)
      if (Given order = deployment.order(next, 100);
          three_groups.group_of(partition_of(customer_of(order))) == group) {
        ++next;
        ASSERT_TRUE(writers->submit({std::move(order)}, {}, lane));
        return;
      }
  };
  submit_to(0);
  EXPECT_TRUE(*writers->commit());
  submit_to(1, Lane::Inner);
  EXPECT_TRUE(*writers->commit());
  EXPECT_TRUE(*writers->step(1));
  for (std::size_t waiting = 1; waiting < settings.longest_batch; ++waiting) {
    submit_to(1);
    EXPECT_FALSE(*writers->commit());
  }
  submit_to(1);
  EXPECT_TRUE(*writers->commit());
  // Now there is room in neither, and then in both.
  submit_to(0);
  EXPECT_FALSE(*writers->commit());
  EXPECT_TRUE(*writers->step(0));
  EXPECT_TRUE(*writers->step(1));
  EXPECT_TRUE(*writers->commit());
}

TEST(Writers, ComeToTheSameAsAPlainRunWhateverIsInMemoryAndHoweverItIsBatched) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 chance(seed);
    Deployment deployment;
    auto writers = *deployment.open(tight());
    int number = 0;
    std::uint64_t crashes = 0;
    for (int round = 0; round < 300; ++round) {
      deployment.now = deployment.now + seconds(static_cast<std::int64_t>(chance() % 600));
      std::vector<Given> inputs;
      for (std::uint64_t left = chance() % 6; left > 0; --left)
        inputs.push_back(deployment.order(number++, 60));
      submit(*writers, inputs);
      switch (chance() % 8) {
        case 0: ASSERT_TRUE(writers->checkpoint(static_cast<store::Group>(chance() % 3))); break;
        case 1:  // the process dies; what was not committed comes again
          if (chance() % 4 != 0) break;
          ++crashes;
          writers.reset();
          writers = *deployment.open(tight());
          number = std::max(0, number - 20);
          break;
        case 2: ASSERT_TRUE(writers->write()); break;
        case 3: ASSERT_TRUE(writers->sync()); break;
        default: ASSERT_TRUE(writers->commit()); break;
      }
      if (chance() % 2 == 0)
        while (*writers->step(static_cast<store::Group>(chance() % 3))) {
        }
    }
    run_dry(*writers);
    ASSERT_TRUE(store_all(*writers));
    deployment.expect_as_run();
    EXPECT_GT(crashes, 0u);
    EXPECT_GT(expected_of(deployment.plan, deployment.journal, three_groups).timers, 20u);
  }
}

// --- A crash at every border
// --------------------------------------------------------------------

// Dies at the so-many-th call that touches the disk: before it is done, or right after.
struct Death {
  int at = 0;
  bool after = false;
  int calls = 0;
  bool is_dead = false;

  bool dies_before() {
    if (!is_dead && ++calls == at && !after) is_dead = true;
    return is_dead;
  }
  bool dies_after() {
    if (calls == at && after) is_dead = true;
    return is_dead;
  }
  static Error error() { return {"unknown", "the process died here"}; }
};

class DyingJournal final : public store::JournalOver {
 public:
  DyingJournal(store::Journal& beneath, Death& death) : JournalOver(beneath), death_(death) {}
  Result<std::vector<store::Position>> append(std::span<const store::Appended> batches) override {
    if (death_.dies_before()) return Death::error();
    auto done = JournalOver::append(batches);
    if (death_.dies_after()) return Death::error();
    return done;
  }
  // Both halves are one call.
  Result<std::vector<store::Position>> write(std::span<const store::Appended> batches) override {
    return append(batches);
  }
  Result<void> sync() override { return {}; }

 private:
  Death& death_;
};

class DyingStore final : public store::StoreOver {
 public:
  DyingStore(store::Store& beneath, Death& death) : StoreOver(beneath), death_(death) {}
  Result<std::optional<std::string>> load(Partition partition,
                                          std::string_view customer) const override {
    if (death_.dies_before()) return Death::error();
    return StoreOver::load(partition, customer);
  }
  // Each customer is a call of his own.
  Result<std::vector<std::optional<std::string>>> load_all(
      std::span<const store::Key> customers) const override {
    return Store::load_all(customers);
  }
  using StoreOver::checkpoint;
  Result<void> checkpoint(const store::Checkpoint& what, const store::Pieces& changed) override {
    if (death_.dies_before()) return Death::error();
    auto done = StoreOver::checkpoint(what, changed);
    if (death_.dies_after()) return Death::error();
    return done;
  }
  Result<std::string> shared(store::Group group, std::string_view key) const override {
    if (is_unreadable) return Error{"disk", "it cannot be read"};
    return StoreOver::shared(group, key);
  }

  bool is_unreadable = false;  // what its customers share

 private:
  Death& death_;
};

// Seed 582 of the simulator's worlds over groups: it opened, and the first step failed.
TEST(Writers, DoNotOpenWhereWhatCustomersShareCannotBeRead) {
  Deployment deployment;
  deployment.plan.budgets.emplace_back();  // something is shared
  Death never;
  DyingStore store(deployment.store, never);
  const auto open = [&] {
    return Writers::open({deployment.plan, trial_rules, deployment.journal, store, three_groups,
                          deployment.outside, [&] { return deployment.now; }},
                         tight());
  };
  ASSERT_TRUE(open());
  store.is_unreadable = true;
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "disk");
}

// A source that sends again what was not acknowledged, against a process that dies once. Gives
// whether it died at all.
bool live_through(Death death) {
  Deployment deployment;
  constexpr int events = 60;
  std::set<int> acknowledged;
  {
    DyingJournal journal(deployment.journal, death);
    DyingStore store(deployment.store, death);
    World world = deployment.world();
    const World dying{world.plan,   trial_rules,        journal,    store,
                      three_groups, deployment.outside, world.clock};
    const auto writers = *Writers::open(dying, tight());
    for (int number = 0; number < events && !death.is_dead; ++number) {
      deployment.now = deployment.now + minutes(7);
      (void)writers->submit({deployment.order(number, 13)}, [&acknowledged, number](auto result) {
        if (result) acknowledged.insert(number);
      });
      if (number % 3 != 0) continue;
      if (!writers->commit()) break;
      bool failed = false;
      for (store::Group group = 0; group < three_groups.count; ++group)
        failed = failed || !writers->step(group);
      if (failed || (number % 9 == 0 && !writers->checkpoint(static_cast<store::Group>(
                                            number / 9 % three_groups.count))))
        break;
    }
  }
  const auto writers = *deployment.open(tight());
  for (int number = 0; number < events; ++number) {
    if (acknowledged.contains(number)) continue;
    deployment.now = deployment.now + minutes(1);
    submit(*writers, {deployment.order(number, 13)});
    run_dry(*writers);
  }
  deployment.now = deployment.now + hours(3);
  run_dry(*writers);
  EXPECT_TRUE(store_all(*writers));
  deployment.expect_as_run();
  const Expected expected = expected_of(deployment.plan, deployment.journal, three_groups);
  EXPECT_EQ(expected.ids.size(), static_cast<std::size_t>(events));
  EXPECT_EQ(expected.orders(), events);
  return death.is_dead;
}

TEST(Writers, LoseNothingAndDoubleNothingWhereverTheyDie) {
  for (const bool after : {false, true}) {
    int at = 1;
    for (;; ++at) {
      SCOPED_TRACE((after ? "after call " : "before call ") + std::to_string(at));
      Death death{at, after};
      const bool died = live_through(death);
      if (::testing::Test::HasFailure()) return;
      if (!died && at > 400) break;
    }
    EXPECT_GT(at, 100);
  }
}

// --- What is refused
// ----------------------------------------------------------------------------

TEST(Writers, RefuseATailThatOtherRulesOrOtherSemanticsHaveDecided) {
  Deployment deployment;
  {
    const auto writers = *deployment.open(tight());
    ASSERT_TRUE(writers->submit({deployment.order(1, 5)}, {}));
    run_dry(*writers);
  }
  World other = deployment.world();
  other.rules = trial_rules + 1;
  EXPECT_EQ(Writers::open(other, tight()).error().code, "rules");
  {
    const auto writers = *deployment.open(tight());
    ASSERT_TRUE(store_all(*writers));
  }
  EXPECT_TRUE(Writers::open(other, tight()));  // a clean stop leaves no tail

  const Opening opening{deployment.now, 5, semantics + 1, trial_rules};
  const std::vector<store::Row> rows{{0, encode(opening)}, {0, "unreadable for this one"}};
  const store::Appended batch{0, *deployment.journal.take(0), rows};
  ASSERT_TRUE(deployment.journal.append(std::span(&batch, 1)));
  const auto refused = deployment.open(tight());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "semantics");
  EXPECT_THAT(refused.error().what, ::testing::HasSubstr("stop it cleanly"));
}

TEST(Writers, RefuseAStateThatIsAnotherCustomers) {
  Deployment deployment;
  const core::Codec codec(deployment.plan);
  const Partition partition = partition_of("c1");
  const store::Group group = three_groups.group_of(partition);
  const std::vector<store::Saved> swapped = {
      {partition, "c1", codec.encode(core::new_customer(deployment.plan, "c2")),
       Timestamp::never()}};
  Customers customers(deployment.plan, deployment.store, group, 1 << 20);
  ASSERT_TRUE(deployment.store.checkpoint(group, *deployment.store.take(group), 1, swapped));
  const auto state = customers.of(partition, "c1");
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, "corrupt");
}

TEST(Writers, RefuseStatesOfAnotherJournal) {
  Deployment deployment;
  {
    const auto writers = *deployment.open(tight());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(writers->submit({deployment.order(i, 5)}, {}));
    run_dry(*writers);
    ASSERT_TRUE(store_all(*writers));
  }
  store::MemoryJournal empty(three_groups, 1), longer(three_groups, 2);
  const World world = deployment.world();
  const World without{world.plan,   trial_rules, empty,      world.store,
                      three_groups, world.deeds, world.clock};
  EXPECT_EQ(Writers::open(without, tight()).error().code, "foreign");

  Deployment elsewhere;
  {
    const World there{elsewhere.plan,          trial_rules,  longer,
                      elsewhere.store,         three_groups, elsewhere.outside,
                      deployment.world().clock};
    const auto writers = *Writers::open(there, tight());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(writers->submit({deployment.order(i, 5)}, {}));
    run_dry(*writers);
  }
  const World mixed{world.plan,   trial_rules, longer,     world.store,
                    three_groups, world.deeds, world.clock};
  const auto refused = Writers::open(mixed, tight());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "foreign");
  EXPECT_THAT(refused.error().what, ::testing::HasSubstr("put back the files"));
}

TEST(Writers, AreStoppedByTheFenceWhenOthersTakeOver) {
  Deployment deployment;
  const auto old = *deployment.open(tight());
  ASSERT_TRUE(old->submit({deployment.order(1, 5)}, {}));
  const auto now = *deployment.open(tight());
  EXPECT_EQ(old->commit().error().code, "fenced");
  EXPECT_EQ(old->checkpoint(0).error().code, "fenced");
  ASSERT_TRUE(now->submit({deployment.order(1, 5)}, {}));
  EXPECT_TRUE(*now->commit());
}

TEST(Writers, RefuseOuterInputsWhenTheQueueIsFullButTakeReceipts) {
  Deployment deployment;
  Settings settings = tight();
  settings.longest_queue = 5;
  const auto writers = *deployment.open(settings);
  int taken = 0;
  std::string code;
  for (int i = 0; i < 100 && code.empty(); ++i) {
    Event event = trial_order(deployment.plan, "e" + std::to_string(i), "ann", deployment.now, i);
    const auto result = writers->submit({event}, {});
    if (result)
      ++taken;
    else
      code = result.error().code;
  }
  EXPECT_EQ(taken, 5);
  EXPECT_EQ(code, "busy");
  EXPECT_TRUE(writers->submit({ReceiptFor{"ann", {{1, 2}, deployment.now, Failure::None}}}, {},
                              Lane::Inner));
  run_dry(*writers);
  EXPECT_TRUE(writers->submit({deployment.order(200, 1)}, {}));
}

TEST(Writers, CountAnEventOfTheFutureAtTheStamp) {
  Deployment deployment;
  const auto writers = *deployment.open(tight());
  const Event early = trial_order(deployment.plan, "e1", "ann", deployment.now + days(400), 5);
  ASSERT_TRUE(writers->submit({early}, {}));
  run_dry(*writers);
  ASSERT_TRUE(store_all(*writers));
  const auto bytes = *deployment.store.load(partition_of("ann"), "ann");
  EXPECT_EQ(core::Codec(deployment.plan).decode(*bytes)->clock, deployment.now);
  deployment.expect_as_run();
}

TEST(Writers, ApplyNothingOlderThanTheIdsThatAreRememberedButARefusal) {
  Deployment deployment;
  const auto writers = *deployment.open({});
  Event old = std::get<Event>(deployment.order(1, 1)), refusal;
  old.time = deployment.now - deployment.plan.policy.id_horizon - hours(1);
  refusal.id = "late refusal";
  refusal.type = type_of(EngineEvent::Unsubscribed);
  refusal.time = old.time;
  refusal.customer = old.customer;
  refusal.fields.resize(deployment.plan.schema[refusal.type].fields.size());
  std::vector<core::Standing> standings;
  ASSERT_TRUE(writers->submit({deployment.order(2, 1), old, refusal}, [&](const auto& answers) {
    for (const Answer& answer : *answers) standings.push_back(answer.standing);
  }));
  run_dry(*writers);
  using enum core::Standing;
  EXPECT_THAT(standings, testing::ElementsAre(Applied, TooLate, TooLate));
  writers->look(old.customer, [](const auto& state) {
    EXPECT_EQ((*state)->accumulators[0].count, 1);
    EXPECT_FALSE((*state)->consents.empty());
    for (const core::Consent& consent : (*state)->consents) EXPECT_FALSE(consent.granted);
  });
  ASSERT_TRUE(store_all(*writers));
  deployment.expect_as_run();
}

TEST(Writers, ARefusalReachesWhatItsOwnBatchHasDecided) {
  struct Wanted final : Deeds {
    void take(store::Group, std::vector<Deed> deeds) override {
      for (const Deed& deed : deeds)
        if (deed.effect.action == core::Action::Send) wanted[deed.customer] = deed.wanted;
    }
    std::string freeze(store::Group) override { return {}; }
    Result<void> thaw(store::Group, std::string_view) override { return {}; }
    std::map<std::string, bool> wanted;
  } deeds;
  Deployment deployment;
  for (plan::Campaign& campaign : deployment.plan.campaigns)
    campaign.campaign_class = plan::CampaignClass::Service;
  const World world{
      deployment.plan, trial_rules, deployment.journal, deployment.store, three_groups, deeds, [&] {
        return deployment.now;
      }};
  Settings settings;
  settings.timers_at_once = 1;  // the others fire before their customer's next event
  const auto writers = *Writers::open(world, settings);
  const auto ordered = [&](const std::string& customer) {
    return trial_order(deployment.plan, "o" + customer, customer, deployment.now, 1);
  };
  Event refusal;
  refusal.id = "refusal";
  refusal.type = type_of(EngineEvent::Unsubscribed);
  refusal.time = deployment.now;
  refusal.customer = "ann";
  refusal.fields.resize(deployment.plan.schema[refusal.type].fields.size());
  // Somebody of bob's group, whose timer comes before his.
  const auto group_of = [](const std::string& id) {
    return three_groups.group_of(partition_of(id));
  };
  std::string other = "a0";
  for (int i = 1; group_of(other) != group_of("bob"); ++i) other = "a" + std::to_string(i);
  ASSERT_TRUE(writers->submit({ordered("ann"), ordered(other), ordered("bob"), refusal}, {}));
  run_dry(*writers);
  EXPECT_EQ(deeds.wanted,
            (std::map<std::string, bool>{{"ann", false}, {other, true}, {"bob", true}}));

  // Bob's second message is due before he refuses, and decided with it.
  deployment.now = deployment.now + hours(2);
  deeds.wanted.clear();
  refusal.id = "refusal of bob";
  refusal.time = deployment.now;
  refusal.customer = "bob";
  ASSERT_TRUE(writers->submit({refusal}, {}));
  run_dry(*writers);
  EXPECT_EQ(deeds.wanted, (std::map<std::string, bool>{{other, true}, {"bob", false}}));
}

TEST(Writers, FireTimersOfThoseWhoAreLongOutOfMemory) {
  Deployment deployment;
  const auto writers = *deployment.open(tight());
  for (int i = 0; i < 2000; ++i) {
    submit(*writers, {deployment.order(i, 500)});
    if (i % 50 == 0) run_dry(*writers);
    if (i % 200 == 0) {
      ASSERT_TRUE(store_all(*writers));
    }
  }
  EXPECT_LT(writers->writer(0).customers().customers(), 60u);
  deployment.now = deployment.now + hours(2);
  run_dry(*writers);
  ASSERT_TRUE(store_all(*writers));
  deployment.expect_as_run();
  const Expected expected = expected_of(deployment.plan, deployment.journal, three_groups);
  EXPECT_GE(expected.timers, 500u);
  for (const auto& [id, state] : expected.customers)
    EXPECT_EQ(core::next_due(state), Timestamp::never());
}

TEST(Writers, ReceiptsComeToThoseWhoSent) {
  Deployment deployment;
  const auto writers = *deployment.open(tight());
  ASSERT_TRUE(writers->submit({deployment.order(1, 1)}, {}));
  run_dry(*writers);
  const Expected before = expected_of(deployment.plan, deployment.journal, three_groups);
  const Hash128 key = before.customers.begin()->second.open.at(0).key;
  ASSERT_TRUE(writers->submit(
      {ReceiptFor{before.customers.begin()->first, {key, deployment.now, Failure::Unreachable}}},
      {}, Lane::Inner));
  run_dry(*writers);
  ASSERT_TRUE(store_all(*writers));
  deployment.expect_as_run();
  EXPECT_EQ(deployment.outside.keys.size(), 3u);  // entry, wechat, then sms
}

// --- Threads -----------------------------------------------------------------------------------

TEST(Writers, TellTheDeedsOfAttemptsAndReceiptsAgainInARecovery) {
  Deployment deployment;
  auto writers = *deployment.open({});
  submit(*writers, {deployment.order(1, 10)});
  run_dry(*writers);
  ASSERT_TRUE(store_all(*writers));
  ASSERT_FALSE(deployment.outside.keys.empty());
  const Hash128 key = *deployment.outside.keys.begin();
  const std::string customer(customer_of(deployment.order(1, 10)));
  submit(*writers, {AttemptFor{customer, key}});
  run_dry(*writers);
  submit(*writers, {ReceiptFor{customer, {key, deployment.now, Failure::None}}});
  run_dry(*writers);
  const std::vector<std::string> expected = {"attempted " + to_hex(key), "settled " + to_hex(key)};
  EXPECT_EQ(deployment.outside.told_in_this_life, expected);
  writers.reset();
  writers = *deployment.open({});
  EXPECT_EQ(deployment.outside.told_in_this_life, expected);
  ASSERT_TRUE(store_all(*writers));
  deployment.expect_as_run();
}

TEST(Writers, ShowACustomerAsHeStandsAndNobodyWhoNeverCame) {
  Deployment deployment;
  auto writers = *deployment.open({});
  submit(*writers, {deployment.order(1, 10), deployment.order(11, 10)});
  run_dry(*writers);
  const std::string customer(customer_of(deployment.order(1, 10)));
  std::vector<std::string> shown;
  const auto show = [&](Result<const core::State*> state) {
    shown.push_back(!state   ? state.error().code
                    : *state ? (*state)->id + std::to_string((*state)->accumulators[0].count)
                             : "nobody");
  };
  writers->look(customer, show);
  writers->look("stranger", show);
  EXPECT_THAT(shown, testing::ElementsAre(customer + "2", "nobody"));
  run_dry(*writers);
  ASSERT_TRUE(store_all(*writers));
  deployment.expect_as_run();  // nobody came to be by being asked for

  writers->start({});
  std::promise<std::string> threaded;
  writers->look(customer, [&](Result<const core::State*> state) {
    threaded.set_value(state && *state ? (*state)->id : "nobody");
  });
  EXPECT_EQ(threaded.get_future().get(), customer);
  ASSERT_TRUE(writers->stop());
}

TEST(Writers, OfManyThreadsComeToTheSameAsAPlainRun) {
  Deployment deployment;
  deployment.plan = trial_plan(minutes(0) + microseconds(20'000));
  World world = deployment.world();
  world.clock = [] {
    return Timestamp{std::chrono::duration_cast<std::chrono::microseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count()};
  };
  deployment.now = world.clock();
  Settings settings = tight();
  settings.budget = std::uint64_t{three_groups.count} * 40'000;
  settings.checkpoints = {std::chrono::milliseconds(20), 40, std::chrono::milliseconds(30)};
  const auto writers = *Writers::open(world, settings);
  writers->start([](const Error& error) { ADD_FAILURE() << error.what; });
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client)
    clients.emplace_back([&, client] {
      for (int i = 0; i < 1500; ++i) {
        const int number = 4 * i + client;
        std::vector<Given> inputs;
        for (int k = 0; k < 3; ++k) inputs.push_back(deployment.order(10 * number + k, 300));
        for (;;) {
          const auto taken = writers->submit(std::move(inputs), [&](auto result) {
            EXPECT_TRUE(result);
            answered += 3;
          });
          if (taken) break;
          EXPECT_EQ(taken.error().code, "busy");
          ASSERT_EQ(inputs.size(), 3u) << "they are still the caller's";
          std::this_thread::yield();
        }
      }
    });
  for (std::thread& client : clients) client.join();
  ASSERT_TRUE(writers->stop());
  EXPECT_EQ(answered, 4 * 1500 * 3);
  EXPECT_GT(writers->checkpoints(), 5u);
  deployment.expect_as_run();
  for (store::Group group = 0; group < three_groups.count; ++group)
    EXPECT_EQ(*deployment.store.position(group), *deployment.journal.last(group));
  EXPECT_FALSE(writers->submit({deployment.order(0, 1)}, {}));
}

TEST(Writers, WriteBackWhatWasAnsweredWhenTheyAreAskedTo) {
  Deployment place;
  const auto writers = *place.open({});
  writers->start([](const Error& error) { ADD_FAILURE() << error.what; });
  for (int number = 0; number < 60; number += 20) {
    std::vector<Given> orders;
    for (int i = number; i < number + 20; ++i) orders.push_back(place.order(i, 1000));
    std::promise<void> answered;
    ASSERT_TRUE(writers->submit(std::move(orders), [&](const auto&) { answered.set_value(); }));
    answered.get_future().wait();
    ASSERT_TRUE(writers->write_back());
    for (int i = 0; i < number + 20; ++i) {
      const std::string customer = "c" + std::to_string(i * 7 % 1000);
      EXPECT_TRUE(place.store.load(partition_of(customer), customer)->has_value()) << customer;
    }
  }
  ASSERT_TRUE(writers->write_back()) << "nothing has changed since";
  ASSERT_TRUE(writers->stop());
  EXPECT_EQ(writers->write_back().error().code, "stopping");
  place.expect_as_run();
}

// On the thread that steps him, or not at all: on the asking one it would be a data race.
TEST(Writers, ShowHimWhileTheyStopAndNobodyBehindThat) {
  Deployment deployment;
  const auto writers = *deployment.open({});
  writers->start([](const Error& error) { ADD_FAILURE() << error.what; });
  const std::string customer(customer_of(deployment.order(1, 10)));
  const auto look = [&] {
    std::promise<std::string> shown;
    writers->look(customer, [&](const Result<const core::State*>& state) {
      shown.set_value(state ? "shown" : state.error().code);
    });
    return shown.get_future().get();
  };
  std::atomic<bool> has_stopped = false;
  std::thread looking([&] {
    while (!has_stopped) {
      const std::string shown = look();
      EXPECT_TRUE(shown == "shown" || shown == "stopping") << shown;
    }
  });
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(writers->submit({deployment.order(i, 10)}, {}));
  ASSERT_TRUE(writers->stop());
  has_stopped = true;
  looking.join();
  EXPECT_EQ(look(), "stopping");
  deployment.expect_as_run();
}

TEST(Writers, TellEveryoneWhoWaitsWhenTheJournalFails) {
  Deployment deployment;
  Death death{4, true};
  DyingJournal journal(deployment.journal, death);
  World world = deployment.world();
  const World dying{world.plan,   trial_rules, journal,    world.store,
                    three_groups, world.deeds, world.clock};
  const auto writers = *Writers::open(dying, tight());
  std::promise<Error> trouble;
  writers->start([&](const Error& error) { trouble.set_value(error); });
  std::atomic<int> told = 0, asked = 0;
  for (int i = 0; i < 2000; ++i) {
    if (writers->submit({deployment.order(i, 50)}, [&](auto) { ++told; }))
      ++asked;
    else
      break;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  EXPECT_EQ(trouble.get_future().get().code, "unknown");
  EXPECT_FALSE(writers->stop());
  EXPECT_FALSE(writers->submit({deployment.order(0, 50)}, {}));
  EXPECT_GT(asked, 3);
  EXPECT_EQ(told, asked);
}

}  // namespace
}  // namespace koi::durable
