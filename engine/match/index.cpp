#include "match/index.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace koi::match {

Index::Index() = default;
Index::Index(const Index&) = default;
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(const Index&) = default;
Index& Index::operator=(Index&&) noexcept = default;
Index::~Index() = default;

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
  for (const plan::WatchId id : plan.watches_of_grants) watches[id.index()] = true;
  // Calendar windows follow the customer's zone.
  const bool metrics = !attributes.empty() && attributes[time_zone_attribute.index()];

  std::vector<bool> differ(plan.nodes.size(), false);
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const plan::Node& node = plan.nodes[i];
    bool may = node.op == plan::Op::Slot || node.op == plan::Op::Field ||
               node.op == plan::Op::Granted ||
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

Index Index::build(const plan::Plan& plan, std::size_t rows_above) {
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
    made.of_type_.push_back({Conditions(plan, begins, rows_above),
                             Conditions(plan, accumulators, rows_above),
                             Conditions(plan, logs, rows_above),
                             {},
                             {}});
  }
  made.add_listeners(plan, rows_above);
  made.add_reads(plan);
  return made;
}

// One campaign's listeners stand together, so that all of them are asked with one look.
void Index::add_listeners(const plan::Plan& plan, std::size_t rows_above) {
  std::vector<std::vector<Condition>> listeners(of_type_.size());
  for (OfType& of_type : of_type_) of_type.first_listener.reserve(plan.campaigns.size() + 1);
  const auto begin_campaign = [&] {
    for (std::size_t i = 0; i < of_type_.size(); ++i)
      of_type_[i].first_listener.push_back(static_cast<std::uint32_t>(listeners[i].size()));
  };
  const auto listen = [&](const plan::EventMatch& match) {
    if (match.type) return listeners[match.type.index()].push_back({match.where});
    for (auto& of_any : listeners) of_any.push_back({match.where});
  };
  for (const plan::Campaign& campaign : plan.campaigns) {
    begin_campaign();
    if (campaign.goal) listen(campaign.goal->match);
    for (const auto& match : campaign.leave_events) listen(match);
    for (const plan::Trigger& trigger : campaign.triggers) {
      for (const auto& then : trigger.thens) listen(then.match);
      for (const auto& absent : trigger.nots) listen(absent);
    }
    for (const auto& step : campaign.steps)
      if (const auto* wait = std::get_if<plan::WaitFor>(&step)) listen(wait->binding.match);
  }
  begin_campaign();
  for (std::size_t i = 0; i < of_type_.size(); ++i)
    of_type_[i].listeners = Conditions(plan, listeners[i], rows_above);
}

void Index::add_reads(const plan::Plan& plan) {
  sources_ = Sources(plan);
  std::vector<std::vector<plan::WatchId>> watches(sources_.size());
  for (std::size_t i = 0; i < plan.watches.size(); ++i)
    for (const SourceId source : reads_of(plan, sources_, plan.watches[i].condition)) {
      auto& list = watches[source.index()];
      list.push_back(plan::WatchId::of(i));
      const auto& readers = plan.watches_of_watch[i];
      list.insert(list.end(), readers.begin(), readers.end());
    }
  for (auto& list : watches) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  watches_of_ = Lists(watches);

  std::vector<std::vector<SourceId>> left_by;
  for (const plan::Campaign& campaign : plan.campaigns) {
    auto& reads = left_by.emplace_back();
    for (const plan::NodeId condition : campaign.leave_conditions)
      for (const SourceId source : reads_of(plan, sources_, condition)) reads.push_back(source);
    std::sort(reads.begin(), reads.end());
    reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
  }
  left_by_ = Lists(left_by);

  using When = std::tuple<plan::Schedule::Every, std::int64_t, int, std::int64_t, AttributeId,
                          std::int64_t, std::int64_t, bool>;
  std::map<When, std::vector<std::uint32_t>> equal;
  std::vector<std::vector<std::uint32_t>> schedules(sources_.size());
  for (std::uint32_t i = 0; i < plan.schedules.size(); ++i) {
    const plan::TriggerRef& ref = plan.schedules[i];
    const plan::Trigger& trigger = plan.campaigns[ref.campaign.index()].triggers[ref.trigger];
    const plan::Schedule& when = trigger.schedule;
    equal[{when.every, when.at.us, when.day, when.time.us, when.date, when.offset.months,
           when.offset.fixed.us, when.before}]
        .push_back(i);
    auto reads = reads_of(plan, sources_, trigger.condition);
    if (when.date) reads.push_back(sources_.of(when.date));
    for (const SourceId source : reads) {
      auto& list = schedules[source.index()];
      if (list.empty() || list.back() != i) list.push_back(i);
    }
  }
  schedules_of_ = Lists(schedules);
  std::vector<std::vector<std::uint32_t>> groups;
  for (auto& [when, group] : equal) groups.push_back(std::move(group));
  equal_schedules_ = Lists(groups);
}

std::size_t Index::bytes() const {
  std::size_t bytes = sizeof *this;
  for (const OfType& of_type : of_type_)
    bytes += of_type.begins.bytes() + of_type.accumulators.bytes() + of_type.logs.bytes() +
             of_type.listeners.bytes() + of_type.first_listener.capacity() * sizeof(std::uint32_t);
  return bytes + watches_of_.bytes() + left_by_.bytes() + schedules_of_.bytes() +
         equal_schedules_.bytes();
}

}  // namespace koi::match
