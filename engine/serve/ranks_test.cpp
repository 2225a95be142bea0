#include "serve/ranks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "base/scratch.h"
#include "deploy/bundles.h"
#include "durable/deeds.h"
#include "serve/detail/trial.h"
#include "store/memory.h"

namespace koi::serve {
namespace {

// Who has entered what, and how often.
class Entries : public durable::Deeds {
 public:
  void take(store::Group, std::vector<durable::Deed> deeds) override {
    const std::lock_guard lock(mutex_);
    for (const durable::Deed& deed : deeds)
      if (deed.effect.action == core::Action::Enter && keys_.insert(deed.effect.key).second)
        ++of_[deed.customer];
  }
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }
  std::map<std::string, int> all() {
    const std::lock_guard lock(mutex_);
    return of_;
  }

 private:
  std::mutex mutex_;
  std::set<Hash128> keys_;  // a recovery may give again what was given
  std::map<std::string, int> of_;
};

constexpr int customers = 2400;
const Timestamp midnight = *parse_instant("2026-03-02T00:00:00Z");
const Timestamp at_three = midnight + hours(3);  // when the tier is refreshed

// Counted by hand: of n, sorted by (value, id), the last tenth, and the quarter before it.
std::map<std::string, std::string> levels_by(const std::map<std::string, std::int64_t>& values) {
  std::vector<std::pair<std::int64_t, std::string>> ranked;
  for (const auto& [id, value] : values) ranked.emplace_back(value, id);
  std::sort(ranked.begin(), ranked.end());
  std::map<std::string, std::string> levels;
  const std::size_t n = ranked.size();
  for (std::size_t i = 0; i < n; ++i)
    levels[ranked[i].second] = 100 * i >= 90 * n ? "gold" : 100 * i >= 65 * n ? "silver" : "bronze";
  return levels;
}

plan::Plan plan_with_tier() {
  auto compiled = deploy::compile({1, {{"a.koi", R"(
      policy { currency CNY  time zone "UTC" }
      customer { phone: phone? private  identify by phone }
      event purchase { amount: money }
      metric spent = sum purchase.amount over 30 days
      tier value by spent refreshed every day at 03:00 {
        gold: top 10%
        silver: next 25%
        bronze: the rest
      }
      campaign rises { class service  enter always  when enters value.gold  tag "gold" }
    )"}}});
  KOI_ASSERT(compiled);
  return *std::move(compiled);
}

class RanksTest : public ::testing::Test {
 protected:
  RanksTest() : plan_(plan_with_tier()) { open(); }
  ~RanksTest() override { close(); }

  void open() {
    auto writers = durable::Writers::open(
        {plan_, 1, journal_, store_, three_groups, entries_, [this] { return Timestamp{now_}; }},
        durable::Settings{});
    ASSERT_TRUE(writers) << writers.error().what;
    writers_ = *std::move(writers);
    writers_->start({});
    auto opened = made(midnight);
    ASSERT_TRUE(opened) << opened.error().what;
    ranks_ = *std::move(opened);
  }
  Result<std::unique_ptr<Ranks>> made(Timestamp since) {
    return Ranks::open(folder_.path() / "ranks", {plan_, since, store_, three_groups, *writers_,
                                                  [this] { return Timestamp{now_}; },
                                                  [this](channel::Level, std::string_view line) {
                                                    const std::lock_guard lock(mutex_);
                                                    said_ += std::string(line) + "\n";
                                                  }});
  }
  void close() {
    ranks_.reset();
    if (writers_) {
      EXPECT_TRUE(writers_->stop());
    }
    writers_.reset();
  }
  // What is not in the journal is lost.
  void kill() {
    ranks_.reset();
    writers_.reset();
  }

  static std::string name(int i) { return "c" + std::to_string(i); }
  durable::Given purchase(int customer, std::int64_t amount, Timestamp at) {
    Event made;
    made.id = "p" + std::to_string(++purchases_);
    made.type = plan_.schema.find_event("purchase");
    made.time = at;
    made.customer = name(customer);
    made.fields = {Value::money(amount)};
    return made;
  }
  void submit(std::vector<durable::Given> inputs) {
    std::atomic<bool> done = false;
    ASSERT_TRUE(writers_->submit(std::move(inputs), [&](const auto& answers) {
      EXPECT_TRUE(answers);
      done = true;
      done.notify_all();
    }));
    done.wait(false);
  }
  // Everybody has bought, many for the same; a few more than once.
  void everybody_buys() {
    std::vector<durable::Given> inputs;
    for (int i = 0; i < customers; ++i) {
      inputs.push_back(purchase(i, 100 * (i % 37), midnight + seconds(i)));
      values_[name(i)] = 100 * (i % 37);
      if (i % 5 != 0) continue;
      inputs.push_back(purchase(i, 50, midnight + hours(1)));
      values_[name(i)] += 50;
    }
    now_ = (midnight + hours(2)).us;
    submit(std::move(inputs));
  }
  std::map<std::string, std::string> expected() const { return levels_by(values_); }
  std::map<std::string, std::string> levels() {
    std::map<std::string, std::string> found;
    const plan::Tier& tier = plan_.tiers[0];
    const auto& names =
        plan_.schema.enumerations[plan_.schema[tier.attribute].type.enumeration.index()].values;
    for (const auto& [id, value] : values_) {
      std::atomic<bool> done = false;
      writers_->look(id, [&](Result<const core::State*> state) {
        EXPECT_TRUE(state && *state);
        if (state && *state)
          found[id] =
              names[static_cast<std::size_t>((*state)->attributes[tier.attribute.index()].raw())]
                  .name;
        done = true;
        done.notify_all();
      });
      done.wait(false);
    }
    return found;
  }
  void until_told(Timestamp at) {
    while (ranks_->told(0) < at) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }

  const Scratch folder_;
  store::MemoryJournal journal_{three_groups};
  store::MemoryStore store_{three_groups};
  std::atomic<std::int64_t> now_ = midnight.us;
  const plan::Plan plan_;
  Entries entries_;
  std::mutex mutex_;
  std::string said_;
  int purchases_ = 0;
  std::map<std::string, std::int64_t> values_;
  std::unique_ptr<durable::Writers> writers_;
  std::unique_ptr<Ranks> ranks_;
};

TEST_F(RanksTest, EverybodyHasTheLevelThatHeHadAtTheInstantThoughNothingWaited) {
  everybody_buys();
  ranks_->start();
  now_ = (at_three + seconds(1)).us;
  // From the instant on everything turns over, before anybody is told and while they are.
  for (int round = 0; ranks_->told(0) < at_three; ++round) {
    std::vector<durable::Given> inputs;
    for (int i = round % 7; i < customers; i += 7)
      inputs.push_back(purchase(i, 1000 * ((i * 31) % 101), at_three + seconds(1)));
    submit(std::move(inputs));
  }
  EXPECT_EQ(levels(), expected());
  for (const auto& [id, times] : entries_.all()) EXPECT_EQ(times, 1) << id;
  EXPECT_EQ(entries_.all().size(), static_cast<std::size_t>(customers) / 10);
  ranks_->stop();  // who is told may be so before it is said
  EXPECT_NE(said_.find("2400 ranked, 2400 have another level"), std::string::npos) << said_;
}

TEST_F(RanksTest, WhatComesBehindTheInstantCountsAtTheNext) {
  everybody_buys();
  ranks_->start();
  now_ = at_three.us;
  submit({purchase(0, 5000, at_three)});  // of the instant itself: before it
  values_[name(0)] += 5000;
  now_ = (at_three + seconds(1)).us;
  submit({purchase(1, 9000, at_three + seconds(1))});
  // Late, and it came when the border was passed.
  submit({purchase(2, 9000, at_three - minutes(1))});
  until_told(at_three);
  EXPECT_EQ(levels(), expected());
  values_[name(1)] += 9000;
  values_[name(2)] += 9000;
  now_ = (at_three + days(1) + seconds(1)).us;
  until_told(at_three + days(1));
  EXPECT_EQ(levels(), expected());
}

TEST_F(RanksTest, WhatFallsOutOfAWindowBeforeTheInstantDoesNotCount) {
  everybody_buys();
  ranks_->start();
  now_ = (at_three + seconds(1)).us;
  until_told(at_three);
  // A month later nobody has spent anything in thirty days, and all are equal but for their ids;
  // what was missed on the way is not made up for.
  now_ = (at_three + days(40)).us + 1;
  until_told(at_three + days(40));
  EXPECT_EQ(ranks_->told(0), at_three + days(40));
  for (auto& [id, value] : values_) value = 0;
  EXPECT_EQ(levels(), expected());
}

TEST_F(RanksTest, OneThatWasBrokenOffIsToldToTheEndAfterTheNextStart) {
  everybody_buys();
  now_ = (at_three + seconds(1)).us;
  for (int round = 0; round < 6; ++round) {
    ranks_->start();
    submit({purchase(round, 700'000, Timestamp{now_})});  // counts only at the next
    if (round < 5) std::this_thread::sleep_for(std::chrono::milliseconds(3 * round));
    if (round == 5) until_told(at_three);
    if (round % 2 == 0)
      kill();
    else
      close();
    open();
  }
  EXPECT_EQ(ranks_->told(0), at_three);
  EXPECT_EQ(levels(), expected());
  for (const auto& [id, times] : entries_.all()) EXPECT_EQ(times, 1) << id;
}

TEST_F(RanksTest, WhatWasRefreshedBeforeTheRulesWereLiveIsNotTheirs) {
  ranks_.reset();
  std::filesystem::remove(folder_.path() / "ranks");
  EXPECT_EQ((*made(at_three + hours(1)))->told(0), at_three + hours(1));
  // From then on it goes by what was told.
  EXPECT_EQ((*made(at_three + days(3)))->told(0), at_three + hours(1));
}

TEST_F(RanksTest, AFileThatIsDamagedIsSaidToBeSo) {
  ranks_.reset();
  std::ofstream(folder_.path() / "ranks") << "12 tier value\nx";
  const auto damaged = made(midnight);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, "corrupt");
}

// --- On their way -------------------------------------------------------------------------------

// Two groups by hand: ann of the one and bo of the other turn out to be one person.
class Movers {
 public:
  explicit Movers(int who_asks) : plan_(plan_with_tier()), who_asks_(who_asks) {
    auto writers = durable::Writers::open(
        {plan_, 1, journal_, store_, two, entries_, [this] { return now_; }}, durable::Settings{});
    KOI_ASSERT(writers);
    writers_ = *std::move(writers);
    auto ranks = Ranks::open(folder_.path() / "ranks",
                             {plan_, midnight, store_, two, *writers_, [this] { return now_; },
                              [](channel::Level, std::string_view) {}});
    KOI_ASSERT(ranks);
    ranks_ = *std::move(ranks);
    for (int i = 0; ann.empty() || bo.empty(); ++i) {
      const std::string id = "phone:p" + std::to_string(i);  // no name of the source's own
      (two.group_of(partition_of(id)) == 0 ? ann : bo) = id;
    }
  }

  void buys(const std::string& customer, std::int64_t amount, bool shows_it = false) {
    Event event;
    event.id = "e" + std::to_string(++number_);
    event.type = plan_.schema.find_event("purchase");
    event.time = now_;
    event.customer = customer;
    event.fields = {Value::money(amount)};
    const auto phone = IdentifierId::of(0);
    const Identifier his{phone, "+86138000000" + std::to_string(customer == ann ? 1 : 2)};
    if (customer == ann || customer == bo) event.identifiers = {his};
    if (shows_it) {
      event.identifiers.clear();
      const std::string& other = customer == ann ? bo : ann;
      event.met = {{{phone, "+86138000000" + std::to_string(other == ann ? 1 : 2)}, other, phone}};
    }
    ASSERT_TRUE(writers_->submit({event}, {}));
  }
  // What came is committed, and stepped; and what that tells the other group comes with the next.
  bool go_on() {
    if (!*writers_->commit()) return false;
    for (const store::Group group : {store::Group(0), store::Group(1)})
      while (*writers_->step(group)) {
      }
    return true;
  }
  void come_to_rest() {
    while (go_on()) {
    }
  }
  void refresh() {
    for (int turns = 0; ranks_->told(0) < at_three && turns < 1000; ++turns) {
      const auto done = ranks_->turn();
      ASSERT_TRUE(done) << done.error().what;
      go_on();
    }
    come_to_rest();
    ASSERT_EQ(ranks_->told(0), at_three);
  }
  std::string level(const std::string& customer) {
    const plan::Tier& tier = plan_.tiers[0];
    const auto& names =
        plan_.schema.enumerations[plan_.schema[tier.attribute].type.enumeration.index()].values;
    std::string found;
    writers_->look(customer, [&](Result<const core::State*> state) {
      ASSERT_TRUE(state && *state);
      found =
          names[static_cast<std::size_t>((*state)->attributes[tier.attribute.index()].raw())].name;
    });
    return found;
  }

  // By whom what was spent.
  std::map<std::string, std::int64_t> everybody_buys() {
    std::map<std::string, std::int64_t> values{{ann, 150}};
    buys(ann, 150);
    go_on();
    now_ = now_ + seconds(1);
    values[bo] = 120;
    buys(bo, 120);
    for (int i = 0; i < 18; ++i) {
      const std::string id = "c" + std::to_string(i);
      values[id] = 200 + 4 * i;  // to 268
      buys(id, values[id]);
    }
    come_to_rest();
    return values;
  }

  // What comes for bo at the very instant, who is ann by then, comes to her group behind it.
  void run_passed_on(bool does_more) {
    everybody_buys();
    now_ = at_three - minutes(10);
    buys(ann, -80, true);
    come_to_rest();  // they are one, and have spent 190
    now_ = at_three;
    buys(bo, 5'000'00);
    ASSERT_TRUE(*writers_->commit());
    now_ = at_three + seconds(1);
    if (does_more) buys(ann, 1);
    come_to_rest();
    refresh();
    EXPECT_EQ(level(ann), "bronze");
  }

  // Whoever asks has been told by then who they are where so many rounds came before the instant.
  void run(int rounds) {
    std::map<std::string, std::int64_t> values = everybody_buys();
    now_ = at_three - minutes(10);
    if (rounds > 0) buys(who_asks_ == 0 ? ann : bo, 10, true);
    for (int i = 0; i < rounds; ++i) go_on();
    now_ = at_three + seconds(1);
    if (rounds == 0) buys(who_asks_ == 0 ? ann : bo, 10, true);
    buys(ann, 5'000'00);
    come_to_rest();
    refresh();
    const bool are_one = rounds >= 2;
    if (are_one) {
      values[ann] += 120 + 10;
      values.erase(bo);
    }
    auto expected = levels_by(values);
    expected.erase(bo);  // he is ann, who has one level
    EXPECT_EQ(expected.at(ann), are_one ? "gold" : "bronze");
    for (const auto& [id, wanted] : expected) EXPECT_EQ(level(id), wanted) << id;
    EXPECT_EQ(level(bo), level(ann));
  }

  std::string ann, bo;

 private:
  static constexpr store::Groups two{2};
  const Scratch folder_;
  store::MemoryJournal journal_{two};
  store::MemoryStore store_{two};
  Timestamp now_ = midnight;
  const plan::Plan plan_;
  const int who_asks_;
  Entries entries_;
  int number_ = 0;
  std::unique_ptr<durable::Writers> writers_;
  std::unique_ptr<Ranks> ranks_;
};

TEST(RanksOfMovers, WhoIsOnHisWayIsRankedOnceWithAllThatIsHis) {
  for (const int who_asks : {0, 1})
    for (int rounds = 0; rounds < 7; ++rounds) {
      SCOPED_TRACE((who_asks == 0 ? "ann asks, " : "bo asks, ") + std::to_string(rounds));
      Movers(who_asks).run(rounds);
    }
}

TEST(RanksOfMovers, WhatIsPassedOnCountsFromWhereItComesToWhateverElseComes) {
  Movers(0).run_passed_on(false);
  Movers(0).run_passed_on(true);
}

}  // namespace
}  // namespace koi::serve
