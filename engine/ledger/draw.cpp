#include "ledger/draw.h"

#include "base/assert.h"

namespace koi::ledger {

Drawn draw(std::vector<std::uint64_t> weights, const std::function<bool(std::size_t)>& is_left,
           Chance& chance) {
  std::uint64_t whole = 0;
  for (const std::uint64_t weight : weights)
    KOI_ASSERT(!__builtin_add_overflow(whole, weight, &whole));
  Drawn drawn;
  while (whole > 0) {
    std::uint64_t ball = chance.below(whole);
    std::size_t at = 0;
    while (ball >= weights[at]) ball -= weights[at++];
    if (is_left(at)) {
      drawn.prize = at;
      break;
    }
    drawn.missed.push_back(at);
    whole -= weights[at];
    weights[at] = 0;
  }
  return drawn;
}

}  // namespace koi::ledger
