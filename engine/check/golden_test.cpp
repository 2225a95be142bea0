// tests/golden/check/*.koi: a program, a line of =====, and what check says to it in both
// languages. A case whose name begins with fail_ is rejected; the others have at most warnings.
#include <set>
#include <string>
#include <tuple>

#include "base/golden.h"
#include "check/check.h"
#include "check/silence.h"
#include "lang/diagnostics.h"
#include "lang/parse.h"

namespace koi::check {
namespace {

const char* const folder = "tests/golden/check";

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
  for (const Golden& each : goldens(folder)) {
    SCOPED_TRACE(each.name());
    const std::string english = outcome(each.name(), each.input, Language::English);
    each.expect(english + "-----\n" + outcome(each.name(), each.input, Language::Chinese));
    EXPECT_EQ(each.fails(), english.find("error[") != english.npos)
        << "only a rejected program begins its name with fail_";
  }
}

// One look at a file that stands alone finds what check() does, but for what is of the whole.
TEST(CheckGolden, OneLookFindsAllButWhatTakesTheWholeProgram) {
  const std::set<std::string> of_the_whole{"K0418", "K0511", "K0512", "K0790"};
  for (const Golden& golden : goldens(folder)) {
    SCOPED_TRACE(golden.name());
    const Source source(golden.name(), golden.input);
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
  for (const Golden& each : goldens(folder)) all += each.output;
  for (const auto& each : lang::catalogue()) {
    if (each.text < "K0200" || shown_elsewhere.contains(each.text)) continue;
    EXPECT_NE(all.find("[" + std::string(each.text) + "]"), all.npos) << each.text;
  }
}

}  // namespace
}  // namespace koi::check
