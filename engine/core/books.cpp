#include "core/books.h"

#include <algorithm>
#include <bit>

#include "core/escrow.h"
#include "model/codec.h"

namespace koi::core::books {

using ledger::Stage;

namespace {

Error damaged() { return {"corrupt", "what the accounts keep in the store is damaged"}; }

// What `read` reads must be all of the bytes.
template <class Value, class Read>
Result<Value> whole(std::string_view bytes, Read read) {
  ByteReader in(bytes);
  Value value{};
  if (!bytes.empty()) read(in, value);
  if (in.ok() && in.at_end()) return value;
  return damaged();
}

// Numbers whose bytes are in their order.
void append_big_endian(std::string& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
}
std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

std::string key(char kind, std::string_view rest = {}) { return kind + std::string(rest); }

std::string key(char kind, std::uint64_t a, std::uint64_t b) {
  std::string made(1, kind);
  append_big_endian(made, a);
  append_big_endian(made, b);
  return made;
}

}  // namespace

std::string key_of(const ledger::Pot& pot) {
  return key('b', pot.of, static_cast<std::uint64_t>(pot.begin.us));
}
std::string key_of_count(std::uint64_t limit, std::uint64_t value) {
  return key('l', limit, value);
}
std::string key_of_codes(std::string_view incentive) { return key('n', incentive); }
std::string key_of_prize(std::string_view draw, std::string_view prize) {
  ByteWriter names(std::string(1, 'd'));
  names.text(draw);
  names.text(prize);
  return names.take();
}
std::string key_of_lead(std::string_view code) { return key('w', code); }
std::string key_of_review(std::string_view referral, std::string_view inviter,
                          std::string_view invitee) {
  ByteWriter names(std::string(1, 'r'));
  names.text(referral);
  names.text(inviter);
  names.text(invitee);
  return names.take();
}

std::optional<Review> review_of(std::string_view key) {
  ByteReader in(key);
  if (in.byte() != 'r') return std::nullopt;
  Review review;
  review.referral = in.text();
  review.inviter = in.text();
  review.invitee = in.text();
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return review;
}

std::string prefix_of_counts(std::string_view referral) {
  ByteWriter name(std::string(1, 'f'));
  name.text(referral);
  return name.take();
}

std::string key_of_tally(std::string_view referral, Tally what) {
  return prefix_of_counts(referral) + 't' + static_cast<char>('0' + static_cast<int>(what));
}

std::string key_of_cycle(std::string_view referral, Duration time) {
  constexpr int bits = 5;
  auto length = static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.us / 1'000'000));
  const int dropped = static_cast<int>(std::bit_width(length)) - (bits + 1);
  if (dropped > 0) length = length >> dropped << dropped;
  std::string made = prefix_of_counts(referral) + 'c';
  append_big_endian(made, length);
  return made;
}

bool ReferralFigures::add(std::string_view key, std::uint64_t number) {
  ByteReader in(key);
  if (in.byte() != 'f') return false;
  const std::string prefix = prefix_of_counts(in.text());
  if (!in.ok() || !key.starts_with(prefix)) return false;
  const std::string_view what = key.substr(prefix.size());
  if (what.size() == 2 && what[0] == 't') {
    const auto which = static_cast<std::size_t>(what[1] - '0');
    if (which >= tally_count) return false;
    tallies.at(which) = number;
    return true;
  }
  if (what.size() != 9 || what[0] != 'c') return false;
  const std::uint64_t first = big_endian(what.substr(1));
  if (first > static_cast<std::uint64_t>(INT64_MAX / 1'000'000)) return false;
  if (number > 0) cycles[static_cast<std::int64_t>(first)] = number;
  return true;
}

void ReferralFigures::add(const ReferralFigures& others) {
  for (std::size_t i = 0; i < tally_count; ++i) tallies[i] += others.tallies[i];
  for (const auto& [first, count] : others.cycles) cycles[first] += count;
}

std::uint64_t ReferralFigures::customers() const {
  const std::uint64_t all = of(Tally::Customers);
  return all - std::min(all, of(Tally::Merged));
}
std::uint64_t ReferralFigures::inviters() const {
  const std::uint64_t all = of(Tally::Inviters);
  return all - std::min(all, of(Tally::MergedInviters));
}

std::optional<std::int64_t> ReferralFigures::k_factor() const {
  // Asked / customers × qualified / asked: what was asked for cancels out.
  const std::uint64_t persons = customers(), qualified = of(Tally::Qualified);
  if (persons == 0) return std::nullopt;
  return static_cast<std::int64_t>(qualified / persons * 1'000'000 +
                                   qualified % persons * 1'000'000 / persons);
}

std::optional<Duration> ReferralFigures::cycle_time() const {
  std::uint64_t all = 0;
  for (const auto& [first, count] : cycles) all += count;
  std::uint64_t before = 0;
  for (const auto& [first, count] : cycles) {
    before += count;
    if (before >= all - all / 2) return seconds(first);
  }
  return std::nullopt;
}

std::string key_of_uploaded(std::string_view code) { return key('u', code); }
std::string key_of_stock(std::string_view pool, std::uint64_t number) {
  ByteWriter names(std::string(1, 'q'));
  names.text(pool);
  std::string made = names.take();
  append_big_endian(made, number);
  return made;
}
std::string key_of_stocked(std::string_view pool) { return key('s', pool); }
std::string key_of_taken(std::string_view pool) { return key('t', pool); }
std::string key_of_escrow(std::string_view account) { return key('e', account); }
std::string key_of_posting(std::uint64_t number) {
  std::string made(1, 'p');
  append_big_endian(made, number);
  return made;
}
std::string key_of_postings() { return key('c'); }

std::string encode(const ledger::Balances& balances) {
  if (balances == ledger::Balances()) return {};
  ByteWriter out;
  // `transit` alone may be missing, behind all others: most pots have none.
  const std::size_t count =
      balances[Stage::Transit] == 0 ? ledger::stage_count - 1 : ledger::stage_count;
  for (std::size_t i = 0; i < count; ++i) out.signed_(balances.at.at(i));
  return out.take();
}

Result<ledger::Balances> balances_of(std::string_view bytes) {
  return whole<ledger::Balances>(bytes, [](ByteReader& in, ledger::Balances& balances) {
    for (std::int64_t& each : balances.at) {
      if (&each == &balances[Stage::Transit] && in.at_end()) break;
      each = in.signed_();
      if (&each == &balances[Stage::Transit] && each == 0) in.fault();
    }
    std::int64_t sum = 0;
    for (const std::int64_t each : balances.at)
      if (__builtin_add_overflow(sum, each, &sum)) in.fault();
    if (sum != 0) in.fault();
    for (std::size_t i = 1; i < static_cast<std::size_t>(Stage::Transit); ++i)
      if (balances.at[i] < 0) in.fault();
  });
}

std::string encode(const List<Counted>& counted) {
  if (counted.empty()) return {};
  ByteWriter out;
  out.unsigned_(counted.size());
  for (const Counted& each : counted) {
    out.time(each.at);
    out.signed_(each.amount);
  }
  return out.take();
}

Result<List<Counted>> counted_of(std::string_view bytes, std::uint64_t limit, std::uint64_t value) {
  return whole<List<Counted>>(bytes, [&](ByteReader& in, List<Counted>& counted) {
    counted.resize(in.count(2));
    for (Counted& each : counted) {
      each.limit = limit;
      each.value = value;
      each.at = in.time();
      each.amount = in.signed_();
      if (each.amount <= 0) in.fault();
    }
    if (!std::is_sorted(counted.begin(), counted.end(),
                        [](const Counted& a, const Counted& b) { return a.at < b.at; }))
      in.fault();
  });
}

std::string encode(std::uint64_t number) {
  if (number == 0) return {};
  ByteWriter out;
  out.unsigned_(number);
  return out.take();
}

Result<std::uint64_t> number_of(std::string_view bytes) {
  return whole<std::uint64_t>(
      bytes, [](ByteReader& in, std::uint64_t& number) { number = in.unsigned_(); });
}

std::string encode(const Lead& lead) {
  if (lead == Lead()) return {};
  ByteWriter out;
  out.text(lead.customer);
  out.text(lead.incentive);
  out.text(lead.referral);
  return out.take();
}

Result<Lead> lead_of(std::string_view bytes) {
  return whole<Lead>(bytes, [](ByteReader& in, Lead& lead) {
    lead.customer = in.text();
    lead.incentive = in.text();
    lead.referral = in.text();
  });
}

std::string encode(const ledger::Posting& posting) {
  ByteWriter out;
  out.time(posting.at);
  out.fixed64(posting.pot.of);
  out.time(posting.pot.begin);
  out.byte(static_cast<std::uint8_t>(static_cast<unsigned>(posting.from) << 4 |
                                     static_cast<unsigned>(posting.to)));
  out.signed_(posting.amount);
  out.hash(posting.cause.input);
  out.hash(posting.cause.decision);
  out.fixed64(posting.cause.bundle);
  return out.take();
}

Result<ledger::Posting> posting_of(std::string_view bytes) {
  if (bytes.empty()) return damaged();
  return whole<ledger::Posting>(bytes, [](ByteReader& in, ledger::Posting& posting) {
    posting.at = in.time();
    posting.pot.of = in.fixed64();
    posting.pot.begin = in.time();
    const unsigned stages = in.byte();
    if (stages >> 4 >= ledger::stage_count || (stages & 15) >= ledger::stage_count) in.fault();
    posting.from = static_cast<Stage>(stages >> 4);
    posting.to = static_cast<Stage>(stages & 15);
    posting.amount = in.signed_();
    posting.cause.input = in.hash();
    posting.cause.decision = in.hash();
    posting.cause.bundle = in.fixed64();
  });
}

void Postings::add(std::string_view posting) {
  ++count;
  chain = HashInput().number(chain.high).number(chain.low).text(posting).hash128();
}

std::string encode(const Postings& postings) {
  if (postings.count == 0) return {};
  ByteWriter out;
  out.unsigned_(postings.count);
  out.hash(postings.chain);
  return out.take();
}

Result<Postings> postings_of(std::string_view bytes) {
  return whole<Postings>(bytes, [](ByteReader& in, Postings& postings) {
    postings.count = in.unsigned_();
    postings.chain = in.hash();
  });
}

Result<Entry> read(std::string_view key, std::string_view bytes) {
  if (key.empty() || bytes.empty()) return damaged();
  const std::string_view rest = key.substr(1);
  switch (key.front()) {
    case 'b': {
      if (rest.size() != 16) return damaged();
      KOI_LET(const ledger::Balances balances, balances_of(bytes));
      const Timestamp begin{static_cast<std::int64_t>(big_endian(rest.substr(8)))};
      return Entry(Balance{{big_endian(rest.substr(0, 8)), begin}, balances});
    }
    case 'p': {
      if (rest.size() != 8) return damaged();
      KOI_LET(const ledger::Posting posting, posting_of(bytes));
      return Entry(Posted{big_endian(rest), posting});
    }
    case 'c': {
      if (!rest.empty()) return damaged();
      KOI_LET(const Postings postings, postings_of(bytes));
      return Entry(postings);
    }
    case 'l': {
      if (rest.size() != 16) return damaged();
      KOI_TRY(counted_of(bytes, 0, 0));
      return Entry(Other{});
    }
    case 'r':
      if (!review_of(key)) return damaged();
      KOI_TRY(number_of(bytes));
      return Entry(Other{});
    case 'f': {
      KOI_LET(const std::uint64_t number, number_of(bytes));
      if (!ReferralFigures().add(key, number)) return damaged();
      return Entry(Other{});
    }
    case 'u':
    case 'q': return Entry(Other{});
    case 'n':
    case 's':
    case 't':
    case 'd': KOI_TRY(number_of(bytes)); return Entry(Other{});
    case 'w': KOI_TRY(lead_of(bytes)); return Entry(Other{});
    case 'e': KOI_TRY(escrow_row(key, bytes)); return Entry(Other{});
    case '>':
    case '?': return Entry(Other{});
    default: return damaged();
  }
}

}  // namespace koi::core::books
