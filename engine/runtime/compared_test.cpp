#include "runtime/compared.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/scratch.h"

namespace koi::runtime {
namespace {

// "customer campaign action …", with a time of November 2026 before it: "02T09:00".
std::string effect(const std::string& time, const std::string& customer, const std::string& action,
                   const std::string& more = "") {
  return R"({"time":"2026-11-)" + time + R"(:00+08:00","customer":")" + customer +
         R"(","campaign":"greet","action":")" + action + R"(","entry":"0","key":")" + time +
         customer + "\"" + more + "}\n";
}
std::string sent(const std::string& time, const std::string& customer,
                 const std::string& content = "hello") {
  return effect(time, customer, "send", R"(,"name":")" + content + R"(","channel":"sms")");
}

class ComparedTest : public testing::Test {
 protected:
  Result<Comparison> compared(const std::string& live, const std::string& next,
                              std::size_t examples = 5, Timestamp since = Timestamp::ever()) {
    std::ofstream(path("live")) << live;
    std::ofstream(path("next")) << next;
    return compare(path("live"), path("next"), *find_zone("Asia/Shanghai"), since, examples);
  }
  std::string path(const char* name) const { return (scratch_.path() / name).string(); }

 private:
  Scratch scratch_;
};

TEST_F(ComparedTest, ACustomerGetsTheSameInWhateverOrderItStands) {
  const auto all = compared(sent("02T09:00", "a") + sent("02T09:00", "a", "more"),
                            sent("02T09:00", "a", "more") + sent("02T09:00", "a"));
  EXPECT_EQ(all->same, 1U);
  EXPECT_EQ(all->at_other_times + all->otherwise, 0U);
  EXPECT_TRUE(all->examples.empty());
}

TEST_F(ComparedTest, OneMessageTwiceIsNotOnce) {
  const auto all = compared(sent("02T09:00", "a"), sent("02T09:00", "a") + sent("02T09:00", "a"));
  EXPECT_EQ(all->otherwise, 1U);
  ASSERT_EQ(all->examples.size(), 1U);
  EXPECT_EQ(all->examples[0].next.size(), 1U);
  EXPECT_TRUE(all->examples[0].live.empty());
}

TEST_F(ComparedTest, ALaterMessageIsTheSameAtAnotherTime) {
  const auto all = compared(sent("02T09:00", "a") + sent("02T09:00", "b"),
                            sent("02T10:00", "a") + sent("02T09:00", "b"));
  EXPECT_EQ(all->same, 1U);
  EXPECT_EQ(all->at_other_times, 1U);
  EXPECT_EQ(all->otherwise, 0U);
}

TEST_F(ComparedTest, WhatIsDifferentIsShownWithoutWhatIsCommon) {
  const auto all =
      compared(sent("02T09:00", "a") + sent("02T11:00", "a", "old") + sent("02T09:00", "gone"),
               sent("02T10:00", "a") + sent("02T12:00", "a", "new") + sent("02T09:00", "comes"));
  EXPECT_EQ(all->otherwise, 3U);
  ASSERT_EQ(all->examples.size(), 3U);
  const Difference& first = all->examples[0];
  EXPECT_EQ(first.customer, "a");
  ASSERT_EQ(first.live.size(), 1U);
  ASSERT_EQ(first.next.size(), 1U);
  EXPECT_NE(first.live[0].find("\"old\""), std::string::npos);
  EXPECT_NE(first.next[0].find("\"new\""), std::string::npos);
  EXPECT_EQ(all->examples[1].customer, "comes");
  EXPECT_EQ(all->examples[2].customer, "gone");
  EXPECT_TRUE(all->examples[2].next.empty());
}

TEST_F(ComparedTest, NoMoreExamplesAreGivenThanAskedFor) {
  const auto all = compared("", sent("02T09:00", "a") + sent("02T09:00", "b"), 1);
  EXPECT_EQ(all->otherwise, 2U);
  ASSERT_EQ(all->examples.size(), 1U);
  EXPECT_EQ(all->examples[0].customer, "a");
}

TEST_F(ComparedTest, PlacesInACampaignAndRefusalsAreCountedAndNothingThatHeGets) {
  const auto all = compared(
      "",
      effect("02T09:00", "a", "enter") + effect("03T09:00", "a", "enter") +
          effect("03T09:00", "b", "enter") + effect("03T09:00", "b", "goal") +
          effect("03T10:00", "a", "refuse", R"(,"name":"packet","of":"give","reason":"budget")") +
          effect("03T11:00", "b", "refuse", R"(,"name":"packet","of":"give","reason":"budget")") +
          effect("03T11:00", "b", "refuse", R"(,"name":"hello","of":"send","reason":"cap")") +
          effect("04T09:00", "a", "give", R"(,"name":"packet","amount":"1.00")"));
  const Decided::Campaign& greet = all->next.campaigns.at("greet");
  EXPECT_EQ(greet.entered, 3U);
  EXPECT_EQ(greet.customers, 2U);
  EXPECT_EQ(greet.goals, 1U);
  EXPECT_EQ(greet.given, 1U);
  EXPECT_EQ(greet.refused, 3U);
  EXPECT_EQ(all->next.refused.at("budget"), 2U);
  EXPECT_EQ(all->next.refused.at("cap"), 1U);
  ASSERT_EQ(all->next.out_since.size(), 1U);
  EXPECT_EQ(all->next.out_since.at("packet"), *parse_instant("2026-11-03T10:00:00+08:00"));
  EXPECT_EQ(all->next.gifted, 1U);
  EXPECT_EQ(all->next.reached, 0U);
  EXPECT_EQ(all->otherwise, 1U);  // a, who is given something
}

// The 1st of November 2026 is a Sunday: its evening in UTC is Monday in Shanghai, 16:00 UTC on.
TEST_F(ComparedTest, PressureIsByCustomerAndWeekOfTheProgramsZone) {
  const auto all =
      compared("", sent("01T23:59", "a") + sent("02T00:00", "a") + sent("08T23:59", "a") +
                       sent("09T00:00", "a") + sent("04T09:00", "b") + sent("04T10:00", "b") +
                       sent("04T11:00", "b"));
  EXPECT_EQ(all->next.reached, 2U);
  EXPECT_EQ(all->next.sent.at("sms"), 7U);
  const Decided::Pressure& pressure = all->next.pressure;
  EXPECT_EQ(pressure.weeks, 4U);   // 1, 2, 1 of a, 3 of b
  EXPECT_EQ(pressure.median, 1U);  // of 1 1 2 3 the second
  EXPECT_EQ(pressure.p95, 3U);
  EXPECT_EQ(pressure.most, 3U);
  EXPECT_EQ(all->live.pressure.weeks, 0U);
}

TEST_F(ComparedTest, WhatWasBeforeIsLeftOut) {
  const auto all = compared(sent("02T09:00", "a") + sent("03T09:00", "a"),
                            sent("02T10:00", "a", "other") + sent("03T09:00", "a"), 5,
                            *parse_instant("2026-11-03T09:00:00+08:00"));
  EXPECT_EQ(all->same, 1U);
  EXPECT_EQ(all->otherwise, 0U);
  EXPECT_EQ(all->live.sent.at("sms"), 1U);
}

TEST_F(ComparedTest, WhatIsNoEffectIsAnError) {
  EXPECT_EQ(compared("", "{}\n").error().code, "line");
  EXPECT_EQ(compared("hello\n", "").error().code, "line");
}

}  // namespace
}  // namespace koi::runtime
