// A new name for what a program declares, everywhere it is written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lsp/symbols.h"

namespace koi::lsp {

struct Edit {
  SourceSpan span;
  std::string text;
};

// What can be renamed at a place: the name without its quotes.
std::optional<SourceSpan> renameable_at(const Program& program, std::uint32_t source,
                                        std::uint32_t offset, Language language);

// The edits, in the order of the text. Renaming an alias leaves the name and the other way round:
// the spelling at the place is the one that changes. Error "refused", in the reader's language: the
// new name is none, or the program would have other errors with it, or mean something else.
Result<std::vector<Edit>> renamed(const Program& program, std::uint32_t source,
                                  std::uint32_t offset, std::string_view name, Language language);

}  // namespace koi::lsp
