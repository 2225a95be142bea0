// Sink: a server in a process of its own that answers every request with 204, as fast as one core
// can, and counts nothing: what sends is measured, not what takes.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace koi::bench {

class Sink {
 public:
  Sink();
  ~Sink();  // ends the process
  Sink(const Sink&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  pid_t process_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace koi::bench
