// listing: a plan as text for people and golden tests: every part in its order, names for numbers,
// expressions as they would be written. Equal plans give equal text.
#pragma once

#include <string>

#include "plan/plan.h"

namespace koi::plan {

// Ends with a line feed. Very large expressions are cut with an ellipsis.
std::string listing(const Plan& plan);

}  // namespace koi::plan
