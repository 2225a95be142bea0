// Poison: inputs and timers that crash whoever steps them, a few of all, wherever in the journal
// they come to stand. What has crashed two lives in a row must be set aside, and nothing else;
// everyone else must be served.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "chance.h"
#include "durable/crash_watch.h"
#include "record.h"
#include "store/journal.h"

namespace koi::simulator {

// Thrown in the place of the signal that ends a process.
struct Crashed {};

class Poison {
 public:
  // One in `rate` is poisoned; 0: nothing is.
  Poison(Chance chance, std::uint64_t rate) : seed_(chance.next()), rate_(rate) {}

  // A life begins, or goes on; its watch is asked by the writers, and must not outlive the journal.
  std::unique_ptr<durable::CrashWatch> watch(store::Groups groups, const store::Journal& journal);
  // The power went: the marks were never synced, and are lost.
  void forget();

  // The deployment is taken back to a moment: remember() was called then. What crashes after that
  // is counted anew.
  void remember() { remembered_ = crashes_; }
  void take_back() {
    crashes_ = remembered_;
    forget();
  }

  // Of what the journal says is set aside: a breach where nothing had to be.
  void check(store::Group group, store::SetAside what, Record& record) const;
  std::uint64_t crashes() const { return crashed_; }

 private:
  class Watch;
  bool is_poison(store::Group group, store::SetAside what) const;

  std::uint64_t seed_, rate_;
  std::array<durable::CrashWatch::Mark, 8> marks_{};
  std::map<std::pair<store::Group, store::SetAside>, std::uint64_t> crashes_, remembered_;
  std::uint64_t crashed_ = 0;
};

}  // namespace koi::simulator
