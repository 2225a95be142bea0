// CrashWatch: which input a group was stepping when the process crashed. What crashes the core
// would crash every recovery: what has done so twice in a row is set aside (store::SetAside), and
// everyone else goes on. Counted are crashes alone (a broken invariant, a wild pointer, a stack
// that is too small), not kills and power cuts, which say nothing about the input.
//
// The marks are progress, not truth: a small file beside the journal, never synced, free to be
// lost. A process that dies leaves them to the system, which keeps them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/result.h"
#include "store/directory.h"
#include "store/journal.h"

namespace koi::durable {

class CrashWatch {
 public:
  // What is known of a group, on a line of the processor's cache of its own. All zeros: nothing.
  struct alignas(64) Mark {
    enum State : std::uint32_t { Resting, Stepping, Crashed };
    std::atomic<std::uint64_t> position, customer;  // what is being stepped, or was at the crash
    std::atomic<std::uint32_t> state;
    std::uint32_t crashes;  // in a row at …
    std::uint64_t crashed_position, crashed_customer;
  };

  // Reads the marks of the life before, and counts from here on. From then to the end of the
  // process the signals SEGV, BUS, FPE, ILL and ABRT are marked before they do what they did.
  // Errors: "unwritable".
  static Result<std::unique_ptr<CrashWatch>> open(const store::Directory& directory,
                                                  store::Groups groups);
  // The same over marks that somebody else keeps, and that outlive it. No signal is marked: who
  // simulates crashes says crashed().
  explicit CrashWatch(std::span<Mark> marks);
  virtual ~CrashWatch() = default;
  CrashWatch(const CrashWatch&) = delete;

  // What has crashed the group's last two lives, if anything. settled() must follow when it is set
  // aside.
  std::optional<store::SetAside> suspect(store::Group group) const;
  void settled(store::Group group);

  // From here to the next call, the calling thread steps that; one thread for each group.
  virtual void stepping(store::Group group, store::SetAside what);
  virtual void rests(store::Group group);

 protected:
  // The process ends by what the group is stepping.
  void crashed(store::Group group) { marks_[group].state = Mark::Crashed; }
  std::atomic<std::uint32_t>& state(store::Group group) { return marks_[group].state; }

 private:
  std::span<Mark> marks_;
};

}  // namespace koi::durable
