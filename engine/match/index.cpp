#include "match/index.h"

namespace koi::match {

namespace {

// Does its value depend on a campaign's frame, or on the event at hand? An audience is asked with a
// frame and without an event.
std::vector<bool> nodes_of_frame_or_event(const plan::Plan& plan) {
  std::vector<bool> reads(plan.nodes.size(), false);
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const plan::Node& node = plan.nodes[i];
    bool found = node.op == plan::Op::Slot || node.op == plan::Op::Field;
    if (node.op == plan::Op::Join) {
      for (const auto& part : plan.templates[node.index].parts)
        found = found || (part.node && reads[part.node.index()]);
    }
    for (const plan::NodeId operand : {node.a, node.b})
      found = found || (operand && reads[operand.index()]);
    reads[i] = found;
  }
  return reads;
}

}  // namespace

Index Index::build(const plan::Plan& plan) {
  const std::vector<bool> out_of_reach = nodes_of_frame_or_event(plan);
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
          !out_of_reach[campaign.audience.index()])
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
