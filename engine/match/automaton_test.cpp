#include "match/automaton.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

namespace koi::match {
namespace {

std::set<std::uint32_t> found_in(const Automaton& automaton, std::string_view text) {
  std::set<std::uint32_t> found;
  automaton.find(text, [&](std::uint32_t pattern) { found.insert(pattern); });
  return found;
}

TEST(Automaton, FindsPatternsWithinPatternsAndAcrossFailures) {
  const Automaton automaton({"he", "she", "his", "hers"});  // the example of the paper
  EXPECT_EQ(found_in(automaton, "ushers"), (std::set<std::uint32_t>{0, 1, 3}));
  EXPECT_EQ(found_in(automaton, "this"), (std::set<std::uint32_t>{2}));
  EXPECT_EQ(found_in(automaton, "hi"), (std::set<std::uint32_t>{}));
}

TEST(Automaton, AnEmptyPatternOccursEverywhereAndEqualOnesAreAllReported) {
  const Automaton automaton({"", "a", "a", "é"});
  EXPECT_EQ(found_in(automaton, ""), (std::set<std::uint32_t>{0}));
  EXPECT_EQ(found_in(automaton, "ba"), (std::set<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(found_in(automaton, "caf\xc3\xa9"), (std::set<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_TRUE(found_in(Automaton(), "a").empty());
}

TEST(Automaton, FindsWhatFindingEachPatternFinds) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 dice(seed);
    const auto any_text = [&](std::size_t most) {
      std::string text(dice() % (most + 1), 'a');
      for (char& c : text) c = static_cast<char>('a' + dice() % 3);
      return text;
    };
    std::vector<std::string> patterns;
    for (std::size_t i = dice() % 40; i-- > 0;) patterns.push_back(any_text(6));
    const Automaton automaton({patterns.begin(), patterns.end()});
    for (int round = 0; round < 20; ++round) {
      const std::string text = any_text(30);
      std::set<std::uint32_t> expected;
      for (std::uint32_t i = 0; i < patterns.size(); ++i)
        if (text.find(patterns[i]) != std::string::npos) expected.insert(i);
      ASSERT_EQ(found_in(automaton, text), expected) << "seed " << seed << ": " << text;
    }
  }
}

}  // namespace
}  // namespace koi::match
