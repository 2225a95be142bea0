// Periods: which pots of a budget count at an instant.
#pragma once

#include <vector>

#include "base/time.h"
#include "plan/plan.h"

namespace koi::core {

// The beginning of the pot that what is taken now is posted in. A rolling budget is kept by
// hundredths of its span.
Timestamp pot_begin(const plan::Per& per, Timestamp now, const Zone& zone);

// Those of all pots that count against the budget now. Of a rolling one: each that shares any
// stretch of its length with now, so that no such stretch has more than the budget. Customers'
// clocks differ, so that some of them may lie ahead.
std::vector<Timestamp> pots_at(const plan::Per& per, Timestamp now, const Zone& zone);

}  // namespace koi::core
