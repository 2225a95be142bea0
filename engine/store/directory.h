// Directory: a deployment's data on disk, owned by one process at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"

namespace koi::store {

// What the files in it do about room.
struct Room {
  // Of the disk's free bytes these are kept for checkpoints: the journal takes nothing more when
  // less than this is free (error "full"), so that a stop can still be a clean one.
  std::uint64_t reserve = 256u << 20;
  // How much is free where `path` is; none: the file system is asked. For tests.
  std::function<std::uint64_t(const std::filesystem::path& path)> free_bytes;
};

// The lock on a data directory: held while this lives, and by the process, so that no crash leaves
// it behind.
class Directory {
 public:
  // Makes the directory (its parent must exist) where it is missing. Errors: "locked" while another
  // process owns it, "unwritable" where it cannot be made or written to.
  static Result<Directory> open(const std::filesystem::path& path, Room room = {});

  Directory(Directory&& other) noexcept;
  Directory& operator=(Directory&&) = delete;
  ~Directory();

  const std::filesystem::path& path() const { return path_; }
  // Error "full" where less than the reserve is free.
  Result<void> room_left() const;

 private:
  Directory(std::filesystem::path path, Room room, int lock)
      : path_(std::move(path)), room_(std::move(room)), lock_(lock) {}

  std::filesystem::path path_;
  Room room_;
  int lock_ = -1;
};

}  // namespace koi::store
