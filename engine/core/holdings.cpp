#include "core/holdings.h"

#include <algorithm>

namespace koi::core {

Timestamp next_lapse(const Holdings& holdings) {
  Timestamp next = Timestamp::never();
  for (const Grant& grant : holdings.grants)
    if (grant.stage == ledger::Stage::Given) next = std::min(next, last_of(grant));
  for (const Purse& purse : holdings.purses)
    if (!purse.lots.empty()) next = std::min(next, purse.lots.front().lapses);
  return next;
}

}  // namespace koi::core
