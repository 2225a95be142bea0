// Refusals, where several groups serve customers who may turn out to be one person: what a customer
// refuses must not reach him, under whichever of his ids it was decided, from the moment that he is
// told that it is taken.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "durable/writers.h"
#include "model/event.h"
#include "plan/plan.h"
#include "serve/deliveries.h"

namespace koi::serve {

bool is_refusal(const Event& event);

// These refusals were decided by the group of their customer, or wait there. Where that one had
// turned out to be another's customer, they are passed on to him: have they come? Error "moved"
// where one has not yet. On some group's thread (without threads: at once).
void ask_whether_come(durable::Writers& writers, const plan::Plan& plan,
                      std::vector<Event> refusals, std::function<void(Result<bool>)> then);

// Withdraws what letters between groups speak of, at a start: before anything is sent, and before
// the writers' threads run. In the life before it was done at once. Error "corrupt".
Result<void> heed_letters(durable::Writers& writers, const plan::Plan& plan,
                          Deliveries& deliveries);

}  // namespace koi::serve
