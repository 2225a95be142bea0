// Trace: which ways through a plan's campaigns were gone, for the coverage of tests. Decisions
// neither read it nor change with it.
#pragma once

#include <cstdint>
#include <set>
#include <tuple>

#include "plan/plan.h"

namespace koi::core {

struct Trace {
  enum class What : std::uint8_t {
    Entered,          // by the trigger `place`
    KeptOut,          // `for` was not met
    EnteredBefore,    // `enter` let him in no second time
    HeldOut,          // entered in the control group
    Goal,             // reached
    LeftByEvent,      // `leave when`, the event `place`
    LeftByCondition,  // `leave when`, the condition `place`
    Step,             // the step at `place` was come to
    True,             // the `if` at `place` held, what the `take` there asks for was taken
    False,            // and did not
    Came,             // what the `wait for` at `place` waits for
    TimedOut,         // it did not come
    Sent,             // the `send` at `place` passed the gate on its channel `part`
  };
  struct Mark {
    plan::CampaignId campaign;
    What what = What::Step;
    std::uint16_t place = 0;
    std::uint16_t part = 0;
    friend auto operator<=>(const Mark&, const Mark&) = default;
  };
  std::set<Mark> marks;
};

}  // namespace koi::core
