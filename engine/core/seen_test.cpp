#include "core/seen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/hash.h"

namespace koi::core {
namespace {

Timestamp minute(std::int64_t n) { return Timestamp{0} + minutes(n); }

std::map<std::uint64_t, std::uint32_t> all_of(const SeenIds& ids) {
  std::map<std::uint64_t, std::uint32_t> all;
  std::uint64_t last = 0;
  ids.for_each([&](std::uint64_t hash, std::uint32_t at) {
    EXPECT_TRUE(all.empty() || hash > last) << "hashes ascend";
    last = hash;
    all[hash] = at;
  });
  return all;
}

// Hashes as `draw` gives them, forgotten now and then, against a map.
template <class Draw>
void compare(Draw draw, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  SeenIds ids;
  std::map<std::uint64_t, std::uint32_t> like;
  std::int64_t now = 1000;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t hash = draw(random);
    ASSERT_EQ(ids.contains(hash), like.contains(hash));
    ids.insert(hash, minute(now) + seconds(59));
    like.emplace(hash, static_cast<std::uint32_t>(now));
    ASSERT_TRUE(ids.contains(hash));
    ASSERT_EQ(ids.size(), like.size());
    if (random() % 10 == 0) ++now;
    if (random() % 1500 == 0) {
      const std::int64_t from = now - static_cast<std::int64_t>(random() % 300);
      ids.forget_before(minute(from));
      std::erase_if(like, [&](const auto& each) { return each.second < from; });
    }
    if (step % 500 == 0) {
      ASSERT_EQ(all_of(ids), like);
    }
  }
  ASSERT_EQ(all_of(ids), like);
}

TEST(SeenIds, AreASetWhereHashesAreSpread) {
  compare([](auto& random) { return random(); }, 1);
}
TEST(SeenIds, AreASetWhereManyComeAgain) {
  compare([](auto& random) { return hash64(std::to_string(random() % 3000)); }, 2);
}
// Whoever chooses ids so that their hashes stand together makes it slow, and no more than that.
TEST(SeenIds, AreASetWhereHashesStandTogether) {
  compare([](auto& random) { return random() % 2500; }, 3);
  compare([](auto& random) { return UINT64_MAX - random() % 2500; }, 4);
}

TEST(SeenIds, AreEqualHoweverTheyCameTogether) {
  SeenIds one, other;
  for (std::uint64_t i = 0; i < 3000; ++i) one.insert(hash64(std::to_string(i)), minute(5));
  for (std::uint64_t i = 3000; i-- > 2000;) other.insert(hash64(std::to_string(i)), minute(5));
  EXPECT_FALSE(one == other);
  for (std::uint64_t i = 0; i < 2000; ++i) other.insert(hash64(std::to_string(i)), minute(5));
  EXPECT_TRUE(one == other);
  other.insert(1, minute(5));
  EXPECT_FALSE(one == other);
}

TEST(SeenIds, AreTheSameWhenTheyAreReadAgainInOrderOrInNone) {
  for (const std::size_t count : {0u, 1u, 31u, 32u, 33u, 1000u, 100'000u}) {
    SeenIds ids;
    for (std::size_t i = 0; i < count; ++i)
      ids.insert(hash64(std::to_string(i)), minute(static_cast<std::int64_t>(i % 50)));
    std::vector<std::pair<std::uint64_t, std::uint32_t>> told;
    ids.for_each([&](std::uint64_t hash, std::uint32_t at) { told.emplace_back(hash, at); });
    const auto assigned = [&] {
      SeenIds again;
      again.insert(7, minute(7));
      auto each = told.begin();
      again.assign(told.size(), [&] { return *each++; });
      return again;
    };
    EXPECT_TRUE(assigned() == ids) << count;
    told.insert(told.end(), told.begin(), told.end());
    std::reverse(told.begin(), told.end());
    SeenIds again = assigned();
    EXPECT_TRUE(again == ids) << count << ", hostile";
    again.insert(hash64("one more"), minute(1));
    EXPECT_TRUE(again.contains(hash64("one more")));
    EXPECT_EQ(again.size(), count + 1);
  }
}

TEST(SeenIds, HoldWhatHappenedBefore1970AndAtTheEndOfTime) {
  SeenIds ids;
  ids.insert(1, Timestamp::ever());
  ids.insert(2, Timestamp::never());
  EXPECT_TRUE(ids.contains(1) && ids.contains(2));
  ids.forget_before(minute(1));
  EXPECT_FALSE(ids.contains(1));
  EXPECT_TRUE(ids.contains(2));
}

}  // namespace
}  // namespace koi::core
