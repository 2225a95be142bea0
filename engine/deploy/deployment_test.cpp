#include "deploy/deployment.h"

#include <gtest/gtest.h>

#include "deploy/detail/trial.h"

namespace koi::deploy {
namespace {

const Deployment whole_deployment{
    .seed = 0xfedcba9876543210,
    .created = {1'772'000'000'000'001},
    .turns = {{{1, 2}, {1'772'000'000'000'002}, {0, 0}},
              {.bundle = {UINT64_MAX, 0},
               .since = {1'772'000'001'000'000},
               .positions = {7, UINT64_MAX},
               .kept = {{{1, 2}, "新人", 77}, {{3, 4}, "old", UINT64_MAX}},
               .by = "ann",
               .why = "spring",
               .ways = {.migrate = {{"新人", {{"wait after a", "wait"}}}},
                        .stop = {"old", "older"},
                        .canary = 50'000},
               .against = {5, 6}}},
    .is_under_way = true,
    .states = "states-12"};

TEST(Deployment, IsReadBackAsItWasWritten) {
  EXPECT_EQ(*deployment_of(to_json(whole_deployment), "file"), whole_deployment);
  const Deployment fresh{.seed = 0, .created = {0}, .turns = {}, .is_under_way = false};
  EXPECT_EQ(*deployment_of(to_json(fresh), "file"), fresh);
}

TEST(Deployment, DamagedTextIsNamedAndNeverTakenInPart) {
  const std::string text = to_json(whole_deployment);
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
                                 without("states-12", "states-1/2"),
                                 without("states-12", "elsewhere"),
                                 without("\"states-12\"", "12"),
                                 without("\"version\": 4", "\"version\": \"4\""),
                                 without("\"kept\": [", "\"kept\": [7,"),
                                 without("\"campaign\": \"old\"", "\"campaign\": 1"),
                                 without("\"ann\"", "[]"),
                                 without("\"older\"", "8"),
                                 without("\"wait\"", "{}"),
                                 without("\"migrate\": [", "\"migrate\": [[],"),
                                 without("\"millionths\": 50000", "\"millionths\": 1000000"),
                                 without("\"millionths\": 50000", "\"millionths\": -5"),
                                 without("\"against\": \"", "\"against\": \"x"),
                                 std::string(100'000, '[')}) {
    const auto read = deployment_of(bad, "data/deployment.json");
    ASSERT_FALSE(read) << bad.substr(0, 200);
    EXPECT_EQ(read.error().code, "corrupt");
    EXPECT_NE(read.error().what.find("data/deployment.json"), std::string::npos);
  }
  EXPECT_EQ(deployment_of(without("\"version\": 4", "\"version\": 5"), "f").error().code, "newer");
}

// As it was before anything was linked.
TEST(Deployment, AFileOfTheFirstVersionIsRead) {
  Deployment plain = whole_deployment;
  plain.turns[1].kept.clear();
  plain.turns[1].by = plain.turns[1].why = "";
  plain.turns[1].ways = {};
  plain.turns[1].against = {};
  std::string text = to_json(plain);
  text.replace(text.find("\"version\": 4"), 12, "\"version\": 1");
  EXPECT_EQ(*deployment_of(text, "f"), plain);
}

// Openings of one bundle under different versions are told apart.
TEST(Deployment, ATurnIsNamedByItsBundleAndWhatIsLinkedToIt) {
  Turn turn = whole_deployment.turns[1];
  EXPECT_NE(name_of(turn), turn.bundle);
  Turn other = turn;
  other.kept.pop_back();
  EXPECT_NE(name_of(turn), name_of(other));
  other.kept.clear();
  EXPECT_NE(name_of(other), turn.bundle) << "a canary";
  other.ways.canary = 0;
  EXPECT_EQ(name_of(other), turn.bundle) << "whom it moved is no rule of what follows";
}

TEST(Deployment, PartsOfTheCustomersAreReadAndTold) {
  EXPECT_EQ(percent_of("5%"), 50'000u);
  EXPECT_EQ(percent_of("0.5"), 5'000u);
  EXPECT_EQ(percent_of("99.9999%"), 999'999u);
  for (const char* none : {"", "%", "0", "100", "-1", "5 %", "five", "0.00001"})
    EXPECT_EQ(percent_of(none), std::nullopt) << none;
  for (const std::uint32_t share : {1u, 50'000u, 5'000u, 123'456u, 999'999u})
    EXPECT_EQ(percent_of(percent_text(share)), share);
}

TEST(Deployment, PositionsAndInstantsNeverGoBack) {
  Deployment back = whole_deployment;
  back.turns[1].since = {1'772'000'000'000'001};
  EXPECT_EQ(deployment_of(to_json(back), "f").error().code, "corrupt");
  back = whole_deployment;
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
