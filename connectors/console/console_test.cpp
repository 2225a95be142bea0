#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <csignal>

#include "channel/connector.h"
#include "channel/provider.h"

namespace koi::connectors {
const channel::ConnectorType& console();
namespace {

using namespace channel;

// Somebody who reads the standard error, or does not.
class Reader final : public Provider {
 public:
  Reader() {
    signal(SIGPIPE, SIG_IGN);
    before_ = dup(STDERR_FILENO);
    renew();
  }
  ~Reader() override {
    dup2(before_, STDERR_FILENO);
    close(before_);
    close(read_);
  }
  std::vector<Act> acts() const override { return {Act::Accept, Act::Silent, Act::Unreachable}; }
  Given settings() const override { return {{"stream", "stderr"}}; }
  void next(Act act) override {
    read_what_is_there();
    renew();
    if (act == Act::Unreachable) close(read_), read_ = -1;
    if (act == Act::Silent) {
      const int flags = fcntl(STDERR_FILENO, F_GETFL);
      fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
      const std::string filling(4096, '.');
      while (write(STDERR_FILENO, filling.data(), filling.size()) > 0) {
      }
      fcntl(STDERR_FILENO, F_SETFL, flags);
    }
  }
  std::vector<std::string> accepted() const override {
    read_what_is_there();
    std::vector<std::string> keys;
    std::size_t end = 0;
    while ((end = text_.find(")\n", end)) != std::string::npos) {
      keys.push_back(text_.substr(end - 8, 8));
      ++end;
    }
    return keys;
  }
  std::size_t effects(const std::string& key) const override {
    const auto keys = accepted();
    return static_cast<std::size_t>(std::count(keys.begin(), keys.end(), key.substr(0, 8)));
  }
  std::string text() const {
    read_what_is_there();
    return text_;
  }

 private:
  void renew() {
    if (read_ >= 0) close(read_);
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    read_ = ends[0];
    fcntl(read_, F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
  }
  void read_what_is_there() const {
    char bytes[4096];
    for (ssize_t n; read_ >= 0 && (n = read(read_, bytes, sizeof bytes)) > 0;)
      text_.append(bytes, static_cast<std::size_t>(n));
  }
  int before_ = -1, read_ = -1;
  mutable std::string text_;
};

TEST(Console, ALineShowsWhatThePersonWouldReadAndSteersNoTerminal) {
  Reader reader;
  asio::io_context context;
  const auto settings = Settings::read(console().settings, reader.settings());
  ASSERT_TRUE(settings);
  auto connector = console().open(*settings, Tools{context.get_executor(), nullptr,
                                                   [] { return Timestamp{1'772'447'400'500'000}; },
                                                   [](Level, std::string_view) {}});
  ASSERT_TRUE(connector);
  Delivery delivery;
  delivery.key = {0x0123456789abcdef, 0};
  delivery.customer = "ann";
  delivery.addresses = {{"phone", "+8613800138000"}};
  delivery.channel = "sms";
  delivery.campaign = "welcome";
  delivery.title = "你好";
  delivery.body =
      "two\nlines \x1b[2J\xc2\x9b"
      "31m";
  delivery.link = "https://example.com";
  asio::co_spawn(context, (*connector)->deliver(delivery),
                 [](std::exception_ptr, Outcome got) { EXPECT_EQ(to_string(got), "done"); });
  context.run();
  EXPECT_EQ(reader.text(),
            "2026-03-02T10:30:00Z  sms → ann <+8613800138000>: [你好] two lines  [2J 31m "
            "https://example.com  (welcome, 01234567)\n");
}

}  // namespace

std::unique_ptr<channel::Provider> console_provider() { return std::make_unique<Reader>(); }

}  // namespace koi::connectors
