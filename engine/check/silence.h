// Findings that the author has seen and wants: a comment `# allow K0512: why` on the line of one,
// or on a line of its own above it, silences that one.
#pragma once

#include <span>
#include <vector>

#include "base/diagnostic.h"
#include "base/source.h"
#include "lang/ast.h"

namespace koi::check {

// Takes out the warnings that are allowed, and adds one for each comment that gives no reason or
// allows nothing. Errors cannot be allowed. The diagnostics come out sorted.
void silence(std::vector<Diagnostic>& diagnostics, const std::vector<Source>& sources,
             std::span<const lang::ast::File> files, Language language);

}  // namespace koi::check
