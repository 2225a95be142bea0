// Process: deliveries as lines of JSON to a program that runs beside Koi, answers as lines back. So
// a connector can be written in any language; README.md has the lines, and one in Python.
#include <array>

#include "channel/connector.h"
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
};

class Process final : public Connector {
 public:
  Process(Program::Settings program, Tools tools)
      : program_(std::move(program), std::move(tools)) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    std::string text;
    append_delivery(text, delivery);
    const Program::LineOf line_of = [&](std::uint64_t id) {
      return R"({"do":"deliver","id":)" + std::to_string(id) + R"(,"delivery":)" + text + "}";
    };
    co_return co_await program_.ask(line_of);
  }

  asio::awaitable<Outcome> ask(Hash128 key) override {
    const Program::LineOf line_of = [&](std::uint64_t id) {
      return R"({"do":"ask","id":)" + std::to_string(id) + R"(,"key":")" + to_hex(key) + "\"}";
    };
    co_return co_await program_.ask(line_of);
  }

 private:
  Program program_;
};

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  Program::Settings program;
  program.command = given.text("command");
  if (given.has("folder")) program.folder = given.text("folder");
  program.answer_within = given.duration("answer_within");
  program.stop_within = given.duration("stop_within");
  return std::unique_ptr<Connector>(
      std::make_unique<Process>(std::move(program), std::move(tools)));
}

}  // namespace

const ConnectorType& process() {
  static const ConnectorType type{
      .name = "process",
      .summary = "Hands each delivery to a program of yours, in lines of JSON.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::CanBeAsked, .at_once = 64},
      .open = open};
  return type;
}

}  // namespace koi::connectors
