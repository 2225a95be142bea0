// What becomes of a grant: it reaches him, is claimed, redeemed or clawed back, or lapses, and is
// forgotten when nobody can ask about it any more.
#include <algorithm>
#include <utility>

#include "core/detail/turn.h"

namespace koi::core {

using ledger::Stage;

namespace {

bool is_done(const Grant& grant) {
  return grant.stage != Stage::Reserved && grant.stage != Stage::Given;
}

}  // namespace

// It has reached him; `is_unopened`: on its way, for as long as he may claim it.
void Turn::settle_grant(Grant& grant, bool is_unopened) {
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
    const bool is_group = packet->how == plan::RedPacket::How::Group;
    if (packet->claim_within && (is_group || is_unopened))
      grant.until = add(now_, *packet->claim_within, clock);
    else if (!is_group)
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
  // Who pays it out has said that he has it.
  const auto* packet = std::get_if<plan::RedPacket>(&incentive.what);
  if (packet && packet->claim_within && grant.stage == Stage::Claimed)
    tell(EngineEvent::Claimed, grant, grant.amount);
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
  const bool may_come_first =
      std::any_of(rules.rewards.begin(), rules.rewards.end(),
                  [](const plan::Referral::Reward& each) { return !each.at.is_none(); });
  const Zone& clock = *plan_.policy.zone;
  return std::any_of(rules.undone_by.begin(), rules.undone_by.end(), [&](const auto& undoing) {
    if (!undoing.within || (may_come_first && !rules.qualify_within)) return true;
    const Timestamp qualified =
        may_come_first ? add(grant.at, *rules.qualify_within, clock) : grant.at;
    return add(qualified, *undoing.within, clock) >= now_;
  });
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

// The receipt of something that was paid out; false where it is nobody's.
bool Turn::take_payout(const Receipt& receipt) {
  if (state_.holdings.empty()) return false;
  auto& grants = holdings().grants;
  const auto place = std::find_if(grants.begin(), grants.end(), [&](const Grant& each) {
    return each.key == receipt.key && each.stage == Stage::Reserved;
  });
  if (place == grants.end()) return false;
  if (receipt.failure == Failure::None) {
    settle_grant(*place, receipt.is_unopened);
    if (is_revoked(*place)) claw_back(receipt.key);
  } else if (receipt.failure == Failure::Lapsed) {
    move(*place, Stage::Reserved, Stage::Given);
    lapse(*place, place->amount);
  } else {
    move(*place, Stage::Reserved, Stage::Returned);
    release_limits(place->counted);
    tell(EngineEvent::RewardFailed, *place, place->amount);
    grants.erase(place);
  }
  grants_changed(receipt.key);
  return true;
}

// --- Reported from outside: he has taken what was waiting for him, or used it at a till ----------

namespace {

bool is_open_for_report(const Grant& grant, Timestamp now) {
  return grant.stage == Stage::Given && last_of(grant) >= now;
}

// What was taken off is said to be so much; nobody is promised more than this.
std::int64_t worth_at_most(const plan::Coupon& coupon, const Grant& grant) {
  std::int64_t most = coupon.is_percent ? coupon.ceiling.value_or(INT64_MAX) : coupon.off;
  for (const Charge& charge : grant.charges)
    if (charge.is_money) most = std::min(most, charge.amount);
  return most;
}

bool has_coupons(const plan::Plan& plan) {
  return std::any_of(plan.incentives.begin(), plan.incentives.end(), [](const auto& each) {
    return std::holds_alternative<plan::Coupon>(each.what);
  });
}

}  // namespace

// Of those that the report fits the last that it can still be about, else the last one that it was
// about; null: he has none.
Grant* Turn::reported(EventTypeId type, std::span<const Value> fields) {
  const bool redeemed = type == type_of(EngineEvent::Redeemed);
  if (!accounts_ || state_.holdings.empty() || (!redeemed && type != type_of(EngineEvent::Claimed)))
    return nullptr;
  const std::string_view incentive = fields[incentive_field::incentive].as_text(),
                         code = fields[incentive_field::code].as_text();
  const auto fits = [&](const Grant& each) {
    const plan::Incentive& of = plan_.incentives[each.incentive.index()];
    const bool fits_kind = redeemed ? std::holds_alternative<plan::Coupon>(of.what)
                                    : std::holds_alternative<plan::RedPacket>(of.what) &&
                                          !is_group_packet(plan_, each.incentive);
    const bool named = code.empty() ? !incentive.empty() && (of.symbol.name == incentive ||
                                                             of.symbol.alias == incentive)
                                    : each.code == code;
    return fits_kind && named;
  };
  const auto nearness = [&](const Grant& each) {
    return is_open_for_report(each, now_) ? (is_locked(each, now_) ? 1 : 2) : 0;
  };
  Grant* found = nullptr;
  for (Grant& each : holdings().grants)
    if (fits(each) && (!found || nearness(each) >= nearness(*found))) found = &each;
  return found;
}

// A report of a redemption that was none: what it names is not his, or is over, or is locked, and
// nobody but the order that has the lock can redeem it. It is refused, and nothing else comes of
// it. Rules without coupons hear of redemptions as of anything else.
bool Turn::refuse_redemption(const Event& event) {
  if (!accounts_ || event.type != type_of(EngineEvent::Redeemed) || !has_coupons(plan_))
    return false;
  const Grant* const named = reported(event.type, event.fields);
  Reason reason = Reason::UnknownCode;
  if (named && is_open_for_report(*named, now_))
    reason = is_locked(*named, now_) ? Reason::Locked : Reason::None;
  else if (named)
    reason = named->stage == Stage::Claimed ? Reason::Redeemed : Reason::Lapsed;
  if (reason == Reason::None) return false;
  Offer offer;
  if (named) {
    offer.incentive = named->incentive;
    offer.campaign = named->campaign;
    offer.referral = named->referral;
  } else {
    const std::string_view said = event.fields[incentive_field::incentive].as_text();
    for (std::size_t i = 0; i < plan_.incentives.size(); ++i)
      if (const plan::Incentive& each = plan_.incentives[i];
          !said.empty() && (each.symbol.name == said || each.symbol.alias == said))
        offer.incentive = plan::IncentiveId::of(i);
  }
  offer.key = HashInput().text("redeem").text(state_.id).text(event.id).hash128(plan_.seed);
  offer.entry = named ? named->entry : offer.key;
  refuse_gift(Action::Redeem, offer, reason);
  effects_.back().gift->code = event.fields[incentive_field::code].as_text();
  return true;
}

// What campaigns see of the event: what a report leaves out is known of the grant that it is about,
// and no more is taken off than that is worth.
std::span<const Value> Turn::completed(const Event& event, std::vector<Value>& room) {
  const Grant* const about = reported(event.type, event.fields);
  if (!about || !is_open_for_report(*about, now_)) return event.fields;
  const plan::Incentive& incentive = plan_.incentives[about->incentive.index()];
  room = event.fields;
  room[incentive_field::incentive] = Value::text(incentive.symbol.name);
  if (!about->code.empty()) room[incentive_field::code] = Value::text(about->code);
  if (about->campaign)
    room[incentive_field::campaign] = Value::text(campaign(about->campaign).symbol.name);
  Value& amount = room[incentive_field::amount];
  if (const auto* coupon = std::get_if<plan::Coupon>(&incentive.what);
      coupon && !amount.is_missing())
    amount =
        Value::money(std::clamp<std::int64_t>(amount.raw(), 0, worth_at_most(*coupon, *about)));
  return room;
}

void Turn::note_claim(const Happening& what) {
  if (what.by_engine) return;
  Grant* const about = reported(what.type, what.fields);
  if (!about || !is_open_for_report(*about, now_)) return;
  std::optional<std::int64_t> off;
  if (what.type == type_of(EngineEvent::Redeemed) &&
      !what.fields[incentive_field::amount].is_missing())
    off = what.fields[incentive_field::amount].raw();
  use_up(*about, off);
  grants_changed(about->key);
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

// What was given and not taken goes back to where it came from: `rest` of it.
void Turn::lapse(Grant& grant, std::int64_t rest) {
  move(grant, Stage::Given, Stage::Lapsed);
  // A code that was issued was issued; its money is there again.
  if (std::holds_alternative<plan::Coupon>(plan_.incentives[grant.incentive.index()].what))
    for (Charge& charge : grant.charges)
      if (!charge.is_money) charge.amount = 0;
  move(grant, Stage::Lapsed, Stage::Returned);
  grant.stage = Stage::Lapsed;
  grant.counted.clear();
  grant.locked_until = Timestamp::ever();
  grant.done = now_;
  tell(EngineEvent::Lapsed, grant, rest);
}

// What was not claimed, redeemed or spent in time.
void Turn::lapse_grants() {
  if (state_.holdings.empty()) return;
  Holdings& mine = holdings();
  bool changed = false;
  Hash128 cause{};
  for (Grant& grant : mine.grants) {
    if (grant.stage != Stage::Given || last_of(grant) > now_) continue;
    std::int64_t rest = grant.amount;
    if (!grant.shares.empty()) rest = charge_rest(grant);
    lapse(grant, rest);
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

}  // namespace koi::core
