// What the platform's error codes mean. The texts beside them are for people and are not read.
#pragma once

#include <cstdint>

#include "channel/connector.h"

namespace koi::connectors {

// The token was not taken: another one may be.
bool is_of_token(std::int64_t code);
// A tag is not there, or is there already.
bool is_of_tag(std::int64_t code);

// Of a message that was sent.
channel::Outcome wechat_outcome(std::int64_t code);

// Of a request for a token: what it means for the message that needs one.
channel::Outcome wechat_token_outcome(std::int64_t code);

}  // namespace koi::connectors
