#include "lsp/text.h"

#include <gtest/gtest.h>

#include "lsp/frames.h"
#include "lsp/uri.h"

namespace koi::lsp {
namespace {

TEST(Text, HanTakesOneUnitAndEmojiTwo) {
  const std::string text = "a购买🎉b\n第二行";
  const Lines lines(text);
  EXPECT_EQ(lines.position(0), (Position{0, 0}));
  EXPECT_EQ(lines.position(1), (Position{0, 1}));
  EXPECT_EQ(lines.position(7), (Position{0, 3}));   // the party
  EXPECT_EQ(lines.position(11), (Position{0, 5}));  // b
  EXPECT_EQ(lines.offset({0, 5}), 11u);
  EXPECT_EQ(lines.offset({0, 4}), 7u);  // between the two halves: its beginning
  EXPECT_EQ(lines.offset({1, 1}), 16u);
  EXPECT_EQ(lines.position(16), (Position{1, 1}));
}
TEST(Text, PlacesOutsideAreTakenAsTheEnd) {
  const Lines lines("ab\ncd");
  EXPECT_EQ(lines.offset({0, 99}), 2u);
  EXPECT_EQ(lines.offset({99, 0}), 5u);
  EXPECT_EQ(lines.position(99), (Position{1, 2}));
  EXPECT_EQ(Lines("").offset({5, 5}), 0u);
}
TEST(Text, EveryEndOfALineCounts) {
  const Lines lines("a\r\nb\rc\nd");
  EXPECT_EQ(lines.count(), 4u);
  EXPECT_EQ(lines.offset({0, 9}), 1u);
  EXPECT_EQ(lines.offset({1, 0}), 3u);
  EXPECT_EQ(lines.offset({2, 0}), 5u);
  EXPECT_EQ(lines.position(7), (Position{3, 0}));
}
TEST(Text, BytesThatAreNotUtf8CountAsOne) {
  const Lines lines("\xff\xfe!");
  EXPECT_EQ(lines.position(2), (Position{0, 2}));
  EXPECT_EQ(lines.offset({0, 1}), 1u);
}
TEST(Text, AReplacementTakesThePlaceOfItsRange) {
  EXPECT_EQ(replaced("x🎉y", {{0, 1}, {0, 3}}, "好"), "x好y");
  EXPECT_EQ(replaced("ab", {{0, 2}, {0, 0}}, "!"), "ab!");  // the wrong way round: empty
  EXPECT_EQ(replaced("", {{3, 3}, {4, 4}}, "new"), "new");
}

TEST(Frames, MessagesComeHoweverTheyAreCut) {
  const std::string bytes = framed("one") + framed("") + framed("三");
  Frames frames;
  std::vector<std::string> found;
  for (const char byte : bytes) {
    frames.feed({&byte, 1});
    while (const auto frame = frames.next()) {
      EXPECT_EQ(frame->fault, "");
      found.push_back(frame->message);
    }
  }
  EXPECT_EQ(found, (std::vector<std::string>{"one", "", "三"}));
}
TEST(Frames, OtherHeadersAndLettersOfAnySizeAreRead) {
  Frames frames;
  frames.feed("content-length:2\r\nContent-Type: x; charset=utf-8\r\n\r\n{}");
  EXPECT_EQ(frames.next()->message, "{}");
}
TEST(Frames, ABadHeaderIsToldAndTheNextMessageComes) {
  for (const char* bad :
       {"Content-Length: -1\r\n\r\n", "Content-Length: 1x\r\n\r\n", "Hello\r\n\r\n", "\r\n\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "Content-Length: 99999999999999999999999\r\n\r\n"}) {
    Frames frames;
    frames.feed(bad + framed("next"));
    EXPECT_NE(frames.next()->fault, "") << bad;
    EXPECT_EQ(frames.next()->message, "next") << bad;
  }
}
TEST(Frames, AHugeMessageIsPassedOverAndNotKept) {
  Frames frames;
  frames.feed("Content-Length: " + std::to_string(longest_message + 10) + "\r\n\r\n");
  EXPECT_NE(frames.next()->fault, "");
  const std::string part(1u << 20, 'x');
  for (std::size_t left = longest_message + 10; left > 0;) {
    const auto size = std::min(left, part.size());
    frames.feed(std::string_view(part).substr(0, size));
    EXPECT_FALSE(frames.next());
    left -= size;
  }
  frames.feed(framed("next"));
  EXPECT_EQ(frames.next()->message, "next");
}
TEST(Frames, AHeaderWithoutEndIsGivenUp) {
  Frames frames;
  frames.feed(std::string(longest_header + 1, 'x'));
  EXPECT_NE(frames.next()->fault, "");
  EXPECT_FALSE(frames.next());
}

TEST(Uri, PathsComeBackAsTheyWere) {
  for (const char* path : {"/a/b.koi", "/家 里/活动#1.koi", "/a%20b"})
    EXPECT_EQ(path_of(uri_of(path)), path);
  EXPECT_EQ(path_of("file:///c%3A/x"), "/c:/x");
  EXPECT_EQ(path_of("file:///a%zz%0"), "/a%zz%0");
  EXPECT_EQ(path_of("untitled:Untitled-1"), "untitled:Untitled-1");
  EXPECT_EQ(path_of("file:///a%00b"), "/a%00b");
}

}  // namespace
}  // namespace koi::lsp
