#include "base/html.h"

#include <gtest/gtest.h>

namespace koi {
namespace {

TEST(Html, WhatSomebodyWroteIsNoMarkup) {
  EXPECT_EQ(escaped_html("<b title='x' id=\"y\">鱼 & Co</b>"),
            "&lt;b title=&#39;x&#39; id=&quot;y&quot;&gt;鱼 &amp; Co&lt;/b&gt;");
  EXPECT_EQ(escaped_html(""), "");
}

}  // namespace
}  // namespace koi
