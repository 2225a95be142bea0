// Census: who is under way in which campaign, as the stored states say.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "store/groups.h"
#include "store/store.h"

namespace koi::deploy {

struct UnderWay {
  std::uint64_t journeys = 0;  // not ended
  std::uint64_t goals = 0;     // ended, and their goal may still be reached
  std::uint64_t receipts = 0;  // messages whose receipt still decides something
  // Of the journeys: those at the parts of a trigger, and those at each step of the code.
  std::uint64_t forming = 0;
  std::map<std::uint16_t, std::uint64_t> standing{};
  bool is_needed() const { return journeys + goals + receipts > 0; }
  friend bool operator==(const UnderWay&, const UnderWay&) = default;
};
using Census = std::vector<UnderWay>;  // by campaign of the plan

// Of all stored customers, each group's on a thread of its own, or one after the other. Errors are
// the store's, and "corrupt".
Result<Census> take_census(const store::Store& store, store::Groups groups, const plan::Plan& plan,
                           Timestamp now, bool at_once = true);

}  // namespace koi::deploy
