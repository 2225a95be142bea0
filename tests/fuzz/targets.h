// What is fuzzed. Each target takes any bytes; it aborts where a promise does not hold.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace koi::fuzz {

struct Target {
  const char* name;
  void (*run)(std::string_view input);
};
const std::vector<Target>& targets();

// Words that the mutator puts in: the language's own, and JSON's.
const std::vector<std::string>& dictionary();

}  // namespace koi::fuzz
