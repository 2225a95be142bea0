// Points in lots: what is earned together lapses together, and may be pending until some instant.
// First to lapse, first spent; never below zero. Works on any list of lots.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace koi::ledger {

struct Lot {
  Timestamp lapses = Timestamp::never();  // behind this instant they are gone
  std::int64_t amount = 0;                // > 0
  Timestamp usable = Timestamp::ever();   // from this instant on; ever: they are
  friend bool operator==(const Lot&, const Lot&) = default;
};

// INVARIANT: lots stand in the order in which they lapse, then can be used; one for these instants.
inline bool is_before(const Lot& a, const Lot& b) {
  return a.lapses != b.lapses ? a.lapses < b.lapses : a.usable < b.usable;
}
inline bool is_usable(const Lot& lot, Timestamp now) {
  return lot.lapses >= now && lot.usable <= now;
}

template <class Lots>
std::int64_t balance(const Lots& lots, Timestamp now) {
  std::int64_t sum = 0;
  for (const Lot& lot : lots)
    if (is_usable(lot, now)) sum += lot.amount;
  return sum;
}

// What cannot be spent yet.
template <class Lots>
std::int64_t pending(const Lots& lots, Timestamp now) {
  std::int64_t sum = 0;
  for (const Lot& lot : lots)
    if (lot.lapses >= now && lot.usable > now) sum += lot.amount;
  return sum;
}

// False, and nothing changed, where the balance would not fit.
template <class Lots>
bool earn(Lots& lots, const Lot& lot) {
  std::int64_t sum = lot.amount;
  for (const Lot& each : lots)
    if (__builtin_add_overflow(sum, each.amount, &sum)) return false;
  const auto place = std::lower_bound(lots.begin(), lots.end(), lot, is_before);
  if (place != lots.end() && place->lapses == lot.lapses && place->usable == lot.usable)
    place->amount += lot.amount;
  else
    lots.insert(place, lot);
  return true;
}

template <class Lots>
void drop_empty(Lots& lots) {
  Lots left;
  for (const Lot& lot : lots)
    if (lot.amount > 0) left.push_back(lot);
  lots = std::move(left);
}

// All or nothing: false, and nothing taken, where there are not enough. `taken` gets what it took
// of each lot.
template <class Lots>
bool spend(Lots& lots, std::int64_t amount, Timestamp now, Lots* taken = nullptr) {
  if (amount < 0 || balance(lots, now) < amount) return false;
  for (Lot& lot : lots) {
    const std::int64_t part = is_usable(lot, now) ? std::min(lot.amount, amount) : 0;
    if (part == 0) continue;
    lot.amount -= part;
    amount -= part;
    if (taken) taken->push_back({lot.lapses, part});
  }
  drop_empty(lots);
  return true;
}

// Takes back what was earned as that lot, as far as it is there: of what is pending with it first,
// then of what can be used. Says how much it was.
template <class Lots>
std::int64_t take_back(Lots& lots, const Lot& earned, Timestamp now) {
  std::int64_t got = 0;
  for (Lot& lot : lots) {
    if (lot.lapses != earned.lapses || lot.usable != earned.usable || lot.usable <= now) continue;
    got = std::min(lot.amount, earned.amount);
    lot.amount -= got;
  }
  drop_empty(lots);
  const std::int64_t rest = std::min(earned.amount - got, balance(lots, now));
  spend(lots, rest, now);
  return got + rest;
}

// What has been pending until now or before can be used. True: there was such.
template <class Lots>
bool ripen(Lots& lots, Timestamp now) {
  const auto is_ripe = [&](const Lot& lot) {
    return lot.usable != Timestamp::ever() && lot.usable <= now;
  };
  if (std::none_of(lots.begin(), lots.end(), is_ripe)) return false;
  Lots before;
  std::swap(before, lots);
  for (Lot lot : before) {
    if (is_ripe(lot)) lot.usable = Timestamp::ever();
    earn(lots, lot);  // it fitted before
  }
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
