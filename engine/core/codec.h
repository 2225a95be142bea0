// A customer's state to canonical bytes and back: equal states give equal bytes.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/state.h"
#include "plan/plan.h"

namespace koi::core {

constexpr std::uint8_t state_version = 1;

// Accumulators, logs and watches are written under their definitions' hashes, campaigns, channels
// and attributes by name, so that a plan with other slots finds its own.
std::string encode(const plan::Plan& plan, const State& state);

// What the plan does not know any more is dropped; what it newly wants starts empty.
// Error "corrupt" or "version" if the bytes are not a state that this program can read.
Result<State> decode(const plan::Plan& plan, std::string_view bytes);

}  // namespace koi::core
