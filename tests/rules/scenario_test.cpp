// What the lines of a `test` mean (docs/language.md, section 7), and what a failed one says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "program.h"
#include "sim/run_tests.h"

namespace koi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* messaging_shop = R"(
policy { time zone "Asia/Shanghai"  currency CNY  cap marketing 2 per day }
customer { name: text?  stamp: text?  identify by wechat_openid }
channel wechat "微信" { class conversation  reach by wechat_openid }
channel push { class direct }
channel sms { class direct }
event visit { page: text? }
event order {}
event slow {}
event offer {}
event reach {}
content hello "你好" { body "hello" }
content later { body "later" }
content ad { body "an offer" }
campaign greet { class service  enter always  when visit  send hello via push }
campaign stamps { class service  enter always  goal visit  when order  set customer.stamp = "ordered"  wait 1 day }
campaign slowly { class service  enter always  when slow  wait 30 minutes  send later via push }
campaign offers { class marketing  enter always  when offer  send ad via push }
campaign reaches { class service  enter always  when reach  send hello via wechat, else sms }
)";

// The expectations of one test that were not met, as they are told.
std::vector<sim::Disappointment> disappointments_of(const std::string& lines) {
  const check::Program program =
      program_of(std::string(messaging_shop) + "test \"t\" {\n" + lines + "\n}\n");
  const auto results = sim::run_tests(program, compile::compile(program, 1));
  EXPECT_THAT(results, SizeIs(1));
  return results.empty() ? std::vector<sim::Disappointment>{} : results[0].disappointments;
}

std::vector<std::string> unmet(const std::string& lines) {
  std::vector<std::string> expected;
  for (const auto& each : disappointments_of(lines)) expected.push_back(each.expected);
  return expected;
}

// --- claims

TEST(Expect, ClaimsOneActionEach) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       at 2026-03-02 10:01 ann visit {}
                       expect send hello to ann
                       expect send hello to ann)"),
              IsEmpty());
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       expect send hello to ann
                       expect send hello to ann)"),
              ElementsAre("send hello to ann"));
}

TEST(Expect, ClaimsInAnyOrder) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       at 2026-03-02 10:01 bob visit {}
                       expect send hello to bob
                       expect send hello to ann
                       expect nothing more)"),
              IsEmpty());
}

TEST(Expect, WhatIsNotSaidFitsEverything) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       expect send hello
                       at 2026-03-02 10:01 ann reach {}
                       expect send hello via sms)"),
              IsEmpty());
}

TEST(Expect, AnotherContentCustomerOrChannelDoesNotFit) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       expect send later to ann
                       expect send hello to bob
                       expect send hello to ann via sms)"),
              ElementsAre("send later to ann", "send hello to bob", "send hello to ann via sms"));
}

TEST(Expect, ReachesBackOverTheWholeTest) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       until 2026-05-02 10:00
                       expect send hello to ann)"),
              IsEmpty());
}

TEST(Expect, AtAnInstantReachesBackToTheClocksLastStop) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       at 2026-03-02 10:30 expect send hello to ann)"),
              ElementsAre("send hello to ann by 2026-03-02 10:30"));
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       at 2026-03-02 10:00 expect send hello to ann)"),
              IsEmpty());
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann slow {}
                       at 2026-03-02 10:31 expect send later to ann)"),
              IsEmpty());
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann slow {}
                       until 2026-03-02 10:30
                       at 2026-03-02 10:31 expect send later to ann)"),
              ElementsAre("send later to ann by 2026-03-02 10:31"));
}

TEST(Expect, AliasesAreTheSameNames) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       expect send 你好 to ann via push)"),
              IsEmpty());
}

// --- no, nothing, nothing more

TEST(Expect, NoSeesWhatIsClaimedToo) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       expect send hello to ann
                       expect no send hello to ann)"),
              ElementsAre("no send hello to ann"));
}

TEST(Expect, NothingIsSinceTheExpectationBefore) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       expect nothing)"),
              ElementsAre("nothing"));
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       at 2026-03-02 10:01 ann visit {}
                       expect send hello to ann
                       until 2026-03-02 11:00
                       expect nothing)"),
              IsEmpty());
  EXPECT_THAT(unmet(R"(expect nothing
                       at 2026-03-02 10:00 ann visit {})"),
              IsEmpty());
}

TEST(Expect, NothingMoreIsAllThatIsUnclaimed) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       at 2026-03-02 10:01 ann visit {}
                       expect send hello to ann
                       until 2026-03-02 11:00
                       expect nothing more)"),
              ElementsAre("nothing more"));
}

TEST(Expect, SetCountsAsDone) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann order {}
                       expect nothing)"),
              ElementsAre("nothing"));
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann order {}
                       expect set customer.stamp for ann
                       expect nothing more)"),
              IsEmpty());
}

TEST(Expect, EnterLeaveGoalAndRefuseDoNotCountAgainstNothing) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann offer {}
                       expect nothing
                       expect nothing more
                       expect enter offers for ann
                       expect refuse send ad to ann because no_consent)"),
              IsEmpty());
}

TEST(Expect, RefusalsAreNotSends) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann offer {}
                       expect no send ad to ann
                       expect send ad to ann
                       expect refuse send ad to ann because cap)"),
              ElementsAre("send ad to ann", "refuse send ad to ann because cap"));
}

// --- deliveries, customers, the clock

TEST(Given, AChannelThatFailsIsNotDone) {
  EXPECT_THAT(unmet(R"(given push fails with unreachable
                       at 2026-03-02 10:00 ann visit {}
                       expect nothing
                       expect no send hello to ann
                       expect refuse send hello to ann because unreachable)"),
              IsEmpty());
}

TEST(Given, AChannelFailsFromHereOn) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann visit {}
                       expect send hello to ann
                       given push fails with quota
                       at 2026-03-02 11:00 ann visit {}
                       expect refuse send hello to ann because quota)"),
              IsEmpty());
}

TEST(Given, IdentifiersMakeReachable) {
  EXPECT_THAT(unmet(R"(given customer ann { wechat_openid: "oANN" }
                       at 2026-03-02 10:00 ann reach {}
                       at 2026-03-02 10:00 bob reach {}
                       expect send hello to ann via wechat
                       expect send hello to bob via sms
                       expect nothing more)"),
              IsEmpty());
}

TEST(Clock, AnEventComesBeforeTheDeadlinesOfItsInstant) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann slow {}
                       at 2026-03-02 10:30 ann order {}
                       expect no send later to ann
                       until 2026-03-02 10:30
                       expect send later to ann)"),
              IsEmpty());
}

TEST(Clock, AtAloneMovesItAsUntilDoes) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann slow {}
                       at 2026-03-02 10:30
                       expect send later to ann)"),
              IsEmpty());
}

TEST(Clock, ItDoesNotGoBack) {
  EXPECT_THAT(unmet(R"(at 2026-03-02 10:00 ann slow {}
                       until 2026-03-02 10:10
                       at 2026-03-02 10:05 ann visit {}
                       expect send hello to ann
                       until 2026-03-02 10:29
                       expect nothing
                       until 2026-03-02 10:30
                       expect send later to ann)"),
              IsEmpty());
}

// --- what is told

TEST(Told, TheNearestMissesComeFirst) {
  const auto all = disappointments_of(R"(at 2026-03-02 10:00 ann visit {}
                                         at 2026-03-02 10:00 bob offer {}
                                         at 2026-03-02 10:01 ann offer {}
                                         expect send ad to ann via push)");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].expected, "send ad to ann via push");
  EXPECT_THAT(all[0].near,
              ElementsAre("2026-03-02 10:01  refuse send ad to ann via push because no_consent",
                          "2026-03-02 10:00  refuse send ad to bob via push because no_consent",
                          "2026-03-02 10:00  send hello to ann via push"));
  EXPECT_THAT(all[0].done, testing::Contains("2026-03-02 10:01  enter offers for ann"));
}

TEST(Told, ADeliveryThatFailed) {
  const auto all = disappointments_of(R"(given sms fails with quota
                                         at 2026-03-02 10:00 ann reach {}
                                         expect send hello to ann via sms)");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_THAT(all[0].near,
              testing::Contains(
                  "2026-03-02 10:00  send hello to ann via sms (the delivery failed: quota)"));
}

TEST(Told, WhatIsAlreadyClaimed) {
  const auto all = disappointments_of(R"(at 2026-03-02 10:00 ann visit {}
                                         expect send hello to ann
                                         expect send hello to ann)");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_THAT(
      all[0].near,
      ElementsAre(
          "2026-03-02 10:00  send hello to ann via push (claimed by an expectation before)"));
}

TEST(Told, AnEventThatCameTooLate) {
  const auto all = disappointments_of(R"(at 2026-03-02 22:00 ann order {}
                                         at 2026-03-02 10:00 ann visit {}
                                         expect send hello to ann)");
  ASSERT_THAT(all, SizeIs(1));
  ASSERT_THAT(all[0].near, SizeIs(1));
  EXPECT_THAT(all[0].near[0], HasSubstr("ann visit came too late"));
}

TEST(Told, ThePlaceOfTheExpectation) {
  const std::string text = std::string(messaging_shop) +
                           "test \"the sentence\" {\n  at 2026-03-02 10:00 ann visit {}\n  expect "
                           "send later to ann\n}\n";
  const check::Program program = program_of(text);
  const std::vector<Source> sources{Source("shop.koi", text)};
  const auto results = sim::run_tests(program, compile::compile(program, 1));
  ASSERT_THAT(results, SizeIs(1));
  const std::string told = sim::render(results[0], sources);
  EXPECT_THAT(told, testing::StartsWith(
                        "failed: the sentence\n  shop.koi:22:3  expected: send later to ann\n"));
  EXPECT_THAT(told, HasSubstr("    was done:\n      2026-03-02 10:00  enter greet for ann\n"));
  EXPECT_EQ(
      sim::render_json(results[0], sources),
      R"({"test":"the sentence","file":"shop.koi","line":20,"passed":false,"failures":[{"file":"shop.koi","line":22,)"
      R"("column":3,"expected":"send later to ann","near":["2026-03-02 10:00  send hello to ann via push"],)"
      R"("done":["2026-03-02 10:00  enter greet for ann","2026-03-02 10:00  send hello to ann via push"]}]})");
}

TEST(Told, ATestThatPassedSaysNothing) {
  const check::Program program =
      program_of(std::string(messaging_shop) +
                 "test \"t\" { at 2026-03-02 10:00 ann visit {} expect send hello }");
  const auto results = sim::run_tests(program, compile::compile(program, 1));
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_TRUE(results[0].passed());
  EXPECT_EQ(sim::render(results[0], {}), "");
}

TEST(Told, AnEndlessLoopOfFailuresIsStopped) {
  const check::Program program = program_of(std::string(messaging_shop) + R"(
    campaign again { class service  enter always  when failed  send later via push }
    test "t" { given push fails with unreachable  at 2026-03-02 10:00 ann visit {} })");
  const auto results = sim::run_tests(program, compile::compile(program, 1));
  ASSERT_THAT(results, SizeIs(1));
  ASSERT_THAT(results[0].disappointments, SizeIs(1));
  EXPECT_THAT(results[0].disappointments[0].near[0], HasSubstr("without end"));
}

TEST(Filter, ChoosesTestsByTheirNames) {
  const check::Program program = program_of(std::string(messaging_shop) + R"(
    test "one visit" { at 2026-03-02 10:00 ann visit {} }
    test "two visits" { at 2026-03-02 10:00 ann visit {} }
    test "an order" { at 2026-03-02 10:00 ann order {} })");
  const plan::Plan plan = compile::compile(program, 1);
  const auto names = [&](std::string_view filter) {
    std::vector<std::string> found;
    for (const auto& each : sim::run_tests(program, plan, filter)) found.push_back(each.name);
    return found;
  };
  EXPECT_THAT(names(""), ElementsAre("one visit", "two visits", "an order"));
  EXPECT_THAT(names("visit"), ElementsAre("one visit", "two visits"));
  EXPECT_THAT(names("refund"), IsEmpty());
}

}  // namespace
}  // namespace koi
