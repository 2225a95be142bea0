// Calls: a campaign that is called for a customer, as the event that it is.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "plan/plan.h"

namespace koi::serve {

// The campaign in `/v1/campaigns/NAME/call`; empty where the path is another one.
std::string_view called_campaign(std::string_view path);

// The body `{"subject": "c1", "id": "…"}` (the id is optional) as an event line, for the door.
// Errors "campaign" (there is none of that name that can be called), "body" (what is wrong with
// it).
Result<std::string> event_of_call(const plan::Plan& plan, std::string_view campaign,
                                  std::string_view body, Timestamp now);

}  // namespace koi::serve
