// Till: what a shop's tills, pages and reviewers ask over HTTP, as the calls that they are, and
// what they are answered. docs/operating.md lists it for those who call it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "core/call.h"
#include "net/server.h"
#include "plan/plan.h"

namespace koi::serve {

constexpr Duration usual_hold = minutes(15), longest_hold = hours(24);  // of a lock

struct TillRequest {
  core::Call call;
  // Whose call it is, as `kind:value` or an id; empty: whoever holds the code.
  std::string subject;
  // An event that makes the subject known by his identifier, which is where he is paid: to be taken
  // before the call. Empty: none is needed.
  std::string introduction;
};

// Is it for the till, whatever the method?
bool is_of_till(std::string_view path);

// The request as a call. Errors, with what is wrong in words: "path" (404), "body", "key" (there is
// no Idempotency-Key, which whatever changes something needs), "referral" (the rules have none of
// that name).
Result<TillRequest> till_request(const plan::Plan& plan, const net::Asked& asked, Timestamp now);

net::Answer till_answer(const plan::Plan& plan, const core::Call& call, const core::Answer& answer);

}  // namespace koi::serve
