// A scenario: one `test` of a .koi file, played in a World. docs/language.md section 7 says what
// its lines mean.
#pragma once

#include <string>
#include <vector>

#include "base/source.h"
#include "check/program.h"
#include "core/trace.h"
#include "match/index.h"
#include "plan/plan.h"

namespace koi::sim {

// What did not come as expected, told for people. Lines of text without their line ends.
struct Disappointment {
  SourceSpan span;                // of the expectation
  std::string expected;           // "send cart_nudge to ann via wechat"
  std::vector<std::string> near;  // what came nearest, the nearest first; or why it cannot come
  std::vector<std::string> done;  // what was done until then, with times
};

struct TestResult {
  std::string name;
  SourceSpan span;  // of the test
  std::vector<Disappointment> disappointments;
  bool passed() const { return disappointments.empty(); }
};

// Plays the test. `plan` is what compile made of `program`, `index` is of the plan, and the test is
// one of the program's. The trace, where one is given, gets the ways that were gone.
TestResult play(const check::Program& program, const plan::Plan& plan, const match::Index& index,
                const check::Test& test, core::Trace* trace = nullptr);

}  // namespace koi::sim
