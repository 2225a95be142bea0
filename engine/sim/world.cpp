#include "sim/world.h"

#include <algorithm>
#include <utility>

#include "core/ranks.h"

namespace koi::sim {

namespace {

// More deliveries than any sensible program makes of one input. Outside, time passes between a send
// and its receipt; here it does not, so that a loop of the two must be stopped.
constexpr std::size_t deliveries_at_most = 10'000;

}  // namespace

core::State& World::customer(std::string_view id) {
  const auto place = customers_.find(id);
  if (place != customers_.end()) return place->second;
  accounts_.introduce(std::string(id));
  return customers_.emplace(id, core::new_customer(plan_, std::string(id))).first->second;
}

void World::begin(Timestamp at) {
  clock_ = at;
  refreshing_ = core::next_refreshing(plan_, at - microseconds(1));
  for (auto& [id, state] : customers_) {
    state.created = at;
    decide(state, core::Tick{at, false});
    carry_out(state);
  }
}

void World::fail(plan::ChannelId channel, Failure failure) {
  failures_.resize(std::max(failures_.size(), channel.index() + 1), Failure::None);
  failures_[channel.index()] = failure;
}

void World::run_to(Timestamp to, bool inclusive) {
  if (!has_begun()) begin(to);
  if (to < clock_) return;
  while (true) {
    // The map is in order of ids, so the first of the earliest is the one whose turn it is.
    const auto next =
        std::min_element(customers_.begin(), customers_.end(), [](const auto& a, const auto& b) {
          return core::next_due(a.second) < core::next_due(b.second);
        });
    const Timestamp first =
        next == customers_.end() ? Timestamp::never() : core::next_due(next->second);
    if (refreshing_ <= first && (refreshing_ < to || (inclusive && refreshing_ == to)) &&
        refreshing_ != Timestamp::never()) {
      refresh(refreshing_);
      continue;
    }
    if (next == customers_.end()) break;
    core::State& state = next->second;
    const Timestamp due = first;
    if (due == Timestamp::never() || due > to || (due == to && !inclusive)) break;
    clock_ = std::max(clock_, due);
    decide(state, core::Tick{due, true});
    carry_out(state);
  }
  clock_ = to;
}

void World::refresh(Timestamp at) {
  clock_ = std::max(clock_, at);
  std::vector<core::State*> customers;
  for (auto& [id, state] : customers_) customers.push_back(&state);
  const std::vector<const core::State*> everybody(customers.begin(), customers.end());
  // All tiers of an instant go by what was so before any of them.
  const auto tiers = core::refreshed_at(plan_, at);
  std::vector<std::vector<Value>> levels;
  for (const plan::Tier* const tier : tiers)
    levels.push_back(core::levels_of(plan_, *tier, everybody, at));
  for (std::size_t t = 0; t < tiers.size(); ++t)
    for (std::size_t i = 0; i < customers.size(); ++i) {
      core::State& state = *customers[i];
      if (state.attributes[tiers[t]->attribute.index()] == levels[t][i]) continue;
      decide(state, core::ranked_event(*tiers[t], state, levels[t][i], at));
      carry_out(state);
    }
  refreshing_ = core::next_refreshing(plan_, at);
}

core::Standing World::happen(const Event& event) {
  run_to(event.time, false);
  core::State& state = customer(event.customer);
  if (event.time < clock_) state.clock = std::max(state.clock, clock_);
  const core::Standing standing = decide(state, event);
  carry_out(state);
  return standing;
}

void World::happen_to_everyone(const Event& event) {
  run_to(event.time, false);
  for (auto& [id, state] : customers_) {
    if (event.time < clock_) state.clock = std::max(state.clock, clock_);
    Event seen = event;
    seen.customer = id;
    decide(state, seen);
    carry_out(state);
  }
}

core::Answer World::ask(const core::Call& call) {
  run_to(call.time, false);
  const std::string* const whom = core::whom(accounts_, call);
  if (!whom) return {.reason = core::Reason::UnknownCode};
  core::State& state = customer(*whom);
  if (call.kind == core::Call::Kind::Validate) return core::validate(plan_, state, accounts_, call);
  decide(state, call);
  carry_out(state);
  const auto answer = accounts_.take_answer();
  KOI_ASSERT(answer);
  return *answer;
}

void World::carry_out(core::State& state) {
  std::size_t deliveries = 0;
  carry_out(state, deliveries);
}

void World::carry_out(core::State& state, std::size_t& deliveries) {
  for (std::size_t handled = 0; handled < effects_.size(); ++handled) {
    // A receipt's effects are appended while we walk, and may move the others.
    core::Effect effect = std::move(effects_[handled]);
    Failure failure = Failure::None;
    std::optional<Receipt> receipt;
    const bool is_paid =
        (effect.action == core::Action::Give || effect.action == core::Action::Claim) &&
        effect.wants_receipt;
    if (core::is_message(effect.action) || is_paid) {
      if (effect.channel && effect.channel.index() < failures_.size())
        failure = failures_[effect.channel.index()];
      receipt = Receipt{effect.key, effect.time, failure};
    }
    done_.push_back({state.id, std::move(effect), failure});
    if (!receipt || fault_) continue;
    if (++deliveries > deliveries_at_most) {
      fault_ = "a failed delivery causes the next one, without end";
      continue;
    }
    decide(state, *receipt);
  }
  effects_.clear();
  const std::vector<core::Message> messages = accounts_.take_messages();
  for (const core::Message& message : messages) {
    core::State& to = customer(message.to);
    decide(to, message);
    carry_out(to, deliveries);
  }
}

}  // namespace koi::sim
