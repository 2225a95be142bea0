// Stretches: when each of the events that break a trigger in parts does so.
#pragma once

#include <cstddef>

#include "plan/plan.h"

namespace koi::plan {

// When that one of `nots` must stay away: as `nots_during` says, else all the time.
Trigger::Stretch stretch_of(const Trigger& trigger, std::size_t absent);
Trigger::Stretch whole_of(const Trigger& trigger);

}  // namespace koi::plan
