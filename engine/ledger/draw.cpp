#include "ledger/draw.h"

#include "base/assert.h"

namespace koi::ledger {

std::optional<std::size_t> draw(std::span<const std::uint64_t> weights, Chance& chance) {
  std::uint64_t whole = 0;
  for (const std::uint64_t weight : weights)
    KOI_ASSERT(!__builtin_add_overflow(whole, weight, &whole));
  if (whole == 0) return std::nullopt;
  std::uint64_t ball = chance.below(whole);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (ball < weights[i]) return i;
    ball -= weights[i];
  }
  KOI_ASSERT(false);
}

}  // namespace koi::ledger
