// Timers: which customer of a group is due next. Each customer has one entry here at most, for his
// earliest timer; only the nearest are in memory, the rest is in his state, in the store or changed
// in the cache.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace koi::durable {

class Timers {
 public:
  // Where the ones that are not near come from.
  struct Source {
    // At most `limit` in order, from behind `after` on, of those customers whose due instants are
    // not in memory; `last` is set to the last one looked at, none where there are no more.
    std::function<Result<std::vector<store::Due>>(
        const std::optional<store::Due>& after, std::size_t limit, std::optional<store::Due>& last)>
        stored;
    // Calls `each` for every customer whose due instant is in memory, in any order.
    std::function<void(const std::function<void(store::Due)>& each)> cached;
  };
  Timers(Source source, std::size_t near = 4096) : source_(std::move(source)), piece_(near) {}

  // The customer's earliest timer was due at `before` and is now due at `now`.
  void move(Partition partition, std::string_view customer, Timestamp before, Timestamp now);

  // The first by (due, customer, partition) that is due before `before`; null where there is none.
  // Valid until the next call.
  Result<const store::Due*> next(Timestamp before);

 private:
  struct InOrder {
    using is_transparent = void;
    bool operator()(const store::Due& a, const store::Due& b) const {
      return std::tie(a.due, a.customer, a.partition) < std::tie(b.due, b.customer, b.partition);
    }
  };

  bool is_near(const store::Due& due) const {
    return all_ || (horizon_ && !InOrder()(*horizon_, due));
  }
  Result<void> look_further();
  void shorten();

  Source source_;
  std::size_t piece_;
  // INVARIANT: near_ holds exactly the customers' earliest timers up to the horizon (included).
  std::set<store::Due, InOrder> near_;
  std::optional<store::Due> horizon_;  // none: nothing was looked at yet
  bool all_ = false;                   // there is no horizon: all are near
};

}  // namespace koi::durable
