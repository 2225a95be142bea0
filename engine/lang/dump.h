// A file's tree as text, for golden tests and for reading: one node a line, children indented by
// two blanks, no spans. Stable: equal trees give equal text, and whatever differs in meaning
// differs here. Keywords stand in English whatever they were written in; names as they were
// written, with
// `=english` behind a Chinese keyword or built-in name.
#pragma once

#include <string>

#include "lang/ast.h"

namespace koi::lang {

std::string dump(const ast::File& file);
std::string dump(const ast::Expr& expression);  // one line, fully bracketed

}  // namespace koi::lang
