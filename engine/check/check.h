// check: from trees to meaning. Takes all files of a program at once; the order of files and of
// declarations never matters.
#pragma once

#include <vector>

#include "base/diagnostic.h"
#include "check/program.h"
#include "lang/ast.h"

namespace koi::check {

struct Checked {
  Program program;                      // whole and compilable if ok()
  std::vector<Diagnostic> diagnostics;  // all independent ones, sorted, without repetitions

  // No errors; there may be warnings.
  bool ok() const {
    for (const auto& diagnostic : diagnostics)
      if (diagnostic.severity == Severity::Error) return false;
    return true;
  }
};

// Never fails otherwise than by diagnostics, whose sentences are in `language`.
Checked check(const std::vector<lang::ast::File>& files, Language language = Language::English);

}  // namespace koi::check
