// Ranks: the levels of tiers on a server, found and told while whatever else comes in goes on.
//
// At the instant of a refreshing every group's journal gets a border (durable::Writer): what was
// decided before it counts. From there on each customer is ranked by what he was at that instant:
// it is kept in his state before anything changes him, and can be found there of all others. So
// the store is read in peace, twice over all customers to find where the levels begin and once to
// tell those whose level is another one, in slices, as events of theirs in the journal. One that
// was broken off begins anew after the next start; who has been told is not told twice. All of it
// is done in turns, one piece each: on a thread of its own, or by hand.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "channel/connector.h"
#include "core/codec.h"
#include "core/ranks.h"
#include "core/state.h"
#include "durable/writers.h"
#include "plan/plan.h"
#include "serve/telling.h"
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
  // Ends after the piece at hand. The writers must still be at work.
  void stop();

  // By hand, where it was not started: the next piece of what is to be refreshed, or why not
  // (error "overtaken" where the next refreshing came before this one was told; else those of the
  // writers and the store); it begins anew then.
  enum class Turn : std::uint8_t {
    Nothing,  // no tier is to be refreshed
    Waits,    // for what the writers have still to do
    Moved,
  };
  Result<Turn> turn();

  // The last refreshing of that tier (of plan::Plan::tiers) that all customers were told of, or
  // since when there are none to be told of. Thread-safe.
  Timestamp told(std::size_t tier) const;

 private:
  // One that is under way.
  struct Refreshing {
    enum class Stage : std::uint8_t { Passing, Values, Ids, Telling };
    Refreshing(std::size_t n, const plan::Tier& tier, Timestamp t)
        : number(n), at(t), borders(tier) {}
    std::size_t number;
    Timestamp at;
    core::Borders borders;
    Stage stage = Stage::Passing;
    // How far the store is read.
    store::Group group = 0;
    std::size_t partition = 0;
    std::string after;
    std::optional<core::Codec> codec;  // of the group
    // What is told of it: the slice at hand, and where it was handed in how it goes.
    std::vector<Event> slice;
    std::optional<Telling> telling;
    std::uint64_t others = 0;  // were told
  };
  using Each = std::function<void(const core::State&, const Value&)>;

  Ranks(std::filesystem::path file, RanksWorld world)
      : file_(std::move(file)), world_(std::move(world)) {}
  Result<void> read_file();
  Result<void> write_file();
  void run();
  Result<Turn> go_on(Refreshing& refreshing);
  Result<Turn> tell_on(Refreshing& refreshing);
  Result<void> write_back();
  Result<bool> read_on(Refreshing& refreshing, const Each& each);
  Result<void> end(const Refreshing& refreshing);
  bool rest(std::chrono::microseconds time);

  const std::filesystem::path file_;
  const RanksWorld world_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Timestamp> told_;  // by tier
  bool is_over_ = false;
  bool has_thread_ = false;
  std::optional<Refreshing> under_way_;
  std::vector<Timestamp> given_up_;  // of each tier, the last one that was overtaken
  std::size_t last_ = 0;             // the tier of the last turn
  std::thread thread_;
};

}  // namespace koi::serve
