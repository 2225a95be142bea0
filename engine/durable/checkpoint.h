// Checkpoint: when a group's changed states are written back, and the writing of one. A checkpoint
// holds the states, the accounts that they share, what the deeds keep, and the place in the journal
// that they stand for, by position and by the name of the history up to there.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "durable/customers.h"
#include "durable/writer.h"
#include "store/journal.h"
#include "store/store.h"

namespace koi::durable {

// What a checkpoint keeps beside the customers.
struct Kept {
  Hash128 chain;    // the journal's, at the checkpoint's position
  Timestamp stamp;  // of the batch that ends there
  std::string deeds;
  // How far a walk over all customers has come that is under way (a deploy's); else empty. The
  // group steps nothing meanwhile.
  std::string walk;
};
std::string encode(const Kept& kept);
Result<Kept> decode_kept(std::string_view bytes);  // error "corrupt"

// A border between two batches, at which a group was frozen.
struct Frozen {
  store::Group group = 0;
  store::Epoch epoch = 0;  // of the store
  store::Position position = 0;
  Timestamp stamp;
  std::string deeds;
  std::vector<Changed> changed;
  std::string layout;  // of the customers' states
  std::vector<store::Shared> shared;
};
Frozen freeze(Writer& writer, store::Group group, store::Epoch epoch, Deeds& deeds);

// Gives the frozen form of these customers (Customers::take), by asking whose they are.
using Take =
    std::function<Result<void>(std::span<const Changed> which, std::vector<store::Saved>& into)>;

// Writes it, in the order in which the store lays customers out. Leaves the customers alone: their
// owner must be told what came of it.
Result<void> write(Frozen& frozen, const store::Journal& journal, store::Store& store,
                   const Take& take);

// When a checkpoint is due.
struct CheckpointRules {
  std::chrono::microseconds tail =
      std::chrono::seconds(5);         // of replaying what came since the last
  std::uint32_t percent_changed = 40;  // of the budget
  std::chrono::microseconds rest = std::chrono::minutes(1);  // without any input
};

class CheckpointTimes {
 public:
  explicit CheckpointTimes(CheckpointRules rules) : rules_(rules) {}
  // A batch of so many inputs was stepped, which took so long.
  void stepped(std::size_t inputs, std::chrono::nanoseconds took);
  // A checkpoint begins here.
  void begin() { tail_ = {}; }
  bool is_due(const Writer& writer, std::chrono::microseconds rested) const;
  bool has_tail() const { return inputs_ > 0; }

 private:
  CheckpointRules rules_;
  std::chrono::nanoseconds tail_{0};  // what stepping it took: replaying it will take as long
  std::uint64_t inputs_ = 0;
};

}  // namespace koi::durable
