// What a program says that cannot be meant: conditions that never hold, waits that outlast their
// campaign, messages that get into each other's way.
#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <set>

#include "check/detail/checker.h"

namespace koi::check {
namespace {

// What comparisons with fixed values leave of one value. It may be missing too, unless they ask
// that it is not.
struct Range {
  std::optional<std::int64_t> least, most;  // both included
  std::set<std::int64_t> not_these;
  bool may_be_missing = false;
  bool nothing_known = false;  // it must be missing

  bool is_empty() const {
    if (may_be_missing) return false;
    if (nothing_known) return true;
    if (!least || !most) return false;
    if (*least > *most) return true;
    // As many as there are excluded ones, each between the two, is all of them.
    const auto width = static_cast<std::uint64_t>(*most) - static_cast<std::uint64_t>(*least);
    if (width >= not_these.size()) return false;
    const auto excluded =
        std::distance(not_these.lower_bound(*least), not_these.upper_bound(*most));
    return static_cast<std::uint64_t>(excluded) == width + 1;
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
    case Kind::Bool:
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

// The comparison that holds where this one does not, for a value that is there.
Op opposite(Op op) {
  switch (op) {
    case Op::Equal: return Op::NotEqual;
    case Op::NotEqual: return Op::Equal;
    case Op::Less: return Op::GreaterEqual;
    case Op::LessEqual: return Op::Greater;
    case Op::Greater: return Op::LessEqual;
    case Op::GreaterEqual: return Op::Less;
    default: return op;
  }
}

// A condition that is not made of others, or its contrary.
struct Literal {
  ExpressionId condition;
  bool is_not = false;
};
using Case = std::vector<Literal>;  // which all hold

// Beyond these nobody wrote it by hand, and what is not found out is not told.
constexpr std::size_t most_cases = 64, most_parts = 256;
constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

}  // namespace

// One way in which all of them may hold: nothing is asked for and ruled out, and each value has
// somewhere to be. What is missing fits no comparison, and so fits the contrary of each.
struct Checker::Way {
  const Checker& checker;
  std::map<Hash128, Range> ranges;
  std::set<Hash128> asked, ruled_out;

  Range& range_of(const Expression& value) {
    const auto [place, is_new] = ranges.try_emplace(value.definition);
    Range& range = place->second;
    if (!is_new) return range;
    range.may_be_missing = value.type.optional;
    if (value.type.kind == Kind::Bool) {
      range.at_least(0), range.at_most(1);
    } else if (value.type.kind == Kind::Enum) {
      const auto& values =
          checker.program_.schema.enumerations[value.type.enumeration.index()].values;
      range.at_least(0), range.at_most(static_cast<std::int64_t>(values.size()) - 1);
    } else if (value.op == Op::Metric) {
      const Aggregate aggregate = checker.program_.metrics[value.index].aggregate;
      if (aggregate == Aggregate::Count || aggregate == Aggregate::Distinct) range.at_least(0);
    }
    return range;
  }

  void take(const Literal& literal) {
    const Expression& each = checker.program_[literal.condition];
    (literal.is_not ? ruled_out : asked).insert(each.definition);
    if (each.op == Op::IsKnown || each.op == Op::IsMissing) {
      const Expression& value = checker.program_[each.a];
      // That a value is always there is told by itself.
      if (!value.type.optional) return;
      Range& range = range_of(value);
      if ((each.op == Op::IsKnown) != literal.is_not)
        range.may_be_missing = false;
      else
        range.nothing_known = true;
      return;
    }
    if (each.a.is_none() || each.b.is_none()) return;
    const bool is_turned = checker.program_[each.a].op == Op::Constant;
    const Expression& value = checker.program_[is_turned ? each.b : each.a];
    const Expression& fixed = checker.program_[is_turned ? each.a : each.b];
    if (fixed.op != Op::Constant || value.op == Op::Constant || fixed.constant.is_missing() ||
        !is_counted(fixed.constant.kind()) || fixed.constant.kind() != value.type.kind)
      return;
    Op op = is_turned ? turned(each.op) : each.op;
    if (op != opposite(op)) {
      Range& range = range_of(value);
      if (literal.is_not)
        op = opposite(op);
      else
        range.may_be_missing = false;
      const std::int64_t number = fixed.constant.raw();
      switch (op) {
        case Op::Equal: range.at_least(number), range.at_most(number); break;
        case Op::NotEqual: range.not_these.insert(number); break;
        case Op::Less: range.at_most(std::max(number, lowest + 1) - 1); break;
        case Op::LessEqual: range.at_most(number); break;
        case Op::Greater: range.at_least(std::min(number, highest - 1) + 1); break;
        case Op::GreaterEqual: range.at_least(number); break;
        default: break;
      }
    }
  }

  bool is_closed() const {
    return std::any_of(ranges.begin(), ranges.end(),
                       [](const auto& each) { return each.second.is_empty(); }) ||
           std::any_of(ruled_out.begin(), ruled_out.end(),
                       [&](const Hash128& each) { return asked.count(each) != 0; });
  }
};

// Whether the conditions can not all hold (or, where `is_not`, one of them must): a value that is
// to be in two places at once, or what is both asked for and ruled out, in each case that `or`
// leaves.
bool Checker::never_hold(const std::vector<ExpressionId>& conditions, bool is_not) const {
  // Each case is followed until nothing in it is made of others.
  struct Open {
    Case literals, to_do;
  };
  Case all;
  for (const ExpressionId id : conditions)
    if (!id.is_none() && !is_poison(id)) all.push_back({id, is_not});
  if (all.empty()) return false;
  std::vector<Open> open{{{}, std::move(all)}};
  std::size_t cases = 1, parts = 0;
  while (!open.empty()) {
    Open at = std::move(open.back());
    open.pop_back();
    while (!at.to_do.empty()) {
      if (++parts > most_parts) return false;
      const Literal next = at.to_do.back();
      at.to_do.pop_back();
      const Expression& each = program_[next.condition];
      if (is_poison(next.condition)) continue;
      if (each.op == Op::Not) {
        at.to_do.push_back({each.a, !next.is_not});
      } else if (each.op == (next.is_not ? Op::Or : Op::And)) {
        at.to_do.push_back({each.b, next.is_not});
        at.to_do.push_back({each.a, next.is_not});
      } else if (each.op == (next.is_not ? Op::And : Op::Or)) {
        if (++cases > most_cases) return false;
        open.push_back(at);
        open.back().to_do.push_back({each.b, next.is_not});
        at.to_do.push_back({each.a, next.is_not});
      } else {
        at.literals.push_back(next);
      }
    }
    Way way{*this, {}, {}, {}};
    for (const Literal& literal : at.literals) way.take(literal);
    if (!way.is_closed()) return false;
  }
  return true;
}

// What is the same for everybody: the condition, or else what `and` and `or` make it of. What
// stands elsewhere (a `let`) is told there.
void Checker::same_parts(ExpressionId condition, SourceSpan span) {
  struct Part {
    ExpressionId condition;
    SourceSpan span;
  };
  std::vector<Part> open{{condition, span}};
  for (std::size_t parts = 0; !open.empty() && parts < most_parts; ++parts) {
    const Part at = open.back();
    open.pop_back();
    if (is_poison(at.condition) || is_constant(at.condition)) continue;
    if (never_hold({at.condition})) {
      report(Code::AlwaysSame, at.span, {say("false", "不成立")});
      continue;
    }
    if (never_hold({at.condition}, true)) {
      report(Code::AlwaysSame, at.span, {say("true", "成立")});
      continue;
    }
    const Expression& each = program_[at.condition];
    if (each.op != Op::And && each.op != Op::Or) continue;
    for (const ExpressionId operand : {each.b, each.a}) {
      const SourceSpan within = program_[operand].span;
      if (within.source == span.source && within.begin >= span.begin && within.end <= span.end)
        open.push_back({operand, within});
    }
  }
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
    } else if (const auto* give = std::get_if<ast::GiveStep>(&step.kind)) {
      within(give->otherwise);
    } else if (const auto* take = std::get_if<ast::TakeStep>(&step.kind)) {
      within(take->then);
      within(take->otherwise);
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
