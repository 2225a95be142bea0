// CrashWatch: which input a group was stepping when the process crashed. What crashes the core
// would crash every recovery: what has done so twice in a row is set aside (store::SetAside), and
// everyone else goes on. Counted are crashes alone (a broken invariant, a wild pointer, a stack
// that is too small), not kills and power cuts, which say nothing about the input.
//
// The marks are progress, not truth: a small file beside the journal, never synced, free to be
// lost. A process that dies leaves them to the system, which keeps them.
#pragma once

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "store/directory.h"
#include "store/journal.h"

namespace koi::durable {

class CrashWatch {
 public:
  // Reads the marks of the life before, and counts from here on. From then to the end of the
  // process the signals SEGV, BUS, FPE, ILL and ABRT are marked before they do what they did.
  // Errors: "unwritable".
  static Result<std::unique_ptr<CrashWatch>> open(const store::Directory& directory,
                                                  store::Groups groups);
  ~CrashWatch();
  CrashWatch(const CrashWatch&) = delete;

  // What has crashed the group's last two lives, if anything. settled() must follow when it is set
  // aside.
  std::optional<store::SetAside> suspect(store::Group group) const;
  void settled(store::Group group);

  // From here to the next call, the calling thread steps that; one thread for each group.
  void stepping(store::Group group, store::SetAside what);
  void rests(store::Group group);

 private:
  struct Mark;
  CrashWatch(Mark* marks, std::size_t bytes) : marks_(marks), bytes_(bytes) {}
  static void note(int signal, siginfo_t* info, void*);

  Mark* marks_;  // of the groups, in a file that is mapped
  std::size_t bytes_;
};

}  // namespace koi::durable
