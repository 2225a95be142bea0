// Books: what accounts keep beyond memory, as bytes under keys. Canonical: equal accounts, equal
// bytes. Things go by names and definitions, never by a plan's numbers, so that other rules find
// them again, and what they do not know stays as it is.
//
// A key begins with what it is of:
//   b  the balances of a pot              its budget's definition, the beginning of its period
//   l  what counts against a limit        the limit's definition, a hash of the attribute's value
//   n  how many codes were issued         the incentive's name
//   d  how many of a prize were given     the draw's name and the prize's
//   w  where a code leads                 the code
//   r  who is held for review             the referral's name, the inviter, the friend
//   f  what is counted of a referral      its name, and what
//   u  that a code was uploaded           the code
//   q  a code that nobody has yet         its pool's name, and its number in it, from 0 on
//   s  how many codes were uploaded       the pool's name
//   t  how many of them were given        the pool's name
//   e  what is lent of an account         the account (escrow.h)
//   p  a posting                          its number, from 0 on, so that keys are in its order
//   c  how many postings there are, and a hash of all of them in their order
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/list.h"
#include "base/result.h"
#include "core/holdings.h"
#include "ledger/ledger.h"

namespace koi::core::books {

// Where a code leads, by names: empty where it is not of that kind.
struct Lead {
  std::string customer, incentive, referral;
  friend bool operator==(const Lead&, const Lead&) = default;
};
// What was counted of a limit for one value of an attribute.
struct Count {
  std::uint64_t limit = 0, value = 0;
  List<Counted> counted;
  friend bool operator==(const Count&, const Count&) = default;
};

// All postings up to one.
struct Postings {
  std::uint64_t count = 0;
  Hash128 chain;
  // With one more, as encoded.
  void add(std::string_view posting);
  friend bool operator==(const Postings&, const Postings&) = default;
};

std::string key_of(const ledger::Pot& pot);
std::string key_of_count(std::uint64_t limit, std::uint64_t value);
std::string key_of_codes(std::string_view incentive);
std::string key_of_prize(std::string_view draw, std::string_view prize);
std::string key_of_lead(std::string_view code);
std::string key_of_review(std::string_view referral, std::string_view inviter,
                          std::string_view invitee);
std::string key_of_uploaded(std::string_view code);
std::string key_of_stock(std::string_view pool, std::uint64_t number);
std::string key_of_stocked(std::string_view pool);
std::string key_of_taken(std::string_view pool);
std::string key_of_escrow(std::string_view account);
std::string key_of_posting(std::uint64_t number);
std::string key_of_postings();

// A friend who is held for review. Nothing where the key is of something else.
struct Review {
  std::string referral, inviter, invitee;
};
std::optional<Review> review_of(std::string_view key);

// What is counted of a referral.
enum class Tally : std::uint8_t {
  Customers,  // who were there to bring others
  Asked,      // invitations that somebody came with, refused ones too
  Joined,     // friends whom an inviter has taken
  Inviters,   // those who have taken one
  Qualified,  // friends who have counted
  ClawedBack,
  Merged,          // of the customers, who turned out to be another of them
  MergedInviters,  // the same of the inviters
};
constexpr std::size_t tally_count = static_cast<std::size_t>(Tally::MergedInviters) + 1;
std::string key_of_tally(std::string_view referral, Tally what);
// Times are counted in classes that are as wide as a thirty-second of what they begin with, or a
// second.
std::string key_of_cycle(std::string_view referral, Duration time);
// The beginning of what stands before all keys of a referral's counts.
std::string prefix_of_counts(std::string_view referral);

struct ReferralFigures {
  std::array<std::uint64_t, tally_count> tallies{};
  std::map<std::int64_t, std::uint64_t> cycles;  // by the class's first second
  std::uint64_t of(Tally what) const { return tallies[static_cast<std::size_t>(what)]; }
  // Persons: who turned out to be one is one.
  std::uint64_t customers() const;
  std::uint64_t inviters() const;
  // Takes in what stands under a key that begins with prefix_of_counts(); false: it is none.
  bool add(std::string_view key, std::uint64_t number);
  // Another group's beside it.
  void add(const ReferralFigures& others);
  // Invitations for each customer × the part of them that counted: the K-factor, in millionths.
  // Nothing where nobody was there.
  std::optional<std::int64_t> k_factor() const;
  // The beginning of the class that the middle one of the times lies in (of an even number the
  // earlier of the two). Nothing where there is none.
  std::optional<Duration> cycle_time() const;
};

// Empty where there is nothing to keep.
std::string encode(const ledger::Balances& balances);
std::string encode(const List<Counted>& counted);
std::string encode(std::uint64_t number);
std::string encode(const Lead& lead);
std::string encode(const ledger::Posting& posting);
std::string encode(const Postings& postings);

// Error "corrupt" where the bytes are none; empty ones are nothing: zeros, and empty lists.
Result<ledger::Balances> balances_of(std::string_view bytes);
Result<List<Counted>> counted_of(std::string_view bytes, std::uint64_t limit, std::uint64_t value);
Result<std::uint64_t> number_of(std::string_view bytes);
Result<Lead> lead_of(std::string_view bytes);
Result<ledger::Posting> posting_of(std::string_view bytes);
Result<Postings> postings_of(std::string_view bytes);

// What stands under a key, for those who go over all of it.
struct Balance {
  ledger::Pot pot;
  ledger::Balances balances;
};
struct Posted {
  std::uint64_t number = 0;
  ledger::Posting posting;
};
struct Other {};  // counts, codes, pools, prizes, leads, reviews, loans: what is of no account
using Entry = std::variant<Balance, Posted, Postings, Other>;
Result<Entry> read(std::string_view key, std::string_view bytes);  // error "corrupt"

}  // namespace koi::core::books
