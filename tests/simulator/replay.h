// Replay: what a journal must lead to. Its rows through the core, one after the other, with none of
// what is tested: no cache, no checkpoint, no index, no outbox.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/decide.h"
#include "model/receipt.h"
#include "plan/plan.h"
#include "record.h"
#include "runtime/summary.h"
#include "store/journal.h"

namespace koi::simulator {

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
  std::string id;  // of the event
  std::string customer;
  store::Group group = 0;  // where it was decided
  store::Position position = 0;
  Timestamp at;
  bool granted = false;
};

// A purchase that counts.
struct Bought {
  std::string id;
  store::Group group = 0;
  store::Position position = 0;
  std::string customer;
  Timestamp time;
  std::int64_t amount = 0;
  // Else it was decided later than it came, between groups, and may have come too late, or count as
  // of another time.
  bool is_sure = true;
};

// Two customers have turned out to be one.
struct Joined {
  store::Group group = 0;
  store::Position position = 0;
  std::string goes, stays;
  Timestamp at;  // what was due for either before that has been decided before
};

// A call, with what it is answered: nothing where it is set aside, or on its way when it comes
// again. Between groups it may be set aside when it is tried again.
struct Called {
  store::Group group = 0;
  store::Position position = 0;
  Timestamp at;
  core::Call call;
  bool is_first = false;  // no call before it had its id
  std::optional<core::Answer> answer;
  bool is_set_aside = false;  // between groups: and whoever asked is told so
};

// Codes that were uploaded to the pool, or the one that was given of it, and to whom.
struct Pooled {
  std::vector<std::string> uploaded;
  std::string given, customer;
};

// A customer was told his level in a tier, as of that refreshing.
struct Ranked {
  std::string customer;
  Timestamp at;
  std::int64_t level = 0;
};

struct Replay {
  bool may_wait = false;  // inputs may wait for what other groups lend
  std::map<std::string, core::State> customers;
  std::map<Hash128, Decided> sends;     // and payments, by key
  std::vector<Hash128> sends_in_order;  // messages alone, group by group
  // By group: what the accounts keep, under its keys (core/books.h).
  std::vector<std::map<std::string, std::string>> shared;
  // Of what was given and has not failed to be paid, by (incentive, customer).
  std::map<std::pair<std::string, std::string>, std::int64_t> gifts;
  std::map<Hash128, Receipt> receipts;  // the first of each key
  std::set<Hash128> attempted;          // keys of which an attempt is written before their receipt
  std::map<std::string, std::vector<core::Standing>> standings;  // by event id
  std::map<std::string, runtime::CampaignFigures> figures;       // by full name
  std::map<std::string, std::string> owners;                     // by `kind:value`
  std::set<std::pair<std::string, std::string>> same;  // both have had one of these: one person
  std::vector<SaidOfConsent> consents;                 // group by group, in order
  std::map<std::pair<std::string, std::string>, std::uint64_t> entries;  // by (campaign, customer)
  std::vector<Called> calls;                                             // group by group, in order
  std::vector<Pooled> pooled;                                            // the same
  std::map<std::string, std::int64_t> points;                            // given, by customer
  std::vector<Bought> bought;                                            // group by group, in order
  std::vector<Joined> joined;                                            // the same
  bool has_lost_merge = false;              // one of them is set aside, and what was his is lost
  std::map<std::string, std::string> gone;  // of them: to whom
  std::vector<Ranked> ranked;               // the same
  std::set<std::string> not_told;           // of whom something of that is set aside
  std::vector<std::vector<std::pair<store::Position, Timestamp>>> openings;  // by group: the stamps
  std::vector<store::Position> ends;                                         // by group
  std::vector<std::vector<store::SetAside>> set_aside;                       // by group

  // Who the customer has turned out to be.
  std::string whoever(std::string customer) const;
};

// `rules` are of one deployment, the oldest first. Breaches of what a journal must be are recorded:
// a stamp that goes back, a row that cannot be read, a key that two decisions have, an identifier
// of two customers.
Replay replay(const std::vector<Rules>& rules, const store::Journal& journal, store::Groups groups,
              Record& record);

}  // namespace koi::simulator
