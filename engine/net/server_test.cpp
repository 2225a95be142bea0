#include "net/server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "net/detail/keep.h"

namespace koi::net {
namespace {

// A client as plain as can be, on the test's own thread.
class Plain {
 public:
  explicit Plain(std::uint16_t port) : socket_(context_) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
    timeval limit{10, 0};
    setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  void write(const std::string& text) {
    asio::error_code error;
    asio::write(socket_, asio::buffer(text), error);
  }
  // All until one answer is there, or the connection closes.
  std::string answer() {
    while (true) {
      if (const auto head = read_.find("\r\n\r\n"); head != std::string::npos) {
        const auto at = read_.find("Content-Length: ");
        const std::size_t length = at < head ? std::stoul(read_.substr(at + 16)) : 0;
        if (read_.size() >= head + 4 + length) {
          std::string one = read_.substr(0, head + 4 + length);
          read_.erase(0, head + 4 + length);
          return one;
        }
      }
      char bytes[4096];
      asio::error_code error;
      const std::size_t n = socket_.read_some(asio::buffer(bytes), error);
      if (error) return std::exchange(read_, {}) + "<closed>";
      read_.append(bytes, n);
    }
  }
  std::string ask(const std::string& text) {
    write(text);
    return answer();
  }

 private:
  asio::io_context context_;
  asio::ip::tcp::socket socket_;
  std::string read_;
};

class ServerTest : public ::testing::Test {
 protected:
  void open(ServerSettings settings, Handler handler) {
    std::optional<Result<std::unique_ptr<Server>>> opened;
    asio::co_spawn(context, keep(Server::open(context, settings, std::move(handler)), opened),
                   [&](std::exception_ptr) { context.stop(); });
    context.run();
    context.restart();
    ASSERT_TRUE(opened);
    if (!*opened) {
      error = opened->error();
      return;
    }
    server = **std::move(opened);
    thread = std::thread([this] {
      auto work = asio::make_work_guard(context);
      context.run();
    });
  }
  void TearDown() override {
    context.stop();
    if (thread.joinable()) thread.join();
    server.reset();
  }
  asio::io_context context;
  std::unique_ptr<Server> server;
  std::optional<Error> error;
  std::thread thread;
};

void echo(Asked asked, Reply reply) {
  Answer answer{.body = asked.method + " " + asked.path + " [" + asked.query + "] " + asked.body};
  reply.send(std::move(answer));
}

TEST_F(ServerTest, ARequestIsAnsweredAndTheConnectionKept) {
  open({}, echo);
  ASSERT_NE(server->port(), 0);
  Plain client(server->port());
  for (int i = 0; i < 3; ++i) {
    const auto answer =
        client.ask("POST /v1/e%20v?a=1&b=2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("POST /v1/e v [a=1&b=2] hello")) << answer;
  }
}

TEST_F(ServerTest, AnAnswerMayComeLaterFromAnotherThread) {
  std::thread other;
  open({}, [&](Asked asked, Reply reply) {
    other = std::thread([body = asked.body, reply = std::move(reply)]() mutable {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      Answer answer{.status = 429, .body = body, .headers = {{"Retry-After", "7"}}};
      reply.send(std::move(answer));
    });
  });
  Plain client(server->port());
  const auto answer = client.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  other.join();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n")) << answer;
  EXPECT_NE(answer.find("Retry-After: 7\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("hi"));
}

TEST_F(ServerTest, AForgottenReplyIsAnError) {
  open({}, [](Asked, Reply) {});
  Plain client(server->port());
  EXPECT_TRUE(client.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 500 "));
}

TEST_F(ServerTest, ATooLargeBodyIsRefusedWithItsLimit) {
  open({.max_body = 100}, echo);
  Plain client(server->port());
  const auto answer = client.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n" +
                                 std::string(101, 'x'));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
  EXPECT_NE(answer.find(R"("message":"the body is larger than )"), std::string::npos) << answer;
  EXPECT_NE(answer.find("100 bytes"), std::string::npos) << answer;
}

TEST_F(ServerTest, AnEndlessBodyIsHungUpOn) {
  open({.max_body = 100}, echo);
  Plain client(server->port());
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n");
  for (int i = 0; i < 40; ++i) client.write(std::string(65536, 'x'));
  EXPECT_EQ(client.answer(), "<closed>");
  Plain next(server->port());
  EXPECT_TRUE(next.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200"));
}

TEST_F(ServerTest, WhatIsNoHttpDisturbsNobody) {
  open({}, echo);
  for (const std::string& bytes :
       {std::string("\0\1\2\3\r\n\r\n", 8), std::string("GET\r\n\r\n"),
        std::string("\r\n\r\nx\r\n"), std::string(100'000, 'A'),
        std::string("GET / HTTP/1.1\r\n") + std::string(50'000, 'h') + ": x\r\n\r\n",
        std::string("POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")}) {
    Plain client(server->port());
    EXPECT_TRUE(client.ask(bytes).ends_with("<closed>")) << bytes.substr(0, 40);
  }
  Plain next(server->port());
  EXPECT_TRUE(next.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200"));
}

TEST_F(ServerTest, AnUpgradeIsRefused) {
  open({}, echo);
  Plain client(server->port());
  EXPECT_TRUE(
      client.ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
          .starts_with("HTTP/1.1 501"));
}

TEST_F(ServerTest, AChunkedBodyIsPutTogether) {
  open({}, echo);
  Plain client(server->port());
  const auto answer = client.ask(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("POST / [] abcde")) << answer;
}

TEST_F(ServerTest, WhoSendsARequestByDripsIsHungUpOn) {
  open({.read_within = microseconds(300'000)}, echo);
  Plain client(server->port());
  const auto begin = std::chrono::steady_clock::now();
  std::thread drips([&] {
    for (const char c : std::string("GET / HTTP/1.1\r\nHost: xxxxxxxxxx")) {
      client.write(std::string(1, c));
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(2)) break;
    }
  });
  EXPECT_EQ(client.answer(), "<closed>");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1900));
  drips.join();
}

TEST_F(ServerTest, APortThatIsTakenIsNamedWithTheRemedy) {
  open({}, echo);
  asio::io_context other;
  std::optional<Result<std::unique_ptr<Server>>> opened;
  ServerSettings settings{.port = server->port()};
  asio::co_spawn(other, keep(Server::open(other, settings, echo), opened), asio::detached);
  other.run();
  ASSERT_TRUE(opened && !*opened);
  const Error* const refused = &opened->error();
  EXPECT_EQ(refused->code, "port_in_use");
  EXPECT_NE(refused->what.find("127.0.0.1:" + std::to_string(server->port())), std::string::npos);
  EXPECT_NE(refused->what.find("choose another port"), std::string::npos);
}

TEST_F(ServerTest, AnAddressThatIsNotOursIsNamed) {
  open({.address = "203.0.113.1"}, echo);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "address") << error->what;
}

TEST_F(ServerTest, StoppingWaitsForWhatWasTakenAndRefusesTheRest) {
  std::optional<Reply> held;
  std::atomic<bool> taken = false;
  open({}, [&](Asked, Reply reply) {
    held.emplace(std::move(reply));
    taken = true;
  });
  Plain first(server->port()), second(server->port());
  first.write("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  while (!taken) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::atomic<int> stopped = -1;
  asio::co_spawn(context, server->stop(seconds(10)),
                 [&](std::exception_ptr, bool all) { stopped = all; });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(stopped, -1);
  EXPECT_TRUE(second.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 503"));
  EXPECT_THROW(Plain third(server->port()), std::system_error);
  Answer answer{.body = "late"};
  held->send(std::move(answer));
  EXPECT_TRUE(first.answer().ends_with("late"));
  for (int i = 0; i < 1000 && stopped < 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(stopped, 1);
}

TEST_F(ServerTest, NoMoreConnectionsThanAllowedAreServed) {
  open({.max_connections = 2}, echo);
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  auto first = std::make_unique<Plain>(server->port());
  Plain second(server->port());
  EXPECT_TRUE(first->ask(get).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(second.ask(get).starts_with("HTTP/1.1 200"));
  Plain third(server->port());
  third.write(get);
  first.reset();  // makes room
  EXPECT_TRUE(third.answer().starts_with("HTTP/1.1 200"));
}

TEST(Query, IsReadByName) {
  const Headers values = query_of("a=1&b=%20x+y&&c&=d&e=%zz");
  ASSERT_EQ(values.size(), 5u);
  EXPECT_EQ(values[0].value, "1");
  EXPECT_EQ(values[1].value, " x y");
  EXPECT_EQ(values[2].name, "c");
  EXPECT_EQ(values[4].value, "%zz");
}

}  // namespace
}  // namespace koi::net
