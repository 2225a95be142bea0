#include <algorithm>

#include "core/detail/holdings_codec.h"
#include "core/detail/ids_codec.h"

namespace koi::core {

using ledger::Stage;

namespace {

// Both ends of time are numbers like others: the difference wraps around, and back.
void write_time(ByteWriter& out, Timestamp time, Timestamp base) {
  out.signed_(static_cast<std::int64_t>(static_cast<std::uint64_t>(time.us) -
                                        static_cast<std::uint64_t>(base.us)));
}
Timestamp read_time(ByteReader& in, Timestamp base) {
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
    write_time(out, each.at, base);
    out.signed_(each.amount);
    out.unsigned_(each.value);
  }
}
List<Counted> read_counted(ByteReader& in, Timestamp base) {
  List<Counted> counted(in.count(11));
  for (Counted& each : counted) {
    each.limit = in.fixed64();
    each.at = read_time(in, base);
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
    write_time(out, charge.pot.begin, base);
    out.signed_(charge.amount);
    out.boolean(charge.is_money);
  }
}

List<Charge> read_charges(ByteReader& in, Timestamp base) {
  List<Charge> charges(in.count(11));
  for (Charge& charge : charges) {
    charge.pot.of = in.fixed64();
    charge.pot.begin = read_time(in, base);
    charge.amount = in.signed_();
    if (charge.amount < 0) in.fault();
    charge.is_money = in.boolean();
  }
  return charges;
}

namespace {

void write(ByteWriter& out, const Grant& grant, Timestamp base) {
  write_id(out, grant.incentive);
  write_id(out, grant.campaign);
  write_id(out, grant.referral);
  out.hash(grant.key);
  out.hash(grant.entry);
  write_time(out, grant.at, base);
  write_time(out, grant.until, base);
  out.byte(static_cast<std::uint8_t>(grant.stage));
  out.signed_(grant.amount);
  out.text(grant.code);
  out.text(grant.prize);
  out.unsigned_(grant.shares.size());
  for (const std::int64_t share : grant.shares) out.signed_(share);
  out.unsigned_(grant.taken);
  write(out, grant.claimants);
  write(out, grant.charges, base);
  write(out, grant.counted, base);
  // Of a coupon alone.
  const bool is_locked = grant.locked_until != Timestamp::ever();
  const bool is_done = grant.done != Timestamp::ever();
  out.byte(static_cast<std::uint8_t>(unsigned{!grant.order.empty()} << 2 |
                                     unsigned{is_locked} << 1 | unsigned{is_done}));
  if (!grant.order.empty()) out.text(grant.order);
  if (is_locked) write_time(out, grant.locked_until, base);
  if (is_done) write_time(out, grant.done, base);
}

Grant read_grant(ByteReader& in, const Layout& slots, Timestamp base) {
  Grant grant;
  grant.incentive = read_id(in, slots.incentives);
  grant.campaign = read_id(in, slots.campaigns);
  grant.referral = read_id(in, slots.referrals);
  grant.key = in.hash();
  grant.entry = in.hash();
  grant.at = read_time(in, base);
  grant.until = read_time(in, base);
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
  grant.charges = read_charges(in, base);
  grant.counted = read_counted(in, base);
  const std::uint8_t marks = in.byte();
  if (marks > 7) in.fault();
  if ((marks & 4) != 0) grant.order = in.text();
  if ((marks & 2) != 0) grant.locked_until = read_time(in, base);
  if ((marks & 1) != 0) grant.done = read_time(in, base);
  return grant;
}

void write(ByteWriter& out, const Binding& binding, Timestamp base) {
  write_id(out, binding.referral);
  out.text(binding.inviter);
  write_time(out, binding.at, base);
  write_time(out, binding.qualified, base);
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
  binding.at = read_time(in, base);
  binding.qualified = read_time(in, base);
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

void write(ByteWriter& out, const Answered& answered, Timestamp base) {
  out.hash(answered.key);
  out.fixed64(answered.asked);
  write_time(out, answered.at, base);
  out.boolean(answered.is_pending);
  const Answer& answer = answered.answer;
  out.byte(static_cast<std::uint8_t>(answer.reason));
  write_id(out, answer.incentive);
  out.signed_(answer.amount);
  write_time(out, answer.until, base);
  out.text(answer.about);
}

Answered read_answered(ByteReader& in, const Layout& slots, Timestamp base) {
  Answered answered;
  answered.key = in.hash();
  answered.asked = in.fixed64();
  answered.at = read_time(in, base);
  answered.is_pending = in.boolean();
  const std::uint8_t reason = in.byte();
  if (reason > static_cast<std::uint8_t>(last_reason)) in.fault();
  Answer& answer = answered.answer;
  answer.reason = static_cast<Reason>(reason);
  answer.incentive = read_id(in, slots.incentives);
  answer.amount = in.signed_();
  answer.until = read_time(in, base);
  answer.about = in.text();
  return answered;
}

template <class List, class Before>
void put_in_order(List& list, Before before) {
  if (!std::is_sorted(list.begin(), list.end(), before))
    std::stable_sort(list.begin(), list.end(), before);
}

}  // namespace

void write(ByteWriter& out, const Holdings& holdings, Timestamp base) {
  out.unsigned_(holdings.grants.size());
  for (const Grant& each : holdings.grants) write(out, each, base);
  write(out, holdings.counted, base);
  out.unsigned_(holdings.purses.size());
  for (const Purse& purse : holdings.purses) {
    write_id(out, purse.points);
    out.unsigned_(purse.lots.size());
    for (const ledger::Lot& lot : purse.lots) {
      write_time(out, lot.lapses, base);
      out.signed_(lot.amount);
    }
  }
  out.unsigned_(holdings.bindings.size());
  for (const Binding& each : holdings.bindings) write(out, each, base);
  out.unsigned_(holdings.friends.size());
  for (const Friend& each : holdings.friends) {
    write_id(out, each.referral);
    out.text(each.invitee);
    write_time(out, each.at, base);
    out.byte(static_cast<std::uint8_t>(static_cast<unsigned>(each.stage) << 1 |
                                       unsigned{each.in_review}));
    write(out, each.rewards);
    write(out, each.held);
  }
  write(out, holdings.milestones);
  out.unsigned_(holdings.answers.size());
  for (const Answered& each : holdings.answers) write(out, each, base);
}

Holdings read_holdings(ByteReader& in, const Layout& slots, Timestamp base) {
  Holdings holdings;
  for (std::size_t n = in.count(40); n > 0 && in.ok(); --n)
    if (Grant each = read_grant(in, slots, base); each.incentive)
      holdings.grants.push_back(std::move(each));
  holdings.counted = read_counted(in, base);
  for (std::size_t n = in.count(2); n > 0 && in.ok(); --n) {
    Purse purse;
    purse.points = read_id(in, slots.incentives);
    purse.lots.resize(in.count(2));
    std::int64_t all = 0;
    for (ledger::Lot& lot : purse.lots) {
      lot.lapses = read_time(in, base);
      lot.amount = in.signed_();
      if (lot.amount <= 0 || __builtin_add_overflow(all, lot.amount, &all)) in.fault();
    }
    if (purse.points) holdings.purses.push_back(std::move(purse));
  }
  put_in_order(holdings.purses, [](const Purse& a, const Purse& b) { return a.points < b.points; });
  for (std::size_t n = in.count(20); n > 0 && in.ok(); --n)
    if (Binding each = read_binding(in, slots, base); each.referral)
      holdings.bindings.push_back(std::move(each));
  put_in_order(holdings.bindings,
               [](const Binding& a, const Binding& b) { return a.referral < b.referral; });
  for (std::size_t n = in.count(6); n > 0 && in.ok(); --n) {
    Friend each;
    each.referral = read_id(in, slots.referrals);
    each.invitee = in.text();
    each.at = read_time(in, base);
    const std::uint8_t marks = in.byte();
    if (marks >> 1 > static_cast<unsigned>(Friend::Stage::ClawedBack)) in.fault();
    each.stage = static_cast<Friend::Stage>(marks >> 1);
    each.in_review = (marks & 1) != 0;
    each.rewards = read_hashes(in);
    each.held = read_numbers(in);
    if (each.referral) holdings.friends.push_back(std::move(each));
  }
  put_in_order(holdings.friends,
               [](const Friend& a, const Friend& b) { return a.referral < b.referral; });
  holdings.milestones = read_hashes(in);
  for (std::size_t n = in.count(30); n > 0 && in.ok(); --n)
    holdings.answers.push_back(read_answered(in, slots, base));
  return holdings;
}

}  // namespace koi::core
