// What is given and taken: the gate's second half (limits, budgets), what becomes of a grant, and
// the shares of a packet that friends claim.
#include <algorithm>
#include <utility>

#include "core/detail/lent.h"
#include "core/detail/turn.h"
#include "core/gate.h"
#include "ledger/amounts.h"
#include "ledger/codes.h"
#include "ledger/draw.h"
#include "model/codec.h"

namespace koi::core {

using ledger::Stage;

namespace {

bool is_done(const Grant& grant) {
  return grant.stage != Stage::Reserved && grant.stage != Stage::Given;
}

std::uint64_t hash_of_customer(std::string_view id) { return hash64(id, 0x667269656e64); }

const plan::RedPacket* packet_of(const plan::Plan& plan, plan::IncentiveId id) {
  return std::get_if<plan::RedPacket>(&plan.incentives[id.index()].what);
}

bool is_group(const plan::Plan& plan, plan::IncentiveId id) {
  const auto* packet = packet_of(plan, id);
  return packet && packet->how == plan::RedPacket::How::Group;
}

}  // namespace

// --- Asking --------------------------------------------------------------------------------------

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

std::optional<std::size_t> Turn::drawn(const Offer& offer) const {
  const auto& draw = std::get<plan::PrizeDraw>(plan_.incentives[offer.incentive.index()].what);
  std::vector<std::uint64_t> weights;
  for (std::size_t i = 0; i < draw.prizes.size(); ++i) {
    const bool is_there = accounts_->has_prize(offer.incentive, i);
    weights.push_back(is_there ? draw.prizes[i].weight : 0);
  }
  ledger::Chance chance(accounts_->secret("draws"), to_hex(offer.key));
  return ledger::draw(weights, chance);
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
  const std::int64_t wanted = amount_of(offer);
  if (const Reason reason = ask_limits(incentive, wanted, false, planned); reason != Reason::None)
    return reason;
  const auto amount = affordable(offer, wanted, planned);
  if (!amount) return Reason::Budget;
  const auto* coupon = std::get_if<plan::Coupon>(&incentive.what);
  if (coupon)
    if (const Reason reason = lacks_codes(*coupon, offer.incentive); reason != Reason::None)
      return reason;
  if (std::holds_alternative<plan::PrizeDraw>(incentive.what) && !drawn(offer))
    return Reason::NoPrize;
  for (const plan::LimitId id : limits_of(incentive, false))
    planned.limits[id] += weight_of(incentive, plan_.limits[id.index()].is_money, *amount);
  for (const plan::BudgetId id : budgets_of(offer))
    planned.budgets[id] += weight_of(incentive, plan_.budgets[id.index()].is_money, *amount);
  return Reason::None;
}

// --- Giving --------------------------------------------------------------------------------------

Holdings& Turn::holdings() {
  if (state_.holdings.empty()) state_.holdings.push_back({});
  return state_.holdings[0];
}

Effect& Turn::gift_effect(Action action, const Offer& offer) {
  Effect& effect = effects_.emplace_back();
  effect.time = now_;
  effect.campaign = offer.campaign;
  effect.action = action;
  effect.entry = offer.entry;
  effect.key = offer.key;
  auto gift = std::make_unique<Gift>();
  gift->incentive = offer.incentive;
  gift->referral = offer.referral;
  effect.gift = std::move(gift);
  return effect;
}

void Turn::refuse_gift(Action of, const Offer& offer, Reason reason) {
  Effect& refusal = gift_effect(Action::Refuse, offer);
  refusal.of = of;
  refusal.reason = reason;
}

ledger::Cause Turn::cause_of(Hash128 decision) {
  return {hash_of(input_), decision, accounts_->bundle()};
}

void Turn::move(const Grant& grant, Stage from, Stage to) {
  move(grant.charges, grant.key, from, to);
}

void Turn::move(const List<Charge>& charges, Hash128 decision, Stage from, Stage to) {
  for (const Charge& charge : charges)
    if (charge.amount > 0)
      accounts_->post({now_, charge.pot, from, to, charge.amount, cause_of(decision)});
}

void Turn::tell(EngineEvent event, const Grant& grant, std::int64_t amount) {
  tell(event, grant, amount, grant.key);
}

// The occasion tells those apart that may come again: of a coupon that was rolled back.
void Turn::tell(EngineEvent event, const Grant& grant, std::int64_t amount, Hash128 occasion) {
  const plan::Incentive& incentive = plan_.incentives[grant.incentive.index()];
  const bool is_money = !std::holds_alternative<plan::Points>(incentive.what) &&
                        !std::holds_alternative<plan::PrizeDraw>(incentive.what);
  echo(event,
       {Value::text(incentive.symbol.name), is_money ? Value::money(amount) : Value(),
        grant.code.empty() ? Value() : Value::text(grant.code),
        grant.campaign ? Value::text(campaign(grant.campaign).symbol.name) : Value()},
       HashInput()
           .text("grant")
           .number(static_cast<std::uint64_t>(event))
           .number(occasion.high)
           .number(occasion.low)
           .hash128(plan_.seed));
}

// Everything that may stand in the way was asked for. True: it was given; else a refusal says why.
bool Turn::grant(const Offer& offer) {
  const plan::Incentive& incentive = plan_.incentives[offer.incentive.index()];
  if (std::holds_alternative<plan::Points>(incentive.what) && offer.points <= 0) return false;
  Planned nothing;
  if (const Reason reason = ask_grant(offer, nothing); reason != Reason::None) {
    refuse_gift(Action::Give, offer, reason);
    return false;
  }
  Grant made;
  made.key = offer.key;
  made.entry = offer.entry;
  made.incentive = offer.incentive;
  made.campaign = offer.campaign;
  made.referral = offer.referral;
  made.at = now_;
  made.amount = *affordable(offer, amount_of(offer), {});
  count_limits(incentive, made.amount, false, made.counted);
  for (const plan::BudgetId id : budgets_of(offer)) {
    const bool is_money = plan_.budgets[id.index()].is_money;
    const std::int64_t weight = weight_of(incentive, is_money, made.amount);
    if (weight > 0) made.charges.push_back({accounts_->pot(id, now_), weight, is_money});
  }
  move(made, Stage::Budget, Stage::Reserved);
  make(incentive, offer, made);

  Effect& effect = gift_effect(Action::Give, offer);
  Gift& gift = *effect.gift;
  gift.amount =
      std::holds_alternative<plan::Points>(incentive.what)
          ? Value::integer(made.amount)
          : (std::holds_alternative<plan::PrizeDraw>(incentive.what) ? Value()
                                                                     : Value::money(made.amount));
  gift.code = made.code;
  gift.prize = made.prize;
  // What is paid out is his when whoever pays has said so.
  const auto* packet = std::get_if<plan::RedPacket>(&incentive.what);
  effect.wants_receipt = packet && packet->how != plan::RedPacket::How::Group;
  if (packet && packet->pay_via) {
    effect.channel = packet->pay_via;
    gift.address = address(packet->pay_via);
  }
  if (packet && packet->wishes)
    if (auto wishes = text_of(facts(), packet->wishes)) gift.wishes = std::move(*wishes);
  const bool waits = effect.wants_receipt;
  const std::optional<std::size_t> prize =
      std::holds_alternative<plan::PrizeDraw>(incentive.what) ? drawn(offer) : std::nullopt;
  auto& grants = holdings().grants;
  grants.push_back(std::move(made));
  if (!waits) settle_grant(grants.back());
  if (prize) hand_out(offer, *prize);
  grants_changed(offer.key);
  return true;
}

// What a grant has of its own: a code, shares, a prize's name.
void Turn::make(const plan::Incentive& incentive, const Offer& offer, Grant& made) {
  if (const auto* packet = std::get_if<plan::RedPacket>(&incentive.what)) {
    if (packet->how != plan::RedPacket::How::Group) return;
    ledger::Chance chance(accounts_->secret("shares"), to_hex(offer.key));
    const auto shares = packet->by_luck ? ledger::split_by_luck(made.amount, packet->shares,
                                                                packet->at_least, chance)
                                        : ledger::split_equally(made.amount, packet->shares);
    made.shares.assign(shares.begin(), shares.end());
    made.code = accounts_->packet_code(offer.key);
    accounts_->lead(made.code, {state_.id, offer.incentive, {}});
  } else if (const auto* coupon = std::get_if<plan::Coupon>(&incentive.what)) {
    made.code = code_for(incentive, *coupon, offer);
    if (!made.code.empty()) accounts_->lead(made.code, {state_.id, offer.incentive, {}});
  } else if (const auto* draw = std::get_if<plan::PrizeDraw>(&incentive.what)) {
    made.prize = draw->prizes[*drawn(offer)].name;
  }
}

// The next one: of its pattern, or of those that were uploaded.
std::string Turn::code_for(const plan::Incentive& incentive, const plan::Coupon& coupon,
                           const Offer& offer) {
  if (coupon.pool.empty()) {
    const auto pattern = ledger::CodePattern::read(coupon.pattern);
    KOI_ASSERT(pattern);  // check has read it
    return pattern->code(accounts_->secret("codes " + incentive.symbol.name),
                         accounts_->next_number(offer.incentive));
  }
  std::string code = accounts_->take_code(coupon.pool);
  const auto left = static_cast<std::int64_t>(accounts_->left_behind(coupon.pool));
  if (left == coupon.low_at)
    echo(EngineEvent::RunningLow, {Value::text(incentive.symbol.name), Value::integer(left)},
         HashInput()
             .text("running low")
             .number(offer.key.high)
             .number(offer.key.low)
             .hash128(plan_.seed));
  return code;
}

// A draw's prize is there: one less of it, and where it is a gift it is given in its turn. What is
// refused then is in the hat again.
void Turn::hand_out(const Offer& offer, std::size_t prize) {
  const auto& drawn_of = std::get<plan::PrizeDraw>(plan_.incentives[offer.incentive.index()].what);
  const plan::PrizeDraw::Prize& what = drawn_of.prizes[prize];
  if (what.gift.is_none()) return accounts_->prize_is_given(offer.incentive, prize);
  Offer inner = offer;
  inner.incentive = what.gift;
  inner.points = what.points;
  inner.what_is_left = false;
  inner.key =
      HashInput().text("prize").number(offer.key.high).number(offer.key.low).hash128(plan_.seed);
  if (grant(inner)) accounts_->prize_is_given(offer.incentive, prize);
}

// It has reached him.
void Turn::settle_grant(Grant& grant) {
  const plan::Incentive& incentive = plan_.incentives[grant.incentive.index()];
  move(grant, Stage::Reserved, Stage::Given);
  grant.stage = Stage::Given;
  grant.counted.clear();
  const Zone& clock = *plan_.policy.zone;
  const auto is_his = [&] {
    move(grant, Stage::Given, Stage::Claimed);
    grant.stage = Stage::Claimed;
  };
  if (const auto* packet = std::get_if<plan::RedPacket>(&incentive.what)) {
    if (packet->claim_within)
      grant.until = add(now_, *packet->claim_within, clock);
    else if (packet->how != plan::RedPacket::How::Group)
      is_his();
  } else if (const auto* coupon = std::get_if<plan::Coupon>(&incentive.what)) {
    grant.until = coupon->valid_until;
    if (coupon->valid_for)
      grant.until = std::min(grant.until, add(now_, *coupon->valid_for, clock));
  } else if (const auto* points = std::get_if<plan::Points>(&incentive.what)) {
    Purse& purse = purse_of(grant.incentive);
    if (ledger::earn(purse.lots, lot_of(grant, *points)))
      note_moved(purse, Moved::What::Earned, grant.amount);
    else
      grant.amount = 0;  // more than anybody can hold: they are lost, and the ledger says so
  } else {
    is_his();
  }
  tell(EngineEvent::Given, grant, grant.amount);
}

Purse& Turn::purse_of(plan::IncentiveId points) {
  auto& purses = holdings().purses;
  auto place = std::lower_bound(purses.begin(), purses.end(), points,
                                [](const Purse& a, plan::IncentiveId b) { return a.points < b; });
  if (place == purses.end() || place->points != points)
    place = purses.insert(place, Purse{points, {}});
  return *place;
}

// What points that were given then are in his purse.
ledger::Lot Turn::lot_of(const Grant& grant, const plan::Points& points) const {
  const Zone& clock = *plan_.policy.zone;
  ledger::Lot lot;
  lot.amount = grant.amount;
  if (points.expire) lot.lapses = add(grant.at, *points.expire, clock);
  if (points.pending) lot.usable = add(grant.at, *points.pending, clock);
  return lot;
}

void Turn::note_moved(Purse& purse, Moved::What what, std::int64_t amount) const {
  if (amount <= 0) return;
  if (purse.history.size() >= most_moved) purse.history.erase(purse.history.begin());
  purse.history.push_back({what, now_, amount});
}

// Points that a step of the journey that gave them may still take back.
bool Turn::may_go_back(const Grant& grant) const {
  if (grant.campaign.is_none() || grant.stage != Stage::Given) return false;
  const auto& steps = campaign(grant.campaign).steps;
  const bool is_asked = std::any_of(steps.begin(), steps.end(), [&](const plan::Step& each) {
    const auto* back = std::get_if<plan::ClawBack>(&each);
    return back && back->incentive == grant.incentive;
  });
  return is_asked &&
         std::any_of(state_.journeys.begin(), state_.journeys.end(), [&](const Journey& each) {
           return each.id == grant.entry && each.phase == Journey::Phase::Active;
         });
}

// A reward at some event may have come before the friend qualified, which is what the time to claw
// back counts from.
bool Turn::may_be_clawed_back(const Grant& grant) const {
  if (grant.referral.is_none() || grant.stage == Stage::ClawedBack || grant.stage == Stage::Lapsed)
    return false;
  const plan::Referral& rules = referral(grant.referral);
  if (!rules.claws_back) return false;
  const bool may_come_first =
      std::any_of(rules.rewards.begin(), rules.rewards.end(),
                  [](const plan::Referral::Reward& each) { return !each.at.is_none(); });
  if (!rules.claw_within || (may_come_first && !rules.qualify_within)) return true;
  const Zone& clock = *plan_.policy.zone;
  const Timestamp qualified =
      may_come_first ? add(grant.at, *rules.qualify_within, clock) : grant.at;
  return add(qualified, *rules.claw_within, clock) >= now_;
}

// Watches that read what he has are brought up to date; what is over and not the last of its kind
// is forgotten.
void Turn::grants_changed(Hash128 cause) {
  auto& grants = holdings().grants;
  std::vector<bool> is_last(plan_.incentives.size(), true);  // as seen from the end
  std::vector<bool> drops(grants.size());
  for (std::size_t i = grants.size(); i-- > 0;) {
    const Grant& each = grants[i];
    const bool is_points =
        std::holds_alternative<plan::Points>(plan_.incentives[each.incentive.index()].what);
    // Who comes for a share of what is shared out is told so until the packet's end, and a share
    // that could not be paid comes back to it.
    const bool is_asked_for = each.stage == Stage::Claimed && !each.shares.empty() &&
                              each.until != Timestamp::never() && each.until > now_;
    // Whoever has redeemed it may roll it back, and who comes with the code again is told.
    const bool may_come_again = is_done(each) && !each.code.empty() &&
                                each.done != Timestamp::ever() &&
                                each.done + plan_.policy.id_horizon > now_;
    drops[i] = !is_last[each.incentive.index()] && !is_asked_for && each.unpaid.empty() &&
               !may_be_clawed_back(each) && !may_come_again && !may_go_back(each) &&
               (is_done(each) || is_points);
    is_last[each.incentive.index()] = false;
    if (drops[i] && !each.code.empty()) accounts_->forget(each.code);
  }
  if (std::find(drops.begin(), drops.end(), true) != drops.end())
    erase_if(grants, [&](const Grant& each) {
      return drops[static_cast<std::size_t>(&each - grants.begin())];
    });
  if (waking_) note_source(waking_->index.sources().grants());
  if (!plan_.watches_of_grants.empty()) update_watches(plan_.watches_of_grants, {nullptr, cause});
}

// --- Steps ---------------------------------------------------------------------------------------

// What a step gives, as the effect of that number in the journey.
Turn::Offer Turn::offer_of(const plan::Give& give, const Journey& journey,
                           std::size_t occurrence) const {
  Offer offer;
  offer.campaign = journey.campaign;
  offer.entry = journey.id;
  offer.incentive = give.incentive;
  offer.what_is_left = give.what_is_left;
  offer.key = HashInput()
                  .text("give")
                  .number(journey.id.high)
                  .number(journey.id.low)
                  .number(give.ordinal)
                  .number(static_cast<std::uint16_t>(occurrence))
                  .hash128(plan_.seed);
  return offer;
}

// False: it was refused.
bool Turn::do_give(const plan::Give& give, Journey& journey) {
  Offer offer = offer_of(give, journey, journey.occurrence);
  ++journey.occurrence;
  const auto refuse = [&](Reason reason) {
    refuse_gift(Action::Give, offer, reason);
    return false;
  };
  const Reason shut = ask_gate(campaign(journey.campaign), journey.held_out, now_);
  if (shut != Reason::None) return refuse(shut);
  if (give.amount) {
    const Value amount = value_of(facts(journey.frame), give.amount);
    if (amount.is_missing()) return refuse(Reason::MissingValue);
    offer.points = amount.raw();
  }
  return give.to_inviter ? give_to_inviter(offer) : grant(offer);
}

// What this journey has given him of the points and he still has.
void Turn::do_claw_back(const plan::ClawBack& back, const Journey& journey) {
  if (state_.holdings.empty()) return;
  std::vector<Hash128> given;
  for (const Grant& each : holdings().grants)
    if (each.entry == journey.id && each.incentive == back.incentive && each.stage == Stage::Given)
      given.push_back(each.key);
  for (const Hash128 key : given) claw_back(key);
  if (!given.empty()) grants_changed(given.back());
}

// True: they were taken, and it goes on with the next step; else pc has moved.
bool Turn::do_take(const plan::Take& take, Journey& journey) {
  Offer offer;
  offer.campaign = journey.campaign;
  offer.entry = journey.id;
  offer.incentive = take.incentive;
  offer.key = HashInput()
                  .text("take")
                  .number(journey.id.high)
                  .number(journey.id.low)
                  .number(take.ordinal)
                  .number(journey.occurrence++)
                  .hash128(plan_.seed);
  const auto refuse = [&](Reason reason, std::uint16_t to) {
    mark(journey.campaign, Trace::What::False, journey.pc);
    refuse_gift(Action::Take, offer, reason);
    journey.pc = to;
    return false;
  };
  const Reason shut = ask_gate(campaign(journey.campaign), journey.held_out, now_);
  if (shut != Reason::None) return refuse(shut, take.otherwise);
  const Value amount = value_of(facts(journey.frame), take.amount);
  if (amount.is_missing()) return refuse(Reason::MissingValue, take.otherwise);
  auto& lots = purse_of(take.incentive).lots;
  if (amount.raw() < 0 || ledger::balance(lots, now_) < amount.raw())
    return refuse(Reason::NotEnough, take.otherwise);
  // Nothing is taken for what cannot be given.
  Planned planned;
  for (const plan::Take::Next& next : take.gives) {
    if (next.give.to_inviter) continue;
    Offer wanted = offer_of(next.give, journey, std::size_t{journey.occurrence} + next.behind);
    if (next.give.amount) {
      const Value points = value_of(facts(journey.frame), next.give.amount);
      if (points.is_missing() || points.raw() <= 0) continue;
      wanted.points = points.raw();
    }
    if (const Reason reason = ask_grant(wanted, planned); reason != Reason::None) {
      refuse_gift(Action::Give, wanted, reason);
      journey.pc = take.end;
      return false;
    }
  }
  mark(journey.campaign, Trace::What::True, journey.pc);
  ledger::spend(lots, amount.raw(), now_);
  note_moved(purse_of(take.incentive), Moved::What::Spent, amount.raw());
  if (amount.raw() > 0)
    accounts_->post({now_,
                     accounts_->pot(plan_.incentives[take.incentive.index()].budgets[0], now_),
                     Stage::Given, Stage::Claimed, amount.raw(), cause_of(offer.key)});
  gift_effect(Action::Take, offer).gift->amount = amount;
  grants_changed(offer.key);
  return true;
}

// --- What becomes of it --------------------------------------------------------------------------

// The receipt of something that was paid out; false where it is nobody's.
bool Turn::take_payout(const Receipt& receipt) {
  if (state_.holdings.empty()) return false;
  auto& grants = holdings().grants;
  const auto place = std::find_if(grants.begin(), grants.end(), [&](const Grant& each) {
    return each.key == receipt.key && each.stage == Stage::Reserved;
  });
  if (place == grants.end()) return false;
  if (receipt.failure == Failure::None) {
    settle_grant(*place);
    if (is_revoked(*place)) claw_back(receipt.key);
  } else {
    move(*place, Stage::Reserved, Stage::Returned);
    release_limits(place->counted);
    tell(EngineEvent::RewardFailed, *place, place->amount);
    grants.erase(place);
  }
  grants_changed(receipt.key);
  return true;
}

// From outside: he has taken what was waiting for him, or used it at a till.
void Turn::note_claim(const Happening& what) {
  if (!accounts_ || state_.holdings.empty() || what.by_engine) return;
  const bool redeemed = what.type == type_of(EngineEvent::Redeemed);
  if (!redeemed && what.type != type_of(EngineEvent::Claimed)) return;
  const std::string_view incentive = what.fields[0].as_text(), code = what.fields[2].as_text();
  auto& grants = holdings().grants;
  Grant* found = nullptr;
  for (Grant& each : grants) {
    const plan::Incentive& of = plan_.incentives[each.incentive.index()];
    const bool fits_kind = redeemed ? std::holds_alternative<plan::Coupon>(of.what)
                                    : std::holds_alternative<plan::RedPacket>(of.what) &&
                                          !is_group(plan_, each.incentive);
    const bool named = code.empty() ? !incentive.empty() && (of.symbol.name == incentive ||
                                                             of.symbol.alias == incentive)
                                    : each.code == code;
    if (fits_kind && named && each.stage == Stage::Given && last_of(each) >= now_) found = &each;
  }
  if (!found) return;
  std::optional<std::int64_t> off;
  if (redeemed && !what.fields[1].is_missing()) off = what.fields[1].raw();
  use_up(*found, off);
  grants_changed(found->key);
}

// Of a coupon the rest that was not taken off is there again.
void Turn::use_up(Grant& grant, std::optional<std::int64_t> off) {
  for (Charge& charge : grant.charges) {
    if (!off || !charge.is_money) continue;
    const std::int64_t used = std::clamp<std::int64_t>(*off, 0, charge.amount);
    if (used == charge.amount) continue;
    accounts_->post({now_, charge.pot, Stage::Given, Stage::Returned, charge.amount - used,
                     cause_of(grant.key)});
    charge.amount = used;
  }
  move(grant, Stage::Given, Stage::Claimed);
  grant.stage = Stage::Claimed;
  grant.locked_until = Timestamp::ever();
  grant.done = now_;
}

// What nobody has taken of a packet is all that it is charged for from here on.
std::int64_t Turn::charge_rest(Grant& grant) const {
  std::int64_t rest = 0;
  for (std::size_t i = grant.taken; i < grant.shares.size(); ++i) rest += grant.shares[i];
  for (Charge& charge : grant.charges)
    charge.amount = charge.is_money ? rest : (grant.taken == 0 ? charge.amount : 0);
  return rest;
}

// What was not claimed, redeemed or spent in time goes back to where it came from.
void Turn::lapse_grants() {
  if (state_.holdings.empty()) return;
  Holdings& mine = holdings();
  bool changed = false;
  Hash128 cause{};
  for (Grant& grant : mine.grants) {
    if (grant.stage != Stage::Given || last_of(grant) > now_) continue;
    std::int64_t rest = grant.amount;
    const bool is_issued =
        std::holds_alternative<plan::Coupon>(plan_.incentives[grant.incentive.index()].what);
    if (!grant.shares.empty()) rest = charge_rest(grant);
    move(grant, Stage::Given, Stage::Lapsed);
    // A code that was issued was issued; its money is there again.
    if (is_issued)
      for (Charge& charge : grant.charges)
        if (!charge.is_money) charge.amount = 0;
    move(grant, Stage::Lapsed, Stage::Returned);
    grant.stage = Stage::Lapsed;
    grant.locked_until = Timestamp::ever();
    grant.done = now_;
    tell(EngineEvent::Lapsed, grant, rest);
    cause = grant.key;
    changed = true;
  }
  for (Purse& purse : mine.purses) {
    if (ledger::ripen(purse.lots, now_)) {
      cause = input_.known;
      changed = true;
    }
    const std::int64_t gone = ledger::lapse(purse.lots, now_);
    if (gone == 0) continue;
    note_moved(purse, Moved::What::Lapsed, gone);
    const plan::Incentive& points = plan_.incentives[purse.points.index()];
    cause = HashInput()
                .text("lapse")
                .text(state_.id)
                .number(points.definition)
                .number(static_cast<std::uint64_t>(now_.us))
                .hash128(plan_.seed);
    accounts_->post({now_, accounts_->pot(points.budgets[0], now_), Stage::Given, Stage::Lapsed,
                     gone, cause_of(cause)});
    echo(EngineEvent::Lapsed, {Value::text(points.symbol.name), {}, {}, {}}, cause);
    changed = true;
  }
  if (changed) grants_changed(cause);
}

// --- Shares of a packet --------------------------------------------------------------------------

// An event that claims a share of somebody's packet: it counts as claimed only when it was. False:
// it is no such event.
bool Turn::claim_share(const Event& event) {
  if (!accounts_ || event.type != type_of(EngineEvent::Claimed)) return false;
  const Accounts::Place* place = accounts_->find(event.fields[2].as_text());
  if (!place || place->incentive.is_none() || !is_group(plan_, place->incentive)) return false;
  Offer offer;
  offer.incentive = place->incentive;
  offer.key = HashInput()
                  .text("claim")
                  .text(state_.id)
                  .text(event.id)
                  .text(event.fields[2].as_text())
                  .hash128(plan_.seed);
  offer.entry = offer.key;
  ask_for_share(*place, event.fields[2].as_text(), offer);
  return true;
}

// None: the packet's giver is asked.
Reason Turn::ask_for_share(const Accounts::Place& place, std::string_view code,
                           const Offer& offer) {
  const plan::Incentive& incentive = plan_.incentives[offer.incentive.index()];
  const std::int64_t room = room_for_share(incentive);
  if (room == 0 || ask_limits(incentive, 0, true, {}) != Reason::None) {
    refuse_gift(Action::Claim, offer, Reason::Limit);
    return Reason::Limit;
  }
  Message message = message_to(place.customer, Message::Kind::Claim, {}, offer.key);
  message.incentive = offer.incentive;
  message.code = code;
  message.amount = room;
  message.hashes = hashes_of_others();
  accounts_->send(std::move(message));
  return Reason::None;
}

// A friend asks for a share of the packet: the next one, if he may have one.
void Turn::take_claim(const Message& message) {
  Message answer = message_to(message.from, Message::Kind::Claimed, {}, message.key);
  answer.incentive = message.incentive;
  answer.code = message.code;
  auto& grants = holdings().grants;
  const auto place = std::find_if(grants.begin(), grants.end(), [&](const Grant& each) {
    return each.code == message.code && !each.shares.empty();
  });
  const std::uint64_t who = hash_of_customer(message.from);
  const auto has_one = [&](std::uint64_t hash) {
    return std::find(place->claimants.begin(), place->claimants.end(), hash) !=
           place->claimants.end();
  };
  if (place == grants.end() || (place->stage != Stage::Given && place->stage != Stage::Claimed)) {
    answer.reason = Reason::TooLate;
  } else if (has_one(who) || std::any_of(message.hashes.begin(), message.hashes.end(), has_one)) {
    answer.reason = Reason::TakenBefore;
  } else if (place->taken == place->shares.size()) {
    answer.reason = Reason::AllTaken;
  } else if (place->shares[place->taken] > message.amount) {
    answer.reason = Reason::Limit;
  } else {
    answer.amount = place->shares[place->taken++];
    answer.campaign = place->campaign;
    answer.entry = place->entry;
    place->claimants.push_back(who);
    if (const auto* packet = packet_of(plan_, place->incentive); packet && packet->pay_via)
      place->unpaid.insert(std::lower_bound(place->unpaid.begin(), place->unpaid.end(), who), who);
    for (const Charge& charge : place->charges) {
      const std::int64_t part =
          charge.is_money ? answer.amount : (place->taken == 1 ? charge.amount : 0);
      if (part > 0)
        accounts_->post(
            {now_, charge.pot, Stage::Given, Stage::Claimed, part, cause_of(message.key)});
    }
    if (place->taken == place->shares.size()) {
      // It may have been so before, until a share could not be paid.
      const bool is_first = place->done == Timestamp::ever();
      place->stage = Stage::Claimed;
      place->done = now_;
      tell(EngineEvent::SharedOut, *place, place->amount, is_first ? place->key : message.key);
    }
  }
  accounts_->send(std::move(answer));
  grants_changed(message.key);
}

void Turn::take_claimed(const Message& told) {
  Message message = told;
  // Between groups others on his device, or he himself, may have come before since he has asked:
  // the share is there for others again.
  if (message.reason == Reason::None && accounts_->is_shared() &&
      ask_limits(plan_.incentives[message.incentive.index()], message.amount, true, {}) !=
          Reason::None) {
    Message back = message_to(message.from, Message::Kind::NotPaid, {}, message.key);
    back.incentive = message.incentive;
    back.code = message.code;
    back.amount = message.amount;
    accounts_->send(std::move(back));
    message.reason = Reason::Limit;
    message.amount = 0;
  }
  finish_claim(message);
  Offer offer;
  offer.incentive = message.incentive;
  offer.campaign = message.campaign;
  offer.entry = message.entry;
  offer.key = message.key;
  if (message.reason != Reason::None) {
    offer.entry = message.key;
    return refuse_gift(Action::Claim, offer, message.reason);
  }
  const plan::Incentive& incentive = plan_.incentives[offer.incentive.index()];
  List<Counted> counted;
  count_limits(incentive, message.amount, true, counted);
  Effect& effect = gift_effect(Action::Claim, offer);
  effect.gift->amount = Value::money(message.amount);
  effect.gift->code = message.code;
  const auto& packet = std::get<plan::RedPacket>(incentive.what);
  if (packet.pay_via) {
    effect.channel = packet.pay_via;
    effect.gift->address = address(packet.pay_via);
    effect.wants_receipt = true;
    Share share;
    share.key = offer.key;
    share.entry = offer.entry;
    share.incentive = offer.incentive;
    share.campaign = offer.campaign;
    share.giver = message.from;
    share.code = message.code;
    share.amount = message.amount;
    share.counted = std::move(counted);
    holdings().shares.push_back(std::move(share));
  }
  echo(EngineEvent::Claimed,
       {Value::text(incentive.symbol.name), Value::money(message.amount), Value::text(message.code),
        offer.campaign ? Value::text(campaign(offer.campaign).symbol.name) : Value()},
       offer.key);
}

// The receipt of a share that is paid to him; false where it is nobody's.
bool Turn::take_share_payout(const Receipt& receipt) {
  if (state_.holdings.empty()) return false;
  auto& shares = holdings().shares;
  const auto place = std::find_if(shares.begin(), shares.end(),
                                  [&](const Share& each) { return each.key == receipt.key; });
  if (place == shares.end()) return false;
  const Share share = std::move(*place);
  shares.erase(place);
  const bool failed = receipt.failure != Failure::None;
  Message message =
      message_to(share.giver, failed ? Message::Kind::NotPaid : Message::Kind::Paid, {}, share.key);
  message.incentive = share.incentive;
  message.code = share.code;
  message.amount = share.amount;
  message.hashes = hashes_of_others();
  accounts_->send(std::move(message));
  if (!failed) return true;
  release_limits(share.counted);
  Grant his;  // as events tell of it
  his.key = share.key;
  his.incentive = share.incentive;
  his.campaign = share.campaign;
  his.code = share.code;
  tell(EngineEvent::RewardFailed, his, share.amount);
  grants_changed(share.key);
  return true;
}

// A friend has been paid his share, or could not be.
void Turn::take_paid(const Message& message) {
  if (state_.holdings.empty()) return;
  auto& grants = holdings().grants;
  const auto packet = std::find_if(grants.begin(), grants.end(), [&](const Grant& each) {
    return each.code == message.code && !each.shares.empty();
  });
  if (packet == grants.end()) return;
  // Of two shares that one person has taken under two ids, the one of that amount.
  std::vector<std::uint64_t> ids{hash_of_customer(message.from)};
  ids.insert(ids.end(), message.hashes.begin(), message.hashes.end());
  auto claimed = packet->claimants.end();
  for (const std::uint64_t who : ids) {
    const auto share = std::find(packet->claimants.begin(), packet->claimants.end(), who);
    if (share == packet->claimants.end()) continue;
    claimed = share;
    if (packet->shares[static_cast<std::size_t>(share - packet->claimants.begin())] ==
        message.amount)
      break;
  }
  // One that nobody was to pay out may be there again too.
  if (claimed == packet->claimants.end()) return;
  const auto waits = std::find(packet->unpaid.begin(), packet->unpaid.end(), *claimed);
  if (waits != packet->unpaid.end())
    packet->unpaid.erase(waits);
  else if (message.kind == Message::Kind::Paid)
    return;
  if (message.kind == Message::Kind::NotPaid) {
    put_back_share(*packet, static_cast<std::size_t>(claimed - packet->claimants.begin()),
                   message.key);
    tell(EngineEvent::RewardFailed, *packet, message.amount, message.key);
  }
  grants_changed(message.key);
}

// It is there for the next friend, the one who could not be paid too; where the packet is over it
// goes back to its budget.
void Turn::put_back_share(Grant& packet, std::size_t place, Hash128 cause) {
  const std::int64_t amount = packet.shares[place];
  const bool is_open =
      packet.stage == Stage::Given || (packet.stage == Stage::Claimed && packet.until > now_);
  const auto post = [&](const Charge& charge, Stage from, Stage to, std::int64_t part) {
    if (part > 0) accounts_->post({now_, charge.pot, from, to, part, cause_of(cause)});
  };
  for (const Charge& charge : packet.charges) {
    const std::int64_t part = charge.is_money ? amount : 0;
    post(charge, Stage::Claimed, Stage::Given, part);
    if (is_open) {
      // The packet itself counts as claimed with its first share.
      if (!charge.is_money && packet.taken == 1)
        post(charge, Stage::Claimed, Stage::Given, charge.amount);
      continue;
    }
    post(charge, Stage::Given, Stage::Lapsed, part);
    post(charge, Stage::Lapsed, Stage::Returned, part);
  }
  if (!is_open) return;
  const auto at = static_cast<std::ptrdiff_t>(place);
  packet.shares.erase(packet.shares.begin() + at);
  packet.shares.push_back(amount);
  packet.claimants.erase(packet.claimants.begin() + at);
  --packet.taken;
  packet.stage = Stage::Given;
}

}  // namespace koi::core
