// Customers who turn out to be one person, over crashes, checkpoints and little memory: states and
// effects are what the journal leads to by the bare core.
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <set>

#include "durable/by_hand.h"
#include "durable/detail/trial.h"
#include "store/memory.h"

namespace koi::durable {
namespace {

class KeysTaken final : public Deeds {
 public:
  void take(store::Group, std::vector<Deed> deeds) override {
    for (const Deed& deed : deeds) keys.insert(deed.effect.key);
  }
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }
  std::set<Hash128> keys;
};

class Merging : public ::testing::Test {
 protected:
  std::unique_ptr<Writers> open() {
    Settings settings;
    settings.budget = 6000;
    settings.longest_batch = 20;
    settings.timers_at_once = 7;
    auto opened = Writers::open(
        {plan, trial_rules, *journal, *store, one_group, outside, [this] { return now; }},
        settings);
    EXPECT_TRUE(opened);
    return *std::move(opened);
  }
  // An order of somebody, by his phone or under an id; now and then it carries another's phone.
  Given order(int number, std::mt19937_64& random) {
    const auto person = [&] { return std::to_string(random() % 12); };
    const auto phone = [](const std::string& of) { return Identifier{IdentifierId::of(0), of}; };
    const std::string who = person(), other = person();
    const bool is_named = random() % 2 == 0;
    Event event =
        trial_order(plan, "e" + std::to_string(number), is_named ? "c" + who : "phone:" + who,
                    now - minutes(static_cast<std::int64_t>(random() % 50)), number);
    if (!is_named) event.identifiers = {phone(who)};
    if (random() % 4 == 0 && (is_named || other != who))
      event.met = {{phone(other), "phone:" + other, IdentifierId::of(is_named ? 0 : 1)}};
    return event;
  }

  plan::Plan plan = trial_plan();
  std::optional<store::MemoryJournal> journal;
  std::optional<store::MemoryStore> store;
  KeysTaken outside;
  Timestamp now = *parse_instant("2026-03-02T10:00:00Z");
};

TEST_F(Merging, LeadsToWhatTheJournalSaysOverCrashesAndCheckpoints) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    journal.emplace(one_group, 1);
    store.emplace(one_group);
    outside.keys.clear();
    std::mt19937_64 random(seed);
    std::unique_ptr<Writers> writers = open();
    for (int number = 0; number < 150; ++number) {
      now = now + minutes(static_cast<std::int64_t>(random() % 20));
      std::vector<Given> inputs{order(number, random)};
      auto taken = writers->submit(std::move(inputs), {});
      if (!taken) {
        run_dry(*writers);
        ASSERT_TRUE(writers->checkpoint(0));
      }
      if (random() % 3 == 0) run_dry(*writers);
      if (random() % 20 == 0) {
        ASSERT_TRUE(writers->checkpoint(0));
      }
      if (random() % 40 == 0) {
        writers.reset();  // it dies
        writers = open();
      }
    }
    run_dry(*writers);
    ASSERT_TRUE(writers->checkpoint(0));
    const Expected expected = expected_of(plan, *journal, one_group);
    EXPECT_GT(expected.merged, 0u);
    std::map<std::string, std::string> stored;
    for (Partition partition = 0; partition < partition_count; ++partition) {
      const std::vector<store::Saved> all = *store->scan(partition, "", 1'000'000);
      for (const store::Saved& saved : all) stored[saved.customer] = saved.bytes;
    }
    EXPECT_EQ(stored, expected.bytes(plan));
    EXPECT_EQ(outside.keys, std::set(expected.effects.begin(), expected.effects.end()));
    // Whoever has gone is shown as the one who stays.
    for (const auto& [id, state] : expected.customers) {
      if (core::gone_to(state) == nullptr) continue;
      std::string shown;
      writers->look(id, [&](Result<const core::State*> found) {
        if (found && *found) shown = (*found)->id;
      });
      EXPECT_FALSE(shown.empty());
      EXPECT_NE(shown, id);
    }
  }
}

}  // namespace
}  // namespace koi::durable
