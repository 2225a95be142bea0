#include "deploy/deployment.h"

#include <gtest/gtest.h>

#include "deploy/detail/trial.h"

namespace koi::deploy {
namespace {

const Deployment whole{.seed = 0xfedcba9876543210,
                       .created = {1'772'000'000'000'001},
                       .turns = {{{1, 2}, {1'772'000'000'000'002}, {0, 0}},
                                 {.bundle = {UINT64_MAX, 0},
                                  .since = {1'772'000'001'000'000},
                                  .positions = {7, UINT64_MAX},
                                  .kept = {{{1, 2}, "新人", 77}, {{3, 4}, "old", UINT64_MAX}},
                                  .by = "ann",
                                  .why = "spring"}},
                       .is_under_way = true};

TEST(Deployment, IsReadBackAsItWasWritten) {
  EXPECT_EQ(*deployment_of(to_json(whole), "file"), whole);
  const Deployment fresh{.seed = 0, .created = {0}, .turns = {}, .is_under_way = false};
  EXPECT_EQ(*deployment_of(to_json(fresh), "file"), fresh);
}

TEST(Deployment, DamagedTextIsNamedAndNeverTakenInPart) {
  const std::string text = to_json(whole);
  const auto without = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    const auto at = changed.find(from);
    KOI_ASSERT(at != std::string::npos);
    return changed.replace(at, from.size(), to);
  };
  for (const std::string& bad : {std::string(),
                                 std::string("{}"),
                                 std::string("[]"),
                                 std::string("null"),
                                 text.substr(0, text.size() / 2),
                                 without("deployment", "something"),
                                 without("fedcba9876543210", "fedcba987654321"),
                                 without("fedcba", "FEDCBA"),
                                 without("\"seed\"", "\"sead\""),
                                 without("ffffffffffffffff", "fffffffffffffff-"),
                                 without("2026-", "26-"),
                                 without("18446744073709551615", "18446744073709551616"),
                                 without("18446744073709551615", "-1"),
                                 without("18446744073709551615", "6, 7"),
                                 without("18446744073709551615", "\"7\""),
                                 without("true", "\"true\""),
                                 without("\"version\": 2", "\"version\": \"2\""),
                                 without("\"kept\": [", "\"kept\": [7,"),
                                 without("\"campaign\": \"old\"", "\"campaign\": 1"),
                                 without("\"ann\"", "[]"),
                                 std::string(100'000, '[')}) {
    const auto read = deployment_of(bad, "data/deployment.json");
    ASSERT_FALSE(read) << bad.substr(0, 200);
    EXPECT_EQ(read.error().code, "corrupt");
    EXPECT_NE(read.error().what.find("data/deployment.json"), std::string::npos);
  }
  EXPECT_EQ(deployment_of(without("\"version\": 2", "\"version\": 3"), "f").error().code, "newer");
}

// As it was before anything was linked.
TEST(Deployment, AFileOfTheFirstVersionIsRead) {
  Deployment plain = whole;
  plain.turns[1].kept.clear();
  plain.turns[1].by = plain.turns[1].why = "";
  std::string text = to_json(plain);
  text.replace(text.find("\"version\": 2"), 12, "\"version\": 1");
  EXPECT_EQ(*deployment_of(text, "f"), plain);
}

// Openings of one bundle under different versions are told apart.
TEST(Deployment, ATurnIsNamedByItsBundleAndWhatIsLinkedToIt) {
  Turn turn = whole.turns[1];
  EXPECT_NE(name_of(turn), turn.bundle);
  Turn other = turn;
  other.kept.pop_back();
  EXPECT_NE(name_of(turn), name_of(other));
  other.kept.clear();
  EXPECT_EQ(name_of(other), turn.bundle);
}

TEST(Deployment, PositionsAndInstantsNeverGoBack) {
  Deployment back = whole;
  back.turns[1].since = {1'772'000'000'000'001};
  EXPECT_EQ(deployment_of(to_json(back), "f").error().code, "corrupt");
  back = whole;
  back.turns[0].positions = {8, 0};
  EXPECT_EQ(deployment_of(to_json(back), "f").error().code, "corrupt");
}

TEST(Deployment, TheSeedIsMadeOnceByChance) {
  const Scratch one, two;
  const auto first = *store::Directory::open(one.path()),
             second = *store::Directory::open(two.path());
  const Deployment begun = *begin_deployment(first, {5});
  EXPECT_EQ(*begin_deployment(first, {6}), begun);
  EXPECT_EQ(**read_deployment(first), begun);
  EXPECT_EQ(*read_deployment(second), std::nullopt);
  EXPECT_NE(begin_deployment(second, {5})->seed, begun.seed);
}

}  // namespace
}  // namespace koi::deploy
