#include "core/accounts.h"

#include <algorithm>

#include "core/calendar.h"
#include "ledger/codes.h"

namespace koi::core {

namespace {

// Long enough that a hash of the cause is as good as a number of its own, and cannot be guessed.
constexpr std::string_view link_pattern = "#############";

ledger::Key secret_of(const plan::Plan& plan, std::string_view use) {
  return ledger::derive({plan.seed, 0x6b6f69}, use);
}

std::string code_of(ledger::Key key, std::uint64_t number) {
  const auto pattern = ledger::CodePattern::read(link_pattern);
  KOI_ASSERT(pattern);
  return pattern->code(key, number % pattern->capacity());
}

bool counts(const Counted& counted, const plan::Limit& limit, Timestamp now, const Zone& zone) {
  if (limit.per.kind == plan::Per::Kind::Rolling)
    return add(counted.at, limit.per.span, zone) > now;
  return counted.at == begin_of(limit.per, now, zone);
}

}  // namespace

Timestamp begin_of(const plan::Per& per, Timestamp at, const Zone& zone) {
  switch (per.kind) {
    case plan::Per::Kind::Ever: return Timestamp::ever();
    case plan::Per::Kind::Hour: {
      LocalTime local = zone.local(at);
      local.time.us -= local.time.us % hours(1).us;
      return zone.instant(local);
    }
    case plan::Per::Kind::Day: return period_begin(Period::Day, at, zone);
    case plan::Per::Kind::Week: return period_begin(Period::Week, at, zone);
    case plan::Per::Kind::Month: return period_begin(Period::Month, at, zone);
    case plan::Per::Kind::Year: return period_begin(Period::Year, at, zone);
    case plan::Per::Kind::Rolling: return at;
  }
  KOI_ASSERT(false);
}

std::int64_t used_of(const List<Counted>& counted, const plan::Limit& limit, Timestamp now,
                     const Zone& zone) {
  std::int64_t used = 0;
  for (const Counted& each : counted)
    if (each.limit == limit.definition && counts(each, limit, now, zone))
      used = checked_add(used, each.amount).value_or(INT64_MAX);
  return used;
}

Counted record(List<Counted>& counted, const plan::Limit& limit, std::int64_t amount,
               std::uint64_t value, Timestamp now, const Zone& zone) {
  erase_if(counted, [&](const Counted& each) {
    return each.limit == limit.definition && !counts(each, limit, now, zone);
  });
  const Counted made{limit.definition, begin_of(limit.per, now, zone), amount, value};
  const auto place = std::lower_bound(counted.begin(), counted.end(), made,
                                      [](const Counted& a, const Counted& b) {
                                        return std::pair(a.limit, a.at) < std::pair(b.limit, b.at);
                                      });
  if (place != counted.end() && place->limit == made.limit && place->at == made.at)
    place->amount += amount;
  else
    counted.insert(place, made);
  return made;
}

void release(List<Counted>& counted, const Counted& what) {
  for (Counted& each : counted)
    if (each.limit == what.limit && each.at == what.at)
      each.amount = std::max<std::int64_t>(0, each.amount - what.amount);
  erase_if(counted, [](const Counted& each) { return each.amount == 0; });
}

std::string invite_code(const plan::Plan& plan, plan::ReferralId referral,
                        std::string_view customer) {
  const std::uint64_t number = HashInput()
                                   .text(customer)
                                   .number(plan.referrals[referral.index()].definition)
                                   .hash64(plan.seed);
  return code_of(secret_of(plan, "invitations"), number);
}

Accounts::Accounts(const plan::Plan& plan, std::uint64_t bundle)
    : plan_(plan), bundle_(bundle), numbers_(plan.incentives.size()) {}

ledger::Pot Accounts::pot(plan::BudgetId id, Timestamp now) const {
  const plan::Budget& budget = plan_.budgets[id.index()];
  return {budget.definition, begin_of(budget.per, now, *plan_.policy.zone)};
}

std::int64_t Accounts::left(plan::BudgetId id, Timestamp now) const {
  const plan::Budget& budget = plan_.budgets[id.index()];
  const ledger::Balances balances = ledger_.balances(pot(id, now));
  // All that ever left it stands below zero in `Budget`, and must fit.
  const std::int64_t countable = INT64_MAX + balances[ledger::Stage::Budget];
  if (budget.amount == plan::unlimited) return countable;
  return std::clamp<std::int64_t>(budget.amount - balances.out(), 0, countable);
}

void Accounts::post(const ledger::Posting& posting) {
  const auto posted = ledger_.post(posting);
  KOI_ASSERT(posted);  // what is posted was asked for, or is there
  if (keeps_postings_) postings_.push_back(posting);
}

void Accounts::spend(plan::BudgetId id, std::int64_t amount, Timestamp now,
                     const ledger::Cause& cause) {
  using ledger::Stage;
  if (amount <= 0) return;
  const ledger::Pot from = pot(id, now);
  post({now, from, Stage::Budget, Stage::Reserved, amount, cause});
  post({now, from, Stage::Reserved, Stage::Given, amount, cause});
}

std::int64_t Accounts::prizes_given(plan::IncentiveId draw, std::size_t prize) const {
  const auto place = prizes_.find({draw.index(), prize});
  return place == prizes_.end() ? 0 : place->second;
}

void Accounts::prize_is_given(plan::IncentiveId draw, std::size_t prize) {
  ++prizes_[{draw.index(), prize}];
}

const Accounts::Place* Accounts::find(std::string_view code) const {
  const auto place = places_.find(code);
  return place == places_.end() ? nullptr : &place->second;
}

void Accounts::introduce(const std::string& customer) {
  for (std::size_t i = 0; i < plan_.referrals.size(); ++i) {
    const auto id = plan::ReferralId::of(i);
    lead(invite_code(plan_, id, customer), {customer, {}, id});
  }
}

ledger::Key Accounts::secret(std::string_view use) const { return secret_of(plan_, use); }

std::string Accounts::packet_code(Hash128 key) const { return code_of(secret("packets"), key.low); }

}  // namespace koi::core
