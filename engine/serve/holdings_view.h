// What a customer holds, whom he brought, and where his points are, as JSON for whoever asks. Pure:
// equal states give equal text. Docs: docs/operating.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/state.h"
#include "plan/plan.h"

namespace koi::serve {

// The balance of each kind of points, what is pending, its lots in the order in which they lapse,
// and what has moved lately.
std::string points_view(const plan::Plan& plan, const core::State& state, Timestamp now);

// His coupons, packets and prizes that can still be used, and those that were lately.
std::string incentives_view(const plan::Plan& plan, const core::State& state, Timestamp now);

// Whom each of somebody's friends has brought, as far as they were asked.
using Below = std::map<std::string, std::vector<core::Friend>>;

// Which of somebody's friends are told of, in the order in which they came.
struct FriendsAsked {
  std::size_t most = SIZE_MAX;
  std::string after{};    // from behind that one; empty: from the first on
  std::string address{};  // of what was asked, but for `after`
};

// His link, how many friends he has brought and how far each has come, and the next milestone; with
// `below` whom each of those has brought too. Counted are all, told of those that were asked for,
// with the address of those behind them.
std::string referral_view(const plan::Plan& plan, const core::State& state,
                          plan::ReferralId referral, const FriendsAsked& asked = {},
                          const Below* below = nullptr);

// The friends of somebody.
std::vector<core::Friend> friends_of(const core::State& state, plan::ReferralId referral);
// Those that were asked for. Error "after": there is no such friend.
Result<std::vector<core::Friend>> friends_of(const core::State& state, plan::ReferralId referral,
                                             const FriendsAsked& asked);

}  // namespace koi::serve
