// Running: what the commands have in common that feed inputs through a program (runtime/run.h).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cli/program.h"
#include "plan/plan.h"
#include "runtime/run.h"

namespace koi::cli {

// A bar on the terminal, drawn anew a few times a second; nothing where standard error is none.
class ProgressBar {
 public:
  explicit ProgressBar(const plan::Plan& plan);  // which must outlive it
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void draw(const runtime::Progress& progress);

 private:
  const plan::Plan& plan_;
  bool shown_, drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

// An instant as it is written for that option; without an offset it is by the zone's clock, and of
// a day its beginning. Error "usage" where it is none, or not between the years 1970 and 2199.
Result<Timestamp> instant_of(const std::string& option, const std::string& text, const Zone& zone);

// 0: as many as there are cores.
unsigned threads_of(unsigned wanted);

// The codes of each pool, which stand in a file beside the rules, one a line. What is not there is
// noted on standard error, and empty. Error "pool".
Result<std::vector<runtime::RunOptions::Pool>> pools_of(const LoadedProgram& program,
                                                        const plan::Plan& plan);

}  // namespace koi::cli
