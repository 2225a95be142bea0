// A prize draw: one of several prizes by weight, among those that are still in stock. Who has the
// key and what stood in the hat finds the same prize again; the key's commitment (chance.h) is
// published before the first draw, so that it cannot be chosen afterwards.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ledger/chance.h"

namespace koi::ledger {

// The position of the prize; nothing where all weights are zero. A weight is 0 where the prize is
// out of stock. Their sum must fit.
std::optional<std::size_t> draw(std::span<const std::uint64_t> weights, Chance& chance);

}  // namespace koi::ledger
