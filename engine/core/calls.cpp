// What tills, pages and reviewers ask for: what a coupon takes off an order, locks and redemptions,
// and what was answered before.
#include <algorithm>
#include <array>
#include <utility>

#include "core/detail/turn.h"

namespace koi::core {

Call::Call() = default;
Call::Call(const Call&) = default;
Call::Call(Call&&) noexcept = default;
Call& Call::operator=(const Call&) = default;
Call& Call::operator=(Call&&) noexcept = default;
Call::~Call() = default;

using ledger::Stage;

namespace {

constexpr std::array<std::string_view, call_kind_count> kind_names{
    "validate", "lock",    "redeem", "roll_back", "claim",
    "approve",  "decline", "spend",  "unspend",   "stock"};

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

// What is left in an account that something was charged to, so much of it being wanted; 0 where the
// rules know it no more.
std::int64_t left_in(const plan::Plan& plan, Accounts& accounts, const ledger::Pot& pot,
                     Timestamp now, std::int64_t want) {
  for (std::size_t i = 0; i < plan.budgets.size(); ++i)
    if (plan.budgets[i].definition == pot.of)
      return accounts.left(plan::BudgetId::of(i), pot.begin == Timestamp::ever() ? now : pot.begin,
                           want);
  return 0;
}

}  // namespace

std::string_view name_of(Call::Kind kind) { return kind_names[static_cast<std::size_t>(kind)]; }

Hash128 key_of(const plan::Plan& plan, std::string_view customer, std::string_view id) {
  return HashInput().text("call").text(customer).text(id).hash128(plan.seed);
}

std::uint64_t fingerprint(const Call& call) {
  HashInput hash;
  hash.text(name_of(call.kind)).text(call.code).text(call.order);
  hash.number(static_cast<std::uint64_t>(call.amount))
      .number(static_cast<std::uint64_t>(call.hold.us))
      .number(call.together.size());
  for (const std::string& code : call.together) hash.text(code);
  return hash.text(call.invitee).number(call.said).hash64();
}

const std::string* whom(Accounts& accounts, const Call& call) {
  if (!call.customer.empty()) return &call.customer;
  const Accounts::Place* place = accounts.find(call.code);
  return place && place->incentive ? &place->customer : nullptr;
}

Answer stock(Accounts& accounts, const Call& call) {
  KOI_ASSERT(call.kind == Call::Kind::Stock);
  Answer answer;
  answer.amount = static_cast<std::int64_t>(accounts.stock(call.code, call.together));
  return answer;
}

namespace {

Answer refused(Answer answer, Reason reason, Timestamp until, std::string about = {}) {
  answer.reason = reason;
  answer.until = until;
  answer.about = std::move(about);
  return answer;
}

// What it takes off, where nothing else is on the order.
Answer alone(const plan::Plan& plan, const State& holder, const Grant& grant, const Call& call,
             Timestamp now) {
  const plan::Coupon& coupon = *coupon_of(plan, grant.incentive);
  Answer answer;
  answer.incentive = grant.incentive;
  answer.until = grant.until;
  if (grant.stage == Stage::Claimed)
    return refused(answer, Reason::Redeemed, grant.done, grant.order);
  const bool is_held = grant.stage == Stage::Given && is_locked(grant, now);
  if (is_held && grant.order != call.order)
    return refused(answer, Reason::Locked, grant.locked_until, grant.order);
  if (grant.stage != Stage::Given || (!is_held && grant.until < now))
    return refused(answer, Reason::Lapsed, grant.until);
  if (coupon.valid_from > now) return refused(answer, Reason::NotYet, coupon.valid_from);
  if (call.amount < coupon.orders_from) return refused(answer, Reason::Threshold, grant.until);
  if (!is_in_scope(plan, holder, coupon, call, now))
    return refused(answer, Reason::Scope, grant.until);
  answer.amount = taken_off(coupon, grant, call.amount);
  return answer;
}

// The other coupons on the order: what the till says is on it, and what it has locked or redeemed
// for it here.
class Beside {
 public:
  Beside(const plan::Plan& plan, const State& holder, const Grant& grant, const Call& call,
         Timestamp now)
      : plan_(plan), holder_(holder), grant_(grant), call_(call), now_(now) {}

  // Of what can not be used beside it: nothing may be done about it …
  const std::string& in_the_way() const { return in_the_way_; }
  // … or the better of them is used.
  const Grant* best() const { return best_; }
  std::int64_t best_takes_off() const { return best_takes_off_; }
  bool is_best(std::int64_t amount) const {
    return !best_ || amount > best_takes_off_ ||
           (amount == best_takes_off_ && was_first(grant_, *best_));
  }

  void look(Accounts& accounts) {
    for (const std::string& code : call_.together) {
      if (code == grant_.code) continue;
      const Accounts::Place* place = accounts.find(code);
      const bool is_coupon = place && place->incentive && coupon_of(plan_, place->incentive);
      if (is_coupon && may_be_used_with(place->incentive)) continue;
      const Grant* own = is_coupon ? coupon_grant(plan_, holder_, code) : nullptr;
      if (!own || !rivals(*own)) return stop(code);
      compare(*own);
    }
    if (call_.order.empty()) return;
    for (const Grant& each : holder_.holdings[0].grants) {
      if (each.order != call_.order || each.code == grant_.code ||
          !coupon_of(plan_, each.incentive))
        continue;
      const bool is_used = each.stage == Stage::Claimed;
      const bool is_on_it = is_used || (each.stage == Stage::Given && is_locked(each, now_));
      if (!is_on_it || may_be_used_with(each.incentive)) continue;
      if (is_used || !rivals(each)) return stop(each.code);
      compare(each);
    }
  }

 private:
  bool may_be_used_with(plan::IncentiveId other) const {
    return allows(plan_, grant_.incentive, other) && allows(plan_, other, grant_.incentive);
  }
  bool rivals(const Grant& other) const {
    return coupon_of(plan_, grant_.incentive)->is_best_of &&
           coupon_of(plan_, other.incentive)->is_best_of && other.stage != Stage::Claimed;
  }
  // Of those that take off the same, the one that he was given first.
  bool was_first(const Grant& one, const Grant& other) const {
    for (const Grant& each : holder_.holdings[0].grants)
      if (&each == &one || &each == &other) return &each == &one;
    return false;
  }
  void stop(const std::string& code) { in_the_way_ = code; }
  // What cannot be used on this order is no rival.
  void compare(const Grant& other) {
    const Answer it = alone(plan_, holder_, other, call_, now_);
    if (it.reason != Reason::None) return;
    if (best_ &&
        (it.amount < best_takes_off_ || (it.amount == best_takes_off_ && was_first(*best_, other))))
      return;
    best_ = &other;
    best_takes_off_ = it.amount;
  }

  const plan::Plan& plan_;
  const State& holder_;
  const Grant& grant_;
  const Call& call_;
  Timestamp now_;
  std::string in_the_way_;
  const Grant* best_ = nullptr;
  std::int64_t best_takes_off_ = 0;
};

}  // namespace

Answer validate(const plan::Plan& plan, const State& holder, Accounts& accounts, const Call& call) {
  const Grant* grant = coupon_grant(plan, holder, call.code);
  if (!grant) return refused({}, Reason::UnknownCode, Timestamp::never());
  const Timestamp now = std::max(holder.clock, call.time);
  Answer answer = alone(plan, holder, *grant, call, now);
  if (answer.reason != Reason::None) return answer;
  Beside beside(plan, holder, *grant, call, now);
  beside.look(accounts);
  if (!beside.in_the_way().empty()) {
    answer.amount = 0;
    return refused(std::move(answer), Reason::Combination, grant->until, beside.in_the_way());
  }
  if (!beside.best()) return answer;
  if (!beside.is_best(answer.amount)) answer.reason = Reason::NotBest;
  answer.about = beside.best()->code;
  answer.other = beside.best_takes_off();
  return answer;
}

Standing Turn::take(const Call& call) {
  KOI_ASSERT(accounts_ && call.kind != Call::Kind::Validate && !call.id.empty());
  const Hash128 key = core::key_of(plan_, state_.id, call.id);
  const std::uint64_t asked = fingerprint(call);
  const auto is_of_this_call = [&](Hash128 answered) {
    return answered == key ||  // it may have been asked of an id that he had before
           std::any_of(state_.same.begin(), state_.same.end(), [&](const std::string& id) {
             return answered == core::key_of(plan_, id, call.id);
           });
  };
  if (!state_.holdings.empty()) {
    // Those who have turned out to be one may each have used the id, for something of his own.
    const Answered* before = nullptr;
    for (const Answered& each : holdings().answers)
      if (is_of_this_call(each.key) && (!before || before->asked != asked)) before = &each;
    if (before) {
      Answer again = before->answer;
      if (before->asked != asked) again.reason = Reason::KeyReused;
      if (!before->is_pending || before->asked != asked) accounts_->answer(key, std::move(again));
      return Standing::Duplicate;
    }
  }
  if (state_.created == Timestamp::never() && call.kind != Call::Kind::Claim) {
    Answer nobody;
    switch (call.kind) {
      case Call::Kind::Approve:
      case Call::Kind::Decline: nobody.reason = Reason::NotInReview; break;
      case Call::Kind::Spend: nobody.reason = Reason::NotEnough; break;
      case Call::Kind::Unspend: nobody.reason = Reason::NotHeld; break;
      default: nobody.reason = Reason::UnknownCode;
    }
    nobody.incentive = call.points;
    accounts_->answer(key, std::move(nobody));
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
  if (answer) accounts_->answer(key, *answer);
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
    case Call::Kind::Spend: return spend(call, key);
    case Call::Kind::Unspend: return unspend(call, key);
    case Call::Kind::Validate:
    case Call::Kind::Stock: break;
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
    accounts_->answer(each.key, each.answer);
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
  free_losers(call, grant);
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

// What was locked for the order and is not used on it, because this one takes off more, is free.
void Turn::free_losers(const Call& call, const Grant& winner) {
  if (!coupon_of(plan_, winner.incentive)->is_best_of) return;
  for (Grant& each : holdings().grants) {
    const plan::Coupon* coupon = coupon_of(plan_, each.incentive);
    if (&each == &winner || !coupon || !coupon->is_best_of || each.order != call.order ||
        each.stage != Stage::Given || !is_locked(each, now_))
      continue;
    if (allows(plan_, winner.incentive, each.incentive) &&
        allows(plan_, each.incentive, winner.incentive))
      continue;
    each.order.clear();
    each.locked_until = Timestamp::ever();
  }
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
    const std::int64_t used = grant->amount - charge.amount;
    if (used <= 0) continue;
    const std::int64_t more = std::min(used, left_in(plan_, *accounts_, charge.pot, now_, used));
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

// --- Points -------------------------------------------------------------------------------------

Answer Turn::spend(const Call& call, Hash128 key) {
  Answer answer;
  answer.incentive = call.points;
  Offer offer;
  offer.incentive = call.points;
  offer.points = call.amount;
  offer.entry = offer.key = key;
  Purse& purse = purse_of(call.points);
  Spent spent{key, call.points, call.order, now_, {}};
  if (call.amount <= 0 || !ledger::spend(purse.lots, call.amount, now_, &spent.lots)) {
    answer.reason = Reason::NotEnough;
    answer.other = ledger::balance(purse.lots, now_);
    refuse_gift(Action::Take, offer, answer.reason);
    return answer;
  }
  note_moved(purse, Moved::What::Spent, call.amount);
  answer.amount = call.amount;
  answer.other = ledger::balance(purse.lots, now_);
  accounts_->post({now_, accounts_->pot(plan_.incentives[call.points.index()].budgets[0], now_),
                   Stage::Given, Stage::Claimed, call.amount, cause_of(key)});
  auto& all = holdings().spent;
  erase_if(all, [&](const Spent& each) { return each.at < now_ - plan_.policy.id_horizon; });
  all.push_back(std::move(spent));
  gift_effect(Action::Take, offer).gift->amount = Value::integer(call.amount);
  grants_changed(key);
  return answer;
}

// All that was spent for the order lies in the lots that it was taken from, and lapses with them.
Answer Turn::unspend(const Call& call, Hash128 key) {
  Answer answer;
  answer.incentive = call.points;
  auto& all = holdings().spent;
  const auto is_of_order = [&](const Spent& each) {
    return each.points == call.points && each.order == call.order &&
           each.at >= now_ - plan_.policy.id_horizon;
  };
  if (std::none_of(all.begin(), all.end(), is_of_order)) {
    answer.reason = Reason::NotHeld;
    return answer;
  }
  Purse& purse = purse_of(call.points);
  for (const Spent& each : all)
    if (is_of_order(each))
      for (const ledger::Lot& lot : each.lots)
        if (lot.lapses >= now_ && ledger::earn(purse.lots, lot)) answer.amount += lot.amount;
  erase_if(all, is_of_order);
  note_moved(purse, Moved::What::GivenBack, answer.amount);
  answer.other = ledger::balance(purse.lots, now_);
  if (answer.amount > 0)
    accounts_->post({now_, accounts_->pot(plan_.incentives[call.points.index()].budgets[0], now_),
                     Stage::Claimed, Stage::Given, answer.amount, cause_of(key)});
  Offer offer;
  offer.incentive = call.points;
  offer.entry = offer.key = key;
  gift_effect(Action::RollBack, offer).gift->amount = Value::integer(answer.amount);
  grants_changed(key);
  return answer;
}

}  // namespace koi::core
