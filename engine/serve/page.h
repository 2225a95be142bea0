// Pages: how much of a long list one answer has.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "net/message.h"

namespace koi::serve {

// The query's `limit`, a whole number from 1 to `most`; where it says none, `usual`. Error "usage".
Result<std::size_t> limit_of(const net::Headers& query, std::size_t most, std::size_t usual);

}  // namespace koi::serve
