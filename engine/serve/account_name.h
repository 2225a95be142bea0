// Accounts that groups lend one another, as people know them: an operator who looks for a fault,
// and whoever asks what a customer waited for.
#pragma once

#include <string>

#include "core/escrow.h"
#include "durable/deeds.h"
#include "plan/plan.h"

namespace koi::serve {

// Such as "`hello` from 2026-03-02T00:00:00+08:00", by the rules that it is of now.
std::string account_name(const plan::Plan& plan, const core::EscrowRow& row);

// What an input waits for, as a JSON array of such names: empty where others of the customer's wait
// before it.
std::string names_of_lacks(const plan::Plan& plan, const durable::Pause& pause);

}  // namespace koi::serve
