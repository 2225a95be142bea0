// What a program says that cannot be meant: conditions that never hold, waits that outlast their
// campaign, messages that get into each other's way.
#include <algorithm>
#include <map>
#include <set>

#include "check/detail/checker.h"

namespace koi::check {
namespace {

// What the comparisons of one value with fixed ones leave of it.
struct Range {
  std::optional<std::int64_t> least, most;  // both included
  std::set<std::int64_t> not_these;

  bool is_empty() const {
    if (!least || !most) return false;
    return *least > *most || (*least == *most && not_these.count(*least) != 0);
  }
  void at_least(std::int64_t value) { least = std::max(least.value_or(value), value); }
  void at_most(std::int64_t value) { most = std::min(most.value_or(value), value); }
};

bool is_counted(Kind kind) {
  switch (kind) {
    case Kind::Int:
    case Kind::Number:
    case Kind::Money:
    case Kind::Duration:
    case Kind::Instant:
    case Kind::Date:
    case Kind::Time:
    case Kind::Enum: return true;
    default: return false;
  }
}

Op turned(Op op) {
  switch (op) {
    case Op::Less: return Op::Greater;
    case Op::LessEqual: return Op::GreaterEqual;
    case Op::Greater: return Op::Less;
    case Op::GreaterEqual: return Op::LessEqual;
    default: return op;
  }
}

}  // namespace

// Whether conditions that must all hold contradict each other: a value that is to be in two places
// at once, or what is both asked for and ruled out.
bool Checker::never_hold(const std::vector<ExpressionId>& conditions) const {
  std::map<Hash128, Range> ranges;
  std::set<Hash128> asked, ruled_out;
  std::vector<ExpressionId> open = conditions;
  while (!open.empty()) {
    const ExpressionId id = open.back();
    open.pop_back();
    if (id.is_none() || is_poison(id)) continue;
    const Expression& each = program_[id];
    if (each.op == Op::And) {
      open.push_back(each.a);
      open.push_back(each.b);
      continue;
    }
    if (each.op == Op::Not)
      ruled_out.insert(program_[each.a].definition);
    else
      asked.insert(each.definition);
    if (each.a.is_none() || each.b.is_none()) continue;
    const bool is_turned = program_[each.a].op == Op::Constant;
    const Expression& value = program_[is_turned ? each.b : each.a];
    const Expression& fixed = program_[is_turned ? each.a : each.b];
    if (fixed.op != Op::Constant || value.op == Op::Constant || fixed.constant.is_missing() ||
        !is_counted(fixed.constant.kind()) || fixed.constant.kind() != value.type.kind)
      continue;
    Range& range = ranges[value.definition];
    const std::int64_t number = fixed.constant.raw();
    switch (is_turned ? turned(each.op) : each.op) {
      case Op::Equal: range.at_least(number), range.at_most(number); break;
      case Op::NotEqual: range.not_these.insert(number); break;
      case Op::Less: range.at_most(number - 1); break;
      case Op::LessEqual: range.at_most(number); break;
      case Op::Greater: range.at_least(number + 1); break;
      case Op::GreaterEqual: range.at_least(number); break;
      default: break;
    }
  }
  return std::any_of(ranges.begin(), ranges.end(),
                     [](const auto& each) { return each.second.is_empty(); }) ||
         std::any_of(ruled_out.begin(), ruled_out.end(),
                     [&](const Hash128& each) { return asked.count(each) != 0; });
}

// A branch whose condition was asked before in the same chain is never come to.
void Checker::asked_before(const std::vector<ExpressionId>& chain) {
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (is_poison(chain[i])) continue;
    for (std::size_t j = 0; j < i; ++j) {
      if (program_[chain[j]].definition != program_[chain[i]].definition) continue;
      label(report(Code::NeverReached, program_[chain[i]].span), program_[chain[j]].span,
            "asked before here", "前面已经问过");
      break;
    }
  }
}

namespace {

// The waits of a campaign, with those in blocks.
template <class Visit>
void for_each_wait(const std::vector<ast::Step>& steps, Visit visit) {
  const auto within = [&](const std::optional<ast::Block>& block) {
    if (block) for_each_wait(block->steps, visit);
  };
  for (const auto& step : steps) {
    if (const auto* wait = std::get_if<ast::WaitStep>(&step.kind)) {
      visit(wait->length);
    } else if (const auto* wait_for = std::get_if<ast::WaitForStep>(&step.kind)) {
      visit(wait_for->up_to);
      within(wait_for->then);
      within(wait_for->otherwise);
    } else if (const auto* choice = std::get_if<ast::IfStep>(&step.kind)) {
      for (const auto& branch : choice->branches) for_each_wait(branch.block.steps, visit);
      within(choice->otherwise);
    } else if (const auto* choose = std::get_if<ast::ChooseStep>(&step.kind)) {
      for (const auto& branch : choose->branches) for_each_wait(branch.block.steps, visit);
      within(choose->otherwise);
    } else if (const auto* split = std::get_if<ast::SplitStep>(&step.kind)) {
      for (const auto& arm : split->arms) for_each_wait(arm.block.steps, visit);
    } else if (const auto* repeat = std::get_if<ast::RepeatStep>(&step.kind)) {
      for_each_wait(repeat->block.steps, visit);
    }
  }
}

}  // namespace

// Behind the campaign's last day nothing is done any more.
void Checker::waits_outlast(const ast::CampaignDecl& campaign, const ast::DateRange& period) {
  const std::int64_t whole_days = period.to.value.days - period.from.value.days + 1;
  for (const auto& group : campaign.groups)
    for_each_wait(group.steps, [&](const ast::DurationLiteral& wait) {
      const Duration least = days(28 * wait.value.months) + wait.value.fixed;
      if (least < days(whole_days)) return;
      auto& diagnostic = report(Code::WaitOutlasts, wait.span, {std::to_string(whole_days)});
      label(diagnostic, period.span, "the campaign's days", "活动的起止日期");
    });
}

// Marketing that asks nobody whether he wants it.
void Checker::marketing_without_consent() {
  if (policy_ == nullptr) return;
  const bool any = std::any_of(
      program_.campaigns.begin(), program_.campaigns.end(),
      [](const Campaign& each) { return each.campaign_class == CampaignClass::Marketing; });
  if (!any) return;
  for (const auto& clause : policy_->clauses) {
    const auto* consent = std::get_if<ast::PolicyConsent>(&clause);
    if (consent == nullptr || consent->required) continue;
    for (const auto& name : consent->classes)
      if (name.canonical() == "marketing") report(Code::MarketingWithoutConsent, name.span);
  }
}

// Two campaigns that answer the same event with a message at once. Where a cap says how many
// messages of the class anybody gets, the policy has thought of it.
void Checker::two_on_one_event() {
  for (const Cap& cap : program_.policy.caps)
    if (cap.campaign_class == CampaignClass::Marketing) return;
  // Of what is not understood nobody can tell.
  for (const Diagnostic& each : diagnostics_)
    if (each.severity == Severity::Error) return;
  struct Answer {
    const Campaign* campaign;
    const Trigger* trigger;
  };
  constexpr std::size_t most_compared = 50;
  std::map<std::uint16_t, std::vector<Answer>> by_event;
  for (const Campaign& campaign : program_.campaigns) {
    if (campaign.campaign_class != CampaignClass::Marketing) continue;
    for (const TriggerGroup& group : campaign.groups) {
      if (group.steps.empty() || !std::holds_alternative<Send>(group.steps.front().what)) continue;
      for (const Trigger& trigger : group.triggers) {
        const auto* on = std::get_if<OnEvent>(&trigger.on);
        if (on == nullptr || !on->thens.empty() || !on->nots.empty()) continue;
        if (on->first.match.type.is_none()) continue;
        auto& others = by_event[on->first.match.type.value];
        std::size_t compared = 0;
        for (auto other = others.rbegin(); other != others.rend(); ++other) {
          if (other->campaign == &campaign || ++compared > most_compared) continue;
          const auto& theirs = std::get<OnEvent>(other->trigger->on).first.match.where;
          if (never_hold(
                  {on->first.match.where, theirs, campaign.audience, other->campaign->audience}))
            continue;
          auto& diagnostic = report(Code::TwoOnOneEvent, trigger.span,
                                    {campaign.symbol.name, other->campaign->symbol.name});
          label(diagnostic, other->trigger->span, "the other one", "另一个在这里");
          break;
        }
        others.push_back({&campaign, &trigger});
      }
    }
  }
}

}  // namespace koi::check
