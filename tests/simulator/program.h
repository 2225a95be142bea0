// Program: the rules that simulated deployments run, compiled once for all of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deploy/bundles.h"
#include "plan/plan.h"

namespace koi::simulator {

struct Program {
  std::string name;
  deploy::Bundle bundle;
  plan::Plan plan;
  std::uint64_t rules = 0;        // names it
  std::unique_ptr<Program> next;  // what may follow it, under the same policy
};

// All of programs/, each beside what they share (shop.koi), with what follows it (next/). A text
// that does not check ends the process: the programs are ours.
const std::vector<Program>& programs();
// The one whose customers compete for what it gives; one group serves it.
const Program& program_of_money();

}  // namespace koi::simulator
