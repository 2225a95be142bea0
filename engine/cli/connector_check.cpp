#include "cli/connector_check.h"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <memory>

#include "connectors/list.h"
#include "runtime/clock.h"

namespace koi::cli {

namespace {

using channel::Connector;
using channel::ConnectorType;
using channel::Deferred;
using channel::Level;
using channel::Outcome;
using channel::Pending;
using channel::Received;
using channel::Settings;
using channel::Tools;
using channel::Unknown;
using std::chrono::steady_clock;

constexpr const char* answer_within = "10s";
constexpr std::chrono::seconds stop_within(2);

class Checks {
 public:
  Checks(const std::string& command, const Address& person, bool receives)
      : person_(person), seed_(hash64(command, static_cast<std::uint64_t>(clock_.now().us))) {
    const ConnectorType* const type = find(connectors::all(), "process");
    KOI_ASSERT(type);
    type_ = type;
    auto settings = Settings::read(type->settings,
                                   {{"command", command},
                                    {"answer_within", answer_within},
                                    {"receives", receives},
                                    {"stop_within", std::to_string(stop_within.count()) + "s"}});
    KOI_ASSERT(settings);
    settings_ = *std::move(settings);
  }

  std::vector<Check> run() {
    open();
    const Delivery first = delivery("Koi checks this connector.");
    const Outcome outcome = deliver(first);
    holds("a message is taken", is_done(outcome), outcome);
    if (!is_done(outcome)) return std::move(checks_);

    const Outcome again = deliver(first);
    holds("a message that comes again under its key is taken", is_done(again), again);
    const Outcome known = ask(first.key);
    holds("asked about a key that it took, it answers", answered(known), known);
    const Outcome never = ask(delivery("").key);
    holds("asked about a key that it never saw, it does not say that it has it",
          answered(never) && !is_done(never), never);

    Delivery hostile =
        delivery("line\nbreak \"quotes\" \\ \x01 \xF0\x9F\x8E\x89 </script>\r\n{}[]");
    hostile.title = std::string(300, 'x');
    hostile.customer = "a'b\"; --";
    for (int i = 0; i < 12; ++i) hostile.body += hostile.body;
    const Outcome odd = deliver(hostile);
    holds("a long message with odd characters is answered", answered(odd), odd);

    const std::size_t count = type_->capabilities.at_once;
    const std::size_t done = many(count);
    checks_.push_back({std::to_string(count) + " messages at the same time are all taken",
                       done == count ? "" : std::to_string(done) + " were"});

    if (settings_.flag("receives")) unsigned_callback();

    cancelled();
    const Outcome after = deliver(delivery("After one that was cancelled."));
    holds("after a request that was cancelled it goes on", is_done(after), after);

    const auto begin = steady_clock::now();
    connector_.reset();
    checks_.push_back(
        {"it ends when its input is closed",
         steady_clock::now() - begin < stop_within
             ? ""
             : "it was still there after " + std::to_string(stop_within.count()) + " seconds"});
    open();
    ends_in_mid_flight();
    open();
    const Outcome later = ask(first.key);
    holds("started again, it says the same of that key", later.index() == known.index(), later);
    connector_.reset();
    checks_.push_back({"it writes nothing but answers, and lives", log_});
    std::string told;
    for (const std::string& text : {person_.value, first.customer, first.body})
      if (!text.empty() && said_.find(text) != std::string::npos) told = "they do";
    checks_.push_back({"its reasons hold neither address, nor customer, nor text", told});
    return std::move(checks_);
  }

 private:
  // Or the provider has it and will say what became of it.
  static bool is_done(const Outcome& outcome) {
    return std::holds_alternative<channel::Done>(outcome) ||
           std::holds_alternative<Pending>(outcome);
  }
  // By the program itself, and not for it.
  bool answered(const Outcome& outcome) const {
    const auto* const unknown = std::get_if<Unknown>(&outcome);
    const auto* const deferred = std::get_if<Deferred>(&outcome);
    const std::string none;  // or the condition's value would be a text that is gone at once
    const std::string& why = unknown ? unknown->why : deferred ? deferred->why : none;
    return !why.starts_with("the program ");
  }

  void holds(std::string promise, bool so, const Outcome& seen) {
    checks_.push_back({std::move(promise), so ? "" : to_string(seen)});
  }

  void open() {
    Tools tools{context_.get_executor(), nullptr, [this] { return clock_.now(); },
                [this](Level, std::string_view line) {
                  log_.append(log_.empty() ? "" : "; ").append(line);
                }};
    auto connector = type_->open(settings_, std::move(tools));
    KOI_ASSERT(connector);  // its program is started with the first message
    connector_ = *std::move(connector);
  }

  Delivery delivery(std::string body) {
    Delivery made;
    made.key = HashInput().text("check").number(++last_).hash128(seed_);
    made.customer = "customer-of-the-check";
    made.addresses = {person_};
    made.channel = "check";
    made.campaign = "check";
    made.content = "check";
    made.title = "Koi";
    made.body = std::move(body);
    made.link = "https://example.com/";
    return made;
  }

  Outcome finish(asio::awaitable<Outcome> work) {
    Outcome outcome;
    asio::co_spawn(context_, std::move(work), [&](std::exception_ptr, Outcome got) {
      outcome = std::move(got);
      context_.stop();
    });
    context_.restart();
    context_.run();
    said_ += to_string(outcome) + "\n";
    return outcome;
  }
  Outcome deliver(const Delivery& delivery) { return finish(connector_->deliver(delivery)); }
  Outcome ask(Hash128 key) { return finish(connector_->ask(key)); }

  std::size_t many(std::size_t count) {
    std::size_t left = count, done = 0;
    for (std::size_t i = 0; i < count; ++i)
      asio::co_spawn(context_, connector_->deliver(delivery("Number " + std::to_string(i) + ".")),
                     [&](std::exception_ptr, const Outcome& got) {
                       said_ += to_string(got) + "\n";
                       done += is_done(got);
                       if (--left == 0) context_.stop();
                     });
    context_.restart();
    context_.run();
    return done;
  }

  // What anybody could send.
  void unsigned_callback() {
    const net::Asked asked{"POST", "/v1/callbacks/check", "a=1", {{"X-Check", "1"}}, "{}"};
    Received received;
    asio::co_spawn(context_, connector_->receive(asked), [&](std::exception_ptr, Received got) {
      received = std::move(got);
      context_.stop();
    });
    context_.restart();
    context_.run();
    const int status = received.answer.status;
    const bool tells = !received.events.empty() || !received.reports.empty();
    checks_.push_back({"a callback that nobody signed is refused and tells nothing",
                       tells                           ? "it told something"
                       : status >= 400 && status < 500 ? ""
                       : status == 503 && received.answer.body != ""
                           ? "it did not answer"
                           : "it answered " + std::to_string(status)});
  }

  void cancelled() {
    asio::cancellation_signal cancel;
    asio::co_spawn(
        context_, connector_->deliver(delivery("This one is cancelled.")),
        asio::bind_cancellation_slot(cancel.slot(),
                                     [&](std::exception_ptr, const Outcome&) { context_.stop(); }));
    context_.restart();
    context_.poll_one();
    cancel.emit(asio::cancellation_type::terminal);
    context_.restart();
    context_.run();
  }

  // A message is on its way when the end comes.
  void ends_in_mid_flight() {
    asio::cancellation_signal cancel;
    asio::co_spawn(
        context_, connector_->deliver(delivery("This one is broken off.")),
        asio::bind_cancellation_slot(cancel.slot(), [](std::exception_ptr, const Outcome&) {}));
    context_.restart();
    context_.run_for(std::chrono::milliseconds(20));
    cancel.emit(asio::cancellation_type::terminal);
    context_.restart();
    context_.run_for(std::chrono::milliseconds(20));
    const auto begin = steady_clock::now();
    connector_.reset();
    const bool in_time = steady_clock::now() - begin < stop_within;
    checks_.push_back({"it ends while a message is on its way",
                       in_time ? "" : "it was still there after two seconds"});
    context_.restart();
    context_.poll();
  }

  runtime::SystemClock clock_;
  Address person_;
  std::uint64_t seed_;  // keys that no earlier check has used
  std::uint64_t last_ = 0;
  const ConnectorType* type_ = nullptr;
  Settings settings_;
  asio::io_context context_;
  std::unique_ptr<Connector> connector_;
  std::string log_, said_;
  std::vector<Check> checks_;
};

}  // namespace

std::vector<Check> check_program(const std::string& command, const Address& person, bool receives) {
  return Checks(command, person, receives).run();
}

}  // namespace koi::cli
