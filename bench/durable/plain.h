// The plain layout: what one would write first. For each event a row of its id, the customer's
// state and, one time in five, an outbox row, all rewritten in place; a commit for each group.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace koi::bench {

struct PlainResult {
  double events_per_second = 0;
  std::uint64_t written_per_event = 0;
};
// In a new file of `customers` customers with states of 300 bytes.
PlainResult plain(const std::string& folder, std::uint32_t customers,
                  const std::vector<std::uint32_t>& activity, std::size_t group, double seconds);

}  // namespace koi::bench
