// Text to tree. The one door of the front end; the grammar and its library are not seen from here.
#pragma once

#include <cstdint>
#include <vector>

#include "base/diagnostic.h"
#include "base/source.h"
#include "lang/ast.h"

namespace koi::lang {

// What a file may have; beyond it there is a diagnostic of its own.
constexpr std::size_t most_bytes = 4u << 20;
constexpr std::size_t most_tokens = 1'000'000;
constexpr std::size_t deepest_nesting = 64;  // braces, brackets, parentheses, insertions together
constexpr std::size_t longest_chain = 500;   // operators in a row

struct Parsed {
  ast::File file;
  std::vector<Diagnostic> diagnostics;
};

// The tree of `source`, with all that is wrong with its text, in the order of the text and in the
// reader's language. Any bytes are accepted as input. `source_number` is the source's place in the
// caller's list and goes into every span. A declaration with an error is left out of the tree or
// kept without its broken part; the others are whole. Thread-safe.
Parsed parse(const Source& source, std::uint32_t source_number, Language language);

}  // namespace koi::lang
