#include "runtime/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "channel/allowance.h"

namespace koi::runtime {
namespace {

using testing::HasSubstr;
using SettingKind = channel::Setting::Kind;

int opened = 0;
struct Quiet final : channel::Connector {
  asio::awaitable<channel::Outcome> deliver(Delivery) override { co_return channel::Done{}; }
};
Result<std::unique_ptr<channel::Connector>> open_quiet(const channel::Settings&, channel::Tools) {
  ++opened;
  return std::unique_ptr<channel::Connector>(std::make_unique<Quiet>());
}
Result<std::unique_ptr<channel::Connector>> open_never(const channel::Settings&, channel::Tools) {
  return Error{"file", "/full: the disk is full"};
}
constexpr std::array settings{
    channel::Setting{.name = "url", .kind = SettingKind::Url, .help = "Where to post."},
    channel::Setting{
        .name = "secret", .kind = SettingKind::Secret, .help = "Signs.", .optional = true},
    channel::Setting{
        .name = "count", .kind = SettingKind::Number, .help = "How many.", .otherwise = "1"},
    channel::Setting{
        .name = "loud", .kind = SettingKind::Flag, .help = "Whether.", .otherwise = "true"},
};
const channel::ConnectorType console{.name = "console", .summary = "x", .open = open_quiet};
const channel::ConnectorType hook{
    .name = "hook", .summary = "x", .settings = settings, .open = open_quiet};
const channel::ConnectorType broken{.name = "broken", .summary = "x", .open = open_never};
const std::array types{&console, &hook, &broken};

plan::Plan plan_with(std::vector<std::string> channels) {
  plan::Plan plan;
  for (std::string& name : channels) {
    plan::Channel channel;
    channel.symbol.name = std::move(name);
    channel.rate_per_second = 30;
    plan.channels.push_back(std::move(channel));
  }
  return plan;
}

Result<channel::Notebook*> without_notes(const std::string&) { return nullptr; }

Result<std::vector<Lane>> lanes(std::string_view text) {
  auto environment = parse_environment(text, "env.json");
  if (!environment) return std::move(environment).error();
  asio::io_context context;
  const channel::Tools tools{context.get_executor(), nullptr, [] { return Timestamp{}; },
                             [](channel::Level, std::string_view) {}};
  return open_lanes(*environment, plan_with({"sms", "email", "push"}), types, tools, without_notes);
}
asio::io_context& loop() {
  static asio::io_context context;
  return context;
}
// What comes of a delivery to this person by the first lane.
channel::Outcome outcome_of(std::string_view text, Delivery delivery) {
  const auto open = lanes(text);
  EXPECT_TRUE(open);
  channel::Outcome outcome;
  asio::co_spawn(loop(), open->front().connector->deliver(std::move(delivery)),
                 [&](std::exception_ptr, channel::Outcome came) { outcome = std::move(came); });
  loop().restart();
  loop().run();
  return outcome;
}
std::string error_of(std::string_view text) {
  const auto made = lanes(text);
  return made ? "no error" : made.error().what;
}

TEST(Environment, WithoutOneEveryChannelGoesToOneConsole) {
  opened = 0;
  asio::io_context context;
  const channel::Tools tools{context.get_executor(), nullptr, [] { return Timestamp{}; },
                             [](channel::Level, std::string_view) {}};
  const auto made = open_lanes({}, plan_with({"sms", "email"}), types, tools, without_notes);
  ASSERT_TRUE(made);
  ASSERT_EQ(made->size(), 2u);
  EXPECT_EQ((*made)[0].channel, "sms");
  EXPECT_EQ((*made)[0].type, &console);
  EXPECT_EQ((*made)[0].rate_per_second, 30u);
  EXPECT_EQ((*made)[0].connector, (*made)[1].connector);
  EXPECT_EQ(opened, 1);
}

TEST(Environment, EachChannelGoesWhereItSays) {
  opened = 0;
  const auto made = lanes(R"({
    // comments are allowed
    "channels": {
      "sms": {"connector": "hook", "url": "https://example.com", "count": 3, "loud": false},
      "email": {"connector": "hook", "url": "https://example.com/other"},
      "push": {"connector": "hook", "url": "https://example.com", "count": 3, "loud": false}
    },
    "http": {"proxy": "http://proxy:3128"}
  })");
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_EQ((*made)[0].type, &hook);
  EXPECT_EQ((*made)[0].connector, (*made)[2].connector) << "the same settings, the same connector";
  EXPECT_NE((*made)[0].connector, (*made)[1].connector);
  EXPECT_EQ(opened, 2);
}

TEST(Environment, ATeamHasAnAddressAndAnythingANumberForTheDay) {
  plan::Plan plan = plan_with({"sms"});
  plan.teams = {{"care", "客服"}};
  asio::io_context context;
  const channel::Tools tools{context.get_executor(), nullptr, [] { return Timestamp{}; },
                             [](channel::Level, std::string_view) {}};
  const auto open = [&](std::string_view text) {
    auto environment = parse_environment(text, "env.json");
    if (!environment) return Result<std::vector<Lane>>(std::move(environment).error());
    return open_lanes(*environment, plan, types, tools, without_notes);
  };
  const auto made = open(R"({"channels": {"sms": {"connector": "console", "per_day": 2}},
                             "teams": {"care": {"connector": "console", "address": "zhang|li"}}})");
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_EQ((*made)[1].address, "zhang|li");
  EXPECT_EQ((*made)[0].address, "");
  EXPECT_EQ((*made)[0].allowance, (*made)[1].allowance) << "the account is the same";
  const channel::Form form;
  EXPECT_EQ((*made)[0].allowance->room(form, 9, Timestamp{}).messages, 2u);
  EXPECT_EQ(open(R"({"channels": {"sms": {"connector": "console", "per_day": 0}}})").error().what,
            "env.json: channel `sms`: `per_day` must be a whole number from 1 to 1000000000");
  EXPECT_THAT(open(R"({"teams": {"care": {"connector": "console", "address": ""}}})").error().what,
              HasSubstr("team `care`: `address` must be whom its messages go to"));
  EXPECT_THAT(
      open(R"({"channels": {"sms": {"connector": "console", "address": "x"}}})").error().what,
      HasSubstr("`address`"));
}

TEST(Environment, TeamsAndWebhooksHaveListsOfTheirOwn) {
  plan::Plan plan = plan_with({"sms"});
  plan.teams = {{"care", "客服"}};
  plan.webhooks = {{"crm", {}}};
  asio::io_context context;
  const channel::Tools tools{context.get_executor(), nullptr, [] { return Timestamp{}; },
                             [](channel::Level, std::string_view) {}};
  const auto open = [&](std::string_view text) {
    return open_lanes(*parse_environment(text, "env.json"), plan, types, tools, without_notes);
  };
  const auto made =
      open(R"({"webhooks": {"crm": {"connector": "hook", "url": "https://example.com"}}})");
  ASSERT_TRUE(made) << made.error().what;
  ASSERT_EQ(made->size(), 3u);
  EXPECT_EQ((*made)[1].channel, "care");
  EXPECT_EQ((*made)[1].type, &console);
  EXPECT_EQ((*made)[2].channel, "crm");
  EXPECT_EQ((*made)[2].type, &hook);
  EXPECT_EQ(open(R"({"teams": {"crm": {"connector": "console"}}})").error().what,
            "env.json: the rules declare no team `crm`; they have: care");
  EXPECT_EQ(open(R"({"channels": {"care": {"connector": "console"}}})").error().what,
            "env.json: the rules declare no channel `care`; they have: sms");
}

TEST(Environment, ErrorsNameTheFileThePlaceAndTheRemedy) {
  EXPECT_EQ(error_of(R"({"channels": {"smss": {"connector": "console"}}})"),
            "env.json: the rules declare no channel `smss`; they have: sms, email, push");
  EXPECT_EQ(
      error_of(R"({"channels": {"sms": {"connector": "pigeon"}}})"),
      "env.json: channel `sms`: there is no connector `pigeon`; there are: console, hook, broken");
  EXPECT_EQ(error_of(R"({"channels": {"sms": {"connector": "hook", "urll": "x"}}})"),
            "env.json: channel `sms` (hook): `urll` is no setting of it; its settings are: url, "
            "secret, count, loud\n"
            "env.json: channel `sms` (hook): `url` is missing: Where to post.");
  EXPECT_EQ(error_of(R"({"channels": {"sms": {"connector": "broken"}}})"),
            "env.json: channel `sms` (broken): /full: the disk is full");
  EXPECT_THAT(error_of(R"({"channels": {"sms": {"url": "x"}}})"), HasSubstr("names no connector"));
  EXPECT_THAT(error_of(R"({"channels": {"sms": "console"}})"), HasSubstr("must be an object"));
  EXPECT_THAT(error_of(R"({"channels": []})"), HasSubstr("`channels` must be an object"));
  EXPECT_THAT(error_of(R"({"chanels": {}})"), HasSubstr("`chanels` is not known here"));
  EXPECT_THAT(error_of(R"({"http": {"proxi": "x"}})"), HasSubstr("it takes proxy and ca_file"));
  EXPECT_THAT(error_of(R"([])"), HasSubstr("must be an object"));
  EXPECT_THAT(error_of("{\n\"channels\": {\n,}"), HasSubstr("env.json: line 3: this is not JSON"));
  EXPECT_THAT(error_of(""), HasSubstr("this is not JSON"));
  EXPECT_THAT(error_of("{\"a\xff\": 1}"), HasSubstr("this is not JSON"));
  EXPECT_THAT(error_of(R"({"channels": {"sms": {"connector": "hook", "count": 1.5}}})"),
              HasSubstr("`count` must be a text, a whole number, true or false"));
  EXPECT_THAT(
      error_of(R"({"channels": {"sms": {"connector": "hook", "count": 18446744073709551615}}})"),
      HasSubstr("`count` must be a text"));
  EXPECT_THAT(
      error_of(R"({"channels": {"sms": {"connector": "console"}, "sms": {"connector": "hook"}}})"),
      HasSubstr("`sms` stands there twice"));
}

TEST(Environment, ASecretWrittenIntoTheFileIsRefusedAndNotShown) {
  const std::string error = error_of(
      R"({"channels": {"sms": {"connector": "hook", "url": "https://x.y", "secret": "whsec_abc"}}})");
  EXPECT_THAT(error, HasSubstr("write `file:PATH` or `env:NAME`"));
  EXPECT_THAT(error, testing::Not(HasSubstr("whsec_abc")));
}

TEST(Environment, AFileThatCannotBeReadIsNamed) {
  const auto read = read_environment("/no/such/file.json");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, "unreadable");
  EXPECT_THAT(read.error().what, HasSubstr("/no/such/file.json: cannot be read"));
}

TEST(Environment, ThePublicAddressIsAnAddressOfTheWeb) {
  const auto read = [](const std::string& value) {
    const auto environment = parse_environment(R"({"public_url":)" + value + "}", "env.json");
    return environment ? environment->public_url : "none";
  };
  EXPECT_EQ(read(R"("https://m.example.com/k/")"), "https://m.example.com/k");
  EXPECT_EQ(read(R"("http://127.0.0.1:8700")"), "http://127.0.0.1:8700");
  for (const char* const wrong : {R"("")", "7", R"("m.example.com")", R"("https:///x")",
                                  R"("https://m.example.com/?a")", R"("https://m example.com")"})
    EXPECT_EQ(read(wrong), "none") << wrong;
}

TEST(Environment, InAFencedOneNobodyIsReachedButItsTestRecipients) {
  const std::string fenced =
      R"({"only_test_recipients": ["ann", "phone:+8613800138000"],
          "channels": {"sms": {"connector": "console"}}})";
  const auto to = [&](std::string customer, std::vector<Address> addresses) {
    Delivery delivery;
    delivery.customer = std::move(customer);
    delivery.addresses = std::move(addresses);
    return channel::to_string(outcome_of(fenced, std::move(delivery)));
  };
  const Address test{"phone", "+8613800138000"}, other{"phone", "+8613800138001"};
  EXPECT_EQ(to("ann", {}), "done");
  EXPECT_EQ(to("ann", {other}), "done");
  EXPECT_EQ(to("bo", {test}), "done");
  EXPECT_THAT(to("bo", {}), HasSubstr("refused (unreachable)"));
  EXPECT_THAT(to("bo", {other}), HasSubstr("test recipients alone"));
  EXPECT_THAT(to("bo", {test, other}), HasSubstr("unreachable"));
  EXPECT_THAT(to("phone:+8613800138000", {other}), HasSubstr("done"));
  EXPECT_THAT(error_of(R"({"only_test_recipients": "ann"})"), HasSubstr("must be a list"));
  EXPECT_THAT(error_of(R"({"only_test_recipients": [""]})"), HasSubstr("must be a list"));
}

TEST(Environment, WhatItSaysOfAChannelsRateCounts) {
  const auto open =
      lanes(R"({"channels": {"sms": {"connector": "console", "rate_per_second": 7}}})");
  ASSERT_TRUE(open) << open.error().what;
  EXPECT_EQ((*open)[0].rate_per_second, 7u);
  EXPECT_EQ((*open)[1].rate_per_second, 30u);
  for (const char* bad : {"0", "-1", "1.5", "\"7\"", "1000001"})
    EXPECT_THAT(error_of(R"({"channels": {"sms": {"connector": "console", "rate_per_second": )" +
                         std::string(bad) + "}}}"),
                HasSubstr("rate_per_second"));
}

}  // namespace
}  // namespace koi::runtime
