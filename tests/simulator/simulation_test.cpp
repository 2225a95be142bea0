// The simulator's own tests: it is the same for the same seed, and its checkers find a fault
// wherever a rule is left out.
#include "simulation.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/scratch.h"
#include "program.h"

namespace koi::simulator {
namespace {

TEST(Simulation, IsTheSameToTheByteForTheSameSeed) {
  const Scratch scratch;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::string told[2];
    for (std::string& all : told)
      simulate({seed, Control::None, scratch.path(),
                [&](std::string_view line) { all.append(line).append("\n"); }, seed % 2 == 0,
                false});
    EXPECT_EQ(told[0], told[1]) << "seed " << seed;
    EXPECT_GT(told[0].size(), 200u);
  }
}

TEST(Simulation, DiffersBetweenSeeds) {
  const Scratch scratch;
  EXPECT_NE(simulate({1, Control::None, scratch.path(), {}, false, false}).hash,
            simulate({2, Control::None, scratch.path(), {}, false, false}).hash);
}

// Seeds that broke a promise once, each with what it found: they must hold it now.
TEST(Simulation, HoldsWhatSeedsOnceBroke) {
  const Scratch scratch;
  std::ifstream in(KOI_SIMULATOR_SEEDS);
  ASSERT_TRUE(in);
  int seeds = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words(line);
    std::uint64_t seed = 0;
    ASSERT_TRUE(words >> seed) << line;
    ++seeds;
    std::string about;
    words >> about;
    const Outcome outcome =
        simulate({seed, Control::None, scratch.path(), {}, about == "money", about == "groups"});
    EXPECT_FALSE(outcome.broken) << line << ": " << *outcome.broken;
  }
  EXPECT_GT(seeds, 0);
}

class Without : public ::testing::TestWithParam<NamedControl> {};

TEST_P(Without, TheRuleTheCheckersFindAFault) {
  constexpr std::uint64_t most = 400;
  const Scratch scratch;
  for (std::uint64_t seed = 1; seed <= most; ++seed)
    if (simulate({seed, GetParam().control, scratch.path(), {}, false, false}).broken) return;
  FAIL() << "no seed up to " << most << " breaks a promise";
}

INSTANTIATE_TEST_SUITE_P(Control, Without,
                         ::testing::ValuesIn(controls.begin() + 1, controls.end()),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace koi::simulator
