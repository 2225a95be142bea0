// Console: a line for each delivery on the terminal, for trying things out. The lines are for eyes:
// they hold what the person would read, and nothing that could steer a terminal.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "channel/connector.h"
#include "channel/line_writer.h"

namespace koi::connectors {

using namespace channel;

namespace {

constexpr std::array<std::string_view, 2> streams{"stdout", "stderr"};
constexpr std::array settings{
    Setting{.name = "stream",
            .kind = Setting::Kind::Text,
            .help = "Where the lines go.",
            .otherwise = "stdout",
            .choices = streams},
};

// Without control characters (C0, DEL and C1): one line, and no commands to the terminal.
void append_plain(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (byte >= 0x20 && byte != 0x7f && !c1) {
      out += text[i];
      continue;
    }
    out += ' ';
    if (c1) ++i;
  }
}

std::string line_of(const Delivery& delivery, Timestamp now) {
  std::string line = to_string(Timestamp{now.us / 1'000'000 * 1'000'000}, utc());
  const auto add = [&](std::string_view before, std::string_view text) {
    line += before;
    append_plain(line, text);
  };
  add("  ", delivery.channel);
  add(" → ", delivery.customer);
  for (const Address& address : delivery.addresses) {
    add(" <", address.value);
    line += '>';
  }
  line += ':';
  if (!delivery.title.empty()) add(" [", delivery.title), line += ']';
  if (const auto& payout = delivery.payout)
    add(" ", std::to_string(payout->amount) + " (minor units of " + payout->currency + ")");
  if (!delivery.body.empty()) add(" ", delivery.body);
  if (!delivery.link.empty()) add(" ", delivery.link);
  if (!delivery.provider_template.empty()) add(" ", delivery.provider_template);
  for (const auto& [name, value] : delivery.values) add(" ", name), add("=", value);
  if (!delivery.reply_to.empty()) add(" ↩ ", delivery.reply_to);
  add("  (", delivery.campaign);
  return line + ", " + to_hex(delivery.key).substr(0, 8) + ")\n";
}

// Writes all of it, or says how much it wrote; gives up when the other side does not read.
std::size_t write_all(int fd, std::string_view text, const std::function<bool()>& stopping) {
  std::size_t written = 0;
  while (written < text.size()) {
    pollfd ready{fd, POLLOUT, 0};
    const int found = poll(&ready, 1, 100);
    if (stopping()) break;
    if (found == 0 || (found < 0 && errno == EINTR)) continue;
    if (found < 0 || (ready.revents & (POLLERR | POLLNVAL))) break;
    // A pipe that is ready takes PIPE_BUF bytes (4096) without blocking.
    const ssize_t n =
        ::write(fd, text.data() + written, std::min<std::size_t>(4096, text.size() - written));
    if (n < 0 && errno != EINTR && errno != EAGAIN) break;
    if (n > 0) written += static_cast<std::size_t>(n);
  }
  return written;
}

class Console final : public Connector {
 public:
  Console(int fd, Tools tools)
      : tools_(std::move(tools)),
        writer_(tools_.executor, [fd](std::span<const Line> lines, const auto& stopping) {
          std::vector<Outcome> outcomes;
          for (const Line& line : lines) {
            const std::size_t written = write_all(fd, line.text, stopping);
            if (written == line.text.size())
              outcomes.emplace_back(Done{});
            else if (written == 0)
              outcomes.emplace_back(Deferred{.why = "the stream does not take it"});
            else
              outcomes.emplace_back(Unknown{"the stream took a part of it"});
          }
          return outcomes;
        }) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    Line line{delivery.key, line_of(delivery, tools_.now())};
    co_return co_await writer_.write(std::move(line));
  }

 private:
  Tools tools_;
  LineWriter writer_;
};

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  const int fd = given.text("stream") == "stdout" ? STDOUT_FILENO : STDERR_FILENO;
  return std::unique_ptr<Connector>(std::make_unique<Console>(fd, std::move(tools)));
}

}  // namespace

const ConnectorType& console() {
  static const ConnectorType type{
      .name = "console",
      .summary = "Prints each delivery as a line, for trying things out.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::Neither, .at_once = 64, .replies = true},
      .open = open};
  return type;
}

}  // namespace koi::connectors
