// Audit: whether a data directory's accounts are what they must be. Every balance is made anew from
// the postings, and what is out is looked for in the customers' hands and in the payments that are
// under way. And the accounts as they stand, for those who only want to see them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "deploy/deployment.h"
#include "ledger/ledger.h"
#include "plan/plan.h"
#include "store/directory.h"
#include "store/groups.h"
#include "store/journal.h"
#include "store/store.h"

namespace koi::serve {

struct Audit {
  struct Account {
    std::string name;  // its budget's; of one that the rules do not have any more, its definition
    bool is_money = false;
    ledger::Balances balances;  // over all its periods
  };
  std::vector<Account> accounts;  // as in the plan, those that are gone behind
  int currency_decimals = 2;
  std::uint64_t postings = 0, customers = 0;
  std::uint64_t payments = 0;  // without a final receipt
  std::uint64_t tail = 0;  // rows of the journal behind the checkpoint, of which it says nothing
  // What is not as it must be: a sentence each.
  std::vector<std::string> findings;
  // What nobody holds, though it is out, where former rules may have left it behind, or an input
  // that crashes and is set aside.
  std::vector<std::string> notes;
};

// A data directory, locked, that nobody serves and no deploy was broken off in.
struct AtRest {
  store::Directory directory;
  deploy::Deployment deployment;
};
// Errors: "missing", "locked", "under_way" (a deploy was broken off), and those of the deployment.
Result<AtRest> open_at_rest(const std::filesystem::path& data);

// As of the last checkpoint. Nobody may be serving the directory. Errors: "missing", "locked",
// "under_way" (a deploy was broken off) and those of journal, store and bundles. What is damaged in
// the accounts or in a customer's state is a finding.
Result<Audit> audit(const std::filesystem::path& data);

// The same of what is open already, under the live plan. `had_others`: other rules than these have
// given, too.
Result<Audit> audit(const plan::Plan& plan, const store::Journal& journal,
                    const store::Store& store, store::Groups groups, bool had_others);

// For people; ends with a line feed.
std::string told(const Audit& audit);

// What stands in each budget of the plan now, as of the last checkpoint: a JSON list.
Result<std::string> budgets_json(const store::Store& store, store::Groups groups,
                                 const plan::Plan& plan, Timestamp now);

}  // namespace koi::serve
