#include "model/receipt.h"

#include <array>

#include "base/assert.h"

namespace koi {

namespace {
constexpr std::array<std::string_view, 8> names{"none",        "unreachable", "window_closed",
                                                "bad_content", "quota",       "credentials",
                                                "failed",      "lapsed"};
}

std::string_view name_of(Failure failure) {
  KOI_ASSERT(static_cast<std::size_t>(failure) < names.size());
  return names[static_cast<std::size_t>(failure)];
}

Failure failure_of(std::string_view name) {
  for (std::size_t i = 1; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Failure>(i);
  return Failure::None;
}

}  // namespace koi
