// What groups have lent one another, checked: every part of an account is in one place, and no
// group's customers have taken more than their group has. core/escrow.h says what must hold.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/escrow.h"
#include "durable/letters.h"
#include "durable/rows.h"
#include "ledger/ledger.h"
#include "plan/plan.h"
#include "store/groups.h"

namespace koi::serve {

class Lent {
 public:
  // The plan must outlive it. `had_others`: other rules than these have lent, too.
  Lent(const plan::Plan& plan, store::Groups groups, bool had_others);

  // A row of what the group's customers share, and what has left one of its pots. Error "corrupt".
  Result<void> learn(store::Group group, std::string_view key, std::string_view bytes);
  void learn(store::Group group, const ledger::Pot& pot, std::int64_t out);

  // What is not as it must be, where every group is as of the end of its journal: a sentence each;
  // `notes` are of what former rules may have left so.
  struct Findings {
    std::vector<std::string> wrong, notes;
    bool is_moving = false;  // a customer may be on his way from one group to another
  };
  Findings finish();

 private:
  struct Account {
    core::EscrowRow row;                              // of any group
    std::map<store::Group, core::Escrow> of;          // as each group has it
    std::map<store::Group, std::int64_t> on_the_way;  // lent to it, or given back by it
    std::vector<core::Range> ranges;                  // of letters
    std::vector<core::PoolCode> codes;
  };
  Result<void> read_letters();
  void check(const Account& account);
  void check_amounts(const Account& account);
  void check_numbers(const Account& account);
  void check_codes(const Account& account);
  std::int64_t amount_of(const core::EscrowRow& row) const;
  std::optional<std::int64_t> taken_of(const core::EscrowRow& row, store::Group group) const;
  void find(const Account& account, const std::string& what, bool may_be_of_others = false);

  const plan::Plan& plan_;
  const store::Groups groups_;
  const bool had_others_;
  std::deque<durable::Rows> rows_;  // of each group's letters
  std::deque<durable::Letters> letters_;
  std::map<std::string, Account> accounts_;
  std::map<std::pair<store::Group, ledger::Pot>, std::int64_t> outs_;
  Findings findings_;
};

}  // namespace koi::serve
