// Store: customers' states as of a position in the journal. It may lag behind; it is never ahead,
// and never between two inputs. One of the two seams (docs/architecture.md); conformance.h is what
// every implementation passes.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"
#include "store/groups.h"

namespace koi::store {

// One customer's state, whole. The partition stands in every key: a store may be split by it.
struct Saved {
  Partition partition = 0;
  std::string customer;
  std::string bytes;                   // opaque here; empty removes the customer
  Timestamp due = Timestamp::never();  // his earliest timer
  friend bool operator==(const Saved&, const Saved&) = default;
};

// What a group keeps for all its customers together, under a key of its own making; both opaque
// here.
struct Shared {
  std::string key;
  std::string bytes;  // empty removes it
  friend bool operator==(const Shared&, const Shared&) = default;
};

// Whose state.
struct Key {
  Partition partition = 0;
  std::string_view customer;
};

// What a checkpoint stands for.
struct Checkpoint {
  Group group = 0;
  Epoch epoch = 0;
  Position position = 0;  // in the journal
  std::string_view kept;  // what the group keeps beside its customers; opaque here
  // What its states cannot be read without, opaque here and the same for most checkpoints; empty:
  // nothing. What a group has named once it keeps for ever: old states may need it.
  std::string_view layout{};
  std::span<const Shared> shared{};  // those that have changed, each once
};

// The changed states in pieces, so that they need not be in memory all at once; an empty piece is
// the end. A piece is valid until the next is asked for.
using Pieces = std::function<Result<std::span<const Saved>>()>;

// Stores lay customers out in this order: a checkpoint whose states come in it is written fastest.
inline std::uint64_t place_of(Partition partition, std::string_view customer) {
  return (std::uint64_t{partition} << 53) | (hash64(customer, 0x6b6f69) >> 11);
}
inline Partition partition_at(std::uint64_t place) { return static_cast<Partition>(place >> 53); }

struct Due {
  Timestamp due;
  Partition partition = 0;
  std::string customer;
  friend auto operator<=>(const Due&, const Due&) = default;
};

// Thread-safe: groups work at the same time.
class Store {
 public:
  virtual ~Store() = default;

  // Takes a group over, as Journal::take.
  virtual Result<Epoch> take(Group group) = 0;

  // The customer's bytes as of the last checkpoint; nothing where there is no such customer.
  virtual Result<std::optional<std::string>> load(Partition partition,
                                                  std::string_view customer) const = 0;
  // The same for several customers of one group, in their order. Cheaper than one after the other;
  // most so where they come in the order of place_of.
  virtual Result<std::vector<std::optional<std::string>>> load_all(
      std::span<const Key> customers) const {
    std::vector<std::optional<std::string>> loaded;
    for (const Key& each : customers) {
      KOI_LET(auto bytes, load(each.partition, each.customer));
      loaded.push_back(std::move(bytes));
    }
    return loaded;
  }

  // Writes these states, what they share, what else the group keeps, and the journal position that
  // they stand for: all or nothing, and durable when it returns. The position never goes back
  // (error "gap"). Every partition must belong to the group (an assertion). Error "fenced" under an
  // epoch that is not the group's newest. An error of `changed` is given back as it is, and nothing
  // is written. One checkpoint of a group at a time; the rest of the store goes on meanwhile.
  virtual Result<void> checkpoint(const Checkpoint& what, const Pieces& changed) = 0;
  // The same with all states at once.
  Result<void> checkpoint(Group group, Epoch epoch, Position position,
                          std::span<const Saved> changed, std::string_view kept = {}) {
    return checkpoint({group, epoch, position, kept},
                      [changed]() mutable -> Result<std::span<const Saved>> {
                        return std::exchange(changed, {});
                      });
  }

  // What the last checkpoint kept beside the customers; empty before the first.
  virtual Result<std::string> kept(Group group) const = 0;

  // What the group shares under the key as of the last checkpoint; empty where there is nothing.
  virtual Result<std::string> shared(Group group, std::string_view key) const = 0;
  // At most `limit` of it by key, from behind `after` on: for checks, never on the event path.
  virtual Result<std::vector<Shared>> shared_behind(Group group, std::string_view after,
                                                    std::size_t limit) const = 0;

  // Every layout that a checkpoint of the group has named, once, in the order in which they came.
  virtual Result<std::vector<std::string>> layouts(Group group) const = 0;

  // The position of the group's last checkpoint; 0 before the first.
  virtual Result<Position> position(Group group) const = 0;

  // At most `limit` of the group's customers with a timer due before `before`, by (due, customer,
  // partition), from behind `after` on (as given back by the call before).
  virtual Result<std::vector<Due>> due(Group group, Timestamp before, std::size_t limit,
                                       const std::optional<Due>& after = std::nullopt) const = 0;

  // At most `limit` customers of one partition, by id, from behind `after` on: for walks and
  // builds, never on the event path.
  virtual Result<std::vector<Saved>> scan(Partition partition, std::string_view after,
                                          std::size_t limit) const = 0;
};

}  // namespace koi::store
