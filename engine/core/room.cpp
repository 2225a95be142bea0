// May it be given? The gate's second half: what room limits and budgets have for it, what it would
// come to, and whether there are codes and prizes.
#include <algorithm>
#include <utility>

#include "core/detail/lent.h"
#include "core/detail/turn.h"
#include "ledger/amounts.h"
#include "ledger/codes.h"
#include "model/codec.h"

namespace koi::core {

std::int64_t Turn::money_of(const plan::Incentive& incentive, std::int64_t amount) const {
  if (const auto* points = std::get_if<plan::Points>(&incentive.what))
    return checked_multiply(amount, points->worth).value_or(INT64_MAX);
  return std::holds_alternative<plan::PrizeDraw>(incentive.what) ? 0 : amount;
}

// How much of an account or a limit it takes.
std::int64_t Turn::weight_of(const plan::Incentive& incentive, bool is_money,
                             std::int64_t amount) const {
  if (is_money) return money_of(incentive, amount);
  return std::holds_alternative<plan::Points>(incentive.what) ? amount : 1;
}

// The limits that hold for it. Who shares a packet out is not given its money.
std::vector<plan::LimitId> Turn::limits_of(const plan::Incentive& incentive, bool is_share) const {
  std::vector<plan::LimitId> limits = incentive.limits;
  const auto* packet = std::get_if<plan::RedPacket>(&incentive.what);
  if (is_share || !packet || packet->how != plan::RedPacket::How::Group)
    limits.insert(limits.end(), plan_.policy.limits.begin(), plan_.policy.limits.end());
  return limits;
}

// How much room the limit has for this customer, who wants so much; nothing where he has not what
// it counts by, and it does not apply to him.
std::optional<std::int64_t> Turn::room_in(const plan::Limit& limit, bool is_share,
                                          std::int64_t want) {
  const auto value = counted_by(limit);
  if (!value) return std::nullopt;
  const plan::Limit counted_as = as_limit(limit, is_share);
  if (*value != 0) return accounts_->room(counted_as, *value, now_, want);
  const std::int64_t used = used_of(holdings().counted, counted_as, now_, *plan_.policy.zone);
  return limit.amount - std::min(used, limit.amount);
}

// The limits that he has no room in, or None.
Reason Turn::ask_limits(const plan::Incentive& incentive, std::int64_t amount, bool is_share,
                        const Planned& planned) {
  for (const plan::LimitId id : limits_of(incentive, is_share)) {
    const plan::Limit& limit = plan_.limits[id.index()];
    const std::int64_t weight = weight_of(incentive, limit.is_money, amount);
    if (weight == 0) continue;
    const std::int64_t before = planned.of(planned.limits, id);
    const std::int64_t want = checked_add(weight, before).value_or(INT64_MAX);
    const auto room = room_in(limit, is_share, want);
    if (room && want > *room) return Reason::Limit;
  }
  return Reason::None;
}

// How much money a share may be for him to take it.
std::int64_t Turn::room_for_share(const plan::Incentive& incentive) {
  std::int64_t least = INT64_MAX;
  for (const plan::LimitId id : limits_of(incentive, true)) {
    const plan::Limit& limit = plan_.limits[id.index()];
    if (!limit.is_money) continue;
    if (const auto room = room_in(limit, true, limit.amount)) least = std::min(least, *room);
  }
  return least;
}

// A packet's limits hold for its givers and, each for itself, for those who take a share.
plan::Limit Turn::as_limit(const plan::Limit& limit, bool is_share) const {
  plan::Limit made = limit;
  const auto& of_all = plan_.policy.limits;
  const bool is_of_all = std::any_of(of_all.begin(), of_all.end(), [&](plan::LimitId id) {
    return plan_.limits[id.index()].definition == limit.definition;
  });
  if (is_share && !is_of_all) made.definition = definition_for_shares(limit.definition);
  return made;
}

// What of him it is counted by: 0 for himself, else a hash of the attribute's value; nothing where
// he has none.
std::optional<std::uint64_t> Turn::counted_by(const plan::Limit& limit) const {
  if (limit.by.is_none()) return 0;
  const Value& value = state_.attributes[limit.by.index()];
  if (value.is_missing()) return std::nullopt;
  ByteWriter bytes;
  bytes.value(value);
  return std::max<std::uint64_t>(1, hash64(bytes.bytes(), 7));
}

List<Counted>& Turn::counted_in(std::uint64_t limit, std::uint64_t value) {
  return value == 0 ? holdings().counted : accounts_->counted(limit, value);
}

void Turn::count_limits(const plan::Incentive& incentive, std::int64_t amount, bool is_share,
                        List<Counted>& record_of) {
  for (const plan::LimitId id : limits_of(incentive, is_share)) {
    const plan::Limit& limit = plan_.limits[id.index()];
    const std::int64_t weight = weight_of(incentive, limit.is_money, amount);
    const auto value = counted_by(limit);
    if (weight == 0 || !value) continue;
    const plan::Limit counted_as = as_limit(limit, is_share);
    record_of.push_back(record(counted_in(counted_as.definition, *value), counted_as, weight,
                               *value, now_, *plan_.policy.zone));
  }
}

// Where it was counted, though he may be on another device by now.
void Turn::release_limits(const List<Counted>& counted) {
  for (const Counted& each : counted) release(counted_in(each.limit, each.value), each);
}

std::vector<plan::BudgetId> Turn::budgets_of(const Offer& offer) const {
  std::vector<plan::BudgetId> budgets = plan_.incentives[offer.incentive.index()].budgets;
  if (offer.campaign)
    for (const plan::BudgetId id : campaign(offer.campaign).budgets)
      if (plan_.budgets[id.index()].is_money) budgets.push_back(id);
  if (offer.referral)
    for (const plan::BudgetId id : referral(offer.referral).budgets) budgets.push_back(id);
  return budgets;
}

// How much can be given: `amount`, less where the marketer wants what is left; nothing where none
// can.
std::optional<std::int64_t> Turn::affordable(const Offer& offer, std::int64_t amount,
                                             const Planned& planned) const {
  const plan::Incentive& incentive = plan_.incentives[offer.incentive.index()];
  const auto* points = std::get_if<plan::Points>(&incentive.what);
  const auto* packet = std::get_if<plan::RedPacket>(&incentive.what);
  for (const plan::BudgetId id : budgets_of(offer)) {
    const bool is_money = plan_.budgets[id.index()].is_money;
    const std::int64_t weight = weight_of(incentive, is_money, amount);
    const std::int64_t before = planned.of(planned.budgets, id);
    const std::int64_t left =
        accounts_->left(id, now_, checked_add(weight, before).value_or(INT64_MAX)) - before;
    if (weight <= left && weight != INT64_MAX) continue;  // which is more than can be counted
    if (!offer.what_is_left) return std::nullopt;
    if (points)
      amount = is_money ? left / points->worth : left;  // worth something, or it would fit
    else if (packet && is_money)
      amount = left;
    else
      return std::nullopt;
    if (amount <= 0) return std::nullopt;
  }
  if (packet && packet->how == plan::RedPacket::How::Group &&
      !ledger::can_split(amount, packet->shares, packet->at_least))
    return std::nullopt;
  return amount;
}

// What it comes to for him: fixed, or by the chance of this occasion.
std::int64_t Turn::amount_of(const Offer& offer) const {
  const plan::Incentive& incentive = plan_.incentives[offer.incentive.index()];
  if (const auto* packet = std::get_if<plan::RedPacket>(&incentive.what)) {
    if (packet->how == plan::RedPacket::How::Group) return packet->total;
    ledger::Chance chance(accounts_->secret("amounts"), to_hex(offer.key));
    return ledger::random_amount({packet->from, packet->to, packet->mean}, chance);
  }
  if (const auto* coupon = std::get_if<plan::Coupon>(&incentive.what))
    return coupon->is_percent ? coupon->ceiling.value_or(0) : coupon->off;
  return std::holds_alternative<plan::Points>(incentive.what) ? offer.points : 1;
}

ledger::Drawn Turn::drawn(const Offer& offer) const {
  const auto& draw = std::get<plan::PrizeDraw>(plan_.incentives[offer.incentive.index()].what);
  std::vector<std::uint64_t> weights;
  for (const plan::PrizeDraw::Prize& each : draw.prizes) weights.push_back(each.weight);
  ledger::Chance chance(accounts_->secret("draws"), to_hex(offer.key));
  const auto is_left = [&](std::size_t prize) {
    return accounts_->has_prize(offer.incentive, prize);
  };
  return ledger::draw(std::move(weights), is_left, chance);
}

// Are there codes of that pattern that were never issued, or any in the pool?
Reason Turn::lacks_codes(const plan::Coupon& coupon, plan::IncentiveId id) const {
  if (!coupon.pool.empty())
    return accounts_->has_code(coupon.pool) ? Reason::None : Reason::PoolEmpty;
  const auto pattern = ledger::CodePattern::read(coupon.pattern);
  KOI_ASSERT(pattern);  // check has read it
  return accounts_->has_number(id, pattern->capacity()) ? Reason::None : Reason::Budget;
}

// Why it would be refused, after what is planned already; or None, and it is planned too.
Reason Turn::ask_grant(const Offer& offer, Planned& planned) {
  const plan::Incentive& incentive = plan_.incentives[offer.incentive.index()];
  const auto* coupon = std::get_if<plan::Coupon>(&incentive.what);
  if (coupon && coupon->valid_until <= now_) return Reason::Lapsed;
  const std::int64_t wanted = amount_of(offer);
  if (const Reason reason = ask_limits(incentive, wanted, false, planned); reason != Reason::None)
    return reason;
  const auto amount = affordable(offer, wanted, planned);
  if (!amount) return Reason::Budget;
  if (coupon)
    if (const Reason reason = lacks_codes(*coupon, offer.incentive); reason != Reason::None)
      return reason;
  if (std::holds_alternative<plan::PrizeDraw>(incentive.what) && !drawn(offer).prize)
    return Reason::NoPrize;
  for (const plan::LimitId id : limits_of(incentive, false))
    planned.limits[id] += weight_of(incentive, plan_.limits[id.index()].is_money, *amount);
  for (const plan::BudgetId id : budgets_of(offer))
    planned.budgets[id] += weight_of(incentive, plan_.budgets[id.index()].is_money, *amount);
  return Reason::None;
}

}  // namespace koi::core
