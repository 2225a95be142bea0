// Coverage: which clauses and branches of a program's campaigns its tests have come by.
#pragma once

#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "base/source.h"
#include "check/program.h"
#include "compile/compile.h"
#include "core/trace.h"
#include "plan/plan.h"

namespace koi::sim {

// One thing that a clause or a step can do. What campaigns inherit is one item for all of them.
struct Covered {
  SourceSpan span;
  std::string campaign;  // of several, the first in the order of the text
  std::string what;      // what no test has seen: "its condition was never false"
  bool seen = false;
};

struct Coverage {
  std::vector<Covered> items;  // in the order of the text
  std::size_t seen() const;
  // Rounded down, so that 100 is all of them; 100 where there is nothing to see.
  std::size_t percent() const;
};

// `places` is what compile told of `plan`, and `trace` what the tests went through.
Coverage coverage_of(const check::Program& program, const plan::Plan& plan,
                     const compile::Places& places, const core::Trace& trace, Language language);

// For people: a line for each item that no test has seen, then the percentage.
//   cart.koi:12:5  cart_rescue: the message was never sent via sms
//   coverage: 17 of 18 clauses and branches (94%)
std::string render(const Coverage& coverage, const std::vector<Source>& sources, Language language);
// A JSON object a line: file, line, column, campaign, what, seen; the last has seen, of and
// percent.
std::string render_json(const Coverage& coverage, const std::vector<Source>& sources);
// A page with every file that has items: its text, with what was seen and what was not.
std::string render_html(const Coverage& coverage, const std::vector<Source>& sources,
                        Language language);

}  // namespace koi::sim
