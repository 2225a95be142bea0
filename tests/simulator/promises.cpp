#include "promises.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/codec.h"
#include "notes.h"

namespace koi::simulator {

namespace {

using plan::CampaignClass;

std::string name_of(const Decided& send) {
  const core::Gift* gift = send.effect.gift.get();
  return gift ? send.plan->incentives[gift->incentive.index()].symbol.name
              : send.plan->contents[send.effect.content.index()].name;
}

std::string told(const Decided& send) {
  return name_of(send) + " to " + send.customer + " at " + koi::to_string(send.effect.time, utc()) +
         " (group " + std::to_string(send.group) + ", position " + std::to_string(send.position) +
         ", " + to_hex(send.effect.key) + ")";
}

CampaignClass class_of(const Decided& send) {
  return send.plan->campaigns[send.effect.campaign.index()].campaign_class;
}

// --- What was decided
// -----------------------------------------------------------------------------

// What customers have said of marketing, by themselves and as those whom they have turned out to
// be.
class Consents {
 public:
  // In the journal of a customer's group, and in time: of what follows from one input.
  using Moment = std::pair<store::Position, Timestamp>;

  Consents(const Replay& replay, store::Groups groups) : groups_(groups) {
    for (const Joined& each : replay.joined) joined_[each.stays].push_back(&each);
    for (const SaidOfConsent& each : replay.consents) said_[who(replay, each)].push_back(&each);
  }

  bool has_said_at(const std::string& customer, store::Position position) const {
    const auto said = said_.find(customer);
    return said != said_.end() &&
           std::any_of(said->second.begin(), said->second.end(),
                       [&](const SaidOfConsent* each) { return each->position == position; });
  }
  // The last word before that, or with nothing given of all; of two who are one by it the refusal.
  // Nothing: there is none.
  std::optional<SaidOfConsent> before(const std::string& customer,
                                      std::optional<Moment> moment = {}) const {
    std::optional<SaidOfConsent> last;
    const auto hear = [&](const SaidOfConsent& said) {
      if (!last || last->at <= said.at) last = said;
    };
    const auto said = said_.find(customer);
    const auto joined = joined_.find(customer);
    auto next = said == said_.end() ? List() : said->second;
    std::size_t heard = 0;
    const auto hear_until = [&](std::optional<store::Position> until) {
      for (; heard < next.size() && (!until || next[heard]->position < *until); ++heard)
        hear(*next[heard]);
    };
    if (joined != joined_.end())
      for (const Joined* each : joined->second) {
        if (moment && std::pair(each->position, each->at) > *moment) break;
        hear_until(each->position);
        // Who comes from another group has left there with all that he had.
        const auto other = home_of(each->goes) == each->group
                               ? before(each->goes, Moment(each->position, each->at))
                               : before(each->goes);
        if (other && (!last || (last->granted && !other->granted))) last = other;
      }
    hear_until(moment ? std::optional(moment->first) : std::nullopt);
    return last;
  }

  // Who comes from another group to turn out to be that customer, by the same input and after it.
  const std::string* comes_by(const std::string& customer, Moment moment) const {
    const auto joined = joined_.find(customer);
    if (joined == joined_.end()) return nullptr;
    for (const Joined* each : joined->second)
      if (each->position == moment.first && moment.second < each->at &&
          home_of(each->goes) != each->group)
        return &each->goes;
    return nullptr;
  }

 private:
  using List = std::vector<const SaidOfConsent*>;

  store::Group home_of(const std::string& customer) const {
    return groups_.group_of(partition_of(customer));
  }

  // Whose word it was where it was decided: what is decided elsewhere than at home was passed on.
  std::string who(const Replay& replay, const SaidOfConsent& said) const {
    std::string customer = said.customer;
    for (const Joined& each : replay.joined)
      if (each.goes == customer && (home_of(customer) != said.group ||
                                    (each.group == said.group && each.position <= said.position)))
        customer = each.stays;
    return customer;
  }

  store::Groups groups_;
  std::map<std::string, List> said_;  // by position, each customer's of his own group
  std::map<std::string, std::vector<const Joined*>> joined_;
};

void check_caps(const plan::Plan& plan, const std::vector<const Decided*>& sends,
                const Replay& replay, const Consents& consents, Record& record) {
  const Zone& zone = *plan.policy.zone;
  for (const plan::Cap& cap : plan.policy.caps) {
    std::vector<const Decided*> counted;
    for (const Decided* send : sends) {
      const bool concerns = cap.campaign_class ? class_of(*send) == *cap.campaign_class
                                               : send->effect.channel == cap.channel;
      const auto receipt = replay.receipts.find(send->effect.key);
      const bool failed =
          receipt != replay.receipts.end() && receipt->second.failure != Failure::None;
      // What was due before somebody came who has turned out to be he was decided for each by
      // himself.
      const bool is_of_either =
          consents.comes_by(send->customer, {send->position, send->effect.time}) != nullptr;
      if (concerns && !failed && !is_of_either) counted.push_back(send);
    }
    for (std::size_t i = cap.limit; i < counted.size(); ++i) {
      const Timestamp first = counted[i - cap.limit]->effect.time, last = counted[i]->effect.time;
      bool is_over = last < add(first, cap.per, zone);
      if (cap.calendar == plan::Cap::Calendar::Day)
        is_over = zone.local(first).date == zone.local(last).date;
      else if (cap.calendar != plan::Cap::Calendar::None)
        continue;
      if (is_over) record.breach("beyond a cap: " + told(*counted[i]));
    }
  }
}

void check_consent(const plan::Plan& plan, const std::vector<const Decided*>& sends,
                   const Consents& consents, Record& record) {
  const bool is_required =
      plan.policy.consent_required[static_cast<std::size_t>(CampaignClass::Marketing)];
  const auto allow = [&](const std::optional<SaidOfConsent>& last) {
    return last ? last->granted : !is_required;
  };
  for (const Decided* send : sends) {
    if (class_of(*send) != CampaignClass::Marketing) continue;
    // Decided by that very input, or just before it.
    if (consents.has_said_at(send->customer, send->position)) continue;
    const Consents::Moment moment{send->position, send->effect.time};
    const auto last = consents.before(send->customer, moment);
    if (allow(last)) continue;
    // What was due before he came was decided for who comes by himself.
    const std::string* const came = consents.comes_by(send->customer, moment);
    if (came && allow(consents.before(*came))) continue;
    record.breach((last ? "after he unsubscribed: " : "without consent: ") + told(*send));
  }
}

void check_quiet_hours(const plan::Plan& plan, const std::vector<const Decided*>& sends,
                       Record& record) {
  if (!plan.policy.quiet) return;
  const auto [from, to, drop] = *plan.policy.quiet;
  for (const Decided* send : sends) {
    if (class_of(*send) == CampaignClass::Transactional) continue;
    const TimeOfDay time = plan.policy.zone->local(send->effect.time).time;
    const bool is_quiet = from < to ? from <= time && time < to : from <= time || time < to;
    if (is_quiet) record.breach("in quiet hours: " + told(*send));
  }
}

// --- Where a deployment stands
// ----------------------------------------------------------------------

void check_states(const plan::Plan& plan, const Replay& replay, durable::Writers& writers,
                  Record& record) {
  for (std::size_t group = 0; group < replay.ends.size(); ++group) {
    const store::Position at = writers.writer(static_cast<store::Group>(group)).position();
    if (at != replay.ends[group])
      record.breach("group " + std::to_string(group) + " stands at " + std::to_string(at) +
                    ", and its journal ends at " + std::to_string(replay.ends[group]));
  }
  for (const auto& [id, known] : replay.customers) {
    const core::State* stays = &known;  // who has gone is shown as the one who stays
    while (const std::string* const other = core::gone_to(*stays))
      stays = &replay.customers.at(*other);
    writers.look(id, [&, &id = id, &expected = *stays](Result<const core::State*> seen) {
      if (!seen) return record.breach("customer " + id + " cannot be shown: " + seen.error().what);
      const bool is_there = *seen != nullptr;
      if (is_there != (expected.created != Timestamp::never())) {
        record.breach("customer " + id + (is_there ? " should not be" : " is gone"));
      } else if (is_there && (**seen != expected ||
                              core::encode(plan, **seen) != core::encode(plan, expected))) {
        record.breach("customer " + id + " is not what the journal leads to");
      }
    });
  }
}

void check_open(const Replay& replay, serve::Deliveries& deliveries, Record& record) {
  const auto open = deliveries.take_open();
  if (!open) return record.breach("what is open cannot be had: " + open.error().what);
  std::map<Hash128, bool> is_attempted;
  for (const auto& each : *open) is_attempted[each.send.delivery.key] = each.attempted;
  if (is_attempted.size() != open->size() || deliveries.open() != open->size())
    record.breach("deliveries are open twice");
  std::size_t expected = 0;
  for (const auto& [key, send] : replay.sends) {
    if (replay.receipts.contains(key)) continue;
    ++expected;
    const auto found = is_attempted.find(key);
    if (found == is_attempted.end())
      record.breach("forgotten: " + told(send));
    else if (found->second != replay.attempted.contains(key))
      record.breach("whether it was attempted is not known any more: " + told(send));
  }
  if (expected < is_attempted.size())
    record.breach(std::to_string(is_attempted.size() - expected) +
                  " deliveries are open that have their receipt, or no cause");
}

void check_figures(const Replay& replay, const serve::Deliveries& deliveries, Record& record) {
  const auto same = [](const runtime::CampaignFigures& a, const runtime::CampaignFigures& b) {
    return a.entered == b.entered && a.left == b.left && a.goals == b.goals && a.sent == b.sent &&
           a.set == b.set && a.refused == b.refused && a.given == b.given && a.taken == b.taken &&
           a.spent == b.spent;
  };
  auto expected = replay.figures;
  for (const auto& [campaign, figures] : deliveries.figures())
    if (!same(figures, expected[campaign]))
      record.breach("the figures of " + campaign + " are not the journal's");
}

void check_links(const Replay& replay, store::Identifiers& identifiers, Record& record) {
  for (const auto& [one, other] : replay.same)
    if (replay.whoever(one) != replay.whoever(other))
      record.breach("an identifier belongs to " + one + " and to " + other);
  for (const auto& [key, owner] : replay.owners) {
    const auto found = identifiers.find(key);
    if (!found) return record.breach("identifiers cannot be read: " + found.error().what);
    if (!*found || replay.whoever(std::string(**found)) != replay.whoever(owner))
      record.breach("an identifier of " + owner +
                    (*found ? " is now " + **found + "'s" : std::string(" is forgotten")));
  }
}

}  // namespace

void check_decisions(const plan::Plan& plan, const Replay& replay, Record& record) {
  std::map<std::string, std::vector<const Decided*>> sends;
  for (const Hash128 key : replay.sends_in_order) {
    const Decided& send = replay.sends.at(key);
    sends[send.customer].push_back(&send);
  }
  const Consents consents(replay, {static_cast<std::uint16_t>(replay.ends.size())});
  for (const auto& [customer, of_customer] : sends) {
    check_caps(plan, of_customer, replay, consents, record);
    check_consent(plan, of_customer, consents, record);
    check_quiet_hours(plan, of_customer, record);
  }
  for (const plan::Campaign& campaign : plan.campaigns) {
    if (campaign.enter.how != plan::Enter::How::Once || campaign.enter.key) continue;
    for (const auto& [who, times] : replay.entries)
      if (who.first == campaign.symbol.name && times > 1)
        record.breach(who.second + " entered " + who.first + " more than once");
  }
}

namespace {
std::string said(const std::vector<core::Standing>& standings) {
  static constexpr std::array names{"applied", "late", "too late", "duplicate"};
  std::string all;
  for (const core::Standing standing : standings)
    all += std::string(all.empty() ? "" : ", ") + names[static_cast<std::size_t>(standing)];
  return all;
}
}  // namespace

void check_answers(const Replay& replay, const Clients& clients, Record& record) {
  const auto is_applied = [](core::Standing standing) {
    return standing == core::Standing::Applied || standing == core::Standing::Late;
  };
  // Who waits for what another group lends is told that his event is taken before it is decided.
  for (const auto& [id, standings] : replay.standings)
    if (!replay.may_wait && std::count_if(standings.begin(), standings.end(), is_applied) > 1)
      record.breach("event " + id + " is applied more than once");
  for (const Told& told : clients.told()) {
    if (!told.is_good) continue;
    const auto found = replay.standings.find(told.id);
    if (told.is_safe() && found == replay.standings.end()) {
      record.breach("event " + told.id + " was acknowledged and is not in the journal");
      continue;
    }
    const auto has = [&](auto predicate) {
      return std::any_of(found->second.begin(), found->second.end(), predicate);
    };
    for (const serve::Came came : told.came) {
      const bool is_true = came == serve::Came::Accepted ? has(is_applied)
                           : came == serve::Came::Duplicate
                               ? has([](auto s) { return s == core::Standing::Duplicate; })
                               : has([](auto s) { return s == core::Standing::TooLate; });
      if (!is_true)
        record.breach("event " + told.id + " was answered as " + std::string(serve::name_of(came)) +
                      ", and the journal says " + said(found->second));
    }
  }
}

void check_standing(const plan::Plan& plan, const Replay& replay, serve::Engine& deployment,
                    store::Identifiers& identifiers, Record& record) {
  check_states(plan, replay, deployment.writers(), record);
  check_open(replay, deployment.deliveries(), record);
  check_figures(replay, deployment.deliveries(), record);
  check_links(replay, identifiers, record);
}

namespace {

bool is_as_decided(const Delivery& had, const Decided& send) {
  const core::Effect& effect = send.effect;
  const plan::Plan& plan = *send.plan;
  const plan::Channel& channel = plan.channels[effect.channel.index()];
  if (had.customer != send.customer || had.channel != channel.symbol.name ||
      had.campaign != source_of(plan, effect) || had.content != name_of(send) ||
      had.not_after != effect.not_after)
    return false;
  const core::Gift* gift = effect.gift.get();
  const std::string& address = gift ? gift->address : effect.text->address;
  const bool wants_address = channel.reach_by && !(gift && address.empty());
  if (had.addresses.size() != (wants_address ? 1u : 0u) ||
      (wants_address && had.addresses[0].value != address))
    return false;
  if (gift) return had.payout == Payout{gift->amount.raw(), plan.policy.currency, gift->wishes};
  return !had.payout && had.title == effect.text->title && had.body == effect.text->body &&
         had.link == effect.text->link;
}

}  // namespace

void check_providers(const Replay& replay, const Providers& providers, Record& record) {
  for (const auto& [key, carried] : providers.carried()) {
    if (carried.is_lost) continue;
    const auto found = replay.sends.find(key);
    if (found == replay.sends.end()) {
      record.breach(to_hex(key) + " reached a provider, and nothing in the journal leads to it");
      continue;
    }
    const Decided& send = found->second;
    if (carried.calls > 0) {
      const Delivery& had = carried.delivery;
      if (!is_as_decided(had, send))
        record.breach("delivered otherwise than decided: " + told(send));
    }
    const auto receipt = replay.receipts.find(key);
    if (receipt == replay.receipts.end()) continue;
    if (receipt->second.failure != Failure::None && carried.effects > 0)
      record.breach("said to have failed, and the person has it: " + told(send));
    if (receipt->second.failure == Failure::None && carried.effects == 0 && !carried.is_unclear &&
        carried.calls > 0)
      record.breach("said to be delivered, and it surely is not: " + told(send));
  }
}

}  // namespace koi::simulator
