// Bringing: parts of one plan put behind another's own, told by names and definitions in that one's
// schema. Every number of the receiving plan stays as it is.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "deploy/meaning.h"
#include "plan/plan.h"

namespace koi::deploy {

class Bringing {
 public:
  // What becomes of a field that the receiving event has with another type.
  enum class Clash : std::uint8_t {
    Beside,   // it is put beside that one: the events are of the time when it was as here
    Missing,  // it is missing: events have it with the other type now
  };
  // Both must outlive it.
  Bringing(const plan::Plan& from, plan::Plan& to, Clash clash)
      : from_(from), to_(to), clash_(clash) {}

  // Whether such a one is there already or not. Their reactions listen from here on.
  plan::AccumulatorId bring(const plan::Accumulator& metric);
  plan::LogId bring(const plan::Log& log);

  // A closed version of the campaign, not yet in its place among the campaigns. What it reads that
  // the receiving rules do not declare any more is missing; events that it waits for are declared
  // again; steps that name a channel or an attribute that is gone do without it. It takes the
  // entries of customers from that share on; of 1,000,000 nobody's.
  plan::Campaign campaign(const plan::Campaign& wanted, std::uint64_t version,
                          std::uint32_t takes_from);

 private:
  // An enumeration there, and what stands for it here.
  struct Enums {
    EnumId from, to;
  };

  template <class Visit>
  void for_each_reaction(EventTypeId type, Visit visit);
  EventTypeId event(EventTypeId type);
  FieldId field(EventTypeId type, FieldId id);  // none: missing
  AttributeId attribute(AttributeId id) const;  // none: gone
  plan::ChannelId channel(plan::ChannelId id) const;
  plan::MetricId metric(plan::MetricId id);
  plan::WatchId watch(plan::WatchId id);
  plan::ContentId content(plan::ContentId id);
  std::uint32_t message(std::uint32_t index);

  Enums enums_of(plan::NodeId id, EventTypeId type);
  Value constant(const Value& value, Enums enums);
  // `enums` is of what a constant at the root stands for.
  plan::NodeId node(plan::NodeId root, EventTypeId type, Enums enums = {});
  plan::NodeId made_of(const plan::Node& wanted, EventTypeId type);
  plan::TemplateId text(plan::TemplateId id, EventTypeId type);
  plan::NodeId add(const plan::Node& made);
  plan::NodeId add_constant(Value value, Kind kind);

  plan::EventMatch match(const plan::EventMatch& wanted);
  plan::Binding binding(const plan::Binding& wanted);
  plan::IncentiveId incentive(plan::IncentiveId id) const;
  plan::BudgetId budget(plan::BudgetId id);
  plan::Give give(const plan::Give& wanted);
  plan::Step step(const plan::Step& wanted, std::uint16_t place);
  plan::Emit bring(const plan::Emit& emit);

  const plan::Plan& from_;
  plan::Plan& to_;
  Clash clash_;
  std::vector<SlotSource> frame_;  // of the campaign at hand, in `from`
  std::map<std::pair<EventTypeId, plan::NodeId>, plan::NodeId> nodes_;
};

}  // namespace koi::deploy
