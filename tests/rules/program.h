// A program from text, for tests that need more than one stage.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/source.h"
#include "check/check.h"
#include "compile/compile.h"
#include "lang/parse.h"

namespace koi {

// The checked program; the test fails with the diagnostics if there are errors.
inline check::Program program_of(const std::string& text) {
  const std::vector<Source> sources{Source("test.koi", text)};
  auto parsed = lang::parse(sources[0], 0, Language::English);
  auto checked = check::check({parsed.file});
  std::string found;
  for (const auto* diagnostics : {&parsed.diagnostics, &checked.diagnostics})
    for (const auto& each : *diagnostics)
      if (each.severity == Severity::Error) found += render(each, sources);
  EXPECT_EQ(found, "");
  if (!found.empty()) std::abort();  // without a program there is nothing to test
  return std::move(checked.program);
}

inline plan::Plan plan_of(const std::string& text) { return compile::compile(program_of(text), 1); }

}  // namespace koi
