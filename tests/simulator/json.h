// JSON: what of it the simulated clients and tills write.
#pragma once

#include <string>
#include <string_view>

namespace koi::simulator {

// A text in which nothing is to be escaped.
inline std::string json(std::string_view text) { return '"' + std::string(text) + '"'; }

}  // namespace koi::simulator
