#include "check/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lang/parse.h"

namespace koi::check {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Checked checked(const std::vector<std::string>& texts, Language language = Language::English) {
  std::vector<lang::ast::File> files;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto parsed =
        lang::parse(Source("test.koi", texts[i]), static_cast<std::uint32_t>(i), language);
    EXPECT_THAT(parsed.diagnostics, IsEmpty()) << parsed.diagnostics.front().message;
    files.push_back(std::move(parsed.file));
  }
  return check(files, language);
}

std::vector<std::string> codes(const Checked& result) {
  std::vector<std::string> all;
  for (const auto& each : result.diagnostics) all.push_back(each.code);
  return all;
}

TEST(Check, AnEmptyProgramIsAGoodOne) {
  const auto result = checked({""});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.program.policy.zone, &utc());
  EXPECT_EQ(result.program.policy.currency, "CNY");
}

TEST(Check, TheOrderOfFilesAndDeclarationsNeverMatters) {
  const std::string events = "event purchase { amount: money }";
  const std::string rest =
      "segment big when in buyer and spent > ¥5\n"
      "segment buyer when spent > ¥0\n"
      "metric spent = sum purchase.amount";
  EXPECT_THAT(codes(checked({events, rest})), IsEmpty());
  EXPECT_THAT(codes(checked({rest, events})), IsEmpty());
}

TEST(Check, EqualMetricsAreOneWhetherNamedOrNot) {
  const auto result =
      checked({"event purchase { amount: money  sku: text? }\n"
               "segment a when count purchase where sku == \"x\" > 1\n"
               "metric orders = count purchase where purchase.sku == \"x\"\n"
               "segment b when orders > 2 and count purchase where sku == \"y\" > 1"});
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result.program.metrics.size(), 2u);
  EXPECT_EQ(result.program.metrics[0].symbol.name, "orders");
}

TEST(Check, ADefinitionIsKnownByNamesAndNotByAliasesOrPlaces) {
  const auto one = checked({"event purchase { amount: money }\nmetric m = sum purchase.amount"});
  const auto two =
      checked({"event other {}\nevent purchase \"购买\" { order: text?  amount \"金额\": money }\n"
               "metric n = sum 购买.金额"});
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(one.program.metrics[0].definition, two.program.metrics[0].definition);
  const auto other =
      checked({"event purchase { amount: money }\nmetric m = sum purchase.amount over 30 days"});
  EXPECT_NE(one.program.metrics[0].definition, other.program.metrics[0].definition);
}

TEST(Check, WhatACampaignStatesReplacesWhatItInherits) {
  const auto result = checked(
      {"policy { campaigns { class service  enter always  leave when stop_it  hold out 10% } }\n"
       "event start {}\nevent stop_it {}\nevent other {}\n"
       "channel push { class direct }\ncontent hello { body \"hello\" }\n"
       "campaign a { when start  send hello via push }\n"
       "campaign b { enter once  leave when other  hold out 0%  when start  send hello via push "
       "}"});
  ASSERT_TRUE(result.ok());
  const auto& [a, b] = std::pair(result.program.campaigns[0], result.program.campaigns[1]);
  EXPECT_EQ(a.enter.how, Enter::How::Always);
  EXPECT_EQ(b.enter.how, Enter::How::Once);
  EXPECT_EQ(a.hold_out, Decimal{100'000});
  EXPECT_EQ(b.hold_out, Decimal{});
  ASSERT_EQ(a.leave_events.size(), 1u);
  ASSERT_EQ(b.leave_events.size(), 1u);
  EXPECT_NE(a.leave_events[0].match.type, b.leave_events[0].match.type);
}

TEST(Check, ABareNameInAWhereIsFirstAFieldOfTheEvent) {
  const auto result = checked(
      {"event purchase { orders: int }\nmetric orders = count purchase\n"
       "channel push { class direct }\ncontent hello { body \"hello\" }\n"
       "campaign a { class service  when purchase where orders > 5  send hello via push }"});
  ASSERT_TRUE(result.ok());
  const auto& trigger = std::get<OnEvent>(result.program.campaigns[0].groups[0].triggers[0].on);
  const auto& where = result.program[trigger.first.match.where];
  EXPECT_EQ(result.program[where.a].op, Op::EventField);
}

TEST(Check, AFieldOfAnEventThatMayNotHaveComeIsOptional) {
  const auto result =
      checked({"event a { x: text }\nevent b { y: text }\n"
               "channel push { class direct }\ncontent hello { body \"hello\" }\n"
               "campaign c { class service  enter once per first.x  when a as first  when b\n"
               "  send hello via push }"});
  ASSERT_TRUE(result.ok());
  const auto& key = result.program[result.program.campaigns[0].enter.key];
  EXPECT_EQ(key.op, Op::BindingField);
  EXPECT_TRUE(key.type.optional);
}

TEST(Check, ALongConditionIsNotADeepOne) {
  std::string text = "customer { city: text? }\nsegment long when customer.city == \"0\"";
  for (int i = 1; i < 400; ++i) text += " or customer.city == \"" + std::to_string(i) + "\"";
  EXPECT_THAT(codes(checked({text})), IsEmpty());
}

TEST(Check, AChainOfDefinitionsMayBeLongButNotTooDeep) {
  const auto chain = [](int length) {
    std::string text = "event e {}\nmetric n = count e\nlet x0 = n\n";
    for (int i = 1; i < length; ++i)
      text += "let x" + std::to_string(i) + " = x" + std::to_string(i - 1) + " + 1\n";
    return text;
  };
  EXPECT_THAT(codes(checked({chain(900)})), IsEmpty());
  EXPECT_THAT(codes(checked({chain(20'000)})), ElementsAre("K0321"));
}

TEST(Check, AProgramMayNotBeLargerThanAPlanCanCount) {
  std::string text;
  for (int i = 0; i <= 20'000; ++i) text += "segment s" + std::to_string(i) + " when yes\n";
  EXPECT_THAT(codes(checked({text})), ElementsAre("K0223"));
}

TEST(Check, SentencesAreInTheReadersLanguage) {
  const auto english = checked({"metric m = count purchase"});
  const auto chinese = checked({"metric m = count purchase"}, Language::Chinese);
  ASSERT_EQ(english.diagnostics.size(), 1u);
  ASSERT_EQ(chinese.diagnostics.size(), 1u);
  EXPECT_EQ(english.diagnostics[0].code, chinese.diagnostics[0].code);
  EXPECT_EQ(english.diagnostics[0].message,
            "`purchase` is not declared; an event is expected here");
  EXPECT_EQ(chinese.diagnostics[0].message, "`purchase` 没有声明；这里应当是事件");
}

TEST(Check, ATestIsHandedOverResolved) {
  const auto result =
      checked({"policy { time zone \"Asia/Shanghai\" }\n"
               "customer { city: text?  identify by openid }\n"
               "event purchase { amount: money  tags: list of text?  count: int = 1 }\n"
               "channel push { class direct }\ncontent hello { body \"hello\" }\n"
               "campaign a { class marketing  when purchase  send hello via push }\n"
               "test \"t\" {\n"
               "  given customer ann { city: \"x\"  openid: \"o\"  consent: marketing.push  "
               "hold_out: no }\n"
               "  given push fails with unreachable\n"
               "  at 2026-03-02 10:00  bo purchase { amount: ¥5  tags: \"a\", \"b\" }\n"
               "  at 2026-03-02 10:30  expect refuse send hello to bo via push because no_consent\n"
               "  expect nothing more\n"
               "}"});
  ASSERT_TRUE(result.ok());
  const check::Test& test = result.program.tests[0];
  EXPECT_THAT(test.customers, ElementsAre("ann", "bo"));
  ASSERT_EQ(test.statements.size(), 6u);
  const auto& given = std::get<GivenCustomer>(test.statements[0].what);
  EXPECT_EQ(given.attributes[0].second, Value::text("x"));
  EXPECT_EQ(given.identifiers[0].text, "o");
  EXPECT_EQ(given.consents[0].channel, ChannelId::of(0));
  EXPECT_EQ(given.hold_out, false);
  EXPECT_EQ(std::get<GivenFailure>(test.statements[1].what).reason, "unreachable");
  const auto& event = std::get<TestEvent>(test.statements[2].what);
  EXPECT_EQ(event.customer, 1u);
  EXPECT_EQ(event.at, *parse_instant("2026-03-02T10:00:00+08:00"));
  EXPECT_THAT(event.fields,
              ElementsAre(Value::money(500), Value::list({Value::text("a"), Value::text("b")}),
                          Value::integer(1)));
  EXPECT_EQ(std::get<ClockTo>(test.statements[3].what).to,
            *parse_instant("2026-03-02T10:30:00+08:00"));
  const auto& expect = std::get<ExpectAction>(test.statements[4].what);
  EXPECT_TRUE(expect.refuse && expect.since_last_stop && !expect.no);
  EXPECT_EQ(expect.name, "hello");
  EXPECT_EQ(expect.reason, "no_consent");
  EXPECT_TRUE(std::get<ExpectNothing>(test.statements[5].what).more);
}

// An audience of what a file holds, and what is said of it.
struct Listed {
  std::vector<std::string> members, help;
};
Listed listed(const std::string& file) {
  const Source source("test.koi",
                      "customer { phone \"手机\": phone?  identify by phone, openid }\n"
                      "audience press from \"press.csv\" by phone");
  const auto parsed = lang::parse(source, 0, Language::English);
  const auto result = check({parsed.file}, Language::English, nullptr,
                            [&](std::uint32_t number, const std::string& name) {
                              EXPECT_EQ(number, 0u);
                              EXPECT_EQ(name, "press.csv");
                              return std::optional(file);
                            });
  Listed found{result.program.audiences.at(0).members, {}};
  for (const auto& each : result.diagnostics) found.help.push_back(each.help);
  return found;
}

TEST(Audiences, AreTheColumnOfTheirIdentifierOrElseTheFirst) {
  const auto both = ElementsAre("13800000001", "13800000002");
  EXPECT_THAT(listed("13800000001\n13800000002\n").members, both);
  EXPECT_THAT(listed("13800000001,Ann\r\n\r\n138 0000 0002,Bo").members, both);
  EXPECT_THAT(listed("\xEF\xBB\xBFphone\n13800000001\n13800000002\n").members, both);
  EXPECT_THAT(listed("name,手机\n\"Ann, \"\"A\"\"\",13800000001\nBo,13800000002\n").members, both);
  EXPECT_THAT(listed("").members, IsEmpty());
}

TEST(Audiences, ALineWithoutAValidIdentifierIsNamed) {
  EXPECT_THAT(listed("phone\n13800000001\nnobody\n").help,
              ElementsAre("line 3 of that file has none"));
  EXPECT_THAT(listed("name,phone\nAnn\n").help, ElementsAre("line 2 of that file has none"));
  EXPECT_THAT(listed(std::string("\"\0\xFF,\n", 5)).help,
              ElementsAre("line 1 of that file has none"));
}

}  // namespace
}  // namespace koi::check
