// Customers are hashed to 1,024 partitions. The number and the hash are in every row and key and
// never change (test vectors in partition_test.cpp).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.h"

namespace koi {

using Partition = std::uint16_t;
constexpr std::size_t partition_count = 1024;

constexpr std::uint64_t partition_seed = 0x6b6f69;  // "koi"

// The partition of a customer id, or the home of an identifier ("wechat_openid:oABC").
inline Partition partition_of(std::string_view id) {
  return static_cast<Partition>(hash64(id, partition_seed) % partition_count);
}

}  // namespace koi
