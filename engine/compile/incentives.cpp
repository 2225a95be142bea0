// Incentives, their budgets and limits, referrals; the steps that give and take.
#include <algorithm>

#include "compile/detail/compiler.h"

namespace koi::compile {

namespace {

plan::Per per_of(const check::Per& from) {
  using From = check::Per::Kind;
  using To = plan::Per::Kind;
  switch (from.kind) {
    case From::Ever: return {To::Ever, {}};
    case From::Hour: return {To::Hour, {}};
    case From::Day: return {To::Day, {}};
    case From::Week: return {To::Week, {}};
    case From::Month: return {To::Month, {}};
    case From::Year: return {To::Year, {}};
    case From::Rolling: return {To::Rolling, from.span};
  }
  KOI_ASSERT(false);
}

std::string words_of(const plan::Per& per) {
  switch (per.kind) {
    case plan::Per::Kind::Ever: return "";
    case plan::Per::Kind::Hour: return " per hour";
    case plan::Per::Kind::Day: return " per day";
    case plan::Per::Kind::Week: return " per week";
    case plan::Per::Kind::Month: return " per month";
    case plan::Per::Kind::Year: return " per year";
    case plan::Per::Kind::Rolling: return " per " + to_string(per.span);
  }
  KOI_ASSERT(false);
}

HashInput definition(std::string_view owner, bool is_money, const plan::Per& per) {
  HashInput hash;
  hash.text(owner).number(is_money ? 1 : 0).number(static_cast<std::uint64_t>(per.kind));
  hash.number(static_cast<std::uint64_t>(per.span.months));
  hash.number(static_cast<std::uint64_t>(per.span.fixed.us));
  return hash;
}

plan::GrantRead::What what_of(check::GrantRead::What what) {
  using From = check::GrantRead::What;
  using To = plan::GrantRead::What;
  switch (what) {
    case From::Code: return To::Code;
    case From::Amount: return To::Amount;
    case From::ValidUntil: return To::ValidUntil;
    case From::Link: return To::Link;
    case From::Prize: return To::Prize;
    case From::Balance: return To::Balance;
    case From::InviteCode: return To::InviteCode;
    case From::InviteLink: return To::InviteLink;
    case From::InviteScene: return To::InviteScene;
    case From::Friends: return To::Friends;
  }
  KOI_ASSERT(false);
}

plan::IncentiveId incentive_of(check::IncentiveId id) {
  return id.is_none() ? plan::IncentiveId::none() : plan::IncentiveId::of(id.index());
}

}  // namespace

// The account of that definition; the strictest of several that say the same is the one that holds.
plan::BudgetId Compiler::account(const std::string& owner, const check::Budget& from) {
  const plan::Per per = per_of(from.per);
  const std::uint64_t name = definition("budget " + owner, from.is_money, per).hash64();
  for (std::size_t i = 0; i < plan_.budgets.size(); ++i) {
    if (plan_.budgets[i].definition != name) continue;
    plan_.budgets[i].amount = std::min(plan_.budgets[i].amount, from.amount);
    return plan::BudgetId::of(i);
  }
  plan_.budgets.push_back(
      {owner + words_of(per) + (from.is_money ? " " + plan_.policy.currency : std::string()), name,
       from.is_money, from.amount, per});
  return plan::BudgetId::of(plan_.budgets.size() - 1);
}

// Beside a campaign's money stands what its messages cost, for the same time.
void Compiler::keep_costs(plan::BudgetId of, const std::string& owner, const check::Budget& from) {
  if (plan_.budgets[of.index()].costs) return;  // said before, and the strictest holds
  const plan::Per per = per_of(from.per);
  plan::Budget costs;
  costs.name = plan_.budgets[of.index()].name + ", messages";
  costs.definition = definition("costs " + owner, true, per).hash64();
  costs.per = per;
  costs.is_costs = true;
  plan_.budgets[of.index()].costs = plan::BudgetId::of(plan_.budgets.size());
  plan_.budgets.push_back(std::move(costs));
}

plan::LimitId Compiler::limit(const std::string& owner, const check::Limit& from) {
  plan::Limit to;
  to.is_money = from.is_money;
  to.amount = from.amount;
  to.by = from.by;
  to.per = per_of(from.per);
  HashInput hash = definition("limit " + owner, from.is_money, to.per);
  if (from.by) hash.text(plan_.schema[from.by].symbol.name);
  to.definition = hash.hash64();
  plan_.limits.push_back(to);
  return plan::LimitId::of(plan_.limits.size() - 1);
}

// Before everything that reads or gives them; what they say in words of their own is lowered in
// incentive_texts().
void Compiler::incentives() {
  for (const check::Incentive& from : program_.incentives) {
    plan::Incentive to;
    to.symbol = from.symbol;
    to.definition = HashInput().text("incentive").text(from.symbol.name).hash64();
    if (const auto* packet = std::get_if<check::RedPacket>(&from.what)) {
      plan::RedPacket made;
      switch (packet->how) {
        case check::RedPacket::How::Fixed: made.how = plan::RedPacket::How::Fixed; break;
        case check::RedPacket::How::Random: made.how = plan::RedPacket::How::Random; break;
        case check::RedPacket::How::Group: made.how = plan::RedPacket::How::Group; break;
      }
      made.from = packet->from, made.to = packet->to, made.mean = packet->mean;
      made.total = packet->total, made.shares = packet->shares;
      made.by_luck = packet->by_luck, made.at_least = packet->at_least;
      made.claim_within = packet->claim_within;
      if (packet->pay_via) made.pay_via = plan::ChannelId::of(packet->pay_via.index());
      to.what = made;
    } else if (const auto* coupon = std::get_if<check::Coupon>(&from.what)) {
      plan::Coupon made;
      made.is_percent = coupon->is_percent;
      made.off = coupon->off;
      made.ceiling = coupon->ceiling;
      made.orders_from = coupon->orders_from;
      made.order = coupon->order;
      made.pattern = coupon->pattern;
      made.pool = coupon->pool;
      made.low_at = coupon->low_at;
      made.is_best_of = coupon->is_best_of;
      made.valid_for = coupon->valid_for;
      made.valid_from = coupon->valid_from;
      made.valid_until = coupon->valid_until;
      made.combines_with_any = coupon->combines_with_any;
      for (const auto other : coupon->combines_with)
        made.combines_with.push_back(incentive_of(other));
      to.what = std::move(made);
    } else if (const auto* points = std::get_if<check::Points>(&from.what)) {
      to.what = plan::Points{points->expire, points->pending, points->worth};
    } else {
      plan::PrizeDraw made;
      for (const auto& prize : std::get<check::PrizeDraw>(from.what).prizes)
        made.prizes.push_back({prize.name, incentive_of(prize.gift), prize.points, prize.weight,
                               prize.stock.value_or(plan::unlimited)});
      to.what = std::move(made);
    }
    // Its own account for all time stands first, bounded or not; of what is money the money too.
    to.budgets.push_back(account(from.symbol.name, {{}, false, plan::unlimited, {}}));
    const bool has_money = std::any_of(from.budgets.begin(), from.budgets.end(),
                                       [](const check::Budget& each) { return each.is_money; });
    if (std::holds_alternative<plan::RedPacket>(to.what) && !has_money)
      to.budgets.push_back(account(from.symbol.name, {{}, true, plan::unlimited, {}}));
    for (const check::Budget& budget : from.budgets) {
      const plan::BudgetId id = account(from.symbol.name, budget);
      if (std::find(to.budgets.begin(), to.budgets.end(), id) == to.budgets.end())
        to.budgets.push_back(id);
    }
    for (const check::Limit& each : from.limits) to.limits.push_back(limit(from.symbol.name, each));
    plan_.incentives.push_back(std::move(to));
  }
  for (const check::Limit& each : program_.policy.limits)
    plan_.policy.limits.push_back(limit("", each));
  for (const check::GrantRead& read : program_.grant_reads)
    plan_.grant_reads.push_back({what_of(read.what), incentive_of(read.incentive),
                                 read.referral.is_none()
                                     ? plan::ReferralId::none()
                                     : plan::ReferralId::of(read.referral.index())});
}

void Compiler::incentive_texts() {
  for (std::size_t i = 0; i < program_.incentives.size(); ++i) {
    const auto& from = program_.incentives[i].what;
    auto& to = plan_.incentives[i].what;
    if (const auto* packet = std::get_if<check::RedPacket>(&from)) {
      if (packet->wishes)
        std::get<plan::RedPacket>(to).wishes = template_of(program_[packet->wishes]);
    } else if (const auto* coupon = std::get_if<check::Coupon>(&from)) {
      std::get<plan::Coupon>(to).where = lower(coupon->where);
    }
  }
  for (const check::Referral& from : program_.referrals) {
    plan::Referral to;
    to.symbol = from.symbol;
    to.definition = HashInput().text("referral").text(from.symbol.name).hash64();
    to.link = from.link;
    to.first_touch = from.first_touch;
    to.touch_lasts = from.touch_lasts;
    to.qualify_type = from.qualify_type;
    to.qualify_where = lower(from.qualify_where);
    to.qualify_within = from.qualify_within;
    for (const auto& reward : from.rewards)
      to.rewards.push_back({reward.to_inviter, incentive_of(reward.gift.incentive),
                            lower(reward.gift.amount), reward.at, reward.is_one_up});
    for (const auto& milestone : from.milestones)
      to.milestones.push_back({milestone.friends, incentive_of(milestone.gift.incentive),
                               lower(milestone.gift.amount), milestone.to_invitee});
    to.refuses_self = from.refuses_self;
    to.refuses_existing = from.refuses_existing;
    to.refuses_cycle = from.refuses_cycle;
    to.refuses_same = from.refuses_same;
    for (const auto condition : from.refuses_whom) to.refuses_whom.push_back(lower(condition));
    to.review_more_than = from.review_more_than;
    to.review_within = from.review_within;
    for (const auto& undoing : from.undone_by)
      to.undone_by.push_back({undoing.type, lower(undoing.where), undoing.within});
    const std::string owner = "referral " + from.symbol.name;
    for (const check::Budget& budget : from.budgets) {
      const plan::BudgetId id = account(owner, budget);
      if (std::find(to.budgets.begin(), to.budgets.end(), id) == to.budgets.end())
        to.budgets.push_back(id);
    }
    for (const check::Limit& each : from.limits) to.limits.push_back(limit(owner, each));
    plan_.referrals.push_back(std::move(to));
  }
}

void Compiler::give(const check::Give& from, plan::Campaign& to, std::vector<plan::Step>& code) {
  plan::Give made;
  made.incentive = incentive_of(from.gift.incentive);
  made.amount = lower(from.gift.amount);
  made.to_inviter = from.to_inviter;
  made.what_is_left = from.what_is_left;
  made.ordinal = ordinal_++;
  const std::size_t at = code.size();
  code.emplace_back(made);
  if (!from.has_otherwise) return;
  code.emplace_back(plan::Jump{});
  std::get<plan::Give>(code[at]).otherwise = static_cast<std::uint16_t>(code.size());
  block(from.otherwise, to, code);
  std::get<plan::Jump>(code[at + 1]).to = static_cast<std::uint16_t>(code.size());
}

void Compiler::take(const check::Take& from, plan::Campaign& to, std::vector<plan::Step>& code) {
  const std::size_t at = code.size();
  code.emplace_back(plan::Take{incentive_of(from.gift.incentive), lower(from.gift.amount)});
  std::get<plan::Take>(code[at]).ordinal = ordinal_++;
  block(from.then, to, code);
  // The gives that come at once, before anything waits or branches.
  std::vector<plan::Take::Next> gives;
  for (std::size_t i = at + 1; i < code.size(); ++i) {
    const auto* each = std::get_if<plan::Give>(&code[i]);
    if (each && each->otherwise != 0) break;  // where it is refused, that is what is wanted
    if (each)
      gives.push_back({*each, static_cast<std::uint16_t>(i - at - 1)});
    else if (!std::holds_alternative<plan::Send>(code[i]))
      break;
  }
  const std::size_t jump = code.size();
  code.emplace_back(plan::Jump{});
  const auto otherwise = static_cast<std::uint16_t>(code.size());
  block(from.otherwise, to, code);
  const auto end = static_cast<std::uint16_t>(code.size());
  std::get<plan::Jump>(code[jump]).to = end;
  auto& made = std::get<plan::Take>(code[at]);
  made.otherwise = otherwise;
  made.end = end;
  made.gives = std::move(gives);
}

}  // namespace koi::compile
