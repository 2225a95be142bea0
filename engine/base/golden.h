// Golden: for tests of what a stage makes of a text: a folder of cases (tests/golden/<stage>), each
// a text, a line of =====, and what comes of it. KOI_GOLDEN=write rewrites what comes of it; the
// review reads the difference.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace koi {

class Golden {
 public:
  static constexpr std::string_view ruler = "=====\n";

  explicit Golden(std::filesystem::path path) : path_(std::move(path)) {
    std::ifstream in(path_, std::ios::binary);
    std::stringstream all;
    all << in.rdbuf();
    input = std::move(all).str();
    const std::size_t at = input.find("\n" + std::string(ruler));
    if (at == std::string::npos) return;
    output = input.substr(at + 1 + ruler.size());
    input.resize(at + 1);
  }

  std::string name() const { return path_.filename().string(); }
  // The name of a case that is rejected begins so.
  bool fails() const { return name().starts_with("fail_"); }

  // This comes of it; or is what comes of it from here on.
  void expect(const std::string& got) const {
    const char* const mode = std::getenv("KOI_GOLDEN");
    if (mode != nullptr && std::string_view(mode) == "write")
      std::ofstream(path_, std::ios::binary) << input << ruler << got;
    else
      EXPECT_EQ(output, got) << path_;
  }

  std::string input, output;

 private:
  std::filesystem::path path_;
};

// The folder's cases, by name.
inline std::vector<Golden> goldens(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& each : std::filesystem::directory_iterator(folder))
    if (each.path().extension() == ".koi") found.push_back(each.path());
  std::sort(found.begin(), found.end());
  EXPECT_FALSE(found.empty()) << "run from the root of the source tree";
  return {found.begin(), found.end()};
}

}  // namespace koi
