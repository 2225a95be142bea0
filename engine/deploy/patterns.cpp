#include "deploy/patterns.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/accounts.h"
#include "core/books.h"
#include "core/escrow.h"
#include "ledger/codes.h"

namespace koi::deploy {

namespace books = core::books;

namespace {

constexpr store::Group home_of_pools = 0;
constexpr std::size_t pool_rows_at_once = 1024;

// Empty where its codes come from a pool, or it is no coupon.
std::string pattern_of(const plan::Incentive& incentive) {
  const auto* coupon = std::get_if<plan::Coupon>(&incentive.what);
  return coupon ? coupon->pattern : std::string();
}

bool could_make_same(const std::string& one, const std::string& other) {
  const auto first = ledger::CodePattern::read(one), second = ledger::CodePattern::read(other);
  return first && second && first->could_make_same_as(*second);
}

}  // namespace

std::vector<Patterns::Coupon> Patterns::generating(const plan::Plan& plan) {
  std::vector<Coupon> all;
  for (const plan::Incentive& each : plan.incentives)
    if (std::string pattern = pattern_of(each); !pattern.empty())
      all.push_back({each.symbol.name, std::move(pattern)});
  return all;
}

Result<Patterns> Patterns::of(Plans& plans, std::span<const Turn> turns, const plan::Plan& to,
                              store::Groups groups) {
  Patterns made(groups);
  if (turns.empty()) return made;
  KOI_LET(const plan::Plan* live, plans.of(turns.back().bundle));
  const auto known = generating(*live);
  for (const plan::Incentive& each : to.incentives) {
    const Coupon coupon{each.symbol.name, pattern_of(each)};
    const bool is_live = std::find(known.begin(), known.end(), coupon) != known.end();
    if (!coupon.pattern.empty() && !is_live) made.made_.push_back(each);
  }
  if (made.made_.empty()) return made;
  std::set<Coupon> before;
  for (const Turn& turn : turns) {
    KOI_LET(const plan::Plan* plan, plans.of(turn.bundle));
    for (Coupon& each : generating(*plan)) before.insert(std::move(each));
  }
  made.before_.assign(before.begin(), before.end());
  return made;
}

Result<void> Patterns::check(const store::Store& store) const {
  if (made_.empty()) return {};
  KOI_TRY(check_generated(store));
  const std::string prefix = books::key_of_uploaded({});
  for (std::string after = prefix;;) {
    KOI_LET(const auto rows, store.shared_behind(home_of_pools, after, pool_rows_at_once));
    for (const store::Shared& row : rows) {
      if (!row.key.starts_with(prefix)) return {};
      KOI_TRY(check_uploaded(std::string_view(row.key).substr(prefix.size()), row.bytes));
    }
    if (rows.size() < pool_rows_at_once) return {};
    after = rows.back().key;
  }
}

// Its numbers go on under its name, whatever the pattern: under one pattern none comes again.
Result<void> Patterns::check_generated(const store::Store& store) const {
  for (const plan::Incentive& each : made_) {
    const Coupon made{each.symbol.name, pattern_of(each)};
    for (const Coupon& former : before_) {
      if (former == made || !could_make_same(made.pattern, former.pattern)) continue;
      KOI_LET(const bool is_given, has_given(store, former.name));
      if (!is_given) continue;
      return Error{
          "codes",
          "the coupon `" + made.name + "` could generate (`" + made.pattern +
              "`) what customers were given as codes of the coupon `" + former.name + "` (`" +
              former.pattern +
              "`), and one code must not be two customers'; give it a pattern "
              "with a beginning of its own" +
              (former.pattern == made.pattern ? ", or leave it the name that it had" : "")};
    }
  }
  return {};
}

// With several groups a number counts from when it was lent to one of them.
Result<bool> Patterns::has_given(const store::Store& store, const std::string& coupon) const {
  const std::string key = books::key_of_codes(coupon);
  for (store::Group group = 0; group < groups_.count; ++group) {
    KOI_LET(const std::string bytes, store.shared(group, key));
    KOI_LET(const std::uint64_t issued, books::number_of(bytes));
    KOI_LET(const std::string lent, store.shared(group, books::key_of_escrow(key)));
    KOI_LET(const core::Escrow escrow, core::escrow_of(lent));
    if (issued > 0 || escrow.next_number > 0) return true;
  }
  return false;
}

Result<void> Patterns::check_uploaded(const store::Store& store, store::Group group,
                                      std::span<const std::string> keys) const {
  if (made_.empty() || group != home_of_pools) return {};
  const std::string prefix = books::key_of_uploaded({});
  for (const std::string& key : keys) {
    if (!key.starts_with(prefix)) continue;
    const std::string_view code = std::string_view(key).substr(prefix.size());
    if (!core::maker_of(made_, code)) continue;
    KOI_LET(const std::string pool, store.shared(group, key));
    KOI_TRY(check_uploaded(code, pool));
  }
  return {};
}

Result<void> Patterns::check_uploaded(std::string_view code, const std::string& pool) const {
  const plan::Incentive* const maker = core::maker_of(made_, code);
  if (!maker) return {};
  return Error{"pool", "codes that were uploaded to the pool `" + pool +
                           "` look like those that the coupon `" + maker->symbol.name +
                           "` would generate (`" + pattern_of(*maker) +
                           "`), and one code must not be two customers'; give the coupon a "
                           "pattern with a beginning of its own"};
}

}  // namespace koi::deploy
