#include "channel/template_text.h"

#include <gtest/gtest.h>

namespace koi::channel {
namespace {

std::string matched(std::string_view text, std::string_view message) {
  const auto made = TemplateText::parse(text, "${", "}");
  if (!made) return "error: " + made.error().what;
  const auto values = made->match(message);
  if (!values) return "none";
  std::string all;
  for (const auto& [name, value] : *values) all += name + "=" + value + ";";
  return all;
}

TEST(TemplateText, GivesTheValuesWithWhichItReadsAsTheMessage) {
  EXPECT_EQ(matched("亲爱的${name}，红包${sum}元", "亲爱的小安，红包5元"), "name=小安;sum=5;");
  EXPECT_EQ(matched("${a}", "anything ${b} at all"), "a=anything ${b} at all;");
  EXPECT_EQ(matched("${a}-${b}", "1-2-3"), "a=1;b=2-3;");
  EXPECT_EQ(matched("x${a}y", "xy"), "a=;");
  EXPECT_EQ(matched("plain", "plain"), "");
  EXPECT_EQ(matched("${a}, ${b}. ${a}!", "Ann, hi. Ann!"), "a=Ann;b=hi;");
}

TEST(TemplateText, GivesNoneWhereItReadsOtherwise) {
  EXPECT_EQ(matched("plain", "plain."), "none");
  EXPECT_EQ(matched("plain", "plai"), "none");
  EXPECT_EQ(matched("Dear ${a}.", "Dear Ann"), "none");
  EXPECT_EQ(matched("Dear ${a}.", "dear Ann."), "none");
  EXPECT_EQ(matched("${a}bb${b}b", "bb"), "none");
  EXPECT_EQ(matched("${a}, ${b}. ${a}!", "Ann, hi. Bob!"), "none");
}

TEST(TemplateText, WhosePlacesTouchOrHaveNoEndIsNone) {
  EXPECT_EQ(matched("${a}${b}", ""),
            "error: the places `a` and the next touch; their values could not be told apart");
  EXPECT_EQ(matched("x${a", "").substr(0, 6), "error:");
  EXPECT_EQ(matched("x${}", "").substr(0, 6), "error:");
}

// A match fills back to the message, whatever the message.
TEST(TemplateText, FillsBackToTheMessage) {
  const auto made = TemplateText::parse("a${x}b${y}a", "${", "}");
  ASSERT_TRUE(made);
  std::size_t found = 0;
  for (unsigned number = 0; number < 1u << 10; ++number) {
    std::string message;
    for (unsigned rest = number | 1u << 10; rest > 1; rest /= 2) message += rest % 2 ? 'a' : 'b';
    const auto values = made->match(message);
    const bool can = message.size() >= 3 && message.front() == 'a' && message.back() == 'a' &&
                     message.find('b') != std::string::npos;
    EXPECT_EQ(values.has_value(), can) << message;
    if (!values) continue;
    ++found;
    EXPECT_EQ("a" + (*values)[0].second + "b" + (*values)[1].second + "a", message);
  }
  EXPECT_GT(found, 100u);
}

}  // namespace
}  // namespace koi::channel
