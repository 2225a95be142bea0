// Trial: for this module's tests, a plan made by hand, inputs for it, and what they must lead to:
// the journal's rows through the core, with none of what is tested.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/decide.h"
#include "durable/deeds.h"
#include "durable/input.h"
#include "store/journal.h"

namespace koi::durable {

// What journals and what waits name the rules by.
constexpr std::uint64_t trial_rules = 77;
// How many groups a deployment has.
constexpr store::Groups one_group{1}, two_groups{2}, three_groups{3};

// event order { amount: money?  sku: text?  note: list of text? }: counted, summed, logged for an
// hour. Each order of a customer who is not in it begins campaign `thanks`: a message on wechat,
// else sms; after `wait` another one; then the customer's city is the order's sku.
plan::Plan trial_plan(Duration wait = hours(1));

Event trial_order(const plan::Plan& plan, std::string id, std::string customer, Timestamp time,
                  std::int64_t amount);

// What a deployment must have come to.
struct Expected {
  std::map<std::string, core::State> customers;
  std::vector<Hash128> effects;  // in order, of one group after the other
  std::set<std::string> ids;     // of the events that the journal holds
  std::uint64_t timers = 0;      // that fired
  std::uint64_t merged = 0;      // customers who turned out to be others

  std::map<std::string, std::string> bytes(const plan::Plan& plan) const;
  // How often the customer's orders were counted, all together.
  std::int64_t orders() const;
};

Expected expected_of(const plan::Plan& plan, const store::Journal& journal, store::Groups groups);

}  // namespace koi::durable
