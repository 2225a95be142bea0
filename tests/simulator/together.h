// Together: the journals of several groups whose customers compete, or turn out to be one
// another's, decided again side by side. Letters between the groups, what waits and what is lent
// are the writers' own doing, so they are writers that decide here too; but each has nothing but
// its journal from its beginning on, an empty store and all the memory that there is: no
// checkpoint, no recovery, no cache, no outbox. Where a deploy has brought metrics they count from
// the beginning, and whoever goes to another group goes as he was decided here, with these.
#pragma once

#include "record.h"
#include "replay.h"

namespace koi::simulator {

// `rules` and breaches are those of replay(), and of what must hold at each moment (all that has
// one stamp is a moment): over all groups together nobody has taken more of a budget than there is;
// whoever is refused for a budget wanted more than was there since he came. Groups are not seen at
// one moment, so what was there is counted by the most that each had taken at any turn of its
// since.
Replay replay_together(const std::vector<Rules>& rules, const store::Journal& journal,
                       store::Groups groups, Record& record);

// What all groups keep when no letter is on its way: what each was lent is what its home says, and
// no more than there is.
void check_loans(const plan::Plan& plan, const Replay& replay, Record& record);

// Nobody waits, nothing is on its way, and whoever asked is answered.
void check_nobody_waits(const Replay& replay, Record& record);

}  // namespace koi::simulator
