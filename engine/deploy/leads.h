// Leads: the codes by which those who are known already are found under a referral that is put
// live: of whoever comes later the core keeps them itself (core::Accounts::introduce).
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "store/store.h"

namespace koi::deploy {

class Leads {
 public:
  // Of the referrals that `to` has and `from` has not; both plans must outlive it.
  Leads(const plan::Plan& from, const plan::Plan& to);

  // What is to stand beside these customers in a checkpoint, ascending by key: their codes, as far
  // as `store` does not have them yet, and that there are so many more who can bring others. Errors
  // are the store's, and "corrupt".
  Result<std::vector<store::Shared>> of(std::span<const store::Saved> customers,
                                        const store::Store& store, store::Group group) const;

 private:
  const plan::Plan& to_;
  std::vector<plan::ReferralId> referrals_;
};

}  // namespace koi::deploy
