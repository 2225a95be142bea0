#include "channel/opt_out.h"

#include <gtest/gtest.h>

namespace koi::channel {
namespace {

TEST(OptOut, TheWholeTextMustSaySo) {
  for (const char* const text :
       {"T", "td", " TD。", "退订", "　退订！ ", "Stop", "unsubscribe.\r\n", "R"})
    EXPECT_TRUE(is_opt_out(text)) << text;
  for (const char* const text : {"", " ", "。", "我想退订别的", "TT", "don't stop", "NO", "T恤",
                                 "stop it now please, thank you"})
    EXPECT_FALSE(is_opt_out(text)) << text;
}

}  // namespace
}  // namespace koi::channel
