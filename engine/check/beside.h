// What stands beside the sources, on the disk.
#pragma once

#include <vector>

#include "base/source.h"
#include "check/check.h"

namespace koi::check {

// A larger file is taken as one that cannot be read.
constexpr std::size_t most_bytes_beside = std::size_t{256} << 20;

// Reads files in the folders that the sources are in, or in folders of those; a name that leads out
// of them names nothing, nor does one of something else than a plain file. The sources must outlive
// what is returned.
ReadBeside beside_on_disk(const std::vector<Source>& sources);

}  // namespace koi::check
