#include "core/ranks.h"

#include <algorithm>
#include <tuple>

#include "core/calendar.h"
#include "core/evaluate.h"

namespace koi::core {

namespace {

Timestamp next_of(const plan::Plan& plan, const plan::Tier& tier, Timestamp after) {
  return next_occurrence(tier.refreshed, after, *plan.policy.zone);
}

}  // namespace

Timestamp next_refreshing(const plan::Plan& plan, Timestamp after) {
  Timestamp next = Timestamp::never();
  for (const plan::Tier& tier : plan.tiers) next = std::min(next, next_of(plan, tier, after));
  return next;
}

std::vector<const plan::Tier*> refreshed_at(const plan::Plan& plan, Timestamp now) {
  std::vector<const plan::Tier*> due;
  for (const plan::Tier& tier : plan.tiers)
    if (next_of(plan, tier, now - microseconds(1)) == now) due.push_back(&tier);
  return due;
}

std::vector<Value> levels_of(const plan::Plan& plan, const plan::Tier& tier,
                             std::span<const State* const> everybody, Timestamp now) {
  struct Ranked {
    Value value;
    std::size_t place;
  };
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < everybody.size(); ++i) {
    const State& state = *everybody[i];
    if (state.created == Timestamp::never()) continue;
    const Facts facts{plan, state, now};
    if (!holds(facts, tier.among)) continue;
    if (Value value = value_of(facts, tier.by); !value.is_missing())
      ranked.push_back({std::move(value), i});
  }
  std::sort(ranked.begin(), ranked.end(), [&](const Ranked& a, const Ranked& b) {
    return std::tie(a.value, everybody[a.place]->id) < std::tie(b.value, everybody[b.place]->id);
  });

  const auto none = static_cast<std::uint32_t>(tier.up_to.size());
  std::vector<Value> levels(everybody.size(), Value::enumerator(none));
  // Shares are of at most a million parts, and there are fewer customers than 2^40.
  const auto n = static_cast<std::int64_t>(ranked.size());
  std::size_t level = tier.up_to.size();
  for (std::int64_t i = 0; i < n; ++i) {
    while (level > 0 && i * Decimal::one >= (Decimal::one - tier.up_to[level - 1]) * n) --level;
    levels[ranked[static_cast<std::size_t>(i)].place] =
        Value::enumerator(static_cast<std::uint32_t>(level));
  }
  return levels;
}

Event ranked_event(const plan::Tier& tier, const State& customer, Value level, Timestamp now) {
  Event event;
  event.id = "tier " + tier.symbol.name + " " + to_string(now, utc());
  event.type = tier.ranked;
  event.time = now;
  event.customer = customer.id;
  event.fields = {std::move(level)};
  return event;
}

}  // namespace koi::core
