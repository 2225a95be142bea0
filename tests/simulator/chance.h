// Chance: all that a simulation leaves to chance, from one seed. The same seed gives the same
// numbers on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace koi::simulator {

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
// 2014).
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  std::uint64_t between(std::uint64_t first, std::uint64_t last) {
    return first + below(last - first + 1);
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  bool percent(std::uint64_t share) { return below(100) < share; }
  template <class Container>
  auto& pick(Container& from) {
    return from[static_cast<std::size_t>(below(from.size()))];
  }
  // Another one, whose numbers do not depend on how many of these are taken.
  Chance split() { return Chance(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace koi::simulator
