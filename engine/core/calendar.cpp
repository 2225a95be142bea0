#include "core/calendar.h"

#include <algorithm>

#include "core/evaluate.h"

namespace koi::core {

namespace {

Date first_day(Period period, Date day) {
  const YearMonthDay ymd = civil(day);
  switch (period) {
    case Period::Day: return day;
    case Period::Week: return {day.days - weekday(day)};
    case Period::Month: return {day.days - (ymd.day - 1)};
    case Period::Year: return *date_of({ymd.year, 1, 1});
  }
  KOI_ASSERT(false);
}

Date first_day_after(Period period, Date day) {
  const Date first = first_day(period, day);
  switch (period) {
    case Period::Day: return {first.days + 1};
    case Period::Week: return {first.days + 7};
    case Period::Month: return add_months(first, 1);
    case Period::Year: return add_months(first, 12);
  }
  KOI_ASSERT(false);
}

// The day of `month` (any day of it) on which a monthly schedule occurs.
Date day_of_month(Date month, int day) {
  const YearMonthDay ymd = civil(month);
  return *date_of({ymd.year, ymd.month, std::min(day, days_in_month(ymd.year, ymd.month))});
}

// The day that lies `offset` before or after another. Days are those of the calendar, however long
// a clock change makes them.
Date moved(Date day, Span offset, bool before, const Zone& zone) {
  const std::int64_t sign = before ? -1 : 1;
  Date there = add_months(day, static_cast<int>(sign * offset.months));
  there.days += static_cast<std::int32_t>(sign * (offset.fixed.us / days(1).us));
  const Duration rest{offset.fixed.us % days(1).us};
  if (rest == Duration{}) return there;
  const Timestamp midnight = zone.instant({there, {}});
  return zone.local(before ? midnight - rest : midnight + rest).date;
}

}  // namespace

Timestamp period_begin(Period period, Timestamp at, const Zone& zone) {
  return zone.instant({first_day(period, zone.local(at).date), {}});
}

Timestamp period_end(Period period, Timestamp at, const Zone& zone) {
  return zone.instant({first_day_after(period, zone.local(at).date), {}});
}

Timestamp next_occurrence(const plan::Schedule& schedule, Timestamp after, const Zone& zone) {
  using Every = plan::Schedule::Every;
  if (schedule.every == Every::Once) return schedule.at > after ? schedule.at : Timestamp::never();

  // Clock changes move an occurrence by hours, never by a day: begin with the day before.
  Date day{zone.local(after).date.days - 1};
  if (schedule.every == Every::Week) day.days += (schedule.day - weekday(day) + 7) % 7;
  if (schedule.every == Every::Month) day = day_of_month(day, schedule.day);
  while (true) {
    const Timestamp occurrence = zone.instant({day, schedule.time});
    if (occurrence > after) return occurrence;
    switch (schedule.every) {
      case Every::Day: day.days += 1; break;
      case Every::Week: day.days += 7; break;
      case Every::Month:
        day = day_of_month(add_months(first_day(Period::Month, day), 1), schedule.day);
        break;
      case Every::Once:
      case Every::Year: KOI_ASSERT(false);
    }
  }
}

Timestamp next_occurrence(const plan::Schedule& schedule, const State& state, Timestamp after,
                          const Zone& zone) {
  if (schedule.every != plan::Schedule::Every::Year) return next_occurrence(schedule, after, zone);
  const Value& date = state.attributes[schedule.date.index()];
  if (date.kind() != Kind::Date) return Timestamp::never();
  const YearMonthDay first = civil(date.as_date());
  // What is counted from lies at most a year before or after what comes of it.
  for (int year = std::max(first.year, civil(zone.local(after).date).year - 2);; ++year) {
    const int day = std::min(first.day, days_in_month(year, first.month));
    const auto counted_from = date_of({year, first.month, day});
    if (!counted_from) return Timestamp::never();  // beyond the calendar
    const Timestamp occurrence =
        zone.instant({moved(*counted_from, schedule.offset, schedule.before, zone), schedule.time});
    if (occurrence > after) return occurrence;
  }
}

Timestamp target_of(const plan::WaitUntil& wait, const Facts& facts, const Zone& zone) {
  using Kind = plan::WaitUntil::Kind;
  switch (wait.kind) {
    case Kind::TimeOfDay:
      return next_occurrence(
          {.every = plan::Schedule::Every::Day, .at = {}, .day = 0, .time = wait.time}, facts.now,
          zone);
    case Kind::Weekday:
      return next_occurrence(
          {.every = plan::Schedule::Every::Week, .at = {}, .day = wait.weekday, .time = wait.time},
          facts.now, zone);
    case Kind::Instant: {
      const Value value = value_of(facts, wait.instant);
      if (value.is_missing()) return facts.now;
      Timestamp at = value.kind() == koi::Kind::Date ? zone.instant({value.as_date(), {}})
                                                     : value.as_instant();
      at = wait.before ? subtract(at, wait.offset, zone) : add(at, wait.offset, zone);
      if (wait.at_time) at = zone.instant({zone.local(at).date, wait.time});
      return at;
    }
  }
  KOI_ASSERT(false);
}

}  // namespace koi::core
