// Events for a world in a box, by the names of the rules.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "model/event.h"
#include "plan/plan.h"

namespace koi {

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
