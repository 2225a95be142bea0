// Ranks: the levels of a tier, found by comparing all customers at one instant. To whom a level is
// new, it comes as an event.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/state.h"
#include "model/event.h"
#include "plan/plan.h"

namespace koi::core {

// The next instant after `after` at which a tier is refreshed; never where there is none.
Timestamp next_refreshing(const plan::Plan& plan, Timestamp after);
// The last instant before `before` at which that tier was refreshed.
Timestamp last_refreshing(const plan::Plan& plan, const plan::Tier& tier, Timestamp before);

// By what he is ranked at `now`; missing where he is not: no value, not among them, not there yet.
// All timers before `now` have fired in the state.
Value ranked_by(const plan::Plan& plan, const plan::Tier& tier, const State& state, Timestamp now);

// On a server, where his state goes on while others are still looked at: what he is ranked by as
// of that refreshing, kept in his state.
bool is_taken(const plan::Tier& tier, const State& state, Timestamp at);
void take(const plan::Plan& plan, const plan::Tier& tier, State& state, Timestamp at);

// Where the levels of a tier begin. Found in two rounds over all customers, in any order, so that
// they need not all be held: of each his value, then of those who stand at a border his id. Ranked
// by (value, id) from the lowest, rank i of n from 0: in the top p when i >= (1-p)·n.
class Borders {
 public:
  // The tier must outlive it.
  explicit Borders(const plan::Tier& tier) : tier_(tier) {}

  // The first round; who has no value (missing) is not ranked.
  void add(const Value& value);
  void settle_values();
  // The second round: the same customers.
  void add(const Value& value, std::string_view id);
  void settle_ids();

  // As a value of the tier's attribute.
  Value level_of(const Value& value, std::string_view id) const;
  std::size_t ranked() const { return ranked_; }  // n

 private:
  // The lowest who is in the level or above it: whoever stands at (value, id), or behind.
  struct Lowest {
    std::int64_t value = 0;
    std::size_t before = 0;  // so many with this value are below him
    std::string id;
    bool is_nobody = false;
  };
  const plan::Tier& tier_;
  std::vector<std::int64_t> values_;
  std::size_t ranked_ = 0;
  std::vector<Lowest> lowest_;                             // by level
  std::map<std::int64_t, std::vector<std::string>> tied_;  // ids, where they decide
};

// The level of each of `everybody` at `now`, as a value of the tier's attribute. All timers before
// `now` have fired in the states.
std::vector<Value> levels_of(const plan::Plan& plan, const plan::Tier& tier,
                             std::span<const State* const> everybody, Timestamp now);

// The input by which a customer learns his level; the same in every replay.
Event ranked_event(const plan::Tier& tier, const State& customer, Value level, Timestamp now);

// The tiers that are refreshed at that instant.
std::vector<const plan::Tier*> refreshed_at(const plan::Plan& plan, Timestamp now);

}  // namespace koi::core
