// What each code of the catalogue means, with an example that is wrong and one that is right, in
// both languages. examples/ holds them:
//
//   === K0201 [alone]     the code; alone: without the shop's declarations (examples/shop.koi)
//   --- wrong             what the code is said to
//   --- right             the same without it
//   --- wrong zh          in Chinese, where the first cannot be translated because it cannot be
//   read
//
// In an example `<600 times> + orders` is a line that many times over (`<n>` its number, `<n-1>`
// the one before), and `<0xE9>` a byte.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "base/source.h"

namespace koi::lessons {

struct Lesson {
  std::string_view code;  // "K0201"
  bool alone = false;
  std::string_view wrong;
  std::string_view right;
  std::string_view wrong_in_chinese;  // may be empty
};
// In the order of the codes.
const std::vector<Lesson>& lessons();
const Lesson* find(std::string_view code);  // or null

struct Example {
  std::string shown;  // as a reader sees it
  std::vector<Source> sources;
  std::vector<Diagnostic> diagnostics;  // what is said to it
};
// The example in that language, read and checked, with the shop where it is not alone.
Example wrong(const Lesson& lesson, Language language);
Example right(const Lesson& lesson, Language language);

// The code's sentence, what can be done about it, and both examples, as lines for a terminal.
std::string explain(const Lesson& lesson, Language language);

}  // namespace koi::lessons
