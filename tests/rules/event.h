// Events for a world in a box, by the names of the rules, and when they happen.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "model/event.h"
#include "plan/plan.h"

namespace koi {

// "2026-03-02T10:00", as clocks in Shanghai show it.
inline Timestamp at(std::string_view minute) {
  return *parse_instant(std::string(minute) + ":00+08:00");
}

// An event with some of its fields, by name.
inline Event event(const plan::Plan& plan, std::string id, std::string_view type, Timestamp time,
                   std::string customer, const std::map<std::string, Value>& fields = {}) {
  Event made;
  made.id = std::move(id);
  made.type = plan.schema.find_event(type);
  made.time = time;
  made.customer = std::move(customer);
  for (const Field& field : plan.schema[made.type].fields) {
    const auto given = fields.find(field.symbol.name);
    made.fields.push_back(given == fields.end() ? field.fallback : given->second);
  }
  return made;
}

}  // namespace koi
