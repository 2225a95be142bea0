// Calendar: days, weeks, months and years of a zone's clock, and the clock times of schedules.
#pragma once

#include "base/time.h"
#include "core/state.h"
#include "plan/plan.h"

namespace koi::core {

struct Facts;  // evaluate.h

enum class Period : std::uint8_t { Day, Week, Month, Year };  // a week begins on Monday

// The first instant of the period that `at` lies in, and of the one after it.
Timestamp period_begin(Period period, Timestamp at, const Zone& zone);
Timestamp period_end(Period period, Timestamp at, const Zone& zone);

// The first occurrence later than `after`; never where there is none. Not of Year.
Timestamp next_occurrence(const plan::Schedule& schedule, Timestamp after, const Zone& zone);
// The same for one customer, whose date a schedule of each year goes by: never without it.
Timestamp next_occurrence(const plan::Schedule& schedule, const State& state, Timestamp after,
                          const Zone& zone);

// When a `wait until …` that is come to at the facts' instant goes on; not after that instant where
// it does so at once.
Timestamp target_of(const plan::WaitUntil& wait, const Facts& facts, const Zone& zone);

}  // namespace koi::core
