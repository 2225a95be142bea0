#include "ledger/amounts.h"

#include "base/assert.h"

namespace koi::ledger {

std::int64_t random_amount(const Bounds& bounds, Chance& chance) {
  KOI_ASSERT(bounds.from <= bounds.mean && bounds.mean <= bounds.to);
  if (bounds.from == bounds.to) return bounds.from;
  const auto whole = static_cast<std::uint64_t>(bounds.to - bounds.from);
  const bool is_low = chance.one_in(static_cast<std::uint64_t>(bounds.to - bounds.mean), whole);
  return is_low ? chance.between(bounds.from, bounds.mean) : chance.between(bounds.mean, bounds.to);
}

std::vector<std::int64_t> split_equally(std::int64_t total, std::size_t shares) {
  KOI_ASSERT(shares > 0 && total >= 0);
  const auto count = static_cast<std::int64_t>(shares);
  std::vector<std::int64_t> parts(shares, total / count);
  for (std::int64_t i = 0; i < total % count; ++i) ++parts[static_cast<std::size_t>(i)];
  return parts;
}

bool can_split(std::int64_t total, std::size_t shares, std::int64_t at_least) {
  std::int64_t needed = 0;
  return shares > 0 && at_least >= 0 &&
         !__builtin_mul_overflow(static_cast<std::int64_t>(shares), at_least, &needed) &&
         needed <= total;
}

std::vector<std::int64_t> split_by_luck(std::int64_t total, std::size_t shares,
                                        std::int64_t at_least, Chance& chance) {
  KOI_ASSERT(can_split(total, shares, at_least));
  std::int64_t above = total - static_cast<std::int64_t>(shares) * at_least;
  std::vector<std::int64_t> parts;
  for (std::size_t left = shares; left > 1; --left) {
    const auto people = static_cast<std::int64_t>(left);
    // Twice the average, without going beyond 64 bits.
    const std::int64_t twice = above / people * 2 + above % people * 2 / people;
    const auto rest = static_cast<std::uint64_t>(above % people * 2 % people);
    const bool up = rest != 0 && chance.one_in(rest, static_cast<std::uint64_t>(people));
    const std::int64_t lucky = chance.between(0, twice + (up ? 1 : 0));
    parts.push_back(at_least + lucky);
    above -= lucky;
  }
  parts.push_back(at_least + above);
  return parts;
}

}  // namespace koi::ledger
