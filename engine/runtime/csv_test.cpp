#include "runtime/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace koi::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> split(std::string_view record) {
  std::vector<std::string_view> fields;
  std::string room;
  if (!split_csv(record, fields, room)) return {"(refused)"};
  return {fields.begin(), fields.end()};
}

TEST(Csv, SplitsAsTheStandardSays) {
  EXPECT_THAT(split("a,b,c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split(""), ElementsAre(""));
  EXPECT_THAT(split(",,"), ElementsAre("", "", ""));
  EXPECT_THAT(split(R"("a, b","say ""hi""",c)"), ElementsAre("a, b", "say \"hi\"", "c"));
  EXPECT_THAT(split("\"two\nlines\",\"\"\"\",\"\""), ElementsAre("two\nlines", "\"", ""));
  EXPECT_THAT(split(R"("a""b""c","d""")"), ElementsAre("a\"b\"c", "d\""));
  EXPECT_THAT(split(R"(a"b,c)"), ElementsAre("(refused)"));
  EXPECT_THAT(split(R"("a"b,c)"), ElementsAre("(refused)"));
  EXPECT_THAT(split(R"("a)"), ElementsAre("(refused)"));
}

Timestamp at(const char* text) { return *parse_instant(text); }

TEST(Csv, MapsRowsToEvents) {
  const auto map = CsvMap::parse(R"(# payments
only  event is not "test"
skip  [user id] is empty
type    = event { payment_done -> purchase, cart → add_to_cart }
time    = timestamp as "%d/%m/%Y %H:%M:%S" in "Europe/London"
subject = [user id]
id      = order "-" line
amount  = price * quantity   # exact
channel = "web"
)",
                                 "p.map");
  ASSERT_TRUE(map) << map.error().what;
  auto rows = CsvRows::bind(*map, "\xef\xbb\xbforder,user id,event,timestamp,price,quantity",
                            "p.csv", utc());
  ASSERT_TRUE(rows) << rows.error().what;
  Texts texts;
  ASSERT_EQ(rows->read("o1,u1,payment_done,01/07/2026 12:00:00,2.55,6", 2, texts),
            CsvRows::Outcome::Row);
  EXPECT_EQ(texts.type, "purchase");
  EXPECT_EQ(texts.id, "o1-2");
  EXPECT_EQ(texts.subject, "u1");
  EXPECT_EQ(texts.time, at("2026-07-01T11:00:00Z"));
  EXPECT_THAT(texts.fields, ElementsAre(std::pair("amount", "15.30"), std::pair("channel", "web")));
  EXPECT_EQ(rows->read("o1,u1,test,01/07/2026 12:00:00,2.55,6", 3, texts),
            CsvRows::Outcome::LeftOut);
  EXPECT_EQ(rows->read("o1,,cart,01/07/2026 12:00:00,2.55,6", 4, texts), CsvRows::Outcome::LeftOut);
  EXPECT_EQ(rows->read("o1,u1,cart,01/07/2026,2.55,6", 5, texts), CsvRows::Outcome::Bad);
  EXPECT_THAT(rows->reason(), HasSubstr("`time` is `01/07/2026`"));
  EXPECT_EQ(rows->read("o1,u1,cart", 6, texts), CsvRows::Outcome::Bad);
  EXPECT_THAT(rows->reason(), HasSubstr("has 3 fields, where the header has 6"));
  EXPECT_EQ(rows->read("o1,u1,cart,01/07/2026 12:00:00,dear,6", 7, texts), CsvRows::Outcome::Bad);
  EXPECT_THAT(rows->reason(), HasSubstr("`amount` cannot be reckoned"));
  EXPECT_EQ(rows->read("o1,u1,ca\xffrt,01/07/2026 12:00:00,1,6", 8, texts), CsvRows::Outcome::Bad);
  EXPECT_THAT(rows->reason(), HasSubstr("UTF-8"));
}

TEST(Csv, NamesEventsAfterFileAndLineAndReadsUsualTimes) {
  const auto map = CsvMap::parse("type = \"visit\"\ntime = t\nsubject = c\n", "p.map");
  ASSERT_TRUE(map);
  auto rows = CsvRows::bind(*map, "t,c", "p.csv", *find_zone("Asia/Shanghai"));
  Texts texts;
  for (const auto& [text, time] : {std::pair{"2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z"},
                                   {"2026-03-02 10:00:00.25", "2026-03-02T02:00:00.25Z"},
                                   {"2026-03-02 10:00", "2026-03-02T02:00:00Z"},
                                   {"2026-03-02", "2026-03-01T16:00:00Z"}}) {
    ASSERT_EQ(rows->read(std::string(text) + ",c1", 7, texts), CsvRows::Outcome::Row) << text;
    EXPECT_EQ(texts.time, at(time)) << text;
    EXPECT_EQ(texts.id, "p.csv:7");
  }
}

TEST(Csv, ReadsTimesByTheirForm) {
  EXPECT_EQ(parse_time("7/3/26 9:05", "%d/%m/%y %H:%M", utc()), at("2026-03-07T09:05:00Z"));
  EXPECT_EQ(parse_time("07 Mar 2026", "%d %b %Y", utc()), at("2026-03-07T00:00:00Z"));
  EXPECT_EQ(parse_time("2026-03-07T09:05:01.5+0800", "%Y-%m-%dT%H:%M:%S.%f%z", utc()),
            at("2026-03-07T01:05:01.5Z"));
  EXPECT_EQ(parse_time("31/02/2026", "%d/%m/%Y", utc()), std::nullopt);
  EXPECT_EQ(parse_time("07/03/2026x", "%d/%m/%Y", utc()), std::nullopt);
  EXPECT_EQ(parse_time("", "%Y", utc()), std::nullopt);
}

TEST(Csv, RefusesMapsThatCannotBeMeant) {
  const std::pair<const char*, const char*> table[] = {
      {"", "does not say `type = …`"},
      {"type = a\nsubject = b\n", "does not say `time = …`"},
      {"type\n", "p.map:1: behind `type` comes `= COLUMN`"},
      {"type = \n", "behind `=` comes a column"},
      {"type = \"a\n", "a quote or bracket does not end"},
      {"type = a b c ) ,\n", "one too many"},
      {"type = a\ntype = b\n", "p.map:2: `type` is said twice"},
      {"time = a as \"%Q\"\n", "`%` in a time's form"},
      {"time = a in \"Moon/Base\"\n", "there is no time zone `Moon/Base`"},
      {"sku = a as \"%Y\"\n", "for `time` alone"},
      {"only a\n", "behind the column comes"},
      {"only a is b\n", "stands in quotes"},
      {"type = a { b }\n", "`seen -> meant`"},
      {"type = a { b -> c\n", "a brace does not end"},
      {"amount = a * \"2\"\n", "`*` stands between two columns"},
      {"\xff\n", "UTF-8"},
  };
  for (const auto& [text, says] : table) {
    const auto map = CsvMap::parse(text, "p.map");
    ASSERT_FALSE(map) << text;
    EXPECT_THAT(map.error().what, HasSubstr(says)) << text;
  }
  const auto map = CsvMap::parse("type = a\ntime = b\nsubject = nobody\n", "p.map");
  EXPECT_THAT(CsvRows::bind(*map, "a,b,c", "p.csv", utc()).error().what,
              HasSubstr("p.map:3: p.csv has no column `nobody`; its columns are `a`, `b`, `c`"));
}

}  // namespace
}  // namespace koi::runtime
