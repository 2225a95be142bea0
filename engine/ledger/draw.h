// A prize draw: one of several prizes by weight, among those that are still in stock. Who draws one
// that is out of stock draws once more without it, so that a prize is asked for only where it is
// drawn, and each of the others has the chance that it has without those. Who has the key, and
// knows what was out of stock, finds the same prize again; the key's commitment (chance.h) is
// published before the first draw, so that it cannot be chosen afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "ledger/chance.h"

namespace koi::ledger {

struct Drawn {
  std::optional<std::size_t> prize;  // its position; nothing where none is left
  std::vector<std::size_t> missed;   // those that were drawn before it and were out of stock
  friend bool operator==(const Drawn&, const Drawn&) = default;
};

// `is_left` is asked of each that is drawn, until it says yes: of none twice, and of none whose
// weight is 0. The sum of the weights must fit.
Drawn draw(std::vector<std::uint64_t> weights, const std::function<bool(std::size_t)>& is_left,
           Chance& chance);

}  // namespace koi::ledger
