// Civil dates, and instants as text. The readers of instants are on the way of every event, so they
// walk the bytes once, by hand, and allocate nothing.
#include "base/time.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "base/assert.h"
#include "base/decimal.h"

namespace koi {

namespace {

constexpr std::int64_t us_per_second = 1'000'000;
constexpr std::int64_t us_per_day = days(1).us;

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, by counting the days of the
// 400-year cycles from 0000-03-01, where a leap day is a year's last
// (https://howardhinnant.github.io/date_algorithms.html).
constexpr std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  if (month <= 2) --year;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<std::uint32_t>(year - era * 400);
  const std::uint32_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::uint32_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}
static_assert(days_from_civil(1970, 1, 1) == 0 && days_from_civil(2000, 3, 1) == 11'017);

constexpr bool is_leap(std::int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

constexpr unsigned month_length(std::int64_t year, unsigned month) {
  constexpr unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : lengths[month - 1];
}

// Walks over text; once something is not as expected, `bad` stays true and reading goes on
// harmlessly.
struct Reader {
  const char* at;
  const char* end;
  bool bad = false;

  explicit Reader(std::string_view text) : at(text.data()), end(text.data() + text.size()) {}

  bool next_is(char c) const { return at != end && *at == c; }

  void expect(char c) {
    if (!next_is(c))
      bad = true;
    else
      ++at;
  }

  template <int count>
  unsigned digits() {
    if (end - at < count) {
      bad = true;
      return 0;
    }
    unsigned number = 0;
    for (int i = 0; i < count; ++i) {
      const unsigned digit = static_cast<unsigned char>(at[i]) - unsigned{'0'};
      bad |= digit > 9;
      number = number * 10 + digit;
    }
    at += count;
    return number;
  }

  // The digits after a point, as microseconds; further ones are cut.
  std::int64_t fraction() {
    std::int64_t us = 0;
    std::int64_t unit = us_per_second / 10;
    const char* const begin = at;
    for (; at != end; ++at) {
      const unsigned digit = static_cast<unsigned char>(*at) - unsigned{'0'};
      if (digit > 9) break;
      us += digit * unit;
      unit /= 10;
    }
    bad |= at == begin;
    return us;
  }

  // Days since 1970; a day that the calendar lacks is bad.
  std::int64_t date() {
    const unsigned year = digits<4>();
    expect('-');
    const unsigned month = digits<2>();
    expect('-');
    const unsigned day = digits<2>();
    if (bad || month < 1 || month > 12 || day < 1 || day > month_length(year, month)) {
      bad = true;
      return 0;
    }
    return days_from_civil(year, month, day);
  }

  void date_time_separator() {
    if (next_is('T') || next_is('t') || next_is(' '))
      ++at;
    else
      bad = true;
  }

  // "hh:mm", as microseconds since midnight.
  std::int64_t hour_and_minute() {
    const unsigned hour = digits<2>();
    expect(':');
    const unsigned minute = digits<2>();
    bad |= hour > 23 || minute > 59;
    return (hour * 60 + minute) * (60 * us_per_second);
  }

  // "hh:mm[:ss[.f]]", as microseconds since midnight.
  std::int64_t time_of_day() {
    std::int64_t us = hour_and_minute();
    if (!next_is(':')) return us;
    ++at;
    const unsigned second = digits<2>();
    bad |= second > 59;
    us += second * us_per_second;
    if (next_is('.')) {
      ++at;
      us += fraction();
    }
    return us;
  }

  bool succeeded() const { return !bad && at == end; }
};

constexpr std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}
constexpr std::int64_t floor_remainder(std::int64_t a, std::int64_t b) {
  return a % b + (a % b < 0 ? b : 0);
}

void append_number(std::string& out, std::int64_t number, int digits) {
  char text[24];
  const int length =
      std::snprintf(text, sizeof text, "%0*lld", digits, static_cast<long long>(number));
  out.append(text, static_cast<std::size_t>(length));
}

// A second's decimals, point included; nothing where there are none.
void append_fraction(std::string& out, std::int64_t us) {
  if (us == 0) return;
  out.push_back('.');
  append_number(out, us, 6);
  while (out.back() == '0') out.pop_back();
}

void append_seconds(std::string& out, std::int64_t us_of_minute) {
  out.push_back(':');
  append_number(out, us_of_minute / us_per_second, 2);
  append_fraction(out, us_of_minute % us_per_second);
}

void append_hour_and_minute(std::string& out, std::int64_t us) {
  append_number(out, us / hours(1).us, 2);
  out.push_back(':');
  append_number(out, us / minutes(1).us % 60, 2);
}

void append_count(std::string& out, const std::string& number, std::string_view unit) {
  if (!out.empty()) out.push_back(' ');
  out.append(number).push_back(' ');
  out.append(unit);
  if (number != "1" && number != "-1") out.push_back('s');
}

Timestamp move(Timestamp at, std::int64_t months, Duration fixed, const Zone& zone) {
  if (at == Timestamp::never() || at == Timestamp::ever()) return at;
  if (months != 0) {
    constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
    LocalTime local = zone.local(at);
    local.date = add_months(local.date, static_cast<int>(std::clamp(months, -limit, limit)));
    at = zone.instant(local);
  }
  return at + fixed;
}

}  // namespace

YearMonthDay civil(Date date) {
  const std::int64_t shifted = std::int64_t{date.days} + 719'468;  // since 0000-03-01
  const std::int64_t era = floor_divide(shifted, 146'097);
  const auto day_of_era = static_cast<std::uint32_t>(shifted - era * 146'097);
  const std::uint32_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::uint32_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::uint32_t march_month = (5 * day_of_year + 2) / 153;
  const std::uint32_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  return {.year = static_cast<int>(era * 400 + year_of_era + (month <= 2 ? 1 : 0)),
          .month = static_cast<int>(month),
          .day = static_cast<int>(day_of_year - (153 * march_month + 2) / 5 + 1)};
}

std::optional<Date> date_of(YearMonthDay ymd) {
  if (ymd.month < 1 || ymd.month > 12 || ymd.day < 1 ||
      ymd.day > days_in_month(ymd.year, ymd.month))
    return std::nullopt;
  const std::int64_t number =
      days_from_civil(ymd.year, static_cast<unsigned>(ymd.month), static_cast<unsigned>(ymd.day));
  if (number != static_cast<std::int32_t>(number)) return std::nullopt;
  return Date{static_cast<std::int32_t>(number)};
}

int days_in_month(int year, int month) {
  KOI_ASSERT(month >= 1 && month <= 12);
  return static_cast<int>(month_length(year, static_cast<unsigned>(month)));
}

int weekday(Date date) {
  const std::int64_t since_monday = std::int64_t{date.days} + 3;  // 1970-01-01 was a Thursday
  return static_cast<int>(since_monday - floor_divide(since_monday, 7) * 7);
}

Date add_months(Date date, int months) {
  const YearMonthDay from = civil(date);
  const std::int64_t month_number = std::int64_t{from.year} * 12 + (from.month - 1) + months;
  const std::int64_t year = floor_divide(month_number, 12);
  const auto month = static_cast<unsigned>(month_number - year * 12 + 1);
  const unsigned day = std::min(static_cast<unsigned>(from.day), month_length(year, month));
  return {static_cast<std::int32_t>(std::clamp<std::int64_t>(
      days_from_civil(year, month, day), std::numeric_limits<std::int32_t>::min(),
      std::numeric_limits<std::int32_t>::max()))};
}

LocalTime Zone::local(Timestamp at) const {
  const Timestamp shown = at + offset(at);
  const std::int64_t day = floor_divide(shown.us, us_per_day);
  return {.date = {static_cast<std::int32_t>(day)},
          .time = {floor_remainder(shown.us, us_per_day)}};
}

Timestamp add(Timestamp at, Span span, const Zone& zone) {
  return move(at, span.months, span.fixed, zone);
}

Timestamp subtract(Timestamp at, Span span, const Zone& zone) {
  return move(at, -std::int64_t{span.months}, Duration{} - span.fixed, zone);
}

std::optional<Timestamp> parse_instant(std::string_view text) {
  Reader reader(text);
  std::int64_t us = reader.date() * us_per_day;
  reader.date_time_separator();
  us += reader.hour_and_minute();
  reader.expect(':');
  const unsigned second = reader.digits<2>();
  reader.bad |= second > 60;
  us += second * us_per_second;
  if (reader.next_is('.')) {
    ++reader.at;
    us += reader.fraction();
  }
  if (reader.next_is('Z') || reader.next_is('z')) {
    ++reader.at;
  } else {
    const bool behind = reader.next_is('-');
    if (!behind)
      reader.expect('+');
    else
      ++reader.at;
    const std::int64_t offset = reader.hour_and_minute();
    us += behind ? offset : -offset;
  }
  if (!reader.succeeded()) return std::nullopt;
  if (second == 60) {
    // The second after the leap second must begin a month in UTC.
    us -= us % us_per_second;
    const std::int64_t day = floor_divide(us, us_per_day);
    if (us != day * us_per_day || civil({static_cast<std::int32_t>(day)}).day != 1)
      return std::nullopt;
  }
  return Timestamp{us};
}

std::optional<LocalTime> parse_local(std::string_view text) {
  Reader reader(text);
  const std::int64_t day = reader.date();
  reader.date_time_separator();
  const std::int64_t time = reader.time_of_day();
  if (!reader.succeeded()) return std::nullopt;
  return LocalTime{.date = {static_cast<std::int32_t>(day)}, .time = {time}};
}

std::optional<Date> parse_date(std::string_view text) {
  Reader reader(text);
  const std::int64_t day = reader.date();
  if (!reader.succeeded()) return std::nullopt;
  return Date{static_cast<std::int32_t>(day)};
}

std::optional<TimeOfDay> parse_time_of_day(std::string_view text) {
  Reader reader(text);
  const std::int64_t time = reader.time_of_day();
  if (!reader.succeeded()) return std::nullopt;
  return TimeOfDay{time};
}

std::string to_string(Timestamp at, const Zone& zone) {
  if (at == Timestamp::never()) return "never";
  if (at == Timestamp::ever()) return "ever";
  // Old offsets have seconds, which RFC 3339 cannot write: the text then has the clock of a whole
  // minute's offset, so that it names the same instant.
  const std::int64_t minute_offset = zone.offset(at).us / minutes(1).us;
  const Timestamp shown = at + minutes(minute_offset);
  const std::int64_t day = floor_divide(shown.us, us_per_day);
  const std::int64_t time = floor_remainder(shown.us, us_per_day);
  std::string out = to_string(Date{static_cast<std::int32_t>(day)});
  out.push_back('T');
  append_hour_and_minute(out, time);
  append_seconds(out, time % minutes(1).us);
  if (minute_offset == 0) {
    out.push_back('Z');
  } else {
    out.push_back(minute_offset < 0 ? '-' : '+');
    append_hour_and_minute(out, minutes(minute_offset < 0 ? -minute_offset : minute_offset).us);
  }
  return out;
}

std::string to_string(Date date) {
  const YearMonthDay ymd = civil(date);
  std::string out;
  append_number(out, ymd.year, ymd.year < 0 ? 5 : 4);
  out.push_back('-');
  append_number(out, ymd.month, 2);
  out.push_back('-');
  append_number(out, ymd.day, 2);
  return out;
}

std::string to_string(TimeOfDay time) {
  std::string out;
  append_hour_and_minute(out, time.us);
  if (const std::int64_t rest = time.us % minutes(1).us; rest != 0) append_seconds(out, rest);
  return out;
}

std::string to_string(Duration span) {
  struct Unit {
    Duration length;
    std::string_view name;
  };
  std::string out;
  for (const Unit& unit :
       {Unit{days(1), "day"}, Unit{hours(1), "hour"}, Unit{minutes(1), "minute"}}) {
    if (span.us == 0 || span.us % unit.length.us != 0) continue;
    append_count(out, std::to_string(span.us / unit.length.us), unit.name);
    return out;
  }
  append_count(out, to_string(Decimal{span.us}), "second");
  return out;
}

std::string to_string(Span span) {
  std::string out;
  if (span.months != 0) {
    const bool whole_years = span.months % 12 == 0;
    append_count(out, std::to_string(whole_years ? span.months / 12 : span.months),
                 whole_years ? "year" : "month");
  }
  if (span.months == 0 || span.fixed.us != 0) {
    if (!out.empty()) out.push_back(' ');
    out += to_string(span.fixed);
  }
  return out;
}

}  // namespace koi
