// The grammar by which editors colour .koi files (TextMate's form), made from the keyword table.
#pragma once

#include <string>

namespace koi::cli {

// JSON, the same bytes wherever it is made.
std::string textmate_grammar();

}  // namespace koi::cli
