// Files of a data directory that are written whole: a reader finds the old bytes or the new ones,
// whenever the process or the machine stopped.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::deploy {

// Makes the folder where it is missing, durably. Errors "full" and "unwritable".
Result<void> make_folder(const std::filesystem::path& path);
// Writes the file beside its place, syncs it and moves it there; durable when it returns. Errors
// "full" and "unwritable", after which the old file stands.
Result<void> write_whole(const std::filesystem::path& path, std::string_view bytes);
// All of it; nothing where there is no such file. Errors: "unreadable", and "corrupt" where it is
// longer than `longest`.
Result<std::optional<std::string>> read_whole(const std::filesystem::path& path,
                                              std::size_t longest);

}  // namespace koi::deploy
