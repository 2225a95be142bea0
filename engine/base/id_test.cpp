#include "base/id.h"

#include <gtest/gtest.h>

namespace koi {
namespace {

TEST(Id, NoneNamesNothingAndOthersKeepTheirIndex) {
  using RowId = Id<struct RowTag, std::uint16_t>;
  EXPECT_TRUE(RowId::none().is_none());
  EXPECT_FALSE(RowId::none());
  EXPECT_EQ(RowId::of(7).index(), 7u);
  EXPECT_LT(RowId::of(7), RowId::of(8));
}

}  // namespace
}  // namespace koi
