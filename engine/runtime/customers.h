// Customers: the states of those whom one thread steps, found by id, with the queue of their
// timers.
#pragma once

#include <algorithm>
#include <deque>
#include <string_view>
#include <vector>

#include "core/decide.h"
#include "core/state.h"
#include "model/partition.h"
#include "runtime/experiments.h"

namespace koi::runtime {

struct Customer {
  core::State state;
  Timestamp queued = Timestamp::never();  // the instant under which he stands in the queue
  List<ArmTaken> arms;                    // of experiments
};

// One thread's own. References stay valid.
class Customers {
 public:
  explicit Customers(const plan::Plan& plan) : plan_(plan), slots_(1024) {}

  // The customer of that id, made new where he is unknown. `hash` is of the id.
  Customer& of(std::string_view id, std::uint64_t hash) {
    std::size_t at = hash / partition_count;  // the lower bits are his partition, which many share
    for (;; ++at) {
      Slot& slot = slots_[at & (slots_.size() - 1)];
      if (slot.number == 0) break;
      if (slot.tag != tag_of(hash)) continue;
      Customer& customer = customers_[slot.number - 1];
      if (customer.state.id == id) return customer;
    }
    return add(id, hash, at);
  }
  // Asks the processor to fetch what of() will want to see.
  void prefetch(std::uint64_t hash) const {
    __builtin_prefetch(&slots_[(hash / partition_count) & (slots_.size() - 1)]);
  }
  // Likewise for his state, in the steps of core::prefetch.
  void prefetch(std::uint64_t hash, int step) const {
    const Slot& slot = slots_[(hash / partition_count) & (slots_.size() - 1)];
    if (slot.number != 0 && slot.tag == tag_of(hash))
      core::prefetch(customers_[slot.number - 1].state, step);
  }

  // After the customer's state has changed: his next timer is queued, and room that journeys and
  // deliveries have left is given back; with a million customers it is most of what they would
  // take.
  void queue(Customer& customer) {
    customer.state.journeys.shrink_to_fit();
    customer.state.open.shrink_to_fit();
    const Timestamp due = core::next_due(customer.state);
    if (due >= customer.queued) return;  // he is looked at then, and queued anew
    customer.queued = due;
    timers_.push_back({due, &customer});
    std::push_heap(timers_.begin(), timers_.end(), later);
  }
  // When somebody's timer may be due; never where nobody's is.
  Timestamp next_due() const { return timers_.empty() ? Timestamp::never() : timers_.front().due; }
  // Takes whoever is due at next_due() out of the queue; null where he was queued for earlier.
  Customer* take_due() {
    std::pop_heap(timers_.begin(), timers_.end(), later);
    const Timer timer = timers_.back();
    timers_.pop_back();
    if (timer.customer->queued != timer.due) return nullptr;
    timer.customer->queued = Timestamp::never();
    return timer.customer;
  }

  std::size_t size() const { return customers_.size(); }
  std::deque<Customer>& all() { return customers_; }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t number = 0;  // in customers_, plus one; 0: free
  };
  struct Timer {
    Timestamp due;
    Customer* customer;
  };
  static bool later(const Timer& a, const Timer& b) { return a.due > b.due; }
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

  Customer& add(std::string_view id, std::uint64_t hash, std::size_t at) {
    if (customers_.size() * 4 >= slots_.size() * 3) {
      std::vector<Slot> old(slots_.size() * 2);
      old.swap(slots_);
      for (const Slot& slot : old) {
        if (slot.number == 0) continue;
        std::size_t to = hashes_[slot.number - 1] / partition_count;
        while (slots_[to & (slots_.size() - 1)].number != 0) ++to;
        slots_[to & (slots_.size() - 1)] = slot;
      }
      at = hash / partition_count;
      while (slots_[at & (slots_.size() - 1)].number != 0) ++at;
    }
    customers_.push_back({core::new_customer(plan_, std::string(id)), Timestamp::never(), {}});
    hashes_.push_back(hash);
    slots_[at & (slots_.size() - 1)] = {tag_of(hash),
                                        static_cast<std::uint32_t>(customers_.size())};
    return customers_.back();
  }

  const plan::Plan& plan_;
  std::deque<Customer> customers_;
  std::vector<std::uint64_t> hashes_;  // by number
  std::vector<Slot> slots_;
  std::vector<Timer> timers_;  // a heap, the earliest first
};

}  // namespace koi::runtime
