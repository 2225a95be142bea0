#include "runtime/detail/stepper.h"

#include <algorithm>
#include <utility>

#include "core/merge.h"

namespace koi::runtime {

namespace {

// Deliveries that one input may cause at its instant. Outside, time passes between a message and
// its receipt; here it does not, so that two which cause each other must be stopped.
constexpr std::size_t deliveries_at_most = 1000;
// How many events lie between the steps in which a thread asks for its next customers' states.
constexpr std::size_t events_ahead = 4;

}  // namespace

Stepper::Stepper(const plan::Plan& plan, const match::Index& index, bool wants_lines,
                 bool keep_messages)
    : plan_(plan),
      waking_{index},
      wants_lines_(wants_lines),
      keep_messages_(keep_messages),
      is_ordered_(plan.has_competition()),
      accounts_(plan),
      customers_(plan),
      text_(plan) {
  figures_.campaigns.resize(plan.campaigns.size());
  figures_.sent_by_channel.resize(plan.channels.size());
}

void Stepper::step(const Batch& batch, const std::vector<std::uint32_t>& mine) {
  out_.clear();
  lines_.clear();
  for (std::size_t i = 0; i < mine.size(); ++i) {
    look_ahead(batch, mine, i);
    const Batch::Entry& entry = batch.entries[mine[i]];
    const Event& event = entry.incoming.event;
    // Who competes is served in the one order of all.
    if (is_ordered_) fire_all(event.time, false);
    Customer& customer = customers_.of(event.customer, entry.hash);
    fire(customer, event.time, false);
    count(core::decide(plan_, customer.state, event, effects_, &waking_, &accounts_));
    carry_out(customer, batch.first_arrival + mine[i]);
    customers_.queue(customer);
  }
  fire_all(batch.bound, batch.inclusive);
  if (!is_ordered_) sort_lines();  // else they are
}

std::vector<Customer*> Stepper::everybody_in_order() {
  std::vector<Customer*> all;
  all.reserve(customers_.size());
  for (Customer& customer : customers_.all()) all.push_back(&customer);
  std::sort(all.begin(), all.end(),
            [](const Customer* a, const Customer* b) { return a->state.id < b->state.id; });
  return all;
}

void Stepper::begin_beside() {
  out_.clear();
  lines_.clear();
}

void Stepper::happen(Customer& customer, const Event& event, std::uint64_t arrival) {
  count(core::decide(plan_, customer.state, event, effects_, &waking_, &accounts_));
  carry_out(customer, arrival);
  customers_.queue(customer);
}

void Stepper::end_beside() {
  if (!is_ordered_) sort_lines();  // else they are
}

core::State Stepper::take_out(Customer& goes, const std::string& stays, Timestamp at) {
  fire(goes, at, false);
  customers_.queue(goes);
  return core::take_out(plan_, goes.state, stays);
}

void Stepper::merge(Customer& stays, core::State other, const List<ArmTaken>& arms, Timestamp at,
                    std::uint64_t arrival) {
  fire(stays, at, false);
  for (const ArmTaken& arm : arms) stays.arms.push_back(arm);
  core::merge(plan_, stays.state, std::move(other), at, effects_, &waking_, &accounts_);
  carry_out(stays, arrival);
  customers_.queue(stays);
}

void Stepper::sort_lines() {
  std::stable_sort(lines_.begin(), lines_.end(),
                   [](const Line& a, const Line& b) { return a.place < b.place; });
}

// A million customers are in no cache: their states are asked for some events before their turn.
void Stepper::look_ahead(const Batch& batch, const std::vector<std::uint32_t>& mine,
                         std::size_t i) const {
  const auto hash = [&](std::size_t ahead) -> const std::uint64_t* {
    const std::size_t at = i + ahead * events_ahead;
    return at < mine.size() ? &batch.entries[mine[at]].hash : nullptr;
  };
  if (const auto* next = hash(4)) customers_.prefetch(*next);
  for (int step = 0; step < 3; ++step)
    if (const auto* next = hash(static_cast<std::size_t>(3 - step)))
      customers_.prefetch(*next, step);
}

void Stepper::fire_all(Timestamp bound, bool inclusive) {
  while (due(customers_.next_due(), bound, inclusive)) {
    if (is_ordered_) {
      fire_next();
      continue;
    }
    Customer* const customer = customers_.take_due();
    if (customer == nullptr) continue;
    fire(*customer, bound, inclusive);
    customers_.queue(*customer);
  }
}

// Whoever is first of all: by instant, then by customer id; that instant alone.
void Stepper::fire_next() {
  const Timestamp at = customers_.next_due();
  std::vector<Customer*> due;
  while (customers_.next_due() == at)
    if (Customer* const customer = customers_.take_due()) due.push_back(customer);
  std::sort(due.begin(), due.end(),
            [](const Customer* a, const Customer* b) { return a->state.id < b->state.id; });
  for (Customer* const customer : due) {
    if (core::next_due(customer->state) <= at) {
      core::decide(plan_, customer->state, core::Tick{at, true}, effects_, &waking_, &accounts_);
      carry_out(*customer, Place::timer);
    }
    customers_.queue(*customer);
  }
}

// One instant after the other, so that a message's receipt comes before the next instant's timers.
void Stepper::fire(Customer& customer, Timestamp bound, bool inclusive) {
  for (Timestamp at; due(at = core::next_due(customer.state), bound, inclusive);) {
    core::decide(plan_, customer.state, core::Tick{at, true}, effects_, &waking_, &accounts_);
    carry_out(customer, Place::timer);
  }
}

void Stepper::count(core::Standing standing) {
  switch (standing) {
    case core::Standing::Applied: break;
    case core::Standing::Late: ++figures_.late; break;
    case core::Standing::TooLate: ++figures_.too_late; break;
    case core::Standing::Duplicate: ++figures_.duplicates; break;
  }
}

// Takes note of what an input caused, and of what the receipts of its messages cause in turn.
void Stepper::carry_out(Customer& customer, std::uint64_t arrival) {
  std::size_t deliveries = 0;
  for (std::size_t i = 0; i < effects_.size(); ++i) {
    const core::Effect effect =
        std::move(effects_[i]);  // more may be appended, and move the others
    note(customer, effect, arrival);
    if (!effect.wants_receipt) continue;
    if (++deliveries > deliveries_at_most) {
      ++figures_.unanswered;
      continue;
    }
    Receipt receipt{effect.key, effect.time, Failure::None};
    receipt.is_unopened = effect.action == core::Action::Give;
    core::decide(plan_, customer.state, receipt, effects_, &waking_, &accounts_);
  }
  effects_.clear();
  hand_on(arrival);
}

// What this customer's turn tells others', and what follows from that.
void Stepper::hand_on(std::uint64_t arrival) {
  const std::vector<core::Message> messages = accounts_.take_messages();
  for (const core::Message& message : messages) {
    Customer& to = whoever_is(message.to);
    core::decide(plan_, to.state, message, effects_, &waking_, &accounts_);
    carry_out(to, arrival);
    customers_.queue(to);
  }
}

Customer& Stepper::whoever_is(std::string_view id) {
  Customer* found = &customer(id);
  while (const std::string* const other = core::gone_to(found->state)) found = &customer(*other);
  return *found;
}

void Stepper::note(Customer& customer, const core::Effect& effect, std::uint64_t arrival) {
  (effect.campaign ? figures_.campaigns[effect.campaign.index()] : figures_.referrals)
      .count(effect);
  if (effect.campaign) figures_.arms.count(effect, customer.arms);
  if (core::is_message(effect.action)) {
    ++figures_.sent_by_channel[effect.channel.index()];
    if (keep_messages_) sample(customer, effect, arrival);
  }
  if (!wants_lines_) return;
  const std::size_t begin = out_.size();
  text_.append(out_, customer.state.id, effect);
  lines_.push_back({{effect.time, arrival, &customer.state.id}, begin, out_.size()});
}

void Stepper::sample(const Customer& customer, const core::Effect& effect, std::uint64_t arrival) {
  const Place place{effect.time, arrival, &customer.state.id};
  const auto known = std::find_if(samples_.begin(), samples_.end(), [&](const Sample& each) {
    return each.message.campaign == effect.campaign && each.message.content == effect.content;
  });
  if (known != samples_.end() && !(place < known->place)) return;
  Sample fresh{place,
               {effect.time, customer.state.id, effect.campaign, effect.content, effect.channel,
                effect.text ? *effect.text : core::Text{}}};
  if (known != samples_.end())
    *known = std::move(fresh);
  else
    samples_.push_back(std::move(fresh));
}

}  // namespace koi::runtime
