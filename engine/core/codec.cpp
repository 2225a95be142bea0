#include "core/codec.h"

#include <algorithm>

#include "model/codec.h"

namespace koi::core {

namespace {

using plan::Plan;

// --- Writing ------------------------------------------------------------------------------------

// Names stand for ids, so that a plan with other ids reads its own.
const std::string& name_of(const Plan& plan, plan::CampaignId id) {
  return plan.campaigns[id.index()].symbol.name;
}
std::string_view name_of(const Plan& plan, plan::ChannelId id) {
  return id.is_none() ? std::string_view() : plan.channels[id.index()].symbol.name;
}

void write(ByteWriter& out, const List<Value>& values) {
  out.unsigned_(values.size());
  for (const Value& value : values) out.value(value);
}

void write(ByteWriter& out, const Accumulated& kept) {
  out.signed_(kept.count);
  out.time(kept.time);
  out.value(kept.value);
  out.unsigned_(kept.seen.size());
  for (const auto& seen : kept.seen) {
    out.value(seen.value);
    out.signed_(seen.count);
    out.time(seen.latest);
    out.signed_(seen.arrival);
  }
  out.unsigned_(kept.runs.size());
  for (const auto& run : kept.runs) {
    out.signed_(run.first.days);
    out.signed_(run.last.days);
  }
}

void write(ByteWriter& out, const Logged& kept) {
  out.unsigned_(kept.times.size());
  std::int64_t before = 0;
  for (const Timestamp time : kept.times) {
    out.signed_(time.us - before);
    before = time.us;
  }
  write(out, kept.values);
}

void write(ByteWriter& out, const Plan& plan, const Journey& journey) {
  out.text(name_of(plan, journey.campaign));
  out.unsigned_(journey.trigger);
  out.byte(static_cast<std::uint8_t>(journey.phase));
  out.boolean(journey.held_out);
  out.boolean(journey.goal_reached);
  out.unsigned_(journey.part);
  out.unsigned_(journey.pc);
  out.unsigned_(journey.occurrence);
  out.fixed64(journey.key);
  out.hash(journey.id);
  out.time(journey.entered);
  out.time(journey.since);
  out.time(journey.due);
  out.time(journey.leave_flip);
  out.time(journey.goal_until);
  write(out, journey.frame);
}

void write(ByteWriter& out, const Plan& plan, const OpenSend& open) {
  out.text(name_of(plan, open.campaign));
  out.hash(open.key);
  out.hash(open.entry);
  out.unsigned_(open.step);
  out.unsigned_(open.channel);
  out.unsigned_(open.occurrence);
  out.byte(static_cast<std::uint8_t>(open.first_reason));
  out.time(open.since);
  out.time(open.sent);
  out.time(open.due);
  write(out, open.frame);
}

// --- Reading ------------------------------------------------------------------------------------

// The position of a thing with that name or definition, or none.
template <class Id, class List, class Is>
Id find(const List& list, Is is) {
  for (std::size_t i = 0; i < list.size(); ++i)
    if (is(list[i])) return Id::of(i);
  return Id::none();
}
plan::CampaignId find_campaign(const Plan& plan, std::string_view name) {
  return find<plan::CampaignId>(plan.campaigns,
                                [&](const auto& c) { return c.symbol.name == name; });
}
plan::ChannelId find_channel(const Plan& plan, std::string_view name) {
  if (name.empty()) return plan::ChannelId::none();
  return find<plan::ChannelId>(plan.channels, [&](const auto& c) { return c.symbol.name == name; });
}

std::uint16_t small(ByteReader& in) { return static_cast<std::uint16_t>(in.unsigned_()); }
Date date(ByteReader& in) { return {static_cast<std::int32_t>(in.signed_())}; }

List<Value> read_values(ByteReader& in) {
  List<Value> values(in.count());
  for (Value& value : values) value = in.value();
  return values;
}

Accumulated read_accumulated(ByteReader& in) {
  Accumulated kept;
  kept.count = in.signed_();
  kept.time = in.time();
  kept.value = in.value();
  kept.seen.resize(in.count(4));
  for (auto& seen : kept.seen) {
    seen.value = in.value();
    seen.count = in.signed_();
    seen.latest = in.time();
    seen.arrival = in.signed_();
  }
  kept.runs.resize(in.count(2));
  for (auto& run : kept.runs) {
    run.first = date(in);
    run.last = date(in);
  }
  return kept;
}

Logged read_logged(ByteReader& in) {
  Logged kept;
  kept.times.resize(in.count());
  std::int64_t before = 0;
  for (Timestamp& time : kept.times)
    time.us = before = static_cast<std::int64_t>(static_cast<std::uint64_t>(before) +
                                                 static_cast<std::uint64_t>(in.signed_()));
  kept.values = read_values(in);
  return kept;
}

Journey read_journey(ByteReader& in, const Plan& plan) {
  Journey journey;
  journey.campaign = find_campaign(plan, in.text());
  journey.trigger = small(in);
  journey.phase = static_cast<Journey::Phase>(in.byte());
  journey.held_out = in.boolean();
  journey.goal_reached = in.boolean();
  journey.part = small(in);
  journey.pc = small(in);
  journey.occurrence = small(in);
  journey.key = in.fixed64();
  journey.id = in.hash();
  journey.entered = in.time();
  journey.since = in.time();
  journey.due = in.time();
  journey.leave_flip = in.time();
  journey.goal_until = in.time();
  journey.frame = read_values(in);
  return journey;
}

// Can this plan go on with it? Its campaign may be gone or have other steps.
bool fits(const Plan& plan, const Journey& journey) {
  if (journey.campaign.is_none() || journey.phase > Journey::Phase::Ended) return false;
  const plan::Campaign& campaign = plan.campaigns[journey.campaign.index()];
  return journey.trigger < campaign.triggers.size() &&
         (journey.phase == Journey::Phase::Ended || journey.pc <= campaign.steps.size()) &&
         journey.part <= campaign.triggers[journey.trigger].thens.size() + 1 &&
         journey.frame.size() == campaign.frame_size;
}

OpenSend read_open(ByteReader& in, const Plan& plan) {
  OpenSend open;
  open.campaign = find_campaign(plan, in.text());
  open.key = in.hash();
  open.entry = in.hash();
  open.step = small(in);
  open.channel = small(in);
  open.occurrence = small(in);
  open.first_reason = static_cast<Reason>(in.byte());
  open.since = in.time();
  open.sent = in.time();
  open.due = in.time();
  open.frame = read_values(in);
  return open;
}

bool fits(const Plan& plan, const OpenSend& open) {
  if (open.campaign.is_none() || open.first_reason > Reason::Failed) return false;
  const plan::Campaign& campaign = plan.campaigns[open.campaign.index()];
  if (open.step >= campaign.steps.size()) return false;
  const auto* send = std::get_if<plan::Send>(&campaign.steps[open.step]);
  return send && open.channel <= send->channels.size() &&
         (open.frame.empty() || open.frame.size() == campaign.frame_size);
}

template <class Thing>
void sort_by_campaign(List<Thing>& things) {
  std::stable_sort(things.begin(), things.end(), [](const Thing& a, const Thing& b) {
    return std::pair(a.campaign, a.key) < std::pair(b.campaign, b.key);
  });
}

}  // namespace

std::string encode(const Plan& plan, const State& state) {
  ByteWriter out;
  out.byte(state_version);
  out.text(state.id);
  out.time(state.created);
  out.boolean(state.begun);
  out.time(state.clock);
  out.unsigned_(state.identifiers.size());
  for (const Identifier& identifier : state.identifiers) {
    out.text(plan.schema.identifiers[identifier.kind.index()]);
    out.text(identifier.text);
  }
  out.unsigned_(state.attributes.size());
  for (std::size_t i = 0; i < state.attributes.size(); ++i) {
    out.text(plan.schema.attributes[i].symbol.name);
    out.value(state.attributes[i]);
    out.time(state.attribute_times[i]);
  }
  out.unsigned_(state.accumulators.size());
  for (std::size_t i = 0; i < state.accumulators.size(); ++i) {
    out.fixed64(plan.accumulators[i].definition);
    write(out, state.accumulators[i]);
  }
  out.unsigned_(state.logs.size());
  for (std::size_t i = 0; i < state.logs.size(); ++i) {
    out.fixed64(plan.logs[i].definition);
    write(out, state.logs[i]);
  }
  out.unsigned_(state.watches.size());
  for (std::size_t i = 0; i < state.watches.size(); ++i) {
    out.fixed64(plan.watches[i].definition);
    out.boolean(state.watches[i].inside);
    out.time(state.watches[i].flip);
  }
  out.unsigned_(state.journeys.size());
  for (const Journey& journey : state.journeys) write(out, plan, journey);
  out.unsigned_(state.entries.size());
  for (const Entered& entered : state.entries) {
    out.text(name_of(plan, entered.campaign));
    out.fixed64(entered.key);
    out.time(entered.at);
  }
  out.unsigned_(state.sent.size());
  for (const Sent& sent : state.sent) {
    out.time(sent.at);
    out.byte(static_cast<std::uint8_t>(sent.campaign_class));
    out.text(name_of(plan, sent.channel));
  }
  out.unsigned_(state.open.size());
  for (const OpenSend& open : state.open) write(out, plan, open);
  out.unsigned_(state.consents.size());
  for (const Consent& consent : state.consents) {
    out.byte(static_cast<std::uint8_t>(consent.purpose));
    out.text(name_of(plan, consent.channel));
    out.boolean(consent.granted);
    out.time(consent.at);
  }
  out.unsigned_(state.seen.size());
  state.seen.for_each([&](std::uint64_t hash, std::uint32_t minute) {
    out.fixed64(hash);
    out.unsigned_(minute);
  });
  out.unsigned_(state.recent.size());
  for (const Recent& recent : state.recent) {
    out.time(recent.time);
    out.text(plan.schema[recent.type].symbol.name);
    write(out, recent.fields);
  }
  out.time(state.seen_pruned);
  out.time(state.schedules_done);
  out.time(state.schedule_due);
  out.time(state.due);
  out.boolean(state.hold_out_never);
  out.boolean(state.hold_out_always);
  return out.take();
}

Result<State> decode(const Plan& plan, std::string_view bytes) {
  ByteReader in(bytes);
  const std::uint8_t version = in.byte();
  if (in.ok() && version != state_version)
    return Error{"version", "the customer's state has version " + std::to_string(version) +
                                ", this program reads version " + std::to_string(state_version)};
  State state = new_customer(plan, std::string(in.text()));
  state.created = in.time();
  state.begun = in.boolean();
  state.clock = in.time();
  for (std::size_t n = in.count(2); n > 0; --n) {
    const IdentifierId kind = plan.schema.find_identifier(in.text());
    const std::string text(in.text());
    if (kind) state.identifiers.push_back({kind, text});
  }
  std::sort(state.identifiers.begin(), state.identifiers.end());
  for (std::size_t n = in.count(3); n > 0; --n) {
    const std::string_view name = in.text();
    Value value = in.value();
    const Timestamp time = in.time();
    const auto id = find<AttributeId>(plan.schema.attributes,
                                      [&](const auto& a) { return a.symbol.name == name; });
    if (!id) continue;
    state.attributes[id.index()] = std::move(value);
    state.attribute_times[id.index()] = time;
  }
  for (std::size_t n = in.count(8); n > 0; --n) {
    const std::uint64_t definition = in.fixed64();
    Accumulated kept = read_accumulated(in);
    for (std::size_t i = 0; i < plan.accumulators.size(); ++i)
      if (plan.accumulators[i].definition == definition) state.accumulators[i] = kept;
  }
  bool logs_fit = true;
  for (std::size_t n = in.count(8); n > 0; --n) {
    const std::uint64_t definition = in.fixed64();
    Logged kept = read_logged(in);
    for (std::size_t i = 0; i < plan.logs.size(); ++i) {
      if (plan.logs[i].definition != definition) continue;
      logs_fit = logs_fit && kept.values.size() == kept.times.size() * plan.logs[i].columns.size();
      state.logs[i] = kept;
    }
  }
  for (std::size_t n = in.count(9); n > 0; --n) {
    const std::uint64_t definition = in.fixed64();
    const bool inside = in.boolean();
    const Timestamp flip = in.time();
    for (std::size_t i = 0; i < plan.watches.size(); ++i)
      if (plan.watches[i].definition == definition) state.watches[i] = {inside, flip};
  }
  for (std::size_t n = in.count(8); n > 0; --n)
    if (Journey journey = read_journey(in, plan); fits(plan, journey))
      state.journeys.push_back(std::move(journey));
  sort_by_campaign(state.journeys);
  for (std::size_t n = in.count(9); n > 0; --n) {
    Entered entered{find_campaign(plan, in.text()), in.fixed64(), in.time()};
    if (entered.campaign) state.entries.push_back(entered);
  }
  sort_by_campaign(state.entries);
  for (std::size_t n = in.count(3); n > 0; --n) {
    const Timestamp at = in.time();
    const auto campaign_class = static_cast<plan::CampaignClass>(in.byte() % 3);
    state.sent.push_back({at, campaign_class, find_channel(plan, in.text())});
  }
  for (std::size_t n = in.count(8); n > 0; --n)
    if (OpenSend open = read_open(in, plan); fits(plan, open))
      state.open.push_back(std::move(open));
  for (std::size_t n = in.count(4); n > 0; --n) {
    const auto purpose = static_cast<plan::CampaignClass>(in.byte() % 3);
    const std::string_view name = in.text();
    const plan::ChannelId channel = find_channel(plan, name);
    const bool granted = in.boolean();
    const Timestamp at = in.time();
    if (name.empty() || channel) state.consents.push_back({purpose, channel, granted, at});
  }
  std::sort(state.consents.begin(), state.consents.end(), [](const Consent& a, const Consent& b) {
    return std::pair(a.purpose, a.channel) < std::pair(b.purpose, b.channel);
  });
  for (std::size_t n = in.count(9); n > 0; --n) {
    const std::uint64_t hash = in.fixed64();
    state.seen.insert_at_minute(hash, static_cast<std::uint32_t>(in.unsigned_()));
  }
  for (std::size_t n = in.count(3); n > 0; --n) {
    const Timestamp time = in.time();
    const EventTypeId type = plan.schema.find_event(in.text());
    Recent recent{time, type, read_values(in)};
    if (type && recent.fields.size() == plan.schema[type].fields.size())
      state.recent.push_back(std::move(recent));
  }
  state.seen_pruned = in.time();
  state.schedules_done = in.time();
  state.schedule_due = in.time();
  state.due = in.time();
  state.hold_out_never = in.boolean();
  state.hold_out_always = in.boolean();
  if (!in.ok() || !in.at_end() || !logs_fit)
    return Error{"corrupt", "the customer's state is damaged: its bytes do not make a state"};
  return state;
}

}  // namespace koi::core
