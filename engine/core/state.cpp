#include "core/state.h"

namespace koi::core {

State new_customer(const plan::Plan& plan, std::string id) {
  State state;
  state.id = std::move(id);
  state.attributes.reserve(plan.schema.attributes.size());
  for (const Attribute& attribute : plan.schema.attributes)
    state.attributes.push_back(attribute.fallback);
  state.attribute_times.assign(plan.schema.attributes.size(), Timestamp::ever());
  state.accumulators.resize(plan.accumulators.size());
  state.logs.resize(plan.logs.size());
  state.watches.resize(plan.watches.size());
  return state;
}

const Zone& zone_of(const plan::Plan& plan, const State& state) {
  const Value& name = state.attributes[time_zone_attribute.index()];
  if (!name.is_missing())
    if (const Zone* zone = find_zone(name.as_text())) return *zone;
  return *plan.policy.zone;
}

}  // namespace koi::core
