#include "serve/callbacks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

#include "serve/detail/trial.h"

namespace koi::serve {
namespace {

using namespace channel;
using testing::ElementsAre;
using testing::HasSubstr;

class Scripted final : public Connector {
 public:
  asio::awaitable<Outcome> deliver(Delivery) override { co_return Outcome(Done{}); }
  asio::awaitable<Received> receive(net::Asked asked) override {
    ++received;
    if (asked.body == "throw") throw std::runtime_error("as the script says");
    co_return told;
  }
  Duration look_every() const override { return looks; }
  asio::awaitable<Received> look() override {
    Received found = told;
    found.kept = [this] { ++kept; };
    co_return found;
  }
  Received told;
  Duration looks;
  int received = 0, kept = 0;
};

// Three channels: `wechat` and `wechat_notice` share a connector, `mail` has another and takes no
// callbacks.
class CallbacksTest : public ::testing::Test {
 protected:
  CallbacksTest() {
    plan.policy.zone = &utc();
    plan.schema.identifiers = {"openid", "email"};
    plan.channels = {
        {.symbol = {"wechat", ""}}, {.symbol = {"wechat_notice", ""}}, {.symbol = {"mail", ""}}};
    plan.channels[0].reach_by = plan.channels[1].reach_by = IdentifierId::of(0);
    plan.channels[2].reach_by = IdentifierId::of(1);
    receiving.capabilities.receives = true;
    account->told = answered(200, "success");
    open();
  }
  void open() {
    callbacks.emplace(context.get_executor(), plan,
                      std::vector<runtime::Lane>{{"wechat", &receiving, account, 0},
                                                 {"wechat_notice", &receiving, account, 0},
                                                 {"mail", &deaf, mail, 0}},
                      Callbacks::Ways{[this](std::string lines, const Door::Answer& answer) {
                                        taken += lines;
                                        std::vector<LineResult> results;
                                        for (const char c : lines)
                                          if (c == '\n') results.push_back({Came::Accepted, ""});
                                        if (door_is_shut) return answer(Error{"busy", "later"});
                                        answer(std::move(results));
                                      },
                                      [this](Hash128 key, Failure failure) {
                                        reports.push_back({key, failure});
                                        return key.low == 1;
                                      },
                                      [this](Level, std::string_view line) { log += line; }});
  }
  // Asks as the server does, and gives what was answered.
  net::Answer ask(const std::string& channel, std::string body = "x") {
    net::Answer answer;
    bool over = false;
    const auto exchange = [&]() -> asio::awaitable<void> {
      const net::Handler handler = [&](net::Asked asked, net::Reply reply) {
        callbacks->take(channel, std::move(asked), std::move(reply));
      };
      net::ServerSettings settings;
      const auto door = co_await net::Server::open(context, std::move(settings), handler);
      net::Client client(context.get_executor());
      net::Request request;
      request.method = "POST";
      request.url = "http://127.0.0.1:" + std::to_string((*door)->port()) + "/";
      request.body = std::move(body);
      const auto response = co_await client.send(std::move(request));
      answer.status = response ? response->status : 0;
      if (response) answer.body = response->body;
      over = true;
    };
    asio::co_spawn(context, exchange(), asio::detached);
    while (!over) turn();
    return answer;
  }
  void turn() {
    context.restart();
    context.run_for(std::chrono::milliseconds(2));
  }

  asio::io_context context;
  plan::Plan plan;
  ConnectorType receiving, deaf;
  std::shared_ptr<Scripted> account = std::make_shared<Scripted>(),
                            mail = std::make_shared<Scripted>();
  std::optional<Callbacks> callbacks;
  std::string taken, log;
  std::vector<Report> reports;
  bool door_is_shut = false;
};

TEST_F(CallbacksTest, WhatIsToldIsAnEventOfWhomTheChannelKnows) {
  account->told.events = {{"m1", "scan", noon, "o\"A", {{"scene", "expo"}}}};
  const net::Answer answer = ask("wechat");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "success");
  EXPECT_EQ(taken,
            R"({"id":"m1","type":"scan","time":"2026-03-02T12:00:00Z","subject":"openid:o\"A",)"
            R"("data":{"channel":"wechat","scene":"expo"}})"
            "\n");
  EXPECT_EQ(callbacks->figures().events, 1u);
}

TEST_F(CallbacksTest, ARefusalOfTheAccountIsOneOfEachChannelThatItServes) {
  account->told.events = {{"m1", "unsubscribed", noon, "oA", {}}};
  EXPECT_EQ(ask("wechat").status, 200);
  EXPECT_THAT(taken, HasSubstr(R"("id":"m1:wechat",)"));
  EXPECT_THAT(taken, HasSubstr(R"("data":{"channel":"wechat"}})"));
  EXPECT_THAT(taken, HasSubstr(R"("data":{"channel":"wechat_notice"}})"));
}

TEST_F(CallbacksTest, WhatCannotBeKeptIsNotAnsweredAsTaken) {
  account->told.events = {{"m1", "scan", noon, "oA", {}}};
  account->told.reports = {{{7, 1}, Failure::None}};
  door_is_shut = true;
  EXPECT_EQ(ask("wechat").status, 503);
  EXPECT_TRUE(reports.empty()) << "the provider sends it all again";
  door_is_shut = false;
  EXPECT_EQ(ask("wechat").status, 200);
  EXPECT_EQ(reports.size(), 1u);
}

TEST_F(CallbacksTest, ReportsEndDeliveriesAndUnknownOnesAreCounted) {
  account->told.reports = {{{7, 1}, Failure::Unreachable}, {{7, 2}, Failure::None}};
  EXPECT_EQ(ask("wechat").status, 200);
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].failure, Failure::Unreachable);
  EXPECT_EQ(callbacks->figures().reports, 1u);
  EXPECT_EQ(callbacks->figures().unknown_reports, 1u);
}

TEST_F(CallbacksTest, OtherNamesAndDeafChannelsAreNotThere) {
  EXPECT_EQ(ask("mail").status, 404);
  EXPECT_EQ(ask("nobody").status, 404);
  EXPECT_EQ(ask("wechat", std::string(1'100'000, 'x')).status, 413);
  EXPECT_EQ(account->received, 0);
  EXPECT_EQ(ask("wechat", "throw").status, 503);
  EXPECT_EQ(callbacks->figures().refused, 4u);
}

TEST_F(CallbacksTest, WhatIsLookedUpIsKeptOrLookedUpAgain) {
  mail->looks = microseconds(3000);
  mail->told.events = {{"m1", "bounced", noon, "a@b.example", {}}};
  door_is_shut = true;
  callbacks->begin_looking();
  for (int i = 0; i < 400 && log.empty(); ++i) turn();
  EXPECT_THAT(log, HasSubstr("channel mail: what it told is not kept yet: later"));
  EXPECT_EQ(mail->kept, 0);
  door_is_shut = false;
  for (int i = 0; i < 400 && mail->kept < 2; ++i) turn();
  EXPECT_GE(mail->kept, 2);
  EXPECT_THAT(taken, HasSubstr(R"("subject":"email:a@b.example")"));
  bool stopped = false;
  asio::co_spawn(context, callbacks->stop(), [&](const std::exception_ptr&) { stopped = true; });
  for (int i = 0; i < 400 && !stopped; ++i) turn();
  EXPECT_TRUE(stopped);
  const int kept = mail->kept;
  for (int i = 0; i < 20; ++i) turn();
  EXPECT_EQ(mail->kept, kept);
}

}  // namespace
}  // namespace koi::serve
