#include "runtime/sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace koi::runtime {

namespace {
constexpr std::size_t piece = 1u << 18;

Error unwritable(const std::string& path, int error) {
  const std::string name = path == "-" ? "the standard output" : "`" + path + "`";
  if (error == EPIPE) return {"closed", name + " was closed by its reader before the end"};
  return {"unwritable", name + " cannot be written: " + std::strerror(error) +
                            (error == ENOSPC ? "; make room on the disk and run again"
                                             : "; check the path and its permissions")};
}
}  // namespace

Sink::~Sink() {
  if (file_ >= 0) ::close(file_);
}

Result<void> Sink::open(const std::string& path) {
  path_ = path;
  file_ = path == "-" ? ::dup(STDOUT_FILENO)
                      : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file_ < 0) return unwritable(path, errno);
  return {};
}

Result<void> Sink::write(std::string_view bytes) {
  waiting_.append(bytes);
  if (waiting_.size() < piece) return {};
  return flush();
}

Result<void> Sink::flush() {
  std::string_view rest = waiting_;
  while (!rest.empty()) {
    const ssize_t written = ::write(file_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return unwritable(path_, errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  waiting_.clear();
  return {};
}

Result<void> Sink::close() {
  if (file_ < 0) return {};
  KOI_TRY(flush());
  const int file = file_;
  file_ = -1;
  if (::close(file) != 0) return unwritable(path_, errno);
  return {};
}

}  // namespace koi::runtime
