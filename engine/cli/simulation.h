// Simulation: what `koi simulate` tells of two programs over the same recorded inputs.
#pragma once

#include <map>
#include <string>

#include "base/diagnostic.h"
#include "plan/plan.h"
#include "runtime/compared.h"
#include "runtime/summary.h"
#include "serve/recorded.h"

namespace koi::cli {

struct Simulation {
  const serve::Recorded& recorded;
  const plan::Plan& next;  // the rules that are tried; the live ones are in `recorded`
  const runtime::Summary &of_live, &of_next;
  const runtime::Comparison& comparison;
  // Of lines that the rules that are tried cannot read, by reason.
  const std::map<std::string, std::uint64_t>& rejected;
  bool is_of_all = true;  // no --since
};

// For people; ends with a line feed.
std::string told(const Simulation& simulation, Language language);

}  // namespace koi::cli
