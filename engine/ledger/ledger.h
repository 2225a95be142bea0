// Ledger: where every amount is. Double entry in whole units (cents, coupons, points, draws): a
// posting moves an amount from one stage of a pot to another, so that the stages of a pot sum to
// zero at every posting. A pure value; who owns it gives the times and the causes.
//
//   budget ──reserve──▶ reserved ──settle──▶ given ◀──▶ claimed ──▶ clawed back
//                          │                   ├──▶ lapsed ──▶ returned
//                          │                   └──▶ clawed back ──▶ returned
//                          └──release──▶ returned
//
// A customer who goes into another group takes along what he holds: out of the stage it is in into
// `transit` here, and out of `transit` into that stage there, where it stands below zero by all
// that has come. Over all groups it is what is on the way.
//
// A pot is what a budget is kept for: an incentive's or a campaign's budget, in one period of it.
// Its `budget` stands below zero by all that ever left it. What is out and counts against the
// budget is reserved + given + claimed + lapsed + clawed back; what is returned is there again.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"

namespace koi::ledger {

enum class Stage : std::uint8_t {
  Budget,
  Reserved,
  Given,
  Claimed,
  Lapsed,
  Returned,
  ClawedBack,
  Transit
};
constexpr std::size_t stage_count = 8;
std::string_view name_of(Stage stage);  // "budget", "reserved", …

struct Pot {
  std::uint64_t of = 0;                 // names the budget
  Timestamp begin = Timestamp::ever();  // of the period; ever: there is one for all time
  friend auto operator<=>(const Pot&, const Pot&) = default;
};

// Why it was posted.
struct Cause {
  Hash128 input;             // what came in
  Hash128 decision;          // the key of the effect that was decided
  std::uint64_t bundle = 0;  // the rules that decided
  friend auto operator<=>(const Cause&, const Cause&) = default;
};

struct Posting {
  Timestamp at;
  Pot pot;
  Stage from = Stage::Budget;
  Stage to = Stage::Reserved;
  std::int64_t amount = 0;  // > 0
  Cause cause;
  friend bool operator==(const Posting&, const Posting&) = default;
};

// The balances of a pot, by stage.
struct Balances {
  std::array<std::int64_t, stage_count> at{};
  std::int64_t operator[](Stage stage) const { return at[static_cast<std::size_t>(stage)]; }
  std::int64_t& operator[](Stage stage) { return at[static_cast<std::size_t>(stage)]; }
  // What counts against the budget.
  std::int64_t out() const {
    return (*this)[Stage::Reserved] + (*this)[Stage::Given] + (*this)[Stage::Claimed] +
           (*this)[Stage::Lapsed] + (*this)[Stage::ClawedBack];
  }
  std::int64_t sum() const;
  friend bool operator==(const Balances&, const Balances&) = default;
};

class Ledger {
 public:
  // Error "overdrawn", with nothing changed, where the amount is not there to be moved (of the
  // budget there is always enough: who may spend it is asked elsewhere), "amount" where it is not
  // above zero or does not fit, "stages" where no amount goes that way.
  Result<void> post(const Posting& posting);

  // The pot is as it was left elsewhere.
  void put(const Pot& pot, const Balances& balances) { pots_.insert_or_assign(pot, balances); }

  Balances balances(const Pot& pot) const;
  const std::map<Pot, Balances>& pots() const { return pots_; }

 private:
  std::map<Pot, Balances> pots_;
};

// Posts everything anew and compares: error "differs" names the first pot and stage that is not
// what it should be; else as post().
Result<void> verify(std::span<const Posting> postings, const std::map<Pot, Balances>& balances);
// The same of what was posted anew already.
Result<void> compare(const Ledger& again, const std::map<Pot, Balances>& balances);

}  // namespace koi::ledger
