#include "base/json.h"

#include <gtest/gtest.h>

namespace koi {
namespace {

std::string json(std::string_view text) {
  std::string out = "x";
  append_json_string(out, text);
  return out.substr(1);
}

TEST(Json, KeepsValidTextAsItIs) {
  EXPECT_EQ(json(""), "\"\"");
  EXPECT_EQ(json("cart, 购物车 🛒 \x7f/"), "\"cart, 购物车 🛒 \x7f/\"");
}

TEST(Json, EscapesWhatRfc8259Demands) {
  EXPECT_EQ(json("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(json("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(json(std::string_view("\0\x1f\x01", 3)), R"("\u0000\u001f\u0001")");
}

TEST(Json, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(json("a\xff"
                 "b"),
            "\"a\xef\xbf\xbd"
            "b\"");
  EXPECT_EQ(json("\xe4\xbd"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(json("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace koi
