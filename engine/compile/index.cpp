// What an event of each type, a changed attribute and a crossed condition can concern, so that
// nothing else is looked at.
#include "compile/index.h"

#include <algorithm>
#include <set>

#include "compile/detail/compiler.h"

namespace koi::compile {
namespace {

template <class Id>
void sort_and_unique(std::vector<Id>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

// What a condition reads.
struct Reads {
  std::set<std::uint32_t> attributes;
  std::set<std::uint32_t> metrics;
  std::set<std::uint32_t> watches;
  bool consent = false;
  bool audience = false;
  bool grants = false;
};

Reads reads_of(const plan::Plan& plan, plan::NodeId root) {
  Reads reads;
  std::vector<plan::NodeId> stack{root};
  std::set<plan::NodeId> seen;
  while (!stack.empty()) {
    const plan::NodeId id = stack.back();
    stack.pop_back();
    if (id.is_none() || !seen.insert(id).second) continue;
    const plan::Node& node = plan[id];
    if (node.op == plan::Op::Attribute) reads.attributes.insert(node.index);
    if (node.op == plan::Op::Metric) reads.metrics.insert(node.index);
    if (node.op == plan::Op::Watch) reads.watches.insert(node.index);
    if (node.op == plan::Op::Consent) reads.consent = true;
    if (node.op == plan::Op::Audience) reads.audience = true;
    if (node.op == plan::Op::Granted) reads.grants = true;
    if (node.op == plan::Op::Join)
      for (const auto& part : plan.templates[node.index].parts) stack.push_back(part.node);
    stack.push_back(node.a);
    stack.push_back(node.b);
  }
  return reads;
}

// The reactions of a type; of all of them where it is any event.
template <class Visit>
void for_each_reaction(plan::Plan& plan, EventTypeId type, Visit visit) {
  if (!type.is_none()) return visit(plan.reactions[type.index()]);
  for (auto& reaction : plan.reactions) visit(reaction);
}

void index_watches(plan::Plan& plan) {
  const std::size_t count = plan.watches.size();
  std::vector<Reads> reads;
  for (const auto& watch : plan.watches) reads.push_back(reads_of(plan, watch.condition));

  // A watch reads only watches before it, so that one pass finds all that it reads by way of them.
  plan.watches_of_watch.resize(count);
  std::vector<std::set<std::uint32_t>> behind(count);
  for (std::size_t i = 0; i < count; ++i) {
    for (const std::uint32_t read : reads[i].watches) {
      KOI_ASSERT(read < i);
      behind[i].insert(read);
      behind[i].insert(behind[read].begin(), behind[read].end());
    }
    for (const std::uint32_t read : behind[i])
      plan.watches_of_watch[read].push_back(plan::WatchId::of(i));
  }
  const auto with_readers = [&](std::vector<plan::WatchId>& watches) {
    const std::size_t direct = watches.size();
    for (std::size_t i = 0; i < direct; ++i) {
      const auto& readers = plan.watches_of_watch[watches[i].index()];
      watches.insert(watches.end(), readers.begin(), readers.end());
    }
    sort_and_unique(watches);
  };

  plan.watches_of_attribute.resize(plan.schema.attributes.size());
  for (std::size_t i = 0; i < count; ++i) {
    const auto id = plan::WatchId::of(i);
    for (const std::uint32_t attribute : reads[i].attributes)
      plan.watches_of_attribute[attribute].push_back(id);
    for (const std::uint32_t metric : reads[i].metrics) {
      for_each_reaction(plan, plan.metrics[metric].events.type,
                        [&](plan::Reaction& reaction) { reaction.watches.push_back(id); });
      if (follows_zone(plan.metrics[metric]))
        plan.watches_of_attribute[time_zone_attribute.index()].push_back(id);
    }
    if (reads[i].audience) plan.watches_of_identity.push_back(id);
    if (reads[i].grants) plan.watches_of_grants.push_back(id);
    if (reads[i].consent) {
      for (const auto event : {EngineEvent::Consented, EngineEvent::Unsubscribed})
        plan.reactions[type_of(event).index()].watches.push_back(id);
    }
  }
  for (auto& watches : plan.watches_of_attribute) with_readers(watches);
  with_readers(plan.watches_of_identity);
  with_readers(plan.watches_of_grants);
  for (auto& reaction : plan.reactions) {
    for (const auto& set : reaction.sets) {
      const auto& readers = plan.watches_of_attribute[set.attribute.index()];
      reaction.watches.insert(reaction.watches.end(), readers.begin(), readers.end());
    }
    with_readers(reaction.watches);
  }
}

void begin(plan::Plan& plan, const plan::Trigger& trigger, plan::TriggerRef ref) {
  switch (trigger.kind) {
    case plan::Trigger::Kind::Event:
    case plan::Trigger::Kind::Sequence:
    case plan::Trigger::Kind::Absence:
      for_each_reaction(plan, trigger.first.match.type,
                        [&](plan::Reaction& reaction) { reaction.begins.push_back(ref); });
      break;
    case plan::Trigger::Kind::Enters: plan.on_enter[trigger.watch.index()].push_back(ref); break;
    case plan::Trigger::Kind::Leaves: plan.on_leave[trigger.watch.index()].push_back(ref); break;
    case plan::Trigger::Kind::Schedule: plan.schedules.push_back(ref); break;
  }
}

void index_campaigns(plan::Plan& plan) {
  plan.on_enter.resize(plan.watches.size());
  plan.on_leave.resize(plan.watches.size());
  for (std::size_t i = 0; i < plan.campaigns.size(); ++i) {
    const plan::Campaign& campaign = plan.campaigns[i];
    const auto id = plan::CampaignId::of(i);
    const auto concern = [&](const plan::EventMatch& match) {
      for_each_reaction(plan, match.type,
                        [&](plan::Reaction& reaction) { reaction.concerns.push_back(id); });
    };
    const auto remember = [&](const plan::EventMatch& match) {
      for_each_reaction(plan, match.type,
                        [](plan::Reaction& reaction) { reaction.remembered = true; });
    };
    bool in_parts = false;
    for (std::size_t j = 0; j < campaign.triggers.size(); ++j) {
      const plan::Trigger& trigger = campaign.triggers[j];
      const plan::TriggerRef ref{id, static_cast<std::uint16_t>(j)};
      if (plan::takes_entries(campaign)) begin(plan, trigger, ref);
      in_parts = in_parts || trigger.kind == plan::Trigger::Kind::Sequence ||
                 trigger.kind == plan::Trigger::Kind::Absence;
      for (const auto& then : trigger.thens) concern(then.match), remember(then.match);
      for (const auto& absent : trigger.nots) concern(absent), remember(absent);
    }
    for (const auto& match : campaign.leave_events) {
      concern(match);
      if (in_parts) remember(match);
    }
    if (campaign.goal) concern(campaign.goal->match);
    for (const auto& step : campaign.steps)
      if (const auto* wait = std::get_if<plan::WaitFor>(&step)) concern(wait->binding.match);
  }
  for (auto& reaction : plan.reactions) sort_and_unique(reaction.concerns);
}

}  // namespace

void index_conditions(plan::Plan& plan) {
  for (plan::Reaction& reaction : plan.reactions) {
    reaction.watches.clear();
    reaction.begins.clear();
    reaction.concerns.clear();
    reaction.remembered = false;
  }
  for (auto* by_one : {&plan.watches_of_attribute, &plan.watches_of_watch}) by_one->clear();
  plan.watches_of_identity.clear();
  for (auto* by_watch : {&plan.on_enter, &plan.on_leave}) by_watch->clear();
  plan.schedules.clear();
  index_watches(plan);
  index_campaigns(plan);
}

void Compiler::index() {
  plan_.reactions.resize(plan_.schema.events.size());
  for (const auto& set : program_.sets) {
    const plan::AttributeSet made{set.attribute, lower(set.value), lower(set.events.where)};
    for_each_reaction(plan_, set.events.type,
                      [&](plan::Reaction& reaction) { reaction.sets.push_back(made); });
  }
  for (std::size_t i = 0; i < plan_.accumulators.size(); ++i)
    for_each_reaction(plan_, plan_.accumulators[i].events.type, [&](plan::Reaction& reaction) {
      reaction.accumulators.push_back(plan::AccumulatorId::of(i));
    });
  for (std::size_t i = 0; i < plan_.logs.size(); ++i)
    for_each_reaction(plan_, plan_.logs[i].events.type, [&](plan::Reaction& reaction) {
      reaction.logs.push_back(plan::LogId::of(i));
    });
  index_conditions(plan_);
}

}  // namespace koi::compile
