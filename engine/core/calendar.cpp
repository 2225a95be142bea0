#include "core/calendar.h"

#include <algorithm>

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
      case Every::Once: KOI_ASSERT(false);
    }
  }
}

}  // namespace koi::core
