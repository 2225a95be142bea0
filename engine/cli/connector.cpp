// koi connectors, koi connector: what is built in, one real message, a code to scan, and the checks
// of a program.
#include <CLI/CLI.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <memory>
#include <random>

#include "channel/codes.h"
#include "channel/limits.h"
#include "cli/command.h"
#include "cli/connector_check.h"
#include "connectors/list.h"
#include "runtime/clock.h"
#include "runtime/environment.h"

namespace koi::cli {

namespace {

using channel::ConnectorType;
using channel::Outcome;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string told(const ConnectorType& type) {
  std::string out(type.name);
  out.append("\n  ").append(type.summary).append("\n");
  std::size_t width = 0;
  for (const channel::Setting& setting : type.settings)
    width = std::max(width, setting.name.size());
  for (const channel::Setting& setting : type.settings) {
    out += "    " + padded(std::string(setting.name), width) + "  ";
    out += padded(std::string(name_of(setting.kind)), 8) + "  ";
    const bool must = setting.otherwise.empty() && !setting.optional;
    out.append(setting.help).append(must ? " It must be given." : "");
    if (!setting.otherwise.empty()) out.append(" Else: ").append(setting.otherwise);
    out += '\n';
  }
  for (const channel::Form& form : type.capabilities.forms) {
    out += "  " + (form.name.empty() ? std::string("It sends ") : std::string(form.name) + ": ");
    out += name_of(form.format);
    for (const channel::Length& length : form.lengths) out += "; " + to_string(length);
    for (const channel::Amount& amount : form.amounts) out += "; at most " + to_string(amount);
    out += ".\n";
  }
  for (const channel::Amount& amount : type.capabilities.amounts)
    out += "  The provider takes at most " + to_string(amount) + ".\n";
  if (!type.capabilities.zone.empty())
    out.append("  Its day begins by the clocks of ").append(type.capabilities.zone) += ".\n";
  for (const channel::PerPerson& limit : type.capabilities.per_person)
    out.append("  One person may be sent of ")
        .append(limit.what)
        .append(": ")
        .append(limit.clause) += '\n';
  return out + "  After an attempt whose outcome is unknown: " +
         std::string(name_of(type.capabilities.repeat)) + ".\n";
}

struct Message {
  std::string name, config, to, title = "Koi", body = "A message to try the channel.", link;
};

Result<Address> address_of(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || equals + 1 == text.size())
    return Error{"usage", "`--to` takes KIND=VALUE, such as email=ann@example.com"};
  return Address{text.substr(0, equals), text.substr(equals + 1)};
}

// The channel of that name, or the one that the connector of that name serves.
Result<std::string> channel_named(const runtime::Environment& environment,
                                  const std::string& name) {
  if (environment.channels.contains(name)) return name;
  std::string found, channels;
  for (const auto& [channel, given] : environment.channels) {
    channels.append(channels.empty() ? "" : ", ").append(channel);
    if (given.connector != name) continue;
    if (!found.empty())
      return Error{"usage", "several channels have the connector `" + name +
                                "`; name one: " + found + ", " + channel};
    found = channel;
  }
  if (found.empty())
    return Error{"usage", environment.file + " names no channel `" + name +
                              "` and none with that connector; there are: " +
                              (channels.empty() ? "none" : channels)};
  return found;
}

// One channel of an environment file, with what its connector needs around it.
struct OneChannel {
  std::string name, connector;
  asio::io_context context;
  std::unique_ptr<net::Client> http;
  runtime::SystemClock clock;
  channel::Notebook notes{[this] { return clock.now(); }};
  std::unique_ptr<channel::Connector> opened;
  channel::Limits limits;

  static Result<std::unique_ptr<OneChannel>> open(const std::string& config,
                                                  const std::string& named) {
    KOI_LET(const auto environment, runtime::read_environment(config));
    auto made = std::make_unique<OneChannel>();
    KOI_LET(made->name, channel_named(environment, named));
    const auto& channel = environment.channels.at(made->name);
    made->connector = channel.connector;
    const ConnectorType* const type = channel::find(connectors::all(), channel.connector);
    if (!type)
      return Error{"usage",
                   "there is no connector `" + channel.connector + "`; `koi connectors` lists all"};
    KOI_LET(const auto settings, channel::Settings::read(type->settings, channel.settings));
    KOI_LET(made->limits, channel::Limits::of(*type, channel.settings));
    made->http = std::make_unique<net::Client>(made->context.get_executor(), environment.http);
    KOI_LET(made->opened, type->open(settings, {made->context.get_executor(), made->http.get(),
                                                [&clock = made->clock] { return clock.now(); },
                                                [](channel::Level, std::string_view line) {
                                                  std::fprintf(stderr, "%.*s\n",
                                                               static_cast<int>(line.size()),
                                                               line.data());
                                                },
                                                &made->notes}));
    return made;
  }
};

int send(const Message& message) {
  const auto channel = OneChannel::open(message.config, message.name);
  if (!channel) return trouble(channel.error().what);
  OneChannel& one = **channel;
  Delivery delivery;
  if (!message.to.empty()) {
    auto address = address_of(message.to);
    if (!address) return trouble(address.error().what);
    delivery.addresses = {*std::move(address)};
  }
  std::random_device chance;  // a key that was never there before
  delivery.key = HashInput().number(chance()).number(chance()).number(chance()).hash128();
  delivery.customer = "test";
  delivery.channel = one.name;
  delivery.campaign = "test";
  delivery.content = "test";
  delivery.title = message.title;
  delivery.body = message.body;
  delivery.link = message.link;

  if (const std::string why = one.limits.refusal(delivery); !why.empty())
    return print(one.name + " (" + one.connector + "): not attempted: " + why + "\n", Findings);
  Outcome outcome;
  asio::co_spawn(one.context, one.opened->deliver(delivery), [&](std::exception_ptr, Outcome got) {
    outcome = std::move(got);
    one.context.stop();
  });
  one.context.run();
  const bool done = std::holds_alternative<channel::Done>(outcome) ||
                    std::holds_alternative<channel::Pending>(outcome);
  return print(one.name + " (" + one.connector + "), key " + to_hex(delivery.key) + ": " +
                   to_string(outcome) + "\n",
               done ? Done : Findings);
}

struct Wanted {
  std::string name, config, scene;
  int days = 0;  // none: for good
};

int make_code(const Wanted& wanted) {
  const auto channel = OneChannel::open(wanted.config, wanted.name);
  if (!channel) return trouble(channel.error().what);
  OneChannel& one = **channel;
  channel::MakesCodes* const makes = one.opened->codes();
  if (!makes) return trouble(one.connector + " makes no codes");
  std::string picture, wrong = "it was broken off";
  const auto work = [&]() -> asio::awaitable<void> {
    channel::CodeWanted code{wanted.scene, {}};
    if (wanted.days > 0) code.lasts = days(wanted.days);
    auto made = co_await makes->code(std::move(code));
    wrong = made ? "" : made.error().what;
    if (made) picture = *std::move(made);
  };
  asio::co_spawn(one.context, work(), [&](const std::exception_ptr&) { one.context.stop(); });
  one.context.run();
  if (!wrong.empty()) return trouble(one.name + ": no code was made: " + wrong);
  return print(picture + "\n");
}

// As /bin/sh takes it apart again.
std::string quoted(const std::vector<std::string>& words) {
  std::string command;
  for (const std::string& word : words) {
    command += command.empty() ? "exec '" : " '";
    for (const char c : word) command += c == '\'' ? "'\\''" : std::string(1, c);
    command += '\'';
  }
  return command;
}

int check(const std::vector<std::string>& words, const std::string& to, bool receives) {
  const auto person = address_of(to);
  if (!person) return trouble(person.error().what);
  std::string out;
  bool fine = true;
  for (const Check& one : check_program(quoted(words), *person, receives)) {
    fine = fine && one.wrong.empty();
    out += (one.wrong.empty() ? "ok    " : "no    ") + one.promise;
    out += one.wrong.empty() ? "\n" : "\n      " + one.wrong + "\n";
  }
  return print(out, fine ? Done : Findings);
}

}  // namespace

std::function<int()> add_connectors(CLI::App&) {
  return [] {
    std::string out;
    for (const ConnectorType* const type : connectors::all())
      out += (out.empty() ? "" : "\n") + told(*type);
    return print(out);
  };
}

std::function<int()> add_connector(CLI::App& app) {
  app.require_subcommand(1);
  auto message = std::make_shared<Message>();
  CLI::App* const test =
      app.add_subcommand("test", "Sends one real message, and says what came of it");
  test->add_option("name", message->name, "A channel of the environment file, or its connector")
      ->required();
  test->add_option("--config", message->config, "The environment file")->required();
  test->add_option("--to", message->to, "Whom to: KIND=VALUE, such as email=ann@example.com");
  test->add_option("--title", message->title, "What it says, above")->capture_default_str();
  test->add_option("--body", message->body, "What it says")->capture_default_str();
  test->add_option("--link", message->link, "Where it leads");

  auto wanted = std::make_shared<Wanted>();
  CLI::App* const code = app.add_subcommand(
      "code", "Makes a code that leads to the channel when it is scanned, and prints where it is");
  code->add_option("name", wanted->name, "A channel of the environment file, or its connector")
      ->required();
  code->add_option("--config", wanted->config, "The environment file")->required();
  code->add_option("--scene", wanted->scene, "What `scan` and `follow` then say that it was")
      ->required();
  code->add_option("--days", wanted->days, "For how many days; else for good")
      ->check(CLI::Range(1, 3650));

  auto command = std::make_shared<std::vector<std::string>>();
  auto person = std::make_shared<std::string>("email=ann@example.com");
  CLI::App* const checks = app.add_subcommand(
      "check", "Checks a program that is a connector by handing it some eighty messages");
  checks->add_option("--to", *person, "Whom the messages are for")->capture_default_str();
  auto receives = std::make_shared<bool>(false);
  checks->add_flag("--receives", *receives, "It takes callbacks: one that nobody signed is tried");
  checks->add_option("command", *command, "The program and its arguments, after --")->required();
  return [=] {
    if (code->parsed()) return make_code(*wanted);
    return test->parsed() ? send(*message) : check(*command, *person, *receives);
  };
}

}  // namespace koi::cli
