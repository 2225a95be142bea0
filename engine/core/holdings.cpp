#include "core/holdings.h"

#include <algorithm>

namespace koi::core {

Holdings::Holdings() = default;
Holdings::Holdings(const Holdings&) = default;
Holdings::Holdings(Holdings&&) noexcept = default;
Holdings& Holdings::operator=(const Holdings&) = default;
Holdings& Holdings::operator=(Holdings&&) noexcept = default;
Holdings::~Holdings() = default;

Timestamp next_lapse(const Holdings& holdings) {
  Timestamp next = Timestamp::never();
  for (const Grant& grant : holdings.grants)
    if (grant.stage == ledger::Stage::Given) next = std::min(next, last_of(grant));
  for (const Purse& purse : holdings.purses)
    for (const ledger::Lot& lot : purse.lots) {
      next = std::min(next, lot.lapses);
      if (lot.usable != Timestamp::ever()) next = std::min(next, lot.usable);
    }
  return next;
}

}  // namespace koi::core
