// Unnamed: a file that nobody finds, for what is written and read again within one command. It is
// gone with its descriptor, however the process ends.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace koi::runtime {

class Unnamed {
 public:
  // In that folder, readable by nobody else. Error "unwritable" or "full".
  static Result<Unnamed> make(const std::filesystem::path& folder);
  Unnamed(Unnamed&& other) noexcept;
  Unnamed& operator=(Unnamed&&) = delete;
  ~Unnamed();

  // By which it can be opened for as long as this lives (proc(5): /proc/self/fd).
  std::string path() const;

 private:
  explicit Unnamed(int file) : file_(file) {}
  int file_;
};

}  // namespace koi::runtime
