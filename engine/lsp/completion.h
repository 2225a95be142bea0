// What may be written at a place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lsp/symbols.h"
#include "lsp/workspace.h"

namespace koi::lsp {

struct Candidate {
  enum class Kind { Keyword, Name, Field, Value, Type, Function };
  std::string text;  // what is written
  Kind kind = Kind::Name;
  std::string detail;  // what it is
  int rank = 0;        // smaller stands further up
};

// For the place `offset` of a file; what the editor's word before it has of letters is left for the
// editor to filter by. Keywords come in the language that most of the file's are in.
std::vector<Candidate> candidates_at(const Program& program, std::uint32_t source,
                                     std::uint32_t offset, Language reader);

// Where the word that ends at `offset` begins: what a candidate takes the place of.
std::uint32_t word_begin(std::string_view text, std::uint32_t offset);

// The language in which most keywords of a text are written.
Language language_of_text(std::string_view text);

}  // namespace koi::lsp
