// Groups of partitions: each has one writer at a time, and a number of its own in journal and
// store.
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "model/partition.h"

namespace koi::store {

using Group = std::uint16_t;

// How the partitions are dealt to groups; fixed when a data directory is made.
struct Groups {
  std::uint16_t count = 1;  // 1 to partition_count

  Group group_of(Partition partition) const {
    KOI_ASSERT(count > 0 && count <= partition_count && partition < partition_count);
    return static_cast<Group>(partition % count);
  }
};

// The fence. Whoever takes a group over gets a higher epoch, and from then on every write under a
// lower one is refused: a writer that was thought dead can no longer spoil anything.
using Epoch = std::uint64_t;

// Where a row stands in its group's journal: 1, 2, 3, … without gaps. 0 is before the first.
using Position = std::uint64_t;

// Error codes on which callers act:
//   "fenced"  a newer epoch owns the group; stop writing
//   "gap"     the position asked for is not kept any more, or does not follow
//   "full"    there is no room; nothing was written
//   "unknown" it may or may not have been written; stop and recover
//   "corrupt" what was read is not what was written

}  // namespace koi::store
