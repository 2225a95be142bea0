// Trial: for this module's tests, what several of them share.
#pragma once

#include "base/time.h"
#include "store/groups.h"

namespace koi::serve {

constexpr store::Groups two_groups{2}, three_groups{3};
inline const Timestamp noon = *parse_instant("2026-03-02T12:00:00Z");

}  // namespace koi::serve
