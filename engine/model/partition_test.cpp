#include "model/partition.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace koi {
namespace {

// These stand in journals and databases: they may never change. (Computed with xxHash's Python
// binding: xxh3_64 of the UTF-8 bytes with seed 0x6b6f69, modulo 1,024.)
TEST(Partition, OfACustomerIsFixedForEver) {
  EXPECT_EQ(partition_of(""), 1017);
  EXPECT_EQ(partition_of("c1"), 905);
  EXPECT_EQ(partition_of("wechat_openid:oABC"), 0);
  EXPECT_EQ(partition_of("安安"), 320);
}

TEST(Partition, SpreadsCustomersEvenly) {
  std::array<int, partition_count> customers{};
  for (int i = 0; i < 102'400; ++i) ++customers[partition_of("c" + std::to_string(i))];
  for (const int count : customers) EXPECT_NEAR(count, 100, 60);  // six standard deviations
}

}  // namespace
}  // namespace koi
