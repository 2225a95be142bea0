#include "core/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "core/detail/plan_for_tests.h"
#include "core/evaluate.h"

namespace koi::core {
namespace {

using plan::Aggregate;
using plan::Window;
using plan::WindowKind;

struct Happened {
  Timestamp time;
  std::vector<Value> fields;
};

// --- A second opinion: every metric computed from the whole history, as language.md words it -----

bool is_in_window(const Window& window, Timestamp time, Timestamp now, const Zone& zone) {
  const YearMonthDay then = civil(zone.local(time).date), today = civil(zone.local(now).date);
  const auto week = [&](Timestamp at) {
    const Date date = zone.local(at).date;
    return date.days - weekday(date);
  };
  switch (window.kind) {
    case WindowKind::Lifetime: return true;
    case WindowKind::Trailing: return time > subtract(now, window.span, zone);
    case WindowKind::ThisDay: return zone.local(time).date == zone.local(now).date;
    case WindowKind::ThisWeek: return week(time) == week(now);
    case WindowKind::ThisMonth: return then.year == today.year && then.month == today.month;
    case WindowKind::ThisYear: return then.year == today.year;
  }
  return false;
}

// `history` by time, ties by arrival.
Value naive(const std::vector<Happened>& history, Aggregate aggregate, FieldId field,
            const Window& window, Timestamp now, const Zone& zone) {
  std::vector<Happened> counted;
  for (const Happened& each : history)
    if (each.time <= now && is_in_window(window, each.time, now, zone)) counted.push_back(each);
  std::vector<Value> values;
  std::int64_t sum = 0;
  std::map<Value, std::pair<int, int>> tally;  // how often, and its last place in the order
  int place = 0;
  std::set<int> days_with;
  for (const Happened& each : counted) {
    days_with.insert(zone.local(each.time).date.days);
    if (field.is_none() || each.fields[field.index()].is_missing()) continue;
    const Value& value = each.fields[field.index()];
    values.push_back(value);
    if (value.kind() != Kind::Text) sum += value.raw();
    auto& [count, last] = tally[value];
    ++count;
    last = ++place;
  }
  const Kind kind = values.empty() ? Kind::Missing : values.front().kind();
  switch (aggregate) {
    case Aggregate::Count: return Value::integer(static_cast<std::int64_t>(counted.size()));
    case Aggregate::Ever: return Value::boolean(!counted.empty());
    case Aggregate::Never: return Value::boolean(counted.empty());
    case Aggregate::Sum:
      return Value::raw(field == PlanForTests::amount ? Kind::Money : Kind::Int, sum);
    case Aggregate::Average: {
      if (values.empty()) return {};
      // Halves to even, in plain integers: money to its minor unit, whole numbers to millionths.
      const std::int64_t scaled = sum * (kind == Kind::Int ? 1'000'000 : 1);
      const auto n = static_cast<std::int64_t>(values.size());
      std::int64_t quotient = scaled / n, rest = scaled % n;
      if (2 * rest > n || (2 * rest == n && quotient % 2 != 0)) ++quotient;
      return Value::raw(kind == Kind::Int ? Kind::Number : kind, quotient);
    }
    case Aggregate::Min:
      return values.empty() ? Value() : *std::min_element(values.begin(), values.end());
    case Aggregate::Max:
      return values.empty() ? Value() : *std::max_element(values.begin(), values.end());
    case Aggregate::First: return values.empty() ? Value() : values.front();
    case Aggregate::Last: return values.empty() ? Value() : values.back();
    case Aggregate::Distinct: return Value::integer(static_cast<std::int64_t>(tally.size()));
    case Aggregate::TimeSinceLast:
      return counted.empty() ? Value() : Value::duration(now - counted.back().time);
    case Aggregate::Streak: {
      int day = zone.local(now).date.days, length = 0;
      if (!days_with.contains(day)) --day;
      for (; days_with.contains(day); --day) ++length;
      return Value::integer(length);
    }
    case Aggregate::MostFrequent: {
      Value best;
      std::pair<int, int> most;
      for (const auto& [value, seen] : tally)
        if (seen > most) most = seen, best = value;
      return best;
    }
    case Aggregate::Values: {
      std::vector<Value> order;
      for (const auto& [value, seen] : tally) order.push_back(value);
      std::stable_sort(order.begin(), order.end(), [&](const Value& a, const Value& b) {
        return tally[a].second > tally[b].second;
      });
      if (order.size() > 100) order.resize(100);
      return Value::list(order);
    }
  }
  return {};
}

struct Asked {
  Aggregate aggregate;
  FieldId field;
};
const std::vector<Asked> aggregates{
    {Aggregate::Count, no_field},
    {Aggregate::Ever, no_field},
    {Aggregate::Never, no_field},
    {Aggregate::Sum, PlanForTests::amount},
    {Aggregate::Sum, PlanForTests::pieces},
    {Aggregate::Average, PlanForTests::amount},
    {Aggregate::Average, PlanForTests::pieces},
    {Aggregate::Min, PlanForTests::amount},
    {Aggregate::Max, PlanForTests::amount},
    {Aggregate::First, PlanForTests::sku},
    {Aggregate::Last, PlanForTests::sku},
    {Aggregate::Distinct, PlanForTests::sku},
    {Aggregate::TimeSinceLast, no_field},
    {Aggregate::Streak, no_field},
    {Aggregate::MostFrequent, PlanForTests::sku},
    {Aggregate::Values, PlanForTests::sku},
};
const std::vector<Window> windows{
    {},
    {WindowKind::Trailing, {0, hours(30)}},
    {WindowKind::Trailing, {1, {}}},
    {WindowKind::ThisDay, {}},
    {WindowKind::ThisWeek, {}},
    {WindowKind::ThisMonth, {}},
    {WindowKind::ThisYear, {}},
};

// Orders over some weeks around a month's and a year's end, some of them late by up to an hour.
class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed) {
    for (const Window& window : windows)
      for (const Asked& asked : aggregates)
        asked_.push_back({asked, window, made.metric(asked.aggregate, asked.field, window)});
    state = new_customer(made.plan, "c");
    now = *parse_instant("2025-12-20T00:00:00+08:00") + minutes(pick(0, 600));
  }

  void step() {
    const Timestamp event = now - (pick(0, 3) == 0 ? minutes(pick(0, 59)) : Duration{});
    std::vector<Value> fields{
        pick(0, 5) ? Value::money(pick(0, 500)) : Value(), Value::integer(pick(0, 9)),
        pick(0, 5) ? Value::text("sku" + std::to_string(pick(0, 4))) : Value()};
    for (std::size_t i = 0; i < made.plan.accumulators.size(); ++i)
      accumulate(made.plan, made.plan.accumulators[i], state.accumulators.at(i), event, fields, now,
                 zone());
    for (std::size_t i = 0; i < made.plan.logs.size(); ++i) {
      prune(made.plan.logs[i], state.logs.at(i), now, zone());
      log_event(made.plan.logs[i], state.logs.at(i), event, fields, now, zone());
    }
    const auto place = std::upper_bound(history.begin(), history.end(), event,
                                        [](Timestamp t, const Happened& h) { return t < h.time; });
    history.insert(place, {event, std::move(fields)});
  }
  void pass() {
    static const std::vector<Duration> steps{{},       microseconds(1), minutes(17),
                                             hours(5), hours(30),       days(3)};
    now = now + steps[static_cast<std::size_t>(pick(0, 5))];
  }
  const Zone& zone() const { return *made.plan.policy.zone; }
  std::int64_t pick(std::int64_t from, std::int64_t to) {
    return from + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(to - from + 1));
  }

  struct Case {
    Asked asked;
    Window window;
    plan::MetricId id;
  };
  const std::vector<Case>& cases() const { return asked_; }
  const plan::Metric& metric(const Case& each) const { return made.plan.metrics[each.id.index()]; }
  Value expected(const Case& each, Timestamp at) const {
    return naive(history, each.asked.aggregate, each.asked.field, each.window, at, zone());
  }

  PlanForTests made;
  State state;
  Timestamp now;
  std::vector<Happened> history;

 private:
  std::mt19937_64 random_;
  std::vector<Case> asked_;
};

TEST(Metrics, AgreeWithARecomputationFromTheWholeHistoryAtEveryInstant) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    History history(seed);
    for (int i = 0; i < 60; ++i) {
      history.step();
      history.pass();
      for (const auto& each : history.cases())
        ASSERT_EQ(read(history.made.plan, history.metric(each), history.state, history.now),
                  history.expected(each, history.now))
            << "seed " << seed << ", step " << i << ", aggregate "
            << static_cast<int>(each.asked.aggregate) << ", window "
            << static_cast<int>(each.window.kind);
    }
  }
}

TEST(Metrics, DoNotChangeBeforeTheInstantThatNextChangeNames) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    History history(seed);
    for (int i = 0; i < 30; ++i) {
      history.step();
      history.pass();
      for (const auto& each : history.cases()) {
        if (each.asked.aggregate == Aggregate::TimeSinceLast) continue;
        const Value value = history.expected(each, history.now);
        const Timestamp change =
            next_change(history.made.plan, history.metric(each), history.state, history.now);
        ASSERT_GT(change, history.now);
        const bool never = change == Timestamp::never();
        const Timestamp last = never ? history.now + days(800) : change - microseconds(1);
        ASSERT_EQ(history.expected(each, last), value) << "seed " << seed << ", step " << i;
        const Timestamp between{history.now.us + (last.us - history.now.us) / 2};
        ASSERT_EQ(history.expected(each, between), value) << "seed " << seed << ", step " << i;
      }
    }
  }
}

TEST(Metrics, AComparisonFlipsExactlyAtTheInstantThatNextCrossingNames) {
  using plan::Op;
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    History history(seed);
    for (int i = 0; i < 30; ++i) {
      history.step();
      history.pass();
      for (const auto& each : history.cases()) {
        const Aggregate aggregate = each.asked.aggregate;
        if (aggregate != Aggregate::Count && aggregate != Aggregate::Sum) continue;
        const plan::Metric& metric = history.metric(each);
        for (const Op op : {Op::Less, Op::LessEqual, Op::Greater, Op::GreaterEqual, Op::Equal}) {
          const Value bound =
              Value::raw(metric.kind, history.pick(0, aggregate == Aggregate::Count ? 6 : 900));
          const auto truth = [&](Timestamp at) {
            const Value value = history.expected(each, at);
            switch (op) {
              case Op::Less: return value < bound;
              case Op::LessEqual: return value <= bound;
              case Op::Greater: return value > bound;
              case Op::GreaterEqual: return value >= bound;
              default: return value == bound;
            }
          };
          const Reading reading = reading_of(history.made.plan, metric, history.state, history.now);
          const Timestamp flip = next_crossing(history.made.plan, metric, history.state,
                                               history.now, reading, op, bound);
          ASSERT_GT(flip, history.now);
          const bool now = truth(history.now);
          if (flip == Timestamp::never()) {
            ASSERT_EQ(truth(history.now + days(800)), now);
            continue;
          }
          ASSERT_EQ(truth(flip - microseconds(1)), now) << "seed " << seed << ", step " << i;
          // Trailing windows lose one event at a time, so the instant is the exact one.
          if (each.window.kind == WindowKind::Trailing && op != Op::Equal) {
            ASSERT_NE(truth(flip), now) << "seed " << seed << ", step " << i;
          }
        }
      }
    }
  }
}

TEST(Metrics, ASumThatDoesNotFitIsMissingNotWrong) {
  PlanForTests made;
  const auto sum = made.metric(Aggregate::Sum, PlanForTests::amount);
  const auto recent =
      made.metric(Aggregate::Sum, PlanForTests::amount, {WindowKind::Trailing, {0, days(1)}});
  State state = new_customer(made.plan, "c");
  const Timestamp now{1'000'000};
  const std::vector<Value> huge{Value::money(INT64_MAX), Value::integer(1), Value()};
  for (int i = 0; i < 2; ++i) {
    accumulate(made.plan, made.plan.accumulators[0], state.accumulators.at(0), now, huge, now,
               utc());
    log_event(made.plan.logs[0], state.logs.at(0), now, huge, now, utc());
  }
  EXPECT_TRUE(read(made.plan, made.plan.metrics[sum.index()], state, now).is_missing());
  EXPECT_TRUE(read(made.plan, made.plan.metrics[recent.index()], state, now).is_missing());
}

}  // namespace
}  // namespace koi::core
