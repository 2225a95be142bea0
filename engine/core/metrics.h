// Metrics: what a customer's events add up to. Exact by event time, at every instant.
#pragma once

#include "core/readings.h"
#include "core/state.h"
#include "plan/plan.h"

namespace koi::core {

// Counts one event, given by its time and fields, into an accumulator; events may come out of
// order.
void accumulate(const plan::Plan& plan, const plan::Accumulator& what, Accumulated& kept,
                Timestamp time, std::span<const Value> fields, Timestamp clock, const Zone& zone);
// Puts one event into a log, unless it is older than what the log keeps at `clock`.
void log_event(const plan::Log& what, Logged& kept, Timestamp time, std::span<const Value> fields,
               Timestamp clock, const Zone& zone);
// Drops what no window of the log can hold any more; of a long log, when that is a good part of it.
void prune(const plan::Log& what, Logged& kept, Timestamp now, const Zone& zone);

// Adds what was kept of another customer, who has turned out to be the same person: what follows
// is as if one had had all the events. A streak counts the days that both still know of.
void join(const plan::Accumulator& what, Accumulated& kept, const Accumulated& others);
void join(const plan::Log& what, Logged& kept, const Logged& others);

// The metric's value at `now` (not before anything logged).
Reading reading_of(const plan::Plan& plan, const plan::Metric& metric, const State& state,
                   Timestamp now);
inline Value read(const plan::Plan& plan, const plan::Metric& metric, const State& state,
                  Timestamp now) {
  return reading_of(plan, metric, state, now).value;
}
// The first instant after `now` at which time alone changes the value; never where it does not.
Timestamp next_change(const plan::Plan& plan, const plan::Metric& metric, const State& state,
                      Timestamp now);
// The first instant after `now` at which `metric OP bound` can change by time alone (a lower bound
// of it), where the metric counts or sums what is never negative; else the same as next_change.
// `reading` is the metric's at `now`.
Timestamp next_crossing(const plan::Plan& plan, const plan::Metric& metric, const State& state,
                        Timestamp now, const Reading& reading, plan::Op op, const Value& bound);

}  // namespace koi::core
