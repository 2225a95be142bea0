#include "notes.h"

#include <algorithm>
#include <utility>

namespace koi::simulator {

namespace {

std::string name_of(const plan::Plan& plan, const core::Gift& gift) {
  return gift.incentive ? plan.incentives[gift.incentive.index()].symbol.name : std::string();
}

bool counts(core::Standing standing) {
  return standing == core::Standing::Applied || standing == core::Standing::Late;
}

}  // namespace

std::string source_of(const plan::Plan& plan, const core::Effect& effect) {
  if (effect.campaign) return plan.campaigns[effect.campaign.index()].symbol.name;
  const core::Gift& gift = *effect.gift;
  return gift.referral ? plan.referrals[gift.referral.index()].symbol.name : name_of(plan, gift);
}

bool tells_level(const plan::Plan& plan, const Event& event) {
  return !plan.tiers.empty() && plan.tiers[0].ranked == event.type;
}

std::string Replay::whoever(std::string customer) const {
  for (auto other = gone.find(customer); other != gone.end(); other = gone.find(customer))
    customer = other->second;
  return customer;
}

void Notes::joined(Joined joined) {
  into_.gone[joined.goes] = joined.stays;
  into_.joined.push_back(std::move(joined));
}

// Whoever has turned out to be another is led to that one by the door, sooner or later; over groups
// it may be noted here later than that.
void Notes::owners(const plan::Plan& plan, const Event& event) {
  for (const Identifier& each : event.identifiers) {
    const std::string key = plan.schema.identifiers[each.kind.index()] + ":" + each.text;
    const auto [owner, is_new] = into_.owners.emplace(key, event.customer);
    if (!is_new && owner->second != event.customer)
      into_.same.emplace(owner->second, event.customer);
  }
}

// The events by which customers learn their levels have one id for all.
void Notes::standing(const plan::Plan& plan, const Event& event, core::Standing standing) {
  if (!tells_level(plan, event))
    into_.standings[event.id.substr(0, event.id.find('#'))].push_back(standing);
}

void Notes::consent(const Place& at, const Event& event, core::Standing standing) {
  const std::string& type = at.plan->schema.events[event.type.index()].symbol.name;
  const bool granted = type == "consented";
  if (!granted && type != "unsubscribed") return;
  if (standing == core::Standing::Duplicate) return;
  // A refusal is one however late it comes.
  if (granted && standing == core::Standing::TooLate) return;
  into_.consents.push_back({event.id, event.customer, at.group, at.position, event.time, granted});
}

void Notes::count(const Place& at, const Event& event, core::Standing standing) {
  if (at.plan->tiers.empty() || !counts(standing)) return;
  const EventType& type = at.plan->schema.events[event.type.index()];
  if (tells_level(*at.plan, event)) {
    const auto when = parse_instant(event.id.substr(event.id.rfind(' ') + 1));
    if (!when) return record_.breach("a level is told as of no instant: " + event.id);
    into_.ranked.push_back({event.customer, *when, event.fields[0].raw()});
  } else if (type.symbol.name == "purchase") {
    for (std::size_t i = 0; i < type.fields.size(); ++i)
      if (type.fields[i].symbol.name == "amount")
        into_.bought.push_back(
            {event.id, at.group, at.position, event.customer, event.time, event.fields[i].raw()});
  }
}

void Notes::receipt(const plan::Plan& plan, const durable::ReceiptFor& came, bool is_decided) {
  const bool is_first = into_.receipts.emplace(came.receipt.key, came.receipt).second;
  if (!is_decided || !is_first || came.receipt.failure == Failure::None) return;
  const auto paid = into_.sends.find(came.receipt.key);
  if (paid == into_.sends.end()) return;
  if (const core::Gift* gift = paid->second.effect.gift.get())
    --into_.gifts[{name_of(plan, *gift), came.customer}];
}

void Notes::attempt(Hash128 key) {
  if (into_.sends.contains(key) && !into_.receipts.contains(key)) into_.attempted.insert(key);
}

void Notes::gift(const plan::Plan& plan, const core::Gift& gift, const std::string& customer) {
  ++into_.gifts[{name_of(plan, gift), customer}];
  if (!gift.incentive) return;
  const auto& what = plan.incentives[gift.incentive.index()].what;
  const auto* coupon = std::get_if<plan::Coupon>(&what);
  if (coupon && !coupon->pool.empty()) into_.pooled.push_back({{}, gift.code, customer});
  if (std::holds_alternative<plan::Points>(what)) into_.points[customer] += gift.amount.raw();
}

void Notes::effects(const Place& at, const std::string& customer,
                    std::vector<core::Effect>& effects) {
  using core::Action;
  const plan::Plan& plan = *at.plan;
  for (core::Effect& effect : effects) {
    if (effect.action == Action::Merge) continue;  // no campaign's doing
    const std::string source = source_of(plan, effect);
    into_
        .figures[effect.campaign ? plan::full_name_of(plan.campaigns[effect.campaign.index()])
                                 : source]
        .count(effect);
    if (effect.action == Action::Enter) ++into_.entries[{source, customer}];
    if (effect.action == Action::Give) gift(plan, *effect.gift, customer);
    const bool is_payment =
        effect.channel &&
        ((effect.action == Action::Give && effect.wants_receipt) || effect.action == Action::Claim);
    if (effect.action != Action::Send && !is_payment) continue;
    const Hash128 key = effect.key;
    if (!is_payment) into_.sends_in_order.push_back(key);
    Decided decided{at.plan, customer, std::move(effect), at.group, at.position};
    if (!into_.sends.emplace(key, std::move(decided)).second)
      record_.breach("two decisions have the key " + to_hex(key));
  }
  effects.clear();
}

}  // namespace koi::simulator
