// Points in lots: what is earned together lapses together. First to lapse, first spent; never below
// zero. Works on any list of lots that has `at`, `lapses` and `amount`.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace koi::ledger {

struct Lot {
  Timestamp lapses = Timestamp::never();  // behind this instant they are gone
  std::int64_t amount = 0;                // > 0
  friend bool operator==(const Lot&, const Lot&) = default;
};

// INVARIANT: lots stand in the order in which they lapse, one for an instant.

template <class Lots>
std::int64_t balance(const Lots& lots, Timestamp now) {
  std::int64_t sum = 0;
  for (const Lot& lot : lots)
    if (lot.lapses >= now) sum += lot.amount;
  return sum;
}

// False, and nothing changed, where the balance would not fit.
template <class Lots>
bool earn(Lots& lots, const Lot& lot) {
  std::int64_t sum = lot.amount;
  for (const Lot& each : lots)
    if (__builtin_add_overflow(sum, each.amount, &sum)) return false;
  const auto place =
      std::lower_bound(lots.begin(), lots.end(), lot,
                       [](const Lot& a, const Lot& b) { return a.lapses < b.lapses; });
  if (place != lots.end() && place->lapses == lot.lapses)
    place->amount += lot.amount;
  else
    lots.insert(place, lot);
  return true;
}

// All or nothing: false, and nothing taken, where there are not enough.
template <class Lots>
bool spend(Lots& lots, std::int64_t amount, Timestamp now) {
  if (amount < 0 || balance(lots, now) < amount) return false;
  for (Lot& lot : lots) {
    if (lot.lapses < now) continue;
    const std::int64_t taken = std::min(lot.amount, amount);
    lot.amount -= taken;
    amount -= taken;
  }
  Lots left;
  for (const Lot& lot : lots)
    if (lot.amount > 0) left.push_back(lot);
  lots = std::move(left);
  return true;
}

// Takes out what lapses now or has, and says how much it was: what else happens at this instant has
// happened.
template <class Lots>
std::int64_t lapse(Lots& lots, Timestamp now) {
  std::int64_t gone = 0;
  Lots left;
  for (const Lot& lot : lots) {
    if (lot.lapses > now)
      left.push_back(lot);
    else
      gone += lot.amount;
  }
  if (gone > 0) lots = std::move(left);
  return gone;
}

}  // namespace koi::ledger
