// tests/golden/parse/*.koi: a text, a line of =====, and what comes of it: for a case whose name
// begins with fail_ the diagnostics in both languages, and then the tree of what could be read.
#include <set>
#include <string>

#include "base/golden.h"
#include "lang/diagnostics.h"
#include "lang/dump.h"
#include "lang/parse.h"

namespace koi::lang {
namespace {

const char* const goldens_folder = "tests/golden/parse";

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

TEST(ParseGolden, EachTextGivesItsTree) {
  for (const Golden& each : goldens(goldens_folder)) {
    SCOPED_TRACE(each.name());
    const std::string got = outcome(each.name(), each.input);
    each.expect(got);
    EXPECT_EQ(each.fails(), got.starts_with("error["))
        << "only a rejected text begins its name with fail_";
  }
}

// Codes that no golden can show: their texts are no text, or too big to keep. parse_test.cpp and
// lexer_test.cpp have them.
const std::set<std::string_view> shown_elsewhere{"K0001", "K0002", "K0003",
                                                 "K0004", "K0005", "K0006"};

TEST(ParseGolden, EachCodeOfTheParserHasACase) {
  std::string all;
  for (const Golden& each : goldens(goldens_folder)) all += each.output;
  for (const auto& each : catalogue()) {
    if (each.text >= "K0200" || shown_elsewhere.contains(each.text)) continue;
    EXPECT_NE(all.find("[" + std::string(each.text) + "]"), all.npos) << each.text;
  }
}

}  // namespace
}  // namespace koi::lang
