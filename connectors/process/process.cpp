// Process: deliveries as lines of JSON to a program that runs beside Koi, answers as lines back. So
// a connector can be written in any language; README.md has the lines, and one in Python.
#include <array>
#include <map>
#include <memory>

#include "base/source.h"
#include "channel/connector.h"
#include "channel/crypto.h"
#include "channel/delivery_json.h"
#include "process/program.h"

namespace koi::connectors {

using namespace channel;

namespace {

constexpr std::array settings{
    Setting{
        .name = "command", .kind = Setting::Kind::Text, .help = "What is run, as /bin/sh would."},
    Setting{.name = "folder",
            .kind = Setting::Kind::Path,
            .help = "Where it runs; else where Koi does.",
            .optional = true},
    Setting{.name = "answer_within",
            .kind = Setting::Kind::Duration,
            .help = "How long an answer may take.",
            .otherwise = "20s",
            .least = 10'000,
            .most = 110'000'000},
    Setting{.name = "stop_within",
            .kind = Setting::Kind::Duration,
            .help = "How long it may take to end when its input is closed; then it is killed.",
            .otherwise = "2s",
            .least = 10'000,
            .most = 60'000'000},
    Setting{.name = "receives",
            .kind = Setting::Kind::Flag,
            .help = "Whether it is given what comes to the callback address, and verifies it.",
            .otherwise = "false"},
    Setting{.name = "look_every",
            .kind = Setting::Kind::Duration,
            .help = "How often it is asked what there is to tell; else never.",
            .optional = true,
            .least = 10'000,
            .most = 86'400'000'000},
};

// Headers by their names in small letters; those that come several times stand behind each other.
// A body that is no text is in base64.
void append_request(std::string& out, const net::Asked& asked) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : asked.headers) {
    std::string small = name;
    for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const auto [place, is_new] = headers.emplace(std::move(small), value);
    if (!is_new) place->second += ", " + value;
  }
  out += '{';
  append_field(out, "method", asked.method);
  append_field(out, "query", asked.query);
  out += R"(,"headers":{)";
  for (const auto& [name, value] : headers) append_field(out, name, value);
  out += '}';
  if (find_invalid_utf8(asked.body) == std::string_view::npos)
    append_field(out, "body", asked.body);
  else
    append_field(out, "body_base64", base64(asked.body));
  out += '}';
}

class Process final : public Connector {
 public:
  struct Hearing {
    bool receives = false;
    Duration look_every;
  };
  Process(Program::Settings program, Hearing hearing, Tools tools)
      : program_(std::make_shared<Program>(std::move(program), std::move(tools))),
        hearing_(hearing) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    std::string text;
    append_delivery(text, delivery);
    const Program::LineOf line_of = [&](std::uint64_t id) {
      return R"({"do":"deliver","id":)" + std::to_string(id) + R"(,"delivery":)" + text + "}";
    };
    co_return co_await program_->ask(line_of);
  }

  asio::awaitable<Outcome> ask(Hash128 key) override {
    const Program::LineOf line_of = [&](std::uint64_t id) {
      return R"({"do":"ask","id":)" + std::to_string(id) + R"(,"key":")" + to_hex(key) + "\"}";
    };
    co_return co_await program_->ask(line_of);
  }

  asio::awaitable<Received> receive(net::Asked asked) override {
    if (!hearing_.receives) co_return answered(404, "`receives` is not set for this channel");
    std::string text;
    append_request(text, asked);
    const Program::LineOf line_of = [&](std::uint64_t id) {
      return R"({"do":"receive","id":)" + std::to_string(id) + R"(,"request":)" + text + "}";
    };
    auto received = co_await program_->hear(line_of);
    if (!received) co_return answered(503, "it could not be read; send it again");
    co_return *std::move(received);
  }

  Duration look_every() const override { return hearing_.look_every; }

  asio::awaitable<Received> look() override {
    std::string number;
    const Program::LineOf line_of = [&](std::uint64_t id) {
      number = std::to_string(id);
      return R"({"do":"look","id":)" + number + "}";
    };
    auto received = co_await program_->hear(line_of);
    if (!received) co_return Received{};
    received->kept = [weak = std::weak_ptr(program_), number] {
      if (const auto program = weak.lock()) program->note(R"({"do":"kept","id":)" + number + "}");
    };
    co_return *std::move(received);
  }

 private:
  std::shared_ptr<Program> program_;
  Hearing hearing_;
};

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  Program::Settings program;
  program.command = given.text("command");
  if (given.has("folder")) program.folder = given.text("folder");
  program.answer_within = given.duration("answer_within");
  program.stop_within = given.duration("stop_within");
  Process::Hearing hearing{given.flag("receives"), {}};
  if (given.has("look_every")) hearing.look_every = given.duration("look_every");
  return std::unique_ptr<Connector>(
      std::make_unique<Process>(std::move(program), hearing, std::move(tools)));
}

}  // namespace

const ConnectorType& process() {
  static const ConnectorType type{
      .name = "process",
      .summary = "Hands each delivery to a program of yours, in lines of JSON.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::CanBeAsked,
                       .at_once = 64,
                       .receives = true,
                       .replies = true},
      .open = open};
  return type;
}

}  // namespace koi::connectors
