// SeenIds: the ids of a customer's events, as hashes, by which one that comes again is known. They
// are kept in order of their hashes. Few stand side by side; many stand near the place that their
// hash says, with gaps between, so that one more moves only its neighbours and is found at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/list.h"
#include "base/time.h"

namespace koi::core {

class SeenIds {
 public:
  bool contains(std::uint64_t hash) const;
  // What is there already stays as it is. The time is kept by the minute, rounded down.
  void insert(std::uint64_t hash, Timestamp time);
  // Forgets what happened in a minute before the one of `time`.
  void forget_before(Timestamp time);

  // Of few, gives back room that is not used.
  void shrink_to_fit() {
    if (homes_ == 0) slots_.shrink_to_fit();
  }

  std::size_t size() const { return size_; }
  std::size_t block_bytes() const { return slots_.block_bytes(); }
  // Calls `each(hash, minute)` in ascending order of the hashes; minutes count from 1970.
  template <class Each>
  void for_each(Each each) const {
    for (const Slot& slot : slots_)
      if (!slot.is_gap()) each(slot.hash(), slot.minute);
  }
  // Holds `count` ids in place of what was there: next() gives each as {hash, minute}, as
  // for_each() has told them. In time that grows with their number; one by one, ascending ids would
  // each find the others in their way.
  template <class Next>
  void assign(std::size_t count, Next next) {
    List<Slot> all;
    all.reserve(count);
    for (; count > 0; --count) {
      const auto [hash, minute] = next();
      all.push_back(slot_of(hash, minute));
    }
    take(std::move(all));
  }
  static std::uint32_t minute_of(Timestamp time);
  const void* data() const { return slots_.data(); }
  // Asks the memory for the place of an id among many.
  void prefetch(std::uint64_t hash) const {
    if (homes_ != 0) __builtin_prefetch(slots_.data() + home_of(hash));
  }

  friend bool operator==(const SeenIds& a, const SeenIds& b);

 private:
  struct Slot {  // twelve bytes
    std::uint32_t high = 0, low = 0;
    std::uint32_t minute = gap;
    std::uint64_t hash() const { return std::uint64_t{high} << 32 | low; }
    bool is_gap() const { return minute == gap; }
  };
  static constexpr std::uint32_t gap = UINT32_MAX;
  static Slot slot_of(std::uint64_t hash, std::uint32_t minute) {
    return {static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(hash),
            std::min(minute, gap - 1)};
  }

  std::size_t home_of(std::uint64_t hash) const {
    return static_cast<std::size_t>((hash >> 32) * homes_ >> 32);
  }
  std::size_t place_of(std::uint64_t hash) const;
  void take(List<Slot> all);
  void lay_out(const List<Slot>& all);

  // INVARIANT: without gaps, hashes ascend; an id stands at its home or behind it, and there is no
  // gap between. Without homes there are no gaps.
  List<Slot> slots_;
  std::uint32_t size_ = 0, homes_ = 0;
};

}  // namespace koi::core
