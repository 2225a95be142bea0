// listing: a plan as text for people and golden tests: every part in its order, names for numbers,
// expressions as they would be written. Equal plans give equal text.
#pragma once

#include <string>

#include "plan/plan.h"

namespace koi::plan {

// Ends with a line feed. Very large expressions are cut with an ellipsis.
std::string listing(const Plan& plan);

// One expression, as the listing has it; fields are those of that event (none: of no event).
std::string expression(const Plan& plan, NodeId node, EventTypeId event);

}  // namespace koi::plan
