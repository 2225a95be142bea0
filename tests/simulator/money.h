// Money: what must hold where something is given, whatever happened: functions that record a breach
// where it does not.
#pragma once

#include "record.h"
#include "replay.h"
#include "store/store.h"
#include "tills.h"

namespace koi::simulator {

// No budget and no limit is passed, no share is taken twice, the stages of every account sum to
// zero and follow from its postings; and a store that has all of the journal has just these
// accounts. `plan` says the bounds.
void check_money(const plan::Plan& plan, const Replay& replay, const store::Store& store,
                 Record& record);

// Each code of the pool is given once and in the order of their upload, none is skipped, and
// whoever is given the one behind which so few are left is told of it, and nobody else.
void check_pools(const plan::Plan& plan, const Replay& replay, Record& record);

// What was answered stands in the journal, and what was done under a key was done once; a coupon
// is one order's at a time; nobody spends points that he was not given, or an order's twice; who
// waits for a review is found, and is looked at once.
void check_tills(const plan::Plan& plan, const Replay& replay, const Tills& tills, Record& record);

}  // namespace koi::simulator
