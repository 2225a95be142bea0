#include "deploy/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace koi::deploy {

namespace fs = std::filesystem;

namespace {

Error unwritable(const fs::path& path, int reason) {
  if (reason == ENOSPC || reason == EDQUOT)
    return {"full", "there is no room left on the disk for " + path.string() +
                        "; make room and start again"};
  return {"unwritable", path.string() + " cannot be written: " + std::strerror(reason)};
}

Error unreadable(const fs::path& path, int reason) {
  return {"unreadable", path.string() + " cannot be read: " + std::strerror(reason)};
}

// A descriptor that is closed on every way out.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

// What a folder names is durable only when the folder is.
Result<void> sync_folder(const fs::path& path) {
  const Descriptor folder(path, O_RDONLY | O_DIRECTORY);
  if (!folder.ok() || ::fsync(folder.get()) != 0) return unwritable(path, errno);
  return {};
}

}  // namespace

Result<void> make_folder(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return {};
    return unwritable(path, errno);
  }
  return sync_folder(path.parent_path());
}

Result<void> write_whole(const fs::path& path, std::string_view bytes) {
  fs::path beside = path;
  beside += ".new";
  {
    const Descriptor file(beside, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.ok()) return unwritable(path, errno);
    while (!bytes.empty()) {
      const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return unwritable(path, written < 0 ? errno : EIO);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(file.get()) != 0) return unwritable(path, errno);
  }
  if (std::rename(beside.c_str(), path.c_str()) != 0) return unwritable(path, errno);
  return sync_folder(path.parent_path());
}

Result<std::optional<std::string>> read_whole(const fs::path& path, std::size_t longest) {
  const Descriptor file(path, O_RDONLY);
  if (!file.ok()) {
    if (errno == ENOENT) return std::optional<std::string>();
    return unreadable(path, errno);
  }
  std::string bytes;
  char piece[1 << 16];
  for (;;) {
    const ssize_t got = ::read(file.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(path, errno);
    if (got == 0) return std::optional<std::string>(std::move(bytes));
    bytes.append(piece, static_cast<std::size_t>(got));
    if (bytes.size() > longest)
      return Error{"corrupt", path.string() +
                                  " is longer than any file of its kind; put back the "
                                  "one that belongs there"};
  }
}

}  // namespace koi::deploy
