#include "durable/blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace koi::durable {
namespace {

struct Held {
  char* block = nullptr;
  std::size_t size = 0;
  char mark = 0;
};

class Holder {
 public:
  ~Holder() {
    while (!held.empty()) give(held.size() - 1);
  }
  void take(std::size_t size) {
    const char mark = static_cast<char>(random());
    held.push_back({blocks.take(size), size, mark});
    std::memset(held.back().block, mark, size);
  }
  void give(std::size_t at) {
    expect_intact(held[at]);
    blocks.give(held[at].block, held[at].size);
    held[at] = held.back();
    held.pop_back();
  }
  static void expect_intact(const Held& each) {
    EXPECT_TRUE(std::all_of(each.block, each.block + each.size,
                            [&](char byte) { return byte == each.mark; }));
  }
  // How many it moved.
  std::size_t close_gaps() {
    std::size_t moved = 0;
    for (Held& each : held) {
      if (!blocks.should_move(each.block, each.size)) continue;
      char* const other = blocks.take(each.size);
      std::memcpy(other, each.block, each.size);
      blocks.give(std::exchange(each.block, other), each.size);
      ++moved;
    }
    return moved;
  }
  std::uint64_t bytes() const {
    std::uint64_t all = 0;
    for (const Held& each : held) all += Blocks::bytes_for(each.size);
    return all;
  }

  std::mt19937_64 random{1};
  Blocks blocks;
  std::vector<Held> held;
};

TEST(Blocks, KeepWhatIsWrittenIntoThemWhateverComesAndGoes) {
  Holder holder;
  for (int round = 0; round < 40'000; ++round) {
    if (holder.held.empty() || holder.random() % 5 < 3)
      holder.take(1 + holder.random() % (holder.random() % 10 == 0 ? 5000 : 600));
    else
      holder.give(holder.random() % holder.held.size());
    if (round % 4000 == 0) holder.close_gaps();
  }
  for (const Held& each : holder.held) Holder::expect_intact(each);
  EXPECT_GT(holder.held.size(), 1000u);
}

TEST(Blocks, OfOneSizeStandSideBySideWithHardlyAGap) {
  Holder holder;
  for (int i = 0; i < 10'000; ++i) holder.take(120);
  EXPECT_LT(holder.blocks.gaps(), holder.bytes() / 50);
  std::sort(holder.held.begin(), holder.held.end(),
            [](const Held& a, const Held& b) { return a.block < b.block; });
  for (std::size_t i = 1; i < holder.held.size(); ++i)
    EXPECT_GE(holder.held[i].block - holder.held[i - 1].block, 120);
}

TEST(Blocks, AreAsBigAsWhatIsCountedForThem) {
  Holder holder;
  for (std::size_t size = 1; size < 4000; ++size) {
    holder.take(size);
    EXPECT_GE(Blocks::bytes_for(size), size);
    EXPECT_TRUE(Blocks::is_as_big(size, size));
    if (Blocks::is_as_big(size, size + 1)) {
      EXPECT_EQ(Blocks::bytes_for(size), Blocks::bytes_for(size + 1));
    }
  }
  EXPECT_TRUE(Blocks::is_as_big(97, 112));
  EXPECT_TRUE(Blocks::is_as_big(529, 544));
  EXPECT_FALSE(Blocks::is_as_big(112, 113));
  EXPECT_FALSE(Blocks::is_as_big(512, 513));
  EXPECT_FALSE(Blocks::is_as_big(528, 544 + 1));
  EXPECT_FALSE(Blocks::is_as_big(2032, 2033));
}

TEST(Blocks, ThatWereGivenBackServeAnySize) {
  Holder holder;
  for (int i = 0; i < 10'000; ++i) holder.take(100);
  while (!holder.held.empty()) holder.give(holder.held.size() - 1);
  EXPECT_EQ(holder.blocks.gaps(), 0u);
  for (int i = 0; i < 2'000; ++i) holder.take(500);
  for (int i = 0; i < 2'000; ++i) holder.take(1500);
  EXPECT_LT(holder.blocks.gaps(), holder.bytes() / 20);
}

TEST(Blocks, CanBeMovedUntilFewGapsAreLeft) {
  Holder holder;
  for (int i = 0; i < 20'000; ++i) holder.take(90 + holder.random() % 16);
  // One in ten stays, anywhere.
  while (holder.held.size() > 2'000) holder.give(holder.random() % holder.held.size());
  EXPECT_GT(holder.blocks.gaps(), 5 * holder.bytes());
  int rounds = 0;
  while (holder.close_gaps() > 0) ASSERT_LT(++rounds, 10);
  EXPECT_LT(holder.blocks.gaps(), 2 * holder.bytes());
  for (const Held& each : holder.held) Holder::expect_intact(each);
}

}  // namespace
}  // namespace koi::durable
