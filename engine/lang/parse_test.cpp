#include "lang/parse.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <regex>
#include <set>
#include <sstream>

#include "lang/diagnostics.h"
#include "lang/dump.h"
#include "lang/keywords.h"

namespace koi::lang {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

Parsed parsed(const std::string& text) {
  return parse(Source("a.koi", text), 0, Language::English);
}

std::string tree(const std::string& text) { return dump(parsed(text).file); }

std::vector<std::string> codes(const std::string& text) {
  std::vector<std::string> all;
  for (const auto& each : parsed(text).diagnostics) all.push_back(each.code);
  return all;
}

// The condition of `segment s when …`, as text.
std::string condition(const std::string& text) {
  const auto all = tree("segment s when " + text);
  return all.substr(std::string("segment s when ").size(), all.size() - 16);
}

// What stands between back-quotes, with a name or a number for each argument.
std::vector<std::string> quoted_in(std::string_view help) {
  std::vector<std::string> all;
  for (std::size_t at = help.find('`'); at != help.npos; at = help.find('`', at)) {
    const auto end = help.find('`', at + 1);
    std::string each(help.substr(at + 1, end - at - 1));
    all.push_back(std::regex_replace(each, std::regex(R"(\{\d\})"), "x"));
    at = end + 1;
  }
  return all;
}

// Whether it is a word of the language, or can be written somewhere.
bool can_be_written(const std::string& syntax) {
  using Place = std::pair<std::string, std::string>;
  const std::vector<Place> places{
      {"", ""},
      {"let a = ", ""},
      {"let a = count ", ""},
      {"let a = count e ", ""},
      {"segment a when x ", ""},
      {"segment a ", ""},
      {"event ", ""},
      {"event e { f: text ", "}"},
      {"event e { f", " }"},
      {"customer { ", " }"},
      {"channel c { ", " }"},
      {"content c { ", " }"},
      {"policy { ", " }"},
      {"policy { cap marketing ", " }"},
      {"points p { ", " }"},
      {"points p { limit 5 ", " }"},
      {"coupon c { off 10% ", " }"},
      {"referral r { ", " }"},
      {"tier t by x ", ""},
      {"campaign c { class service ", " }"},
      {"campaign c { class service on ", " of each month at 09:00 stop }"},
      {"campaign c { ", " stop }"},
      {"campaign c { when e ", " }"},
      {"campaign c { when e ", " stop }"},
      {"campaign c { when e give p ", " }"},
      {"campaign c { when e give ", " }"},
      {"test \"t\" { given ", " }"},
  };
  const auto& words = keywords();
  if (keyword_kind(syntax) || !builtin_word(syntax).empty() ||
      std::any_of(words.begin(), words.end(),
                  [&](const Keyword& each) { return each.english == syntax; }))
    return true;
  return std::any_of(places.begin(), places.end(), [&](const Place& place) {
    return codes(place.first + syntax + place.second).empty();
  });
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string input_of(const std::filesystem::path& golden) {
  const auto text = read(golden);
  return text.substr(0, text.find("\n=====\n") + 1);
}

std::vector<std::string> programs() {
  std::vector<std::string> found;
  for (const auto& folder : {"../shared/design/samples", "rules-examples"}) {
    if (!std::filesystem::exists(folder)) continue;
    for (const auto& each : std::filesystem::recursive_directory_iterator(folder)) {
      if (each.path().extension() == ".koi") found.push_back(each.path().string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

TEST(Parse, EveryProgramAtHandIsReadWithoutADiagnostic) {
  const auto all = programs();
  ASSERT_FALSE(all.empty()) << "rules-examples/ is part of the project";
  for (const auto& path : all) {
    const std::vector<Source> sources{Source(path, read(path))};
    const auto result = parse(sources[0], 0, Language::English);
    for (const auto& each : result.diagnostics) ADD_FAILURE() << render(each, sources);
    EXPECT_FALSE(result.file.declarations.empty()) << path;
  }
}

// `同意=consent` is the keyword's own spelling: names aside, both languages give one tree.
std::string in_english(const std::string& dumped) {
  static const std::regex keyword("[\x80-\xFF]+=([a-z])");
  return std::regex_replace(dumped, keyword, "$1");
}

TEST(Parse, TheSameProgramInChineseAndEnglishGivesTheSameTree) {
  for (const std::string name : {"vocabulary", "campaigns", "incentives", "tests"}) {
    const auto english = tree(input_of("tests/golden/parse/" + name + ".koi"));
    const auto chinese = tree(input_of("tests/golden/parse/" + name + "_zh.koi"));
    EXPECT_FALSE(english.empty());
    EXPECT_EQ(in_english(english), in_english(chinese)) << name;
  }
}

TEST(Parse, OrBindsLoosestThenAndThenNotThenComparisons) {
  EXPECT_EQ(condition("a or b and not c == 1 + 2 * -x"),
            "(or a (and b (not (== c (+ 1 (* 2 (- x)))))))");
  EXPECT_EQ(condition("(a or b) and c"), "(and (or a b) c)");
  EXPECT_EQ(condition("a - b - c"), "(- (- a b) c)");
  EXPECT_EQ(condition("(x or y) = z"), "(== (or x y) z)");
}

TEST(Parse, MembershipMayLeaveOutItsLeftSide) {
  EXPECT_EQ(condition("in staff"), "(in staff)");
  EXPECT_EQ(condition("not in value.gold"), "(not (in value.gold))");
  EXPECT_EQ(condition("x in [a, 2, ¥3]"), "(in x (list a 2 CNY 3))");
  EXPECT_EQ(condition("x not in [a]"), "(not in x (list a))");
}

TEST(Parse, AWordIsAKeywordOnlyWhereTheGrammarExpectsIt) {
  for (const auto& word : keywords()) {
    if (word.english.empty() || word.english.find(' ') != word.english.npos) continue;
    const std::string name(word.english);
    EXPECT_THAT(codes("event purchase { `" + name + "`: text }"), IsEmpty()) << name;
    EXPECT_THAT(codes("segment s when customer." + name + " == 3"), IsEmpty()) << name;
    EXPECT_THAT(codes("event " + name + " {}"), IsEmpty()) << name;
    const bool goes_on = word.kind == Kind::IN || word.kind == Kind::NOT ||
                         word.kind == Kind::AND || word.kind == Kind::OR ||
                         word.kind == Kind::CONTAINS;
    if (goes_on) continue;
    EXPECT_THAT(codes("event purchase { " + name + ": text }"), IsEmpty()) << name;
  }
  EXPECT_THAT(codes("event 活动 { 当: text  发送: int  coupon: text }"), IsEmpty());
}

TEST(Parse, NewlinesNeverMatter) {
  const auto one_line = tree(
      "campaign a { class marketing for not in staff when purchase as p "
      "where p.x == 1 and no refund within 1 day send c via sms wait 1 day }");
  std::string many;
  for (const char c :
       std::string("campaign a { class marketing for not in staff when purchase as p "
                   "where p.x == 1 and no refund within 1 day send c via sms wait 1 day }")) {
    many += c == ' ' ? '\n' : c;
  }
  EXPECT_EQ(tree(many), one_line);
  EXPECT_THAT(one_line, testing::HasSubstr("    send c via sms\n    wait 1 day\n"));
}

TEST(Parse, SpansCoverExactlyWhatWasWritten) {
  const std::string text = "内容 hello ｛ 正文 “亲爱的 {customer.name or “you”}！” ｝";
  const Source source("a.koi", text);
  const auto result = parse(source, 7, Language::English);
  ASSERT_THAT(result.diagnostics, IsEmpty());
  const auto& content = std::get<ast::ContentDecl>(result.file.declarations.at(0));
  EXPECT_EQ(source.slice(content.span), text);
  EXPECT_EQ(content.span.source, 7u);
  EXPECT_EQ(source.slice(content.name.span), "hello");
  const auto& body = std::get<ast::ContentBody>(content.items.at(0).kind);
  ASSERT_EQ(body.text.parts.size(), 3u);
  const auto& inserted = *std::get<ast::Box<ast::Expr>>(body.text.parts[1]);
  EXPECT_EQ(source.slice(inserted.span), "customer.name or “you”");
}

TEST(Parse, AnErrorInOneDeclarationHidesNothingOfTheOthers) {
  const auto result = parsed(
      "event a { x: text\nsegment s when\nlet l = 1 +\ncampaign c {\n  when x\n"
      "    sned y via z\n    stop\n}\nevent b { y: int }\n");
  std::vector<std::uint32_t> lines;
  const Source source("a.koi",
                      "event a { x: text\nsegment s when\nlet l = 1 +\ncampaign c {\n  when x\n"
                      "    sned y via z\n    stop\n}\nevent b { y: int }\n");
  for (const auto& each : result.diagnostics)
    lines.push_back(source.position(each.span.begin).line);
  EXPECT_THAT(lines, ElementsAre(1, 3, 4, 6));
  EXPECT_THAT(dump(result.file), testing::HasSubstr("event b\n  field y: int\n"));
  EXPECT_THAT(dump(result.file), testing::HasSubstr("campaign c\n  when x\n    stop\n"));
}

TEST(Parse, AnEmptyFileIsAnEmptyProgram) {
  for (const std::string text : {"", "\n\n", "# nothing yet", "\xEF\xBB\xBF"}) {
    const auto result = parsed(text);
    EXPECT_THAT(result.diagnostics, IsEmpty());
    EXPECT_THAT(result.file.declarations, IsEmpty());
  }
}

// Limits: each has its code, and none exhausts the stack.

std::string repeated(const std::string& text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Limits, AThousandDeepNestIsAClearError) {
  const auto deep = [](const std::string& open, const std::string& middle,
                       const std::string& close) {
    return codes("segment s when " + repeated(open, 1000) + middle + repeated(close, 1000));
  };
  EXPECT_THAT(deep("(", "x", ")"), ElementsAre("K0005"));
  EXPECT_THAT(deep("not ", "x", ""), ElementsAre("K0005"));
  EXPECT_THAT(deep("- ", "x", ""), ElementsAre("K0005"));
  EXPECT_THAT(deep("[", "x", "]"), ElementsAre("K0005"));
  EXPECT_THAT(deep("f(", "x", ")"), ElementsAre("K0005"));
  EXPECT_THAT(deep("\"{", "x", "}\""), ElementsAre("K0005"));
  EXPECT_THAT(deep("count e where ", "x", ""), ElementsAre("K0005"));
  EXPECT_THAT(deep("x in [", "y", "]"), ElementsAre("K0005"));
  EXPECT_THAT(codes("campaign a { when b " + repeated("if x { ", 1000) + "stop" +
                    repeated("}", 1000) + "}"),
              ElementsAre("K0005"));
}

TEST(Limits, WhatIsJustDeepEnoughIsRead) {
  const auto n = deepest_nesting;
  EXPECT_THAT(codes("segment s when " + repeated("(", n) + "x" + repeated(")", n)), IsEmpty());
  EXPECT_THAT(codes("segment s when " + repeated("not ", n) + "x"), IsEmpty());
  EXPECT_THAT(
      codes("campaign a { when b " + repeated("if x { ", n - 1) + "stop" + repeated("}", n)),
      IsEmpty());
}

TEST(Limits, AChainHasAnEnd) {
  EXPECT_THAT(codes("let a = 1" + repeated(" + 1", longest_chain)), Contains("K0006"));
  EXPECT_THAT(codes("let a = 1" + repeated(" * 1", 100'000)), Contains("K0006"));
  EXPECT_THAT(codes("let a = x" + repeated(" or x", longest_chain)), Contains("K0006"));
  EXPECT_THAT(codes("let a = 1" + repeated(" + 1", longest_chain - 1)), IsEmpty());
  EXPECT_THAT(
      codes("campaign a { when b if x { stop }" + repeated(" else if x { stop }", 2'000) + "}"),
      IsEmpty());
}

TEST(Limits, AFileHasSoManyWords) {
  EXPECT_THAT(codes(repeated("a ", most_tokens + 1)), ElementsAre("K0004"));
}

// Whatever stands in a file: an answer, and soon.

std::vector<std::string> samples() {
  std::vector<std::string> all;
  for (const auto& each : std::filesystem::directory_iterator("tests/golden/parse")) {
    all.push_back(input_of(each.path()));
  }
  std::sort(all.begin(), all.end());
  for (const auto& path : programs()) all.push_back(read(path));
  return all;
}

// Diagnostics stand in the file they speak of, and can be shown.
void expect_sound(const std::string& text) {
  const std::vector<Source> sources{Source("a.koi", text)};
  for (const auto language : {Language::English, Language::Chinese}) {
    const auto result = parse(sources[0], 0, language);
    for (const auto& each : result.diagnostics) {
      ASSERT_LE(each.span.begin, each.span.end) << text;
      ASSERT_LE(each.span.end, text.size()) << text;
      ASSERT_FALSE(render(each, sources, language).empty());
    }
    ASSERT_NO_FATAL_FAILURE(static_cast<void>(dump(result.file)));
  }
}

TEST(Hostile, WordsInAnyOrderGiveAnAnswer) {
  std::mt19937 random(20260302);
  std::vector<std::string> words{
      "x", "1", "10%", "¥5", "30 days", "09:00", "2026-11-11", "1st", "\"t\"", "\"{", "}\"",   "{",
      "}", "(", ")",   "[",  "]",       ",",     ":",          ".",   "?",     "=",   "==",    "<",
      "+", "-", "*",   "\n", "\n",      "\n",    "“",          "”",   "`a`",   "#",   "\"\"\""};
  for (const auto& each : keywords()) {
    if (!each.english.empty()) words.emplace_back(each.english);
    words.emplace_back(each.chinese);
  }
  for (int i = 0; i < 4'000; ++i) {
    std::string text;
    const auto length = 1 + random() % 60;
    for (std::size_t n = 0; n < length; ++n)
      text += words[random() % words.size()] + (random() % 4 ? " " : "\n");
    ASSERT_NO_FATAL_FAILURE(expect_sound(text));
  }
}

TEST(Hostile, MutatedProgramsGiveAnAnswer) {
  std::mt19937 random(7);
  const auto all = samples();
  for (int i = 0; i < 2'000; ++i) {
    auto text = all[random() % all.size()];
    for (auto n = 1 + random() % 5; n > 0 && !text.empty(); --n) {
      const auto at = random() % text.size();
      const auto length = std::min<std::size_t>(random() % 12, text.size() - at);
      switch (random() % 4) {
        case 0: text.erase(at, length); break;
        case 1: text.insert(at, text.substr(random() % text.size(), length)); break;
        case 2: text[at] = static_cast<char>(random() % 128); break;
        default: text.resize(at); break;
      }
    }
    ASSERT_NO_FATAL_FAILURE(expect_sound(text));
  }
}

TEST(Help, NamesOnlyWhatCanBeWritten) {
  // What is not Koi: of texts, of files, of the command line, and patterns of codes.
  const std::set<std::string> elsewhere{
      "{{", "_",  "\\\"", "\\\\", "\\n",          "\\t",          "?",     "？",
      "==", "!=", "en",   "zh",   "NEW-########", "OLD-########", "pt-BR", "koi run"};
  EXPECT_FALSE(can_be_written("限额 1 每 顾客"));
  for (const auto& each : catalogue()) {
    for (const auto help : {each.help_english, each.help_chinese}) {
      for (const auto& syntax : quoted_in(help)) {
        if (elsewhere.contains(syntax) || syntax.find("…") != syntax.npos) continue;
        EXPECT_TRUE(can_be_written(syntax)) << each.text << ": " << syntax;
      }
    }
  }
}

}  // namespace
}  // namespace koi::lang
