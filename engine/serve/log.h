// Log: what an operator should know, a line each on standard error. Never a person's data, a
// message's text or a secret.
#pragma once

#include <string_view>

#include "channel/connector.h"

namespace koi::serve {

// Thread-safe. Lines are `2026-11-22T06:30:00.120Z info  what happened`.
void log(channel::Level level, std::string_view what);

}  // namespace koi::serve
