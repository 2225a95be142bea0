// Outbox: what was decided to be sent, on its way through the connectors. It decides when an
// attempt is made, how often, and when to give up, and nothing about whom or what. What it knows is
// progress: it may be lost, and then comes again from the journal (OpenDeliveries).
//
// One thread: that of the executor, on which the connectors run too.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "channel/connector.h"
#include "model/delivery.h"
#include "model/receipt.h"
#include "runtime/clock.h"

namespace koi::channel {
class Limits;
class Allowance;
}  // namespace koi::channel

namespace koi::runtime {

struct Send {
  Delivery delivery;
  Timestamp decided;           // when the decision was made
  std::uint64_t position = 0;  // of the input that it follows from, in its group's journal
};

// The send's final receipt; each send gets one.
struct Ended {
  std::string customer;
  std::uint64_t position = 0;  // as the send had it
  Receipt receipt;
};

// What the journal knows of deliveries. Durability implements it.
class OpenDeliveries {
 public:
  virtual ~OpenDeliveries() = default;

  // Makes durable that an attempt for this key will be made, then calls `then`, once, on any
  // thread. Asked only for connectors that can do neither (channel::Repeat), before their first
  // attempt.
  virtual void attempting(Hash128 key, std::uint64_t position,
                          std::function<void(Result<void>)> then) = 0;

  // False where the customer has refused such messages since this one was decided: it must not be
  // handed over any more, and fails. Asked before each attempt, on the executor's thread.
  virtual bool is_wanted(Hash128 /*key*/) const { return true; }

  // The provider has it and what becomes of it is not yet said: told each time that it says so, on
  // the executor's thread. Of use to who shows the person how to confirm.
  virtual void pending(Hash128 /*key*/, const channel::Pending& /*pending*/) {}

  // What was sent before the last stop and has no receipt, in the order of the journal. To be taken
  // once, before the first send. `attempted` says whether `attempting` was made durable for it.
  struct Open {
    Send send;
    bool attempted = false;
  };
  virtual Result<std::vector<Open>> take_open() = 0;
};

// Where the deliveries of one channel go.
struct Lane {
  std::string channel;
  const channel::ConnectorType* type = nullptr;
  std::shared_ptr<channel::Connector> connector;  // channels may share one
  std::uint32_t rate_per_second = 0;              // at most so many attempts in any second; 0: any
  // What its provider takes of a message, and how many; shared as the connector is. Null: anything.
  std::shared_ptr<const channel::Limits> limits = nullptr;
  std::shared_ptr<channel::Allowance> allowance = nullptr;
  std::string address = {};  // of what has no other: whom the staff is reached by
};

struct OutboxSettings {
  Duration first_wait = seconds(1);      // before the second attempt; doubles each time …
  Duration longest_wait = minutes(10);   // … up to this; jitter takes up to half off
  Duration attempt_within = minutes(2);  // then it is cancelled
  Duration cancel_within = seconds(5);   // then it is given up on
  Duration give_up_after = days(3);      // from the decision, where the send has no `not_after`
  Duration ask_for = days(1);            // how long after that an unknown one is asked about
  std::uint32_t failures_to_open = 5;    // in a row: the circuit opens …
  Duration circuit_wait = seconds(5);    // … for so long, doubling while the probe fails …
  Duration longest_circuit_wait = minutes(15);  // … up to this
  std::size_t capacity = 100'000;               // open sends; beyond it the door must close
  std::uint64_t seed = 1;                       // of the jitter

  // Only for tests, which leave one rule out to see that their checkers notice.
  enum class Rule : std::uint8_t { None, AskFirst, NeverTwice, RecordFirst, NotAfter, Wanted };
  Rule left_out = Rule::None;
};

struct OutboxCounts {
  std::uint64_t sends = 0, attempts = 0, asked = 0;
  // outcomes of attempts
  std::uint64_t done = 0, refused = 0, deferred = 0, unknown = 0, pending = 0;
  // final receipts
  std::uint64_t delivered = 0, failed = 0, ended_unknown = 0;
  std::uint64_t circuit_opened = 0, timed_out = 0;
  std::size_t open = 0, under_way = 0;  // now
};

class Outbox {
 public:
  using Say = std::function<void(channel::Level, std::string_view)>;
  using OnEnded = std::function<void(Ended)>;

  // What is referred to must outlive the outbox. `ended` is called on the executor's thread and
  // must not call back.
  Outbox(asio::any_io_executor executor, const Clock& clock, OutboxSettings settings,
         std::vector<Lane> lanes, OpenDeliveries& open, OnEnded ended, Say say);
  // Cancels what is under way; nothing is called any more.
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Takes up what was open at the last stop. Before the first `add`. Of those that may have been
  // attempted, a connector that recognises a key gets them again, one that can be asked is asked
  // first, and those of one that can do neither end as unknown, at once or, where the provider may
  // still report on them (Connector::reports_for), when that is over.
  Result<void> recover();

  // Takes a send whose cause is durable. The channel must have a lane. A key that is open already
  // is the same send: nothing happens.
  void add(Send send);

  // What a provider said by itself of a key: that it was delivered (None) or why it never will be.
  // Of a message to the staff that is to be taken: `by` has taken it. False where no such send is
  // open: it has its receipt, or was never sent.
  bool heard(Hash128 key, Failure failure, std::string by = {});

  std::size_t open() const;  // sends without a final receipt
  std::size_t pending()
      const;             // of these, those that a provider has and will report on; thread-safe
  bool is_full() const;  // the door should close until it is not; pending ones do not count

  // Does what is due by the clock. Everything else (sends, outcomes) does it by itself; only the
  // passing of time must be told.
  void turn();
  // When the next turn has something to do; never where nothing waits for the clock.
  Timestamp next() const;
  // Calls turn() by the executor's own timer until it is cancelled. For real time.
  asio::awaitable<void> run();

  // Makes no more attempts and waits for those under way; after `within` they are cancelled. What
  // has no receipt then is open at the next start. In real time.
  asio::awaitable<void> drain(Duration within);

  std::map<std::string, OutboxCounts> counts() const;  // by channel

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace koi::runtime
