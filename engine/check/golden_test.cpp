// tests/golden/check/*.koi: a program, a line of =====, and what check says to it in both
// languages. A case whose name begins with fail_ is rejected; the others have at most warnings.
// KOI_GOLDEN=write rewrites them; the review reads the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <tuple>

#include "check/check.h"
#include "check/silence.h"
#include "lang/diagnostics.h"
#include "lang/parse.h"

namespace koi::check {
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
  for (const auto& each : std::filesystem::directory_iterator("tests/golden/check"))
    if (each.path().extension() == ".koi") found.push_back(each.path());
  std::sort(found.begin(), found.end());
  return found;
}

std::pair<std::string, std::string> split(const std::string& text) {
  const auto at = text.find("\n" + std::string(ruler));
  if (at == text.npos) return {text, {}};
  return {text.substr(0, at + 1), text.substr(at + 1 + ruler.size())};
}

std::string outcome(const std::string& name, const std::string& input, Language language) {
  const std::vector<Source> sources{Source(name, input)};
  const auto parsed = lang::parse(sources[0], 0, language);
  auto checked = check({parsed.file}, language);
  silence(checked.diagnostics, sources, std::span(&parsed.file, 1), language);
  std::string all;
  for (const auto& each : parsed.diagnostics) all += render(each, sources, language);
  for (const auto& each : checked.diagnostics) all += render(each, sources, language);
  return all;
}

TEST(CheckGolden, EachProgramGetsItsDiagnostics) {
  const char* mode = std::getenv("KOI_GOLDEN");
  const bool write = mode != nullptr && std::string_view(mode) == "write";
  ASSERT_FALSE(cases().empty()) << "run from the root of the source tree";
  for (const auto& path : cases()) {
    SCOPED_TRACE(path.string());
    const auto [input, output] = split(read(path));
    const auto name = path.filename().string();
    const auto english = outcome(name, input, Language::English);
    const auto got = english + "-----\n" + outcome(name, input, Language::Chinese);
    if (write) {
      std::ofstream(path, std::ios::binary) << input << ruler << got;
      continue;
    }
    EXPECT_EQ(output, got);
    EXPECT_EQ(name.starts_with("fail_"), english.find("error[") != english.npos)
        << "only a rejected program begins its name with fail_";
  }
}

// One look at a file that stands alone finds what check() does, but for what is of the whole.
TEST(CheckGolden, OneLookFindsAllButWhatTakesTheWholeProgram) {
  const std::set<std::string> of_the_whole{"K0418", "K0511", "K0512"};
  for (const auto& path : cases()) {
    SCOPED_TRACE(path.string());
    const Source source(path.filename().string(), split(read(path)).first);
    const auto parsed = lang::parse(source, 0, Language::English);
    const auto told = [](const Diagnostic& each) {
      return std::tuple(each.span.begin, each.span.end, each.code, each.message);
    };
    std::set<decltype(told({}))> all, seen;
    for (const auto& each : check({parsed.file}).diagnostics)
      if (!of_the_whole.contains(each.code)) all.insert(told(each));
    for (const auto& each : check_one({parsed.file}, 0)) seen.insert(told(each));
    EXPECT_EQ(seen, all);
  }
}

// Codes that take a program too big to keep; check_test.cpp makes one.
const std::set<std::string_view> shown_elsewhere{"K0223", "K0321"};

TEST(CheckGolden, EachCodeOfTheCheckerHasACase) {
  std::string all;
  for (const auto& path : cases()) all += split(read(path)).second;
  for (const auto& each : lang::catalogue()) {
    if (each.text < "K0200" || shown_elsewhere.contains(each.text)) continue;
    EXPECT_NE(all.find("[" + std::string(each.text) + "]"), all.npos) << each.text;
  }
}

}  // namespace
}  // namespace koi::check
