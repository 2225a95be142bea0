#include "match/reads.h"

#include <algorithm>

namespace koi::match {

using plan::Op;

std::vector<SourceId> reads_of(const plan::Plan& plan, const Sources& sources, plan::NodeId root) {
  std::vector<SourceId> reads;
  std::vector<plan::NodeId> to_do{root}, seen;
  while (!to_do.empty()) {
    const plan::NodeId id = to_do.back();
    to_do.pop_back();
    if (id.is_none() || std::find(seen.begin(), seen.end(), id) != seen.end()) continue;
    seen.push_back(id);
    const plan::Node& node = plan[id];
    to_do.push_back(node.a);
    to_do.push_back(node.b);
    switch (node.op) {
      case Op::Attribute: reads.push_back(sources.of(AttributeId::of(node.index))); break;
      case Op::Metric: {
        const plan::Metric& metric = plan.metrics[node.index];
        reads.push_back(metric.accumulator ? sources.of(metric.accumulator)
                                           : sources.of(metric.log));
        if (plan::follows_zone(metric)) reads.push_back(sources.of(time_zone_attribute));
        break;
      }
      case Op::Watch: reads.push_back(sources.of(plan::WatchId::of(node.index))); break;
      case Op::Consent: reads.push_back(sources.consents()); break;
      case Op::Audience: reads.push_back(sources.identifiers()); break;
      case Op::Granted: reads.push_back(sources.grants()); break;
      case Op::Join:  // an instant is written by the customer's clock
        reads.push_back(sources.of(time_zone_attribute));
        for (const auto& part : plan.templates[node.index].parts) to_do.push_back(part.node);
        break;
      // Of the event at hand, of the journey, of what never changes, or of the operands alone. A
      // new operation that reads something else of the customer needs a source here.
      case Op::Constant:
      case Op::Field:
      case Op::Slot:
      case Op::CustomerId:
      case Op::CustomerCreated:
      case Op::Not:
      case Op::And:
      case Op::Or:
      case Op::Equal:
      case Op::NotEqual:
      case Op::Less:
      case Op::LessEqual:
      case Op::Greater:
      case Op::GreaterEqual:
      case Op::In:
      case Op::Contains:
      case Op::ContainsAny:
      case Op::IsKnown:
      case Op::IsMissing:
      case Op::Default:
      case Op::Add:
      case Op::Subtract:
      case Op::Multiply:
      case Op::Divide:
      case Op::Negate:
      case Op::ToNumber:
      case Op::Days:
      case Op::Hours:
      case Op::Round:
      case Op::Floor:
      case Op::Length:
      case Op::Lower: break;
    }
  }
  std::sort(reads.begin(), reads.end());
  reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
  return reads;
}

}  // namespace koi::match
