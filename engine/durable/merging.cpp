// Writer, of customers who turn out to be one person (core/merge.h): an event says so by what it
// has met. They become one before the event is decided. Where there is one group; moving.cpp has
// what becomes of it where there are several.
#include <algorithm>
#include <utility>

#include "core/merge.h"
#include "durable/writer.h"

namespace koi::durable {

namespace {

// Each leads to somebody seen earlier; so many in a row nobody is.
constexpr int longest_way = 1'000'000;

// What is another's is taken out of the event, or is its customer's.
Met take_first(Event& event) {
  Met met = std::move(event.met.front());
  event.met.erase(event.met.begin());
  return met;
}

}  // namespace

// Whoever he is by now, `customer` too; null where that is somebody of another group. He is at hand
// as Customers::of says.
Result<core::State*> Writer::bring(std::string& customer) {
  for (int led = 0;; ++led) {
    if (led > longest_way)
      return Error{"corrupt", "customers who have turned out to be others lead to each other"};
    const Partition partition = partition_of(customer);
    if (groups_.group_of(partition) != group_) return nullptr;
    KOI_LET(core::State * state, customers_.of(partition, customer));
    const std::string* const other = core::gone_to(*state);
    if (other == nullptr) return state;
    customer = std::string(*other);
    customers_.unchanged();
  }
}

// Brings those of this group together whom the event shows to be one person; then it is decided.
Result<core::Standing> Writer::take_met(store::Position position, Event event) {
  while (!event.met.empty()) {
    std::string mine = event.customer, others = event.met.front().customer;
    KOI_LET(core::State * state, bring(mine));
    const bool says_nothing = state != nullptr && !core::says_something(plan_, *state, event);
    if (says_nothing) customers_.unchanged();
    if (state == nullptr || says_nothing) break;  // or it is decided elsewhere
    event.customer = mine;
    const core::Face face = core::face_of(plan_, *state, event);
    const Timestamp clock = state->clock;
    customers_.unchanged();
    KOI_LET(state, bring(others));
    if (state == nullptr) {
      take_first(event);  // he is another group's
      continue;
    }
    const bool is_he = others == mine;
    core::Bond bond = core::Bond::TwoPeople;
    if (!is_he) bond = core::bond_of(face, core::face_of(plan_, *state), event.met.front().link);
    const Timestamp at = std::max({std::min(event.time, stamp_), clock, state->clock});
    customers_.unchanged();
    Met met = take_first(event);
    if (!is_he && bond == core::Bond::TwoPeople) continue;
    event.identifiers.push_back(std::move(met.identifier));
    if (is_he) continue;
    if (bond == core::Bond::SecondStays) std::swap(mine, others);
    KOI_LET(core::State gone, take_out(position, others, mine, at));
    KOI_TRY(merge(position, mine, std::move(gone), at));
    event.customer = mine;
  }
  event.met.clear();
  const Given given(std::move(event));
  const std::string customer(customer_of(given));
  return take(position, partition_of(customer), given);
}

// All that the customer is, once he has done what was due before.
Result<core::State> Writer::take_out(store::Position position, const std::string& goes,
                                     const std::string& stays, Timestamp at) {
  const Partition partition = partition_of(goes);
  KOI_LET(core::State * state, customers_.of(partition, goes));
  keep_for_ranks(*state, stamp_, Overdue::Fires);
  core::decide(plan_, *state, core::Tick{at, false}, effects_, &waking_, accounts());
  hand_on(*state, position, partition);
  customers_.changed();
  KOI_TRY(deliver_messages(position));
  KOI_LET(state, customers_.of(partition, goes));
  core::State gone = core::take_out(plan_, *state, stays);
  leave_for_ranks(*state, gone, stamp_);
  customers_.changed();
  return gone;
}

Result<void> Writer::merge(store::Position position, const std::string& stays, core::State gone,
                           Timestamp at) {
  const Partition partition = partition_of(stays);
  KOI_LET(core::State * state, customers_.of(partition, stays));
  keep_for_ranks(*state, stamp_, Overdue::Fires);
  core::merge(plan_, *state, std::move(gone), at, effects_, &waking_, accounts());
  hand_on(*state, position, partition);
  withdraw(*state);  // what either has refused, under either id
  customers_.changed();
  return deliver_messages(position);
}

}  // namespace koi::durable
