// Teller: writes what was decided into the timeline and what was sent beside it, a few times a
// second, on a thread of its own, and drops what is too old there.
#pragma once

#include <thread>

#include "runtime/clock.h"
#include "serve/deliveries.h"
#include "serve/ending.h"
#include "store/sent.h"
#include "store/timeline.h"

namespace koi::serve {

// What is referred to must outlive it. At its end it tells all that is left.
class Teller {
 public:
  Teller(Deliveries& deliveries, store::Timeline& timeline, store::Sent& sent,
         const runtime::Clock& clock);
  ~Teller();
  Teller(const Teller&) = delete;

 private:
  void run();
  void tell();

  Deliveries& deliveries_;
  store::Timeline& timeline_;
  store::Sent& sent_;
  const runtime::Clock& clock_;
  bool is_failing_ = false;
  Ending over_;
  std::thread thread_;
};

}  // namespace koi::serve
