// Tables: figures for people on a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace koi::runtime {

std::string grouped(std::uint64_t n);  // "1,234,567"

// Rows of cells, the first column to the left, the others to the right; as wide as a terminal shows
// them. Each ends with a line feed.
std::string table(const std::vector<std::vector<std::string>>& rows);

// Names and texts come from outside: what could draw on a terminal is shown as ?.
std::string plain(std::string_view text);

// What so many messages cost: reckoned exactly in millionths, rounded to the currency's decimals,
// with its sign.
std::string cost_of(const plan::Plan& plan, plan::ChannelId channel, std::uint64_t messages);

}  // namespace koi::runtime
