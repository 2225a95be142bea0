// compile: from meaning to what the engine runs. Flattens expressions into shared nodes, steps into
// code, and finds out which events can concern what.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "base/source.h"
#include "check/program.h"
#include "plan/plan.h"

namespace koi::compile {

// Where the author wrote what a plan's campaigns do, by the campaign's place in the plan.
struct Places {
  struct Campaign {
    std::size_t from = 0;                       // its place in the program
    std::map<std::uint16_t, SourceSpan> steps;  // of each step, the first of its code
  };
  std::vector<Campaign> campaigns;
};

// The plan of a program that check accepted (Checked::ok); it cannot fail. Equal programs and seeds
// give equal plans. Of the program nothing is kept: the plan owns all it holds. Where `places` is
// given, it gets where everything was written.
plan::Plan compile(const check::Program& program, std::uint64_t seed, Places* places = nullptr);

}  // namespace koi::compile
