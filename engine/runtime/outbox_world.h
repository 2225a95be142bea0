// What the outbox is tried in: a provider that follows a script, a journal in memory, and a clock
// that is set by hand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runtime/outbox.h"

namespace koi::runtime {

using namespace channel;

// For tests that hold of providers of every kind, whatever they do with a key that comes again.
inline const auto every_kind =
    testing::Values(Repeat::Recognised, Repeat::CanBeAsked, Repeat::Neither);
inline std::string name_of_kind(const testing::TestParamInfo<Repeat>& kind) {
  return kind.param == Repeat::Recognised   ? "recognised"
         : kind.param == Repeat::CanBeAsked ? "asked"
                                            : "neither";
}

// A provider that does what its script says at the instants of a manual clock, and remembers what
// truly happened.
class Scripted final : public Connector {
 public:
  // What comes of one act: whether the provider took it, what it said, and when.
  struct Answer {
    Outcome outcome = Done{};
    bool taken = false;
    Duration after = microseconds(0);
    bool never = false;     // it answers only when it is cancelled …
    bool stubborn = false;  // … and not even then
    bool throws = false;
  };
  using Script = std::function<Answer(const Delivery*, Hash128)>;  // null: asked

  Scripted(asio::any_io_executor executor, const Clock& clock, Script script)
      : executor_(std::move(executor)), clock_(clock), script_(std::move(script)) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    const Answer answer = script_(&delivery, delivery.key);
    attempts.push_back({clock_.now(), delivery});
    if (answer.taken) taken.push_back(delivery.key);
    ++under_way;
    most_under_way = std::max(most_under_way, under_way);
    Outcome outcome = co_await answered(answer);
    --under_way;
    if (answer.throws) throw std::runtime_error("as the script says");
    co_return outcome;
  }
  // Each as the script says; when and how the answer comes is as it says of the first.
  asio::awaitable<std::vector<Outcome>> deliver_together(
      std::vector<Delivery> deliveries) override {
    requests.push_back({clock_.now(), deliveries.size()});
    std::vector<Answer> answers;
    for (const Delivery& delivery : deliveries) {
      answers.push_back(script_(&delivery, delivery.key));
      attempts.push_back({clock_.now(), delivery});
      if (answers.back().taken) taken.push_back(delivery.key);
    }
    ++under_way;
    most_under_way = std::max(most_under_way, under_way);
    const Outcome first = co_await answered(answers[0]);
    --under_way;
    if (answers[0].throws) throw std::runtime_error("as the script says");
    std::vector<Outcome> outcomes{first};
    for (std::size_t i = 1; i < answers.size(); ++i)
      outcomes.push_back(answers[0].never ? Unknown{} : answers[i].outcome);
    co_return outcomes;
  }
  Together together() const override { return gathers; }
  std::string alike(const Delivery& delivery) const override { return delivery.body; }
  Duration reports_for(const Delivery&) const override { return reports; }

  asio::awaitable<Outcome> ask(Hash128 key) override {
    const Answer answer = script_(nullptr, key);
    ++asked;
    Outcome outcome = co_await answered(answer);
    co_return outcome;
  }

  // When an answer is due next; never where none is.
  Timestamp next() const {
    Timestamp at = Timestamp::never();
    for (const Waiting& waiting : waiting_) at = std::min(at, waiting.due);
    return at;
  }
  // Gives the answers that are due.
  void turn() {
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (it->due > clock_.now()) {
        ++it;
        continue;
      }
      auto done = std::move(it->done);
      it = waiting_.erase(it);
      done();
    }
  }

  struct Attempt {
    Timestamp at;
    Delivery delivery;
  };
  struct Request {
    Timestamp at;
    std::size_t size = 0;
    friend bool operator==(const Request&, const Request&) = default;
  };
  std::vector<Request> requests;  // those that carried several
  Together gathers;
  Duration reports;
  std::vector<Attempt> attempts;
  std::vector<Hash128> taken;
  int asked = 0;
  std::size_t under_way = 0, most_under_way = 0;

 private:
  struct Waiting {
    Timestamp due;
    std::function<void()> done;
    std::function<void()> cancel;
    std::uint64_t id = 0;
  };
  asio::awaitable<Outcome> answered(Answer answer) {
    auto initiate = [&](auto handler) {
      auto slot = asio::get_associated_cancellation_slot(handler);
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      const auto complete = [this, shared](Outcome outcome) {
        asio::post(executor_, [shared, outcome = std::move(outcome)]() mutable {
          asio::get_associated_cancellation_slot(*shared).clear();
          std::move (*shared)(std::move(outcome));
        });
      };
      const std::uint64_t id = ++last_;
      if (slot.is_connected() && !answer.stubborn)
        slot.assign([this, id, complete](asio::cancellation_type) {
          const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                          [&](const Waiting& waiting) { return waiting.id == id; });
          if (found == waiting_.end()) return;
          waiting_.erase(found);
          complete(Unknown{});
        });
      waiting_.push_back({answer.never ? Timestamp::never() : clock_.now() + answer.after,
                          [complete, outcome = answer.outcome] { complete(outcome); }, nullptr,
                          id});
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Outcome)>(
        initiate, asio::use_awaitable);
  }

  asio::any_io_executor executor_;
  const Clock& clock_;
  Script script_;
  std::list<Waiting> waiting_;
  std::uint64_t last_ = 0;
};

// What durability knows, in memory: it outlives an outbox that dies.
class Memory final : public OpenDeliveries {
 public:
  void attempting(Hash128 key, std::uint64_t, std::function<void(Result<void>)> then) override {
    if (fails) return then(Error{"full", "the disk is full"});
    attempted.insert(key);
    then({});
  }
  Result<std::vector<Open>> take_open() override {
    std::vector<Open> all;
    for (const Send& send : sent)
      if (!ended.contains(send.delivery.key))
        all.push_back({send, attempted.contains(send.delivery.key)});
    return all;
  }
  bool is_wanted(Hash128 key) const override { return !refused.contains(key); }
  std::vector<Send> sent;
  void pending(Hash128, const Pending&) override { ++pendings; }
  std::set<Hash128> attempted, ended, refused;
  bool fails = false;
  int pendings = 0;
};

inline const Timestamp start = *parse_instant("2026-03-02T10:00:00Z");

class World {
 public:
  World(Repeat repeat, Scripted::Script script, OutboxSettings with = {}, std::uint32_t rate = 0,
        std::uint32_t at_once = 64, Together gathers = {})
      : settings(with) {
    type.name = "scripted";
    type.capabilities = {repeat, at_once};
    connector = std::make_shared<Scripted>(context.get_executor(), clock, std::move(script));
    connector->gathers = gathers;
    lane = {"sms", &type, connector, rate};
    open();
  }
  ~World() {
    outbox.reset();
    context.poll();
  }
  void open() {
    outbox = std::make_unique<Outbox>(
        context.get_executor(), clock, settings, std::vector{lane}, memory,
        [this](Ended ended) {
          ++receipts[ended.receipt.key];
          memory.ended.insert(ended.receipt.key);
          last.insert_or_assign(ended.receipt.key, ended);
        },
        [this](Level, std::string_view line) { log.append(line).append("\n"); });
  }
  // The process dies: what was under way is gone, what it said is not heard.
  void crash() {
    outbox.reset();
    context.restart();
    context.poll();
    open();
    ASSERT_TRUE(outbox->recover());
  }
  void send(std::uint64_t number, Timestamp not_after = Timestamp::never(),
            Timestamp not_before = Timestamp::ever(), std::string body = "",
            std::string address = "") {
    Send made;
    made.delivery.body = std::move(body);
    made.delivery.reply_to = answers_to;
    if (!address.empty()) made.delivery.addresses = {{"phone", std::move(address)}};
    made.delivery.key = key(number);
    made.delivery.customer = "ann";
    made.delivery.channel = "sms";
    made.delivery.not_after = not_after;
    made.delivery.not_before = not_before;
    made.delivery.has_another_way = has_another_way;
    made.decided = clock.now();
    made.position = number;
    memory.sent.push_back(made);
    outbox->add(std::move(made));
  }
  static Hash128 key(std::uint64_t number) { return {0xabc, number}; }
  void poll() {
    context.restart();
    while (context.poll() > 0) context.restart();
  }
  // Lets time pass, stopping wherever something is due.
  void run_until(Timestamp to) {
    for (int turns = 0; turns < 1'000'000; ++turns) {
      outbox->turn();
      connector->turn();
      poll();
      const Timestamp next = std::min(outbox->next(), connector->next());
      if (next > to) break;
      if (next > clock.now()) clock.set(next);
    }
    clock.set(to);
    outbox->turn();
    poll();
  }
  std::string came_of(std::uint64_t number) const {
    const auto found = last.find(key(number));
    if (found == last.end()) return "open";
    if (found->second.receipt.unknown) return "unknown";
    const Failure failure = found->second.receipt.failure;
    return failure == Failure::None ? "delivered" : std::string(name_of(failure));
  }

  asio::io_context context;
  ManualClock clock{start};
  OutboxSettings settings;
  ConnectorType type;
  std::shared_ptr<Scripted> connector;
  Lane lane;
  Memory memory;
  std::map<Hash128, int> receipts;
  std::map<Hash128, Ended> last;
  std::string log;
  std::string answers_to;        // what the next sends answer, if anything
  bool has_another_way = false;  // whether the next sends have one
  std::unique_ptr<Outbox> outbox;
};

inline Scripted::Answer says(Outcome outcome, bool taken = false) {
  Scripted::Answer answer;
  answer.outcome = std::move(outcome);
  answer.taken = taken;
  return answer;
}
// The first acts as listed, and every later one as the last.
inline Scripted::Script in_turn(std::vector<Scripted::Answer> answers) {
  return [answers, at = std::size_t{0}](const Delivery*, Hash128) mutable {
    return answers[std::min(at++, answers.size() - 1)];
  };
}

}  // namespace koi::runtime
