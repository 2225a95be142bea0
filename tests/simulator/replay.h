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

// A message that was decided.
struct Decided {
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
  std::map<Hash128, Decided> sends;     // by key
  std::vector<Hash128> sends_in_order;  // group by group
  std::map<Hash128, Receipt> receipts;  // the first of each key
  std::set<Hash128> attempted;          // keys of which an attempt is written before their receipt
  std::map<std::string, std::vector<core::Standing>> standings;          // by event id
  std::map<std::string, runtime::CampaignFigures> figures;               // by campaign
  std::map<std::string, std::string> owners;                             // by `kind:value`
  std::vector<SaidOfConsent> consents;                                   // group by group, in order
  std::map<std::pair<std::string, std::string>, std::uint64_t> entries;  // by (campaign, customer)
  std::vector<store::Position> ends;                                     // by group
  std::vector<std::vector<store::SetAside>> set_aside;                   // by group
};

// Breaches of what a journal must be are recorded: a stamp that goes back, a row that cannot be
// read, a key that two decisions have, an identifier of two customers.
Replay replay(const plan::Plan& plan, const store::Journal& journal, store::Groups groups,
              Record& record);

}  // namespace koi::simulator
