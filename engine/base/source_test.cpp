#include "base/source.h"

#include <gtest/gtest.h>

namespace koi {
namespace {

TEST(Source, LinesEndWithALineFeedOrACarriageReturnAndOne) {
  const Source source("a.koi", "one\r\ntwo\n\n四\rfour");
  EXPECT_EQ(source.line(1), "one");
  EXPECT_EQ(source.line(2), "two");
  EXPECT_EQ(source.line(3), "");
  EXPECT_EQ(source.line(4), "四\rfour");
  EXPECT_EQ(source.line(5), "");
  EXPECT_EQ(source.line(0), "");
  EXPECT_EQ(source.line_begin(2), 5u);
  EXPECT_EQ(source.line_begin(99), source.text().size());
}

TEST(Source, ColumnsCountCharacters) {
  const Source source("a.koi", "ab\n新人x\n");
  const auto place = [&](std::uint32_t offset) {
    const Source::Position position = source.position(offset);
    return std::pair(position.line, position.column);
  };
  EXPECT_EQ(place(0), std::pair(1u, 1u));
  EXPECT_EQ(place(2), std::pair(1u, 3u));
  EXPECT_EQ(place(3), std::pair(2u, 1u));
  EXPECT_EQ(place(6), std::pair(2u, 2u));
  EXPECT_EQ(place(7), std::pair(2u, 2u));  // inside 人
  EXPECT_EQ(place(9), std::pair(2u, 3u));
  EXPECT_EQ(place(11), std::pair(3u, 1u));
  EXPECT_EQ(place(4'000'000'000u), std::pair(3u, 1u));
}

TEST(Source, AnEmptyTextHasOneEmptyLine) {
  const Source source("a.koi", "");
  EXPECT_EQ(source.position(0).line, 1u);
  EXPECT_EQ(source.position(0).column, 1u);
  EXPECT_EQ(source.line(1), "");
}

TEST(Source, SlicesEndWithTheText) {
  const Source source("a.koi", "hello");
  EXPECT_EQ(source.slice({.source = 0, .begin = 1, .end = 3}), "el");
  EXPECT_EQ(source.slice({.source = 0, .begin = 3, .end = 99}), "lo");
  EXPECT_EQ(source.slice({.source = 0, .begin = 99, .end = 100}), "");
  EXPECT_EQ(source.slice({.source = 0, .begin = 3, .end = 1}), "");
}

TEST(DisplayWidth, FollowsEastAsianWidth) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("新人"), 4);
  EXPECT_EQ(display_width("ＡＢ，。"), 8);  // full-width letters and signs
  EXPECT_EQ(display_width("ｱｲ"), 2);        // half-width katakana
  EXPECT_EQ(display_width("한글"), 4);
  EXPECT_EQ(display_width("𠮷"), 2);
  EXPECT_EQ(display_width("🛒"), 2);
  EXPECT_EQ(display_width("é…·"), 3);
  EXPECT_EQ(display_width("e\u0301"), 1);       // combining acute
  EXPECT_EQ(display_width("\u1112\u1161"), 2);  // a syllable of a leading consonant and a vowel
  EXPECT_EQ(display_width("a\u200db"), 2);
  EXPECT_EQ(display_width("\xff\xfe"), 2);
  EXPECT_EQ(display_width(""), 0);
}

// The table of well-formed sequences of RFC 3629, section 4, and what lies just outside of it.
TEST(Utf8, OnlyWellFormedTextIsValid) {
  for (const std::string_view valid :
       {"", "plain ascii, longer than a block", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(find_invalid_utf8(valid), std::string_view::npos);
  for (const std::string_view invalid :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2 ", "\xe0\x9f\xbf", "\xe0\xa0",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xfe", "\xff", "\xe4\xbd\x22"}) {
    EXPECT_EQ(find_invalid_utf8(invalid), 0u);
    EXPECT_EQ(find_invalid_utf8("新 and twelve " + std::string(invalid)), 15u);
  }
}

TEST(Utf8, EveryCharacterGoesThereAndBack) {
  std::string text;
  for (char32_t character = 0; character <= 0x10ffff; ++character) {
    if (character >= 0xd800 && character <= 0xdfff) continue;
    text.clear();
    append_utf8(text, character);
    std::size_t at = 0;
    ASSERT_EQ(decode_utf8(text, at), character);
    ASSERT_EQ(at, text.size());
    ASSERT_EQ(find_invalid_utf8(text), std::string_view::npos);
  }
}

TEST(Utf8, WhatIsNoCharacterIsSkippedByteByByte) {
  const std::string text =
      "\xe4\xbd"
      "A";
  std::size_t at = 0;
  EXPECT_EQ(decode_utf8(text, at), not_a_character);
  EXPECT_EQ(decode_utf8(text, at), not_a_character);
  EXPECT_EQ(decode_utf8(text, at), U'A');
  EXPECT_EQ(at, 3u);
  std::string replaced;
  append_utf8(replaced, 0xd800);
  append_utf8(replaced, not_a_character);
  EXPECT_EQ(replaced, "\xef\xbf\xbd\xef\xbf\xbd");
}

}  // namespace
}  // namespace koi
