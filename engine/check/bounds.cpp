// What is more than there is: gifts that never fit, budgets that never count, and what one customer
// may be given beyond a budget.
#include <algorithm>
#include <set>
#include <vector>

#include "base/decimal.h"
#include "check/detail/checker.h"
#include "check/ways.h"
#include "check/worst_case.h"

namespace koi::check {

std::string Checker::amount_shown(std::int64_t amount, bool is_money) const {
  if (!is_money) return std::to_string(amount);
  return program_.policy.currency_sign +
         scaled_to_string(amount, program_.schema.currency_decimals);
}

// ` per day`; nothing for all time.
std::string Checker::period_shown(const Per& per) const {
  using Kind = Per::Kind;
  const Span& span = per.span;
  switch (per.kind) {
    case Kind::Ever: return {};
    case Kind::Hour: return say(" per hour", " 每小时");
    case Kind::Day: return say(" per day", " 每天");
    case Kind::Week: return say(" per week", " 每周");
    case Kind::Month: return say(" per month", " 每月");
    case Kind::Year: return say(" per year", " 每年");
    case Kind::Rolling: break;
  }
  if (language_ == Language::English) return " per " + to_string(span);
  std::string all = " 每 ";
  if (span.months != 0) all += std::to_string(span.months) + "个月";
  if (span.fixed.us % days(1).us == 0 && span.fixed.us != 0)
    all += std::to_string(span.fixed.us / days(1).us) + "天";
  else if (span.fixed.us != 0)
    all += std::to_string(span.fixed.us / hours(1).us) + "小时";
  return all;
}

std::string Checker::amount_of_it(const Incentive& of, std::int64_t amount, bool is_money) const {
  const std::string shown = amount_shown(amount, is_money);
  return language_ == Language::English ? shown + " of `" + of.symbol.name + "`"
                                        : " `" + of.symbol.name + "` " + shown;
}

// `times` of `one` make `all`, unless something else bounds it.
void Checker::costs_more(const Incentive& incentive, std::int64_t all, std::int64_t one,
                         const Budget& budget) {
  std::string what = amount_of_it(incentive, all, budget.is_money);
  if (one > 0 && one < all && all % one == 0) {
    const std::string sum = std::to_string(all / one) + " × " + amount_shown(one, budget.is_money);
    what += say(" (", "（") + sum + say(")", "）");
  }
  report(Code::WorstCase, budget.span,
         {what, amount_shown(budget.amount, budget.is_money) + period_shown(budget.per)});
}

// May one customer be given more than there is? Where the limits have no end in that time, at one
// instant; where there are none, of a single one.
void Checker::worst_case(const Incentive& incentive) {
  for (const Budget& budget : incentive.budgets) {
    const std::int64_t one = budget.is_money ? most_of_one(incentive).value_or(0) : 1;
    auto all = budget.is_money ? worst_case_of_customer(program_, incentive, budget.per)
                               : most_pieces(incentive, budget.per);
    if (!all) {
      all = checked_multiply(one, pieces_at_once(incentive));
      const auto let = policy_lets_have(program_, incentive, budget.per);
      if (all && let && budget.is_money) all = std::min(*all, *let);
      if (all) all = std::max(*all, one);
    }
    if (all && *all > budget.amount) costs_more(incentive, *all, one, budget);
  }
  never_counted(incentive.budgets);
}

// All budgets hold at once: of two, the one for less time may be too large to be reached.
void Checker::never_counted(const std::vector<Budget>& budgets) {
  const auto shown = [&](const Budget& each) {
    return amount_shown(each.amount, each.is_money) + period_shown(each.per);
  };
  for (const Budget& each : budgets)
    for (const Budget& other : budgets) {
      if (each.is_money != other.is_money || each.amount <= other.amount ||
          !lies_within(each.per, other.per))
        continue;
      label(report(Code::BudgetNeverCounts, each.span, {shown(each), shown(other)}), other.span,
            "the other one", "另一个在这里");
      break;
    }
}

// Is it more than its limits, its budgets or the policy's limits ever have room for?
void Checker::fits_at_all(const Gift& gift, SourceSpan at, bool or_what_is_left) {
  const Incentive& what = program_.incentives[gift.incentive.index()];
  const bool are_points = std::holds_alternative<Points>(what.what);
  std::optional<std::int64_t> pieces = 1, money = least_of_one(what);
  if (are_points) {
    if (program_[gift.amount].op != Op::Constant) return;
    pieces = program_[gift.amount].constant.raw();
    if (money) money = checked_multiply(*money, *pieces);
  }
  const auto ask = [&](const auto& bound, const std::string& whose, const std::string& each_one) {
    const auto weight = bound.is_money ? money : pieces;
    if (!weight || *weight <= bound.amount) return;
    label(report(Code::AlwaysRefused, at,
                 {amount_of_it(what, *weight, bound.is_money),
                  whose + amount_shown(bound.amount, bound.is_money) + each_one +
                      period_shown(bound.per)}),
          bound.span, "here", "在这里");
  };
  const std::string each_customer = say(" per customer", " 每位顾客");
  for (const Limit& limit : what.limits)
    if (limit.by.is_none()) ask(limit, say("its limit of ", "它的限额 "), each_customer);
  // Of what comes one at a time the declaration says it.
  if (are_points && !or_what_is_left)
    for (const Budget& budget : what.budgets) ask(budget, say("its budget of ", "它的预算 "), "");
  if (is_shared_out(what)) return;
  for (const Limit& limit : program_.policy.limits)
    if (limit.by.is_none()) ask(limit, say("the policy's limit of ", "总则的限额 "), each_customer);
}

// Is known how much it is worth?
bool Checker::has_ceiling(const Gift& gift, const std::vector<Budget>& budgets) {
  if (most_of_one(program_.incentives[gift.incentive.index()])) return true;
  for (const Budget& budget : budgets)
    if (budget.is_money) report(Code::NoCeiling, budget.span);
  return false;
}

// `¥5.00 of `a` and ¥1.00 of `b` to the inviter`. `others`: whose the rest is, where it is said.
std::string Checker::all_shown(const Given& given, bool is_money, const std::string& others) const {
  std::string all;
  for (const auto& [gain, amount] : given) {
    all += (all.empty() ? "" : say(" and ", "和")) +
           amount_of_it(program_.incentives[gain.incentive.index()], amount, is_money);
    switch (gain.whose) {
      case Whose::Customers: all += others; break;
      case Whose::Inviters: all += say(" to the inviter", "（给邀请人）"); break;
      case Whose::InvitersInviters:
        all += say(" to the inviter's inviter", "（给邀请人的邀请人）");
        break;
    }
  }
  return all;
}

void Checker::exceeds(Code code, const std::string& what, const Budget& budget) {
  report(code, budget.span,
         {what, amount_shown(budget.amount, budget.is_money) + period_shown(budget.per)});
}

// --- By a campaign -------------------------------------------------------------------------------

namespace {

// Every gift in the steps, also those that follow others.
template <class Visit>
void each_gift(const Block& steps, const Visit& visit, bool is_paid_for = false) {
  const auto within = [&](const Block& block) { each_gift(block, visit, is_paid_for); };
  for (const Step& step : steps) {
    if (const auto* give = std::get_if<Give>(&step.what)) {
      visit(*give, step.span, is_paid_for);
      within(give->otherwise);
    } else if (const auto* wait = std::get_if<WaitFor>(&step.what)) {
      within(wait->then), within(wait->otherwise);
    } else if (const auto* choice = std::get_if<If>(&step.what)) {
      within(choice->then), within(choice->otherwise);
    } else if (const auto* taken = std::get_if<Take>(&step.what)) {
      each_gift(taken->then, visit, true);
      within(taken->otherwise);
    } else if (const auto* split = std::get_if<Split>(&step.what)) {
      for (const Split::Arm& arm : split->arms) within(arm.steps);
    } else if (const auto* repeat = std::get_if<Repeat>(&step.what)) {
      within(repeat->steps);
    }
  }
}

std::vector<Gift> gifts(const Referral& referral) {
  std::vector<Gift> all;
  for (const Referral::Reward& each : referral.rewards) all.push_back(each.gift);
  for (const Referral::Milestone& each : referral.milestones) all.push_back(each.gift);
  return all;
}

// What can be won in it; nothing where it is no draw.
std::set<IncentiveId> prizes(const Program& program, IncentiveId of) {
  std::set<IncentiveId> all;
  if (const auto* draw = std::get_if<PrizeDraw>(&program.incentives[of.index()].what))
    for (const PrizeDraw::Prize& each : draw->prizes)
      if (each.gift) all.insert(each.gift);
  return all;
}

// Do its own limits, or the policy's, say how much of that budget one customer can be given?
bool is_bounded(const Program& program, const Incentive& incentive, const Budget& budget) {
  return (budget.is_money ? worst_case_of_customer(program, incentive, budget.per)
                          : most_pieces(incentive, budget.per))
      .has_value();
}

// Is one such gift more than the budget of what it gives? The declaration says it, or the step.
bool is_more_by_itself(const Account& account, const Gift& gift, const Budget& budget) {
  const auto all = account.gives(gift, Whose::Customers);
  return std::any_of(all.begin(), all.end(),
                     [&](const Given& each) { return account.total(each) > budget.amount; });
}

}  // namespace

void Checker::gives_too_much(const Campaign& campaign) {
  std::set<IncentiveId> given;
  for (const TriggerGroup& group : campaign.groups)
    each_gift(group.steps, [&](const Give& give, SourceSpan, bool) {
      given.insert(give.gift.incentive);
      for (const IncentiveId prize : prizes(program_, give.gift.incentive)) given.insert(prize);
    });
  for (const Budget& budget : campaign.budgets)
    if (budget.is_money) gives_too_much(campaign, budget, {});
  // What its own limits bound has been looked at where it is declared.
  for (const IncentiveId each : given) {
    const Incentive& of = program_.incentives[each.index()];
    for (const Budget& budget : of.budgets)
      if (!is_bounded(program_, of, budget)) gives_too_much(campaign, budget, each);
  }
  no_limit(campaign);
}

void Checker::gives_too_much(const Campaign& campaign, const Budget& budget, IncentiveId only) {
  const Account account(program_, budget, only);
  bool is_told = false;
  for (const TriggerGroup& group : campaign.groups)
    each_gift(group.steps, [&](const Give& give, SourceSpan, bool) {
      is_told |= give.gift.incentive == only && is_more_by_itself(account, give.gift, budget);
    });
  if (is_told) return;
  const std::string name = "`" + campaign.symbol.name + "`";
  const Given once = account.let(dearest(campaign, account, false));
  if (sum(once) > budget.amount) {
    exceeds(Code::WorstCase,
            all_shown(once, budget.is_money, "") + say(" on one way through ", "（一次走完 ") +
                name + say("", "）"),
            budget);
    return;
  }
  const Given often = account.let(dearest(campaign, account, true));
  if (sum(often) > budget.amount)
    exceeds(Code::WorstCase,
            all_shown(often, budget.is_money, "") + say(" by entering ", "（反复进入 ") + name +
                say(" again and again", "）"),
            budget);
}

// What comes with every event, and has a budget, is one customer's as often as he likes. (Points
// are not asked for: who buys more earns more. Nor is what is paid for with them.)
void Checker::no_limit(const Campaign& campaign) {
  const auto money = std::find_if(campaign.budgets.begin(), campaign.budgets.end(),
                                  [](const Budget& each) { return each.is_money; });
  const Budget* const of_campaign = money == campaign.budgets.end() ? nullptr : &*money;
  const std::set<Gain> without_end = endless(campaign, program_);
  std::set<IncentiveId> told;
  for (const TriggerGroup& group : campaign.groups)
    each_gift(group.steps, [&](const Give& give, SourceSpan at, bool is_paid_for) {
      // An inviter is given it once for each of his friends.
      const auto is_it = [&](const Gain& each) {
        return each.incentive == give.gift.incentive || each.draw == give.gift.incentive;
      };
      if (is_paid_for ||
          !(give.to_inviter || std::any_of(without_end.begin(), without_end.end(), is_it)))
        return;
      const Budget* const budget = spent_without_limit(give.gift.incentive, of_campaign);
      if (budget == nullptr || !told.insert(give.gift.incentive).second) return;
      label(
          report(Code::NoLimit, at, {program_.incentives[give.gift.incentive.index()].symbol.name}),
          budget->span, "the budget", "预算在这里");
    });
}

// The budget that one who is given it without end would use up; none where limits end it.
const Budget* Checker::spent_without_limit(IncentiveId id, const Budget* around) const {
  const Incentive& of = program_.incentives[id.index()];
  if (!of.limits.empty() || std::holds_alternative<Points>(of.what)) return nullptr;
  if (const auto* draw = std::get_if<PrizeDraw>(&of.what)) {
    const Budget* const of_draws = of.budgets.empty() ? around : &of.budgets.front();
    for (const PrizeDraw::Prize& each : draw->prizes)
      if (each.gift && !each.stock)
        if (const Budget* found = spent_without_limit(each.gift, of_draws)) return found;
    return nullptr;
  }
  const auto counts = [](const Limit& each) { return each.by.is_none(); };
  const auto& limits = program_.policy.limits;
  if (!is_shared_out(of) && std::any_of(limits.begin(), limits.end(), counts)) return nullptr;
  return of.budgets.empty() ? around : &of.budgets.front();
}

// --- By a referral -------------------------------------------------------------------------------

void Checker::gives_too_much(const Referral& referral) {
  std::set<IncentiveId> given;
  for (const Gift& each : gifts(referral)) {
    has_ceiling(each, referral.budgets);
    given.insert(each.incentive);
    for (const IncentiveId prize : prizes(program_, each.incentive)) given.insert(prize);
  }
  for (const Budget& budget : referral.budgets) gives_too_much(referral, budget, {});
  for (const IncentiveId each : given) {
    const Incentive& of = program_.incentives[each.index()];
    for (const Budget& budget : of.budgets)
      if (!is_bounded(program_, of, budget)) gives_too_much(referral, budget, each);
  }
}

void Checker::gives_too_much(const Referral& referral, const Budget& budget, IncentiveId only) {
  const Account account(program_, budget, only);
  for (const Gift& each : gifts(referral))
    if (each.incentive == only && is_more_by_itself(account, each, budget)) return;
  const Given inviters = account.let(of_inviter(referral, account));
  const Given friends = account.let(of_friend(referral, account));
  if (sum(inviters) > budget.amount) {
    const auto& [gain, amount] = *inviters.begin();
    const auto one = friends.find({gain.incentive, Whose::Inviters, {}});
    if (inviters.size() == 1 && one != friends.end())
      costs_more(program_.incentives[gain.incentive.index()], amount, one->second, budget);
    else
      exceeds(Code::WorstCase, all_shown(inviters, budget.is_money, ""), budget);
    return;
  }
  if (sum(friends) > budget.amount)
    exceeds(Code::FriendCosts,
            all_shown(friends, budget.is_money, say(" to the friend", "（给好友）")), budget);
}

}  // namespace koi::check
