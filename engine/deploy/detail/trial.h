// Trial: for this module's tests, a data directory, programs as text, and a server's life under
// them by hand: its clock, its inputs in batches, and what leaves it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/scratch.h"
#include "core/call.h"
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
std::string trial_shop(const std::string& more = {});

Bundle trial_bundle(const std::string& text, std::uint64_t seed = 7);

// The shop as it is deployed first.
inline const Bundle shop_rules = trial_bundle(trial_shop());

// The text with the first `from`, which must be there, replaced by `to`.
std::string replaced(std::string text, const std::string& from, const std::string& to);

plan::Plan plan_of(const Bundle& bundle);

// The world outside: every effect that ever left, and the deliveries whose receipts are open. What
// is frozen is a number that grows, and must come back as it went.
class Outside {
 public:
  class Handed final : public durable::Deeds {
   public:
    explicit Handed(Outside& outside) : outside_(outside) {}
    void take(store::Group group, std::vector<durable::Deed> deeds) override;
    std::string freeze(store::Group group) override;
    Result<void> thaw(store::Group group, std::string_view frozen) override;

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
  Result<void> checkpoint(const store::Checkpoint& what, const store::Pieces& changed) override;
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

  Site site();
  Result<std::vector<Report>> deploy(const Bundle& bundle, const Ways& ways = {});

  // All states as they are stored, by customer.
  std::map<std::string, std::string> stored() const;
  // The same as the plan reads them, but for the events that a late start may look back at: which
  // of the old ones are gone already depends on who listens.
  std::map<std::string, std::string> states(const plan::Plan& plan) const;
  std::map<std::string, Timestamp> timers() const;
};

// An event by names, so that any rules can be told of it.
struct Told {
  std::string type, id, customer;
  Timestamp time;
  std::map<std::string, Value> fields;
  std::vector<Identifier> identifiers{};
  std::vector<Met> met{};
};

Event event_of(const plan::Plan& plan, const Told& told);

// As the door reads one: codes for that pool.
core::Call upload_of(const std::string& pool, std::vector<std::string> codes);

// A server over a shop, from the deploy on. Destroyed without stop(), it was killed.
class Life {
 public:
  Life(Shop& shop, const Bundle& bundle, const Ways& ways = {});

  // One batch at the shop's time: what is due, then these.
  void take(const std::vector<Told>& events);
  // What is open is delivered, or fails.
  void answer(Failure failure = Failure::None);
  // All timers up to the shop's time.
  void settle();
  void stop() {
    settle();
    write_back();
  }
  void write_back();
  // For a deploy that is made ready while this one lives. Both must outlive it.
  Beside beside(store::Store& next);

  const plan::Plan& plan() const { return plan_; }
  // A metric of a customer, now.
  core::State state(const std::string& customer);

  void give(std::vector<durable::Given> given);

  std::vector<Report> reports;

 private:
  void step();

  Shop& shop_;
  Outside::Handed handed_;
  plan::Plan plan_;
  std::unique_ptr<durable::Writers> writers_;
};

}  // namespace koi::deploy
