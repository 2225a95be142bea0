// The plan that the benchmarks of deciding and keeping decide with: bench/durable/rules.koi.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <vector>

#include "base/diagnostic.h"
#include "check/check.h"
#include "compile/compile.h"
#include "lang/parse.h"

namespace koi::bench {

inline plan::Plan plan_of_rules() {
  std::ifstream in(KOI_BENCH_RULES);
  std::ostringstream text;
  text << in.rdbuf();
  const Source source(KOI_BENCH_RULES, text.str());
  std::vector<lang::ast::File> trees;
  trees.push_back(lang::parse(source, 0, Language::English).file);
  const check::Checked checked = check::check(trees, Language::English);
  for (const Diagnostic& each : checked.diagnostics) {
    if (each.severity != Severity::Error) continue;
    std::cerr << render(each, {source}, Language::English);
    std::exit(2);
  }
  return compile::compile(checked.program, 1);
}

}  // namespace koi::bench
