// Trial: for this module's tests, a data directory, programs as text, and a server's life under
// them by hand: its clock, its inputs in batches, and what leaves it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/scratch.h"
#include "core/codec.h"
#include "deploy/ahead.h"
#include "deploy/bundles.h"
#include "deploy/deploy.h"
#include "deploy/followed.h"
#include "durable/writers.h"
#include "store/memory.h"
#include "store/over.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_store.h"

namespace koi::deploy {

constexpr store::Groups trial_groups{2};

inline Timestamp trial_begin() { return *parse_instant("2026-03-02T00:00:00Z"); }

// A shop: orders are thanked for; who orders twice is a buyer, and told so a day later; who looks
// at something and does not order it within the half hour is reminded. `more` is put behind it.
inline std::string trial_shop(const std::string& more = {}) {
  return R"(policy { time zone "Asia/Shanghai"  currency CNY  consent not required for marketing  lateness 1 hour
  cap marketing 3 per day }
customer { city: text?  level: enum(low, mid, high) = low
  on register set city = register.city, level = register.level, time_zone = register.zone }
event register { city: text?  zone: text?  level: enum(low, mid, high)? }
event order { amount: money  sku: text?  level: enum(low, mid, high)? }
event view { sku: text }
channel app { class direct }
channel mail { class direct }
content thanks { body "thank you for {o.sku or "it"}" }
content told { body "welcome" }
content nudge { body "still there: {v.sku}" }
metric orders = count order
segment buyer when orders >= 2
segment busy when count order over 1 day >= 3
campaign thank { class transactional  enter always  goal order within 2 days
  when order as o
    send thanks via app, else mail
    wait 3 hours
    send thanks via mail }
campaign greet { class marketing
  when enters buyer
    wait 1 day
    send told via app
    set customer.city = "told" }
campaign remind { class marketing  enter once per v.sku every 3 days  leave when order
  when view as v and no order within 30 minutes
    send nudge via app }
)" + more;
}

inline Bundle trial_bundle(const std::string& text, std::uint64_t seed = 7) {
  return {seed, {{"shop.koi", text}}};
}

inline plan::Plan plan_of(const Bundle& bundle) {
  auto plan = compile(bundle);
  EXPECT_TRUE(plan) << (plan ? "" : plan.error().what);
  return *std::move(plan);
}

// The world outside: every effect that ever left, and the deliveries whose receipts are open. What
// is frozen is a number that grows, and must come back as it went.
class Outside {
 public:
  class Handed final : public durable::Deeds {
   public:
    explicit Handed(Outside& outside) : outside_(outside) {}
    void take(store::Group group, std::vector<durable::Deed> deeds) override {
      const std::lock_guard lock(outside_.mutex_);
      for (const durable::Deed& deed : deeds) {
        outside_.keys_.insert(deed.effect.key);
        if (deed.effect.text) outside_.texts_[deed.effect.key] = deed.effect.text->body;
        if (core::is_message(deed.effect.action)) outside_.open_[deed.effect.key] = deed.customer;
        ++count_[group];
      }
    }
    std::string freeze(store::Group group) override {
      const std::lock_guard lock(outside_.mutex_);
      return "taken " + std::to_string(count_[group]);
    }
    Result<void> thaw(store::Group group, std::string_view frozen) override {
      const std::lock_guard lock(outside_.mutex_);
      if (!frozen.starts_with("taken ")) return Error{"corrupt", "thawed: " + std::string(frozen)};
      count_[group] = std::stoull(std::string(frozen.substr(6)));
      return {};
    }

   private:
    Outside& outside_;
    std::map<store::Group, std::uint64_t> count_;
  };

  const std::set<Hash128>& keys() const { return keys_; }
  const std::map<Hash128, std::string>& texts() const { return texts_; }  // of messages, by key
  // The deliveries that have no receipt yet; they count as answered from here on.
  std::map<Hash128, std::string> answer() { return std::exchange(open_, {}); }

 private:
  std::mutex mutex_;
  std::set<Hash128> keys_;
  std::map<Hash128, std::string> texts_, open_;
};

// Fails at a checkpoint, before or after it is written, as a process that is killed there.
class FailingStore final : public store::StoreOver {
 public:
  using StoreOver::StoreOver;
  // At the so-manieth from now, counted from 0; negative: never.
  void fail_at(int checkpoint, bool after) {
    left_ = checkpoint;
    after_ = after;
    seen_ = 0;
  }
  int seen() const { return seen_; }

  using StoreOver::checkpoint;
  Result<void> checkpoint(const store::Checkpoint& what, const store::Pieces& changed) override {
    const std::lock_guard lock(mutex_);
    ++seen_;
    if (left_ < 0) return StoreOver::checkpoint(what, changed);
    if (dead_) return Error{"killed", "the process is dead"};
    const bool now = left_ == 0;
    if (left_ > 0) --left_;
    if (!now) return StoreOver::checkpoint(what, changed);
    dead_ = true;
    if (after_) KOI_TRY(StoreOver::checkpoint(what, changed));
    return Error{"killed", "the process was killed here"};
  }
  void revive() {
    dead_ = false;
    left_ = -1;
  }

 private:
  std::mutex mutex_;
  int left_ = -1, seen_ = 0;
  bool after_ = false, dead_ = false;
};

// One deployment, its journal and states in memory (the builds are on the disk).
struct Shop {
  store::Groups groups = trial_groups;
  Scratch folder{};
  store::Directory directory = *store::Directory::open(folder.path() / "data", {.reserve = 1});
  store::MemoryJournal journal{groups, 1};
  store::MemoryStore memory{groups};
  FailingStore store{memory};
  Followed live{store, groups};  // over that, or what a deploy ahead has made
  Outside outside{};
  Timestamp now = trial_begin();

  Site site() {
    return {.directory = directory,
            .journal = journal,
            .store = live,
            .groups = groups,
            .deeds = [this](const plan::Plan&) -> std::unique_ptr<durable::Deeds> {
              return std::make_unique<Outside::Handed>(outside);
            },
            .clock = [this] { return now; },
            .progress = {},
            .budget = 4u << 20,
            .walk = {.customers = 3, .bytes = 100'000, .piece = 2}};
  }
  Result<std::vector<Report>> deploy(const Bundle& bundle, const Ways& ways = {}) {
    return deploy::deploy(site(), bundle, {}, ways);
  }

  // All states as they are stored, by customer.
  std::map<std::string, std::string> stored() const {
    std::map<std::string, std::string> all;
    for (std::size_t partition = 0; partition < partition_count; ++partition) {
      const auto found = *live.scan(static_cast<Partition>(partition), "", 1'000'000);
      for (const store::Saved& saved : found) all[saved.customer] = saved.bytes;
    }
    return all;
  }
  // The same as the plan reads them, but for the events that a late start may look back at: which
  // of the old ones are gone already depends on who listens.
  std::map<std::string, std::string> states(const plan::Plan& plan) const {
    core::Codec codec(plan);
    for (store::Group group = 0; group < groups.count; ++group) {
      const auto layouts = *live.layouts(group);
      for (const std::string& layout : layouts) KOI_ASSERT(codec.learn(layout));
    }
    std::map<std::string, std::string> all = stored();
    for (auto& [customer, bytes] : all) {
      core::State state = *codec.decode(bytes);
      state.recent.clear();
      bytes = codec.encode(state);
    }
    return all;
  }
  std::map<std::string, Timestamp> timers() const {
    std::map<std::string, Timestamp> all;
    for (store::Group group = 0; group < groups.count; ++group) {
      const auto found = *live.due(group, Timestamp::never(), 1'000'000, {});
      for (const store::Due& due : found) all[due.customer] = due.due;
    }
    return all;
  }
};

// An event by names, so that any rules can be told of it.
struct Told {
  std::string type, id, customer;
  Timestamp time;
  std::map<std::string, Value> fields;
  std::vector<Identifier> identifiers{};
  std::vector<Met> met{};
};

inline Event event_of(const plan::Plan& plan, const Told& told) {
  Event event;
  event.type = plan.schema.find_event(told.type);
  KOI_ASSERT(event.type);
  event.id = told.id;
  event.customer = told.customer;
  event.time = told.time;
  event.identifiers = told.identifiers;
  event.met = told.met;
  for (const Field& field : plan.schema[event.type].fields) {
    const auto found = told.fields.find(field.symbol.name);
    event.fields.push_back(found == told.fields.end() ? field.fallback : found->second);
  }
  return event;
}

// A server over a shop, from the deploy on. Destroyed without stop(), it was killed.
class Life {
 public:
  Life(Shop& shop, const Bundle& bundle, const Ways& ways = {})
      : shop_(shop), handed_(shop.outside) {
    auto deployed = shop.deploy(bundle, ways);
    EXPECT_TRUE(deployed) << (deployed ? "" : deployed.error().what);
    if (!deployed) return;
    reports = *std::move(deployed);
    Live decides = *deploy::live(shop.directory);
    plan_ = std::move(decides.plan);
    durable::Settings settings;
    settings.budget = 4u << 20;
    auto opened = durable::Writers::open({plan_, decides.rules, shop.journal, shop.live,
                                          shop_.groups, handed_, [this] { return shop_.now; }},
                                         settings);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().what);
    if (opened) writers_ = *std::move(opened);
  }

  // One batch at the shop's time: what is due, then these.
  void take(const std::vector<Told>& events) {
    std::vector<durable::Given> given;
    for (const Told& each : events) given.emplace_back(event_of(plan_, each));
    give(std::move(given));
  }
  // What is open is delivered, or fails.
  void answer(Failure failure = Failure::None) {
    std::vector<durable::Given> given;
    for (const auto& [key, customer] : shop_.outside.answer())
      given.emplace_back(durable::ReceiptFor{customer, {key, shop_.now, failure}});
    give(std::move(given));
  }
  // All timers up to the shop's time.
  void settle() {
    while (*writers_->commit()) step();
  }
  void stop() {
    settle();
    write_back();
  }
  void write_back() {
    for (store::Group group = 0; group < shop_.groups.count; ++group)
      ASSERT_TRUE(writers_->checkpoint(group));
  }
  // For a deploy that is made ready while this one lives. Both must outlive it.
  Beside beside(store::Store& next) {
    return {.live = shop_.live,
            .next = next,
            .folder = {},
            .write_back =
                [this] {
                  write_back();
                  return Result<void>();
                },
            .gives_up = {},
            .lead = 0};
  }

  const plan::Plan& plan() const { return plan_; }
  // A metric of a customer, now.
  core::State state(const std::string& customer) {
    core::State state;
    writers_->look(customer, [&](Result<const core::State*> shown) {
      EXPECT_TRUE(shown && *shown);
      if (shown && *shown) state = **shown;
    });
    return state;
  }

  void give(std::vector<durable::Given> given) {
    if (!given.empty()) {
      EXPECT_TRUE(writers_->submit(std::move(given), {}));
    }
    settle();
  }

  std::vector<Report> reports;

 private:
  void step() {
    for (store::Group group = 0; group < shop_.groups.count; ++group)
      while (*writers_->step(group)) {
      }
  }

  Shop& shop_;
  Outside::Handed handed_;
  plan::Plan plan_;
  std::unique_ptr<durable::Writers> writers_;
};

}  // namespace koi::deploy
