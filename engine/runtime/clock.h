// Clock: where deeds learn the time. Decisions never ask one.
#pragma once

#include "base/time.h"

namespace koi::runtime {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
};

// The machine's clock. It may jump.
class SystemClock final : public Clock {
 public:
  Timestamp now() const override;
};

// Stands where it is put. One thread.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp at = {}) : now_(at) {}
  Timestamp now() const override { return now_; }
  void set(Timestamp to) { now_ = to; }

 private:
  Timestamp now_;
};

}  // namespace koi::runtime
