#include "serve/customer_view.h"

#include <algorithm>
#include <utility>

#include "core/metrics.h"
#include "serve/json_writer.h"

namespace koi::serve {

namespace {

// The type of a metric's value: its field's, where the value is one of the field's.
Type type_of(const plan::Plan& plan, const plan::Metric& metric) {
  Type type{.kind = metric.kind};
  if (metric.events.type && metric.field && metric.field != plan::event_time_field) {
    const Type& field = plan.schema[metric.events.type].fields[metric.field.index()].type;
    type.enumeration = field.enumeration;
  }
  return type;
}

std::string_view name_of(core::Journey::Phase phase) {
  switch (phase) {
    case core::Journey::Phase::Forming: return "forming";
    case core::Journey::Phase::Active: return "active";
    case core::Journey::Phase::Ended: return "ended";
  }
  return "active";
}

void write_journey(JsonWriter& out, const plan::Plan& plan, const core::Journey& journey) {
  const plan::Campaign& campaign = plan.campaigns[journey.campaign.index()];
  out.open('{');
  out.key("campaign"), out.text(plan::full_name_of(campaign));
  out.key("entry"), out.text(to_hex(journey.id));
  out.key("phase"), out.text(name_of(journey.phase));
  out.key("entered"), out.time(journey.entered);
  if (journey.phase == core::Journey::Phase::Active) {
    out.key("step"), out.raw(std::to_string(journey.pc));
    out.key("since"), out.time(journey.since);
  }
  out.key("due"), out.time(journey.due);
  out.key("held_out"), out.boolean(journey.held_out);
  if (campaign.goal) out.key("goal_reached"), out.boolean(journey.goal_reached);
  out.close('}');
}

// Of each tier in which he has one.
void write_levels(JsonWriter& out, const plan::Plan& plan, const core::State& state) {
  out.key("tiers"), out.open('{');
  for (const plan::Tier& tier : plan.tiers) {
    const Value& level = state.attributes[tier.attribute.index()];
    if (std::cmp_greater_equal(level.raw(), tier.up_to.size())) continue;
    out.key(tier.symbol.name), out.value(plan.schema[tier.attribute].type, level);
  }
  out.close('}');
}

}  // namespace

std::string customer_view(const plan::Plan& plan, const core::State& state, Timestamp now,
                          std::span<const std::string> timeline) {
  now = std::max(now, state.clock);
  JsonWriter out(plan);
  out.open('{');
  out.key("id"), out.text(state.id);
  out.key("created"), out.time(state.created);
  if (!state.same.empty()) {
    out.key("same"), out.open('[');
    for (const std::string& each : state.same) out.text(each);
    out.close(']');
  }

  out.key("identifiers"), out.open('[');
  for (const Identifier& identifier : state.identifiers) {
    out.open('{');
    out.key("kind"), out.text(plan.schema.identifiers[identifier.kind.index()]);
    out.key("value"), out.text(identifier.text);
    out.close('}');
  }
  out.close(']');

  out.key("attributes"), out.open('{');
  for (std::size_t i = 0; i < state.attributes.size(); ++i) {
    if (state.attributes[i].is_missing()) continue;
    const Attribute& attribute = plan.schema.attributes[i];
    if (attribute.is_inner) continue;
    out.key(attribute.symbol.name), out.value(attribute.type, state.attributes[i]);
  }
  out.close('}');

  if (!plan.tiers.empty()) write_levels(out, plan, state);

  out.key("consents"), out.open('[');
  for (const core::Consent& consent : state.consents) {
    out.open('{');
    out.key("purpose"), out.text(plan::name_of(consent.purpose));
    if (consent.channel)
      out.key("channel"), out.text(plan.channels[consent.channel.index()].symbol.name);
    out.key("granted"), out.boolean(consent.granted);
    out.key("at"), out.time(consent.at);
    out.close('}');
  }
  out.close(']');

  out.key("metrics"), out.open('{');
  for (const plan::Metric& metric : plan.metrics) {
    if (metric.symbol.name.empty()) continue;
    out.key(metric.symbol.name);
    out.value(type_of(plan, metric), core::read(plan, metric, state, now));
  }
  out.close('}');

  out.key("segments"), out.open('[');
  for (std::size_t i = 0; i < plan.watches.size(); ++i)
    if (plan.watches[i].is_segment && state.watches[i].inside)
      out.text(plan.watches[i].symbol.name);
  out.close(']');

  out.key("journeys"), out.open('[');
  for (const core::Journey& journey : state.journeys) write_journey(out, plan, journey);
  out.close(']');

  out.key("timeline"), out.open('[');
  for (const std::string& line : timeline) out.raw(line);
  out.close(']');
  out.close('}');
  return out.take();
}

}  // namespace koi::serve
