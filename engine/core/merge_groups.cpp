// Two customers of different groups are one person: what the one who goes holds of accounts, and
// what of it his group and the other one then know.
#include <algorithm>
#include <string>
#include <vector>

#include "core/merge.h"

namespace koi::core {

using ledger::Stage;

namespace {

// Something that may yet be moved for the customer, in the stage of the ledger that it stands in.
struct Held {
  Charge charge;
  Stage stage = Stage::Reserved;
  Hash128 decision;
};

// Of a packet that is shared out: what friends have taken is claimed, the rest is not. When it is
// over, what was taken and not paid yet may still come back.
void add_packet(std::vector<Held>& held, const Grant& grant, Timestamp at) {
  const bool is_open =
      grant.stage == Stage::Given || (grant.stage == Stage::Claimed && grant.until > at);
  std::int64_t taken = 0;
  for (std::size_t i = 0; i < grant.taken && i < grant.shares.size(); ++i) {
    const bool may_come_back = is_open || (i < grant.claimants.size() &&
                                           std::find(grant.unpaid.begin(), grant.unpaid.end(),
                                                     grant.claimants[i]) != grant.unpaid.end());
    if (may_come_back) taken += grant.shares[i];
  }
  for (Charge charge : grant.charges) {
    const std::int64_t all = charge.amount;
    if (charge.is_money)
      charge.amount = taken;
    else if (!is_open || grant.taken == 0)
      charge.amount = 0;
    held.push_back({charge, Stage::Claimed, grant.key});
    if (grant.stage != Stage::Given) continue;
    charge.amount = all - charge.amount;
    held.push_back({charge, Stage::Given, grant.key});
  }
}

std::vector<Held> held_by(const plan::Plan& plan, const State& state, const Accounts& accounts,
                          Timestamp at) {
  std::vector<Held> held;
  const auto pot_of = [&](plan::IncentiveId points) {
    return accounts.pot(plan.incentives[points.index()].budgets[0], at);
  };
  for (const OpenSend& open : state.open)
    for (const Charge& charge : open.charges) held.push_back({charge, Stage::Reserved, open.key});
  if (state.holdings.empty()) return held;
  const Holdings& his = state.holdings[0];
  for (const Grant& grant : his.grants) {
    if (grant.stage != Stage::Reserved && !grant.shares.empty()) {
      add_packet(held, grant, at);
      continue;
    }
    if (grant.stage != Stage::Reserved && grant.stage != Stage::Given &&
        grant.stage != Stage::Claimed)
      continue;
    const bool is_points =
        std::holds_alternative<plan::Points>(plan.incentives[grant.incentive.index()].what);
    for (const Charge& charge : grant.charges) {
      // Points that have reached him are in his purse.
      if (is_points && grant.stage != Stage::Reserved && charge.pot == pot_of(grant.incentive))
        continue;
      held.push_back({charge, grant.stage, grant.key});
    }
  }
  for (const Purse& purse : his.purses) {
    Charge points{pot_of(purse.points), 0, false};
    for (const ledger::Lot& lot : purse.lots) points.amount += lot.amount;
    held.push_back({points, Stage::Given, {}});
  }
  for (const Spent& spent : his.spent) {
    Charge points{pot_of(spent.points), 0, false};
    for (const ledger::Lot& lot : spent.lots) points.amount += lot.amount;
    held.push_back({points, Stage::Claimed, spent.key});
  }
  return held;
}

// What a payment that fails would give back.
std::vector<Counted> counted_for(const State& state) {
  std::vector<Counted> all;
  if (state.holdings.empty()) return all;
  for (const Grant& grant : state.holdings[0].grants)
    all.insert(all.end(), grant.counted.begin(), grant.counted.end());
  for (const Share& share : state.holdings[0].shares)
    all.insert(all.end(), share.counted.begin(), share.counted.end());
  return all;
}

ledger::Cause cause_of(const Accounts& accounts, const std::string& goes, Hash128 decision) {
  return {HashInput().text("moved").text(goes).hash128(), decision, accounts.bundle()};
}

}  // namespace

std::vector<CodePlace> leave_group(const plan::Plan& plan, const State& gone, Accounts& accounts,
                                   std::uint16_t to, const std::string& stays, Timestamp at) {
  for (const Held& each : held_by(plan, gone, accounts, at))
    accounts.move_out(to, each.charge, each.stage, at, cause_of(accounts, gone.id, each.decision));
  for (const Counted& each : counted_for(gone)) accounts.move_out(to, each, at);
  if (!gone.holdings.empty())
    for (const Friend& each : gone.holdings[0].friends)
      if (each.in_review) accounts.reviewed(each.referral, gone.id, each.invitee);

  std::vector<CodePlace> codes;
  const auto lead = [&](const std::string& code) {
    const Accounts::Place* const known = accounts.find(code);
    if (known == nullptr || !is_called(gone, known->customer)) return;
    const Accounts::Place place{stays, known->incentive, known->referral};
    CodePlace& made = codes.emplace_back();
    made.code = code;
    made.customer = gone.id;
    if (place.incentive) made.incentive = plan.incentives[place.incentive.index()].symbol.name;
    if (place.referral) made.referral = plan.referrals[place.referral.index()].symbol.name;
    accounts.lead(code, place);
  };
  accounts.know({});  // what this group knows by itself
  for (std::size_t i = 0; i < plan.referrals.size(); ++i) {
    lead(invite_code(plan, plan::ReferralId::of(i), gone.id));
    for (const std::string& name : gone.same)
      lead(invite_code(plan, plan::ReferralId::of(i), name));
  }
  if (!gone.holdings.empty())
    for (const Grant& grant : gone.holdings[0].grants)
      if (!grant.code.empty()) lead(grant.code);
  return codes;
}

void enter_group(const plan::Plan& plan, const State& came, Accounts& accounts, std::uint16_t from,
                 const std::vector<CodePlace>& codes, const std::string& stays, Timestamp at) {
  for (const Held& each : held_by(plan, came, accounts, at))
    accounts.move_in(from, each.charge, each.stage, at, cause_of(accounts, came.id, each.decision));
  for (const Counted& each : counted_for(came)) accounts.move_in(from, each, at);
  for (const CodePlace& each : codes) {
    Accounts::Place place{stays, {}, {}};
    for (std::size_t i = 0; i < plan.incentives.size(); ++i)
      if (plan.incentives[i].symbol.name == each.incentive)
        place.incentive = plan::IncentiveId::of(i);
    for (std::size_t i = 0; i < plan.referrals.size(); ++i)
      if (plan.referrals[i].symbol.name == each.referral) place.referral = plan::ReferralId::of(i);
    accounts.lead(each.code, place);
  }
}

}  // namespace koi::core
