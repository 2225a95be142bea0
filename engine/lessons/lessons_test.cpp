#include "lessons/lessons.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "lang/diagnostics.h"

namespace koi::lessons {
namespace {

std::set<std::string> codes(const Example& example) {
  std::set<std::string> all;
  for (const auto& each : example.diagnostics) all.insert(each.code);
  return all;
}

std::string told(const Example& example, Language language) {
  std::string all = example.shown;
  for (const auto& each : example.diagnostics) all += render(each, example.sources, language);
  return all;
}

TEST(Lessons, EachCodeHasOne) {
  std::vector<std::string_view> taught, known;
  for (const auto& each : lessons()) taught.push_back(each.code);
  for (const auto& each : lang::catalogue()) known.push_back(each.text);
  EXPECT_EQ(taught, known) << "engine/lessons/examples has an example for each code";
}

TEST(Lessons, TheWrongExampleGetsItsCodeAndNoOther) {
  for (const auto& each : lessons()) {
    for (const auto language : {Language::English, Language::Chinese}) {
      const auto example = wrong(each, language);
      EXPECT_EQ(codes(example), std::set<std::string>{std::string(each.code)})
          << each.code << "\n"
          << told(example, language).substr(0, 2000);
    }
  }
}

TEST(Lessons, TheRightExampleIsRight) {
  for (const auto& each : lessons()) {
    for (const auto language : {Language::English, Language::Chinese}) {
      const auto example = right(each, language);
      EXPECT_THAT(codes(example), testing::IsEmpty()) << each.code << "\n"
                                                      << told(example, language);
    }
  }
}

TEST(Lessons, TheChineseExampleIsInChinese) {
  for (const auto& each : lessons()) {
    const auto chinese = right(each, Language::Chinese).shown;
    EXPECT_EQ(chinese.find(" when "), chinese.npos) << chinese;
    EXPECT_EQ(chinese.find("class "), chinese.npos) << chinese;
  }
}

TEST(Lessons, AreToldWithWhatIsSaidToThem) {
  const auto* lesson = find("K0203");
  ASSERT_NE(lesson, nullptr);
  EXPECT_EQ(explain(*lesson, Language::English),
            "K0203 · error\n"
            "\n"
            "  `customer` has no attribute `…`\n"
            "  With it the program neither runs nor is tested.\n"
            "\n"
            "Wrong:\n"
            "\n"
            "    segment here when customer.town == \"Hangzhou\"\n"
            "\n"
            "    error[K0203]: `customer` has no attribute `town`\n"
            "      example.koi:1:28  segment here when customer.town == \"Hangzhou\"\n"
            "                                                   ^^^^\n"
            "\n"
            "Right:\n"
            "\n"
            "    segment here when customer.city == \"Hangzhou\"\n");
  EXPECT_EQ(find("K9999"), nullptr);
}

}  // namespace
}  // namespace koi::lessons
