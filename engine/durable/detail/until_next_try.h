// How long the writers wait where the disk has failed them: for who writes and for who steps.
#pragma once

#include <chrono>

namespace koi::durable {

// After a checkpoint has failed, or the disk was full.
constexpr auto until_next_try = std::chrono::seconds(2);

}  // namespace koi::durable
