// The order of a state's lists. Private to core.
#pragma once

#include <algorithm>
#include <utility>

namespace koi::core {

// Of journeys and entries.
inline constexpr auto by_campaign = [](const auto& a, const auto& b) {
  return std::pair(a.campaign, a.key) < std::pair(b.campaign, b.key);
};

// Where another plan wrote it, the order may be another one.
template <class Things, class Before>
void put_in_order(Things& things, Before before) {
  if (!std::is_sorted(things.begin(), things.end(), before))
    std::stable_sort(things.begin(), things.end(), before);
}

}  // namespace koi::core
