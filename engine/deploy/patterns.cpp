#include "deploy/patterns.h"

#include <set>
#include <string>

#include "core/accounts.h"
#include "core/books.h"

namespace koi::deploy {

namespace books = core::books;

namespace {

constexpr store::Group home_of_pools = 0;
constexpr std::size_t rows_at_once = 1024;

const plan::Coupon* coupon_of(const plan::Incentive& incentive) {
  return std::get_if<plan::Coupon>(&incentive.what);
}

}  // namespace

Patterns::Patterns(const plan::Plan& from, const plan::Plan& to) : from_(from) {
  std::set<std::string> known{""};  // of coupons whose codes come from a pool
  for (const plan::Incentive& each : from.incentives)
    if (const auto* coupon = coupon_of(each)) known.insert(coupon->pattern);
  for (const plan::Incentive& each : to.incentives)
    if (const auto* coupon = coupon_of(each); coupon && !known.contains(coupon->pattern))
      made_.push_back(each);
}

// To the pools of the rules that are live: to no other is uploaded meanwhile.
Result<std::uint64_t> Patterns::uploaded(const store::Store& store) const {
  std::uint64_t sum = 0;
  for (const plan::Incentive& each : from_.incentives) {
    const auto* coupon = coupon_of(each);
    if (!coupon || coupon->pool.empty()) continue;
    KOI_LET(const std::string bytes,
            store.shared(home_of_pools, books::key_of_stocked(coupon->pool)));
    KOI_LET(const std::uint64_t number, books::number_of(bytes));
    sum += number;
  }
  return sum;
}

Result<void> Patterns::check(const store::Store& store) {
  if (made_.empty()) return {};
  KOI_LET(const std::uint64_t now, uploaded(store));
  if (checked_ == now) return {};
  const std::string prefix = books::key_of_uploaded({});
  for (std::string after = prefix;;) {
    KOI_LET(const auto rows, store.shared_behind(home_of_pools, after, rows_at_once));
    for (const store::Shared& row : rows) {
      if (!row.key.starts_with(prefix)) break;
      const std::string_view code = std::string_view(row.key).substr(prefix.size());
      if (const plan::Incentive* const maker = core::maker_of(made_, code))
        return Error{"pool", "codes that were uploaded to the pool `" + row.bytes +
                                 "` look like those that the coupon `" + maker->symbol.name +
                                 "` would generate (`" + coupon_of(*maker)->pattern +
                                 "`), and one code must not be two customers'; give the coupon a "
                                 "pattern with a beginning of its own"};
    }
    if (rows.size() < rows_at_once || !rows.back().key.starts_with(prefix)) break;
    after = rows.back().key;
  }
  checked_ = now;
  return {};
}

}  // namespace koi::deploy
