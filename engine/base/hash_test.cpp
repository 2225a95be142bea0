#include "base/hash.h"

#include <gtest/gtest.h>

namespace koi {
namespace {

constexpr std::uint64_t prime64 = 0x9e3779b185ebca8d;

// The buffer over which xxHash publishes its test vectors (cli/xsum_sanity_check.c of v0.8).
std::string published_buffer(std::size_t size) {
  std::string bytes;
  std::uint64_t state = 2654435761u;
  for (; bytes.size() < size; state *= prime64) bytes.push_back(static_cast<char>(state >> 56));
  return bytes;
}

TEST(Hash, SixtyFourBitsAreThoseThatXxHashPublishes) {
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2u);
  EXPECT_EQ(hash64("a"), 0xe6c632b61e964e1fu);
  EXPECT_EQ(hash64("abc"), 0x78af5f94892f3950u);
  EXPECT_EQ(hash64(published_buffer(128), prime64), 0x73fde75280646649u);
  EXPECT_EQ(hash64(published_buffer(129), prime64), 0x21fffdbca099c844u);
  EXPECT_EQ(hash64(published_buffer(240), prime64), 0xcc0f58c27ef3d8eeu);
  EXPECT_EQ(hash64(published_buffer(241), prime64), 0xdda9b0a161d4829au);
}

TEST(Hash, HundredAndTwentyEightBitsAreThoseThatXxHashPublishes) {
  struct Row {
    std::size_t size;
    Hash128 hash;
  };
  const Row rows[] = {
      {0, {.high = 0x99aa06d3014798d8, .low = 0x6001c324468d497f}},
      {1, {.high = 0xa6cd5e9392000f6a, .low = 0xc44bdff4074eecdb}},
      {8, {.high = 0x47a7f080d82bb456, .low = 0x64c69cab4bb21dc5}},
      {16, {.high = 0xc68c368ecf8a9c05, .low = 0x562980258a998629}},
      {128, {.high = 0x39992220e045260a, .low = 0xebb15e34a7fb5ab1}},
      {240, {.high = 0xaa4202daa2769dc8, .low = 0x5c9aae94c8ebe5a0}},
      {512, {.high = 0x18d2d110dcc9bca1, .low = 0x617e49599013cb6b}},
  };
  for (const Row& row : rows) EXPECT_EQ(hash128(published_buffer(row.size)), row.hash) << row.size;
  EXPECT_EQ(hash128("", prime64), (Hash128{.high = 0x00feaa732a3ce25e, .low = 0xa986dfc5d7605bfe}));
}

TEST(Hash, IsWrittenWithItsHighHalfFirst) {
  EXPECT_EQ(to_hex(hash128("")), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(to_hex({}), "00000000000000000000000000000000");
}

TEST(Hash, BytesAreWrittenAsTwoDigitsEach) {
  EXPECT_EQ(hex_of(""), "");
  EXPECT_EQ(hex_of(std::string_view("\0\x0f\xf0\xff", 4)), "000ff0ff");
}

TEST(Hash, BordersBetweenPartsCount) {
  EXPECT_NE(HashInput().text("ab").text("c").hash64(), HashInput().text("a").text("bc").hash64());
  EXPECT_NE(HashInput().text("").hash128(), HashInput().hash128());
  EXPECT_NE(HashInput().number(1).number(2).hash64(), HashInput().number(2).number(1).hash64());
  EXPECT_EQ(HashInput().number(0x0102).bytes(), std::string("\x02\x01\0\0\0\0\0\0", 8));
  EXPECT_EQ(HashInput().text("ab").bytes(), std::string("\x02\0\0\0\0\0\0\0ab", 10));
}

}  // namespace
}  // namespace koi
