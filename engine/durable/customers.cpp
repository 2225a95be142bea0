#include "durable/customers.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "core/decide.h"

namespace koi::durable {

namespace {

constexpr std::uint64_t block_bytes =
    16;  // what the allocator adds to a block, and rounds it up by

template <class Block>
std::uint64_t block_of(const Block& items) {
  return items.block_bytes() == 0 ? 0 : items.block_bytes() + block_bytes;
}
std::uint64_t block_of(const std::string& text) {
  return text.capacity() <= std::string().capacity() ? 0 : text.capacity() + block_bytes;
}
// Of many values only some are looked at: a busy customer's are counted with each of his events.
std::uint64_t blocks_in(const List<Value>& values) {
  constexpr std::size_t some = 16;
  const std::size_t every = values.size() / some + 1;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < values.size(); i += every) bytes += values[i].heap_bytes();
  return block_of(values) + bytes * every;
}

// What the state takes in memory, all in all.
std::uint64_t bytes_of(const core::State& state) {
  std::uint64_t bytes = sizeof state + block_bytes + block_of(state.id) +
                        block_of(state.identifiers) + block_of(state.same) +
                        blocks_in(state.attributes) + block_of(state.attribute_times) +
                        block_of(state.accumulators) + block_of(state.logs) +
                        block_of(state.watches) + block_of(state.journeys) +
                        block_of(state.entries) + block_of(state.sent) + block_of(state.open) +
                        block_of(state.consents) + block_of(state.seen) + block_of(state.recent);
  for (const Identifier& each : state.identifiers) bytes += block_of(each.text);
  for (const std::string& each : state.same) bytes += block_of(each);
  for (const auto& [each, slot] : state.accumulators)
    bytes += each.value.heap_bytes() + block_of(each.seen) + block_of(each.runs);
  for (const auto& [each, slot] : state.logs)
    bytes += block_of(each.times) + blocks_in(each.values);
  for (const core::Journey& each : state.journeys) bytes += blocks_in(each.frame);
  for (const core::OpenSend& each : state.open)
    bytes += blocks_in(each.frame) + block_of(each.charges);
  for (const core::Recent& each : state.recent) bytes += blocks_in(each.fields);
  return bytes;
}

// What is decided changes a state's bytes by about that.
constexpr std::size_t usual_change = 128;
// What a state of so many bytes takes as a value, about, besides what every one takes.
constexpr std::size_t grown(std::size_t bytes) { return 5 * bytes; }

std::uint64_t aside_bytes(const store::Saved& saved) {
  return saved.bytes.size() + sizeof saved + 4 * block_bytes;
}

// Of the budget that those may take who are kept as values.
constexpr std::uint64_t percent_for_values = 45;
// What coming once adds to somebody's heat.
constexpr unsigned one_time = 16;

// Steps of the hand that looks for states to let go, for each state that comes in: enough to find
// some, few enough to hold up nobody.
constexpr int steps_at_once = 64;

}  // namespace

// --- Entries ------------------------------------------------------------------------------------

namespace {
// Places keep their top bit unset; the one added here marks an entry as used.
constexpr std::uint64_t in_use = std::uint64_t{1} << 63;

Partition partition_in(std::uint64_t place) { return store::partition_at(place & ~in_use); }

// Beside an entry: its place in the index, of which more than a third is empty.
constexpr std::uint64_t index_bytes = 2 * sizeof(std::uint64_t);
}  // namespace

std::string_view Customers::Entry::id() const {
  return is_value ? std::string_view(value()->state.id) : core::customer_in(bytes());
}

std::uint32_t Customers::Entry::saved_bytes() const {
  return static_cast<std::uint32_t>(sizeof(Entry) + index_bytes + Blocks::bytes_for(size));
}

std::uint32_t Customers::Entry::memory_bytes() const {
  if (!is_value) return saved_bytes();
  return static_cast<std::uint32_t>(sizeof(Entry) + index_bytes) + value()->bytes;
}

std::uint32_t Customers::bytes_of_value(const core::State& state) {
  return static_cast<std::uint32_t>(bytes_of(state) + sizeof(Value) - sizeof(core::State));
}

void Customers::put(Entry& entry, std::unique_ptr<Value> made) {
  drop(entry);
  entry.held = made.release();
  entry.is_value = 1;
}

void Customers::put(Entry& entry, std::string_view encoded) {
  if (entry.is_value || !entry.held || !Blocks::is_as_big(encoded.size(), entry.size)) {
    drop(entry);
    entry.held = blocks_.take(encoded.size());
  }
  entry.size = static_cast<std::uint32_t>(encoded.size());
  std::memcpy(entry.held, encoded.data(), encoded.size());
}

void Customers::drop(Entry& entry) {
  if (entry.is_value)
    delete entry.value();
  else if (entry.held)
    blocks_.give(static_cast<char*>(entry.held), entry.size);
  entry.held = nullptr;
  entry.is_value = 0;
}

Customers::~Customers() {
  for (std::size_t slot = 0; slot < entries_.size(); ++slot) drop(entries_[slot]);
}

Customers::Customers(const plan::Plan& plan, const store::Store& store, store::Group group,
                     std::uint64_t budget)
    : plan_(plan),
      codec_(plan),
      store_(store),
      group_(group),
      budget_(budget),
      value_budget_(budget / 100 * percent_for_values),
      index_(1024),
      timers_({.stored =
                   [this](const std::optional<store::Due>& after, std::size_t limit,
                          std::optional<store::Due>& last) {
                     return stored_timers(after, limit, last);
                   },
               .cached =
                   [this](const std::function<void(store::Due)>& each) {
                     for (std::size_t slot = 0; slot < entries_.size(); ++slot)
                       if (const Entry& entry = entries_[slot];
                           !entry.is_free() && entry.due != Timestamp::never())
                         each({entry.due, partition_in(entry.place), std::string(entry.id())});
                   }}) {}

Result<void> Customers::learn() {
  KOI_LET(const auto layouts, store_.layouts(group_));
  for (const std::string& layout : layouts) KOI_TRY(codec_.learn(layout));
  return {};
}

// --- Finding ------------------------------------------------------------------------------------

namespace {
// The partition and what the index does not go by.
std::uint32_t tag_of(std::uint64_t place) { return static_cast<std::uint32_t>(place >> 32); }
}  // namespace

std::uint32_t Customers::find(std::uint64_t place, std::string_view customer) const {
  const std::size_t mask = index_.size() - 1;
  for (std::size_t at = place & mask;; ++at) {
    const Pointer& pointer = index_[at & mask];
    if (pointer.slot == none) return none;
    if (pointer.tag != tag_of(place)) continue;
    const Entry& entry = entries_[pointer.slot];
    if (entry.place == place && entry.id() == customer) return pointer.slot;
  }
}

// By the index alone: almost never is it another one who is there.
std::uint32_t Customers::likely_slot(std::uint64_t place) const {
  const std::size_t mask = index_.size() - 1;
  for (std::size_t at = place & mask;; ++at) {
    const Pointer& pointer = index_[at & mask];
    if (pointer.slot == none || pointer.tag == tag_of(place)) return pointer.slot;
  }
}

void Customers::prefetch(const Wanted& wanted, int step) const {
  const std::uint64_t place = wanted.place | in_use;
  if (step == 0) return __builtin_prefetch(&index_[place & (index_.size() - 1)]);
  const std::uint32_t slot = likely_slot(place);
  if (slot == none) return;
  const Entry& entry = entries_[slot];
  constexpr std::size_t cache_line = 64;
  const auto lines = [](const void* begin, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      __builtin_prefetch(static_cast<const char*>(begin) + i * cache_line);
  };
  if (step == 1) return lines(&entry, 1);
  if (const Value* const value = entry.value()) {
    if (step == 4) value->state.seen.prefetch(wanted.id);
    return core::prefetch(value->state, step - 2);
  }
  if (step == 2) return lines(entry.held, std::min<std::size_t>(entry.size / cache_line + 1, 6));
}

void Customers::index(std::uint32_t slot) {
  const std::size_t mask = index_.size() - 1;
  std::size_t at = entries_[slot].place & mask;
  while (index_[at].slot != none) at = (at + 1) & mask;
  index_[at] = {tag_of(entries_[slot].place), slot};
}

// Closes the gap, so that no search ends before what it looks for.
void Customers::unindex(std::uint32_t slot) {
  const std::size_t mask = index_.size() - 1;
  std::size_t gap = entries_[slot].place & mask;
  while (index_[gap].slot != slot) gap = (gap + 1) & mask;
  for (std::size_t at = (gap + 1) & mask; index_[at].slot != none; at = (at + 1) & mask) {
    const std::size_t home = entries_[index_[at].slot].place & mask;
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    index_[gap] = index_[at];
    gap = at;
  }
  index_[gap] = {};
}

std::uint32_t Customers::add(std::uint64_t place) {
  if (++used_ * 10 > index_.size() * 7) {
    index_.assign(2 * index_.size(), {});
    for (std::uint32_t slot = 0; slot < entries_.size(); ++slot)
      if (!entries_[slot].is_free()) index(slot);
  }
  std::uint32_t slot = static_cast<std::uint32_t>(entries_.size());
  if (free_.empty()) {
    KOI_ASSERT(slot != none);
    entries_.add();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  entries_[slot].place = place;
  heat_.resize(entries_.size());
  heat_[slot] = 0;
  index(slot);
  return slot;
}

void Customers::remove(std::uint32_t slot) {
  unindex(slot);
  bytes_ -= entries_[slot].memory_bytes();
  drop(entries_[slot]);
  entries_[slot] = {};
  free_.push_back(slot);
  --used_;
}

Result<std::uint32_t> Customers::bring(Partition partition, std::uint64_t place,
                                       std::string_view customer) {
  if (const std::uint32_t slot = find(place, customer); slot != none) return slot;
  KOI_LET(const auto loaded, store_.load(partition, customer));
  return keep(place, customer, loaded);
}

// Takes in what the store had: bytes that become a value when he is asked for, or nothing, which
// makes a new customer.
Result<std::uint32_t> Customers::keep(std::uint64_t place, std::string_view customer,
                                      const std::optional<std::string>& loaded) {
  ++loads_;
  Timestamp due = Timestamp::never();
  if (loaded) {
    KOI_LET(due, codec_.next_due(*loaded));
    if (is_held(customer)) due = Timestamp::never();
    if (core::customer_in(*loaded) != customer)
      return Error{"corrupt", "the store gives the state of another customer than was asked for"};
  }
  const std::uint32_t slot = add(place);
  Entry& entry = entries_[slot];
  entry.due = due;
  entry.recent = 1;
  if (loaded) {
    put(entry, *loaded);
  } else {
    codec_.encode(core::new_customer(plan_, std::string(customer)), encoded_);
    put(entry, encoded_);
  }
  bytes_ += entry.memory_bytes();
  return slot;
}

Result<void> Customers::bring_all(std::span<const Wanted> wanted) {
  const std::size_t mask = index_.size() - 1;
  for (const Wanted& each : wanted) __builtin_prefetch(&index_[(each.place | in_use) & mask]);
  missing_.clear();
  for (const Wanted& each : wanted)
    if (likely_slot(each.place | in_use) == none) missing_.push_back(each);
  if (missing_.empty()) return {};
  std::sort(missing_.begin(), missing_.end(), [](const Wanted& a, const Wanted& b) {
    return std::tie(a.place, a.customer) < std::tie(b.place, b.customer);
  });
  const auto same = [](const Wanted& a, const Wanted& b) {
    return a.place == b.place && a.customer == b.customer;
  };
  missing_.erase(std::unique(missing_.begin(), missing_.end(), same), missing_.end());
  keys_.clear();
  for (const Wanted& each : missing_) keys_.push_back({each.partition, each.customer});
  KOI_LET(const auto loaded, store_.load_all(keys_));
  for (std::size_t i = 0; i < missing_.size(); ++i)
    KOI_TRY(keep(missing_[i].place | in_use, missing_[i].customer, loaded[i]));
  return {};
}

// --- Changing -----------------------------------------------------------------------------------

Result<core::State*> Customers::of(Partition partition, std::string_view customer) {
  KOI_ASSERT(at_hand_ == none);
  make_room();
  const std::uint64_t place = store::place_of(partition, customer) | in_use;
  KOI_LET(const std::uint32_t slot, bring(partition, place, customer));
  Entry& entry = entries_[slot];
  if (awaits_taking(entry)) keep_aside(slot);
  entry.recent = 1;
  count(slot);
  if (!entry.is_value) {
    ++decodings_;
    if (deserves_value(slot)) {
      KOI_TRY(make_value(slot));
    } else {
      KOI_LET(passing_, codec_.decode(entry.bytes()));
    }
  }
  at_hand_ = slot;
  return entry.is_value ? &entry.value()->state : &passing_;
}

void Customers::unchanged() {
  KOI_ASSERT(at_hand_ != none);
  at_hand_ = none;
}

void Customers::changed() {
  KOI_ASSERT(at_hand_ != none);
  const std::uint32_t slot = std::exchange(at_hand_, none);
  Entry& entry = entries_[slot];
  const core::State& state = entry.is_value ? entry.value()->state : passing_;
  if (!entry.is_value) {
    put_encoded(entry, state);
  } else if (Value& value = *entry.value(); value.changes++ % 8 == 0) {
    // One input changes little of what a state takes in memory: it is weighed now and then.
    const std::uint32_t now = bytes_of_value(state);
    bytes_ += now - std::uint64_t{value.bytes};
    value_bytes_ += now - std::uint64_t{value.bytes};
    value.bytes = now;
  }
  const Timestamp due = is_held(state.id) ? Timestamp::never() : core::next_due(state);
  timers_.move(partition_in(entry.place), state.id, entry.due, due);
  entry.due = due;
  if (entry.generation == current_) return;
  entry.generation = current_ & Entry::last_generation;
  entry.taken = 0;
  changed_.push_back({entry.place & ~in_use, slot});
  changed_bytes_ += entry.saved_bytes();
}

void Customers::hold(Partition partition, std::string_view customer) {
  KOI_ASSERT(at_hand_ == none);
  held_.emplace(customer);
  const std::uint32_t slot = find(store::place_of(partition, customer) | in_use, customer);
  if (slot == none) return;
  Entry& entry = entries_[slot];
  timers_.move(partition, entry.id(), entry.due, Timestamp::never());
  entry.due = Timestamp::never();
}

Result<void> Customers::let_go(Partition partition, std::string_view customer) {
  KOI_ASSERT(at_hand_ == none);
  const std::uint64_t place = store::place_of(partition, customer) | in_use;
  KOI_LET(const std::uint32_t slot, bring(partition, place, customer));
  Entry& entry = entries_[slot];
  held_.erase(held_.find(customer));
  entry.due = due_of(entry);
  timers_.move(partition, entry.id(), Timestamp::never(), entry.due);
  return {};
}

// Of him alone, whether he waits or not.
Timestamp Customers::due_of(const Entry& entry) const {
  if (const Value* const value = entry.value()) return core::next_due(value->state);
  const auto due = codec_.next_due(entry.bytes());
  KOI_ASSERT(due);  // it was read when he came into memory
  return *due;
}

// --- Checkpoints --------------------------------------------------------------------------------

std::vector<Changed> Customers::freeze() {
  KOI_ASSERT(frozen_ == 0 && at_hand_ == none);
  frozen_ = current_++;
  frozen_bytes_ = std::exchange(changed_bytes_, 0);
  return std::exchange(changed_, {});
}

store::Saved Customers::saved(const Entry& entry) const {
  const Value* const value = entry.value();
  std::string bytes;
  if (value) {
    bytes.reserve(entry.size + usual_change);  // one block, and not five on the way to it
    codec_.encode(value->state, bytes);
  } else {
    bytes = entry.bytes();
  }
  return {partition_in(entry.place), std::string(entry.id()), std::move(bytes),
          is_held(entry.id()) ? due_of(entry) : entry.due};
}

void Customers::keep_aside(std::uint32_t slot) {
  Entry& entry = entries_[slot];
  const auto& kept = kept_aside_.emplace(slot, saved(entry)).first->second;
  kept_aside_bytes_ += aside_bytes(kept);
  bytes_ += aside_bytes(kept);
  entry.taken = 1;
}

void Customers::take(std::span<const Changed> which, std::vector<store::Saved>& into) {
  for (const Changed& each : which) {
    Entry& entry = entries_[each.slot];
    if (awaits_taking(entry)) {
      into.push_back(saved(entry));
      entry.taken = 1;
      continue;
    }
    const auto kept = kept_aside_.find(each.slot);
    KOI_ASSERT(kept != kept_aside_.end());
    kept_aside_bytes_ -= aside_bytes(kept->second);
    bytes_ -= aside_bytes(kept->second);
    into.push_back(std::move(kept->second));
    kept_aside_.erase(kept);
  }
}

void Customers::committed() {
  KOI_ASSERT(frozen_ != 0 && kept_aside_.empty());
  committed_ = std::exchange(frozen_, 0);
  frozen_bytes_ = 0;
}

void Customers::failed(std::span<const Changed> frozen) {
  KOI_ASSERT(frozen_ != 0);
  for (const Changed& each : frozen) {
    Entry& entry = entries_[each.slot];
    if (entry.generation != frozen_) continue;  // it has changed again since, and counts already
    entry.generation = current_ & Entry::last_generation;
    entry.taken = 0;
    changed_.push_back(each);
    changed_bytes_ += entry.saved_bytes();
  }
  frozen_ = 0;
  frozen_bytes_ = 0;
  kept_aside_.clear();
  bytes_ -= std::exchange(kept_aside_bytes_, 0);
}

// As put(), and all that is counted is as it is then.
void Customers::put_encoded(Entry& entry, const core::State& state) {
  codec_.encode(state, encoded_);
  const std::uint64_t before = entry.saved_bytes();
  bytes_ -= entry.memory_bytes();
  put(entry, encoded_);
  bytes_ += entry.memory_bytes();
  // His share in what is held was an estimate until now.
  if (entry.generation == current_) changed_bytes_ += entry.saved_bytes() - before;
}

// --- Who is kept as a value ---------------------------------------------------------------------

// How often he comes: what is past counts half after as many inputs as there are customers here.
void Customers::count(std::uint32_t slot) {
  std::uint8_t& heat = heat_[slot];
  heat = static_cast<std::uint8_t>(std::min<unsigned>(heat + one_time, UINT8_MAX));
  if (until_cooler_ > 0) {
    --until_cooler_;
    return;
  }
  for (std::uint8_t& each : heat_) each /= 2;
  until_cooler_ = std::max<std::size_t>(used_, 1024);
}

// Whoever comes once is made a value for that once. Where there is no room, he must have come more
// often before than another one has, who goes for him.
bool Customers::deserves_value(std::uint32_t slot) {
  if (heat_[slot] <= one_time) return false;
  if (as_value_.empty()) return true;  // however big he is
  if (value_bytes_ + sizeof(Value) + grown(entries_[slot].size) <= value_budget_) return true;
  if (heat_[slot] <= heat_[as_value_[coolest_]] + one_time) {
    find_coolest();
    return false;
  }
  cool_coolest();
  return true;
}

Result<void> Customers::make_value(std::uint32_t slot) {
  Entry& entry = entries_[slot];
  KOI_LET(auto state, codec_.decode(entry.bytes()));
  bytes_ -= entry.memory_bytes();
  // About; he is weighed as soon as he changes.
  const auto about = static_cast<std::uint32_t>(sizeof(Value) + grown(entry.size));
  put(entry, std::make_unique<Value>(Value{std::move(state), about, 0}));
  bytes_ += entry.memory_bytes();
  value_bytes_ += about;
  as_value_.push_back(slot);
  return {};
}

// Of him and the next few: nobody need be in any order, and those who come often are passed by.
void Customers::find_coolest() {
  constexpr int few = 4;
  const std::size_t before = coolest_;
  for (int i = 0; i < few && !as_value_.empty(); ++i) {
    value_hand_ = value_hand_ + 1 < as_value_.size() ? value_hand_ + 1 : 0;
    if (heat_[as_value_[value_hand_]] < heat_[as_value_[coolest_]]) coolest_ = value_hand_;
  }
  if (coolest_ != before) coolest_step_ = 0;
}

// He was not looked at for long: his memory is asked for in steps, as prefetch() does for those who
// come.
void Customers::prefetch_coolest() {
  if (coolest_step_ > 3 || as_value_.empty()) return;
  const Entry& entry = entries_[as_value_[coolest_]];
  if (coolest_step_ == 0)
    __builtin_prefetch(&entry);
  else
    core::prefetch(entry.value()->state, coolest_step_ - 1);
  ++coolest_step_;
}

// From a value to bytes. What is not changed could go at once, but to read it again costs more.
void Customers::cool_coolest() {
  Entry& entry = entries_[as_value_[coolest_]];
  value_bytes_ -= entry.value()->bytes;
  put_encoded(entry, entry.value()->state);
  as_value_[coolest_] = as_value_.back();
  as_value_.pop_back();
  if (value_hand_ >= as_value_.size()) value_hand_ = 0;
  coolest_ = value_hand_;
  coolest_step_ = 0;
  find_coolest();
}

// --- Room ---------------------------------------------------------------------------------------

void Customers::make_room() {
  prefetch_coolest();
  for (int step = 0; value_bytes_ > value_budget_ && as_value_.size() > 1 && step < steps_at_once;
       ++step)
    cool_coolest();
  // INVARIANT: a state leaves memory only when a committed checkpoint holds it.
  for (int step = 0; bytes() > budget_ / 100 * 98 && step < steps_at_once; ++step) {
    hand_ = hand_ + 1 < entries_.size() ? hand_ + 1 : 0;
    Entry& entry = entries_[hand_];
    if (entry.is_free() || entry.is_value) continue;
    if (blocks_.should_move(static_cast<const char*>(entry.held), entry.size)) {
      const std::string_view bytes = entry.bytes();
      char* const moved = blocks_.take(bytes.size());
      std::memcpy(moved, bytes.data(), bytes.size());
      drop(entry);
      entry.held = moved;
      continue;
    }
    if (is_changed(entry)) continue;
    if (entry.recent)
      entry.recent = 0;
    else
      remove(static_cast<std::uint32_t>(hand_));
  }
}

// --- Timers -------------------------------------------------------------------------------------

Result<std::vector<store::Due>> Customers::stored_timers(const std::optional<store::Due>& after,
                                                         std::size_t limit,
                                                         std::optional<store::Due>& last) const {
  KOI_LET(auto rows, store_.due(group_, Timestamp::never(), limit, after));
  if (rows.size() == limit) last = rows.back();
  // Who is in memory may be due otherwise by now; he is asked himself.
  std::erase_if(rows, [&](const store::Due& row) {
    const std::uint64_t place = store::place_of(row.partition, row.customer) | in_use;
    return find(place, row.customer) != none || is_held(row.customer);
  });
  return rows;
}

}  // namespace koi::durable
