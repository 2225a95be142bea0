#include "runtime/clock.h"

#include <chrono>

namespace koi::runtime {

Timestamp SystemClock::now() const {
  return {std::chrono::duration_cast<std::chrono::microseconds>(
              std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

}  // namespace koi::runtime
