#include "channel/xml.h"

#include <gtest/gtest.h>

#include <random>

namespace koi::channel {
namespace {

TEST(Xml, ElementsHaveTheirTextsAndChildren) {
  const auto xml = parse_xml(
      "<?xml version=\"1.0\"?>\n<!-- a --><xml a='1' b = \"&lt;\"><A><![CDATA[<b>&amp;]]></A>\n"
      "<B> x &lt;&amp;&#20013;&#x1F389; </B><C/><List><I>1</I><!-- c --><I>2</I></List></xml>\n");
  ASSERT_TRUE(xml) << xml.error().what;
  EXPECT_EQ(xml->name, "xml");
  EXPECT_EQ(xml->text_of("A"), "<b>&amp;");
  EXPECT_EQ(xml->text_of("B"), " x <&中🎉 ");
  EXPECT_EQ(xml->text_of("C"), "");
  EXPECT_EQ(xml->text_of("none"), "");
  ASSERT_TRUE(xml->child("List"));
  ASSERT_EQ(xml->child("List")->children.size(), 2u);
  EXPECT_EQ(xml->child("List")->children[1].text, "2");
}

TEST(Xml, WhatReachesOutsideOrIsNoneIsRefused) {
  for (const char* const bytes :
       {"", "x", "<a>", "<a></b>", "<a/><b/>", "<a>&b;</a>", "<a>&#0;</a>", "<a>&#xD800;</a>",
        "<a>&#x110000;</a>", "<a>&lt</a>", "<a b></a>", "<a b='<'></a>", "<a><![CDATA[</a>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>", "<a><?php x ?></a>",
        "<a>&#;</a>", "< a/>"})
    EXPECT_FALSE(parse_xml(bytes)) << bytes;
  std::string deep, wide = "<a>";
  for (int i = 0; i < 17; ++i) deep = "<a>" + deep + "</a>";
  EXPECT_FALSE(parse_xml(deep));
  for (int i = 0; i < 10'000; ++i) wide += "<b/>";
  EXPECT_FALSE(parse_xml(wide + "</a>"));
}

TEST(Xml, WhatIsWrittenIsReadBack) {
  std::mt19937_64 chance(7);
  const std::string_view letters = "]>[<&![CDATA\"' \nx";
  for (int round = 0; round < 5000; ++round) {
    std::string text(chance() % 12, ' '), out = "<xml>";
    for (char& c : text) c = letters[chance() % letters.size()];
    append_xml(out, "T", text);
    const auto xml = parse_xml(out + "</xml>");
    ASSERT_TRUE(xml) << out;
    EXPECT_EQ(xml->text_of("T"), text);
  }
}

TEST(Xml, HostileBytesEnd) {
  std::mt19937_64 chance(11);
  const std::string_view letters = "<>/a&;![]-?='\" x#1";
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = "<a>";
    for (std::size_t left = chance() % 30; left > 0; --left)
      bytes += letters[chance() % letters.size()];
    const auto xml = parse_xml(bytes);
    EXPECT_TRUE(!xml || xml->name == "a");
  }
}

}  // namespace
}  // namespace koi::channel
