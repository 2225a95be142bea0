// Lent: an account between groups, as the lender's terms have it, and what it has of Accounts.
// Private to core: accounts_escrow.cpp is what becomes of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/accounts.h"
#include "core/detail/lender.h"

namespace koi::core {

// How many millionths of the currency its least unit is.
std::int64_t millionths_of_one(const plan::Plan& plan);

// What a limit of an incentive that is shared out is called for those who take a share.
inline std::uint64_t definition_for_shares(std::uint64_t limit) {
  return HashInput().text("share").number(limit).hash64();
}

// An account that is lent, by the rules of now.
struct Accounts::Shared : Terms {
  Accounts* all = nullptr;
  EscrowRow::Kind kind = EscrowRow::Kind::Budget;
  std::string row;                       // of the books, without the `e`
  Timestamp period = Timestamp::ever();  // of a limit
  plan::BudgetId budget;
  Timestamp begin = Timestamp::ever();
  plan::Limit limit;
  std::uint64_t value = 0;
  plan::IncentiveId incentive;
  std::size_t prize = 0;
  std::string pool;
  Timestamp latest = Timestamp::ever();  // that anything of it was asked for here

  std::string name(Timestamp of) const override;
  std::int64_t taken(Timestamp at) const override;
  std::optional<std::int64_t> taken_since(Timestamp at) const override;
  std::int64_t fresh() const override;
  PoolCode take_fresh() override;
  std::int64_t uploaded() const override;

  class Desk;
  // What accounts.cpp asks where there are other groups.
  static std::int64_t left(Accounts& all, plan::BudgetId id, Timestamp now, std::int64_t want);
  static std::uint64_t next_number(Accounts& all, plan::IncentiveId incentive);
  static std::string take_code(Accounts& all, std::string_view pool);
  static std::uint64_t left_behind(Accounts& all, std::string_view pool);
  static std::uint64_t given(Accounts& all, std::string_view pool);
  // More was: whoever has codes of the pool is told.
  static void tell_uploaded(Accounts& all, std::string_view pool);
  // A code out of a pool where it was uploaded; there must be one.
  static PoolCode take_first(Accounts& all, std::string_view pool);
  static void note_lack(std::vector<Lack>& lacks, const std::string& name, Timestamp at,
                        std::int64_t want);
  // What a customer takes along of an account; nothing where it has no end, or where what he takes
  // along counts against it no more.
  static std::optional<std::pair<Shared, std::int64_t>> of(Accounts& all, const Charge& charge,
                                                           Timestamp now);
  static std::optional<Shared> of(Accounts& all, const Counted& counted, Timestamp now);
};

}  // namespace koi::core
