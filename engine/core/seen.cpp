#include "core/seen.h"

#include <algorithm>

#include "core/detail/room.h"

namespace koi::core {

namespace {
constexpr std::size_t few = 32;  // that stand side by side

// Many stand in a block with room for a seventh more at least, and are laid out anew when they fill
// fifteen homes of sixteen: what a busy customer takes in memory is mostly this. The last ones
// stand behind the last home, and have room there.
std::size_t wanted_for(std::size_t ids) { return ids + ids / 7 + 8; }
std::size_t behind(std::size_t slots) { return std::min<std::size_t>(slots / 32, 256) + 4; }
std::size_t most_in(std::size_t homes) { return homes - homes / 16; }
}  // namespace

std::uint32_t SeenIds::minute_of(Timestamp time) {
  const std::int64_t minute = std::max<std::int64_t>(time.us, 0) / minutes(1).us;
  return static_cast<std::uint32_t>(std::min<std::int64_t>(minute, gap - 1));
}

// Where the id stands, or where it would.
std::size_t SeenIds::place_of(std::uint64_t hash) const {
  if (homes_ == 0) {
    const auto place =
        std::lower_bound(slots_.begin(), slots_.end(), hash,
                         [](const Slot& slot, std::uint64_t b) { return slot.hash() < b; });
    return static_cast<std::size_t>(place - slots_.begin());
  }
  std::size_t at = home_of(hash);
  while (at < slots_.size() && !slots_[at].is_gap() && slots_[at].hash() < hash) ++at;
  return at;
}

bool SeenIds::contains(std::uint64_t hash) const {
  const std::size_t at = place_of(hash);
  return at < slots_.size() && !slots_[at].is_gap() && slots_[at].hash() == hash;
}

void SeenIds::insert(std::uint64_t hash, Timestamp time) {
  const Slot fresh = slot_of(hash, minute_of(time));
  std::size_t at = place_of(hash);
  if (at < slots_.size() && !slots_[at].is_gap() && slots_[at].hash() == hash) return;
  const std::size_t room = homes_ == 0 ? few : most_in(homes_);
  if (size_ >= room) {
    List<Slot> all;
    all.reserve(size_);
    for (const Slot& slot : slots_)
      if (!slot.is_gap()) all.push_back(slot);
    lay_out(all);
    at = place_of(hash);
  }
  ++size_;
  if (homes_ == 0) {
    slots_.insert(slots_.begin() + at, fresh);
    return;
  }
  std::size_t end = at;  // of what must move
  while (end < slots_.size() && !slots_[end].is_gap()) ++end;
  if (end == slots_.size()) slots_.push_back({});
  std::move_backward(slots_.begin() + at, slots_.begin() + end, slots_.begin() + end + 1);
  slots_[at] = fresh;
}

// Bytes from outside may hold what nobody wrote: ids in another order, or twice.
void SeenIds::take(List<Slot> all) {
  const auto before = [](const Slot& a, const Slot& b) { return a.hash() < b.hash(); };
  const auto does_not_ascend = [](const Slot& a, const Slot& b) { return a.hash() >= b.hash(); };
  if (std::adjacent_find(all.begin(), all.end(), does_not_ascend) != all.end()) {
    std::stable_sort(all.begin(), all.end(), before);
    const auto same = [](const Slot& a, const Slot& b) { return a.hash() == b.hash(); };
    all.erase(std::unique(all.begin(), all.end(), same), all.end());
  }
  size_ = static_cast<std::uint32_t>(all.size());
  if (size_ < few) {
    homes_ = 0;
    slots_ = std::move(all);
    return;
  }
  lay_out(all);
}

// Gives the ids, which ascend, new places, with room for some more.
void SeenIds::lay_out(const List<Slot>& all) {
  homes_ = 0;
  if (all.size() < few) {
    slots_ = all;
    return;
  }
  const std::size_t slots = items_in_block(wanted_for(all.size()), sizeof(Slot));
  homes_ = static_cast<std::uint32_t>(slots - behind(slots));
  slots_.clear();
  slots_.reserve(slots);
  slots_.resize(homes_);
  std::size_t at = 0;
  for (const Slot& slot : all) {
    at = std::max(at, home_of(slot.hash()));
    if (at == slots_.size()) slots_.push_back({});
    slots_[at++] = slot;
  }
}

void SeenIds::forget_before(Timestamp time) {
  const std::uint32_t first = minute_of(time);
  List<Slot> left;
  for (const Slot& slot : slots_)
    if (!slot.is_gap() && slot.minute >= first) left.push_back(slot);
  if (left.size() == size_) return;
  size_ = static_cast<std::uint32_t>(left.size());
  left.shrink_to_fit();
  lay_out(left);
}

bool operator==(const SeenIds& a, const SeenIds& b) {
  if (a.size_ != b.size_) return false;
  auto other = b.slots_.begin();
  return std::all_of(a.slots_.begin(), a.slots_.end(), [&](const SeenIds::Slot& slot) {
    if (slot.is_gap()) return true;
    while (other->is_gap()) ++other;
    const SeenIds::Slot& its = *other++;
    return its.hash() == slot.hash() && its.minute == slot.minute;
  });
}

}  // namespace koi::core
