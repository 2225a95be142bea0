#include "sim/world.h"

#include <algorithm>
#include <utility>

#include "core/merge.h"
#include "core/ranks.h"

namespace koi::sim {

namespace {

// More deliveries than any sensible program makes of one input. Outside, time passes between a send
// and its receipt; here it does not, so that a loop of the two must be stopped.
constexpr std::size_t deliveries_at_most = 10'000;

}  // namespace

core::State& World::customer(std::string_view id) {
  auto place = customers_.find(id);
  while (place != customers_.end() && core::gone_to(place->second) != nullptr)
    place = customers_.find(*core::gone_to(place->second));
  if (place != customers_.end()) return place->second;
  accounts_.introduce(std::string(id));
  return customers_.emplace(id, core::new_customer(plan_, std::string(id))).first->second;
}

std::string_view World::stays(std::string_view id) const {
  for (auto place = customers_.find(id); place != customers_.end(); place = customers_.find(id)) {
    const std::string* const other = core::gone_to(place->second);
    if (other == nullptr) break;
    id = *other;
  }
  return id;
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
  for (auto& [id, state] : customers_)
    if (core::gone_to(state) == nullptr) customers.push_back(&state);
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
  Event met = event;
  meet(met);
  core::State& state = customer(met.customer);
  if (met.time < clock_) state.clock = std::max(state.clock, clock_);
  const core::Standing standing = decide(state, met);
  carry_out(state);
  return standing;
}

// Another customer who has it already; null where there is none.
core::State* World::owner_of(const Identifier& identifier, const core::State& beside) {
  for (auto& [id, state] : customers_)
    if (&state != &beside &&
        std::binary_search(state.identifiers.begin(), state.identifiers.end(), identifier))
      return &state;
  return nullptr;
}

// Whom the event shows to be one person becomes one; what is another's is taken out of it.
void World::meet(Event& event) {
  std::vector<Met> all = std::exchange(event.met, {});
  if (!event.identifiers.empty()) {
    const core::State& own = customer(event.customer);
    // A name that is a test's own is worth the surest identifier that goes with it.
    const IdentifierId surest =
        own.is_label && !own.identifiers.empty() ? own.identifiers[0].kind : IdentifierId::none();
    std::erase_if(event.identifiers, [&](const Identifier& identifier) {
      if (std::binary_search(own.identifiers.begin(), own.identifiers.end(), identifier))
        return false;
      const core::State* const other = owner_of(identifier, own);
      if (other == nullptr) return false;
      const IdentifierId kind = identifier.kind;
      const IdentifierId link = surest == kind     ? IdentifierId::of(kind.index() + 1)
                                : surest.is_none() ? kind
                                                   : std::max(surest, kind);
      all.push_back({identifier, other->id, link});
      return true;
    });
  }
  if (!core::says_something(plan_, customer(event.customer), event)) return;
  for (const Met& met : all) {
    core::State* stays = &customer(event.customer);
    core::State* goes = &customer(met.customer);
    if (stays != goes) {
      const core::Bond bond =
          core::bond_of(core::face_of(plan_, *stays, event), core::face_of(plan_, *goes), met.link);
      if (bond == core::Bond::TwoPeople) continue;
      if (bond == core::Bond::SecondStays) std::swap(stays, goes);
      const Timestamp at = core::instant_of_merge(*stays, *goes, event.time);
      decide(*goes, core::Tick{at, false});
      carry_out(*goes);
      core::State gone = core::take_out(plan_, *goes, stays->id);
      core::merge(plan_, *stays, std::move(gone), at, effects_, waking_ ? &*waking_ : nullptr,
                  &accounts_);
      carry_out(*stays);
    }
    event.identifiers.push_back(met.identifier);
  }
  event.customer = customer(event.customer).id;
}

void World::happen_to_everyone(const Event& event) {
  run_to(event.time, false);
  for (auto& [id, state] : customers_) {
    if (core::gone_to(state) != nullptr) continue;
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
      receipt->is_unopened = is_paid;
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
