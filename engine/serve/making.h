// Making: other rules on their way to be live. They are made ready on a thread of their own, while
// everything else goes on; what is left for the border between the two is short.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "deploy/ahead.h"
#include "deploy/bundles.h"
#include "deploy/deploy.h"
#include "runtime/clock.h"
#include "serve/data.h"

namespace koi::serve {

// What deploys work on. `data` and `clock` must outlive it.
deploy::Site site_of(Data& data, const runtime::Clock& clock, std::uint64_t memory, bool keeps_sent,
                     std::function<void(const deploy::Progress&)> progress);
std::string stage_of(const deploy::Progress& progress);

// Brings the data to the wanted rules while nothing is served, and says what that took, in lines
// for people and in the log.
Result<std::string> deploy_to(Data& data, const deploy::Bundle& wanted, const deploy::Said& said,
                              const deploy::Ways& ways, bool keeps_sent, std::uint64_t memory);

class Making {
 public:
  struct Wanted {
    deploy::Bundle bundle;
    deploy::Said said;
    deploy::Ways ways;
  };
  // What it is made amid. All but make_ready() is called on its thread alone.
  struct Amid {
    Data& data;
    const runtime::Clock& clock;
    std::uint64_t memory = 0;  // that it may take
    bool keeps_sent = false;
    std::function<Result<void>()> write_back;  // what the writers have changed
    std::function<void()> drain;               // what is under way to the channels
    std::function<bool(Duration)> rest;        // for so long; true: it is to be given up
    std::function<void(std::string)> say;      // how it is coming on
  };
  Making(Amid amid, Wanted wanted);
  ~Making();

  // All that can be done while the former rules go on.
  Result<void> make_ready();
  // At the border: the writers have stopped, and everything is written back. What it took, in lines
  // for people. Behind it, and behind an error, deployment.json says what is live, and the data
  // stands on the states of that.
  Result<std::string> go_live();

 private:
  Result<void> follow_until_few();

  Amid amid_;
  const Wanted wanted_;
  deploy::Site site_;
  deploy::States next_;
  std::string folder_;  // of these
  std::unique_ptr<deploy::Ahead> ahead_;
};

}  // namespace koi::serve
