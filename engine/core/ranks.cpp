#include "core/ranks.h"

#include <algorithm>

#include "core/calendar.h"
#include "core/evaluate.h"

namespace koi::core {

namespace {

constexpr std::string_view behind_all_ids = "\xff";  // no text has this byte

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

Timestamp last_refreshing(const plan::Plan& plan, const plan::Tier& tier, Timestamp before) {
  // No two refreshings are farther apart: a month, and what clock changes may add.
  Timestamp last = next_of(plan, tier, before - days(33));
  for (Timestamp next = last; next < before; next = next_of(plan, tier, next)) last = next;
  return last;
}

// --- Values -------------------------------------------------------------------------------------

Value ranked_by(const plan::Plan& plan, const plan::Tier& tier, const State& state, Timestamp now) {
  if (state.created == Timestamp::never()) return {};
  const Facts facts{plan, state, now};
  return holds(facts, tier.among) ? value_of(facts, tier.by) : Value();
}

bool is_taken(const plan::Tier& tier, const State& state, Timestamp at) {
  return state.attribute_times[tier.taken.index()] == at;
}

void take(const plan::Plan& plan, const plan::Tier& tier, State& state, Timestamp at) {
  state.attributes[tier.taken.index()] = ranked_by(plan, tier, state, at);
  state.attribute_times[tier.taken.index()] = at;
}

// --- Levels -------------------------------------------------------------------------------------

void Borders::add(const Value& value) {
  if (!value.is_missing()) values_.push_back(value.raw());
}

void Borders::settle_values() {
  // Shares are of at most a million parts, and there are fewer customers than 2^40.
  ranked_ = values_.size();
  const auto n = static_cast<std::int64_t>(ranked_);
  for (const std::int64_t share : tier_.up_to) {
    Lowest& lowest = lowest_.emplace_back();
    const std::int64_t below = (Decimal::one - share) * n;
    const auto rank = (below + Decimal::one - 1) / Decimal::one;
    lowest.is_nobody = rank >= n;
    if (lowest.is_nobody) continue;
    const auto place = values_.begin() + rank;
    std::nth_element(values_.begin(), place, values_.end());
    lowest.value = *place;
    // Of those before it none is higher, and those behind it are not lower.
    lowest.before = static_cast<std::size_t>(std::count(values_.begin(), place, lowest.value));
    if (lowest.before > 0) tied_[lowest.value];
  }
  values_ = {};
}

void Borders::add(const Value& value, std::string_view id) {
  if (value.is_missing()) return;
  if (const auto place = tied_.find(value.raw()); place != tied_.end())
    place->second.emplace_back(id);
}

void Borders::settle_ids() {
  for (Lowest& lowest : lowest_) {
    if (lowest.is_nobody || lowest.before == 0) continue;
    std::vector<std::string>& ids = tied_[lowest.value];
    if (lowest.before >= ids.size()) {  // somebody has gone between the rounds
      lowest.id = behind_all_ids;
      continue;
    }
    const auto place = ids.begin() + static_cast<std::ptrdiff_t>(lowest.before);
    std::nth_element(ids.begin(), place, ids.end());
    lowest.id = *place;
  }
  tied_.clear();
}

Value Borders::level_of(const Value& value, std::string_view id) const {
  std::size_t level = value.is_missing() ? lowest_.size() : 0;
  const auto is_below = [&](const Lowest& lowest) {
    if (lowest.is_nobody) return true;
    return value.raw() != lowest.value ? value.raw() < lowest.value : id < lowest.id;
  };
  while (level < lowest_.size() && is_below(lowest_[level])) ++level;
  return Value::enumerator(static_cast<std::uint32_t>(level));
}

std::vector<Value> levels_of(const plan::Plan& plan, const plan::Tier& tier,
                             std::span<const State* const> everybody, Timestamp now) {
  std::vector<Value> values;
  Borders borders(tier);
  for (const State* const state : everybody)
    borders.add(values.emplace_back(ranked_by(plan, tier, *state, now)));
  borders.settle_values();
  for (std::size_t i = 0; i < values.size(); ++i) borders.add(values[i], everybody[i]->id);
  borders.settle_ids();
  std::vector<Value> levels;
  for (std::size_t i = 0; i < values.size(); ++i)
    levels.push_back(borders.level_of(values[i], everybody[i]->id));
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
