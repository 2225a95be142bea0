// The shares of a packet: its giver and the friends who claim them know of each other by messages
// alone.
#include <algorithm>
#include <utility>

#include "core/detail/turn.h"

namespace koi::core {

using ledger::Stage;

// An event that claims a share of somebody's packet: it counts as claimed only when it was. False:
// it is no such event.
bool Turn::claim_share(const Event& event) {
  if (!accounts_ || event.type != type_of(EngineEvent::Claimed)) return false;
  const Accounts::Place* place = accounts_->find(event.fields[incentive_field::code].as_text());
  if (!place || place->incentive.is_none() || !is_group_packet(plan_, place->incentive))
    return false;
  Offer offer;
  offer.incentive = place->incentive;
  offer.key = HashInput()
                  .text("claim")
                  .text(state_.id)
                  .text(event.id)
                  .text(event.fields[incentive_field::code].as_text())
                  .hash128(plan_.seed);
  offer.entry = offer.key;
  ask_for_share(*place, event.fields[incentive_field::code].as_text(), offer);
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
    if (const auto* packet =
            std::get_if<plan::RedPacket>(&plan_.incentives[place->incentive.index()].what);
        packet && packet->pay_via)
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
  const bool is_over =
      packet->stage != Stage::Given && (packet->stage != Stage::Claimed || packet->until <= now_);
  // One that nobody was to pay out may be there again too.
  if (claimed == packet->claimants.end()) return;
  const auto waits = std::find(packet->unpaid.begin(), packet->unpaid.end(), *claimed);
  if (waits != packet->unpaid.end())
    packet->unpaid.erase(waits);
  else if (message.kind == Message::Kind::Paid || (is_over && !state_.same.empty()))
    return;  // who has come from another group has not brought that part of it (merge_groups.cpp)
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
  const auto at = static_cast<std::ptrdiff_t>(place);
  packet.shares.erase(packet.shares.begin() + at);
  packet.shares.push_back(amount);
  packet.claimants.erase(packet.claimants.begin() + at);
  --packet.taken;
  if (is_open) {
    packet.stage = Stage::Given;
  } else if (packet.stage == Stage::Claimed) {  // not all of it was claimed after all
    packet.stage = Stage::Lapsed;
    packet.done = now_;
  }
}

}  // namespace koi::core
