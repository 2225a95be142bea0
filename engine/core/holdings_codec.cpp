#include <algorithm>

#include "core/detail/holdings_codec.h"
#include "core/detail/ids_codec.h"
#include "core/detail/order.h"

namespace koi::core {

using ledger::Stage;

namespace {

// Both ends of time are numbers like others: the difference wraps around, and back.
void write_time_since(ByteWriter& out, Timestamp time, Timestamp base) {
  out.signed_(static_cast<std::int64_t>(static_cast<std::uint64_t>(time.us) -
                                        static_cast<std::uint64_t>(base.us)));
}
Timestamp read_time_since(ByteReader& in, Timestamp base) {
  return {static_cast<std::int64_t>(static_cast<std::uint64_t>(base.us) +
                                    static_cast<std::uint64_t>(in.signed_()))};
}

void write(ByteWriter& out, const List<Hash128>& hashes) {
  out.unsigned_(hashes.size());
  for (const Hash128 each : hashes) out.hash(each);
}
List<Hash128> read_hashes(ByteReader& in) {
  List<Hash128> hashes(in.count(16));
  for (Hash128& each : hashes) each = in.hash();
  return hashes;
}

void write(ByteWriter& out, const List<std::uint64_t>& hashes) {
  out.unsigned_(hashes.size());
  for (const std::uint64_t each : hashes) out.fixed64(each);
}
List<std::uint64_t> read_numbers(ByteReader& in) {
  List<std::uint64_t> hashes(in.count(8));
  for (std::uint64_t& each : hashes) each = in.fixed64();
  return hashes;
}

void write(ByteWriter& out, const List<Counted>& counted, Timestamp base) {
  out.unsigned_(counted.size());
  for (const Counted& each : counted) {
    out.fixed64(each.limit);
    write_time_since(out, each.at, base);
    out.signed_(each.amount);
    out.unsigned_(each.value);
  }
}
List<Counted> read_counted(ByteReader& in, Timestamp base) {
  List<Counted> counted(in.count(11));
  for (Counted& each : counted) {
    each.limit = in.fixed64();
    each.at = read_time_since(in, base);
    each.amount = in.signed_();
    each.value = in.unsigned_();
  }
  return counted;
}

}  // namespace

void write(ByteWriter& out, const List<Charge>& charges, Timestamp base) {
  out.unsigned_(charges.size());
  for (const Charge& charge : charges) {
    out.fixed64(charge.pot.of);
    write_time_since(out, charge.pot.begin, base);
    out.signed_(charge.amount);
    out.boolean(charge.is_money);
  }
}

List<Charge> read_charges(ByteReader& in, Timestamp base) {
  List<Charge> charges(in.count(11));
  for (Charge& charge : charges) {
    charge.pot.of = in.fixed64();
    charge.pot.begin = read_time_since(in, base);
    charge.amount = in.signed_();
    if (charge.amount < 0) in.fault();
    charge.is_money = in.boolean();
  }
  return charges;
}

namespace {

void write(ByteWriter& out, const List<ledger::Lot>& lots, Timestamp base) {
  out.unsigned_(lots.size());
  for (const ledger::Lot& lot : lots) {
    const bool is_pending = lot.usable != Timestamp::ever();
    write_time_since(out, lot.lapses, base);
    out.signed_(lot.amount);
    out.boolean(is_pending);
    if (is_pending) write_time_since(out, lot.usable, base);
  }
}
List<ledger::Lot> read_lots(ByteReader& in, Timestamp base) {
  List<ledger::Lot> lots(in.count(3));
  std::int64_t all = 0;
  for (ledger::Lot& lot : lots) {
    lot.lapses = read_time_since(in, base);
    lot.amount = in.signed_();
    if (in.boolean()) lot.usable = read_time_since(in, base);
    if (lot.amount <= 0 || __builtin_add_overflow(all, lot.amount, &all)) in.fault();
  }
  return lots;
}

void write(ByteWriter& out, const Purse& purse, Timestamp base) {
  write_id(out, purse.points);
  write(out, purse.lots, base);
  out.unsigned_(purse.history.size());
  for (const Moved& each : purse.history) {
    out.byte(static_cast<std::uint8_t>(each.what));
    write_time_since(out, each.at, base);
    out.signed_(each.amount);
  }
}
Purse read_purse(ByteReader& in, const Layout& slots, Timestamp base) {
  Purse purse;
  purse.points = read_id(in, slots.incentives);
  purse.lots = read_lots(in, base);
  purse.history.resize(in.count(3));
  for (Moved& each : purse.history) {
    const std::uint8_t what = in.byte();
    if (what > static_cast<std::uint8_t>(last_moved)) in.fault();
    each.what = static_cast<Moved::What>(what);
    each.at = read_time_since(in, base);
    each.amount = in.signed_();
  }
  return purse;
}

void write(ByteWriter& out, const Spent& spent, Timestamp base) {
  out.hash(spent.key);
  write_id(out, spent.points);
  out.text(spent.order);
  write_time_since(out, spent.at, base);
  write(out, spent.lots, base);
}
Spent read_spent(ByteReader& in, const Layout& slots, Timestamp base) {
  Spent spent;
  spent.key = in.hash();
  spent.points = read_id(in, slots.incentives);
  spent.order = in.text();
  spent.at = read_time_since(in, base);
  spent.lots = read_lots(in, base);
  return spent;
}

void write(ByteWriter& out, const Share& share, Timestamp base) {
  write_id(out, share.incentive);
  write_id(out, share.campaign);
  out.hash(share.key);
  out.hash(share.entry);
  out.text(share.giver);
  out.text(share.code);
  out.signed_(share.amount);
  write(out, share.counted, base);
}
Share read_share(ByteReader& in, const Layout& slots, Timestamp base) {
  Share share;
  share.incentive = read_id(in, slots.incentives);
  share.campaign = read_id(in, slots.campaigns);
  share.key = in.hash();
  share.entry = in.hash();
  share.giver = in.text();
  share.code = in.text();
  share.amount = in.signed_();
  share.counted = read_counted(in, base);
  return share;
}

void write(ByteWriter& out, const Grant& grant, Timestamp base) {
  write_id(out, grant.incentive);
  write_id(out, grant.campaign);
  write_id(out, grant.referral);
  out.hash(grant.key);
  out.hash(grant.entry);
  write_time_since(out, grant.at, base);
  write_time_since(out, grant.until, base);
  out.byte(static_cast<std::uint8_t>(grant.stage));
  out.signed_(grant.amount);
  out.text(grant.code);
  out.text(grant.prize);
  out.unsigned_(grant.shares.size());
  for (const std::int64_t share : grant.shares) out.signed_(share);
  out.unsigned_(grant.taken);
  write(out, grant.claimants);
  write(out, grant.unpaid);
  write(out, grant.charges, base);
  write(out, grant.counted, base);
  // Of a coupon alone.
  const bool is_locked = grant.locked_until != Timestamp::ever();
  const bool is_done = grant.done != Timestamp::ever();
  out.byte(static_cast<std::uint8_t>(unsigned{!grant.order.empty()} << 2 |
                                     unsigned{is_locked} << 1 | unsigned{is_done}));
  if (!grant.order.empty()) out.text(grant.order);
  if (is_locked) write_time_since(out, grant.locked_until, base);
  if (is_done) write_time_since(out, grant.done, base);
}

Grant read_grant(ByteReader& in, const Layout& slots, Timestamp base) {
  Grant grant;
  grant.incentive = read_id(in, slots.incentives);
  grant.campaign = read_id(in, slots.campaigns);
  grant.referral = read_id(in, slots.referrals);
  grant.key = in.hash();
  grant.entry = in.hash();
  grant.at = read_time_since(in, base);
  grant.until = read_time_since(in, base);
  const std::uint8_t stage = in.byte();
  if (stage > static_cast<std::uint8_t>(Stage::ClawedBack)) in.fault();
  grant.stage = static_cast<Stage>(stage);
  grant.amount = in.signed_();
  grant.code = in.text();
  grant.prize = in.text();
  grant.shares.resize(in.count());
  for (std::int64_t& share : grant.shares) share = in.signed_();
  const std::uint64_t taken = in.unsigned_();
  if (taken > grant.shares.size()) in.fault();
  grant.taken = static_cast<std::uint32_t>(taken);
  grant.claimants = read_numbers(in);
  grant.unpaid = read_numbers(in);
  grant.charges = read_charges(in, base);
  grant.counted = read_counted(in, base);
  const std::uint8_t marks = in.byte();
  if (marks > 7) in.fault();
  if ((marks & 4) != 0) grant.order = in.text();
  if ((marks & 2) != 0) grant.locked_until = read_time_since(in, base);
  if ((marks & 1) != 0) grant.done = read_time_since(in, base);
  return grant;
}

void write(ByteWriter& out, const Binding& binding, Timestamp base) {
  write_id(out, binding.referral);
  out.text(binding.inviter);
  write_time_since(out, binding.at, base);
  write_time_since(out, binding.qualified, base);
  out.hash(binding.key);
  out.text(binding.code);
  write_id(out, binding.by);
  out.byte(static_cast<std::uint8_t>(unsigned{binding.qualifies} << 2 |
                                     unsigned{binding.is_settled} << 1 |
                                     unsigned{binding.clawed_back}));
  write(out, binding.ancestors);
  write(out, binding.rewards);
}

Binding read_binding(ByteReader& in, const Layout& slots, Timestamp base) {
  Binding binding;
  binding.referral = read_id(in, slots.referrals);
  binding.inviter = in.text();
  binding.at = read_time_since(in, base);
  binding.qualified = read_time_since(in, base);
  binding.key = in.hash();
  binding.code = in.text();
  const std::uint64_t event = in.unsigned_();
  if (event > slots.events.size()) in.fault();
  if (event > 0 && event <= slots.events.size()) binding.by = slots.events[event - 1].id;
  const std::uint8_t marks = in.byte();
  if (marks > 7) in.fault();
  binding.qualifies = (marks & 4) != 0;
  binding.is_settled = (marks & 2) != 0;
  binding.clawed_back = (marks & 1) != 0;
  binding.ancestors = read_numbers(in);
  binding.rewards = read_hashes(in);
  return binding;
}

void write(ByteWriter& out, const Friend& brought, Timestamp base) {
  write_id(out, brought.referral);
  out.text(brought.invitee);
  write_time_since(out, brought.at, base);
  const bool has_above = !brought.above.empty() || !brought.brought.empty();
  out.byte(static_cast<std::uint8_t>(
      unsigned{!brought.names.empty()} << 7 | static_cast<unsigned>(brought.stage) << 4 |
      unsigned{has_above} << 3 | unsigned{brought.was_rewarded} << 2 |
      unsigned{brought.has_counted} << 1 | unsigned{brought.in_review}));
  write(out, brought.rewards);
  write(out, brought.held);
  if (!brought.names.empty()) write(out, brought.names);
  if (!has_above) return;
  // Of referrals with two levels alone.
  out.text(brought.above);
  out.unsigned_(brought.brought.size());
  for (const FriendOfFriend& each : brought.brought) {
    out.text(each.invitee);
    out.hash(each.entry);
    out.byte(
        static_cast<std::uint8_t>(unsigned{each.was_rewarded} << 1 | unsigned{each.clawed_back}));
    write(out, each.rewards);
    write(out, each.held);
  }
}

Friend read_friend(ByteReader& in, const Layout& slots, Timestamp base) {
  Friend brought;
  brought.referral = read_id(in, slots.referrals);
  brought.invitee = in.text();
  brought.at = read_time_since(in, base);
  const std::uint8_t marks = in.byte();
  const unsigned stage = marks >> 4 & 7;
  if (stage > static_cast<unsigned>(Friend::Stage::ClawedBack)) in.fault();
  brought.stage = static_cast<Friend::Stage>(stage);
  brought.was_rewarded = (marks & 4) != 0;
  brought.has_counted = (marks & 2) != 0;
  brought.in_review = (marks & 1) != 0;
  brought.rewards = read_hashes(in);
  brought.held = read_numbers(in);
  if ((marks & 128) != 0) {
    brought.names = read_numbers(in);
    if (brought.names.empty()) in.fault();
  }
  if ((marks & 8) == 0) return brought;
  brought.above = in.text();
  for (std::size_t n = in.count(20); n > 0 && in.ok(); --n) {
    FriendOfFriend each;
    each.invitee = in.text();
    each.entry = in.hash();
    const std::uint8_t what = in.byte();
    if (what > 3) in.fault();
    each.was_rewarded = (what & 2) != 0;
    each.clawed_back = (what & 1) != 0;
    each.rewards = read_hashes(in);
    each.held = read_numbers(in);
    brought.brought.push_back(std::move(each));
  }
  // Who says that there is something says what.
  if (brought.above.empty() && brought.brought.empty()) in.fault();
  return brought;
}

void write(ByteWriter& out, const Answered& answered, Timestamp base) {
  out.hash(answered.key);
  out.fixed64(answered.asked);
  write_time_since(out, answered.at, base);
  out.boolean(answered.is_pending);
  const Answer& answer = answered.answer;
  out.byte(static_cast<std::uint8_t>(answer.reason));
  write_id(out, answer.incentive);
  out.signed_(answer.amount);
  write_time_since(out, answer.until, base);
  out.text(answer.about);
  out.signed_(answer.other);
}

Answered read_answered(ByteReader& in, const Layout& slots, Timestamp base) {
  Answered answered;
  answered.key = in.hash();
  answered.asked = in.fixed64();
  answered.at = read_time_since(in, base);
  answered.is_pending = in.boolean();
  const std::uint8_t reason = in.byte();
  if (reason > static_cast<std::uint8_t>(last_reason)) in.fault();
  Answer& answer = answered.answer;
  answer.reason = static_cast<Reason>(reason);
  answer.incentive = read_id(in, slots.incentives);
  answer.amount = in.signed_();
  answer.until = read_time_since(in, base);
  answer.about = in.text();
  answer.other = in.signed_();
  return answered;
}

}  // namespace

void write(ByteWriter& out, const Holdings& holdings, Timestamp base) {
  out.unsigned_(holdings.grants.size());
  for (const Grant& each : holdings.grants) write(out, each, base);
  write(out, holdings.counted, base);
  out.unsigned_(holdings.purses.size());
  for (const Purse& purse : holdings.purses) write(out, purse, base);
  out.unsigned_(holdings.bindings.size());
  for (const Binding& each : holdings.bindings) write(out, each, base);
  out.unsigned_(holdings.friends.size());
  for (const Friend& each : holdings.friends) write(out, each, base);
  write(out, holdings.milestones);
  out.unsigned_(holdings.answers.size());
  for (const Answered& each : holdings.answers) write(out, each, base);
  out.unsigned_(holdings.spent.size());
  for (const Spent& each : holdings.spent) write(out, each, base);
  out.unsigned_(holdings.shares.size());
  for (const Share& each : holdings.shares) write(out, each, base);
}

Holdings read_holdings(ByteReader& in, const Layout& slots, Timestamp base) {
  Holdings holdings;
  for (std::size_t n = in.count(40); n > 0 && in.ok(); --n)
    if (Grant each = read_grant(in, slots, base); each.incentive)
      holdings.grants.push_back(std::move(each));
  holdings.counted = read_counted(in, base);
  for (std::size_t n = in.count(3); n > 0 && in.ok(); --n)
    if (Purse each = read_purse(in, slots, base); each.points)
      holdings.purses.push_back(std::move(each));
  put_in_order(holdings.purses, [](const Purse& a, const Purse& b) { return a.points < b.points; });
  for (std::size_t n = in.count(20); n > 0 && in.ok(); --n)
    if (Binding each = read_binding(in, slots, base); each.referral)
      holdings.bindings.push_back(std::move(each));
  put_in_order(holdings.bindings,
               [](const Binding& a, const Binding& b) { return a.referral < b.referral; });
  for (std::size_t n = in.count(6); n > 0 && in.ok(); --n) {
    Friend each = read_friend(in, slots, base);
    if (each.referral) holdings.friends.push_back(std::move(each));
  }
  put_in_order(holdings.friends,
               [](const Friend& a, const Friend& b) { return a.referral < b.referral; });
  holdings.milestones = read_hashes(in);
  for (std::size_t n = in.count(30); n > 0 && in.ok(); --n)
    holdings.answers.push_back(read_answered(in, slots, base));
  for (std::size_t n = in.count(20); n > 0 && in.ok(); --n)
    if (Spent each = read_spent(in, slots, base); each.points)
      holdings.spent.push_back(std::move(each));
  for (std::size_t n = in.count(38); n > 0 && in.ok(); --n)
    if (Share each = read_share(in, slots, base); each.incentive)
      holdings.shares.push_back(std::move(each));
  return holdings;
}

}  // namespace koi::core
