#include "base/diagnostic.h"

#include <gtest/gtest.h>

namespace koi {
namespace {

// The span of the first `part` in the source.
SourceSpan span_of(const std::vector<Source>& sources, std::string_view part,
                   std::uint32_t source = 0) {
  const auto begin = static_cast<std::uint32_t>(sources[source].text().find(part));
  return {source, begin, begin + static_cast<std::uint32_t>(part.size())};
}

Diagnostic error(SourceSpan span, std::string message = "it is wrong") {
  Diagnostic diagnostic;
  diagnostic.code = "K0203";
  diagnostic.span = span;
  diagnostic.message = std::move(message);
  return diagnostic;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// What stands over the carets, on a terminal; only for text of whole cells.
std::string over_the_carets(const std::string& rendered) {
  const auto lines = lines_of(rendered);
  const auto begin = static_cast<int>(lines[2].find('^'));
  const auto end = static_cast<int>(lines[2].find_last_of('^') + 1);
  std::string found;
  int cell = 0;
  for (std::size_t at = 0; at < lines[1].size();) {
    const std::size_t from = at;
    const int width = display_width(decode_utf8(lines[1], at));
    if (cell >= begin && cell < end) found += lines[1].substr(from, at - from);
    cell += width;
  }
  return found;
}

TEST(Render, ShowsTheLineAndMarksThePlace) {
  const std::vector<Source> sources{
      Source("cart.koi", "content cart {\n\n  body \"Hi {customer.emial}\"\n}\n")};
  Diagnostic diagnostic = error(span_of(sources, "emial"), "`customer` has no attribute `emial`");
  diagnostic.help = "did you mean `email`?";
  EXPECT_EQ(render(diagnostic, sources),
            "error[K0203]: `customer` has no attribute `emial`\n"
            "  cart.koi:3:22  body \"Hi {customer.emial}\"\n"
            "                                    ^^^^^\n"
            "  help: did you mean `email`?\n");
}

TEST(Render, SpeaksChinese) {
  const std::vector<Source> sources{Source("新人.koi", "给 客户 发\n")};
  Diagnostic diagnostic = error(span_of(sources, "客户"), "没有 `客户`");
  diagnostic.replacement = "用户";
  EXPECT_EQ(render(diagnostic, sources, Language::Chinese),
            "错误[K0203]: 没有 `客户`\n"
            "  新人.koi:1:3  给 客户 发\n"
            "                   ^^^^\n"
            "  帮助: 改成 `用户`\n");
  diagnostic.severity = Severity::Warning;
  EXPECT_TRUE(render(diagnostic, sources, Language::Chinese).starts_with("警告[K0203]: "));
  EXPECT_TRUE(render(diagnostic, sources).starts_with("warning[K0203]: "));
  EXPECT_TRUE(render(diagnostic, sources).ends_with("  help: write `用户`\n"));
}

TEST(Render, CaretsStandUnderTextOfMixedWidth) {
  const std::vector<Source> sources{Source("a.koi", "e\u0301 ｶ 全角，🛒 wrong 词 é\n")};
  for (const std::string_view part : {"wrong", "🛒", "词", "全角，", "ｶ"})
    EXPECT_EQ(over_the_carets(render(error(span_of(sources, part)), sources)), part);
}

TEST(Render, LabelsShowTheirOwnPlaces) {
  const std::vector<Source> sources{Source("a.koi", "event cart\nevent cart\n"),
                                    Source("b.koi", "\tmetric cart\n")};
  Diagnostic diagnostic = error({.source = 0, .begin = 17, .end = 21}, "`cart` is there twice");
  diagnostic.labels.push_back({{.source = 0, .begin = 6, .end = 10}, "declared here"});
  diagnostic.labels.push_back({span_of(sources, "cart", 1), "used here"});
  EXPECT_EQ(render(diagnostic, sources),
            "error[K0203]: `cart` is there twice\n"
            "  a.koi:2:7  event cart\n"
            "                   ^^^^\n"
            "  a.koi:1:7  event cart\n"
            "                   ---- declared here\n"
            "  b.koi:1:9  metric cart\n"
            "                    ---- used here\n");
}

TEST(Render, LongLinesAreCutAroundTheCarets) {
  for (const std::size_t before : {0u, 10u, 60u, 75u, 76u, 300u, 100'000u}) {
    for (const std::size_t after : {0u, 10u, 60u, 300u, 100'000u}) {
      for (const std::string_view filling : {"a", "词"}) {
        std::string text;
        for (std::size_t i = 0; i < before; ++i) text += filling;
        text += "WRONG";
        for (std::size_t i = 0; i < after; ++i) text += filling;
        const std::vector<Source> sources{Source("a.koi", text)};
        const std::string rendered = render(error(span_of(sources, "WRONG")), sources);
        ASSERT_EQ(over_the_carets(rendered), "WRONG") << rendered;
        const std::string line = lines_of(rendered)[1];
        ASSERT_LE(display_width(line), 76 + 40) << rendered;
        const std::size_t cells =
            (before + after) * static_cast<std::size_t>(display_width(filling));
        ASSERT_EQ(line.find("…") != std::string::npos, cells + 5 > 76) << rendered;
      }
    }
  }
}

TEST(Render, ALongSpanIsMarkedAsFarAsItIsShown) {
  const std::vector<Source> sources{Source("a.koi", std::string(5'000, 'x') + "\nnext\n")};
  const auto lines = lines_of(render(error({.source = 0, .begin = 0, .end = 5'003}), sources));
  EXPECT_LE(lines[2].size(), 100u);
  EXPECT_GE(std::count(lines[2].begin(), lines[2].end(), '^'), 70);
}

TEST(Render, ASpanOverLinesIsMarkedToTheEndOfItsFirst) {
  const std::vector<Source> sources{Source("a.koi", "one two\nthree\n")};
  EXPECT_EQ(over_the_carets(render(error({.source = 0, .begin = 4, .end = 12}), sources)), "two");
}

TEST(Render, AnEmptySpanHasOneCaretEvenAtTheEnd) {
  const std::vector<Source> sources{Source("a.koi", "one\n\n")};
  EXPECT_EQ(render(error({.source = 0, .begin = 3, .end = 3}), sources),
            "error[K0203]: it is wrong\n  a.koi:1:4  one\n                ^\n");
  EXPECT_EQ(render(error({.source = 0, .begin = 4, .end = 4}), sources),
            "error[K0203]: it is wrong\n  a.koi:2:1  \n             ^\n");
  EXPECT_EQ(render(error({.source = 0, .begin = 4'000'000, .end = 4'000'001}), sources),
            "error[K0203]: it is wrong\n  a.koi:3:1  \n             ^\n");
}

TEST(Render, ControlCharactersAndBadBytesAreEscaped) {
  const std::vector<Source> sources{
      Source("a\x1b.koi", std::string("a\0b\x1b[31m\xff\tx\u202ey WRONG", 21))};
  const std::string rendered = render(error(span_of(sources, "WRONG"), "saw `\x07\n`"), sources);
  EXPECT_EQ(lines_of(rendered)[0], "error[K0203]: saw `\\x07\\n`");
  EXPECT_TRUE(lines_of(rendered)[1].ends_with("  a\\x00b\\x1b[31m\\xff x\\u{202e}y WRONG"))
      << rendered;
  EXPECT_EQ(over_the_carets(rendered), "WRONG");
  for (const char byte : rendered) EXPECT_TRUE(byte == '\n' || byte >= ' ');
}

TEST(Render, AnEscapedCharacterIsMarkedWhole) {
  const std::vector<Source> sources{Source("a.koi", std::string("a\0b", 3))};
  EXPECT_EQ(over_the_carets(render(error({.source = 0, .begin = 1, .end = 2}), sources)), "\\x00");
}

TEST(Render, APlaceThatIsNowhereIsLeftOut) {
  EXPECT_EQ(render(error({.source = 7, .begin = 1, .end = 2}), {}), "error[K0203]: it is wrong\n");
}

TEST(RenderJson, IsOneObjectOnOneLine) {
  const std::vector<Source> sources{Source("新.koi", "a\n词 bad\n")};
  Diagnostic diagnostic = error(span_of(sources, "bad"), "a \"bad\"\nword");
  diagnostic.labels.push_back({{.source = 0, .begin = 0, .end = 1}, "here"});
  diagnostic.replacement = "good";
  EXPECT_EQ(
      render_json(diagnostic, sources),
      "{\"code\":\"K0203\",\"severity\":\"error\",\"file\":\"新.koi\",\"line\":2,\"column\":3,"
      "\"end_line\":2,\"end_column\":6,\"message\":\"a \\\"bad\\\"\\nword\",\"labels\":[{"
      "\"file\":\"新.koi\",\"line\":1,\"column\":1,\"end_line\":1,\"end_column\":2,"
      "\"text\":\"here\"}],\"help\":\"\",\"replacement\":\"good\"}");
  EXPECT_TRUE(render_json(error({.source = 9, .begin = 0, .end = 0}), {})
                  .find("\"file\":\"\",\"line\":0") != std::string::npos);
}

TEST(Diagnostics, AreShownInTheOrderOfTheTextAndOnce) {
  const auto made = [](std::uint32_t source, std::uint32_t begin, std::string code) {
    Diagnostic diagnostic = error({source, begin, begin + 1});
    diagnostic.code = std::move(code);
    return diagnostic;
  };
  std::vector<Diagnostic> diagnostics{made(1, 0, "K1"), made(0, 9, "K2"), made(0, 9, "K1"),
                                      made(0, 2, "K3"), made(0, 9, "K2")};
  diagnostics.push_back(made(0, 9, "K2"));
  diagnostics.back().message = "another";
  sort_and_unique(diagnostics);
  std::string order;
  for (const Diagnostic& d : diagnostics)
    order += std::to_string(d.span.source) + ":" + std::to_string(d.span.begin) + d.code + " ";
  EXPECT_EQ(order, "0:2K3 0:9K1 0:9K2 0:9K2 1:0K1 ");
}

TEST(Closest, IsTheWordThatWasProbablyMeant) {
  const std::vector<std::string> words{"phone", "email", "orders", "order", "客户", "订单"};
  EXPECT_EQ(closest("emial", words), "email");  // neighbours swapped are one step
  EXPECT_EQ(closest("phon", words), "phone");
  EXPECT_EQ(closest("ordrs", words), "orders");
  EXPECT_EQ(closest("用户", words), "客户");
  EXPECT_EQ(closest("birthday", words), "");
  EXPECT_EQ(closest("x", words), "");
  EXPECT_EQ(closest("x", {"y"}), "");
  EXPECT_EQ(closest("", {"y"}), "");
  EXPECT_EQ(closest("cas", {"cat", "car"}), "car");
  EXPECT_EQ(closest(std::string(5'000, 'a'), {std::string(5'000, 'a') + "b"}), "");
  EXPECT_EQ(closest("\xff\xfe\xfd", words), "");
}

}  // namespace
}  // namespace koi
