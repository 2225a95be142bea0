// SentTo: whom a message went to and which delivery each was, for providers that report by a number
// of their own. Kept in the connector's notebook, so that a report is understood in its next life.
#pragma once

#include <asio/awaitable.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "channel/connector.h"

namespace koi::channel {

// As the provider names each, or nothing where it does not; no line breaks.
using SentTo = std::vector<std::pair<std::string, Hash128>>;

std::string to_string(const SentTo& sent);
SentTo read_sent_to(std::string_view text);  // what is none of these lines is left out

// Keeps it under the provider's number; returns when it is durable. Where it cannot be, that is
// logged, and it is known until the next stop. `tools` are copied.
asio::awaitable<void> note_sent(Tools tools, std::string number, SentTo sent, Timestamp until);

}  // namespace koi::channel
