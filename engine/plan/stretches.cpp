#include "plan/stretches.h"

#include <algorithm>

namespace koi::plan {

Trigger::Stretch whole_of(const Trigger& trigger) {
  return {0, static_cast<std::uint16_t>(std::max<std::size_t>(1, trigger.thens.size()))};
}

Trigger::Stretch stretch_of(const Trigger& trigger, std::size_t absent) {
  return absent < trigger.nots_during.size() ? trigger.nots_during[absent] : whole_of(trigger);
}

}  // namespace koi::plan
