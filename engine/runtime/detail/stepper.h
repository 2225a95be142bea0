// Stepper: what one thread of a run owns: customers, their timers, what it counted, and the lines
// of effects that they have led to. A batch of events is stepped in rounds (run.cpp). Inside
// runtime only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "core/accounts.h"
#include "core/decide.h"
#include "runtime/customers.h"
#include "runtime/decode.h"
#include "runtime/effects.h"
#include "runtime/summary.h"

namespace koi::runtime {

constexpr std::size_t events_in_a_batch = 2048;

// The events of one round, in the order of their arrival, and what happens behind them.
struct Batch {
  struct Entry {
    Incoming incoming;
    std::uint64_t hash = 0;  // of the customer's id
  };
  std::vector<Entry> entries = std::vector<Entry>(events_in_a_batch);  // used again and again
  std::size_t count = 0;
  std::uint64_t first_arrival = 0;
  Timestamp bound = Timestamp::ever();  // timers due before it fire in this round …
  bool inclusive = false;               // … and those due at it
  // When tiers are refreshed behind this round, whose bound it is then; never: they are not.
  Timestamp refreshing = Timestamp::never();
  std::optional<Event> to_everyone;  // what happens to everyone behind this round …
  std::optional<Event> meeting;      // … or shows that two customers may be one person
  std::vector<std::vector<std::uint32_t>> of_thread;

  explicit Batch(unsigned threads) : of_thread(threads) {}
  bool is_empty() const {
    return count == 0 && refreshing == Timestamp::never() && !to_everyone && !meeting;
  }
  void clear() {
    count = 0;
    inclusive = false;
    refreshing = Timestamp::never();
    to_everyone.reset();
    meeting.reset();
    for (auto& each : of_thread) each.clear();
  }
};

// Where a line of effects has its place: by the time, then events by arrival, then timers by
// customer; what one input caused stays in its order.
struct Place {
  Timestamp time;
  std::uint64_t arrival;  // of the event; timer: of none
  const std::string* customer;
  friend bool operator<(const Place& a, const Place& b) {
    if (a.time != b.time) return a.time < b.time;
    if (a.arrival != b.arrival) return a.arrival < b.arrival;
    // Of an event to everyone there are many, too.
    return a.customer != b.customer && *a.customer < *b.customer;
  }
  static constexpr std::uint64_t timer = UINT64_MAX;
};

// One thread's own. `plan` and `index` must outlive it.
class Stepper {
 public:
  Stepper(const plan::Plan& plan, const match::Index& index, bool wants_lines, bool keep_messages);

  // One round. Afterwards lines() are in order.
  void step(const Batch& batch, const std::vector<std::uint32_t>& mine);

  // Beside the rounds, one after the other for all customers: an event for one of them, which came
  // as that arrival. begin_beside() and end_beside() stand around all of a thread's.
  void begin_beside();
  void happen(Customer& customer, const Event& event, std::uint64_t arrival);
  void end_beside();
  // In the order of their ids, which is that in which those who compete are served. Who is made by
  // a message meanwhile is none of them.
  std::vector<Customer*> everybody_in_order();
  Customer& customer(std::string_view id) { return customers_.of(id, hash64(id, partition_seed)); }
  // Two customers are one: all that the one who goes is, and what becomes of the one who stays.
  core::State take_out(Customer& goes, const std::string& stays, Timestamp at);
  void merge(Customer& stays, core::State other, const List<ArmTaken>& arms, Timestamp at,
             std::uint64_t arrival);

  struct Line {
    Place place;
    std::size_t begin, end;  // in out_
  };
  const std::vector<Line>& lines() const { return lines_; }
  std::string_view text(const Line& line) const {
    return std::string_view(out_).substr(line.begin, line.end - line.begin);
  }
  Timestamp next_due() const { return customers_.next_due(); }
  std::uint64_t customers() const { return customers_.size(); }
  const Summary& figures() const { return figures_; }
  const core::Accounts& accounts() const { return accounts_; }
  core::Accounts& accounts() { return accounts_; }
  struct Sample {
    Place place;
    Message message;
  };
  const std::vector<Sample>& samples() const { return samples_; }

 private:
  void sort_lines();
  bool due(Timestamp at, Timestamp bound, bool inclusive) const {
    return at < bound || (inclusive && at == bound && at != Timestamp::never());
  }
  void look_ahead(const Batch& batch, const std::vector<std::uint32_t>& mine, std::size_t i) const;
  void fire_all(Timestamp bound, bool inclusive);
  void fire_next();
  void fire(Customer& customer, Timestamp bound, bool inclusive);
  void count(core::Standing standing);
  void carry_out(Customer& customer, std::uint64_t arrival);
  void hand_on(std::uint64_t arrival);
  Customer& whoever_is(std::string_view id);
  void note(Customer& customer, const core::Effect& effect, std::uint64_t arrival);
  void sample(const Customer& customer, const core::Effect& effect, std::uint64_t arrival);

  const plan::Plan& plan_;
  core::Waking waking_;
  bool wants_lines_, keep_messages_;
  bool is_ordered_;  // customers compete: there is one stepper, and it serves them in one order
  core::Accounts accounts_;
  Customers customers_;
  EffectLines text_;
  std::vector<core::Effect> effects_;  // of the input at hand
  std::string out_;
  std::vector<Line> lines_;
  std::vector<Sample> samples_;
  Summary figures_;
};

}  // namespace koi::runtime
