// Customer view: one customer as the API shows him, from his state at an instant.
#pragma once

#include <span>
#include <string>

#include "core/state.h"
#include "plan/plan.h"

namespace koi::serve {

// A JSON object: `id`, `created`, `identifiers`, `attributes`, `consents`, `metrics` (by name, as
// of `now`), `segments` (those he is in), `journeys` (under way), `timeline` (the given lines, each
// JSON already). Names are those of the rules; times are in the rules' zone. Holds personal data.
std::string customer_view(const plan::Plan& plan, const core::State& state, Timestamp now,
                          std::span<const std::string> timeline);

}  // namespace koi::serve
