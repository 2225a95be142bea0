// What becomes of a program's referrals over all customers: figures of each, and the friends who
// are held for review. docs/incentives.md says what the figures mean.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/accounts.h"
#include "core/books.h"
#include "durable/writers.h"
#include "net/message.h"
#include "plan/plan.h"

namespace koi::serve {

constexpr std::size_t most_reviews = 1000;  // in one answer

using ReferralFigures = std::vector<core::books::ReferralFigures>;  // by referral, as in the plan

// What everything decided so far has come to. `told` is called on the thread that decides, or at
// once where the rules have no referral; both must outlive the call. Errors: the store's,
// "stopping".
void ask_referrals(durable::Writers& writers, const plan::Plan& plan,
                   std::function<void(Result<ReferralFigures>)> told);

// The members of a JSON object, each behind a comma.
void append_members(std::string& out, const core::books::ReferralFigures& figures);
// Prometheus' text, for all of them; empty where there are none.
std::string metrics_of(const plan::Plan& plan, const ReferralFigures& figures);

// Who waits for somebody to look at him, in the order of the books' keys, whatever group he is in:
// at most so many of them, from behind one.
struct ReviewsAsked {
  std::size_t most = most_reviews;
  std::optional<core::books::Review> after;
};
// Error "usage".
Result<ReviewsAsked> reviews_asked(const net::Headers& query);
struct Reviews {
  std::vector<core::Accounts::Held> held;
  bool is_all = true;  // there are no more of them
};
// As ask_referrals.
void ask_reviews(durable::Writers& writers, const plan::Plan& plan, const ReviewsAsked& asked,
                 std::function<void(Result<Reviews>)> told);
// With the address of those behind them.
std::string reviews_json(const plan::Plan& plan, const Reviews& reviews);

}  // namespace koi::serve
