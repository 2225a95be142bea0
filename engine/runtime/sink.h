// Sink: a file that is written from its beginning to its end, with every failure noticed.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::runtime {

class Sink {
 public:
  Sink() = default;
  ~Sink();
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // Makes the file, or empties it; "-" is the standard output. Error "unwritable".
  Result<void> open(const std::string& path);
  bool is_open() const { return file_ >= 0; }
  // Appends; written to the disk in large pieces. Error "unwritable", "closed" (a closed pipe).
  Result<void> write(std::string_view bytes);
  // Writes what is left and closes. The file is complete only after this.
  Result<void> close();

 private:
  Result<void> flush();
  std::string path_, waiting_;
  int file_ = -1;
};

}  // namespace koi::runtime
