// Chance: numbers that nobody can foretell without the key and everybody finds again with it. They
// come from SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein: SipHash, a fast short-input PRF, 2012),
// a keyed hash that is a MAC: unlike base/hash.h it may guard codes and money.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace koi::ledger {

struct Key {
  std::uint64_t first = 0, second = 0;
  friend bool operator==(const Key&, const Key&) = default;
};

std::uint64_t siphash(Key key, std::string_view bytes);

// A key of its own for each use of a secret, so that what one use shows tells nothing of another.
Key derive(Key secret, std::string_view use);

// What is hidden behind this commitment can be shown later and cannot be another secret: SHA-256 of
// "koi-draw-1", a zero byte and the key's sixteen bytes, little end first, in hexadecimal digits.
std::string commitment(Key secret);

// A stream of numbers for one occasion ("this packet's shares"): the same for the same key and
// occasion.
class Chance {
 public:
  Chance(Key key, std::string_view occasion)
      : key_{siphash(key, occasion), siphash({key.second, key.first}, occasion)} {}

  // Evenly among 0 … n-1; n is not 0. Without bias: draws that would favour some are drawn again.
  std::uint64_t below(std::uint64_t n);
  // Evenly among from … to, both included; from <= to.
  std::int64_t between(std::int64_t from, std::int64_t to);
  // True in `part` of `whole` cases; part <= whole, whole is not 0.
  bool one_in(std::uint64_t part, std::uint64_t whole) { return below(whole) < part; }

 private:
  std::uint64_t next();
  Key key_;
  std::uint64_t drawn_ = 0;
};

}  // namespace koi::ledger
