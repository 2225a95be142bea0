// Program: the rules that simulated deployments run, compiled once for all of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace koi::simulator {

struct Program {
  std::string name;
  plan::Plan plan;
  std::uint64_t rules = 0;  // names it
};

// All of programs/, each beside what they share (shop.koi). A text that does not check ends the
// process: the programs are ours.
const std::vector<Program>& programs();

}  // namespace koi::simulator
