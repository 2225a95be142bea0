// What a customer was given, as bytes: a part of a state's. Private to core: codec.h says what for.
#pragma once

#include "core/detail/layout.h"
#include "core/holdings.h"
#include "model/codec.h"

namespace koi::core {

// Times are written near `base`.
void write(ByteWriter& out, const Holdings& holdings, Timestamp base);
// What the plan at hand does not give any more is left out. Hostile bytes fault the reader.
Holdings read_holdings(ByteReader& in, const Layout& slots, Timestamp base);

void write(ByteWriter& out, const List<Charge>& charges, Timestamp base);
List<Charge> read_charges(ByteReader& in, Timestamp base);

}  // namespace koi::core
