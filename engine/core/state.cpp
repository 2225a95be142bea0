#include "core/state.h"

namespace koi::core {

State::State() = default;
State::State(const State&) = default;
State::State(State&&) noexcept = default;
State& State::operator=(const State&) = default;
State& State::operator=(State&&) noexcept = default;
State::~State() = default;

void prefetch(const State& state, int step) {
  constexpr std::size_t cache_line = 64;
  const auto lines = [](const void* begin, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes; at += cache_line)
      __builtin_prefetch(static_cast<const char*>(begin) + at);
  };
  // How long a list is stands in its block; to ask would be to wait.
  const auto elements = [&](const auto& list, std::size_t so_many) {
    lines(list.data(), so_many * sizeof(*list.data()));
  };
  switch (step) {
    case 0: return lines(&state, sizeof(State));
    case 1:
      elements(state.attributes, 12);
      elements(state.accumulators, 4);
      elements(state.logs, 4);
      elements(state.watches, 8);
      elements(state.journeys, 1);
      lines(state.seen.data(), 2 * cache_line);
      return;
    default:
      for (const auto& log : state.logs) {
        elements(log.value.times, 8);
        elements(log.value.values, 8);
      }
  }
}

void pass_over_due(State& state, Timestamp to) {
  erase_if(state.journeys,
           [&](const Journey& journey) { return journey.due <= to || journey.leave_flip <= to; });
  erase_if(state.open, [&](const OpenSend& open) { return open.due <= to; });
  for (auto& [watched, slot] : state.watches)
    if (watched.flip <= to) watched.flip = Timestamp::never();
  for (Holdings& held : state.holdings) {
    for (Grant& grant : held.grants)
      if (grant.until <= to) grant.until = Timestamp::never();
    for (Purse& purse : held.purses)
      erase_if(purse.lots, [&](const ledger::Lot& lot) { return lot.lapses <= to; });
  }
  if (state.schedule_due <= to) {
    state.schedules_done = to;
    state.schedule_due = Timestamp::never();  // until his next event
  }
  state.clock = std::max(state.clock, to);
  state.due = state.schedule_due;
  for (const auto& [watched, slot] : state.watches) state.due = std::min(state.due, watched.flip);
  for (const Journey& journey : state.journeys)
    state.due = std::min({state.due, journey.due, journey.leave_flip});
  for (const OpenSend& open : state.open) state.due = std::min(state.due, open.due);
  for (const Holdings& held : state.holdings) state.due = std::min(state.due, next_lapse(held));
}

State new_customer(const plan::Plan& plan, std::string id) {
  State state;
  state.id = std::move(id);
  state.attributes.reserve(plan.schema.attributes.size());
  for (const Attribute& attribute : plan.schema.attributes)
    state.attributes.push_back(attribute.fallback);
  state.attribute_times.assign(plan.schema.attributes.size(), Timestamp::ever());
  return state;
}

const Zone& zone_of(const plan::Plan& plan, const State& state) {
  const Value& name = state.attributes[time_zone_attribute.index()];
  if (!name.is_missing())
    if (const Zone* zone = find_zone(name.as_text())) return *zone;
  return *plan.policy.zone;
}

}  // namespace koi::core
