// Patterns: whether a coupon that is put live could generate a code that somebody has, so that one
// code would be two customers': one that was uploaded, or one that a coupon has generated which
// these rules or earlier ones have under another name or with another pattern. (`koi check` sees to
// two coupons of one program, and an upload leaves out what the live rules may generate.)
#pragma once

#include <compare>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deploy/deployment.h"
#include "deploy/link.h"
#include "plan/plan.h"
#include "store/groups.h"
#include "store/store.h"

namespace koi::deploy {

class Patterns {
 public:
  // Of the coupons that `to` has and the live rules, those of the last turn, have not: by name and
  // pattern. Where there are any, the rules of every turn are read. Errors are those of Plans.
  static Result<Patterns> of(Plans& plans, std::span<const Turn> turns, const plan::Plan& to,
                             store::Groups groups);

  // All of it, as of the last checkpoint. Errors: "codes" where one that was generated could come
  // again, "pool" where one that was uploaded could be generated, and the store's.
  Result<void> check(const store::Store& store) const;
  // Its parts, for whoever has asked check() before: what was generated; and of what was uploaded
  // that alone which the group has under one of these keys, as keys of books go.
  Result<void> check_generated(const store::Store& store) const;
  Result<void> check_uploaded(const store::Store& store, store::Group group,
                              std::span<const std::string> keys) const;

 private:
  struct Coupon {
    std::string name, pattern;
    friend auto operator<=>(const Coupon&, const Coupon&) = default;
  };
  explicit Patterns(store::Groups groups) : groups_(groups) {}
  static std::vector<Coupon> generating(const plan::Plan& plan);
  Result<bool> has_given(const store::Store& store, const std::string& coupon) const;
  Result<void> check_uploaded(std::string_view code, const std::string& pool) const;

  store::Groups groups_;
  std::vector<plan::Incentive> made_;
  std::vector<Coupon> before_;  // of all turns
};

}  // namespace koi::deploy
