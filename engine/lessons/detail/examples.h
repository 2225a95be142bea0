// The files of examples/, compiled in. The module's own.
#pragma once

#include <string_view>
#include <vector>

namespace koi::lessons {

struct ExampleFile {
  std::string_view name;
  std::string_view text;
};
// The texts by name, then the shop.
const std::vector<ExampleFile>& example_files();

}  // namespace koi::lessons
