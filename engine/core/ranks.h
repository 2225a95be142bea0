// Ranks: the levels of a tier, found by comparing all customers at one instant. To whom a level is
// new, it comes as an event.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/state.h"
#include "model/event.h"
#include "plan/plan.h"

namespace koi::core {

// The next instant after `after` at which a tier is refreshed; never where there is none.
Timestamp next_refreshing(const plan::Plan& plan, Timestamp after);

// The level of each of `everybody` at `now`, as a value of the tier's attribute. Ranked by (value,
// id) from the lowest, rank i of n from 0: in the top p when i >= (1-p)·n. Who has no value or is
// not among them has none. All timers before `now` have fired in the states.
std::vector<Value> levels_of(const plan::Plan& plan, const plan::Tier& tier,
                             std::span<const State* const> everybody, Timestamp now);

// The input by which a customer learns his level; the same in every replay.
Event ranked_event(const plan::Tier& tier, const State& customer, Value level, Timestamp now);

// The tiers that are refreshed at that instant.
std::vector<const plan::Tier*> refreshed_at(const plan::Plan& plan, Timestamp now);

}  // namespace koi::core
