// Readings: what metrics are at one instant, each read once for all conditions that ask while
// nothing changes: a segment's truth and its next flip, a hundred campaigns over the same window.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "model/value.h"
#include "plan/plan.h"

namespace koi::core {

// A metric at an instant, and what is known beside its value once it has been read.
struct Reading {
  Value value;
  // Of a window's count or sum: none of what it holds lowers it, so that losing it never raises it.
  bool only_falls = false;
};

// Belongs to one thread. Nothing in it outlives forget().
class Readings {
 public:
  void begin(std::size_t metrics) {
    if (kept_.size() < metrics) kept_.resize(metrics);
    forget();
  }
  void forget() {
    if (++epoch_ != 0) return;
    epoch_ = 1;
    for (Kept& kept : kept_) kept.epoch = 0;
  }
  // The reading at `now`; `read` gives it where it is not known. Valid until the metric is read
  // again at another instant.
  template <class Read>
  const Reading& of(std::size_t metric, Timestamp now, Read read) {
    Kept& kept = kept_[metric];
    if (kept.epoch != epoch_ || kept.now != now) {
      kept.reading = read();
      kept.epoch = epoch_;
      kept.now = now;
    }
    return kept.reading;
  }

 private:
  struct Kept {
    Reading reading;
    Timestamp now;
    std::uint32_t epoch = 0;
  };
  std::uint32_t epoch_ = 0;
  std::vector<Kept> kept_;
};

}  // namespace koi::core
