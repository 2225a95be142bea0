// What is given and taken: what each makes of its occasion, its code, its prize, and the steps of a
// journey that ask for it. Whether it may be given is in room.cpp, what becomes of it in
// grants.cpp, and what friends take of a packet in shares.cpp.
#include <algorithm>
#include <utility>

#include "core/detail/turn.h"
#include "core/gate.h"
#include "ledger/amounts.h"
#include "ledger/codes.h"

namespace koi::core {

using ledger::Stage;

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
  if (of == Action::Give || of == Action::Take) refusal.gift->amount = asked_for(offer);
}

// What a refusal tells: missing of what comes whole, or where nobody knows how much.
Value Turn::asked_for(const Offer& offer) const {
  if (offer.incentive.is_none()) return {};
  const plan::Incentive& incentive = plan_.incentives[offer.incentive.index()];
  if (std::holds_alternative<plan::PrizeDraw>(incentive.what)) return {};
  const std::int64_t amount = amount_of(offer);
  if (amount <= 0) return {};
  return std::holds_alternative<plan::Points>(incentive.what) ? Value::integer(amount)
                                                              : Value::money(amount);
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

  const bool is_draw = std::holds_alternative<plan::PrizeDraw>(incentive.what);
  Effect& effect = gift_effect(Action::Give, offer);
  Gift& gift = *effect.gift;
  gift.amount = std::holds_alternative<plan::Points>(incentive.what)
                    ? Value::integer(made.amount)
                    : (is_draw ? Value() : Value::money(made.amount));
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
  auto& grants = holdings().grants;
  grants.push_back(std::move(made));
  if (!waits) settle_grant(grants.back());
  if (is_draw) {
    ledger::Drawn what = drawn(offer);
    gift.missed = std::move(what.missed);
    hand_out(offer, *what.prize);
  }
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
    made.prize = draw->prizes[*drawn(offer).prize].name;
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

// Names the gift that a draw's prize is.
Hash128 Turn::key_of_drawn(Hash128 draw) const {
  return HashInput().text("prize").number(draw.high).number(draw.low).hash128(plan_.seed);
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
  inner.key = key_of_drawn(offer.key);
  if (grant(inner)) accounts_->prize_is_given(offer.incentive, prize);
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
  offer.points = amount.raw();
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

}  // namespace koi::core
