// Diagnostic: what is wrong with an author's text, as a value. Collected, many at once; rendered
// for a terminal or as JSON. Wording: lower case, no full stop, code in backticks, what was seen
// first.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/source.h"

namespace koi {

enum class Severity { Error, Warning };

// The reader's language.
enum class Language { English, Chinese };

// A second place that the sentence speaks of ("declared here").
struct Label {
  SourceSpan span;
  std::string text;
};

struct Diagnostic {
  std::string code;  // "K0203", stable
  Severity severity = Severity::Error;
  SourceSpan span;
  std::string message;
  std::vector<Label> labels;
  std::string help;  // what to do about it; may be empty
  // Text that would mend it in the place of `span` ("did you mean"); empty where there is none.
  std::string replacement;
};

// By place (source, begin), then code; equal ones once. The order in which they are shown.
void sort_and_unique(std::vector<Diagnostic>& diagnostics);

// The frame for people, with the source line and a caret range; ends with a line feed. Each label
// follows with its own line. Long lines are cut with … around the carets; control characters,
// characters without a look of their own (such as bidirectional marks) and bytes that are not UTF-8
// are shown escaped, so that no text can draw on the terminal.
//   error[K0203]: `customer` has no attribute `emial`
//     cart.koi:3:26  body "…{customer.emial}"
//                                     ^^^^^
//     help: did you mean `email`?
std::string render(const Diagnostic& diagnostic, const std::vector<Source>& sources,
                   Language language = Language::English);

// One JSON object without a line feed: code, severity, file, line, column, end_line, end_column,
// message, labels (file, line, column, end_line, end_column, text), help, replacement. The place of
// a source that is not in the list is file "" line 0.
std::string render_json(const Diagnostic& diagnostic, const std::vector<Source>& sources);

// The candidate most like `word`, or empty: by optimal string alignment (insert, remove, change,
// swap neighbours; on characters), at most a third of the word's length apart, but at least one,
// and never altogether different. Of equally good ones the first by bytes. Words of more than a
// hundred characters are like none.
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace koi
