// The formatter: one canonical form for a file. The layout follows from the words, the comments and
// the blank lines between sentences; what it means never changes. Into the other language it
// translates keywords and punctuation; names and what texts say stay as they were written.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "base/source.h"

namespace koi::format {

struct Options {
  // Translates into this language. None: every keyword stays in its language, and signs are those
  // of the language in which most of the file's declarations begin.
  std::optional<Language> into = {};
  // What the program declares, names and aliases: a word that it uses for something of its own is
  // not translated.
  std::set<std::string, std::less<>> declared = {};
};

struct Formatted {
  std::string text;  // the file as it was where it has errors
  std::vector<Diagnostic> diagnostics;
  // Whether `text` is in the canonical form. It is not where there are errors; and the formatter
  // reads what it has made, and keeps the file as it was should that mean something else.
  bool done = false;
};

// Any bytes are accepted. A file with errors is left alone, and the diagnostics say which. What
// comes out is formatted already: formatting it again gives the same bytes. Thread-safe.
Formatted format(const Source& source, std::uint32_t source_number, Language reader,
                 const Options& options = {});

// Adds the names and aliases that a file declares.
void add_declared(const Source& source, std::set<std::string, std::less<>>& declared);

}  // namespace koi::format
