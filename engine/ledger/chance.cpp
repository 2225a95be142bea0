#include "ledger/chance.h"

#include <openssl/sha.h>

#include <array>
#include <bit>

#include "base/assert.h"
#include "base/hash.h"

namespace koi::ledger {

namespace {

std::uint64_t little(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i)
    word |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return word;
}

void append(std::string& bytes, std::uint64_t number) {
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(number >> (8 * i)));
}

}  // namespace

std::uint64_t siphash(Key key, std::string_view bytes) {
  std::array<std::uint64_t, 4> v{key.first ^ 0x736f6d6570736575, key.second ^ 0x646f72616e646f6d,
                                 key.first ^ 0x6c7967656e657261, key.second ^ 0x7465646279746573};
  const auto rounds = [&](int n) {
    while (n-- > 0) {
      v[0] += v[1], v[2] += v[3];
      v[1] = std::rotl(v[1], 13) ^ v[0], v[3] = std::rotl(v[3], 16) ^ v[2];
      v[0] = std::rotl(v[0], 32);
      v[2] += v[1], v[0] += v[3];
      v[1] = std::rotl(v[1], 17) ^ v[2], v[3] = std::rotl(v[3], 21) ^ v[0];
      v[2] = std::rotl(v[2], 32);
    }
  };
  const auto compress = [&](std::uint64_t word) {
    v[3] ^= word;
    rounds(2);
    v[0] ^= word;
  };
  const std::size_t whole = bytes.size() / 8 * 8;
  for (std::size_t at = 0; at < whole; at += 8) compress(little(bytes, at, 8));
  compress(little(bytes, whole, bytes.size() - whole) | std::uint64_t{bytes.size()} << 56);
  v[2] ^= 0xff;
  rounds(4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

Key derive(Key secret, std::string_view use) {
  const std::string bytes(use);
  return {siphash(secret, bytes + '\1'), siphash(secret, bytes + '\2')};
}

std::string commitment(Key secret) {
  std::string bytes("koi-draw-1");
  bytes.push_back('\0');
  append(bytes, secret.first);
  append(bytes, secret.second);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return hex_of(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::uint64_t Chance::next() {
  std::string bytes;
  append(bytes, drawn_++);
  return siphash(key_, bytes);
}

std::uint64_t Chance::below(std::uint64_t n) {
  KOI_ASSERT(n != 0);
  // The numbers under this bound fall evenly on 0 … n-1.
  const std::uint64_t uneven = (0 - n) % n;
  for (;;)
    if (const std::uint64_t number = next(); number >= uneven) return number % n;
}

std::int64_t Chance::between(std::int64_t from, std::int64_t to) {
  KOI_ASSERT(from <= to);
  const std::uint64_t width = static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
  const std::uint64_t step = width == UINT64_MAX ? next() : below(width + 1);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(from) + step);
}

}  // namespace koi::ledger
