// All tests of a program, and how their results are told.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/source.h"
#include "sim/scenario.h"

namespace koi::sim {

// The program's tests whose name has `filter` in it (empty: all), in the order of the text. The
// trace, where one is given, gets the ways that were gone.
std::vector<TestResult> run_tests(const check::Program& program, const plan::Plan& plan,
                                  std::string_view filter = {}, core::Trace* trace = nullptr);

// A failed test as a few lines for people, ending with a line feed; nothing for one that passed.
//   failed: a cart that is left standing is remembered
//     cart.koi:12:26  expected: send cart_nudge to ann via wechat
//       instead:
//         2026-03-02 10:30  refuse send cart_nudge to ann because no_consent
//       was done:
//         2026-03-02 10:30  enter cart_rescue for ann
std::string render(const TestResult& result, const std::vector<Source>& sources);

// One JSON object without a line feed: test, file, line, passed, failures (file, line, column,
// expected, near, done).
std::string render_json(const TestResult& result, const std::vector<Source>& sources);

// All results as one JUnit file, which build servers show: a suite for each file of the program.
// Well-formed XML 1.0 whatever the tests are called; what XML cannot hold is shown as U+FFFD.
std::string render_junit(const std::vector<TestResult>& results,
                         const std::vector<Source>& sources);

}  // namespace koi::sim
