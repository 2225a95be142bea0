// check: from trees to meaning. Takes all files of a program at once; the order of files and of
// declarations never matters.
#pragma once

#include <functional>
#include <optional>
#include <string>
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

// A name as it was written, and where what it stands for got that name: in a declaration, a field,
// a value of an `enum`, or behind `as`. A name with two meanings (in a content that two campaigns
// say) is here once for each; what the engine makes itself has no place.
struct Use {
  SourceSpan written;
  SourceSpan named;
  friend auto operator<=>(const Use&, const Use&) = default;
};

// What a file holds that stands beside a source (by its number) and is called so; nothing where it
// cannot be read.
using ReadBeside = std::function<std::optional<std::string>(std::uint32_t, const std::string&)>;

// Never fails otherwise than by diagnostics, whose sentences are in `language`. Where `uses` is
// given it gets the uses of all names that could be resolved, sorted, each once. Without `read`
// there are no files beside the sources.
Checked check(const std::vector<lang::ast::File>& files, Language language = Language::English,
              std::vector<Use>* uses = nullptr, const ReadBeside& read = {});

// A first look at one file (by its source number): what is wrong in it, as far as it tells together
// with what all files declare. What campaigns, tests and contents of the others do is passed over,
// and what takes the whole program to know is not found; all that is found check() finds too, but
// for findings on a content that another file's campaigns send.
std::vector<Diagnostic> check_one(const std::vector<lang::ast::File>& files, std::uint32_t source,
                                  Language language = Language::English,
                                  const ReadBeside& read = {});

}  // namespace koi::check
