// compile: from meaning to what the engine runs. Flattens expressions into shared nodes, steps into
// code, and finds out which events can concern what.
#pragma once

#include <cstdint>

#include "check/program.h"
#include "plan/plan.h"

namespace koi::compile {

// The plan of a program that check accepted (Checked::ok); it cannot fail. Equal programs and seeds
// give equal plans. Of the program nothing is kept: the plan owns all it holds.
plan::Plan compile(const check::Program& program, std::uint64_t seed);

}  // namespace koi::compile
