#include "net/client.h"

#include <gtest/gtest.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/streambuf.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <cstdlib>

#include "net/detail/keep.h"

namespace koi::net {
namespace {

using asio::use_awaitable;
using asio::ip::tcp;

// A provider that says, byte by byte, what its script says.
class Script {
 public:
  struct Turn {
    std::string says;
    bool closes = true;
    bool reads = true;
  };
  Script(asio::io_context& context, std::vector<Turn> turns)
      : acceptor_(context, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)),
        turns_(std::move(turns)) {
    asio::co_spawn(context, run(), asio::detached);
  }
  std::string url(std::string path = "/") const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + path;
  }
  const std::vector<std::string>& heard() const { return heard_; }
  int connections() const { return connections_; }

 private:
  asio::awaitable<void> run() {
    std::size_t turn = 0;
    while (turn < turns_.size()) {
      held_.push_back(
          std::make_unique<tcp::socket>(co_await acceptor_.async_accept(use_awaitable)));
      tcp::socket& socket = *held_.back();
      ++connections_;
      for (bool open = true; open && turn < turns_.size();) {
        if (turns_[turn].reads) {
          asio::streambuf buffer;
          co_await asio::async_read_until(socket, buffer, "\r\n\r\n", use_awaitable);
          heard_.emplace_back(asio::buffers_begin(buffer.data()), asio::buffers_end(buffer.data()));
        }
        co_await asio::async_write(socket, asio::buffer(turns_[turn].says), use_awaitable);
        if (turns_[turn].closes) socket.close();
        open = !turns_[turn].closes;
        ++turn;
      }
    }
  }
  tcp::acceptor acceptor_;
  std::vector<Turn> turns_;
  std::vector<std::unique_ptr<tcp::socket>> held_;
  std::vector<std::string> heard_;
  int connections_ = 0;
};

class ClientTest : public ::testing::Test {
 protected:
  Result<Response> send(Request request) {
    std::optional<Result<Response>> result;
    asio::co_spawn(context, keep(client->send(std::move(request)), result),
                   [&](std::exception_ptr thrown) {
                     EXPECT_FALSE(thrown);
                     context.stop();
                   });
    context.restart();
    context.run_for(std::chrono::seconds(20));
    EXPECT_TRUE(result);
    return result ? *result : Error{"test", "no answer at all"};
  }
  static Request to(std::string url) {
    Request request;
    request.url = std::move(url);
    return request;
  }
  asio::io_context context;
  std::unique_ptr<Client> client = std::make_unique<Client>(context.get_executor());
};

const Script::Turn fine{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: 1\r\n\r\nok", false};

TEST_F(ClientTest, AnAnswerHasStatusHeadersAndBody) {
  Script provider(context, {fine});
  Request request = to(provider.url("/a?b=c"));
  request.method = "POST";
  request.headers = {{"Webhook-Id", "msg_1"}, {"Content-Type", "application/json"}};
  request.body = "{}";
  const auto answer = send(request);
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "ok");
  ASSERT_TRUE(find(answer->headers, "x-ONE"));
  EXPECT_EQ(*find(answer->headers, "x-one"), "1");
  ASSERT_EQ(provider.heard().size(), 1u);
  EXPECT_TRUE(provider.heard()[0].starts_with("POST /a?b=c HTTP/1.1\r\n")) << provider.heard()[0];
  EXPECT_NE(provider.heard()[0].find("Webhook-Id: msg_1\r\n"), std::string::npos);
  EXPECT_EQ(provider.heard()[0].find("Expect:"), std::string::npos);
}

TEST_F(ClientTest, AConnectionIsUsedAgain) {
  Script provider(context, {fine, fine, fine});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(send(to(provider.url())));
  EXPECT_EQ(provider.connections(), 1);
}

TEST_F(ClientTest, ARequestForOnceTakesANewConnection) {
  Script provider(context, {fine, {fine.says, true}});
  ASSERT_TRUE(send(to(provider.url())));
  EXPECT_EQ(provider.connections(), 1);
  provider.url();
  Script other(context, {{fine.says, true}, {fine.says, true}});
  for (int i = 0; i < 2; ++i) {
    Request request = to(other.url());
    request.once = true;
    ASSERT_TRUE(send(request));
  }
  EXPECT_EQ(other.connections(), 2);
}

TEST_F(ClientTest, ARedirectIsAnAnswerAndIsNotFollowed) {
  Script provider(context, {{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                             "Content-Length: 0\r\n\r\n"}});
  const auto answer = send(to(provider.url()));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 302);
}

TEST_F(ClientTest, WhatNobodyListensToWasNotSent) {
  tcp::acceptor closed(context, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
  const auto port = closed.local_endpoint().port();
  closed.close();
  const auto answer = send(to("http://127.0.0.1:" + std::to_string(port) + "/secret?token=abc"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "unsent");
  EXPECT_EQ(answer.error().what.find("abc"), std::string::npos) << answer.error().what;
  EXPECT_NE(answer.error().what.find("127.0.0.1"), std::string::npos);
}

TEST_F(ClientTest, APlainServerBehindHttpsWasSentNothing) {
  Script provider(context, {{"HTTP/1.1 400 No\r\n\r\n", true, false}});
  std::string url = provider.url();
  url.replace(0, 4, "https");
  const auto answer = send(to(url));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "unsent");
}

TEST_F(ClientTest, AConnectionClosedAfterTheRequestLeavesItUnanswered) {
  Script provider(context, {{""}});
  const auto answer = send(to(provider.url()));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "unanswered");
}

TEST_F(ClientTest, SilenceEndsWithTheTimeLimit) {
  Script provider(context, {{"", false}});
  Request request = to(provider.url());
  request.answer_within = microseconds(80'000);
  const auto answer = send(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "unanswered");
}

TEST_F(ClientTest, ABodyIsReadUpToItsLimit) {
  Script provider(context, {{"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" +
                             std::string(1'000'000, 'x')}});
  Request request = to(provider.url());
  request.max_body = 100;
  const auto answer = send(request);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, std::string(100, 'x'));
  EXPECT_TRUE(answer->cut);
}

TEST_F(ClientTest, AHeaderWithALineBreakIsNotSent) {
  Script provider(context, {fine});
  Request request = to(provider.url());
  request.headers = {{"X-Name", "a\r\nX-Other: b"}};
  const auto answer = send(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "unsent");
  EXPECT_EQ(provider.connections(), 0);
}

TEST_F(ClientTest, OnlyHttpIsSpoken) {
  const auto answer = send(to("file:///etc/hostname"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "unsent");
}

TEST_F(ClientTest, TheEnvironmentsProxyIsIgnoredAndTheSettingsOneUsed) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  Script provider(context, {{fine.says, true}, {fine.says, true}});
  EXPECT_TRUE(send(to(provider.url())));
  client =
      std::make_unique<Client>(context.get_executor(), ClientSettings{.proxy = provider.url()});
  EXPECT_TRUE(send(to("http://somewhere.example/x")));
  ASSERT_EQ(provider.heard().size(), 2u);
  EXPECT_TRUE(provider.heard()[1].starts_with("GET http://somewhere.example/x HTTP"));
  unsetenv("http_proxy");
}

TEST_F(ClientTest, CancellingEndsAnExchangeAtOnce) {
  Script provider(context, {{"", false}});
  asio::cancellation_signal signal;
  std::optional<Result<Response>> result;
  Request request = to(provider.url());
  const auto begin = std::chrono::steady_clock::now();
  asio::co_spawn(
      context, keep(client->send(request), result),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr) { context.stop(); }));
  asio::steady_timer timer(context, std::chrono::milliseconds(50));
  timer.async_wait([&](auto) { signal.emit(asio::cancellation_type::terminal); });
  context.run_for(std::chrono::seconds(10));
  ASSERT_TRUE(result);
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code, "unanswered");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST_F(ClientTest, TheEndOfTheClientEndsWhatIsUnderWay) {
  Script provider(context, {{"", false}});
  std::optional<Result<Response>> result;
  Request request = to(provider.url());
  asio::co_spawn(context, keep(client->send(request), result),
                 [&](std::exception_ptr) { context.stop(); });
  context.run_for(std::chrono::milliseconds(50));
  client.reset();
  context.restart();
  context.run_for(std::chrono::seconds(2));
  ASSERT_TRUE(result);
  EXPECT_FALSE(*result);
}

TEST_F(ClientTest, ManyExchangesRunAtTheSameTime) {
  std::vector<std::unique_ptr<Script>> providers;
  std::vector<std::optional<Result<Response>>> results(200);
  for (auto& result : results) {
    providers.push_back(std::make_unique<Script>(context, std::vector<Script::Turn>{fine}));
    Request request = to(providers.back()->url());
    asio::co_spawn(context, keep(client->send(std::move(request)), result), asio::detached);
  }
  context.run_for(std::chrono::seconds(5));
  for (const auto& result : results) EXPECT_TRUE(result && *result && (*result)->status == 200);
}

TEST(PercentEncoded, IsWhatIsNotUnreserved) {
  EXPECT_EQ(percent_encoded("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encoded("a b*/?&+%包"), "a%20b%2A%2F%3F%26%2B%25%E5%8C%85");
}

TEST(RetryAfter, IsSecondsOrADate) {
  const Timestamp now = *parse_instant("2015-10-21T07:28:00Z");
  const auto said = [&](std::string text) { return retry_after({{"Retry-After", text}}, now); };
  EXPECT_EQ(said("120"), seconds(120));
  EXPECT_EQ(said("Wed, 21 Oct 2015 07:29:00 GMT"), seconds(60));
  EXPECT_EQ(said("Wed, 21 Oct 2015 07:00:00 GMT"), seconds(0));
  EXPECT_EQ(said("99999999999999"), days(366));
  EXPECT_FALSE(said("soon"));
  EXPECT_FALSE(said("-5"));
  EXPECT_FALSE(retry_after({}, now));
}

}  // namespace
}  // namespace koi::net
