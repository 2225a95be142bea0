// Extend: rules as they were, with metrics that came later counting along. What they decide stays
// the same; only more is kept of each customer.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/call.h"
#include "durable/input.h"
#include "model/event.h"
#include "plan/plan.h"

namespace koi::deploy {

// Accumulators and logs of the plan whose definitions the other one lacks; by number.
struct Lacking {
  std::vector<plan::AccumulatorId> accumulators;
  std::vector<plan::LogId> logs;
  bool empty() const { return accumulators.empty() && logs.empty(); }
  std::size_t size() const { return accumulators.size() + logs.size(); }
};
Lacking lacking(const plan::Plan& plan, const plan::Plan& than);
// The names of `plan`'s metrics that need them; "N unnamed" for those without one, last.
std::vector<std::string> metric_names(const plan::Plan& plan, const Lacking& lacking);

// `rules` with those accumulators and logs of `later` that it lacks, behind its own, told by names
// in its own schema. Every number of `rules` stays as it is. Fields and event types that it has not
// are put behind its own: an event of its time has them as one that leaves them out (fill()).
plan::Plan extend(const plan::Plan& rules, std::span<const plan::Plan* const> later);

// Gives an event, as its own rules read it, the fields that extend() has put to them.
void fill(const plan::Plan& extended, Event& event);
void fill(const plan::Plan& extended, core::Call& call);
// And what else has some of them in it.
void fill(const plan::Plan& extended, durable::Given& given);

}  // namespace koi::deploy
