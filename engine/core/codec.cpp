#include "core/codec.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "core/detail/holdings_codec.h"
#include "core/detail/ids_codec.h"
#include "core/detail/layout.h"
#include "core/detail/order.h"
#include "model/codec.h"

namespace koi::core {

using plan::Aggregate;
using plan::Plan;

namespace {

// --- Parts of a state ---------------------------------------------------------------------------

// Which parts a state has. A part that is empty takes no byte.
struct Part {
  enum : std::uint64_t {
    identifiers = 1 << 0,
    attributes = 1 << 1,
    accumulators = 1 << 2,
    logs = 1 << 3,
    watches = 1 << 4,
    seen = 1 << 5,
    journeys = 1 << 6,
    entries = 1 << 7,
    recent = 1 << 8,
    sent = 1 << 9,
    open = 1 << 10,
    consents = 1 << 11,
    schedules = 1 << 12,
    begun = 1 << 13,
    hold_out_never = 1 << 14,
    hold_out_always = 1 << 15,
    holdings = 1 << 16,
    same = 1 << 17,
    is_gone = 1 << 18,
    is_label = 1 << 19,
    unknown = 1 << 20,  // and everything above it
  };
};

// An instant near another one, in the largest unit that is exact: the two lowest bits tell it.
enum Unit : std::uint64_t { microsecond, millisecond, second, special };
constexpr std::uint64_t special_never = 0, special_ever = 1, special_far = 2;

void write_time(ByteWriter& out, Timestamp time, Timestamp near) {
  if (time == Timestamp::never()) return out.unsigned_(special_never << 2 | special);
  if (time == Timestamp::ever()) return out.unsigned_(special_ever << 2 | special);
  constexpr std::int64_t far = std::int64_t{1} << 60;
  std::int64_t from = 0;
  if (__builtin_sub_overflow(time.us, near.us, &from) || from >= far || from <= -far) {
    out.unsigned_(special_far << 2 | special);
    return out.fixed64(static_cast<std::uint64_t>(time.us));
  }
  Unit unit = microsecond;
  if (from % 1'000'000 == 0)
    from /= 1'000'000, unit = second;
  else if (from % 1000 == 0)
    from /= 1000, unit = millisecond;
  const std::uint64_t zigzag =
      (static_cast<std::uint64_t>(from) << 1) ^ static_cast<std::uint64_t>(from >> 63);
  out.unsigned_(zigzag << 2 | unit);
}

Timestamp read_time(ByteReader& in, Timestamp near) {
  const std::uint64_t bits = in.unsigned_();
  const std::uint64_t zigzag = bits >> 2;
  // Hostile ones wrap around.
  std::uint64_t from = (zigzag >> 1) ^ (0 - (zigzag & 1));
  switch (static_cast<Unit>(bits & 3)) {
    case microsecond: break;
    case millisecond: from *= 1000; break;
    case second: from *= 1'000'000; break;
    case special:
      if (zigzag == special_never) return Timestamp::never();
      if (zigzag == special_ever) return Timestamp::ever();
      if (zigzag != special_far) in.fault();
      return {static_cast<std::int64_t>(in.fixed64())};
  }
  return {static_cast<std::int64_t>(static_cast<std::uint64_t>(near.us) + from)};
}

// What times are written as near to.
Timestamp base_of(Timestamp clock) { return clock == Timestamp::ever() ? Timestamp{0} : clock; }

// Of a list most of whose slots are as they begin: how many are not, and for each how many it is
// behind the one before.
template <class Items, class IsSet, class Write>
void write_set(ByteWriter& out, const Items& items, IsSet is_set, Write write) {
  std::size_t count = 0, next = 0;
  for (std::size_t i = 0; i < items.size(); ++i) count += is_set(i) ? 1 : 0;
  out.unsigned_(count);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!is_set(i)) continue;
    out.unsigned_(i - next);
    next = i + 1;
    write(i);
  }
}
template <class Read>
void read_set(ByteReader& in, std::size_t size, Read read) {
  std::size_t next = 0;
  for (std::size_t n = in.count(); n > 0 && in.ok(); --n) {
    const std::uint64_t behind = in.unsigned_();
    if (next >= size || behind >= size - next) return in.fault();
    next += static_cast<std::size_t>(behind);
    read(next++);
  }
}

bool is_set(const Accumulated& kept) {
  return kept.count != 0 || kept.time != Timestamp::ever() || !kept.value.is_missing() ||
         !kept.seen.empty() || !kept.runs.empty();
}

void write(ByteWriter& out, Aggregate aggregate, const Accumulated& kept, Timestamp base) {
  switch (aggregate) {
    case Aggregate::Count: return out.signed_(kept.count);
    case Aggregate::Sum: out.signed_(kept.count); return out.value(kept.value);
    case Aggregate::Min:
    case Aggregate::Max: return out.value(kept.value);
    case Aggregate::First:
    case Aggregate::Last: write_time(out, kept.time, base); return out.value(kept.value);
    case Aggregate::Distinct:
      out.signed_(kept.count);
      out.unsigned_(kept.seen.size());
      for (const Accumulated::Seen& each : kept.seen) {
        out.value(each.value);
        out.signed_(each.count);
        write_time(out, each.latest, base);
        out.signed_(each.arrival);
      }
      return;
    case Aggregate::Streak:
      out.unsigned_(kept.runs.size());
      for (const Accumulated::Run& each : kept.runs) {
        out.signed_(each.first.days);
        out.signed_(each.last.days);
      }
      return;
    case Aggregate::Average:
    case Aggregate::TimeSinceLast:
    case Aggregate::Ever:
    case Aggregate::Never:
    case Aggregate::MostFrequent:
    case Aggregate::Values: break;  // read from the ones above
  }
  KOI_ASSERT(false);
}

Date date(ByteReader& in) { return {static_cast<std::int32_t>(in.signed_())}; }

Accumulated read_accumulated(ByteReader& in, Aggregate aggregate, Timestamp base) {
  Accumulated kept;
  switch (aggregate) {
    case Aggregate::Count: kept.count = in.signed_(); break;
    case Aggregate::Sum:
      kept.count = in.signed_();
      kept.value = in.value();
      if (kept.value.kind() == Kind::Text || kept.value.kind() == Kind::List) in.fault();
      break;
    case Aggregate::Min:
    case Aggregate::Max: kept.value = in.value(); break;
    case Aggregate::First:
    case Aggregate::Last:
      kept.time = read_time(in, base);
      kept.value = in.value();
      break;
    case Aggregate::Distinct:
      kept.count = in.signed_();
      kept.seen.resize(in.count(4));
      for (Accumulated::Seen& each : kept.seen) {
        each.value = in.value();
        each.count = in.signed_();
        each.latest = read_time(in, base);
        each.arrival = in.signed_();
      }
      break;
    case Aggregate::Streak:
      kept.runs.resize(in.count(2));
      for (Accumulated::Run& each : kept.runs) each = {date(in), date(in)};
      break;
    default: in.fault();
  }
  return kept;
}

void write(ByteWriter& out, const List<Value>& values) {
  out.unsigned_(values.size());
  for (const Value& value : values) out.value(value);
}

List<Value> read_values(ByteReader& in) {
  List<Value> values(in.count());
  for (Value& value : values) value = in.value();
  return values;
}

void write(ByteWriter& out, const Logged& kept, std::size_t columns, Timestamp base) {
  out.unsigned_(kept.times.size());
  Timestamp near = base;
  for (const Timestamp time : kept.times) {
    write_time(out, time, near);
    near = time;
  }
  KOI_ASSERT(kept.values.size() == kept.times.size() * columns);
  for (const Value& value : kept.values) out.value(value);
}

Logged read_logged(ByteReader& in, std::size_t columns, Timestamp base) {
  Logged kept;
  // With room for the event that it is read for.
  const std::size_t count = in.count();
  kept.times.reserve(count + 1);
  kept.times.resize(count);
  Timestamp near = base;
  for (Timestamp& time : kept.times) near = time = read_time(in, near);
  if (columns > in.rest().size() || kept.times.size() * columns > in.rest().size()) in.fault();
  if (!in.ok()) return {};
  kept.values.reserve((count + 1) * columns);
  kept.values.resize(count * columns);
  for (Value& value : kept.values) value = in.value();
  if (!std::is_sorted(kept.times.begin(), kept.times.end())) in.fault();
  return kept;
}

// Zero, and hashes.
void write_key(ByteWriter& out, std::uint64_t key) {
  out.boolean(key != 0);
  if (key != 0) out.fixed64(key);
}
std::uint64_t read_key(ByteReader& in) { return in.boolean() ? in.fixed64() : 0; }

std::uint16_t small(ByteReader& in) { return static_cast<std::uint16_t>(in.unsigned_()); }

void write(ByteWriter& out, const Journey& journey, Timestamp base) {
  write_id(out, journey.campaign);
  out.unsigned_(journey.trigger);
  out.byte(static_cast<std::uint8_t>(static_cast<unsigned>(journey.phase) << 2 |
                                     unsigned{journey.held_out} << 1 |
                                     unsigned{journey.goal_reached}));
  out.unsigned_(journey.part);
  out.unsigned_(journey.pc);
  out.unsigned_(journey.occurrence);
  write_key(out, journey.key);
  out.hash(journey.id);
  write_time(out, journey.entered, base);
  write_time(out, journey.since, base);
  write_time(out, journey.due, base);
  write_time(out, journey.leave_flip, base);
  write_time(out, journey.goal_until, base);
  write(out, journey.frame);
  out.unsigned_(journey.arms.size());
  for (const plan::ArmId arm : journey.arms) out.unsigned_(arm.value);
}

Journey read_journey(ByteReader& in, const std::vector<plan::CampaignId>& campaigns,
                     Timestamp base) {
  Journey journey;
  journey.campaign = read_id(in, campaigns);
  journey.trigger = small(in);
  const std::uint8_t marks = in.byte();
  journey.phase = static_cast<Journey::Phase>(marks >> 2);
  journey.held_out = (marks & 2) != 0;
  journey.goal_reached = (marks & 1) != 0;
  journey.part = small(in);
  journey.pc = small(in);
  journey.occurrence = small(in);
  journey.key = read_key(in);
  journey.id = in.hash();
  journey.entered = read_time(in, base);
  journey.since = read_time(in, base);
  journey.due = read_time(in, base);
  journey.leave_flip = read_time(in, base);
  journey.goal_until = read_time(in, base);
  journey.frame = read_values(in);
  for (std::size_t n = in.count(); n > 0; --n)
    journey.arms.push_back(plan::ArmId::of(small(in) % 0xffffu));
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

void write(ByteWriter& out, const OpenSend& open, Timestamp base) {
  write_id(out, open.campaign);
  out.hash(open.key);
  out.hash(open.entry);
  out.unsigned_(open.step);
  out.unsigned_(open.channel);
  out.unsigned_(open.occurrence);
  out.byte(static_cast<std::uint8_t>(open.first_reason));
  write_time(out, open.since, base);
  write_time(out, open.sent, base);
  write_time(out, open.due, base);
  write(out, open.frame);
  write(out, open.charges, base);
}

OpenSend read_open(ByteReader& in, const std::vector<plan::CampaignId>& campaigns, Timestamp base) {
  OpenSend open;
  open.campaign = read_id(in, campaigns);
  open.key = in.hash();
  open.entry = in.hash();
  open.step = small(in);
  open.channel = small(in);
  open.occurrence = small(in);
  open.first_reason = static_cast<Reason>(in.byte());
  open.since = read_time(in, base);
  open.sent = read_time(in, base);
  open.due = read_time(in, base);
  open.frame = read_values(in);
  open.charges = read_charges(in, base);
  return open;
}

bool fits(const Plan& plan, const OpenSend& open) {
  if (open.campaign.is_none() || open.first_reason > last_reason) return false;
  const plan::Campaign& campaign = plan.campaigns[open.campaign.index()];
  if (open.step >= campaign.steps.size()) return false;
  const auto* send = std::get_if<plan::Send>(&campaign.steps[open.step]);
  return send && open.channel <= send->channels.size() &&
         (open.frame.empty() || open.frame.size() == campaign.frame_size);
}

// --- Whole states -------------------------------------------------------------------------------

template <class Items, class IsSet>
bool any(const Items& items, IsSet is_set) {
  for (std::size_t i = 0; i < items.size(); ++i)
    if (is_set(i)) return true;
  return false;
}

// Those slots that are not as at the beginning.
template <class T, class IsSet, class Write>
void write_slots(ByteWriter& out, const Slots<T>& slots, IsSet is_set, Write write) {
  std::size_t count = 0, next = 0;
  for (const auto& kept : slots) count += is_set(kept.value) ? 1 : 0;
  out.unsigned_(count);
  for (const auto& kept : slots) {
    if (!is_set(kept.value)) continue;
    out.unsigned_(kept.slot - next);
    next = kept.slot + 1u;
    write(kept.value, kept.slot);
  }
}
template <class T, class IsSet>
bool any_of(const Slots<T>& slots, IsSet is_set) {
  return std::any_of(slots.begin(), slots.end(),
                     [&](const auto& kept) { return is_set(kept.value); });
}

void write(ByteWriter& out, const Plan& plan, const State& state) {
  const auto attribute_is_set = [&](std::size_t i) {
    return state.attribute_times[i] != Timestamp::ever() ||
           state.attributes[i] != plan.schema.attributes[i].fallback;
  };
  const auto accumulator_is_set = [](const Accumulated& kept) { return is_set(kept); };
  const auto log_is_set = [](const Logged& kept) { return !kept.times.empty(); };
  const auto watch_is_set = [](const Watched& watched) { return watched != Watched(); };
  std::uint64_t parts = 0;
  const auto part = [&](bool there, std::uint64_t which) { parts |= there ? which : 0; };
  part(!state.identifiers.empty(), Part::identifiers);
  part(any(state.attributes, attribute_is_set), Part::attributes);
  part(any_of(state.accumulators, accumulator_is_set), Part::accumulators);
  part(any_of(state.logs, log_is_set), Part::logs);
  part(any_of(state.watches, watch_is_set), Part::watches);
  part(state.seen.size() > 0 || state.seen_pruned != Timestamp::ever(), Part::seen);
  part(!state.journeys.empty(), Part::journeys);
  part(!state.entries.empty(), Part::entries);
  part(!state.recent.empty(), Part::recent);
  part(!state.sent.empty(), Part::sent);
  part(!state.open.empty(), Part::open);
  part(!state.consents.empty(), Part::consents);
  part(state.schedules_done != Timestamp::ever() || state.schedule_due != Timestamp::never(),
       Part::schedules);
  part(state.begun, Part::begun);
  part(state.hold_out_never, Part::hold_out_never);
  part(state.hold_out_always, Part::hold_out_always);
  part(!state.holdings.empty(), Part::holdings);
  part(!state.same.empty(), Part::same);
  part(state.is_gone, Part::is_gone);
  part(state.is_label, Part::is_label);
  const Timestamp base = base_of(state.clock);
  const auto has = [&](std::uint64_t which) { return (parts & which) != 0; };
  const auto time = [&](Timestamp at) { write_time(out, at, base); };

  out.text(state.id);
  out.unsigned_(parts);
  write_time(out, state.clock, {0});
  time(state.due);
  time(state.created);
  if (has(Part::identifiers)) {
    out.unsigned_(state.identifiers.size());
    for (const Identifier& each : state.identifiers) {
      write_id(out, each.kind);
      out.text(each.text);
    }
  }
  if (has(Part::attributes))
    write_set(out, state.attributes, attribute_is_set, [&](std::size_t i) {
      out.value(state.attributes[i]);
      time(state.attribute_times[i]);
    });
  if (has(Part::accumulators))
    write_slots(out, state.accumulators, accumulator_is_set,
                [&](const Accumulated& kept, std::size_t i) {
                  write(out, plan.accumulators[i].aggregate, kept, base);
                });
  if (has(Part::logs))
    write_slots(out, state.logs, log_is_set, [&](const Logged& kept, std::size_t i) {
      write(out, kept, plan.logs[i].columns.size(), base);
    });
  if (has(Part::watches))
    write_slots(out, state.watches, watch_is_set, [&](const Watched& watched, std::size_t) {
      out.boolean(watched.inside);
      time(watched.flip);
    });
  if (has(Part::seen)) {
    time(state.seen_pruned);
    out.unsigned_(state.seen.size());
    const std::uint32_t now = SeenIds::minute_of(base);
    state.seen.for_each([&](std::uint64_t hash, std::uint32_t minute) {
      out.fixed64(hash);
      out.unsigned_(now - minute);  // what is later than now wraps around
    });
  }
  if (has(Part::journeys)) {
    out.unsigned_(state.journeys.size());
    for (const Journey& each : state.journeys) write(out, each, base);
  }
  if (has(Part::entries)) {
    out.unsigned_(state.entries.size());
    for (const Entered& each : state.entries) {
      write_id(out, each.campaign);
      write_key(out, each.key);
      time(each.at);
    }
  }
  if (has(Part::recent)) {
    out.unsigned_(state.recent.size());
    for (const Recent& each : state.recent) {
      time(each.time);
      write_id(out, each.type);
      for (const Value& value : each.fields) out.value(value);
    }
  }
  if (has(Part::sent)) {
    out.unsigned_(state.sent.size());
    for (const Sent& each : state.sent) {
      time(each.at);
      out.byte(static_cast<std::uint8_t>(each.campaign_class));
      write_id(out, each.channel);
    }
  }
  if (has(Part::open)) {
    out.unsigned_(state.open.size());
    for (const OpenSend& each : state.open) write(out, each, base);
  }
  if (has(Part::consents)) {
    out.unsigned_(state.consents.size());
    for (const Consent& each : state.consents) {
      out.byte(static_cast<std::uint8_t>(static_cast<unsigned>(each.purpose) << 1 |
                                         unsigned{each.granted}));
      write_id(out, each.channel);
      time(each.at);
    }
  }
  if (has(Part::schedules)) {
    time(state.schedules_done);
    time(state.schedule_due);
  }
  if (has(Part::holdings)) write(out, state.holdings[0], base);
  if (has(Part::same)) {
    out.unsigned_(state.same.size());
    for (const std::string& each : state.same) out.text(each);
  }
}

// What every state begins with.
struct Head {
  std::string_view id;
  std::uint64_t parts = 0;
  Timestamp clock, created, due;
};
Head read_head(ByteReader& in) {
  Head head;
  head.id = in.text();
  head.parts = in.unsigned_();
  if (head.parts >= Part::unknown) in.fault();
  head.clock = read_time(in, {0});
  head.due = read_time(in, base_of(head.clock));
  head.created = read_time(in, base_of(head.clock));
  return head;
}

State read(ByteReader& in, const Plan& plan, const Layout& slots) {
  const Head head = read_head(in);
  State state = new_customer(plan, std::string(head.id));
  const auto has = [&](std::uint64_t which) { return (head.parts & which) != 0; };
  const Timestamp base = base_of(head.clock);
  const auto time = [&] { return read_time(in, base); };
  state.clock = head.clock;
  state.due = head.due;
  state.created = head.created;
  state.begun = has(Part::begun);
  state.hold_out_never = has(Part::hold_out_never);
  state.hold_out_always = has(Part::hold_out_always);
  state.is_gone = has(Part::is_gone);
  state.is_label = has(Part::is_label);
  for (std::size_t i = 0; i < slots.attributes.size(); ++i)
    if (const auto& from = slots.attributes[i]; from.id)
      state.attributes[from.id.index()] = from.fallback;

  if (has(Part::identifiers)) {
    for (std::size_t n = in.count(2); n > 0; --n) {
      const IdentifierId kind = read_id(in, slots.identifiers);
      const std::string_view text = in.text();
      if (kind) state.identifiers.push_back({kind, std::string(text)});
    }
    put_in_order(state.identifiers, std::less<>());
  }
  if (has(Part::attributes))
    read_set(in, slots.attributes.size(), [&](std::size_t i) {
      Value value = in.value();
      const Timestamp at = time();
      const AttributeId id = slots.attributes[i].id;
      if (!id) return;
      state.attributes[id.index()] = std::move(value);
      state.attribute_times[id.index()] = at;
    });
  if (has(Part::accumulators))
    read_set(in, slots.accumulators.size(), [&](std::size_t i) {
      const auto& slot = slots.accumulators[i];
      Accumulated kept = read_accumulated(in, slot.aggregate, base);
      if (slot.id) state.accumulators.set(slot.id.index(), std::move(kept));
    });
  if (has(Part::logs))
    read_set(in, slots.logs.size(), [&](std::size_t i) {
      const auto& slot = slots.logs[i];
      Logged kept = read_logged(in, slot.columns, base);
      if (slot.id) state.logs.set(slot.id.index(), std::move(kept));
    });
  if (has(Part::watches))
    read_set(in, slots.watches.size(), [&](std::size_t i) {
      const bool inside = in.boolean();
      const Timestamp flip = time();
      if (slots.watches[i]) state.watches.set(slots.watches[i].index(), {inside, flip});
    });
  if (has(Part::seen)) {
    state.seen_pruned = time();
    const std::uint32_t now = SeenIds::minute_of(base);
    state.seen.assign(in.count(9), [&] {
      const std::uint64_t hash = in.fixed64();
      return std::pair(hash, now - static_cast<std::uint32_t>(in.unsigned_()));
    });
  }
  if (has(Part::journeys)) {
    for (std::size_t n = in.count(8); n > 0; --n)
      if (Journey each = read_journey(in, slots.campaigns, base); fits(plan, each)) {
        const auto& arms = plan.campaigns[each.campaign.index()].arms;
        erase_if(each.arms, [&](plan::ArmId arm) { return arm.index() >= arms.size(); });
        state.journeys.push_back(std::move(each));
      }
    put_in_order(state.journeys, by_campaign);
  }
  if (has(Part::entries)) {
    for (std::size_t n = in.count(3); n > 0; --n) {
      Entered each;
      each.campaign = read_id(in, slots.campaigns);
      each.key = read_key(in);
      each.at = time();
      if (each.campaign) state.entries.push_back(each);
    }
    put_in_order(state.entries, by_campaign);
  }
  if (has(Part::recent))
    for (std::size_t n = in.count(2); n > 0; --n) {
      Recent each;
      each.time = time();
      const std::uint64_t number = in.unsigned_();
      if (number == 0 || number > slots.events.size()) {
        in.fault();
        break;
      }
      const auto& slot = slots.events[number - 1];
      each.type = slot.id;
      if (slot.fields > in.rest().size()) in.fault();
      if (!in.ok()) break;
      each.fields.resize(slot.fields);
      for (Value& value : each.fields) value = in.value();
      if (each.type && each.fields.size() == plan.schema[each.type].fields.size())
        state.recent.push_back(std::move(each));
    }
  if (has(Part::sent))
    for (std::size_t n = in.count(3); n > 0; --n) {
      const Timestamp at = time();
      const auto campaign_class = static_cast<plan::CampaignClass>(in.byte() % 3);
      state.sent.push_back({at, campaign_class, read_id(in, slots.channels)});
    }
  if (has(Part::open))
    for (std::size_t n = in.count(8); n > 0; --n)
      if (OpenSend each = read_open(in, slots.campaigns, base); fits(plan, each))
        state.open.push_back(std::move(each));
  if (has(Part::consents)) {
    for (std::size_t n = in.count(3); n > 0; --n) {
      const std::uint8_t marks = in.byte();
      const bool is_everywhere = !in.rest().empty() && in.rest().front() == 0;
      const plan::ChannelId channel = read_id(in, slots.channels);
      const Timestamp at = time();
      if (is_everywhere || channel)
        state.consents.push_back(
            {static_cast<plan::CampaignClass>((marks >> 1) % 3), channel, (marks & 1) != 0, at});
    }
    put_in_order(state.consents, [](const Consent& a, const Consent& b) {
      return std::pair(a.purpose, a.channel) < std::pair(b.purpose, b.channel);
    });
  }
  if (has(Part::schedules)) {
    state.schedules_done = time();
    state.schedule_due = time();
  }
  if (has(Part::holdings)) state.holdings.push_back(read_holdings(in, slots, base));
  if (has(Part::same))
    for (std::size_t n = in.count(); n > 0; --n) state.same.push_back(std::string(in.text()));
  if (state.is_gone && (state.same.size() != 1 || state.same[0].empty())) in.fault();
  return state;
}

Error corrupt() {
  return {"corrupt", "the customer's state is damaged: its bytes do not make a state"};
}

}  // namespace

Codec::Codec(const Plan& plan)
    : plan_(plan), layout_(layout_of(plan)), number_(number_of_layout(layout_)) {
  const auto learnt = learn(layout_);
  KOI_ASSERT(learnt);
}
Codec::~Codec() = default;

Result<void> Codec::learn(std::string_view layout) {
  const std::uint64_t number = number_of_layout(layout);
  if (known_.contains(number)) return {};
  KOI_LET(Layout learnt, read_layout(plan_, layout));
  known_.emplace(number, std::make_unique<const Layout>(std::move(learnt)));
  return {};
}

void Codec::encode(const State& state, std::string& into) const {
  into.clear();
  ByteWriter out(std::move(into));
  out.byte(state_version);
  out.fixed64(number_);
  write(out, plan_, state);
  into = out.take();
}

std::string Codec::encode(const State& state) const {
  std::string bytes;
  encode(state, bytes);
  return bytes;
}

// What stands in front of every state.
Result<const Layout*> Codec::open(ByteReader& in) const {
  const std::uint8_t version = in.byte();
  if (in.ok() && version != state_version)
    return Error{"version", "the customer's state has version " + std::to_string(version) +
                                ", this program reads version " + std::to_string(state_version)};
  const auto known = known_.find(in.fixed64());
  if (!in.ok()) return corrupt();
  if (known == known_.end())
    return Error{"layout",
                 "the customer's state was written under rules whose layout is not known here; "
                 "restore it together with what stood beside it"};
  return known->second.get();
}

Result<State> Codec::decode(std::string_view bytes) const {
  ByteReader in(bytes);
  KOI_LET(const Layout* const layout, open(in));
  State state = read(in, plan_, *layout);
  if (!in.ok() || !in.at_end()) return corrupt();
  return state;
}

Result<Timestamp> Codec::next_due(std::string_view bytes) const {
  ByteReader in(bytes);
  KOI_TRY(open(in));
  const Head head = read_head(in);
  if (!in.ok()) return corrupt();
  return head.due;
}

std::string_view customer_in(std::string_view bytes) {
  constexpr std::size_t before = 1 + sizeof(std::uint64_t);  // version and layout
  if (bytes.size() < before) return {};
  return ByteReader(bytes.substr(before)).text();
}

std::string encode(const Plan& plan, const State& state) {
  const Codec codec(plan);
  ByteWriter out;
  out.text(codec.layout());
  out.text(codec.encode(state));
  return out.take();
}

Result<State> decode(const Plan& plan, std::string_view bytes) {
  ByteReader in(bytes);
  const std::string_view layout = in.text(), state = in.text();
  if (!in.ok() || !in.at_end()) return corrupt();
  Codec codec(plan);
  KOI_TRY(codec.learn(layout));
  return codec.decode(state);
}

}  // namespace koi::core
