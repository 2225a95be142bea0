// Town: for this module's tests of customers of several groups who share something: a server of
// several groups by hand, to whom everything happens that can happen between them, what has left
// it, and what must be true of it at the end.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "deploy/detail/fair.h"
#include "deploy/detail/trial.h"
#include "store/memory.h"

namespace koi::deploy {

// Rules under which whoever grabs is given what `gives` says, of that packet or of stars.
std::string with_packets(const std::string& packet, const std::string& gives);

// A hundred packets of ¥1.00.
std::string packet_of_ones();

// What leaves: payments, and everything by its key, whatever life has decided it.
class Handed final : public durable::Deeds {
 public:
  struct One {
    std::string customer;
    core::Action action{}, of{};
    core::Reason reason{};
    std::int64_t money = 0;
    std::string code;
    Timestamp time{};
  };
  void take(store::Group, std::vector<durable::Deed> deeds) override;
  void refused(store::Group, const core::State& customer) override;
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }

  std::size_t count(core::Action action, core::Reason reason = core::Reason::None) const;
  std::int64_t money() const;
  std::map<Hash128, One> all;
  std::map<Hash128, std::string> open;
  std::set<std::string> refusals;

 private:
  std::mutex mutex_;
};

// Over all groups together, what each pot has, as the last checkpoints have it.
std::map<ledger::Pot, ledger::Balances> balances_of(const store::Store& store,
                                                    store::Groups groups);

// A server of several groups, by hand: over kills at any moment, letters that are lost, come twice
// or late, and checkpoints that fail. Which of them happens when, the seed says.
class Town {
 public:
  Town(const std::string& program, std::uint16_t groups, std::uint32_t seed,
       std::uint64_t budget = 8u << 20);

  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(chance_);
  }
  // One letter in so many is lost, one in so many comes twice; 0: none.
  void lose_one_in(std::size_t many) { lost_ = many; }

  void submit(std::vector<durable::Given> given);
  // As the door does: what codes in it lead to is found first, and whose its identifiers are.
  void submit(Told told, const std::vector<std::string>& openids = {});

  bool can_find(const std::vector<std::string>& codes);

  // One thing that a process does, or that happens to it.
  void go_on(bool with_kills);
  void kill();
  // Nothing is lost any more, and everything comes to its end.
  void come_to_rest();
  void expect_at_rest();
  void pass(Duration time) { now_ = now_ + time; }

  // What each group's journal alone says, in one go and with all the memory there is, is what is
  // stored.
  void expect_as_replayed();

  // Over all groups together, what is out of each pot.
  std::map<ledger::Pot, std::int64_t> outs() const;
  // Nothing is on its way with anybody.
  void expect_all_have_come() const;
  // Who he is by now, as the last checkpoints have it.
  std::string whoever(std::string customer) const;
  // Everybody knows whoever brought him by who that is by now, and that one knows him; whoever has
  // done what counts has not been lost on the way to his inviter. (Whom he asked before is not told
  // any more, in one group neither: nothing that he does is for that one.)
  void expect_friends_know_each_other() const;
  void expect_no_budget_is_passed() const;

  const plan::Plan& plan() const { return plan_; }
  durable::Writers& writers() { return *writers_; }
  store::MemoryJournal& journal() { return journal_; }
  store::MemoryStore& memory() { return memory_; }
  Timestamp now() const { return now_; }
  const store::Groups groups_;
  Handed handed;
  std::uint64_t rules_now = fair_rules;

  Result<std::unique_ptr<durable::Writers>> open();
  void close() { writers_.reset(); }

 private:
  void start();

  const plan::Plan plan_;
  std::mt19937 chance_;
  std::uint64_t budget_;
  std::size_t lost_ = 0;
  std::map<std::string, std::string> owners_;  // of openids: who had them first
  store::MemoryJournal journal_{groups_, 1};
  store::MemoryStore memory_{groups_};
  FailingStore store_{memory_};
  Timestamp now_ = trial_begin();
  std::unique_ptr<durable::Writers> writers_;
};

Told grab(Town& town, int number, const std::string& customer);

}  // namespace koi::deploy
