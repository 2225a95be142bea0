// Index: who cares about what, so that nothing else is looked at. Found from the rest of a plan,
// again whenever campaigns or conditions were put to it.
#pragma once

#include "plan/plan.h"

namespace koi::compile {

// Finds anew what events, attributes and watches concern: the reactions' watches, begins and
// concerns, on_enter, on_leave and schedules. A campaign that takes no entries is begun by nothing.
// The reactions' sets, accumulators and logs stay; there is one reaction for each event type.
void index_conditions(plan::Plan& plan);

}  // namespace koi::compile
