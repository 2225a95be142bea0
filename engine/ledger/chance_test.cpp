#include "ledger/chance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "ledger/amounts.h"
#include "ledger/draw.h"

namespace koi::ledger {
namespace {

constexpr Key papers_key{0x0706050403020100, 0x0f0e0d0c0b0a0908};

// From the paper's appendix A, and the first lines of its authors' vectors.
TEST(SipHash, GivesThePapersValues) {
  std::string bytes;
  for (char i = 0; i < 15; ++i) bytes.push_back(i);
  EXPECT_EQ(siphash(papers_key, bytes), 0xa129ca6149be45e5u);
  EXPECT_EQ(siphash(papers_key, ""), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(siphash(papers_key, bytes.substr(0, 1)), 0x74f839c593dc67fdu);
  EXPECT_EQ(siphash(papers_key, bytes.substr(0, 8)), 0x93f5f5799a932462u);
}

// printf 'koi-draw-1\0' and the sixteen bytes 00 … 0f, through sha256sum.
TEST(Commitment, IsTheSha256OfTheKey) {
  EXPECT_EQ(commitment(papers_key),
            "4afe9ae3ee6de269e94e325d8aeeae391733e7e9e97f643ef4b418a5c4f25b90");
  EXPECT_NE(commitment(papers_key), commitment({papers_key.second, papers_key.first}));
}

TEST(Chance, IsTheSameForTheSameOccasionAlone) {
  Chance one(papers_key, "a"), again(papers_key, "a"), other(papers_key, "b");
  std::array<std::uint64_t, 3> first{}, second{}, third{};
  for (auto& each : first) each = one.below(UINT64_MAX);
  for (auto& each : second) each = again.below(UINT64_MAX);
  for (auto& each : third) each = other.below(UINT64_MAX);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, third);
}

TEST(Chance, IsEven) {
  Chance chance(papers_key, "even");
  constexpr int draws = 70'000;
  std::array<int, 7> seen{};
  for (int i = 0; i < draws; ++i) ++seen[static_cast<std::size_t>(chance.between(-3, 3) + 3)];
  double chi = 0;
  for (const int each : seen) chi += std::pow(each - draws / 7.0, 2) / (draws / 7.0);
  EXPECT_LT(chi, 22.5);  // six degrees of freedom: exceeded once in a thousand keys
}

TEST(RandomAmount, StaysWithinItsBoundsAndKeepsTheMean) {
  constexpr Bounds bounds{30, 888, 200};
  Chance chance(papers_key, "amounts");
  constexpr int draws = 200'000;
  std::int64_t sum = 0, least = INT64_MAX, most = 0;
  double squares = 0;
  for (int i = 0; i < draws; ++i) {
    const std::int64_t amount = random_amount(bounds, chance);
    sum += amount, least = std::min(least, amount), most = std::max(most, amount);
    squares += std::pow(static_cast<double>(amount - bounds.mean), 2);
  }
  EXPECT_EQ(least, bounds.from);
  EXPECT_EQ(most, bounds.to);
  // Four times the standard error of the mean.
  const double error = std::sqrt(squares / draws / draws);
  EXPECT_NEAR(static_cast<double>(sum) / draws, bounds.mean, 4 * error);
  EXPECT_LT(error, 0.5);
}

TEST(RandomAmount, OfEqualBoundsIsThatAmount) {
  Chance chance(papers_key, "one");
  EXPECT_EQ(random_amount({5, 5, 5}, chance), 5);
  EXPECT_EQ(random_amount({5, 9, 5}, chance), 5);
  EXPECT_EQ(random_amount({5, 9, 9}, chance), 9);
}

TEST(Split, EquallyLosesNothing) {
  EXPECT_EQ(split_equally(2000, 10), std::vector<std::int64_t>(10, 200));
  EXPECT_EQ(split_equally(100, 3), (std::vector<std::int64_t>{34, 33, 33}));
  EXPECT_EQ(split_equally(2, 3), (std::vector<std::int64_t>{1, 1, 0}));
}

TEST(Split, ByLuckSumsToTheTotalAndKeepsTheMinimum) {
  for (std::int64_t total = 30; total < 400; ++total) {
    for (std::size_t shares = 1; shares <= 10; ++shares) {
      Chance chance(papers_key, std::to_string(total) + "/" + std::to_string(shares));
      const auto parts = split_by_luck(total, shares, 3, chance);
      ASSERT_EQ(parts.size(), shares);
      ASSERT_EQ(std::accumulate(parts.begin(), parts.end(), std::int64_t{0}), total);
      for (const std::int64_t part : parts) ASSERT_GE(part, 3);
    }
  }
}

TEST(Split, ByLuckIsWorthTheSameAtEveryTurn) {
  constexpr std::size_t shares = 7;
  constexpr std::int64_t total = 2003;
  constexpr int packets = 40'000;
  std::array<double, shares> sum{}, squares{};
  for (int i = 0; i < packets; ++i) {
    Chance chance(papers_key, "fair" + std::to_string(i));
    const auto parts = split_by_luck(total, shares, 30, chance);
    for (std::size_t j = 0; j < shares; ++j) {
      sum[j] += static_cast<double>(parts[j]);
      squares[j] += std::pow(static_cast<double>(parts[j]) - 2003.0 / shares, 2);
    }
  }
  for (std::size_t j = 0; j < shares; ++j)
    EXPECT_NEAR(sum[j] / packets, 2003.0 / shares, 4 * std::sqrt(squares[j]) / packets) << j;
}

TEST(Split, KnowsWhatCannotBeSplit) {
  EXPECT_TRUE(can_split(300, 10, 30));
  EXPECT_FALSE(can_split(299, 10, 30));
  EXPECT_FALSE(can_split(300, 0, 30));
  EXPECT_FALSE(can_split(INT64_MAX, 3, INT64_MAX / 2));
}

// Of the others each has the chance that it has without what is out of stock.
TEST(Draw, FollowsTheWeightsOfWhatIsLeft) {
  Chance chance(papers_key, "wheel");
  std::array<int, 5> seen{};
  constexpr int draws = 100'000;
  for (int i = 0; i < draws; ++i) {
    const Drawn drawn = draw(
        {1, 0, 99, 5000, 900}, [](std::size_t prize) { return prize != 3; }, chance);
    ++seen[*drawn.prize];
    ASSERT_LE(drawn.missed.size(), 1U);
    for (const std::size_t each : drawn.missed) ASSERT_EQ(each, 3U);
  }
  EXPECT_EQ(seen[1], 0);
  EXPECT_EQ(seen[3], 0);
  EXPECT_NEAR(seen[0], 100, 40);
  EXPECT_NEAR(seen[2], 9'900, 400);
}

TEST(Draw, AsksForEachThatIsDrawnOnceAndHasNothingWhereNoneIsLeft) {
  Chance chance(papers_key, "wheel");
  std::vector<std::size_t> asked;
  const Drawn drawn = draw(
      {3, 0, 2},
      [&](std::size_t prize) {
        asked.push_back(prize);
        return false;
      },
      chance);
  EXPECT_FALSE(drawn.prize);
  EXPECT_EQ(drawn.missed, asked);
  EXPECT_THAT(asked, testing::UnorderedElementsAre(0, 2));
  EXPECT_EQ(draw(
                {0, 0}, [](std::size_t) { return true; }, chance),
            Drawn());
}

}  // namespace
}  // namespace koi::ledger
