// Waiting: inputs of customers whose turn needs more of a shared account than their group has been
// lent, or another group to say who they are (moving.cpp). Such a turn is undone, and its input
// waits, with all later ones of the same customer in the order in which they came, until the
// account's home has answered, or that group. Part of what is decided. One thread's own.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/decide.h"
#include "core/escrow.h"
#include "durable/input.h"
#include "durable/rows.h"
#include "plan/plan.h"
#include "store/journal.h"

namespace koi::durable {

class Request;

// Whoever asked and has not been answered yet: progress, not state.
struct Caller {
  std::shared_ptr<Request> request;                   // none: nobody
  std::uint32_t number = 0;                           // among the request's inputs
  store::Position position = 0;                       // of the call in the journal
  std::string customer{};                             // whose turn it is, once that is known
  bool is_kept = false;                               // it is answered later than its batch
  core::Standing standing = core::Standing::Applied;  // once it is decided
};

struct Waited {
  Timestamp stamp;  // of the batch that brought it
  Partition partition = 0;
  std::string customer;
  std::optional<Given> given;          // none: his timers up to …
  Timestamp due = Timestamp::never();  // … here
  Caller caller{};
  // Its own among all that wait at the same time; below zero: it was put before the others.
  std::int64_t number = 0;
};

class Waiting {
 public:
  // `rows` must outlive it.
  explicit Waiting(Rows& rows) : rows_(rows) {}

  // A row of the last checkpoint, where it is one of these; false: it is another's. Errors:
  // "corrupt"; "rules", where other rules were to decide it.
  Result<bool> learn(std::string_view key, std::string_view bytes, const plan::Plan& plan,
                     std::uint64_t rules);

  // Behind the last of them: do they belong together? Error "corrupt".
  Result<void> learnt() const;

  bool waits(std::string_view customer) const { return waiters_.contains(customer); }
  // Whether an event of his with that id (Event::id_hash) waits.
  bool waits(std::string_view customer, std::uint64_t event_id) const;
  bool empty() const { return waiters_.empty(); }
  std::size_t size() const { return inputs_; }
  std::uint64_t bytes() const { return bytes_; }
  // The oldest stamp of all that wait; never where nothing does.
  Timestamp oldest() const;
  void for_each_customer(const std::function<void(const Waited& first)>& each) const;
  void for_each_caller(const std::function<void(Caller&)>& each);

  // Behind all others, and its number. `rules` name those that decide it.
  std::int64_t add(Waited what, std::uint64_t rules);
  // Before all others of that customer: what the first one of them has asked is forgotten.
  void put_first(Waited what, std::uint64_t rules);
  // Changes the customer's inputs, in order, where `change` says that it has.
  void change(std::string_view customer, std::uint64_t rules,
              const std::function<bool(Waited&)>& change);
  // What the customer's first input needs, and has asked for.
  void asks(std::string_view customer, std::vector<core::Lack> lacks);
  // His first input, an event, has asked about somebody whom it has met, under that number. While
  // it rests he takes no part in the meeting: it is to be asked again when he is told.
  struct Asked {
    std::uint64_t number = 0;
    bool is_resting = false;
  };
  void asks_about(std::string_view customer, const std::optional<Asked>& asked);
  // Nothing where it has not, or he does not wait.
  std::optional<Asked> asked_about(std::string_view customer) const;
  // An ask of the group was answered, in full or short. Gives the customers who wait for nothing
  // more, in the order in which their first inputs came.
  std::vector<std::string> answered(const std::string& account, std::uint64_t up_to, bool is_short);

  // The customer's first input, and what was answered short of what it asked for. Valid until that
  // customer's next change.
  Waited& first(std::string_view customer);
  const std::vector<core::Lack>& lacks(std::string_view customer) const;
  // His refusals of messages among all that he waits with. Valid as first().
  std::vector<const Event*> refusals(std::string_view customer) const;
  // Removes it; the next one, if there is one, has asked for nothing.
  Waited take(std::string_view customer);

 private:
  struct Kept {
    std::size_t bytes = 0;
    Waited what;
  };
  struct Waiter {
    std::deque<Kept> inputs;
    std::vector<core::Lack> lacks;
    std::optional<Asked> asked;
    std::size_t refusals = 0;
    std::multiset<std::uint64_t> ids;  // of the events among them
  };
  static void count(Waiter& waiter, const Waited& what);
  void index(const std::string& customer, const Waiter& waiter);
  void unindex(const Waiter& waiter);
  Waiter& keep(Waited what, std::uint64_t rules, std::int64_t number);

  Rows& rows_;
  std::map<std::string, Waiter, std::less<>> waiters_;
  // By account, those who wait for it: the numbers of their first inputs, and who they are.
  std::map<std::string, std::map<std::int64_t, std::string>, std::less<>> by_account_;
  std::set<std::pair<Timestamp, std::int64_t>> stamps_;
  std::int64_t last_ = 0;   // number given; 0 again when nothing waits any more
  std::int64_t first_ = 0;  // the least number that anything has had meanwhile, or 0
  std::size_t inputs_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace koi::durable
