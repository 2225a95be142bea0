// Recorded: what came in from outside to a data directory, as the lines of "Events in"
// (docs/language.md) that `koi run` reads. So other rules can be tried over what has happened.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"
#include "plan/plan.h"
#include "runtime/run.h"

namespace koi::serve {

struct Recorded {
  std::uint64_t seed = 1;  // the deployment's
  // The rules that are live, alone: without the versions in which somebody finishes. While there is
  // a canary, those that everybody else has.
  plan::Plan live;
  Hash128 bundle;                                // of them …
  Timestamp since;                               // … and when they were put live
  std::vector<runtime::RunOptions::Pool> pools;  // all codes that were uploaded
  std::uint64_t events = 0;                      // lines that were written
  // What has no line: what tills and reviewers have asked for, and inputs that crash who decides
  // them, which the server leaves out, too.
  std::uint64_t asked = 0, set_aside = 0;
};

// Gives `write` each line, with its end, in the order in which the server took them in; an event to
// everyone once. A share that a friend has claimed over the API is an event `claimed` of his. What
// the engine itself has made (ranks, receipts, what groups tell each other) is left out: other
// rules make their own. Nobody may be serving the directory. Errors: "missing", "locked",
// "under_way", "erased" where the journal's beginning is not kept any more, "interrupted", those of
// `write`, and those of journal and bundles.
Result<Recorded> recorded(const std::filesystem::path& data,
                          const std::function<Result<void>(std::string_view)>& write,
                          const std::function<bool()>& interrupted);

}  // namespace koi::serve
