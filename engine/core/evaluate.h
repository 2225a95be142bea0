// Evaluation: the value of a plan's node for one customer at one instant, and when it may change by
// time alone.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "core/readings.h"
#include "core/state.h"
#include "plan/plan.h"

namespace koi::core {

// What an expression may look at. `fields` are those of the event at hand (empty: there is none);
// `frame` is the campaign's (empty: outside of one). Nothing is owned.
struct Facts {
  const plan::Plan& plan;
  const State& state;
  Timestamp now;
  std::span<const Value> fields{};
  Timestamp event_time{};
  std::span<const Value> frame{};
  Readings* readings = nullptr;  // none: each metric is read whenever it is asked for
};

Value value_of(const Facts& facts, plan::NodeId node);

// The truth of a Bool node; a missing value is false. A node that is none() holds.
bool holds(const Facts& facts, plan::NodeId node);

// The first instant after now at which `holds(node)` can change by time alone: a lower bound, never
// later than the true one; never() where it cannot.
Timestamp next_flip(const Facts& facts, plan::NodeId node);

// Both at once.
struct Turning {
  bool holds = false;
  Timestamp flip = Timestamp::never();
};
Turning turning_of(const Facts& facts, plan::NodeId node);

// The text with its holes filled in; nothing if a value is missing.
std::optional<std::string> text_of(const Facts& facts, plan::TemplateId text);

}  // namespace koi::core
