#include "deploy/carry.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "core/calendar.h"
#include "core/evaluate.h"
#include "deploy/detail/find.h"
#include "deploy/meaning.h"

namespace koi::deploy {

using core::State;

namespace {

// The names of a list of things that have a symbol.
template <class List>
std::vector<Symbol> symbols_of(const List& list) {
  std::vector<Symbol> symbols;
  for (const auto& each : list) symbols.push_back(each.symbol);
  return symbols;
}

template <class List>
std::vector<std::uint64_t> definitions_of(const List& list) {
  std::vector<std::uint64_t> definitions;
  for (const auto& each : list) definitions.push_back(each.definition);
  return definitions;
}

template <class List>
void sort_by_campaign(List& things) {
  std::stable_sort(things.begin(), things.end(), [](const auto& a, const auto& b) {
    return std::pair(a.campaign, a.key) < std::pair(b.campaign, b.key);
  });
}

// Keeps what `keep` (which may change it) says is to stay, in its order.
template <class List, class Keep>
void keep_if(List& list, Keep keep) {
  List kept;
  for (auto& each : list)
    if (keep(each)) kept.push_back(std::move(each));
  list = std::move(kept);
}

template <class List>
void carry_values(List& values, const std::vector<ValueMap>& maps) {
  for (std::size_t i = 0; i < values.size() && i < maps.size(); ++i)
    if (!maps[i].is_same()) values[i] = maps[i](values[i]);
}

}  // namespace

void Carried::add(const Carried& other, std::uint64_t times) {
  customers += times * other.customers;
  for (const auto& [campaign, ended] : other.journeys_ended)
    journeys_ended[campaign] += times * ended;
  for (const auto& [campaign, kept] : other.journeys_kept) journeys_kept[campaign] += times * kept;
  for (const auto& [campaign, moved] : other.journeys_moved)
    journeys_moved[campaign] += times * moved;
  sends_forgotten += times * other.sends_forgotten;
  consents_forgotten += times * other.consents_forgotten;
  refusals_widened += times * other.refusals_widened;
  schedules_missed += times * other.schedules_missed;
}

// --- What goes where ----------------------------------------------------------------------------

Carry::Carry(const plan::Plan& from, const plan::Plan& to, const Ways& ways)
    : from_(from), to_(to) {
  map_schema();
  map_incentives();
  map_metrics();
  map_watches();
  map_campaigns();
  map_ways(ways);
  map_schedules();
  changes_nothing_ = ways.moves_nobody() && !find_changes();
}

void Carry::map_schema() {
  for (const std::string& name : from_.schema.identifiers)
    identifiers_.push_back(to_.schema.find_identifier(name));
  for (const Attribute& wanted : to_.schema.attributes) {
    Slot& slot = attributes_.emplace_back();
    const auto found = find<AttributeId>(from_.schema.attributes, [&](const Attribute& each) {
      return each.symbol.name == wanted.symbol.name;
    });
    if (found.is_none()) continue;
    const Type& old = from_.schema[found].type;
    ValueMap values(from_.schema, old, to_.schema, wanted.type);
    // A phone number is kept in a form of its own, which other texts are not in.
    const bool same_form = (old.text == wanted.type.text || wanted.type.text == TextKind::Plain) &&
                           (old.element_text == wanted.type.element_text ||
                            wanted.type.element_text == TextKind::Plain);
    if (!same_form) values = {};
    attributes_turn_ =
        attributes_turn_ || !values.is_same() || from_.schema[found].fallback != wanted.fallback;
    if (!values.carries()) continue;
    slot.from = found.value;
    slot.values.push_back(std::move(values));
  }
  for (const plan::Channel& channel : from_.channels)
    channels_.push_back(find<plan::ChannelId>(to_.channels, [&](const plan::Channel& each) {
      return each.symbol.name == channel.symbol.name;
    }));
  for (const EventType& event : from_.schema.events) {
    EventTo& at = events_.emplace_back();
    at.event = find<EventTypeId>(to_.schema.events, [&](const EventType& each) {
      return each.symbol.name == event.symbol.name;
    });
    if (at.event.is_none()) continue;
    for (const Field& wanted : to_.schema[at.event].fields) {
      FieldFrom& field = at.fields.emplace_back();
      const auto found = find<FieldId>(event.fields, [&](const Field& each) {
        return each.symbol.name == wanted.symbol.name && each.type.kind == wanted.type.kind;
      });
      if (found.is_none()) continue;
      field.values =
          ValueMap(from_.schema, event.fields[found.index()].type, to_.schema, wanted.type);
      if (field.values.carries()) field.field = found;
    }
  }
}

void Carry::map_incentives() {
  for (const plan::Incentive& incentive : from_.incentives)
    incentives_.push_back(find<plan::IncentiveId>(to_.incentives, [&](const auto& each) {
      return each.symbol.name == incentive.symbol.name &&
             each.what.index() == incentive.what.index();
    }));
  for (const plan::Referral& referral : from_.referrals)
    referrals_.push_back(find<plan::ReferralId>(
        to_.referrals, [&](const auto& each) { return each.symbol.name == referral.symbol.name; }));
}

void Carry::map_metrics() {
  const auto values = [&](EventTypeId old_event, FieldId old_field, EventTypeId event,
                          FieldId field) {
    return ValueMap(from_.schema, type_of(from_.schema, old_event, old_field), to_.schema,
                    type_of(to_.schema, event, field));
  };
  for (const plan::Accumulator& wanted : to_.accumulators) {
    Slot& slot = accumulators_.emplace_back();
    const auto found = find<plan::AccumulatorId>(
        from_.accumulators, [&](const auto& each) { return each.definition == wanted.definition; });
    if (found.is_none()) continue;
    const plan::Accumulator& old = from_.accumulators[found.index()];
    slot.values.push_back(values(old.events.type, old.field, wanted.events.type, wanted.field));
    if (slot.values.back().carries()) slot.from = found.value;
  }
  for (const plan::Log& wanted : to_.logs) {
    Slot& slot = logs_.emplace_back();
    const auto found = find<plan::LogId>(
        from_.logs, [&](const auto& each) { return each.definition == wanted.definition; });
    if (found.is_none()) continue;
    const plan::Log& old = from_.logs[found.index()];
    // Columns are part of the definition.
    KOI_ASSERT(old.columns.size() == wanted.columns.size());
    bool all = true;
    for (std::size_t i = 0; i < wanted.columns.size(); ++i) {
      slot.values.push_back(
          values(old.events.type, old.columns[i], wanted.events.type, wanted.columns[i]));
      all = all && slot.values.back().carries();
    }
    if (all) slot.from = found.value;
  }
}

// A watch goes along with its truth where it and all that it reads were watched before, by the same
// clock and over the same attributes; else it begins at the deploy.
void Carry::map_watches() {
  watches_.resize(to_.watches.size());
  if (from_.policy.zone->name() != to_.policy.zone->name() || attributes_turn_) return;
  for (std::size_t i = 0; i < to_.watches.size(); ++i)
    watches_[i] = find<plan::WatchId>(from_.watches, [&](const plan::Watch& each) {
      return each.definition == to_.watches[i].definition;
    });
  for (std::size_t i = 0; i < watches_.size(); ++i)
    if (watches_[i].is_none() && i < to_.watches_of_watch.size())
      for (const plan::WatchId reader : to_.watches_of_watch[i])
        watches_[reader.index()] = plan::WatchId::none();
}

void Carry::map_campaigns() {
  same_leaving_.resize(to_.campaigns.size());
  Meaning old_meaning(from_), meaning(to_);
  using Version = std::pair<std::string_view, std::uint64_t>;
  std::map<Version, plan::CampaignId> by_version;
  std::map<std::string_view, plan::CampaignId> open, books;
  for (std::size_t i = 0; i < to_.campaigns.size(); ++i) {
    const plan::Campaign& campaign = to_.campaigns[i];
    const auto id = plan::CampaignId::of(i);
    by_version.emplace(Version(campaign.symbol.name, meaning.version_of(campaign)), id);
    if (!campaign.closed) open.emplace(campaign.symbol.name, id);
    books.emplace(campaign.symbol.name, campaign.entries ? campaign.entries : id);
  }
  for (const plan::Campaign& campaign : from_.campaigns) {
    CampaignTo& at = campaigns_.emplace_back();
    if (const auto book = books.find(campaign.symbol.name); book != books.end())
      at.entries = book->second;
    const auto version =
        by_version.find(Version(campaign.symbol.name, old_meaning.version_of(campaign)));
    const auto found = open.find(campaign.symbol.name);
    if (found != open.end()) at.open = found->second;
    at.same_version = version != by_version.end();
    if (at.same_version)
      at.campaign = version->second;
    else if (found != open.end())
      at.campaign = found->second;
    else
      continue;
    const plan::Campaign& now = to_.campaigns[at.campaign.index()];
    at.same_frame = at.same_version || (campaign.frame_size == now.frame_size &&
                                        old_meaning.frame_of(campaign) == meaning.frame_of(now));
    at.same_code =
        at.same_version || (at.same_frame && old_meaning.code_of(campaign) == meaning.code_of(now));
    at.same_leaving = at.same_frame && !campaign.closed && !now.closed &&
                      old_meaning.leaving_of(campaign) == meaning.leaving_of(now);
    same_leaving_[at.campaign.index()] = at.same_leaving;
    if (!at.same_frame) continue;
    const auto old_slots = slots_of(campaign), slots = slots_of(now);
    for (std::size_t i = 0; i < slots.size(); ++i)
      at.frame.emplace_back(from_.schema,
                            type_of(from_.schema, old_slots[i].event, old_slots[i].field),
                            to_.schema, type_of(to_.schema, slots[i].event, slots[i].field));
  }
}

void Carry::map_ways(const Ways& ways) {
  for (std::size_t i = 0; i < campaigns_.size(); ++i) {
    CampaignTo& at = campaigns_[i];
    const std::string& name = from_.campaigns[i].symbol.name;
    at.is_stopped = std::find(ways.stop.begin(), ways.stop.end(), name) != ways.stop.end();
    if (at.open.is_none() || (at.same_version && at.campaign == at.open)) continue;
    for (const CampaignMove& each : ways.migrate) {
      if (each.campaign != name) continue;
      auto made = Migration::make(from_, plan::CampaignId::of(i), to_, at.open, each.steps);
      KOI_ASSERT(made);  // it was checked before it was decided
      at.migration.emplace(*std::move(made));
      same_leaving_[at.open.index()] = false;  // those who come are looked at anew
    }
  }
}

// A schedule is told by its campaign, its times and whom it is for; under another clock all are
// new.
void Carry::map_schedules() {
  Meaning old_meaning(from_), meaning(to_);
  const auto name_of = [](const plan::Plan& plan, Meaning& meanings, const plan::TriggerRef& ref) {
    const plan::Campaign& campaign = plan.campaigns[ref.campaign.index()];
    const plan::Trigger& trigger = campaign.triggers[ref.trigger];
    HashInput hash;
    hash.text(campaign.symbol.name);
    put(hash, meanings.schedule_of(trigger));
    return hash.hash128();
  };
  const bool same_clock = from_.policy.zone->name() == to_.policy.zone->name();
  std::multiset<Hash128> known, all;
  if (same_clock)
    for (const plan::TriggerRef& ref : from_.schedules)
      known.insert(name_of(from_, old_meaning, ref));
  for (const plan::TriggerRef& ref : to_.schedules) {
    const Hash128 name = name_of(to_, meaning, ref);
    all.insert(name);
    (known.contains(name) ? old_schedules_ : new_schedules_).push_back(ref);
  }
  same_schedules_ = same_clock && known == all;
}

// Would any state be laid out or timed otherwise?
bool Carry::find_changes() const {
  const Schema &old = from_.schema, &now = to_.schema;
  if (old.identifiers != now.identifiers || old.attributes.size() != now.attributes.size() ||
      old.events.size() != now.events.size() || from_.seed != to_.seed ||
      from_.policy.zone->name() != to_.policy.zone->name() ||
      definitions_of(from_.accumulators) != definitions_of(to_.accumulators) ||
      definitions_of(from_.logs) != definitions_of(to_.logs) ||
      definitions_of(from_.watches) != definitions_of(to_.watches) ||
      !same_names(symbols_of(from_.channels), symbols_of(to_.channels)) ||
      from_.campaigns.size() != to_.campaigns.size() ||
      !same_names(symbols_of(from_.incentives), symbols_of(to_.incentives)) ||
      !same_names(symbols_of(from_.referrals), symbols_of(to_.referrals)) || !same_schedules_)
    return true;
  for (std::size_t i = 0; i < now.attributes.size(); ++i)
    if (attributes_[i].from != i || !attributes_[i].values[0].is_same() ||
        old.attributes[i].fallback != now.attributes[i].fallback)
      return true;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    if (events_[i].event != EventTypeId::of(i) ||
        old.events[i].fields.size() != now.events[i].fields.size())
      return true;
    for (std::size_t j = 0; j < events_[i].fields.size(); ++j)
      if (events_[i].fields[j].field != FieldId::of(j) || !events_[i].fields[j].values.is_same())
        return true;
  }
  for (std::size_t i = 0; i < campaigns_.size(); ++i)
    if (campaigns_[i].campaign != plan::CampaignId::of(i) || !campaigns_[i].same_code ||
        !campaigns_[i].same_leaving || to_.campaigns[i].closed || from_.campaigns[i].closed)
      return true;
  return false;
}

// --- A state ------------------------------------------------------------------------------------

State Carry::operator()(State state, Timestamp now, Carried& carried) const {
  ++carried.customers;
  carry_profile(state, carried);
  carry_metrics(state);
  carry_journeys(state, now, carried);
  carry_recent(state);
  carry_holdings(state);
  carry_watches(state, now);
  if (state.created == Timestamp::never()) return state;
  begin_schedules(state, now, carried);
  set_timers(state);
  return state;
}

void Carry::carry_profile(State& state, Carried& carried) const {
  keep_if(state.identifiers, [&](Identifier& each) {
    each.kind = identifiers_[each.kind.index()];
    return !each.kind.is_none();
  });
  std::sort(state.identifiers.begin(), state.identifiers.end());

  const auto values = std::move(state.attributes);
  const auto times = std::move(state.attribute_times);
  State fresh = core::new_customer(to_, {});
  state.attributes = std::move(fresh.attributes);
  state.attribute_times = std::move(fresh.attribute_times);
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    const std::size_t from = attributes_[i].from;
    if (from >= values.size()) continue;
    // What nobody has set is what the rules say it is to begin with.
    if (times[from] == Timestamp::ever() && values[from] == from_.schema.attributes[from].fallback)
      continue;
    Value value = attributes_[i].values[0](values[from]);
    if (value.is_missing() && !values[from].is_missing()) continue;
    state.attributes[i] = std::move(value);
    state.attribute_times[i] = times[from];
  }

  for (core::Sent& sent : state.sent)
    if (sent.channel) sent.channel = channels_[sent.channel.index()];
  carry_consents(state, carried);
}

// A refusal is never dropped: of a channel that is gone (which may be back under another name) it
// holds for all of them, until he says otherwise later.
void Carry::carry_consents(core::State& state, Carried& carried) const {
  std::vector<core::Consent> widened;
  keep_if(state.consents, [&](core::Consent& each) {
    if (each.channel.is_none()) return true;
    each.channel = channels_[each.channel.index()];
    if (!each.channel.is_none()) return true;
    if (!each.granted) widened.push_back(each);
    ++(each.granted ? carried.consents_forgotten : carried.refusals_widened);
    return false;
  });
  for (const core::Consent& refusal : widened) {
    const auto everywhere =
        std::find_if(state.consents.begin(), state.consents.end(), [&](const core::Consent& each) {
          return each.channel.is_none() && each.purpose == refusal.purpose;
        });
    if (everywhere == state.consents.end())
      state.consents.push_back(refusal);
    else if (everywhere->granted || everywhere->at < refusal.at)
      *everywhere = refusal;
  }
  std::sort(state.consents.begin(), state.consents.end(),
            [](const core::Consent& a, const core::Consent& b) {
              return std::pair(a.purpose, a.channel) < std::pair(b.purpose, b.channel);
            });
}

void Carry::carry_metrics(State& state) const {
  auto accumulators = std::move(state.accumulators);
  state.accumulators = {};
  for (std::size_t i = 0; i < accumulators_.size(); ++i) {
    if (accumulators_[i].from >= from_.accumulators.size()) continue;
    // By copy: definitions may stand in a plan more than once.
    core::Accumulated kept = accumulators[accumulators_[i].from];
    if (const ValueMap& values = accumulators_[i].values[0]; !values.is_same()) {
      kept.value = values(kept.value);
      keep_if(kept.seen, [&](core::Accumulated::Seen& each) {
        each.value = values(each.value);
        return !each.value.is_missing();
      });
      std::sort(kept.seen.begin(), kept.seen.end(),
                [](const auto& a, const auto& b) { return a.value < b.value; });
    }
    state.accumulators.set(i, std::move(kept));
  }
  auto logs = std::move(state.logs);
  state.logs = {};
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    if (logs_[i].from >= from_.logs.size()) continue;
    core::Logged kept = logs[logs_[i].from];
    const std::size_t columns = logs_[i].values.size();
    for (std::size_t at = 0; at < kept.values.size(); ++at)
      if (const ValueMap& values = logs_[i].values[at % columns]; !values.is_same())
        kept.values[at] = values(kept.values[at]);
    state.logs.set(i, std::move(kept));
  }
}

// False: nothing is left of it.
bool Carry::carry_journey(core::Journey& journey, const State& state, Timestamp now,
                          Carried& carried) const {
  using Phase = core::Journey::Phase;
  const CampaignTo& at = campaigns_[journey.campaign.index()];
  const plan::Campaign& former = from_.campaigns[journey.campaign.index()];
  const auto ended = [&] {
    if (journey.phase != Phase::Ended) ++carried.journeys_ended[former.symbol.name];
  };
  if (at.is_stopped && journey.phase != Phase::Ended) {
    ended();
    // As at its last step: its goal may still be reached.
    const bool may_aim = journey.phase == Phase::Active && former.goal && former.goal->within &&
                         !journey.goal_reached && journey.goal_until >= now;
    if (!may_aim) return false;
    journey.phase = Phase::Ended;
    journey.due = journey.leave_flip = Timestamp::never();
  }
  if (at.migration && at.migration->move(journey, state, now)) {
    if (journey.phase != Phase::Ended) ++carried.journeys_moved[former.symbol.name];
    return true;
  }
  // One that is kept for its goal alone stands at no step.
  const bool goes_on = journey.phase == Phase::Ended
                           ? at.same_frame && to_.campaigns[at.campaign.index()].goal.has_value()
                           : at.same_code;
  if (!goes_on) {
    ended();
    return false;
  }
  journey.campaign = at.campaign;
  if (!at.same_code) journey.arms.clear();
  carry_values(journey.frame, at.frame);
  const plan::Campaign& version = to_.campaigns[at.campaign.index()];
  if (version.closed && journey.phase != Phase::Ended)
    ++carried.journeys_kept[plan::full_name_of(version)];
  return true;
}

void Carry::carry_journeys(State& state, Timestamp now, Carried& carried) const {
  // What waits for its next channel ends with the journey that is stopped; what is on its way is.
  keep_if(state.open, [&](const core::OpenSend& open) {
    return !campaigns_[open.campaign.index()].is_stopped || open.due == Timestamp::never();
  });
  keep_if(state.journeys,
          [&](core::Journey& journey) { return carry_journey(journey, state, now, carried); });
  sort_by_campaign(state.journeys);
  keep_if(state.entries, [&](core::Entered& each) {
    each.campaign = campaigns_[each.campaign.index()].entries;
    return !each.campaign.is_none();
  });
  sort_by_campaign(state.entries);
  keep_if(state.open, [&](core::OpenSend& each) {
    const bool goes_on = carry_open(each);
    if (!goes_on) ++carried.sends_forgotten;
    return goes_on;
  });
}

// By the name of its channel: of a closed campaign's those that are gone are left out.
bool Carry::carry_open(core::OpenSend& open) const {
  const CampaignTo& at = campaigns_[open.campaign.index()];
  if (at.migration && at.migration->move(open)) return true;
  if (!at.same_code) return false;
  const auto channels_of = [&](const plan::Plan& plan,
                               plan::CampaignId campaign) -> const std::vector<plan::ChannelId>& {
    return std::get<plan::Send>(plan.campaigns[campaign.index()].steps[open.step]).channels;
  };
  const auto& old = channels_of(from_, open.campaign);
  const auto& now = channels_of(to_, at.campaign);
  // Waiting for a channel that comes after the last one, there is none to be told by name.
  if (open.channel < old.size()) {
    const plan::ChannelId wanted = channels_[old[open.channel].index()];
    const auto place = std::find(now.begin(), now.end(), wanted);
    if (wanted.is_none() || place == now.end()) return false;
    const auto channel = static_cast<std::uint16_t>(place - now.begin());
    if (channel != std::exchange(open.channel, channel)) open.occurrence += occurrences_apart;
  } else {
    open.channel = static_cast<std::uint16_t>(now.size());
  }
  open.campaign = at.campaign;
  carry_values(open.frame, at.frame);
  return true;
}

void Carry::carry_recent(State& state) const {
  keep_if(state.recent, [&](core::Recent& each) {
    const EventTo& at = events_[each.type.index()];
    if (at.event.is_none()) return false;
    auto fields = std::move(each.fields);
    each.fields = {};
    each.fields.resize(at.fields.size());
    for (std::size_t i = 0; i < at.fields.size(); ++i)
      // What was put to the former plan's fields for a rebuild is not in the states.
      if (at.fields[i].field && at.fields[i].field.index() < fields.size())
        each.fields[i] = at.fields[i].values(fields[at.fields[i].field.index()]);
    each.type = at.event;
    return true;
  });
}

// What he was given stays his as long as the rules know of it; the accounts that it was taken out
// of are named by their definitions.
void Carry::carry_holdings(State& state) const {
  if (state.holdings.empty()) return;
  core::Holdings& mine = state.holdings[0];
  keep_if(mine.grants, [&](core::Grant& each) {
    each.incentive = incentives_[each.incentive.index()];
    if (each.campaign) each.campaign = campaigns_[each.campaign.index()].campaign;
    if (each.referral) each.referral = referrals_[each.referral.index()];
    return !each.incentive.is_none();
  });
  keep_if(mine.purses, [&](core::Purse& each) {
    each.points = incentives_[each.points.index()];
    return !each.points.is_none();
  });
  std::sort(mine.purses.begin(), mine.purses.end(),
            [](const auto& a, const auto& b) { return a.points < b.points; });
  keep_if(mine.bindings, [&](core::Binding& each) {
    each.referral = referrals_[each.referral.index()];
    if (each.by) each.by = events_[each.by.index()].event;
    return !each.referral.is_none();
  });
  keep_if(mine.friends, [&](core::Friend& each) {
    each.referral = referrals_[each.referral.index()];
    return !each.referral.is_none();
  });
  keep_if(mine.spent, [&](core::Spent& each) {
    each.points = incentives_[each.points.index()];
    return !each.points.is_none();
  });
  keep_if(mine.shares, [&](core::Share& each) {
    each.incentive = incentives_[each.incentive.index()];
    if (each.campaign) each.campaign = campaigns_[each.campaign.index()].campaign;
    return !each.incentive.is_none();
  });
  for (core::Answered& each : mine.answers)
    if (each.answer.incentive) each.answer.incentive = incentives_[each.answer.incentive.index()];
  const auto by_referral = [](const auto& a, const auto& b) { return a.referral < b.referral; };
  std::stable_sort(mine.bindings.begin(), mine.bindings.end(), by_referral);
  std::stable_sort(mine.friends.begin(), mine.friends.end(), by_referral);
}

// In ascending order: a watch reads only watches before it.
void Carry::carry_watches(State& state, Timestamp now) const {
  const auto watches = std::move(state.watches);
  state.watches = {};
  for (std::size_t i = 0; i < watches_.size(); ++i) {
    if (watches_[i]) {
      state.watches.set(i, watches[watches_[i].index()]);
    } else if (state.begun) {  // before his first event he is outside of all of them
      const core::Facts facts{to_, state, std::max(now, state.clock)};
      const bool inside = core::holds(facts, to_.watches[i].condition);
      const Timestamp flip = core::next_flip(facts, to_.watches[i].condition);
      state.watches.set(i, {inside, flip});
    }
  }
}

// A state has one mark up to which its schedules have fired. Where there are new ones it moves up
// to the deploy, or they would fire for the past; but not past what is still to fire for campaigns
// that were there before, unless a new one's would fire with it.
void Carry::begin_schedules(State& state, Timestamp now, Carried& carried) const {
  if (new_schedules_.empty()) return;
  const Zone& zone = core::zone_of(to_, state);
  const auto after = [&](const plan::TriggerRef& ref, Timestamp from) {
    const auto& trigger = to_.campaigns[ref.campaign.index()].triggers[ref.trigger];
    return core::next_occurrence(trigger.schedule, state, from, zone);
  };
  const Timestamp seen = std::max(state.clock, state.created) - microseconds(1);
  const Timestamp from = std::max(state.schedules_done, seen);
  Timestamp first = Timestamp::never();
  std::uint64_t owed = 0;
  if (state.schedule_due <= now)
    for (const plan::TriggerRef& ref : old_schedules_)
      if (const Timestamp at = after(ref, from); at <= now) {
        first = std::min(first, at);
        ++owed;
      }
  Timestamp mark = now;
  if (owed > 0) {
    const Timestamp before = first - microseconds(1);
    const bool with_it = std::any_of(new_schedules_.begin(), new_schedules_.end(),
                                     [&](const auto& ref) { return after(ref, before) <= now; });
    if (with_it)
      carried.schedules_missed += owed;
    else
      mark = before;
  }
  state.schedules_done = std::max(state.schedules_done, mark);
}

// When the customer's timers are due, as the end of a turn finds it out.
void Carry::set_timers(State& state) const {
  const Timestamp at = std::max(state.clock, state.created);
  for (core::Journey& journey : state.journeys) {
    if (journey.phase == core::Journey::Phase::Ended) continue;
    const plan::Campaign& campaign = to_.campaigns[journey.campaign.index()];
    if (same_leaving_[journey.campaign.index()]) continue;
    journey.leave_flip = Timestamp::never();
    for (const plan::NodeId condition : campaign.leave_conditions) {
      const core::Facts facts{to_, state, at, {}, {}, journey.frame};
      journey.leave_flip =
          std::min(journey.leave_flip,
                   core::holds(facts, condition) ? at : core::next_flip(facts, condition));
    }
  }
  if (!same_schedules_) {
    state.schedule_due = Timestamp::never();
    const Timestamp done = std::max(state.schedules_done, at - microseconds(1));
    for (const plan::TriggerRef& ref : to_.schedules) {
      const auto& trigger = to_.campaigns[ref.campaign.index()].triggers[ref.trigger];
      const core::Facts facts{to_, state, at};
      Timestamp from = done;
      if (!core::holds(facts, trigger.condition)) {
        const Timestamp flip = core::next_flip(facts, trigger.condition);
        if (flip == Timestamp::never()) continue;
        from = std::max(from, flip - microseconds(1));
      }
      state.schedule_due =
          std::min(state.schedule_due,
                   core::next_occurrence(trigger.schedule, state, from, core::zone_of(to_, state)));
    }
  }
  state.due = state.schedule_due;
  for (const auto& watched : state.watches) state.due = std::min(state.due, watched.value.flip);
  for (const core::Journey& journey : state.journeys)
    state.due = std::min({state.due, journey.due, journey.leave_flip});
  for (const core::OpenSend& open : state.open) state.due = std::min(state.due, open.due);
  if (!state.holdings.empty()) state.due = std::min(state.due, core::next_lapse(state.holdings[0]));
}

}  // namespace koi::deploy
