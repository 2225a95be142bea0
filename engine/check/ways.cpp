// What one way through a campaign costs at worst: all that its steps give on the dearest way from
// the first step to an end.
#include <algorithm>
#include <map>
#include <set>

#include "base/decimal.h"
#include "check/detail/checker.h"
#include "check/worst_case.h"

namespace koi::check {
namespace {

// What is given on a way: money, by incentive.
struct Given {
  std::map<std::uint16_t, std::int64_t> money;
  std::int64_t all = 0;
};

// The dearest way that goes on behind some steps, if one does, and the dearest that ends in them.
// Where only what comes at one instant counts, a way ends at each wait, and another begins.
struct Ways {
  std::optional<Given> on = Given{};
  std::optional<Given> ended;
};

void add(Given& to, std::uint16_t incentive, std::int64_t money) {
  // More than fits is more than any budget.
  to.money[incentive] = checked_add(to.money[incentive], money).value_or(INT64_MAX);
  to.all = checked_add(to.all, money).value_or(INT64_MAX);
}

Given together(Given a, const Given& b) {
  for (const auto& [incentive, money] : b.money) add(a, incentive, money);
  return a;
}

std::optional<Given> dearer(const std::optional<Given>& a, const std::optional<Given>& b) {
  if (!a || !b) return a ? a : b;
  return b->all > a->all ? b : a;
}

Ways either(const Ways& a, const Ways& b) { return {dearer(a.on, b.on), dearer(a.ended, b.ended)}; }

// The one, and behind it the other.
void follow(Ways& first, const Ways& then) {
  if (!first.on) return;
  if (then.ended) first.ended = dearer(first.ended, together(*first.on, *then.ended));
  first.on = then.on ? std::optional(together(*first.on, *then.on)) : std::nullopt;
}

template <class MoneyIn>
Ways ways_through(const Block& steps, bool at_once, const MoneyIn& money_in) {
  Ways all;
  const auto through = [&](const Block& block) { return ways_through(block, at_once, money_in); };
  const auto time_goes_by = [&] {
    if (!at_once) return;
    all.ended = dearer(all.ended, all.on);
    all.on = Given{};
  };
  for (const Step& step : steps) {
    if (!all.on) break;
    if (std::holds_alternative<Stop>(step.what)) {
      all.ended = dearer(all.ended, all.on);
      all.on.reset();
    } else if (std::holds_alternative<Wait>(step.what) ||
               std::holds_alternative<WaitUntil>(step.what)) {
      time_goes_by();
    } else if (const auto* give = std::get_if<Give>(&step.what)) {
      Ways given;
      // What is left is never more than there is.
      if (!give->what_is_left) add(*given.on, give->gift.incentive.value, money_in(give->gift));
      follow(all, either(given, through(give->otherwise)));
    } else if (const auto* wait = std::get_if<WaitFor>(&step.what)) {
      time_goes_by();
      follow(all, either(through(wait->then), through(wait->otherwise)));
    } else if (const auto* choice = std::get_if<If>(&step.what)) {
      follow(all, either(through(choice->then), through(choice->otherwise)));
    } else if (const auto* taken = std::get_if<Take>(&step.what)) {
      follow(all, either(through(taken->then), through(taken->otherwise)));
    } else if (const auto* split = std::get_if<Split>(&step.what)) {
      Ways arms;
      arms.on.reset();
      for (const Split::Arm& arm : split->arms) arms = either(arms, through(arm.steps));
      follow(all, arms);
    } else if (const auto* repeat = std::get_if<Repeat>(&step.what)) {
      const Ways pass = through(repeat->steps);
      Ways passes = pass;
      if (at_once) {
        passes.ended = dearer(pass.ended, pass.on);
      } else if (passes.on && repeat->at_most > 1) {
        Given before;  // all passes but the last
        for (const auto& [incentive, money] : pass.on->money)
          add(before, incentive, checked_multiply(money, repeat->at_most - 1).value_or(INT64_MAX));
        passes.on = together(before, *pass.on);
        if (pass.ended) passes.ended = dearer(pass.ended, together(before, *pass.ended));
      }
      follow(all, passes);
    }
  }
  return all;
}

}  // namespace

void Checker::way_takes(const Campaign& campaign) {
  std::set<std::uint16_t> given;
  const auto note = [&](const Gift& gift) -> std::int64_t {
    given.insert(gift.incentive.value);
    return 0;
  };
  for (const TriggerGroup& group : campaign.groups) ways_through(group.steps, false, note);
  for (const std::uint16_t each : given) way_takes(campaign, program_.incentives[each]);
}

// Where no limit says how much of an incentive one customer is given, one way through the campaign
// does: more of it than its own budget has is given to nobody.
void Checker::way_takes(const Campaign& campaign, const Incentive& incentive) {
  for (const Budget& budget : incentive.budgets) {
    if (is_bounded(incentive, budget)) continue;
    std::int64_t most_of_a_gift = 0;
    const auto taken = [&](const Gift& gift) -> std::int64_t {
      if (&program_.incentives[gift.incentive.index()] != &incentive) return 0;
      const std::int64_t of_it = budget.is_money ? money_in(gift).value_or(0) : pieces_in(gift);
      most_of_a_gift = std::max(most_of_a_gift, of_it);
      return of_it;
    };
    std::int64_t most = 0;
    for (const TriggerGroup& group : campaign.groups) {
      const Ways ways = ways_through(group.steps, budget.per.kind != Per::Kind::Ever, taken);
      if (const auto dearest = dearer(ways.on, ways.ended)) most = std::max(most, dearest->all);
    }
    if (most <= budget.amount || most_of_a_gift > budget.amount) continue;
    report(Code::WorstCase, budget.span,
           {amount_of_it(incentive, most, budget.is_money) + on_one_way(campaign),
            amount_shown(budget.amount, budget.is_money) + period_shown(budget.per)});
  }
}

std::string Checker::on_one_way(const Campaign& campaign) const {
  return say(" on one way through `", "（一次走完 `") + campaign.symbol.name + say("`", "`）");
}

// Of a budget for a period only what is given without waiting is known to fall into one.
void Checker::way_costs(const Campaign& campaign) {
  if (std::none_of(campaign.budgets.begin(), campaign.budgets.end(),
                   [](const Budget& each) { return each.is_money; }))
    return;
  const auto money = [&](const Gift& gift) { return money_in(gift).value_or(0); };
  for (const TriggerGroup& group : campaign.groups) {
    for (const Budget& budget : campaign.budgets) {
      if (!budget.is_money) continue;
      const bool is_for_ever = budget.per.kind == Per::Kind::Ever;
      const Ways ways = ways_through(group.steps, !is_for_ever, money);
      const auto dearest = dearer(ways.on, ways.ended);
      if (!dearest) continue;
      std::int64_t all = 0;
      std::string what;
      for (const auto& [index, given] : dearest->money) {
        const Incentive& incentive = program_.incentives[index];
        // Its own limits, and the policy's, may let him have less.
        const auto let = worst_case_of_customer(program_, incentive, budget.per);
        const std::int64_t most = std::min(given, let.value_or(given));
        if (most == 0) continue;
        all = checked_add(all, most).value_or(INT64_MAX);
        what += (what.empty() ? "" : say(" and ", "和")) + amount_of_it(incentive, most, true);
      }
      if (all <= budget.amount) continue;
      report(Code::WorstCase, budget.span,
             {what + on_one_way(campaign),
              amount_shown(budget.amount, true) + period_shown(budget.per)});
    }
  }
}

}  // namespace koi::check
