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
//   p  a posting                          its number, from 0 on, so that keys are in its order
//   c  how many postings there are, and a hash of all of them in their order
#pragma once

#include <cstdint>
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
std::string key_of_posting(std::uint64_t number);
std::string key_of_postings();

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
struct Other {};  // counts, codes, prizes and leads: what is of no account
using Entry = std::variant<Balance, Posted, Postings, Other>;
Result<Entry> read(std::string_view key, std::string_view bytes);  // error "corrupt"

}  // namespace koi::core::books
