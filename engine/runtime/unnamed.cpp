#include "runtime/unnamed.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace koi::runtime {

Result<Unnamed> Unnamed::make(const std::filesystem::path& folder) {
  std::string name = (folder / "koi-XXXXXX").string();
  const int file = ::mkostemp(name.data(), O_CLOEXEC);
  if (file < 0)
    return Error{errno == ENOSPC ? "full" : "unwritable",
                 "no file can be made in " + folder.string() + ": " + std::strerror(errno) +
                     "; make room there, or see to its permissions"};
  ::unlink(name.c_str());
  return Unnamed(file);
}

Unnamed::Unnamed(Unnamed&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

Unnamed::~Unnamed() {
  if (file_ >= 0) ::close(file_);
}

std::string Unnamed::path() const { return "/proc/self/fd/" + std::to_string(file_); }

}  // namespace koi::runtime
