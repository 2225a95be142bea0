// Instants from text, for tests.
#pragma once

#include <string_view>

#include "base/time.h"

namespace koi {

inline Timestamp at(std::string_view text) { return parse_instant(text).value(); }

}  // namespace koi
