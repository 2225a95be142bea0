// Arrivals: where journals are decided again side by side, customers who turn out to be others'
// go from the replay of one group to that of another, as the replay that they come from has made
// them: with what is counted there and was not when their journal was written. A replay stops where
// it lacks somebody, until he has come. Nobody waits for ever: when it was so for the first time,
// somebody came too.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

#include "durable/letters.h"
#include "store/groups.h"

namespace koi::deploy {

// Thread-safe.
class Arrivals {
 public:
  explicit Arrivals(store::Groups groups);

  struct Wanted {
    store::Group from = 0;
    std::uint64_t number = 0;  // of the letter
  };

  // The receiver has everything up to that letter for good: it is kept no longer.
  void stored(store::Group from, store::Group to, std::uint64_t up_to);
  std::uint64_t stored(store::Group from, store::Group to) const;

  // What the sender's replay has written.
  void put(std::vector<durable::Letter> letters);
  // Nothing: it was not written yet. It is given once.
  std::optional<durable::Letter> take(store::Group to, const Wanted& wanted);

  // --- Of replays that run each on a thread of its own

  // Waits until that letter is there. False: it will never be.
  bool wait_for(store::Group own, const Wanted& wanted);
  // The group has come to its end: waits until all have. True: somebody lacks more of it.
  bool rest(store::Group own);
  // Nobody waits any more.
  void break_off();
  bool is_broken_off() const;

 private:
  enum class At : std::uint8_t { Work, Wait, Rest };
  using Name = std::tuple<store::Group, store::Group, std::uint64_t>;  // from, to, number
  bool all_rest() const;
  bool may_go_on(store::Group group) const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Name, durable::Letter> letters_;
  std::map<std::pair<store::Group, store::Group>, std::uint64_t> stored_;
  std::vector<At> at_;          // by group …
  std::vector<Wanted> wanted_;  // … and for what it waits
  std::vector<bool> called_;    // by group: it rests, and is to go on
  bool is_broken_off_ = false;
};

}  // namespace koi::deploy
