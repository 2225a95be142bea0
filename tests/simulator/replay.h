// Replay: what a journal must lead to. Its rows through the core, one after the other, with none of
// what is tested: no cache, no checkpoint, no index, no outbox.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/decide.h"
#include "model/receipt.h"
#include "plan/plan.h"
#include "record.h"
#include "runtime/summary.h"
#include "store/journal.h"

namespace koi::simulator {

// Who gave it: a campaign, a referral, or where a claim is refused the gift itself.
std::string source_of(const plan::Plan& plan, const core::Effect& effect);

// By which rules a journal is decided, from the position behind those (by group) on.
struct Rules {
  const plan::Plan* plan = nullptr;
  std::vector<store::Position> behind;
  Timestamp since;
};

// A message that was decided, or a payment.
struct Decided {
  const plan::Plan* plan = nullptr;  // by these rules
  std::string customer;
  core::Effect effect;
  store::Group group = 0;
  store::Position position = 0;  // of the input that it follows from
};

// Something that a customer said of what he wants to be sent.
struct SaidOfConsent {
  std::string customer;
  store::Position position = 0;
  Timestamp at;
  bool granted = false;
};

struct Replay {
  std::map<std::string, core::State> customers;
  std::map<Hash128, Decided> sends;     // and payments, by key
  std::vector<Hash128> sends_in_order;  // messages alone, group by group
  std::map<std::string, std::string>
      shared;  // what the accounts keep, under its keys (core/books.h)
  // Of what was given and has not failed to be paid, by (incentive, customer).
  std::map<std::pair<std::string, std::string>, std::int64_t> gifts;
  std::map<Hash128, Receipt> receipts;  // the first of each key
  std::set<Hash128> attempted;          // keys of which an attempt is written before their receipt
  std::map<std::string, std::vector<core::Standing>> standings;          // by event id
  std::map<std::string, runtime::CampaignFigures> figures;               // by full name
  std::map<std::string, std::string> owners;                             // by `kind:value`
  std::vector<SaidOfConsent> consents;                                   // group by group, in order
  std::map<std::pair<std::string, std::string>, std::uint64_t> entries;  // by (campaign, customer)
  std::vector<store::Position> ends;                                     // by group
  std::vector<std::vector<store::SetAside>> set_aside;                   // by group
};

// `rules` are of one deployment, the oldest first. Breaches of what a journal must be are recorded:
// a stamp that goes back, a row that cannot be read, a key that two decisions have, an identifier
// of two customers.
Replay replay(const std::vector<Rules>& rules, const store::Journal& journal, store::Groups groups,
              Record& record);

}  // namespace koi::simulator
