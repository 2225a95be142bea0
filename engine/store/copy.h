// Copies of the files that journal and store are in, while others write to them.
#pragma once

#include <filesystem>
#include <functional>

#include "base/result.h"

namespace koi::store {

// Copies one file of a data directory as it was at one moment of the call, however much is written
// to it meanwhile; the copy is durable when this returns, and what stood at `to` is overwritten.
// Who writes to the file is not held up, but its log grows until the copy is done. `gives_up` is
// asked every few MiB. Errors: "stopping" where it says so, and "full", "unwritable", "corrupt",
// "disk"; the copy is worth nothing then.
Result<void> copy_file(const std::filesystem::path& from, const std::filesystem::path& to,
                       const std::function<bool()>& gives_up);

}  // namespace koi::store
