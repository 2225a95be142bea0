#include "format/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace koi::format {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string formatted(const std::string& text, const Options& options = {}) {
  const auto done = format(Source("a.koi", text), 0, Language::English, options);
  EXPECT_THAT(done.diagnostics, IsEmpty());
  EXPECT_TRUE(done.done) << text;
  const auto again = format(Source("a.koi", done.text), 0, Language::English, options);
  EXPECT_EQ(again.text, done.text);
  return done.text;
}
std::string in_chinese(const std::string& text) {
  Options options{.into = Language::Chinese};
  add_declared(Source("a.koi", text), options.declared);
  return formatted(text, options);
}
std::string in_english(const std::string& text) {
  Options options{.into = Language::English};
  add_declared(Source("a.koi", text), options.declared);
  return formatted(text, options);
}

TEST(Format, WhatFitsStandsOnOneLineAndCampaignsNever) {
  EXPECT_EQ(formatted("event a\n{\nx : int ,y:text?;}"), "event a { x: int  y: text? }\n");
  EXPECT_EQ(formatted("campaign c{class service;when a send x via y,else z;stop}"),
            "campaign c {\n"
            "  class service\n"
            "  when a\n"
            "    send x via y, else z\n"
            "    stop\n"
            "}\n");
  EXPECT_EQ(formatted(""), "");
  EXPECT_EQ(formatted("event a{}"), "event a {}\n");
}

TEST(Format, LongSentencesGoOnBehindTheWordsThatJoinTheirParts) {
  const std::string part = "customer.a_rather_long_name_for_a_field == \"some value\"";
  EXPECT_EQ(
      formatted("segment s when " + part + " and " + part + " and (" + part + " or " + part + ")"),
      "segment s when " + part + "\n    and " + part + "\n    and (" + part + "\n    or " + part +
          ")\n");
}

TEST(Format, BlocksOfOneStepStayTogetherAndPairsOfBlocksDoNot) {
  EXPECT_EQ(formatted("campaign c { when a\n if x { stop }\n if y { stop } else { stop } }"),
            "campaign c {\n"
            "  when a\n"
            "    if x { stop }\n"
            "    if y {\n"
            "      stop\n"
            "    } else {\n"
            "      stop\n"
            "    }\n"
            "}\n");
}

TEST(Format, LinesUnderEachOtherShareColumns) {
  EXPECT_EQ(formatted("metric a \"甲\" = count e\nmetric long_one = count e\n\nmetric b = count e"),
            "metric a        \"甲\" = count e\n"
            "metric long_one      = count e\n"
            "\n"
            "metric b = count e\n");
}

TEST(Format, CommentsAndBlankLinesAreKept) {
  EXPECT_EQ(
      formatted(
          "# one\n\n\n\nevent a { # two\n\n  # three\n  x: int, # four\n y: int } # five\n# six"),
      "# one\n"
      "\n"
      "event a {  # two\n"
      "  # three\n"
      "  x: int  # four\n"
      "  y: int\n"
      "}  # five\n"
      "# six\n");
  EXPECT_EQ(
      formatted(
          "campaign c { when a # why\n and no b # not\n within 1 day\n # last\n stop\n # end\n }"),
      "campaign c {\n"
      "  when a        # why\n"
      "      and no b  # not\n"
      "      within 1 day\n"
      "    # last\n"
      "    stop\n"
      "  # end\n"
      "}\n");
  EXPECT_EQ(formatted("# alone"), "# alone\n");
}

TEST(Format, LiteralsHaveOneForm) {
  EXPECT_EQ(
      formatted(
          "let a = 5 days + 1d+2h + 1 day\nlet b = ￥５ + CNY 12.50\nlet c = x ≥ 3 and y = 9:00"),
      "let a = 5 days + 1 day + 2 hours + 1 day\n"
      "let b = ¥5 + ¥12.50\n"
      "let c = x >= 3 and y == 09:00\n");
}

TEST(Format, AFileWithErrorsIsLeftAlone) {
  const std::string text = "event a {\n   x:: int }\n";
  const auto done = format(Source("a.koi", text), 0, Language::English);
  EXPECT_EQ(done.text, text);
  EXPECT_FALSE(done.done);
  ASSERT_FALSE(done.diagnostics.empty());
  EXPECT_EQ(done.diagnostics[0].code, "K0101");
  const auto bytes = format(Source("a.koi", "\xFF"), 0, Language::English);
  EXPECT_EQ(bytes.text, "\xFF");
  EXPECT_FALSE(bytes.done);
}

TEST(Translate, KeywordsAndSignsChangeAndNamesDoNot) {
  EXPECT_EQ(
      in_chinese("campaign c \"n\" { class marketing\n for not in staff\n enter once per e.k every "
                 "3 days\n"
                 "when e as x and no f within 30 minutes\n wait for g up to 1 month { stop }\n"
                 "if x.a == 5 or customer.b is known { send h via i, else j }\n}"),
      "活动 c “n” ｛\n"
      "  类别 营销\n"
      "  面向 不 属于 staff\n"
      "  进入 一次 每 e.k 每隔 3天\n"
      "  当 e 记作 x 且没有 f 于 30分钟内\n"
      "    等待 g 最多 1个月 ｛ 停止 ｝\n"
      "    如果 x.a == 5 或 顾客.b 已知 ｛ 发送 h 通过 i，否则 j ｝\n"
      "｝\n");
  EXPECT_EQ(in_english("活动 买家 ｛ 类别 营销；当 购买 满足 金额 ≥ 88元 于 3天内 停止 ｝"),
            "campaign 买家 {\n  class marketing\n  when 购买 where 金额 >= ¥88 within 3 days\n    "
            "stop\n}\n");
}

TEST(Translate, TheOrderOfWordsIsThatOfTheLanguage) {
  const std::string english =
      "campaign c {\n  on the 2nd of each month at 09:00 for x\n  every day at 08:00\n"
      "  every monday at 08:00\n    stop\n}\n";
  const std::string chinese =
      "活动 c ｛\n  每月 2日 在 09:00 面向 x\n  每天 在 08:00\n"
      "  每周一 在 08:00\n    停止\n｝\n";
  EXPECT_EQ(in_chinese(english), chinese);
  EXPECT_EQ(in_english(chinese), english);
}

TEST(Translate, TextsSayWhatTheySaidWithTheOtherMarks) {
  const std::string english = R"(content c { title "a \"b\" {x or "y"} {{z}}"  body "“q”" })"
                              "\n";
  const std::string chinese = R"(内容 c ｛ 标题 “a "b" {x 或 “y”} {{z}}”  正文 "“q”" ｝)"
                              "\n";
  EXPECT_EQ(in_chinese(english), chinese);
  EXPECT_EQ(in_english(chinese), english);
}

TEST(Translate, WhatIsAlwaysThereIsTranslatedWhereItStandsForNothingElse) {
  const std::string english = R"(coupon c {
  combine with none
}
referral r {
  refuse self, existing customer, cycle
}
content m { body "{r.scene} {c.valid_until}" }
)";
  const std::string chinese = R"(优惠券 c ｛
  叠加 不可
｝
推荐 r ｛
  拒绝 本人，老顾客，循环
｝
内容 m ｛ 正文 “{r.场景值} {c.有效期至}” ｝
)";
  EXPECT_EQ(in_chinese(english), chinese);
  EXPECT_EQ(in_english(chinese), english);
  EXPECT_THAT(in_chinese("event e { scene: text }\nlet a = e.scene"), HasSubstr("e.scene"));
}

TEST(Translate, AWordThatTheProgramUsesForItselfIsNotTranslated) {
  EXPECT_THAT(in_chinese("segment big when customer.a == 1"), HasSubstr("顾客.a"));
  EXPECT_THAT(in_chinese("segment big \"顾客\" when customer.a == 1"), HasSubstr("customer.a"));
  EXPECT_THAT(
      in_chinese("event days { hours: int }\nsegment s when days(time since last days) > 3"),
      HasSubstr("天数（距上次 days） > 3"));
  EXPECT_THAT(in_chinese("customer { service: bool = no  text: text? }"),
              HasSubstr("service：是非 = 否"));
}

}  // namespace
}  // namespace koi::format
