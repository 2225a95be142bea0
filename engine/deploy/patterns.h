// Patterns: whether a coupon that is put live could generate a code that was uploaded before, so
// that one code would be two customers'. The other way round an upload leaves such a code out.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "store/store.h"

namespace koi::deploy {

class Patterns {
 public:
  // Those that `to` has and `from` has not; both plans must outlive it.
  Patterns(const plan::Plan& from, const plan::Plan& to);

  // As of the last checkpoint. Where there is such a pattern, all codes that were ever uploaded are
  // read; again only where more were since the last call. Errors: "pool" where one of them could be
  // generated, and the store's.
  Result<void> check(const store::Store& store);

 private:
  Result<std::uint64_t> uploaded(const store::Store& store) const;

  const plan::Plan& from_;
  std::vector<plan::Incentive> made_;
  std::optional<std::uint64_t> checked_;  // so many were uploaded then
};

}  // namespace koi::deploy
