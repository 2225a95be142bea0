#include "core/metrics.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "core/calendar.h"
#include "core/detail/room.h"

namespace koi::core {

using plan::Aggregate;
using plan::WindowKind;

namespace {

// Lists that `values E.f` gives are cut at this many.
constexpr std::size_t values_at_most = 100;
// Events of a log; it is cleared of old ones less often when it has more.
constexpr std::size_t many = 64;

// --- Windows ------------------------------------------------------------------------------------

Period period_of(WindowKind kind) {
  switch (kind) {
    case WindowKind::ThisDay: return Period::Day;
    case WindowKind::ThisWeek: return Period::Week;
    case WindowKind::ThisMonth: return Period::Month;
    case WindowKind::ThisYear: return Period::Year;
    case WindowKind::Lifetime:
    case WindowKind::Trailing: break;
  }
  KOI_ASSERT(false);
}

// What is in the window at `now` happened later than this.
Timestamp window_floor(const plan::Window& window, Timestamp now, const Zone& zone) {
  if (window.kind == WindowKind::Trailing) return subtract(now, window.span, zone);
  return period_begin(period_of(window.kind), now, zone) - microseconds(1);
}

// The first instant at which something that happened at `time` is in the window no more.
Timestamp leaves_window(const plan::Window& window, Timestamp time, Timestamp now,
                        const Zone& zone) {
  if (window.kind != WindowKind::Trailing) return period_end(period_of(window.kind), now, zone);
  if (window.span.months == 0) return time + window.span.fixed;
  // Calendar months: the clock face decides, so look for the border between in and out.
  std::int64_t in = time.us;
  std::int64_t out = add(time, window.span, zone).us + days(4).us;
  while (out - in > 1) {
    const std::int64_t middle = in + (out - in) / 2;
    (subtract({middle}, window.span, zone) >= time ? out : in) = middle;
  }
  return {out};
}

// The part of a log that a window holds: positions [begin, end).
struct LogRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool empty() const { return begin == end; }
  std::size_t size() const { return end - begin; }
};

LogRange in_window(const Logged& kept, const plan::Window& window, Timestamp now,
                   const Zone& zone) {
  if (kept.times.empty()) return {};
  const Timestamp floor = window_floor(window, now, zone);
  const auto begin = std::upper_bound(kept.times.begin(), kept.times.end(), floor);
  return {static_cast<std::size_t>(begin - kept.times.begin()), kept.times.size()};
}

// --- Values -------------------------------------------------------------------------------------

Value average(Kind summed, std::int64_t sum, std::int64_t count) {
  if (count == 0) return {};
  const bool whole = summed == Kind::Int;
  const auto mean = multiply_divide(sum, whole ? Decimal::one : 1, count);
  return mean ? Value::raw(whole ? Kind::Number : summed, *mean) : Value();
}

// The kind of the field that a sum or an average adds up.
Kind summed_kind(const plan::Plan& plan, const plan::Metric& metric) {
  return plan.schema[metric.events.type].fields[metric.field.index()].type.kind;
}

bool is_better(Aggregate aggregate, const Value& candidate, const Value& best) {
  if (best.is_missing()) return true;
  return aggregate == Aggregate::Min ? candidate < best : candidate > best;
}

// Events come in order of arrival, which settles what is latest at one instant.
void see(Accumulated& kept, const Value& value, Timestamp time) {
  const auto place =
      std::lower_bound(kept.seen.begin(), kept.seen.end(), value,
                       [](const Accumulated::Seen& a, const Value& b) { return a.value < b; });
  ++kept.count;
  if (place == kept.seen.end() || place->value != value) {
    kept.seen.insert(place, {value, 1, time, kept.count});
    return;
  }
  ++place->count;
  if (time < place->latest) return;
  place->latest = time;
  place->arrival = kept.count;
}

Value most_frequent(const List<Accumulated::Seen>& seen) {
  const auto best = std::max_element(seen.begin(), seen.end(), [](const auto& a, const auto& b) {
    return std::tie(a.count, a.latest, a.arrival) < std::tie(b.count, b.latest, b.arrival);
  });
  return best == seen.end() ? Value() : best->value;
}

Value newest_first(const List<Accumulated::Seen>& seen) {
  std::vector<const Accumulated::Seen*> order;
  for (const auto& each : seen) order.push_back(&each);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::tie(a->latest, a->arrival) > std::tie(b->latest, b->arrival);
  });
  if (order.size() > values_at_most) order.resize(values_at_most);
  std::vector<Value> values;
  for (const auto* each : order) values.push_back(each->value);
  return Value::list(std::move(values));
}

// The run of days that reaches today or yesterday; no older one counts any more.
Value streak(const List<Accumulated::Run>& runs, Date today) {
  if (runs.empty() || runs.back().last.days < today.days - 1) return Value::integer(0);
  return Value::integer(runs.back().last.days - runs.back().first.days + 1);
}

void add_day(List<Accumulated::Run>& runs, Date day) {
  // The first run that begins behind the day's tomorrow stays behind it; look at the one before.
  auto next = std::upper_bound(runs.begin(), runs.end(), day,
                               [](Date d, const Accumulated::Run& run) { return d < run.first; });
  if (next != runs.begin()) {
    auto& run = *std::prev(next);
    if (day <= run.last) return;
    if (day.days == run.last.days + 1) {
      run.last = day;
      if (next != runs.end() && next->first.days == day.days + 1) {
        run.last = next->last;
        runs.erase(next);
      }
      return;
    }
  }
  if (next != runs.end() && next->first.days == day.days + 1)
    next->first = day;
  else
    runs.insert(next, {day, day});
}

// --- Reading ------------------------------------------------------------------------------------

Value read_accumulated(const plan::Plan& plan, const plan::Metric& metric, const Accumulated& kept,
                       Timestamp now, const Zone& zone) {
  switch (metric.aggregate) {
    case Aggregate::Count: return Value::integer(kept.count);
    case Aggregate::Ever: return Value::boolean(kept.count > 0);
    case Aggregate::Never: return Value::boolean(kept.count == 0);
    case Aggregate::Sum:
      if (kept.count == 0) return Value::raw(metric.kind, 0);
      return kept.value.is_missing() ? Value() : Value::raw(metric.kind, kept.value.raw());
    case Aggregate::Average:
      if (kept.value.is_missing()) return {};
      return average(summed_kind(plan, metric), kept.value.raw(), kept.count);
    case Aggregate::Min:
    case Aggregate::Max:
    case Aggregate::First:
    case Aggregate::Last: return kept.value;
    case Aggregate::TimeSinceLast:
      return kept.time == Timestamp::ever() ? Value() : Value::duration(now - kept.time);
    case Aggregate::Distinct: return Value::integer(static_cast<std::int64_t>(kept.seen.size()));
    case Aggregate::MostFrequent: return most_frequent(kept.seen);
    case Aggregate::Values: return newest_first(kept.seen);
    case Aggregate::Streak: return streak(kept.runs, zone.local(now).date);
  }
  KOI_ASSERT(false);
}

// The values of a metric's field in a window, oldest first, without those that are missing.
template <class Visit>
void for_each_value(const plan::Log& log, const plan::Metric& metric, const Logged& kept,
                    LogRange range, Visit visit) {
  for (std::size_t i = range.begin; i < range.end; ++i) {
    const Value& value = kept.values[i * log.columns.size() + metric.column];
    if (!value.is_missing()) visit(value, kept.times[i]);
  }
}

Reading read_logged(const plan::Plan& plan, const plan::Log& log, const plan::Metric& metric,
                    const Logged& kept, Timestamp now, const Zone& zone) {
  const LogRange range = in_window(kept, metric.window, now, zone);
  const auto each = [&](auto visit) { for_each_value(log, metric, kept, range, visit); };
  switch (metric.aggregate) {
    case Aggregate::Count: return {Value::integer(static_cast<std::int64_t>(range.size())), true};
    case Aggregate::Ever: return {Value::boolean(!range.empty())};
    case Aggregate::Never: return {Value::boolean(range.empty())};
    case Aggregate::TimeSinceLast:
      return {range.empty() ? Value() : Value::duration(now - kept.times[range.end - 1])};
    case Aggregate::Sum:
    case Aggregate::Average: {
      std::optional<std::int64_t> sum = 0;
      std::int64_t count = 0;
      bool only_falls = true;
      each([&](const Value& value, Timestamp) {
        ++count;
        only_falls = only_falls && value.raw() >= 0;
        if (sum) sum = checked_add(*sum, value.raw());
      });
      if (!sum) return {};
      if (metric.aggregate == Aggregate::Average)
        return {average(summed_kind(plan, metric), *sum, count)};
      return {Value::raw(metric.kind, *sum), only_falls};
    }
    case Aggregate::Min:
    case Aggregate::Max: {
      Value best;
      each([&](const Value& value, Timestamp) {
        if (is_better(metric.aggregate, value, best)) best = value;
      });
      return {best};
    }
    case Aggregate::First: {
      Value first;
      each([&](const Value& value, Timestamp) {
        if (first.is_missing()) first = value;
      });
      return {first};
    }
    case Aggregate::Last: {
      Value last;
      each([&](const Value& value, Timestamp) { last = value; });
      return {last};
    }
    case Aggregate::Distinct:
    case Aggregate::MostFrequent:
    case Aggregate::Values: {
      Accumulated counted;
      each([&](const Value& value, Timestamp time) { see(counted, value, time); });
      const List<Accumulated::Seen>& seen = counted.seen;
      if (metric.aggregate == Aggregate::MostFrequent) return {most_frequent(seen)};
      if (metric.aggregate == Aggregate::Values) return {newest_first(seen)};
      return {Value::integer(static_cast<std::int64_t>(seen.size()))};
    }
    case Aggregate::Streak: {
      List<Accumulated::Run> runs;
      for (std::size_t i = range.begin; i < range.end; ++i)
        add_day(runs, zone.local(kept.times[i]).date);
      return {streak(runs, zone.local(now).date)};
    }
  }
  KOI_ASSERT(false);
}

Timestamp streak_ends(const List<Accumulated::Run>& runs, Timestamp now, const Zone& zone) {
  const Date today = zone.local(now).date;
  if (runs.empty() || runs.back().last.days < today.days - 1) return Timestamp::never();
  return zone.instant({{runs.back().last.days + 2}, {}});
}

}  // namespace

// --- Writing ------------------------------------------------------------------------------------

void accumulate(const plan::Plan& plan, const plan::Accumulator& what, Accumulated& kept,
                Timestamp time, std::span<const Value> fields, Timestamp clock, const Zone& zone) {
  const Value missing{};
  const Value& value = what.field.is_none() ? missing : fields[what.field.index()];
  // What has a field counts only the events that fill it.
  if (!what.field.is_none() && value.is_missing()) return;
  switch (what.aggregate) {
    case Aggregate::Count: ++kept.count; return;
    case Aggregate::Sum: {
      if (++kept.count == 1) {
        kept.value = value;
        return;
      }
      if (kept.value.is_missing()) return;
      const auto sum = checked_add(kept.value.raw(), value.raw());
      kept.value = sum ? Value::raw(value.kind(), *sum) : Value();
      return;
    }
    case Aggregate::Min:
    case Aggregate::Max:
      if (is_better(what.aggregate, value, kept.value)) kept.value = value;
      return;
    case Aggregate::First:
      if (kept.time != Timestamp::ever() && time >= kept.time) return;
      kept.time = time;
      kept.value = value;
      return;
    case Aggregate::Last:
      if (kept.time != Timestamp::ever() && time < kept.time) return;
      kept.time = time;
      kept.value = value;
      return;
    case Aggregate::Distinct: see(kept, value, time); return;
    case Aggregate::Streak: {
      add_day(kept.runs, zone.local(time).date);
      // A late event may still join the runs that end within `lateness`; a day more for the zones.
      const Date reachable = zone.local(clock - plan.policy.lateness - days(2)).date;
      while (kept.runs.size() > 1 && kept.runs.front().last < reachable)
        kept.runs.erase(kept.runs.begin());
      return;
    }
    case Aggregate::Average:
    case Aggregate::TimeSinceLast:
    case Aggregate::Ever:
    case Aggregate::Never:
    case Aggregate::MostFrequent:
    case Aggregate::Values: break;  // read from the accumulators above
  }
  KOI_ASSERT(false);
}

namespace {
// For one event more, where there are many.
template <class T>
void make_room(List<T>& list) {
  if (list.size() < many || list.size() < list.capacity()) return;
  list.reserve(items_in_block(list.size() + list.size() / 8, sizeof(T)));
}
}  // namespace

void log_event(const plan::Log& what, Logged& kept, Timestamp time, std::span<const Value> fields,
               Timestamp clock, const Zone& zone) {
  if (time <= subtract(clock, what.retention, zone)) return;
  make_room(kept.times);
  make_room(kept.values);
  const auto place = std::upper_bound(kept.times.begin(), kept.times.end(), time);
  const auto row = place - kept.times.begin();
  kept.times.insert(place, time);
  const auto columns = static_cast<std::ptrdiff_t>(what.columns.size());
  if (columns == 0) return;
  const auto at = kept.values.insert(kept.values.begin() + row * columns,
                                     static_cast<std::size_t>(columns), Value());
  for (std::ptrdiff_t column = 0; column < columns; ++column)
    at[column] = fields[what.columns[static_cast<std::size_t>(column)].index()];
}

void prune(const plan::Log& what, Logged& kept, Timestamp now, const Zone& zone) {
  if (kept.times.empty()) return;
  const Timestamp floor = subtract(now, what.retention, zone);
  if (kept.times.front() > floor) return;
  const auto keep = std::upper_bound(kept.times.begin(), kept.times.end(), floor);
  const auto gone = keep - kept.times.begin();
  // Of many, they go when they are a fifth: else each event would move all the others.
  if (kept.times.size() > many && static_cast<std::size_t>(gone) < kept.times.size() / 5) return;
  kept.times.erase(kept.times.begin(), keep);
  kept.values.erase(kept.values.begin(),
                    kept.values.begin() + gone * static_cast<std::ptrdiff_t>(what.columns.size()));
}

void join(const plan::Accumulator& what, Accumulated& kept, const Accumulated& others) {
  switch (what.aggregate) {
    case Aggregate::Count: kept.count += others.count; return;
    case Aggregate::Sum: {
      if (others.count == 0) return;
      if (kept.count == 0) {
        kept = others;
        return;
      }
      kept.count += others.count;
      if (kept.value.is_missing() || others.value.is_missing()) {
        kept.value = Value();
        return;
      }
      const auto sum = checked_add(kept.value.raw(), others.value.raw());
      kept.value = sum ? Value::raw(kept.value.kind(), *sum) : Value();
      return;
    }
    case Aggregate::Min:
    case Aggregate::Max:
      if (!others.value.is_missing() && is_better(what.aggregate, others.value, kept.value))
        kept.value = others.value;
      return;
    case Aggregate::First:
      if (others.time != Timestamp::ever() &&
          (kept.time == Timestamp::ever() || others.time < kept.time))
        kept = others;
      return;
    case Aggregate::Last:
      if (others.time != Timestamp::ever() &&
          (kept.time == Timestamp::ever() || others.time > kept.time))
        kept = others;
      return;
    case Aggregate::Distinct: {
      const std::int64_t arrived = kept.count;  // before all of the other's
      kept.count += others.count;
      for (Accumulated::Seen each : others.seen) {
        each.arrival += arrived;
        const auto place = std::lower_bound(
            kept.seen.begin(), kept.seen.end(), each.value,
            [](const Accumulated::Seen& a, const Value& b) { return a.value < b; });
        if (place == kept.seen.end() || place->value != each.value) {
          kept.seen.insert(place, std::move(each));
          continue;
        }
        place->count += each.count;
        if (each.latest < place->latest) continue;
        place->latest = each.latest;
        place->arrival = each.arrival;
      }
      return;
    }
    case Aggregate::Streak: {
      List<Accumulated::Run> all;
      std::merge(kept.runs.begin(), kept.runs.end(), others.runs.begin(), others.runs.end(),
                 std::back_inserter(all),
                 [](const auto& a, const auto& b) { return a.first < b.first; });
      kept.runs.clear();
      for (const Accumulated::Run& run : all) {
        if (kept.runs.empty() || kept.runs.back().last.days + 1 < run.first.days)
          kept.runs.push_back(run);
        else
          kept.runs.back().last = std::max(kept.runs.back().last, run.last);
      }
      return;
    }
    case Aggregate::Average:
    case Aggregate::TimeSinceLast:
    case Aggregate::Ever:
    case Aggregate::Never:
    case Aggregate::MostFrequent:
    case Aggregate::Values: break;  // read from the accumulators above
  }
  KOI_ASSERT(false);
}

void join(const plan::Log& what, Logged& kept, const Logged& others) {
  const std::size_t columns = what.columns.size();
  Logged all;
  all.times.reserve(kept.times.size() + others.times.size());
  all.values.reserve(kept.values.size() + others.values.size());
  const auto take = [&](const Logged& from, std::size_t row) {
    all.times.push_back(from.times[row]);
    for (std::size_t column = 0; column < columns; ++column)
      all.values.push_back(from.values[row * columns + column]);
  };
  std::size_t mine = 0;
  for (std::size_t row = 0; row < others.times.size(); ++row) {
    while (mine < kept.times.size() && kept.times[mine] <= others.times[row]) take(kept, mine++);
    take(others, row);
  }
  while (mine < kept.times.size()) take(kept, mine++);
  kept = std::move(all);
}

// --- The three questions ------------------------------------------------------------------------

Reading reading_of(const plan::Plan& plan, const plan::Metric& metric, const State& state,
                   Timestamp now) {
  const Zone& zone = zone_of(plan, state);
  if (metric.window.kind == WindowKind::Lifetime)
    return {
        read_accumulated(plan, metric, state.accumulators[metric.accumulator.index()], now, zone)};
  return read_logged(plan, plan.logs[metric.log.index()], metric, state.logs[metric.log.index()],
                     now, zone);
}

Timestamp next_change(const plan::Plan& plan, const plan::Metric& metric, const State& state,
                      Timestamp now) {
  const Zone& zone = zone_of(plan, state);
  if (metric.window.kind == WindowKind::Lifetime) {
    if (metric.aggregate != Aggregate::Streak) return Timestamp::never();
    return streak_ends(state.accumulators[metric.accumulator.index()].runs, now, zone);
  }
  const Logged& kept = state.logs[metric.log.index()];
  const LogRange range = in_window(kept, metric.window, now, zone);
  if (range.empty()) return Timestamp::never();
  Timestamp change = leaves_window(metric.window, kept.times[range.begin], now, zone);
  if (metric.aggregate == Aggregate::Streak) {
    const Date last = zone.local(kept.times[range.end - 1]).date;
    const Timestamp ends = zone.instant({{last.days + 2}, {}});
    if (ends > now) change = std::min(change, ends);
  }
  return change;
}

Timestamp next_crossing(const plan::Plan& plan, const plan::Metric& metric, const State& state,
                        Timestamp now, const Reading& reading, plan::Op op, const Value& bound) {
  using plan::Op;
  const bool counts = metric.aggregate == Aggregate::Count;
  const bool sums = metric.aggregate == Aggregate::Sum;
  const bool ordered =
      op == Op::Less || op == Op::LessEqual || op == Op::Greater || op == Op::GreaterEqual;
  if (metric.window.kind == WindowKind::Lifetime || !(counts || sums) || !ordered ||
      bound.is_missing() || !reading.only_falls)
    return next_change(plan, metric, state, now);

  // What the window loses, oldest first, can only lower the value, so that it crosses the bound at
  // most once, downwards: find the loss that brings it there.
  const bool at_bound_is_below = op == Op::Greater || op == Op::LessEqual;
  const auto is_below = [&](std::int64_t value) {
    return at_bound_is_below ? value <= bound.raw() : value < bound.raw();
  };
  if (is_below(reading.value.raw())) return Timestamp::never();

  const Zone& zone = zone_of(plan, state);
  const Logged& kept = state.logs[metric.log.index()];
  const LogRange range = in_window(kept, metric.window, now, zone);
  const plan::Log& log = plan.logs[metric.log.index()];
  const auto weight = [&](std::size_t row) -> std::int64_t {
    if (counts) return 1;
    const Value& value = kept.values[row * log.columns.size() + metric.column];
    return value.is_missing() ? 0 : value.raw();
  };
  std::int64_t rest = reading.value.raw();
  for (std::size_t row = range.begin; row < range.end; ++row) {
    rest -= weight(row);
    if (is_below(rest)) return leaves_window(metric.window, kept.times[row], now, zone);
  }
  return Timestamp::never();
}

}  // namespace koi::core
