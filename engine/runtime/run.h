// Run: event files through a program, on their own clock. Deterministic: the same program, events
// and seed give the same effects, byte for byte, with any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "runtime/input.h"
#include "runtime/summary.h"

namespace koi::runtime {

struct Progress {
  std::uint64_t records = 0, records_in_all = 0;
  Timestamp clock = Timestamp::ever();
};

struct RunOptions {
  std::vector<InputFile> events;
  // The clock runs on to here, its deadlines included, and what comes later is left out. Without
  // it, the clock stops at the last event.
  std::optional<Timestamp> until;
  struct Pool {
    std::string name;
    std::vector<std::string> codes;
  };
  std::vector<Pool> pools;                      // that were uploaded before the first event
  unsigned threads = 1;                         // at least 1
  std::string effects_path;                     // "-": the standard output; empty: nowhere
  std::string rejects_path = "rejects.ndjson";  // made only if something is rejected
  bool keep_messages = true;                    // Summary::messages
  // Nothing runs after this: what the run holds is left to the end of the process, for giving back
  // a million states one by one takes a tenth of the time. Threads are ended all the same.
  bool process_ends = false;
  std::function<void(const Progress&)> progress = [](const Progress&) {};
  std::function<bool()> interrupted = [] { return false; };
};

// Deliveries succeed at once. Error "unreadable", "unwritable" or "map": what could not be read or
// written, why, and the remedy.
Result<Summary> run(const plan::Plan& plan, const RunOptions& options);

}  // namespace koi::runtime
