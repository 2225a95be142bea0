#include "store/directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace koi::store {

namespace {

Error unwritable(const std::filesystem::path& path, int reason) {
  return {"unwritable", "the data directory " + path.string() +
                            " cannot be written to: " + std::strerror(reason) +
                            "; give a directory that this user may write to"};
}

std::string owner_of(int lock) {
  char text[32] = {};
  const ssize_t length = ::pread(lock, text, sizeof text - 1, 0);
  std::string owner(text, length > 0 ? static_cast<std::size_t>(length) : 0);
  while (!owner.empty() && (owner.back() < '0' || owner.back() > '9')) owner.pop_back();
  return owner.empty() ? "another process" : "process " + owner;
}

}  // namespace

Result<Directory> Directory::open(const std::filesystem::path& path, Room room) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return unwritable(path, errno);
  const auto file = path / "lock";
  const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return unwritable(path, errno);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const bool taken = errno == EWOULDBLOCK;
    const int reason = errno;
    const std::string owner = owner_of(lock);
    ::close(lock);
    if (!taken) return unwritable(path, reason);
    return Error{"locked", "the data directory " + path.string() + " is in use by " + owner +
                               "; stop that one first, or give another directory"};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock, 0) != 0 ||
      ::pwrite(lock, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    const int reason = errno;
    ::close(lock);
    if (reason == ENOSPC)
      return Error{"full", "there is no room left on the disk of " + path.string() +
                               "; make room and start again"};
    return unwritable(path, reason);
  }
  return Directory(path, std::move(room), lock);
}

Directory::Directory(Directory&& other) noexcept
    : path_(std::move(other.path_)),
      room_(std::move(other.room_)),
      lock_(std::exchange(other.lock_, -1)) {}

Directory::~Directory() {
  if (lock_ >= 0) ::close(lock_);  // and with it the lock
}

Result<void> Directory::room_left() const {
  std::uint64_t free = 0;
  if (room_.free_bytes) {
    free = room_.free_bytes(path_);
  } else {
    struct statvfs disk = {};
    if (::statvfs(path_.c_str(), &disk) != 0) return unwritable(path_, errno);
    free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  }
  if (free >= room_.reserve) return {};
  return Error{"full", "only " + std::to_string(free >> 20) + " MiB are free on the disk of " +
                           path_.string() + ", and " + std::to_string(room_.reserve >> 20) +
                           " MiB are kept for checkpoints; make room, and it goes on"};
}

}  // namespace koi::store
