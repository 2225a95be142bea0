// Ranks: the levels of tiers on a server, found and told while whatever else comes in goes on.
//
// At the instant of a refreshing every group's journal gets a border (durable::Writer): what was
// decided before it counts. From there on each customer is ranked by what he was at that instant:
// it is kept in his state before anything changes him, and can be found there of all others. So
// the store is read in peace, twice over all customers to find where the levels begin and once to
// tell those whose level is another one, in slices, as events of theirs in the journal. One that
// was broken off begins anew after the next start; who has been told is not told twice.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "channel/connector.h"
#include "core/state.h"
#include "durable/writers.h"
#include "plan/plan.h"
#include "store/groups.h"
#include "store/store.h"

namespace koi::serve {

// What ranks read and write. All that is referred to must outlive them.
struct RanksWorld {
  const plan::Plan& plan;
  Timestamp since;  // the rules are live since then; what was refreshed before is not theirs
  const store::Store& store;
  store::Groups groups;
  durable::Writers& writers;
  std::function<Timestamp()> clock;
  std::function<void(channel::Level, std::string_view)> say;
};

class Ranks {
 public:
  // Takes up what the file says of earlier refreshings, and keeps there what it does. Errors
  // "full", "unwritable", "unreadable", "corrupt".
  static Result<std::unique_ptr<Ranks>> open(std::filesystem::path file, RanksWorld world);
  ~Ranks();
  Ranks(const Ranks&) = delete;

  void start();
  // Ends after the slice at hand. The writers must still be at work.
  void stop();

  // The last refreshing of that tier (of plan::Plan::tiers) that all customers were told of, or
  // since when there are none to be told of. Thread-safe.
  Timestamp told(std::size_t tier) const;

 private:
  using Each = std::function<Result<void>(const core::State&)>;

  Ranks(std::filesystem::path file, RanksWorld world)
      : file_(std::move(file)), world_(std::move(world)) {}
  Result<void> read_file();
  Result<void> write_file();
  void run();
  Result<void> refresh(std::size_t tier, Timestamp at);
  Result<void> until_passed(Timestamp at);
  Result<void> for_each_customer(const Each& each);
  Result<Value> value_of(const plan::Tier& tier, const core::State& state, Timestamp at) const;
  bool rest(std::chrono::microseconds time);

  const std::filesystem::path file_;
  const RanksWorld world_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Timestamp> told_;  // by tier
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace koi::serve
