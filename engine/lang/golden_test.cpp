// tests/golden/parse/*.koi: a text, a line of =====, and what comes of it: for a case whose name
// begins with fail_ the diagnostics in both languages, and then the tree of what could be read.
// KOI_GOLDEN=write rewrites them; the review reads the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "lang/diagnostics.h"
#include "lang/dump.h"
#include "lang/parse.h"

namespace koi::lang {
namespace {

constexpr std::string_view ruler = "=====\n";

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> cases() {
  std::vector<std::filesystem::path> found;
  for (const auto& each : std::filesystem::directory_iterator("tests/golden/parse")) {
    if (each.path().extension() == ".koi") found.push_back(each.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

struct Case {
  std::string input;
  std::string output;
};
Case split(const std::string& text) {
  const auto at = text.find("\n" + std::string(ruler));
  if (at == text.npos) return {text, {}};
  return {text.substr(0, at + 1), text.substr(at + 1 + ruler.size())};
}

std::string outcome(const std::string& name, const std::string& input) {
  const std::vector<Source> sources{Source(name, input)};
  const auto english = parse(sources[0], 0, Language::English);
  const auto chinese = parse(sources[0], 0, Language::Chinese);
  std::string all;
  for (const auto& each : english.diagnostics) all += render(each, sources, Language::English);
  for (const auto& each : chinese.diagnostics) all += render(each, sources, Language::Chinese);
  if (!all.empty()) all += "-----\n";
  return all + dump(english.file);
}

TEST(Golden, EachTextGivesItsTree) {
  const char* mode = std::getenv("KOI_GOLDEN");
  const bool write = mode != nullptr && std::string_view(mode) == "write";
  ASSERT_FALSE(cases().empty()) << "run from the root of the source tree";
  for (const auto& path : cases()) {
    SCOPED_TRACE(path.string());
    const auto text = read(path);
    const auto golden = split(text);
    const auto name = path.filename().string();
    const auto got = outcome(name, golden.input);
    if (write) {
      std::ofstream(path, std::ios::binary) << golden.input << ruler << got;
      continue;
    }
    EXPECT_EQ(golden.output, got);
    const bool fails = name.starts_with("fail_");
    EXPECT_EQ(fails, got.starts_with("error["))
        << "only a rejected text begins its name with fail_";
  }
}

// Codes that no golden can show: their texts are no text, or too big to keep. parse_test.cpp and
// lexer_test.cpp have them.
const std::set<std::string_view> shown_elsewhere{"K0001", "K0002", "K0003",
                                                 "K0004", "K0005", "K0006"};

TEST(Golden, EachCodeOfTheParserHasACase) {
  std::string all;
  for (const auto& path : cases()) all += split(read(path)).output;
  for (const auto& each : catalogue()) {
    if (each.text >= "K0200" || shown_elsewhere.contains(each.text)) continue;
    EXPECT_NE(all.find("[" + std::string(each.text) + "]"), all.npos) << each.text;
  }
}

}  // namespace
}  // namespace koi::lang
