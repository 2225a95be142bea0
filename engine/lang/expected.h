// What may come next: for completion, where the text ends in the middle of a sentence.
#pragma once

#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/source.h"
#include "lang/lexer.h"
#include "lang/outline.h"

namespace koi::lang {

struct Expected {
  std::set<Kind> words;  // keywords, signs and literals; not those that would only be names
  // The sentences in which a name may stand here: `SendStep` for `send ▮`.
  std::set<Rule> names;
  // The words of the declaration that the place is in, up to it.
  Lexed before;
  std::size_t first = 0;  // in before.tokens: where the declaration begins
  bool in_text = false;   // within quotes or a comment: nothing is to be completed
};

// What may stand at the end of `prefix`, which is a file up to a place between two words. Any bytes
// are accepted; of a declaration with more than 20,000 words nothing is known. Thread-safe.
Expected expected_after(std::string_view prefix);

}  // namespace koi::lang
