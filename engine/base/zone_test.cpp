// What the clocks of zones show. Expected values are those of Python's zoneinfo over the rules
// 2026f; those beyond 2037 come from the rules in the footers of zone files.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/detail/instants.h"
#include "base/time.h"

namespace koi {
namespace {

const Zone& zone(std::string_view name) {
  const Zone* found = find_zone(name);
  if (found == nullptr) throw std::runtime_error("no zone " + std::string(name));
  return *found;
}

// The instant of a clock's time, as UTC text.
std::string when(std::string_view name, std::string_view local) {
  return to_string(zone(name).instant(parse_local(local).value()), utc());
}

TEST(Zone, ClocksShowWhatTheRulesSay) {
  struct Row {
    const char* zone;
    const char* instant;
    const char* shown;
  };
  const Row rows[] = {
      {"Asia/Shanghai", "1986-05-03T17:59:59Z", "1986-05-04T01:59:59+08:00"},
      {"Asia/Shanghai", "1986-05-03T18:00:00Z", "1986-05-04T03:00:00+09:00"},
      {"Asia/Shanghai", "1990-07-01T00:00:00Z", "1990-07-01T09:00:00+09:00"},
      {"Asia/Shanghai", "1991-09-14T16:59:59Z", "1991-09-15T01:59:59+09:00"},
      {"Asia/Shanghai", "1991-09-14T17:00:00Z", "1991-09-15T01:00:00+08:00"},
      {"Asia/Shanghai", "2026-11-11T12:00:00.5Z", "2026-11-11T20:00:00.5+08:00"},
      {"America/New_York", "2017-03-12T06:59:59.999999Z", "2017-03-12T01:59:59.999999-05:00"},
      {"America/New_York", "2017-03-12T07:00:00Z", "2017-03-12T03:00:00-04:00"},
      {"America/New_York", "2017-11-05T05:59:59Z", "2017-11-05T01:59:59-04:00"},
      {"America/New_York", "2017-11-05T06:00:00Z", "2017-11-05T01:00:00-05:00"},
      {"America/New_York", "2100-07-01T00:00:00Z", "2100-06-30T20:00:00-04:00"},
      {"America/New_York", "2199-12-01T00:00:00Z", "2199-11-30T19:00:00-05:00"},
      {"Europe/London", "2150-07-01T12:00:00Z", "2150-07-01T13:00:00+01:00"},
      {"Europe/London", "2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z"},
      {"Australia/Lord_Howe", "2024-04-06T14:59:59Z", "2024-04-07T01:59:59+11:00"},
      {"Australia/Lord_Howe", "2024-04-06T15:00:00Z", "2024-04-07T01:30:00+10:30"},
      {"Australia/Lord_Howe", "2024-10-05T15:30:00Z", "2024-10-06T02:30:00+11:00"},
      {"Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T23:59:59-10:00"},
      {"Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T00:00:00+14:00"},
      {"Pacific/Kiritimati", "1994-12-31T10:00:00Z", "1995-01-01T00:00:00+14:00"},
      {"Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T05:45:00+05:45"},
      {"America/Santiago", "2130-01-15T00:00:00Z", "2130-01-14T21:00:00-03:00"},
      {"America/Scoresbysund", "2077-07-01T00:00:00Z", "2077-06-30T23:00:00-01:00"},
      {"Antarctica/Troll", "2088-07-01T00:00:00Z", "2088-07-01T02:00:00+02:00"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(to_string(at(row.instant), zone(row.zone)), row.shown) << row.zone;
    EXPECT_EQ(at(row.shown), at(row.instant)) << row.shown;
  }
}

TEST(Zone, ATimeThatAChangeSkipsIsTheInstantOfTheChange) {
  EXPECT_EQ(when("America/New_York", "2017-03-12 01:59:59.999999"), "2017-03-12T06:59:59.999999Z");
  EXPECT_EQ(when("America/New_York", "2017-03-12 02:00"), "2017-03-12T07:00:00Z");
  EXPECT_EQ(when("America/New_York", "2017-03-12 02:30"), "2017-03-12T07:00:00Z");
  EXPECT_EQ(when("America/New_York", "2017-03-12 03:00"), "2017-03-12T07:00:00Z");
  EXPECT_EQ(when("America/New_York", "2017-03-12 03:00:01"), "2017-03-12T07:00:01Z");
  EXPECT_EQ(when("Australia/Lord_Howe", "2024-10-06 02:15"), "2024-10-05T15:30:00Z");
  EXPECT_EQ(when("Asia/Shanghai", "1986-05-04 02:30"), "1986-05-03T18:00:00Z");
  // Samoa went west of the date line and had no 30 December 2011.
  EXPECT_EQ(when("Pacific/Apia", "2011-12-30 00:00"), "2011-12-30T10:00:00Z");
  EXPECT_EQ(when("Pacific/Apia", "2011-12-30 23:59"), "2011-12-30T10:00:00Z");
  EXPECT_EQ(when("Pacific/Apia", "2011-12-31 00:00"), "2011-12-30T10:00:00Z");
  EXPECT_EQ(when("Pacific/Apia", "2011-12-29 23:59"), "2011-12-30T09:59:00Z");
}

TEST(Zone, ATimeThatComesTwiceIsTheFirst) {
  EXPECT_EQ(when("America/New_York", "2017-11-05 00:59:59"), "2017-11-05T04:59:59Z");
  EXPECT_EQ(when("America/New_York", "2017-11-05 01:00"), "2017-11-05T05:00:00Z");
  EXPECT_EQ(when("America/New_York", "2017-11-05 01:30"), "2017-11-05T05:30:00Z");
  EXPECT_EQ(when("America/New_York", "2017-11-05 02:00"), "2017-11-05T07:00:00Z");
  EXPECT_EQ(when("Australia/Lord_Howe", "2024-04-07 01:45"), "2024-04-06T14:45:00Z");
  EXPECT_EQ(when("Asia/Shanghai", "1991-09-15 01:30"), "1991-09-14T16:30:00Z");
  EXPECT_EQ(when("America/New_York", "2150-11-01 01:30"), "2150-11-01T05:30:00Z");
}

TEST(Zone, InstantsComeBackFromTheClockOrAreTheFirstOfTwo) {
  for (const char* name : {"UTC", "Asia/Shanghai", "America/New_York", "Pacific/Apia",
                           "Africa/Casablanca", "Australia/Lord_Howe", "Africa/Monrovia"}) {
    const Zone& here = zone(name);
    // Odd steps of some nine hours from before the zone's first change to after its last.
    for (Timestamp t = at("1850-01-01T00:00:00Z"); t < at("2230-01-01T00:00:00Z");
         t = t + Duration{33'333'333'337}) {
      const Timestamp back = here.instant(here.local(t));
      ASSERT_LE(back, t) << name;
      ASSERT_LE(t - back, hours(24)) << name;  // Samoa had 4 July 1892 twice
      ASSERT_EQ(here.local(back), here.local(t)) << name;
    }
  }
}

TEST(Zone, TheEndsOfTimeHaveAClock) {
  for (const char* name : {"UTC", "Asia/Shanghai", "America/New_York"}) {
    EXPECT_GT(zone(name).local(Timestamp::never()).date.days, 100'000'000);
    EXPECT_LT(zone(name).local(Timestamp::ever()).date.days, -100'000'000);
    EXPECT_EQ(zone(name).instant({.date = {INT32_MAX}, .time = {}}), Timestamp::never());
    EXPECT_EQ(zone(name).instant({.date = {INT32_MIN}, .time = {}}), Timestamp::ever());
  }
}

TEST(Zone, AnOffsetWithSecondsIsWrittenAsTheSameInstant) {
  // Monrovia was 44 minutes and 30 seconds behind until 1972.
  EXPECT_EQ(zone("Africa/Monrovia").offset(at("1971-01-01T00:00:00Z")), seconds(-2670));
  const std::string text = to_string(at("1971-01-01T00:00:00Z"), zone("Africa/Monrovia"));
  EXPECT_EQ(text, "1970-12-31T23:16:00-00:44");
  EXPECT_EQ(at(text), at("1971-01-01T00:00:00Z"));
}

TEST(Zone, WhatIsNoNameOfAZoneFindsNone) {
  for (const std::string_view name :
       {"", "Asia", "Asia/", "/Asia/Shanghai", "Asia//Shanghai", "Asia/shanghai", "Mars/Olympus",
        "../zoneinfo/Asia/Shanghai", "Asia/../Asia/Shanghai", "./UTC", "tzdata.zi", "zone.tab",
        "localtime", "posixrules", "right/Asia/Shanghai", "Asia/Shanghai ", "+08:00"})
    EXPECT_EQ(find_zone(name), nullptr) << name;
  EXPECT_EQ(find_zone(std::string_view("Asia/Shanghai\0", 14)), nullptr);
  EXPECT_EQ(find_zone(std::string(10'000, 'A')), nullptr);
}

TEST(Zone, IsLoadedOnceWhoeverAsks) {
  std::vector<const Zone*> found(8);
  {
    std::vector<std::jthread> threads;
    for (const Zone*& slot : found)
      threads.emplace_back([&slot] { slot = find_zone("Europe/Lisbon"); });
  }
  for (const Zone* one : found) EXPECT_EQ(one, found[0]);
  ASSERT_NE(found[0], nullptr);
  EXPECT_EQ(found[0]->name(), "Europe/Lisbon");
  EXPECT_EQ(find_zone("UTC"), &utc());
}

TEST(Zone, TheVersionOfTheRulesIsAYearAndALetter) {
  const std::string version = zone_rules_version();
  ASSERT_GE(version.size(), 5u);
  EXPECT_EQ(version.substr(0, 2), "20");
  EXPECT_EQ(version, zone_rules_version());
}

TEST(Span, TheCalendarPartGoesByTheClockAndTheFixedPartByTime) {
  const Zone& new_york = zone("America/New_York");
  const auto later = [&](std::string_view from, Span span) {
    return to_string(add(at(from), span, new_york), new_york);
  };
  // A month over the change keeps the time on the clock; thirty days keep the length.
  EXPECT_EQ(later("2017-02-20T10:00:00-05:00", {.months = 1, .fixed = {}}),
            "2017-03-20T10:00:00-04:00");
  EXPECT_EQ(later("2017-02-20T10:00:00-05:00", {.months = 0, .fixed = days(28)}),
            "2017-03-20T11:00:00-04:00");
  EXPECT_EQ(later("2017-02-12T02:30:00-05:00", {.months = 1, .fixed = {}}),
            "2017-03-12T03:00:00-04:00");
  EXPECT_EQ(later("2017-02-12T02:30:00-05:00", {.months = 1, .fixed = hours(1)}),
            "2017-03-12T04:00:00-04:00");
  EXPECT_EQ(later("2017-01-31T12:00:00-05:00", {.months = 1, .fixed = {}}),
            "2017-02-28T12:00:00-05:00");
  // Without a calendar part the second of two equal times stays the second.
  EXPECT_EQ(later("2017-11-05T01:30:00-05:00", {}), "2017-11-05T01:30:00-05:00");
  EXPECT_EQ(to_string(subtract(at("2017-03-31T12:00:00-04:00"), {.months = 1, .fixed = hours(2)},
                               new_york),
                      new_york),
            "2017-02-28T10:00:00-05:00");
}

}  // namespace
}  // namespace koi
