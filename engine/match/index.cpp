#include "match/index.h"

namespace koi::match {

namespace {

// What an audience can read that may not be there yet, or not any more, when it is asked: the event
// at hand and the campaign's frame, and whatever a step of a campaign that comes earlier may set.
std::vector<bool> nodes_that_may_differ(const plan::Plan& plan) {
  std::vector<bool> attributes(plan.schema.attributes.size()), watches(plan.watches.size());
  for (const plan::Campaign& campaign : plan.campaigns)
    for (const plan::Step& step : campaign.steps)
      if (const AttributeId set = plan::attribute_set_by(step)) {
        attributes[set.index()] = true;
        for (const plan::WatchId id : plan.watches_of_attribute[set.index()])
          watches[id.index()] = true;
      }
  // Calendar windows follow the customer's zone.
  const bool metrics = !attributes.empty() && attributes[time_zone_attribute.index()];

  std::vector<bool> differ(plan.nodes.size(), false);
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const plan::Node& node = plan.nodes[i];
    bool may = node.op == plan::Op::Slot || node.op == plan::Op::Field ||
               (node.op == plan::Op::Attribute && attributes[node.index]) ||
               (node.op == plan::Op::Watch && watches[node.index]) ||
               (node.op == plan::Op::Metric && metrics);
    if (node.op == plan::Op::Join)
      for (const auto& part : plan.templates[node.index].parts)
        may = may || (part.node && differ[part.node.index()]);
    for (const plan::NodeId operand : {node.a, node.b})
      may = may || (operand && differ[operand.index()]);
    differ[i] = may;
  }
  return differ;
}

}  // namespace

Index Index::build(const plan::Plan& plan) {
  const std::vector<bool> may_differ = nodes_that_may_differ(plan);
  Index made;
  made.of_type_.reserve(plan.reactions.size());
  for (const plan::Reaction& reaction : plan.reactions) {
    std::vector<Condition> begins, accumulators, logs;
    for (const plan::TriggerRef& ref : reaction.begins) {
      const plan::Campaign& campaign = plan.campaigns[ref.campaign.index()];
      const plan::Trigger& trigger = campaign.triggers[ref.trigger];
      Condition condition{trigger.first.match.where, {}};
      // A trigger in parts asks for its audience when it is complete.
      if (trigger.kind == plan::Trigger::Kind::Event && campaign.audience &&
          !may_differ[campaign.audience.index()])
        condition.also = campaign.audience;
      begins.push_back(condition);
    }
    for (const plan::AccumulatorId id : reaction.accumulators)
      accumulators.push_back({plan.accumulators[id.index()].events.where, {}});
    for (const plan::LogId id : reaction.logs)
      logs.push_back({plan.logs[id.index()].events.where, {}});
    made.of_type_.push_back(
        {Conditions(plan, begins), Conditions(plan, accumulators), Conditions(plan, logs)});
  }
  return made;
}

std::size_t Index::bytes() const {
  std::size_t bytes = sizeof *this;
  for (const OfType& of_type : of_type_)
    bytes += of_type.begins.bytes() + of_type.accumulators.bytes() + of_type.logs.bytes();
  return bytes;
}

}  // namespace koi::match
