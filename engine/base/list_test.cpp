#include "base/list.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace koi {
namespace {

template <class T>
void expect_same(const List<T>& list, const std::vector<T>& like) {
  ASSERT_EQ(list.size(), like.size());
  ASSERT_EQ(list.empty(), like.empty());
  ASSERT_TRUE(std::equal(list.begin(), list.end(), like.begin(), like.end()));
  ASSERT_GE(list.capacity(), list.size());
}

// Both are changed in the same ways.
template <class T, class Make>
void walk(Make make, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  List<T> list;
  std::vector<T> like;
  for (int step = 0; step < 4000; ++step) {
    const std::size_t at = random() % (like.size() + 1);
    const auto offset = static_cast<std::ptrdiff_t>(at);
    const auto rest = static_cast<std::ptrdiff_t>(random() % (like.size() - at + 1));
    switch (random() % 14) {
      case 0:
        list.erase(list.begin() + offset, list.begin() + offset + rest);
        like.erase(like.begin() + offset, like.begin() + offset + rest);
        break;
      case 1: list.shrink_to_fit(); break;
      case 2: {
        const std::size_t n = random() % 40;
        list.resize(n), like.resize(n);
        break;
      }
      case 3: {
        const std::size_t n = random() % 4;
        const T item = make(random());
        list.insert(list.begin() + offset, n, item);
        like.insert(like.begin() + offset, n, item);
        break;
      }
      case 4: {
        List<T> copy(list);
        expect_same(copy, like);
        list = std::move(copy);
        break;
      }
      case 5: {
        const T item = make(random() % 8);
        ASSERT_EQ(erase_if(list, [&](const T& each) { return each == item; }),
                  std::erase(like, item));
        break;
      }
      case 6:
        if (random() % 8 == 0) list.clear(), like.clear();
        break;
      case 7:
        if (!like.empty()) {  // one of its own
          const std::size_t which = random() % like.size();
          list.insert(list.begin() + offset, list[which]);
          like.insert(like.begin() + offset, T(like[which]));
        }
        break;
      default: {
        const T item = make(random() % 8);
        const auto* const place = list.insert(list.begin() + offset, item);
        ASSERT_EQ(place - list.begin(), offset);
        like.insert(like.begin() + offset, item);
      }
    }
    expect_same(list, like);
  }
}

TEST(List, IsAVectorOfNumbers) {
  walk<std::int64_t>([](std::uint64_t n) { return static_cast<std::int64_t>(n); }, 1);
}
TEST(List, IsAVectorOfWhatOwnsSomething) {
  walk<std::string>([](std::uint64_t n) { return std::string(n % 40, 'x') + std::to_string(n); },
                    2);
}

TEST(List, TakesOnePointerAndNoBlockWhileItIsEmpty) {
  static_assert(sizeof(List<std::int64_t>) == sizeof(void*));
  List<std::int64_t> list;
  EXPECT_EQ(list.block_bytes(), 0u);
  list.push_back(1);
  EXPECT_GT(list.block_bytes(), 0u);
  list.erase(list.begin());
  list.shrink_to_fit();
  EXPECT_EQ(list.block_bytes(), 0u);
}

TEST(List, AMovedOneIsEmpty) {
  List<std::string> list{"a", "b"};
  const List<std::string> other = std::move(list);
  EXPECT_TRUE(list.empty());  // NOLINT(bugprone-use-after-move): that is the promise
  EXPECT_EQ(other, (List<std::string>{"a", "b"}));
}

TEST(List, HasLittleMoreRoomThanItNeeds) {
  List<std::int64_t> list;
  for (std::int64_t i = 0; i < 100'000; ++i) {
    list.push_back(i);
    ASSERT_LE(list.capacity(), list.size() + list.size() / 4 + 2);
  }
}

}  // namespace
}  // namespace koi
