// Id<Tag>: an index that cannot be mistaken for another. Sixteen or thirty-two bits, chosen by the
// tag's owner; `none()` is the one value that names nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>

#include "base/assert.h"

namespace koi {

template <class Tag, class Number = std::uint32_t>
struct Id {
  Number value = std::numeric_limits<Number>::max();

  static constexpr Id none() { return {}; }
  static constexpr Id of(std::size_t index) { return {static_cast<Number>(index)}; }
  constexpr bool is_none() const { return value == std::numeric_limits<Number>::max(); }
  constexpr explicit operator bool() const { return !is_none(); }
  constexpr std::size_t index() const { return value; }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

}  // namespace koi
