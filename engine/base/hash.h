// Hashes that decide things or are stored, and therefore never change: XXH3 (xxHash 0.8 made its
// output stable; https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md). Never use
// std::hash for these. Not for secrets: codes that must be unguessable need a MAC.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace koi {

// Sixty-four bits of `bytes` under `seed`.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

// A name derived from a cause: 128 bits, compared and ordered by value.
struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
};
Hash128 hash128(std::string_view bytes, std::uint64_t seed = 0);

// 32 lower-case hexadecimal digits.
std::string to_hex(Hash128 hash);
std::string hex_of(std::string_view bytes);  // two lower-case digits each

// Builds the bytes of a hash from parts whose borders count: {"ab","c"} and {"a","bc"} differ.
class HashInput {
 public:
  HashInput& text(std::string_view part);  // its length, then its bytes
  HashInput& number(std::uint64_t part);   // eight bytes, little end first
  std::uint64_t hash64(std::uint64_t seed = 0) const { return koi::hash64(bytes_, seed); }
  Hash128 hash128(std::uint64_t seed = 0) const { return koi::hash128(bytes_, seed); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace koi
