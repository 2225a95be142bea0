// Instants, spans and civil time. Inside, time is UTC in 64-bit microseconds; a zone appears only
// where a person's day matters. Nothing here reads a clock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace koi {

namespace detail {
constexpr std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? INT64_MAX : INT64_MIN;
}
constexpr std::int64_t saturating_subtract(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return b < 0 ? INT64_MAX : INT64_MIN;
}
}  // namespace detail

// A fixed span of time. Sums stop at the ends of the range.
struct Duration {
  std::int64_t us = 0;  // microseconds

  friend auto operator<=>(const Duration&, const Duration&) = default;
  friend constexpr Duration operator+(Duration a, Duration b) {
    return {detail::saturating_add(a.us, b.us)};
  }
  friend constexpr Duration operator-(Duration a, Duration b) {
    return {detail::saturating_subtract(a.us, b.us)};
  }
};
constexpr Duration microseconds(std::int64_t n) { return {n}; }
constexpr Duration seconds(std::int64_t n) { return {n * 1'000'000}; }
constexpr Duration minutes(std::int64_t n) { return seconds(60 * n); }
constexpr Duration hours(std::int64_t n) { return minutes(60 * n); }
constexpr Duration days(std::int64_t n) { return hours(24 * n); }

// An instant: microseconds since 1970-01-01T00:00:00Z. Sums stop at `never` and `ever`, so that no
// sum turns late into early.
struct Timestamp {
  std::int64_t us = 0;

  static constexpr Timestamp never() { return {INT64_MAX}; }  // later than every instant
  static constexpr Timestamp ever() { return {INT64_MIN}; }   // earlier than every instant

  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
  friend constexpr Timestamp operator+(Timestamp t, Duration d) {
    return {detail::saturating_add(t.us, d.us)};
  }
  friend constexpr Timestamp operator-(Timestamp t, Duration d) {
    return {detail::saturating_subtract(t.us, d.us)};
  }
  friend constexpr Duration operator-(Timestamp a, Timestamp b) {
    return {detail::saturating_subtract(a.us, b.us)};
  }
};

// The instants that Koi accepts from outside: the years 1970 to 2199.
constexpr Timestamp earliest_accepted{0};
constexpr Timestamp latest_accepted{7'258'118'399'999'999};  // 2199-12-31T23:59:59.999999Z

// A span as a marketer writes it: `30 days` is fixed, `1 month` and `1 year` follow the calendar.
struct Span {
  std::int32_t months = 0;  // calendar months (a year is twelve)
  Duration fixed;
  friend auto operator<=>(const Span&, const Span&) = default;
};

// A day in the proleptic Gregorian calendar: days since 1970-01-01.
struct Date {
  std::int32_t days = 0;
  friend auto operator<=>(const Date&, const Date&) = default;
};
struct YearMonthDay {
  int year = 1970;
  int month = 1;  // 1 to 12
  int day = 1;    // 1 to 31
};
YearMonthDay civil(Date date);
// The date, or nothing where the calendar has no such day.
std::optional<Date> date_of(YearMonthDay ymd);
int days_in_month(int year, int month);
// 0 Monday … 6 Sunday.
int weekday(Date date);
// `months` later; a day that the month lacks is its last. Stops at the ends of what a Date holds.
Date add_months(Date date, int months);

// Microseconds since midnight on a clock face.
struct TimeOfDay {
  std::int64_t us = 0;
  friend auto operator<=>(const TimeOfDay&, const TimeOfDay&) = default;
};

struct LocalTime {
  Date date;
  TimeOfDay time;
  friend auto operator<=>(const LocalTime&, const LocalTime&) = default;
};

// One IANA time zone. Immutable and safe to share between threads; lives until the process ends.
// Clock changes are known up to the year 2200; after it the clocks stay as they are then.
class Zone {
 public:
  virtual ~Zone() = default;
  virtual const std::string& name() const = 0;
  // How far the clocks of the zone are ahead of UTC at that instant.
  virtual Duration offset(Timestamp at) const = 0;
  // What the clocks show.
  LocalTime local(Timestamp at) const;
  // When the clocks show it. A time that a clock change skips is the instant of the change; one
  // that comes twice is the first.
  virtual Timestamp instant(LocalTime local) const = 0;
};

// The zone of that IANA name ("Asia/Shanghai"), or null: names are exact, and hostile ones are no
// names. Read from the system's zone files (RFC 8536), each once. Thread-safe; "UTC" is always
// there.
const Zone* find_zone(std::string_view name);
const Zone& utc();
// The version of the zone rules in use ("2024a"), part of what a plan depends on; "unknown" where
// the system does not tell.
std::string zone_rules_version();

// `at` plus or minus a span: the calendar part by the zone's clock, then the fixed part. Without a
// calendar part no clock is asked.
Timestamp add(Timestamp at, Span span, const Zone& zone);
Timestamp subtract(Timestamp at, Span span, const Zone& zone);

// Reads RFC 3339 with an offset or Z ("2026-11-11T20:00:00.5+08:00"; a blank may stand for the T).
// More than six decimals of a second are cut. A leap second (23:59:60 UTC, at a month's end) is the
// second after it. Nothing if it is no such text or no such day.
std::optional<Timestamp> parse_instant(std::string_view text);
// Reads "2026-11-11[ T]20:00[:00[.0]]" without an offset.
std::optional<LocalTime> parse_local(std::string_view text);
std::optional<Date> parse_date(std::string_view text);              // "2026-11-11"
std::optional<TimeOfDay> parse_time_of_day(std::string_view text);  // "09:00", "09:00:30"

// "2026-11-11T20:00:00+08:00", with decimals of a second only where there are some, and Z where the
// clocks show UTC. Reads back as the same instant. The ends of time are "never" and "ever".
std::string to_string(Timestamp at, const Zone& zone);
std::string to_string(Date date);
std::string to_string(TimeOfDay time);  // "09:00", with seconds only where there are some
// "30 days", "90 minutes", "1 month 2 hours": the largest unit up to days (of months: years) that
// is exact; seconds may have decimals; "0 seconds".
std::string to_string(Duration span);
std::string to_string(Span span);

}  // namespace koi
