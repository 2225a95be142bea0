// Names of the plan's things in a state's bytes. Private to core.
#pragma once

#include <cstdint>
#include <vector>

#include "model/codec.h"

namespace koi::core {

// A position plus one, so that none is a number too.
template <class Id>
void write_id(ByteWriter& out, Id id) {
  out.unsigned_(id.is_none() ? 0 : id.index() + 1);
}
// None where the plan at hand has it not, or where none was written.
template <class Id>
Id read_id(ByteReader& in, const std::vector<Id>& slots) {
  const std::uint64_t number = in.unsigned_();
  if (number > slots.size()) in.fault();
  return number == 0 || number > slots.size() ? Id::none() : slots[number - 1];
}

}  // namespace koi::core
