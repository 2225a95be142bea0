#include "core/calendar.h"

#include <gtest/gtest.h>

namespace koi::core {
namespace {

using Every = plan::Schedule::Every;

Timestamp at(const char* text) { return *parse_instant(text); }
TimeOfDay clock_time(const char* text) { return *parse_time_of_day(text); }

TEST(Calendar, PeriodsBeginByTheZonesClock) {
  const Zone& zone = *find_zone("Asia/Shanghai");
  const Timestamp now = at("2026-03-01T01:30:00+08:00");  // a Sunday; still February in London
  EXPECT_EQ(period_begin(Period::Day, now, zone), at("2026-03-01T00:00:00+08:00"));
  EXPECT_EQ(period_begin(Period::Week, now, zone), at("2026-02-23T00:00:00+08:00"));
  EXPECT_EQ(period_begin(Period::Month, now, zone), at("2026-03-01T00:00:00+08:00"));
  EXPECT_EQ(period_begin(Period::Month, now, utc()), at("2026-02-01T00:00:00Z"));
  EXPECT_EQ(period_end(Period::Year, now, zone), at("2027-01-01T00:00:00+08:00"));
}

TEST(Calendar, AnOccurrenceIsStrictlyLater) {
  const Zone& zone = *find_zone("Asia/Shanghai");
  const plan::Schedule daily{Every::Day, {}, 0, clock_time("20:00")};
  EXPECT_EQ(next_occurrence(daily, at("2026-03-01T19:59:59+08:00"), zone),
            at("2026-03-01T20:00:00+08:00"));
  EXPECT_EQ(next_occurrence(daily, at("2026-03-01T20:00:00+08:00"), zone),
            at("2026-03-02T20:00:00+08:00"));
  const plan::Schedule mondays{Every::Week, {}, 0, clock_time("10:00")};
  EXPECT_EQ(next_occurrence(mondays, at("2026-03-02T10:00:00+08:00"), zone),
            at("2026-03-09T10:00:00+08:00"));
  EXPECT_EQ(next_occurrence(mondays, at("2026-03-03T00:00:00+08:00"), zone),
            at("2026-03-09T10:00:00+08:00"));
  const plan::Schedule last_days{Every::Month, {}, 31, clock_time("09:00")};
  EXPECT_EQ(next_occurrence(last_days, at("2026-01-31T09:00:00+08:00"), zone),
            at("2026-02-28T09:00:00+08:00"));
  EXPECT_EQ(next_occurrence(last_days, at("2026-02-28T09:00:00+08:00"), zone),
            at("2026-03-31T09:00:00+08:00"));
  const plan::Schedule once{Every::Once, at("2026-11-10T20:00:00+08:00"), 0, {}};
  EXPECT_EQ(next_occurrence(once, at("2026-11-10T20:00:00+08:00"), zone), Timestamp::never());
}

TEST(Calendar, ASkippedTimeIsTheInstantOfTheClockChangeAndADoubledOneTheFirst) {
  const Zone& zone = *find_zone("America/New_York");
  const plan::Schedule daily{Every::Day, {}, 0, clock_time("02:30")};
  EXPECT_EQ(next_occurrence(daily, at("2026-03-08T00:00:00-05:00"), zone),
            at("2026-03-08T03:00:00-04:00"));
  const plan::Schedule early{Every::Day, {}, 0, clock_time("01:30")};
  EXPECT_EQ(next_occurrence(early, at("2026-11-01T00:00:00-04:00"), zone),
            at("2026-11-01T01:30:00-04:00"));
  EXPECT_EQ(next_occurrence(early, at("2026-11-01T01:30:00-04:00"), zone),
            at("2026-11-02T01:30:00-05:00"))
      << "once that day, though the clock shows it twice";
}

}  // namespace
}  // namespace koi::core
