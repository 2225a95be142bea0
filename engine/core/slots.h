// Slots<T>: as many places as a plan lays out for one thing of a customer, most of which hold what
// they held at the beginning, T(): those take no room. A customer has met few of ten thousand
// campaigns' segments and windows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/list.h"

namespace koi::core {

template <class T>
class Slots {
 public:
  struct Kept {
    static constexpr bool moves_as_bytes = MovesAsBytes<T>;
    T value;
    std::uint16_t slot = 0;
  };

  // Valid until another slot is changed.
  const T& operator[](std::size_t slot) const {
    const Kept* const place = place_of(slot);
    if (place != kept_.end() && place->slot == slot) return place->value;
    static const T as_at_the_beginning{};
    return as_at_the_beginning;
  }
  // To change it. It takes room from now on.
  T& at(std::size_t slot) {
    const Kept* const place = place_of(slot);
    if (place != kept_.end() && place->slot == slot)
      return kept_[static_cast<std::size_t>(place - kept_.begin())].value;
    return kept_.insert(place, {T{}, static_cast<std::uint16_t>(slot)})->value;
  }
  void set(std::size_t slot, T value) {
    if (value != T{}) {
      at(slot) = std::move(value);
    } else if (const Kept* const place = place_of(slot);
               place != kept_.end() && place->slot == slot) {
      kept_.erase(place);
    }
  }
  // Forgets this slot and those behind it.
  void truncate(std::size_t slot) { kept_.erase(place_of(slot), kept_.end()); }

  // Those that take room, by slot. What stands there may be T() again.
  const Kept* begin() const { return kept_.begin(); }
  const Kept* end() const { return kept_.end(); }
  Kept* begin() { return kept_.begin(); }
  Kept* end() { return kept_.end(); }
  const Kept* data() const { return kept_.data(); }
  std::size_t block_bytes() const { return kept_.block_bytes(); }
  // Gives back the room of those that are as at the beginning.
  void tidy() {
    erase_if(kept_, [](const Kept& kept) { return kept.value == T{}; });
  }

  friend bool operator==(const Slots& a, const Slots& b) {
    const Kept* right = b.begin();
    for (const Kept& left : a) {
      if (left.value == T{}) continue;
      while (right != b.end() && right->value == T{}) ++right;
      if (right == b.end() || right->slot != left.slot || right->value != left.value) return false;
      ++right;
    }
    return std::all_of(right, b.end(), [](const Kept& kept) { return kept.value == T{}; });
  }

 private:
  // The first one not before the slot.
  const Kept* place_of(std::size_t slot) const {
    const std::size_t size = kept_.size();
    if (slot < size && kept_[slot].slot == slot) return kept_.begin() + slot;  // none is missing
    if (size == 0 || kept_[size - 1].slot < slot) return kept_.end();
    return std::lower_bound(kept_.begin(), kept_.end(), slot,
                            [](const Kept& kept, std::size_t s) { return kept.slot < s; });
  }

  List<Kept> kept_;
};

}  // namespace koi::core
