// Fenced: what is said to whoever writes under an epoch that is not its group's newest.
#pragma once

#include <string>

#include "base/result.h"
#include "store/groups.h"

namespace koi::store::detail {

inline Error fenced(Group group) {
  return {"fenced", "another process has taken over group " + std::to_string(group) +
                        "; this one must stop writing to it"};
}

}  // namespace koi::store::detail
