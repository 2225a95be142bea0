#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "core/detail/layout.h"
#include "model/codec.h"

namespace koi::core {

using plan::Aggregate;
using plan::Plan;

namespace {

// A plan that gives nothing is laid out by the first; the second names incentives and referrals
// too.
constexpr std::uint8_t without_incentives = 1, with_incentives = 2;

// Positions by name or definition.
template <class Id, class Key, class List, class KeyOf>
std::unordered_map<Key, Id> positions(const List& list, KeyOf key_of) {
  std::unordered_map<Key, Id> found;
  for (std::size_t i = 0; i < list.size(); ++i) found.emplace(key_of(list[i]), Id::of(i));
  return found;
}
template <class Id, class List>
auto by_name(const List& list) {
  return positions<Id, std::string_view>(
      list, [](const auto& each) -> std::string_view { return each.symbol.name; });
}
template <class Id, class List>
auto by_definition(const List& list) {
  return positions<Id, std::uint64_t>(list, [](const auto& each) { return each.definition; });
}
template <class Id, class Key>
Id find(const std::unordered_map<Key, Id>& known, const Key& key) {
  const auto place = known.find(key);
  return place == known.end() ? Id::none() : place->second;
}

}  // namespace

std::string layout_of(const Plan& plan) {
  ByteWriter out;
  const bool gives = !plan.incentives.empty() || !plan.referrals.empty();
  out.byte(gives ? with_incentives : without_incentives);
  out.unsigned_(plan.schema.identifiers.size());
  for (const std::string& name : plan.schema.identifiers) out.text(name);
  out.unsigned_(plan.schema.attributes.size());
  for (const Attribute& attribute : plan.schema.attributes) {
    out.text(attribute.symbol.name);
    out.value(attribute.fallback);
  }
  out.unsigned_(plan.accumulators.size());
  for (const plan::Accumulator& each : plan.accumulators) {
    out.fixed64(each.definition);
    out.byte(static_cast<std::uint8_t>(each.aggregate));
  }
  out.unsigned_(plan.logs.size());
  for (const plan::Log& each : plan.logs) {
    out.fixed64(each.definition);
    out.unsigned_(each.columns.size());
  }
  out.unsigned_(plan.watches.size());
  for (const plan::Watch& each : plan.watches) out.fixed64(each.definition);
  out.unsigned_(plan.schema.events.size());
  for (const EventType& each : plan.schema.events) {
    out.text(each.symbol.name);
    out.unsigned_(each.fields.size());
  }
  out.unsigned_(plan.channels.size());
  for (const plan::Channel& each : plan.channels) out.text(each.symbol.name);
  out.unsigned_(plan.campaigns.size());
  for (const plan::Campaign& each : plan.campaigns) out.text(plan::full_name_of(each));
  if (gives) {
    out.unsigned_(plan.incentives.size());
    for (const plan::Incentive& each : plan.incentives) out.text(each.symbol.name);
    out.unsigned_(plan.referrals.size());
    for (const plan::Referral& each : plan.referrals) out.text(each.symbol.name);
  }
  return out.take();
}

std::uint64_t number_of_layout(std::string_view layout) { return hash64(layout, 0x6c61796f); }

Result<Layout> read_layout(const Plan& plan, std::string_view layout) {
  Layout slots;
  const Schema& schema = plan.schema;
  ByteReader in(layout);
  const std::uint8_t version = in.byte();
  if (version != without_incentives && version != with_incentives) in.fault();
  for (std::size_t n = in.count(); n > 0; --n)
    slots.identifiers.push_back(schema.find_identifier(in.text()));
  const auto attributes = by_name<AttributeId>(schema.attributes);
  for (std::size_t n = in.count(2); n > 0; --n) {
    const AttributeId id = find(attributes, in.text());
    slots.attributes.push_back({id, in.value()});
  }
  const auto accumulators = by_definition<plan::AccumulatorId>(plan.accumulators);
  for (std::size_t n = in.count(9); n > 0; --n) {
    const auto id = find(accumulators, in.fixed64());
    const auto aggregate = static_cast<Aggregate>(in.byte());
    const bool fits = id && plan.accumulators[id.index()].aggregate == aggregate;
    slots.accumulators.push_back({fits ? id : plan::AccumulatorId::none(), aggregate});
  }
  const auto logs = by_definition<plan::LogId>(plan.logs);
  for (std::size_t n = in.count(9); n > 0; --n) {
    const auto id = find(logs, in.fixed64());
    const std::uint64_t columns = in.unsigned_();
    const bool fits = id && plan.logs[id.index()].columns.size() == columns;
    slots.logs.push_back({fits ? id : plan::LogId::none(), columns});
  }
  const auto watches = by_definition<plan::WatchId>(plan.watches);
  for (std::size_t n = in.count(8); n > 0; --n)
    slots.watches.push_back(find(watches, in.fixed64()));
  for (std::size_t n = in.count(2); n > 0; --n) {
    const EventTypeId id = schema.find_event(in.text());
    slots.events.push_back({id, in.unsigned_()});
  }
  const auto channels = by_name<plan::ChannelId>(plan.channels);
  for (std::size_t n = in.count(); n > 0; --n) slots.channels.push_back(find(channels, in.text()));
  const auto campaigns = positions<plan::CampaignId, std::string>(
      plan.campaigns, [](const auto& each) { return plan::full_name_of(each); });
  for (std::size_t n = in.count(); n > 0; --n)
    slots.campaigns.push_back(find(campaigns, std::string(in.text())));
  if (version == with_incentives) {
    const auto incentives = by_name<plan::IncentiveId>(plan.incentives);
    for (std::size_t n = in.count(); n > 0; --n)
      slots.incentives.push_back(find(incentives, in.text()));
    const auto referrals = by_name<plan::ReferralId>(plan.referrals);
    for (std::size_t n = in.count(); n > 0; --n)
      slots.referrals.push_back(find(referrals, in.text()));
  }
  if (!in.ok() || !in.at_end())
    return Error{"corrupt", "what says how customers' states are laid out is damaged"};
  return slots;
}

}  // namespace koi::core
