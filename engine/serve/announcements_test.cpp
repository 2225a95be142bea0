#include "serve/announcements.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <set>

#include "base/scratch.h"
#include "deploy/bundles.h"
#include "durable/deeds.h"
#include "serve/detail/trial.h"
#include "store/memory.h"

namespace koi::serve {
namespace {

// Who has entered what, and how often.
class EntriesByCampaign : public durable::Deeds {
 public:
  explicit EntriesByCampaign(const plan::Plan& plan) : plan_(plan) {}
  void take(store::Group, std::vector<durable::Deed> deeds) override {
    const std::lock_guard lock(mutex_);
    for (const durable::Deed& deed : deeds)
      if (deed.effect.action == core::Action::Enter && keys_.insert(deed.effect.key).second)
        ++of_[plan_.campaigns[deed.effect.campaign.index()].symbol.name][deed.customer];
  }
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }
  std::map<std::string, int> of(const std::string& campaign) {
    const std::lock_guard lock(mutex_);
    return of_[campaign];
  }

 private:
  const plan::Plan& plan_;
  std::mutex mutex_;
  std::set<Hash128> keys_;  // a recovery may give again what was given
  std::map<std::string, std::map<std::string, int>> of_;
};

constexpr int visitors = 3000;

class AnnouncementsTest : public ::testing::Test {
 protected:
  AnnouncementsTest() {
    auto compiled = deploy::compile({1, {{"a.koi", R"(
      policy { currency CNY }
      event sale to everyone { sku: text }
      event visit {}
      campaign greets { class service  enter always  when sale  tag "greeted" }
      campaign visits { class service  enter always  when visit  tag "seen" }
    )"}}});
    KOI_ASSERT(compiled);
    plan_ = *std::move(compiled);
    entries_.emplace(plan_);
    open();
  }
  ~AnnouncementsTest() override { close(); }

  void open() {
    auto writers = durable::Writers::open(
        {plan_, 1, journal_, store_, two_groups, *entries_, [this] { return Timestamp{now_}; }},
        durable::Settings{});
    ASSERT_TRUE(writers) << writers.error().what;
    writers_ = *std::move(writers);
    writers_->start({});
    auto made = Announcements::open(
        folder_.path() / "everyone",
        {plan_, journal_, store_, two_groups, *writers_, [this] { return Timestamp{now_}; },
         [this](channel::Level, std::string_view line) {
           const std::lock_guard lock(mutex_);
           said_ += std::string(line) + "\n";
         }});
    ASSERT_TRUE(made) << made.error().what;
    announcements_ = *std::move(made);
  }
  void close() {
    announcements_.reset();
    if (writers_) {
      EXPECT_TRUE(writers_->stop());
    }
    writers_.reset();
  }

  Event event(const char* type, std::string id, std::string customer, Timestamp time) const {
    Event made;
    made.id = std::move(id);
    made.type = plan_.schema.find_event(type);
    made.time = time;
    made.customer = std::move(customer);
    made.fields.resize(plan_.schema[made.type].fields.size());
    if (!made.fields.empty()) made.fields[0] = Value::text("A1");
    return made;
  }
  void visit(int from, int to, Timestamp at) {
    std::atomic<bool> done = false;
    std::vector<durable::Given> inputs;
    for (int i = from; i < to; ++i)
      inputs.emplace_back(event("visit", "v" + std::to_string(i), "c" + std::to_string(i), at));
    ASSERT_TRUE(writers_->submit(std::move(inputs), [&](const auto& answers) {
      EXPECT_TRUE(answers);
      done = true;
      done.notify_all();
    }));
    done.wait(false);
  }
  Result<core::Standing> announce(const std::string& id, Timestamp at) {
    return announcements_->take(event("sale", id, "*", at),
                                R"({"id":")" + id + R"(","type":"sale","time":")" +
                                    to_string(at, utc()) +
                                    R"(","subject":"*","data":{"sku":"A1"}})");
  }
  void until_told() {
    while (announcements_->pending() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }

  const Scratch folder_;
  store::MemoryJournal journal_{two_groups};
  store::MemoryStore store_{two_groups};
  std::atomic<std::int64_t> now_ = noon.us;
  plan::Plan plan_;
  std::optional<EntriesByCampaign> entries_;
  std::mutex mutex_;
  std::string said_;
  std::unique_ptr<durable::Writers> writers_;
  std::unique_ptr<Announcements> announcements_;
};

TEST_F(AnnouncementsTest, EverybodyWhoIsThereSeesItOnceWhereverHeIsKept) {
  visit(0, visitors / 2, noon - minutes(2));
  close();  // these are in the store, the others in the journal alone
  open();
  visit(visitors / 2, visitors, noon - minutes(1));
  announcements_->start();
  ASSERT_EQ(*announce("s1", noon), core::Standing::Applied);
  EXPECT_EQ(*announce("s1", noon), core::Standing::Duplicate);
  now_ += seconds(1).us;
  visit(visitors, visitors + 10, noon + seconds(1));  // too late for it
  until_told();
  const auto greeted = entries_->of("greets");
  EXPECT_EQ(greeted.size(), static_cast<std::size_t>(visitors));
  for (const auto& [customer, times] : greeted) EXPECT_EQ(times, 1) << customer;
  EXPECT_FALSE(greeted.contains("c" + std::to_string(visitors)));
  EXPECT_EQ(entries_->of("visits").size(), static_cast<std::size_t>(visitors) + 10);
}

TEST_F(AnnouncementsTest, OneThatWasBrokenOffIsToldToTheEndAfterTheNextStart) {
  visit(0, visitors, noon - minutes(1));
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(*announce("s1", noon),
              round == 0 ? core::Standing::Applied : core::Standing::Duplicate);
    announcements_->start();
    if (round == 4) until_told();
    close();
    open();
  }
  EXPECT_EQ(announcements_->pending(), 0u);
  const auto greeted = entries_->of("greets");
  EXPECT_EQ(greeted.size(), static_cast<std::size_t>(visitors));
  for (const auto& [customer, times] : greeted) EXPECT_EQ(times, 1) << customer;
}

TEST_F(AnnouncementsTest, WhatIsOlderThanTheRulesAllowIsToldToNobodyAndKnownWhenItComesAgain) {
  visit(0, 3, noon - minutes(1));
  announcements_->start();
  EXPECT_EQ(*announce("s1", noon - hours(2)), core::Standing::TooLate);
  EXPECT_EQ(*announce("s1", noon - hours(2)), core::Standing::Duplicate);
  close();
  open();
  EXPECT_EQ(*announce("s1", noon), core::Standing::Duplicate);
  EXPECT_TRUE(entries_->of("greets").empty());
  // Ids are remembered as long as those of others are.
  close();
  now_ += days(8).us;
  open();
  EXPECT_EQ(*announce("s1", Timestamp{now_}), core::Standing::Applied);
}

TEST_F(AnnouncementsTest, OneThatIsDatedAheadCountsWhenItComes) {
  visit(0, 3, noon - minutes(1));
  announcements_->start();
  EXPECT_EQ(*announce("s1", noon + days(3)), core::Standing::Applied);
  until_told();
  EXPECT_EQ(entries_->of("greets").size(), 3u);
}

TEST_F(AnnouncementsTest, WhatTheRulesHaveNoMoreIsSaidAndForgotten) {
  visit(0, 3, noon - minutes(1));
  ASSERT_TRUE(announcements_->take(event("sale", "s1", "*", noon), R"({"id":"s1","type":"gone"})"));
  close();
  open();
  EXPECT_EQ(announcements_->pending(), 0u);
  EXPECT_NE(said_.find("not told to the end"), std::string::npos) << said_;
}

}  // namespace
}  // namespace koi::serve
