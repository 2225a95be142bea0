#include "runtime/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <random>

#include "runtime/test_plan.h"

namespace koi::runtime {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Decode : public ::testing::Test {
 protected:
  plan::Plan plan_ = small_plan();
  Decoder decoder_{plan_};
  Incoming into_;

  Decoded decode(const std::string& line) { return decoder_.decode(line, into_); }
  // A purchase with that data.
  static std::string purchase(const std::string& data) {
    return R"({"id":"e1","type":"purchase","time":"2026-11-01T10:00:00+08:00","subject":"c1","data":{)" +
           data + "}}";
  }
  std::string why(const std::string& line) {
    const Decoded decoded = decode(line);
    return decoded == Decoded::Rejected ? decoder_.reason() : "(accepted)";
  }
  // Why a purchase is refused with that field beside what it needs.
  std::string why_field(const std::string& member) {
    return why(purchase(R"("order":"o1","amount":"1.00",)" + member));
  }
  Value field(const char* name) {
    const EventType& type = plan_.schema[into_.event.type];
    for (std::size_t i = 0; i < type.fields.size(); ++i)
      if (type.fields[i].symbol.name == name) return into_.event.fields[i];
    ADD_FAILURE() << name;
    return {};
  }
};

TEST_F(Decode, ReadsTheLineOfTheManual) {
  ASSERT_EQ(
      decode(
          R"({"specversion":"1.0","source":"shop","id":"e1","type":"purchase","time":"2026-11-01T10:00:00+08:00","subject":"c1","data":{"amount":"129.00","order":"A1"}})"),
      Decoded::Event);
  EXPECT_EQ(into_.event.id, "e1");
  EXPECT_EQ(into_.event.type, plan_.schema.find_event("purchase"));
  EXPECT_EQ(into_.event.time, *parse_instant("2026-11-01T02:00:00Z"));
  EXPECT_EQ(into_.event.customer, "c1");
  EXPECT_TRUE(into_.subject_kind.is_none());
  EXPECT_EQ(field("amount"), Value::money(12900));
  EXPECT_EQ(field("order"), Value::text("A1"));
  EXPECT_EQ(field("sku"), Value());
  EXPECT_EQ(field("count"), Value::integer(1));  // its default
  EXPECT_TRUE(into_.event.identifiers.empty());
}

TEST_F(Decode, ReadsEveryKindOfField) {
  ASSERT_EQ(
      decode(purchase(
          R"("order":"a long order number of 30 bytes","金额":12.5,"sku":null,"count":-3,"weight":0.1,"gift":true,
    "day":"2024-02-29","at":"2026-11-01T10:00:00.5Z","clock":"09:30","wait":"90 minutes","mood":"好","tags":["a","b c"],
    "link":"https://m.example.com/x","mail":"Ann@Example.com","invite":"AB-12")")),
      Decoded::Event)
      << decoder_.reason();
  EXPECT_EQ(field("order"), Value::text("a long order number of 30 bytes"));
  EXPECT_EQ(field("amount"), Value::money(1250));
  EXPECT_EQ(field("sku"), Value());
  EXPECT_EQ(field("count"), Value::integer(-3));
  EXPECT_EQ(field("weight"), Value::number({100000}));
  EXPECT_EQ(field("gift"), Value::boolean(true));
  EXPECT_EQ(field("day"), Value::date(*parse_date("2024-02-29")));
  EXPECT_EQ(field("at"), Value::instant(*parse_instant("2026-11-01T10:00:00.5Z")));
  EXPECT_EQ(field("clock"), Value::time(*parse_time_of_day("09:30")));
  EXPECT_EQ(field("wait"), Value::duration(minutes(90)));
  EXPECT_EQ(field("mood"), Value::enumerator(0));
  EXPECT_EQ(field("tags"), Value::list({Value::text("a"), Value::text("b c")}));
  EXPECT_EQ(field("link"), Value::text("https://m.example.com/x"));
  EXPECT_EQ(field("mail"), Value::text("ann@example.com"));
  EXPECT_EQ(field("invite"), Value::text("AB-12"));
}

TEST_F(Decode, ReadsNumbersExactly) {
  const std::pair<const char*, std::int64_t> amounts[] = {{"0.1", 10},
                                                          {"0.29", 29},
                                                          {"1.15", 115},
                                                          {"4.35", 435},
                                                          {"1e2", 10000},
                                                          {"1.5E-1", 15},
                                                          {"12.500", 1250},
                                                          {"\"0.07\"", 7},
                                                          {"-0.01", -1},
                                                          {"90071992547409.93", 9007199254740993},
                                                          {"92233720368547758.07", INT64_MAX},
                                                          {"0", 0},
                                                          {"\"1234567.80\"", 123456780}};
  for (const auto& [text, minor] : amounts) {
    ASSERT_EQ(decode(purchase(std::string(R"("order":"o","amount":)") + text)), Decoded::Event)
        << text;
    EXPECT_EQ(field("amount"), Value::money(minor)) << text;
  }
}

TEST_F(Decode, TakesMembersInAnyOrderAndEscapesOfAnyKind) {
  ASSERT_EQ(
      decode(
          R"( { "data" : { "order" : "\u5b89 \"x\" \ud83d\ude00\n" , "amount" : 1 } , "subject" : "c\u0031" , "t\u0069me" : "2026-11-01 10:00:00Z" , "type" : "\u8d2d\u4e70" , "id" : "e\/1" } )"),
      Decoded::Event)
      << decoder_.reason();
  EXPECT_EQ(field("order"), Value::text("安 \"x\" 😀\n"));
  EXPECT_EQ(into_.event.customer, "c1");
  EXPECT_EQ(into_.event.id, "e/1");
  EXPECT_EQ(decoder_.time_of(R"({"t\u0069me":"2026-11-01 10:00:00Z"})"), into_.event.time);
}

TEST_F(Decode, LinksIdentifiersOfFieldsAndOfBareKeys) {
  const std::string head =
      R"({"id":"e1","type":"register","time":"2026-11-01T10:00:00Z","subject":")";
  ASSERT_EQ(
      decode(head +
             R"(wechat_openid:oABC","data":{"phone":"+86 138 0013 8000","wechat_openid":"oABC"}})"),
      Decoded::Event)
      << decoder_.reason();
  EXPECT_EQ(into_.subject_kind, IdentifierId::of(1));
  EXPECT_EQ(into_.event.customer, "oABC");
  EXPECT_EQ(into_.event.identifiers,
            (std::vector<Identifier>{{IdentifierId::of(0), "+8613800138000"},
                                     {IdentifierId::of(1), "oABC"}}));
  EXPECT_EQ(field("phone"), Value::text("+8613800138000"));
  // By the attribute's alias too; a purchase has no such field.
  ASSERT_EQ(decode(purchase(R"("order":"o","amount":1,"手机":"13800138000")")), Decoded::Event);
  EXPECT_EQ(into_.event.identifiers,
            (std::vector<Identifier>{{IdentifierId::of(0), "13800138000"}}));
  ASSERT_EQ(decode(head + R"(手机:138-0013-8000","data":{}})"), Decoded::Event);
  EXPECT_EQ(into_.event.customer, "13800138000");
  EXPECT_TRUE(into_.event.identifiers.empty());
}

TEST_F(Decode, WhatOnlyTheEngineSaysIsUnknownOutside) {
  plan_.schema.events.push_back({.symbol = {"tier value", ""}, .is_inner = true});
  plan_.reactions.resize(plan_.schema.events.size());
  plan_.schema.index();
  Decoder decoder(plan_);
  EXPECT_EQ(
      decoder.decode(
          R"({"id":"e1","type":"tier value","time":"2026-11-01T10:00:00Z","subject":"c1"})", into_),
      Decoded::UnknownType);
}

TEST_F(Decode, CountsUnknownTypesAndFieldsByName) {
  EXPECT_EQ(
      decode(
          R"({"id":"e1","type":"purchace","time":"2026-11-01T10:00:00Z","subject":"c1","data":{"x":[{}]}})"),
      Decoded::UnknownType);
  EXPECT_EQ(
      decode(purchase(R"("order":"o","amount":1,"colour":{"red":[1,2,{"a":null}]},"colour2":1)")),
      Decoded::Event);
  EXPECT_EQ(decode(purchase(R"("order":"o","amount":1,"colour":true)")), Decoded::Event);
  EXPECT_EQ(decoder_.unknown_types().names(),
            (std::map<std::string, std::uint64_t, std::less<>>{{"purchace", 1}}));
  EXPECT_EQ(decoder_.unknown_fields().names(),
            (std::map<std::string, std::uint64_t, std::less<>>{{"purchase.colour", 2},
                                                               {"purchase.colour2", 1}}));
}

TEST_F(Decode, ForgetsTheEventBefore) {
  ASSERT_EQ(decode(purchase(R"("order":"o","amount":1,"sku":"A1","wechat_openid":"o1")")),
            Decoded::Event);
  ASSERT_EQ(decode(purchase(R"("order":"o","amount":1)")), Decoded::Event);
  EXPECT_EQ(field("sku"), Value());
  EXPECT_TRUE(into_.event.identifiers.empty());
}

TEST_F(Decode, RefusesARedemptionThatTakesOffLessThanNothing) {
  const auto redeemed = [&](const std::string& amount) {
    return why(
        R"({"id":"e1","type":"redeemed","time":"2026-11-01T10:00:00Z","subject":"c1","data":{"code":"A","amount":)" +
        amount + "}}");
  };
  EXPECT_THAT(redeemed(R"("-0.01")"), HasSubstr("`amount` of `redeemed` is negative"));
  EXPECT_THAT(redeemed("-5"), HasSubstr("`amount` of `redeemed` is negative"));
  EXPECT_EQ(redeemed(R"("0.00")"), "(accepted)");
  EXPECT_EQ(redeemed("null"), "(accepted)");
}

struct Bad {
  const char* line;
  const char* says;
};
TEST_F(Decode, RefusesWhatIsNotAnEventAndSaysWhy) {
  const Bad table[] = {
      {"", "is empty"},
      {"   ", "is empty"},
      {"null", "an object in { } should be here"},
      {"[]", "an object in { } should be here"},
      {"\"x\"", "an object in { } should be here"},
      {"{", "is not JSON: it ends where a name in quotes should be"},
      {"{\"id\"", "it ends where a colon should be"},
      {"{\"id\":", "it ends where a value should be"},
      {"{\"id\":\"e1", "a text does not end"},
      {"{\"id\":\"e1\",}", "a name in quotes should be here"},
      {"{\"id\":\"e1\"}}", "goes on behind the JSON object at column 12"},
      {"{\"id\":\"e1\"} {}", "goes on behind"},
      {"{'id':1}", "a name in quotes should be here"},
      {"{\"id\":\"e1\"x}", "a comma or the end of the object"},
      {"{\"id\":\"\xff\"}", "is not valid UTF-8 at byte 8"},
      {"{\"id\":\"a\tb\"}", "holds a control character inside a text"},
      {"{\"id\":\"a\\u0000b\"}", "holds a NUL character"},
      {"{\"id\":\"a\\ud800b\"}", "half a character"},
      {"{\"id\":\"a\\x\"}", "a \\ before a character that needs none"},
      {"{\"id\":\"a\\u12\"}", "four hexadecimal digits"},
      {"{\"more\":01}", "a number should be here"},
      {"{\"more\":1.}", "a number should be here"},
      {"{\"more\":+1}", "a value should be here"},
      {"{\"more\":nul}", "a value should be here"},
      {"{\"more\":NaN}", "a value should be here"},
      {"{\"id\":17}", "`id` is a number; give a text in quotes"},
      {"{\"id\":\"\"}", "`id` is empty"},
      {"{\"id\":\"a\",\"id\":\"a\"}", "`id` is given twice"},
      {"{\"type\":[]}", "`type` is a list; give a text in quotes"},
      {"{\"data\":[]}", "`data` is a list; give an object"},
      {"{\"time\":1700000000}", "`time` is a number"},
      {"{\"time\":\"2026-11-01T10:00:00\"}", "which is not an instant with its offset"},
      {"{\"time\":\"2026-02-29T10:00:00Z\"}", "which is not an instant"},
      {"{\"time\":\"2026-11-01T24:01:00Z\"}", "which is not an instant"},
      {"{\"time\":\"0001-01-01T00:00:00Z\"}",
       "`0001-01-01T00:00:00Z`, which is not between the years 1970 and 2199"},
      {"{\"time\":\"9999-12-31T23:59:59Z\"}", "not between the years 1970 and 2199"},
      {"{\"time\":\"1969-12-31T23:59:59.999999Z\"}", "not between the years"},
      {"{\"subject\":\"\"}", "`subject` is empty"},
      {"{\"subject\":\"wechat_opnid:o1\"}", "`wechat_opnid` and a colon, which is no identifier"},
      {"{\"subject\":\"wechat_openid:\"}", "whose value is not there"},
      {"{\"subject\":\"phone:12\"}", "whose value is not a phone number"},
      {"{}", "has no `id`"},
      {R"({"id":"e1"})", "has no `type`"},
      {R"({"id":"e1","type":"purchase"})", "has no `time`"},
      {R"({"id":"e1","type":"purchase","time":"2026-11-01T10:00:00Z"})", "has no `subject`"},
      {R"({"id":"e1","type":"purchase","time":"2026-11-01T10:00:00Z","subject":"c1"})",
       "`purchase` has no `order`; give a text"},
      {R"({"id":"e1","type":"purchase","time":"2026-11-01T10:00:00Z","subject":"c1","data":{"order":"o"}})",
       "`purchase` has no `amount`; give an amount of money as \"12.55\""},
      {R"({"id":"e1","type":"purchase","time":"2026-11-01T10:00:00Z","subject":"*"})",
       "`purchase` happens to one customer"},
  };
  for (const Bad& bad : table) EXPECT_THAT(why(bad.line), HasSubstr(bad.says)) << bad.line;
}

TEST_F(Decode, RefusesFieldsOfTheWrongKindAndNamesTheRemedy) {
  const Bad table[] = {
      {R"("sku":1)", "`sku` of `purchase` is a number; give a text"},
      {R"("sku":true)", "is true or false; give a text"},
      {R"("sku":{})", "is an object; give a text"},
      {R"("sku":["a"])", "is a list; give a text"},
      {R"("count":"3")", "`count` of `purchase` is a text; give a whole number"},
      {R"("count":1.5)", "is `1.5`, which has decimals; give a whole number"},
      {R"("count":99999999999999999999)", "too large"},
      {R"("weight":0.1234567)", "more than 6 decimals"},
      {R"("weight":"heavy")", "is `heavy`, which is not a number"},
      {R"("weight":1e400)", "too large"},
      {R"("gift":"yes")", "is a text; give true or false"},
      {R"("gift":1)", "is a number; give true or false"},
      {R"("day":"2026-02-29")", "is `2026-02-29`, which is not a date as \"2026-11-11\""},
      {R"("day":"9999-01-01")", "not between the years 1900 and 2199"},
      {R"("day":20260101)", "is a number; give a date"},
      {R"("at":"2026-11-01")", "not an instant with its offset"},
      {R"("at":"0001-01-01T00:00:00Z")", "not between the years 1970 and 2199"},
      {R"("clock":"25:00")", "not a time of day"},
      {R"("wait":"soon")", "not a duration as \"90 minutes\""},
      {R"("mood":"ugly")", "is `ugly`, which is not one of `good`, `bad`"},
      {R"("mood":1)", "give one of `good`, `bad`"},
      {R"("tags":"a")", "is a text; give a list"},
      {R"("tags":["a",1])", "has an element which is a number; give a text"},
      {R"("tags":["a",["b"]])", "has an element which is a list"},
      {R"("tags":["a",])", "a value should be here"},
      {R"x("link":"javascript:alert(1)")x",
       "is not an address that begins with https:// or http://"},
      {R"("invite":"a b")", "is not a code"},
      {R"("sku":"a","sku":"b")", "`sku` is given twice"},
      {R"("金额":2)", "`金额` is given twice"},
  };
  for (const Bad& bad : table) EXPECT_THAT(why_field(bad.line), HasSubstr(bad.says)) << bad.line;
  EXPECT_THAT(why(purchase(R"("order":"o","amount":1.005)")),
              HasSubstr("is `1.005`, which has more than 2 decimals"));
  EXPECT_THAT(why(purchase(R"("order":"o","amount":"¥12")")), HasSubstr("without a currency sign"));
  EXPECT_THAT(why(purchase(R"("order":"o","amount":"1,000.00")")),
              HasSubstr("is not an amount of money"));
  EXPECT_THAT(why(purchase(R"("order":"o","amount":null)")), HasSubstr("has no `amount`"));
}

TEST_F(Decode, QuotesNothingOfAPersons) {
  const std::string head =
      R"({"id":"e1","type":"register","time":"2026-11-01T10:00:00Z","subject":"c1","data":{)";
  EXPECT_THAT(
      why(head + R"("phone":"secret13800"}})"),
      AllOf(HasSubstr("`phone` of `register` is not a phone number"), Not(HasSubstr("secret"))));
  // A private attribute is made of it.
  EXPECT_THAT(why(head + R"("age":42.5}})"),
              AllOf(HasSubstr("`age` of `register` has decimals"), Not(HasSubstr("42"))));
  EXPECT_THAT(why_field(R"("mail":"ann at home")"),
              AllOf(HasSubstr("is not an email address"), Not(HasSubstr("ann at"))));
  EXPECT_THAT(why(R"({"subject":"phone:secret"})"),
              AllOf(HasSubstr("phone"), Not(HasSubstr("secret"))));
}

TEST_F(Decode, RefusesLinesBeyondItsLimits) {
  EXPECT_THAT(why(std::string(10u << 20, ' ')), HasSubstr("longer than 1 MiB"));
  EXPECT_THAT(
      why(purchase(R"("order":"o","amount":1,"sku":")" + std::string(longest_line, 'x') + "\"")),
      HasSubstr("longer than 1 MiB"));
  EXPECT_EQ(why(purchase(R"("order":"o","amount":1,"sku":")" + std::string(500'000, 'x') + "\"")),
            "(accepted)");
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_EQ(why_field("\"more\":" + nested(60)), "(accepted)");
  EXPECT_THAT(why_field("\"more\":" + nested(100'000)), HasSubstr("nested more than 64 deep"));
  EXPECT_THAT(why(R"({"id":")" + std::string(1025, 'x') + "\"}"),
              HasSubstr("`id` is longer than 1,024 bytes"));
  EXPECT_THAT(why(R"({"subject":")" + std::string(1025, 'x') + "\"}"),
              HasSubstr("`subject` is longer than 1,024 bytes"));
}

TEST_F(Decode, KeepsBoundedlyManyUnknownNames) {
  for (int i = 0; i < 3000; ++i)
    decode(R"({"id":"e","type":"t)" + std::to_string(i) +
           R"(","time":"2026-11-01T10:00:00Z","subject":"c"})");
  EXPECT_EQ(decoder_.unknown_types().names().size(), 1000u);
  EXPECT_EQ(decoder_.unknown_types().others(), 2000u);
}

TEST_F(Decode, ReadsRowsOfTexts) {
  const std::pair<std::string_view, std::string_view> fields[] = {
      {"order", "o1"}, {"amount", "12.50"},      {"count", "3"}, {"gift", "yes"},
      {"sku", ""},     {"phone", "13800138000"}, {"new", "x"}};
  const Texts row{.id = "row:1",
                  .type = "购买",
                  .subject = "c1",
                  .time = *parse_instant("2026-11-01T10:00:00Z"),
                  .fields = fields};
  ASSERT_EQ(decoder_.decode(row, into_), Decoded::Event) << decoder_.reason();
  EXPECT_EQ(field("amount"), Value::money(1250));
  EXPECT_EQ(field("count"), Value::integer(3));
  EXPECT_EQ(field("gift"), Value::boolean(true));
  EXPECT_EQ(field("sku"), Value());
  EXPECT_EQ(into_.event.identifiers.size(), 1u);
  EXPECT_EQ(decoder_.unknown_fields().names().size(), 1u);
  const std::pair<std::string_view, std::string_view> poor[] = {{"order", "o1"}, {"amount", ""}};
  EXPECT_EQ(decoder_.decode(Texts{"i", "purchase", "c1", row.time, poor}, into_),
            Decoded::Rejected);
  EXPECT_THAT(decoder_.reason(), HasSubstr("has no `amount`"));
}

// On mangled lines it calls JSON what simdjson's own parser calls JSON.
TEST_F(Decode, AgreesWithSimdjsonOnWhatIsJson) {
  const std::string seeds[] = {
      purchase(
          R"("order":"o1","amount":12.50,"sku":"A1","tags":["a","b"],"gift":false,"more":{"x":[1,-2.5e3,null,true]})"),
      purchase(R"("order":"a\"b\\c\u00e9","amount":"1.00","mood":"good","deep":[[[{"y":"z"}]]])")};
  const std::string alphabet = "{}[]\",:\\ \t01-+.eEtfnu\x01\xc3\xa9";
  std::mt19937 random(7);
  simdjson::dom::parser parser;
  int json = 0, not_json = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string line = seeds[random() % 2];
    for (auto edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t at = random() % line.size();
      switch (random() % 3) {
        case 0: line[at] = alphabet[random() % alphabet.size()]; break;
        case 1: line.erase(at, 1 + random() % 3); break;
        default: line.insert(at, 1, alphabet[random() % alphabet.size()]);
      }
    }
    simdjson::dom::element element;
    const auto error = parser.parse(line).get(element);
    if (error == simdjson::NUMBER_ERROR) continue;  // its numbers are binary
    const bool is_json = error == simdjson::SUCCESS && element.is_object();
    const std::string reason = why(line);
    const bool says_not_json =
        reason.starts_with("is not JSON") || reason.starts_with("is not valid UTF-8") ||
        reason.starts_with("goes on behind") || reason.starts_with("holds a control");
    if (is_json) {  // a fault of another kind may be told first
      ++json;
      EXPECT_FALSE(says_not_json) << line << "\n" << reason;
    } else {
      ++not_json;
      EXPECT_NE(reason, "(accepted)") << line;
      EXPECT_FALSE(decoder_.time_of(line)) << line;
    }
  }
  EXPECT_GT(json, 5000);
  EXPECT_GT(not_json, 5000);
}

}  // namespace
}  // namespace koi::runtime
