#include "durable/detail/trial.h"

#include <algorithm>

#include "core/codec.h"
#include "core/merge.h"

namespace koi::durable {

plan::Plan trial_plan(Duration wait) {
  plan::Plan plan;
  plan.policy.zone = &utc();
  Schema& schema = plan.schema;
  schema.identifiers = {"phone"};
  schema.events = engine_events();
  const auto optional = [](Kind kind) { return Type{.kind = kind, .optional = true}; };
  const EventTypeId order = EventTypeId::of(schema.events.size());
  Type notes = optional(Kind::List);
  notes.element = Kind::Text;
  schema.events.push_back({.symbol = {"order", ""},
                           .fields = {{.symbol = {"amount", ""}, .type = optional(Kind::Money)},
                                      {.symbol = {"sku", ""}, .type = optional(Kind::Text)},
                                      {.symbol = {"note", ""}, .type = notes}}});
  schema.index();
  for (const char* name : {"time_zone", "language", "stage", "city"})
    schema.attributes.push_back({.symbol = {name, ""}, .type = optional(Kind::Text)});
  plan.watches_of_attribute.resize(schema.attributes.size());
  plan.reactions.resize(schema.events.size());
  plan::Reaction& reaction = plan.reactions[order.index()];

  plan.accumulators = {{11, plan::Aggregate::Count, {order, {}}, {}},
                       {12, plan::Aggregate::Sum, {order, {}}, FieldId::of(0)}};
  reaction.accumulators = {plan::AccumulatorId::of(0), plan::AccumulatorId::of(1)};
  plan.logs = {{13, {order, {}}, {FieldId::of(0)}, {0, hours(1)}}};
  reaction.logs = {plan::LogId::of(0)};

  plan.channels = {{.symbol = {"wechat", ""}}, {.symbol = {"sms", ""}}};
  plan.contents = {{"thanks", ""}};
  plan.nodes = {{plan::Op::Slot, Kind::Text, 0, {}, {}}};
  plan.templates = {{{{"thank you for ", plan::NodeId::of(0), {}}}}};
  plan.messages = {{plan::ContentId::of(0), {{{}, {}, plan::TemplateId::of(0), {}}}}};
  plan::Campaign thanks;
  thanks.symbol = {"thanks", ""};
  thanks.campaign_class = plan::CampaignClass::Transactional;
  thanks.enter.how = plan::Enter::How::Always;
  thanks.frame_size = 1;
  plan::Trigger trigger;
  trigger.first = {{order, {}}, {{FieldId::of(1), plan::SlotId::of(0)}}};
  thanks.triggers = {trigger};
  plan::Send send;
  send.channels = {plan::ChannelId::of(0), plan::ChannelId::of(1)};
  plan::Send again = send;
  again.ordinal = 1;
  thanks.steps = {send, plan::Wait{{0, wait}}, again,
                  plan::Set{AttributeId::of(3), plan::NodeId::of(0), 2}};
  plan.campaigns = {thanks};
  reaction.begins = {{plan::CampaignId::of(0), 0}};
  return plan;
}

Event trial_order(const plan::Plan& plan, std::string id, std::string customer, Timestamp time,
                  std::int64_t amount) {
  Event event;
  event.id = std::move(id);
  event.type = plan.schema.find_event("order");
  event.time = time;
  event.customer = std::move(customer);
  event.fields = {Value::money(amount), Value::text("sku " + std::to_string(amount % 17)), Value()};
  return event;
}

std::map<std::string, std::string> Expected::bytes(const plan::Plan& plan) const {
  std::map<std::string, std::string> all;
  const core::Codec codec(plan);
  for (const auto& [id, state] : customers) all[id] = codec.encode(state);
  return all;
}

std::int64_t Expected::orders() const {
  std::int64_t orders = 0;
  for (const auto& [id, state] : customers) orders += state.accumulators[0].count;
  return orders;
}

Expected expected_of(const plan::Plan& plan, const store::Journal& journal, store::Groups groups) {
  Expected expected;
  std::vector<core::Effect> effects;
  for (store::Group group = 0; group < groups.count; ++group) {
    std::map<std::string, core::State> customers;
    Timestamp stamp;
    const auto customer = [&](const std::string& id) -> core::State& {
      const auto found = customers.find(id);
      if (found != customers.end()) return found->second;
      return customers.emplace(id, core::new_customer(plan, id)).first->second;
    };
    const auto whoever = [&](const std::string& id) -> core::State& {
      core::State* found = &customer(id);
      while (const std::string* const other = core::gone_to(*found)) found = &customer(*other);
      return *found;
    };
    for (store::Position at = 1;;) {
      const auto rows = *journal.read(group, at, 1000);
      if (rows.empty()) break;
      at += rows.size();
      for (const store::Read& read : rows) {
        Input input = *decode_input(plan, read.row.bytes);
        if (const auto* opening = std::get_if<Opening>(&input)) {
          KOI_ASSERT(opening->stamp >= stamp);
          stamp = opening->stamp;
          for (std::uint32_t fired = 0; fired < opening->timers; ++fired) {
            const auto next =
                std::min_element(customers.begin(), customers.end(), [](auto& a, auto& b) {
                  return core::next_due(a.second) < core::next_due(b.second);
                });
            if (next == customers.end() || core::next_due(next->second) >= stamp) break;
            core::decide(plan, next->second, core::Tick{core::next_due(next->second), true},
                         effects);
            ++expected.timers;
          }
        } else if (auto* event = std::get_if<Event>(&input)) {
          expected.ids.insert(event->id);
          if (is_beyond_ids(*event, stamp, plan.policy)) continue;
          event->time = std::min(event->time, stamp);
          core::State* his = &whoever(event->customer);
          if (core::says_something(plan, *his, *event))
            for (const Met& met : event->met) {
              if (groups.group_of(partition_of(met.customer)) != group) continue;
              core::State* other = &whoever(met.customer);
              core::Bond bond = core::Bond::FirstStays;
              if (other != his)
                bond = core::bond_of(core::face_of(plan, *his, *event), core::face_of(plan, *other),
                                     met.link);
              if (bond == core::Bond::TwoPeople) continue;
              event->identifiers.push_back(met.identifier);
              if (other == his) continue;
              const Timestamp then = core::instant_of_merge(*his, *other, event->time);
              if (bond == core::Bond::SecondStays) std::swap(his, other);
              core::decide(plan, *other, core::Tick{then, false}, effects);
              core::merge(plan, *his, core::take_out(plan, *other, his->id), then, effects);
              ++expected.merged;
            }
          core::decide(plan, *his, *event, effects);
        } else if (auto* receipt = std::get_if<ReceiptFor>(&input)) {
          receipt->receipt.time = stamp;
          core::decide(plan, whoever(receipt->customer), receipt->receipt, effects);
        }
      }
    }
    expected.customers.merge(customers);
  }
  for (const core::Effect& effect : effects) expected.effects.push_back(effect.key);
  return expected;
}

}  // namespace koi::durable
