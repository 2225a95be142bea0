// Program: files and folders of .koi to a checked program.
#pragma once

#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "base/result.h"
#include "base/source.h"
#include "check/program.h"
#include "lang/ast.h"

namespace koi::cli {

struct LoadedProgram {
  std::vector<Source> sources;
  std::vector<lang::ast::File> trees;  // by source
  std::vector<Diagnostic> diagnostics;
  check::Program program;  // can be compiled if there are no errors
  std::size_t errors = 0, warnings = 0;
};

// All .koi files of these paths (folders with what is in them), each once, in order of their paths.
// Error "unreadable" or "nothing": a path that cannot be read, is no .koi file or empty, or a
// folder without any.
Result<std::vector<Source>> load_sources(const std::vector<std::string>& paths);

// What load_sources() gives, parsed and checked; the same errors.
Result<LoadedProgram> load_program(const std::vector<std::string>& paths, Language language);

// The diagnostics as people or tools (`json`) read them.
std::string render(const LoadedProgram& program, Language language, bool json);

}  // namespace koi::cli
