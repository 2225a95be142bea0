#include "base/time.h"

#include <gtest/gtest.h>

#include <string>

#include "base/detail/instants.h"

namespace koi {
namespace {

Date day(std::string_view text) { return parse_date(text).value(); }

TEST(Date, CountsTheDaysOfTheGregorianCalendar) {
  EXPECT_EQ(date_of({1970, 1, 1})->days, 0);
  EXPECT_EQ(date_of({2000, 3, 1})->days, 11'017);
  EXPECT_EQ(date_of({1582, 10, 15})->days, -141'427);
  EXPECT_EQ(date_of({0, 3, 1})->days, -719'468);
  EXPECT_EQ(date_of({9999, 12, 31})->days, 2'932'896);
}

TEST(Date, EveryDayOfEightCenturiesGoesThereAndBack) {
  int expected_weekday = 5;  // 1600-01-01 was a Saturday
  YearMonthDay ymd{1600, 1, 1};
  for (Date date = *date_of(ymd); ymd.year < 2400; ++date.days) {
    const YearMonthDay found = civil(date);
    ASSERT_EQ(found.year, ymd.year);
    ASSERT_EQ(found.month, ymd.month);
    ASSERT_EQ(found.day, ymd.day);
    ASSERT_EQ(date_of(ymd), date);
    ASSERT_EQ(weekday(date), expected_weekday);
    expected_weekday = (expected_weekday + 1) % 7;
    if (++ymd.day > days_in_month(ymd.year, ymd.month)) {
      ymd.day = 1;
      if (++ymd.month > 12) {
        ymd.month = 1;
        ++ymd.year;
      }
    }
  }
}

TEST(Date, IsNothingWhereTheCalendarHasNoSuchDay) {
  EXPECT_EQ(date_of({2023, 2, 29}), std::nullopt);
  EXPECT_EQ(date_of({1900, 2, 29}), std::nullopt);
  EXPECT_NE(date_of({2000, 2, 29}), std::nullopt);
  EXPECT_EQ(date_of({2024, 4, 31}), std::nullopt);
  EXPECT_EQ(date_of({2024, 0, 1}), std::nullopt);
  EXPECT_EQ(date_of({2024, 13, 1}), std::nullopt);
  EXPECT_EQ(date_of({2024, 1, 0}), std::nullopt);
  EXPECT_EQ(date_of({INT32_MAX, 1, 1}), std::nullopt);
  EXPECT_EQ(date_of({INT32_MIN, 12, 31}), std::nullopt);
}

TEST(Date, TheEndsOfItsRangeHold) {
  for (const Date end : {Date{INT32_MIN}, Date{INT32_MAX}}) EXPECT_EQ(date_of(civil(end)), end);
  EXPECT_EQ(add_months({INT32_MAX}, INT32_MAX), Date{INT32_MAX});
  EXPECT_EQ(add_months({INT32_MIN}, INT32_MIN), Date{INT32_MIN});
}

TEST(Date, AMonthLaterIsTheMonthsLastDayWhereItLacksTheDay) {
  EXPECT_EQ(add_months(day("2024-01-31"), 1), day("2024-02-29"));
  EXPECT_EQ(add_months(day("2023-01-31"), 1), day("2023-02-28"));
  EXPECT_EQ(add_months(day("2024-02-29"), 12), day("2025-02-28"));
  EXPECT_EQ(add_months(day("2024-02-29"), -48), day("2020-02-29"));
  EXPECT_EQ(add_months(day("2024-03-31"), -1), day("2024-02-29"));
  EXPECT_EQ(add_months(day("2024-01-15"), -1), day("2023-12-15"));
  EXPECT_EQ(add_months(day("2024-12-15"), 1), day("2025-01-15"));
  EXPECT_EQ(add_months(day("0001-01-01"), -13), *date_of({-1, 12, 1}));
}

// The examples of RFC 3339, section 5.8, as instants by Python's datetime.
TEST(Instant, TheExamplesOfRfc3339AreRead) {
  EXPECT_EQ(at("1985-04-12T23:20:50.52Z").us, 482'196'050'520'000);
  EXPECT_EQ(at("1996-12-19T16:39:57-08:00").us, 851'042'397'000'000);
  EXPECT_EQ(at("1990-12-31T23:59:60Z").us, 662'688'000'000'000);
  EXPECT_EQ(at("1990-12-31T15:59:60-08:00").us, 662'688'000'000'000);
  EXPECT_EQ(at("1937-01-01T12:00:27.87+00:20").us, -1'041'337'172'130'000);
}

TEST(Instant, IsReadInAllTheFormsOfTheStandard) {
  EXPECT_EQ(at("1970-01-01T00:00:00Z").us, 0);
  EXPECT_EQ(at("2026-11-11 20:00:00.5+08:00").us, 1'794'398'400'500'000);
  EXPECT_EQ(at("2026-11-11t12:00:00.5z").us, 1'794'398'400'500'000);
  EXPECT_EQ(at("2026-11-11T12:00:00.5-00:00").us, 1'794'398'400'500'000);
  EXPECT_EQ(at("2026-11-11T12:00:00.123456789Z").us, 1'794'398'400'123'456);
  EXPECT_EQ(at("2026-11-11T12:00:00." + std::string(5'000, '9') + "Z").us, 1'794'398'400'999'999);
  EXPECT_EQ(at("0001-01-01T00:00:00Z").us, -62'135'596'800'000'000);
  EXPECT_EQ(at("9999-12-31T23:59:59.999999Z").us, 253'402'300'799'999'999);
  EXPECT_EQ(at("2199-12-31T23:59:59.999999Z"), latest_accepted);
}

TEST(Instant, IsNothingFromAnyOtherText) {
  for (const std::string_view text : {"",
                                      "2026",
                                      "2026-11-11",
                                      "2026-11-11T20:00:00",
                                      "2026-11-11T20:00Z",
                                      "2026-11-11T20:00:00.Z",
                                      "2026-11-11T24:00:00Z",
                                      "2026-11-11T20:60:00Z",
                                      "2026-11-11T20:00:61Z",
                                      "2026-11-11T20:00:60Z",
                                      "2026-11-11T23:59:60Z",
                                      "2026-02-29T20:00:00Z",
                                      "2026-11-31T20:00:00Z",
                                      "2026-00-11T20:00:00Z",
                                      "2026-13-11T20:00:00Z",
                                      "2026-11-00T20:00:00Z",
                                      "2026-11-11T20:00:00+24:00",
                                      "2026-11-11T20:00:00+08:60",
                                      "2026-11-11T20:00:00+0800",
                                      "2026-11-11T20:00:00+08",
                                      "2026-11-11T20:00:00 Z",
                                      "2026-11-11T20:00:00Z ",
                                      " 2026-11-11T20:00:00Z",
                                      "2026-11-11_20:00:00Z",
                                      "+2026-11-11T20:00:00Z",
                                      "-026-11-11T20:00:00Z",
                                      "2026-11-11T20:00:00.5.5Z",
                                      "2026/11/11T20:00:00Z",
                                      "2026-11-11T2:00:00Z",
                                      "2026-11-11T20:00:00ZZ",
                                      "２０26-11-11T20:00:00Z",
                                      "2026-11-11T-1:00:00Z"})
    EXPECT_EQ(parse_instant(text), std::nullopt) << text;
  EXPECT_EQ(parse_instant(std::string_view("2026-11-11T20:00:00\0", 20)), std::nullopt);
}

TEST(Instant, EveryBeginningOfAGoodTextIsNone) {
  const std::string_view whole = "2026-11-11T20:00:00.5+08:00";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    // A copy of its own, so that reading past the end is seen by the sanitizers.
    const std::string beginning(whole.substr(0, length));
    EXPECT_EQ(parse_instant(beginning), std::nullopt) << beginning;
  }
}

TEST(LocalTime, IsReadWithoutAnOffset) {
  EXPECT_EQ(parse_local("2026-11-11 20:00"),
            (LocalTime{.date = day("2026-11-11"), .time = {hours(20).us}}));
  EXPECT_EQ(parse_local("2026-11-11T20:00:01.25"),
            (LocalTime{.date = day("2026-11-11"), .time = {hours(20).us + 1'250'000}}));
  EXPECT_EQ(parse_local("2026-11-11 20:00Z"), std::nullopt);
  EXPECT_EQ(parse_local("2026-11-11"), std::nullopt);
  EXPECT_EQ(parse_local("2026-11-11 20"), std::nullopt);
  EXPECT_EQ(parse_time_of_day("09:00"), TimeOfDay{hours(9).us});
  EXPECT_EQ(parse_time_of_day("09:00:30"), (TimeOfDay{hours(9).us + seconds(30).us}));
  EXPECT_EQ(parse_time_of_day("24:00"), std::nullopt);
  EXPECT_EQ(parse_time_of_day("9:00"), std::nullopt);
  EXPECT_EQ(parse_time_of_day("09:00:60"), std::nullopt);
  EXPECT_EQ(parse_date("2026-1-1"), std::nullopt);
  EXPECT_EQ(parse_date("2026-01-011"), std::nullopt);
}

TEST(Time, IsWrittenWithDecimalsOnlyWhereThereAreSome) {
  EXPECT_EQ(to_string(day("2026-01-02")), "2026-01-02");
  EXPECT_EQ(to_string(day("0001-01-01")), "0001-01-01");
  EXPECT_EQ(to_string(*date_of({-44, 3, 15})), "-0044-03-15");
  EXPECT_EQ(to_string(*parse_time_of_day("09:00")), "09:00");
  EXPECT_EQ(to_string(*parse_time_of_day("09:00:30")), "09:00:30");
  EXPECT_EQ(to_string(*parse_time_of_day("23:59:00.000001")), "23:59:00.000001");
  for (const char* text : {"1970-01-01T00:00:00Z", "2026-11-11T12:00:00.5Z",
                           "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"})
    EXPECT_EQ(to_string(at(text), utc()), text);
  EXPECT_EQ(to_string(Timestamp::never(), utc()), "never");
  EXPECT_EQ(to_string(Timestamp::ever(), utc()), "ever");
}

TEST(Duration, IsWrittenInTheLargestUnitThatIsExact) {
  EXPECT_EQ(to_string(days(30)), "30 days");
  EXPECT_EQ(to_string(days(1)), "1 day");
  EXPECT_EQ(to_string(hours(36)), "36 hours");
  EXPECT_EQ(to_string(minutes(90)), "90 minutes");
  EXPECT_EQ(to_string(seconds(61)), "61 seconds");
  EXPECT_EQ(to_string(microseconds(1'500'000)), "1.5 seconds");
  EXPECT_EQ(to_string(Duration{}), "0 seconds");
  EXPECT_EQ(to_string(hours(-1)), "-1 hour");
  EXPECT_EQ(to_string(Span{.months = 1, .fixed = hours(2)}), "1 month 2 hours");
  EXPECT_EQ(to_string(Span{.months = 24, .fixed = {}}), "2 years");
  EXPECT_EQ(to_string(Span{.months = 14, .fixed = {}}), "14 months");
  EXPECT_EQ(to_string(Span{}), "0 seconds");
}

TEST(Timestamp, SumsStopAtTheEndsOfTime) {
  EXPECT_EQ(Timestamp::never() + days(1), Timestamp::never());
  EXPECT_EQ(Timestamp::ever() - days(1), Timestamp::ever());
  EXPECT_EQ(Timestamp{5} - Duration{INT64_MIN}, Timestamp::never());
  EXPECT_EQ(Timestamp::never() - Timestamp::ever(), Duration{INT64_MAX});
  EXPECT_EQ(add(Timestamp::never(), {.months = -1, .fixed = days(-1)}, utc()), Timestamp::never());
  EXPECT_EQ(subtract(Timestamp::ever(), {.months = -1, .fixed = days(-1)}, utc()),
            Timestamp::ever());
  EXPECT_EQ(add(at("2026-01-01T00:00:00Z"), {.months = INT32_MAX, .fixed = {}}, utc()),
            Timestamp::never());
  EXPECT_EQ(subtract(at("2026-01-01T00:00:00Z"), {.months = INT32_MAX, .fixed = {}}, utc()),
            Timestamp::ever());
}

}  // namespace
}  // namespace koi
