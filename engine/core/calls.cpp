// What tills, pages and reviewers ask for: what a coupon takes off an order, locks and redemptions,
// and what was answered before.
#include <algorithm>
#include <array>
#include <utility>

#include "core/detail/turn.h"

namespace koi::core {

using ledger::Stage;

namespace {

constexpr std::array<std::string_view, call_kind_count> kind_names{
    "validate", "lock", "redeem", "roll_back", "claim", "approve", "decline"};

const plan::Coupon* coupon_of(const plan::Plan& plan, plan::IncentiveId id) {
  return std::get_if<plan::Coupon>(&plan.incentives[id.index()].what);
}

// Null: he has none with that code.
template <class State>
auto* coupon_grant(const plan::Plan& plan, State& state, std::string_view code) {
  decltype(&state.holdings[0].grants[0]) found = nullptr;
  if (!state.holdings.empty() && !code.empty())
    for (auto& each : state.holdings[0].grants)
      if (each.code == code && coupon_of(plan, each.incentive)) found = &each;
  return found;
}

bool allows(const plan::Plan& plan, plan::IncentiveId one, plan::IncentiveId other) {
  const plan::Coupon& coupon = *coupon_of(plan, one);
  return coupon.combines_with_any ||
         std::find(coupon.combines_with.begin(), coupon.combines_with.end(), other) !=
             coupon.combines_with.end();
}

// The code on the same order beside which this coupon can not be used; empty: there is none. What
// the till says is on the order counts, and what it has locked or redeemed for it here.
std::string in_the_way(const plan::Plan& plan, const State& holder, Accounts& accounts,
                       const Grant& grant, const Call& call, Timestamp now) {
  const auto may_be_beside = [&](plan::IncentiveId other) {
    return allows(plan, grant.incentive, other) && allows(plan, other, grant.incentive);
  };
  for (const std::string& code : call.together) {
    if (code == grant.code) continue;
    const Accounts::Place* place = accounts.find(code);
    const bool is_coupon = place && place->incentive && coupon_of(plan, place->incentive);
    if (!is_coupon || !may_be_beside(place->incentive)) return code;
  }
  if (call.order.empty()) return {};
  for (const Grant& each : holder.holdings[0].grants) {
    if (each.order != call.order || each.code == grant.code || !coupon_of(plan, each.incentive))
      continue;
    const bool is_on_it =
        each.stage == Stage::Claimed || (each.stage == Stage::Given && is_locked(each, now));
    if (is_on_it && !may_be_beside(each.incentive)) return each.code;
  }
  return {};
}

bool is_in_scope(const plan::Plan& plan, const State& holder, const plan::Coupon& coupon,
                 const Call& call, Timestamp now) {
  if (!coupon.where) return true;
  for (const Call::Facts& facts : call.facts)
    if (facts.type == coupon.order)
      return holds({plan, holder, now, facts.fields, now}, coupon.where);
  return false;
}

// Rounded down: nobody is promised more.
std::int64_t taken_off(const plan::Coupon& coupon, const Grant& grant, std::int64_t order) {
  __extension__ using Wide = __int128;
  std::int64_t off = coupon.off;
  if (coupon.is_percent) {
    off = static_cast<std::int64_t>(Wide{order} * coupon.off / 1'000'000);
    if (coupon.ceiling) off = std::min(off, *coupon.ceiling);
  }
  off = std::min(off, order);
  for (const Charge& charge : grant.charges)
    if (charge.is_money) off = std::min(off, charge.amount);
  return off;
}

// What is left in an account that something was charged to; 0 where the rules know it no more.
std::int64_t left_in(const plan::Plan& plan, Accounts& accounts, const ledger::Pot& pot,
                     Timestamp now) {
  for (std::size_t i = 0; i < plan.budgets.size(); ++i)
    if (plan.budgets[i].definition == pot.of)
      return accounts.left(plan::BudgetId::of(i), pot.begin == Timestamp::ever() ? now : pot.begin);
  return 0;
}

}  // namespace

std::string_view name_of(Call::Kind kind) { return kind_names[static_cast<std::size_t>(kind)]; }

std::uint64_t fingerprint(const Call& call) {
  HashInput hash;
  hash.text(name_of(call.kind)).text(call.customer).text(call.code).text(call.order);
  hash.number(static_cast<std::uint64_t>(call.amount))
      .number(static_cast<std::uint64_t>(call.hold.us))
      .number(call.together.size());
  for (const std::string& code : call.together) hash.text(code);
  return hash.text(call.invitee).hash64();
}

const std::string* whom(Accounts& accounts, const Call& call) {
  if (!call.customer.empty()) return &call.customer;
  const Accounts::Place* place = accounts.find(call.code);
  return place && place->incentive ? &place->customer : nullptr;
}

Answer validate(const plan::Plan& plan, const State& holder, Accounts& accounts, const Call& call) {
  Answer answer;
  const auto refuse = [&](Reason reason, Timestamp until, std::string about = {}) {
    answer.reason = reason;
    answer.until = until;
    answer.about = std::move(about);
    return answer;
  };
  const Grant* grant = coupon_grant(plan, holder, call.code);
  if (!grant) return refuse(Reason::UnknownCode, Timestamp::never());
  const Timestamp now = std::max(holder.clock, call.time);
  const plan::Coupon& coupon = *coupon_of(plan, grant->incentive);
  answer.incentive = grant->incentive;
  answer.until = grant->until;
  if (grant->stage == Stage::Claimed) return refuse(Reason::Redeemed, grant->done, grant->order);
  const bool is_held = grant->stage == Stage::Given && is_locked(*grant, now);
  if (is_held && grant->order != call.order)
    return refuse(Reason::Locked, grant->locked_until, grant->order);
  if (grant->stage != Stage::Given || (!is_held && grant->until < now))
    return refuse(Reason::Lapsed, grant->until);
  if (coupon.valid_from > now) return refuse(Reason::NotYet, coupon.valid_from);
  if (call.amount < coupon.orders_from) return refuse(Reason::Threshold, grant->until);
  if (!is_in_scope(plan, holder, coupon, call, now)) return refuse(Reason::Scope, grant->until);
  if (std::string other = in_the_way(plan, holder, accounts, *grant, call, now); !other.empty())
    return refuse(Reason::Combination, grant->until, std::move(other));
  answer.amount = taken_off(coupon, *grant, call.amount);
  return answer;
}

Standing Turn::take(const Call& call) {
  KOI_ASSERT(accounts_ && call.kind != Call::Kind::Validate && !call.id.empty());
  const Hash128 key = HashInput().text("call").text(state_.id).text(call.id).hash128(plan_.seed);
  const std::uint64_t asked = fingerprint(call);
  if (!state_.holdings.empty())
    for (const Answered& each : holdings().answers) {
      if (each.key != key) continue;
      Answer again = each.answer;
      if (each.asked != asked) again.reason = Reason::KeyReused;
      if (!each.is_pending || each.asked != asked) accounts_->answer(std::move(again));
      return Standing::Duplicate;
    }
  if (state_.created == Timestamp::never() && call.kind != Call::Kind::Claim) {
    Answer nobody;
    nobody.reason = call.kind == Call::Kind::Approve || call.kind == Call::Kind::Decline
                        ? Reason::NotInReview
                        : Reason::UnknownCode;
    accounts_->answer(std::move(nobody));
    return Standing::Applied;
  }
  advance(call.time, false);
  now_ = std::max(state_.clock, call.time);
  state_.clock = now_;
  if (state_.created == Timestamp::never()) {
    state_.created = now_;
    accounts_->introduce(state_.id);
  }
  let_in_.clear();
  input_ = {nullptr, key};

  const std::optional<Answer> answer = answer_to(call, key);
  auto& answers = holdings().answers;
  erase_if(answers, [&](const Answered& each) { return each.at < now_ - plan_.policy.id_horizon; });
  answers.push_back({key, asked, now_, !answer, answer.value_or(Answer{})});
  if (answer) accounts_->answer(*answer);
  admit(nullptr);
  happen_echoes();
  settle();
  return Standing::Applied;
}

// Nothing: it is on its way.
std::optional<Answer> Turn::answer_to(const Call& call, Hash128 key) {
  switch (call.kind) {
    case Call::Kind::Lock:
    case Call::Kind::Redeem: return redeem(call, key);
    case Call::Kind::RollBack: return roll_back(call, key);
    case Call::Kind::Claim: return claim(call, key);
    case Call::Kind::Approve:
    case Call::Kind::Decline: return review(call, key);
    case Call::Kind::Validate: break;
  }
  KOI_ASSERT(false);
}

std::optional<Answer> Turn::claim(const Call& call, Hash128 key) {
  Answer answer;
  const Accounts::Place* place = accounts_->find(call.code);
  const auto* packet =
      place && place->incentive
          ? std::get_if<plan::RedPacket>(&plan_.incentives[place->incentive.index()].what)
          : nullptr;
  if (!packet || packet->how != plan::RedPacket::How::Group) {
    answer.reason = Reason::UnknownCode;
    return answer;
  }
  Offer offer;
  offer.incentive = answer.incentive = place->incentive;
  offer.key = offer.entry = key;
  answer.reason = ask_for_share(*place, call.code, offer);
  return answer.reason == Reason::None ? std::nullopt : std::optional(answer);
}

// The packet's giver has answered; where a call asked, so is it.
void Turn::finish_claim(const Message& message) {
  if (state_.holdings.empty()) return;
  for (Answered& each : holdings().answers) {
    if (each.key != message.key || !each.is_pending) continue;
    each.is_pending = false;
    each.answer.reason = message.reason;
    each.answer.incentive = message.incentive;
    each.answer.amount = message.amount;
    accounts_->answer(each.answer);
  }
}

// Locks it, or takes it off.
Answer Turn::redeem(const Call& call, Hash128 key) {
  Answer answer = validate(plan_, state_, *accounts_, call);
  if (!answer.incentive) return answer;
  Grant& grant = *coupon_grant(plan_, state_, call.code);
  Offer offer;
  offer.incentive = grant.incentive;
  offer.campaign = grant.campaign;
  offer.referral = grant.referral;
  offer.entry = grant.entry;
  offer.key = key;
  if (answer.reason != Reason::None) {
    refuse_gift(Action::Redeem, offer, answer.reason);
    return answer;
  }
  grant.order = call.order;
  if (call.kind == Call::Kind::Lock) {
    grant.locked_until = answer.until = now_ + call.hold;
    return answer;
  }
  use_up(grant, answer.amount);
  Effect& effect = gift_effect(Action::Redeem, offer);
  effect.gift->amount = Value::money(answer.amount);
  effect.gift->code = grant.code;
  tell(EngineEvent::Redeemed, grant, answer.amount, key);
  grants_changed(key);
  return answer;
}

// The coupon is as it was before; of what was not taken off, and went back, as much as is left.
Answer Turn::roll_back(const Call& call, Hash128 key) {
  Answer answer;
  Grant* const grant = coupon_grant(plan_, state_, call.code);
  if (!grant) {
    answer.reason = Reason::UnknownCode;
    return answer;
  }
  answer.incentive = grant->incentive;
  answer.until = grant->until;
  const bool is_redeemed = grant->stage == Stage::Claimed;
  if (grant->order != call.order || (!is_redeemed && grant->stage != Stage::Given)) {
    answer.reason = Reason::NotHeld;
    return answer;
  }
  grant->order.clear();
  grant->locked_until = Timestamp::ever();
  if (!is_redeemed) return answer;
  if (grant->done + plan_.policy.id_horizon < now_) {
    grant->order = call.order;
    answer.reason = Reason::TooLate;
    return answer;
  }
  move(*grant, Stage::Claimed, Stage::Given);
  grant->stage = Stage::Given;
  grant->done = Timestamp::ever();
  for (Charge& charge : grant->charges) {
    if (!charge.is_money) continue;
    const std::int64_t more =
        std::min(grant->amount - charge.amount, left_in(plan_, *accounts_, charge.pot, now_));
    if (more <= 0) continue;
    accounts_->post({now_, charge.pot, Stage::Budget, Stage::Reserved, more, cause_of(key)});
    accounts_->post({now_, charge.pot, Stage::Reserved, Stage::Given, more, cause_of(key)});
    charge.amount += more;
  }
  Offer offer;
  offer.incentive = grant->incentive;
  offer.campaign = grant->campaign;
  offer.referral = grant->referral;
  offer.entry = grant->entry;
  offer.key = key;
  gift_effect(Action::RollBack, offer).gift->code = grant->code;
  grants_changed(key);
  return answer;
}

}  // namespace koi::core
