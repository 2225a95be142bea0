#include "lang/lexer.h"

#include <gmock/gmock.h>

#include "lang/diagnostics.h"
#include "lang/parse.h"

namespace koi::lang {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// The words as they stand in the text, with the value of those that have one.
std::vector<std::string> words(const std::string& text) {
  const Source source("a.koi", text);
  const auto lexed = lex(source, 0, Language::English);
  std::vector<std::string> all;
  for (const auto& token : lexed.tokens) {
    if (token.kind != Kind::END_OF_FILE) {
      all.emplace_back(source.text().substr(token.begin, token.end - token.begin));
    }
  }
  return all;
}

std::vector<std::string> values(const std::string& text) {
  return lex(Source("a.koi", text), 0, Language::English).values;
}

std::vector<Kind> kinds(const std::string& text) {
  std::vector<Kind> all;
  for (const auto& token : lex(Source("a.koi", text), 0, Language::English).tokens) {
    all.push_back(token.kind);
  }
  all.pop_back();
  return all;
}

std::vector<std::string> lexer_codes(const std::string& text) {
  std::vector<std::string> all;
  for (const auto& each : lex(Source("a.koi", text), 0, Language::English).diagnostics) {
    all.push_back(each.code);
  }
  return all;
}

TEST(Lexer, TheBorderBetweenADigitAndAHanCharacterIsFree) {
  EXPECT_THAT(words("14天内"), ElementsAre("14天", "内"));
  EXPECT_THAT(words("14 天 内"), ElementsAre("14 天", "内"));
  EXPECT_THAT(words("14 天内"), ElementsAre("14 天", "内"));
  EXPECT_THAT(words("于14天内"), ElementsAre("于", "14天", "内"));
  EXPECT_THAT(words("最多3天"), ElementsAre("最多", "3天"));
  EXPECT_THAT(words("10位好友"), ElementsAre("10", "位好友"));
  EXPECT_THAT(words("每月1日"), ElementsAre("每", "月", "1日"));
  EXPECT_THAT(words("每周一 本月 每自然周"),
              ElementsAre("每", "周一", "本", "月", "每", "自然", "周"));
}

TEST(Lexer, ANameWithDigitsInItStaysOneName) {
  EXPECT_THAT(kinds("近90天消费 spend_90d 双11大促 最近30天打开"),
              ElementsAre(Kind::NAME, Kind::NAME, Kind::NAME, Kind::NAME));
  EXPECT_THAT(kinds("当购买"), ElementsAre(Kind::NAME));
}

TEST(Lexer, FullWidthSignsAreTheirTwins) {
  EXPECT_EQ(kinds("，：；（）｛｝【】＝＜＞≤≥≠？！＝"),
            (std::vector{Kind::COMMA, Kind::COLON, Kind::SEMICOLON, Kind::LPAREN, Kind::RPAREN,
                         Kind::LBRACE, Kind::RBRACE, Kind::LBRACKET, Kind::RBRACKET, Kind::ASSIGN,
                         Kind::LESS, Kind::GREATER, Kind::LESS_EQUAL, Kind::GREATER_EQUAL,
                         Kind::NOT_EQUAL, Kind::QUESTION, Kind::NOT_EQUAL}));
  EXPECT_THAT(values("￥１２．５０ １５％ ０９：３０ ｓｐｅｎｄ"),
              ElementsAre("CNY 12.50", "15", "09:30", "spend"));
}

TEST(Lexer, MoneyHasFourForms) {
  EXPECT_THAT(values("¥12.50 12.50元 $3 CNY 12.50 € 5 10_000元"),
              ElementsAre("CNY 12.50", "CNY 12.50", "USD 3", "CNY 12.50", "EUR 5", "CNY 10000"));
}

TEST(Lexer, DurationsMayBeGluedToTheirUnit) {
  EXPECT_THAT(values("30 days 30d 30天 2 hours 15min 15 minutes 3个月 1 year 1.5 hours"),
              ElementsAre("30 day", "30 day", "30 day", "2 hour", "15 minute", "15 minute",
                          "3 month", "1 year", "1.5 hour"));
}

TEST(Lexer, AUnitBeforeAColonIsTheNameOfTheNextField) {
  EXPECT_EQ(kinds("{ stars: 3 days: 4 }"),
            (std::vector{Kind::LBRACE, Kind::NAME, Kind::COLON, Kind::NUMBER, Kind::DAY,
                         Kind::COLON, Kind::NUMBER, Kind::RBRACE}));
}

TEST(Lexer, DatesAndTimesBecomeOneInstant) {
  EXPECT_EQ(
      kinds("2026-11-11 2026-11-11 20:00 2026-11-11T20:00:00+08:00 9:00 2026-11-11\n20:00:30.5"),
      (std::vector{Kind::DATE, Kind::LOCAL_TIME, Kind::INSTANT, Kind::TIME, Kind::LOCAL_TIME}));
}

TEST(Lexer, TextsMayHoldInsertionsThatHoldTexts) {
  EXPECT_EQ(kinds(R"("a {x or "b {y}"} c")"),
            (std::vector{Kind::TEXT_OPEN, Kind::TEXT_CHUNK, Kind::INSERT_OPEN, Kind::NAME, Kind::OR,
                         Kind::TEXT_OPEN, Kind::TEXT_CHUNK, Kind::INSERT_OPEN, Kind::NAME,
                         Kind::INSERT_CLOSE, Kind::TEXT_CLOSE, Kind::INSERT_CLOSE, Kind::TEXT_CHUNK,
                         Kind::TEXT_CLOSE}));
}

TEST(Lexer, ATextEndsWithTheMarkItBeganWith) {
  EXPECT_THAT(values("“say \"hi\"” \"say “hi”\""), ElementsAre("say \"hi\"", "say “hi”"));
  EXPECT_THAT(values(R"("a \"b\" {{c}} \\ \n")"), ElementsAre("a \"b\" {c} \\ \n"));
}

TEST(Lexer, ALongTextLosesTheIndentationItsLinesShare) {
  EXPECT_THAT(values("\"\"\"\n    one\n\n      two\n    \"\"\""), ElementsAre("one\n\n  two"));
  EXPECT_THAT(values("\"\"\"one\r\n  two\"\"\""), ElementsAre("one\ntwo"));
}

TEST(Lexer, AnOpenTextEndsWithItsLineAndTheNextOneIsRead) {
  EXPECT_THAT(lexer_codes("\"abc\nlet"), ElementsAre("K0010"));
  EXPECT_THAT(kinds("\"abc\nlet"), ElementsAre(Kind::TEXT, Kind::LET));
  EXPECT_THAT(lexer_codes("\"abc {x\nlet"), ElementsAre("K0012"));
  EXPECT_THAT(kinds("\"abc {x or \"y\nlet"), ElementsAre(Kind::TEXT, Kind::LET));
}

TEST(Lexer, PhrasesAreOneWordWhateverBlanksPartThem) {
  EXPECT_THAT(kinds("is known time  since\nlast up to upper"),
              ElementsAre(Kind::IS_KNOWN, Kind::TIME_SINCE_LAST, Kind::UP_TO, Kind::NAME));
}

TEST(Lexer, ABackQuotedWordIsNoKeyword) {
  EXPECT_THAT(kinds("send `send` `活动`"), ElementsAre(Kind::SEND, Kind::NAME, Kind::NAME));
}

TEST(Lexer, ALookAlikeLetterIsReportedAndReadAsItsTwin) {
  EXPECT_THAT(lexer_codes("\xD1\x81ount"), ElementsAre("K0008"));  // Cyrillic es
  EXPECT_THAT(lexer_codes("\"\xD1\x81ount\""), IsEmpty());
}

TEST(Lexer, DirectionControlsAreErrorsOutsideTexts) {
  EXPECT_THAT(lexer_codes("a \xE2\x80\xAE b"), ElementsAre("K0007"));
  EXPECT_THAT(lexer_codes("# a \xE2\x80\xAE b"), ElementsAre("K0007"));
  EXPECT_THAT(lexer_codes("\"a \xE2\x80\xAE b\""), IsEmpty());
}

TEST(Lexer, WhatIsNoTextIsRefusedWithItsPlace) {
  const auto lexed = lex(Source("a.koi", "let a\xFF"), 0, Language::English);
  ASSERT_THAT(lexed.diagnostics, SizeIs(1));
  EXPECT_EQ(lexed.diagnostics[0].code, "K0001");
  EXPECT_EQ(lexed.diagnostics[0].span.begin, 5u);
  EXPECT_FALSE(lexed.complete);
  EXPECT_THAT(lexer_codes(std::string("a\0b", 3)), ElementsAre("K0002"));
  EXPECT_THAT(lexer_codes(std::string(most_bytes + 1, ' ')), ElementsAre("K0003"));
}

TEST(Lexer, AThousandsCommaIsAMistakeButAListIsNot) {
  EXPECT_THAT(lexer_codes("budget 10,000 messages"), ElementsAre("K0111"));
  EXPECT_THAT(lexer_codes("¥5,000.00"), ElementsAre("K0111"));
  EXPECT_THAT(lexer_codes("10,000,000 ¥5,000,000 5,000,000元"),
              ElementsAre("K0111", "K0111", "K0111"));
  EXPECT_THAT(lexer_codes("[10,200] ¥30_000.00,100张 1, 000"), IsEmpty());
}

TEST(Lexer, AThousandsCommaIsReadAsWhatWasMeant) {
  const auto read = [](const char* text) {
    const auto lexed = lex(Source("a.koi", text), 0, Language::English);
    return lexed.tokens.size() == 2 ? lexed.values[lexed.tokens[0].value] : std::string();
  };
  EXPECT_EQ(read("100,000"), "100000");
  EXPECT_EQ(read("10,000,000"), "10000000");
  EXPECT_EQ(read("¥5,000.00"), "CNY 5000.00");
  EXPECT_EQ(read("5,000元"), "CNY 5000");
}

TEST(Lexer, CommentsAndBlankLinesAreKept) {
  const auto lexed = lex(Source("a.koi", "# one\n\n\nlet a = 1 # two\n"), 0, Language::English);
  EXPECT_THAT(lexed.comments, ElementsAre(SourceSpan{0, 0, 5}, SourceSpan{0, 18, 23}));
  EXPECT_THAT(lexed.blank_lines, ElementsAre(6u));
}

TEST(Keywords, EachKeywordHasBothSpellingsAndNoSpellingTwoKeywords) {
  for (const auto& word : keywords()) {
    EXPECT_FALSE(word.chinese.empty());
    EXPECT_FALSE(word.meaning.empty());
    EXPECT_EQ(word.english.empty(), word.kind == Kind::INSIDE);
    // The tables refuse a spelling that is there already.
    EXPECT_EQ(keyword_kind(word.chinese), word.kind);
    EXPECT_EQ(keyword(word.kind).english, word.english);
  }
}

TEST(Diagnostics, EachCodeHasWordsInBothLanguagesAndItsPlacesAgree) {
  const auto places = [](std::string_view text) {
    std::vector<char> found;
    for (std::size_t i = 0; i + 2 < text.size(); ++i) {
      if (text[i] == '{' && text[i + 2] == '}') found.push_back(text[i + 1]);
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  };
  std::string_view last;
  for (const auto& each : catalogue()) {
    EXPECT_LT(last, each.text) << "the catalogue is in order, and no code stands twice";
    last = each.text;
    EXPECT_EQ(places(each.english), places(each.chinese)) << each.text;
    EXPECT_EQ(places(each.help_english), places(each.help_chinese)) << each.text;
    EXPECT_EQ(each.help_english.empty(), each.help_chinese.empty()) << each.text;
    EXPECT_FALSE(each.english.ends_with('.')) << each.text;
    EXPECT_EQ(entry(each.code).text, each.text);
  }
}

}  // namespace
}  // namespace koi::lang
