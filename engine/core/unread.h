// Unread: messages between customers that nobody will ever decide, since deciding them has crashed
// the process and they are set aside. Nothing comes of them; but who waits for an answer gets one.
#pragma once

#include <vector>

#include "core/accounts.h"
#include "core/state.h"

namespace koi::core {

// `state` is the receiver's. What he was asked is answered by Reason::Failed; an answer to himself
// counts as none: what he has asked is not open any more, and what he would have been given is
// its giver's again. Gives what others are told of it.
std::vector<Message> leave_unread(State& state, const Message& message);

}  // namespace koi::core
