// Customers: the states of one group's customers within a budget of bytes, over a store. What is
// not in memory is in the store as it is: a state may leave memory only when a committed checkpoint
// holds it. A checkpoint freezes what has changed without stopping the group: a state that must
// change before it was written is kept aside as it was. States of those who come often are kept as
// values; all others are bytes, also while they come: a value is made of them for that once. One
// thread's own.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "core/codec.h"
#include "core/state.h"
#include "durable/blocks.h"
#include "durable/timers.h"
#include "plan/plan.h"
#include "store/store.h"

namespace koi::durable {

// A customer who will be asked for.
struct Wanted {
  std::uint64_t place = 0;  // of store::place_of
  Partition partition = 0;
  std::string_view customer;
  std::uint64_t id = 0;  // hash of the event's that he is wanted for
};

// A changed customer, as a checkpoint finds him again.
struct Changed {
  std::uint64_t place = 0;  // of store::place_of: the order in which they are written
  std::uint32_t slot = 0;
};

class Customers {
 public:
  // `budget` is in bytes, for everything that this keeps. Plan and store must outlive it.
  Customers(const plan::Plan& plan, const store::Store& store, store::Group group,
            std::uint64_t budget);
  ~Customers();

  // Makes readable what the store holds, whatever rules it was written under. Before everything
  // else. Errors are the store's, and "corrupt".
  Result<void> learn();
  // How the states are laid out that a checkpoint takes from here.
  const std::string& layout() const { return codec_.layout(); }

  // The customer's state, in memory, loaded or new; it may be changed until the next call of
  // anything here, and then changed() or unchanged() must follow; behind that
  // it may still be read until the next of(). Errors are the store's.
  Result<core::State*> of(Partition partition, std::string_view customer);
  void changed();
  void unchanged();

  // Loads those who are not in memory, all at once, for of() to find them there. Errors as of().
  Result<void> bring_all(std::span<const Wanted> wanted);

  // Asks the memory for a customer whom of() will be asked for soon, in steps some inputs apart: a
  // million customers are in no cache.
  static constexpr int prefetch_steps = 5;
  void prefetch(const Wanted& wanted, int step) const;

  // The first timer of the group due before that instant, as Timers::next.
  Result<const store::Due*> next_timer(Timestamp before) { return timers_.next(before); }

  // Somebody waits (waiting.h): until he is let go again next_timer() does not find him.
  void hold(Partition partition, std::string_view customer);
  Result<void> let_go(Partition partition, std::string_view customer);

  // --- Checkpoints

  // Freezes all that has changed since the last freeze; at most one set is frozen at a time. Takes
  // no time to speak of.
  std::vector<Changed> freeze();
  // The frozen form of these customers, each to be asked for once.
  void take(std::span<const Changed> which, std::vector<store::Saved>& into);
  // A checkpoint holds the frozen set; or none does, and it counts as changed again.
  void committed();
  void failed(std::span<const Changed> frozen);

  bool is_frozen() const { return frozen_ != 0; }
  std::uint64_t bytes() const { return bytes_ + blocks_.gaps(); }
  // What must stay in memory until a checkpoint holds it: all of it, and what was changed since the
  // last freeze.
  std::uint64_t held_bytes() const { return changed_bytes_ + frozen_bytes_ + kept_aside_bytes_; }
  std::uint64_t changed_bytes() const { return changed_bytes_; }
  std::uint64_t budget() const { return budget_; }
  std::size_t customers() const { return used_; }
  std::uint64_t loads() const { return loads_; }
  // States that were made of their bytes, to be decided on.
  std::uint64_t decodings() const { return decodings_; }

 private:
  // A state as it is decided on.
  struct Value {
    core::State state;
    std::uint32_t bytes = 0;   // that it takes in memory, with this
    std::uint8_t changes = 0;  // since that was weighed
  };
  // There are millions: half a line of the cache. His id is in his state, his partition in his
  // place.
  struct Entry {
    static constexpr std::uint32_t last_generation = (1u << 29) - 1;
    bool is_free() const { return place == 0; }
    Value* value() const { return is_value ? static_cast<Value*>(held) : nullptr; }
    std::string_view bytes() const { return {static_cast<const char*>(held), size}; }
    std::string_view id() const;
    // What he takes as bytes, all in all; about, where he is a value.
    std::uint32_t saved_bytes() const;
    // What he takes as he is.
    std::uint32_t memory_bytes() const;

    std::uint64_t place = 0;
    void* held = nullptr;  // a Value, or the bytes of the state, of `blocks_`
    Timestamp due = Timestamp::never();
    std::uint32_t size = 0;            // of the encoded state, as far as it is known
    std::uint32_t generation : 29 {};  // in which it was last changed; 0: as the store has it
    std::uint32_t is_value : 1 {};
    std::uint32_t recent : 1 {};
    std::uint32_t taken : 1 {};  // its frozen form is written or kept aside
  };
  static_assert(sizeof(Entry) == 32);
  static constexpr std::uint32_t none = UINT32_MAX;
  // Entries by slot, in pieces that never move: whoever goes through all of them, as the hand does
  // without end, goes through memory in its order.
  class Entries {
   public:
    std::size_t size() const { return size_; }
    Entry& operator[](std::size_t slot) { return pieces_[slot / piece][slot % piece]; }
    const Entry& operator[](std::size_t slot) const { return pieces_[slot / piece][slot % piece]; }
    void add() {
      if (size_++ % piece == 0) pieces_.push_back(std::make_unique<Entry[]>(piece));
    }

   private:
    static constexpr std::size_t piece = 1024;
    std::vector<std::unique_ptr<Entry[]>> pieces_;
    std::size_t size_ = 0;
  };

  std::uint32_t find(std::uint64_t place, std::string_view customer) const;
  std::uint32_t likely_slot(std::uint64_t place) const;
  Result<std::uint32_t> bring(Partition partition, std::uint64_t place, std::string_view customer);
  Result<std::uint32_t> keep(std::uint64_t place, std::string_view customer,
                             const std::optional<std::string>& loaded);
  std::uint32_t add(std::uint64_t place);
  static std::uint32_t bytes_of_value(const core::State& state);
  void remove(std::uint32_t slot);
  void index(std::uint32_t slot);
  void unindex(std::uint32_t slot);
  bool is_changed(const Entry& entry) const { return entry.generation > committed_; }
  bool awaits_taking(const Entry& entry) const {
    return frozen_ != 0 && entry.generation == frozen_ && !entry.taken;
  }
  bool is_held(std::string_view customer) const {
    return !held_.empty() && held_.contains(customer);
  }
  Timestamp due_of(const Entry& entry) const;
  // In place of what there is.
  void put(Entry& entry, std::unique_ptr<Value> made);
  void put(Entry& entry, std::string_view bytes);
  void put_encoded(Entry& entry, const core::State& state);
  void drop(Entry& entry);
  store::Saved saved(const Entry& entry) const;
  void keep_aside(std::uint32_t slot);
  void count(std::uint32_t slot);
  bool deserves_value(std::uint32_t slot);
  Result<void> make_value(std::uint32_t slot);
  void find_coolest();
  void prefetch_coolest();
  void cool_coolest();
  void make_room();
  Result<std::vector<store::Due>> stored_timers(const std::optional<store::Due>& after,
                                                std::size_t limit,
                                                std::optional<store::Due>& last) const;

  const plan::Plan& plan_;
  core::Codec codec_;
  const store::Store& store_;
  store::Group group_;
  std::uint64_t budget_, value_budget_;
  Blocks blocks_;
  Entries entries_;
  std::vector<std::uint32_t> free_;
  struct Pointer {
    std::uint32_t tag = 0;  // of the place, so that others need not be looked at
    std::uint32_t slot = none;
  };
  std::vector<Pointer> index_;           // slots by place, open addressing; none where empty
  std::vector<std::uint32_t> as_value_;  // slots whose state is a value
  std::vector<std::uint8_t> heat_;       // by slot: how often he has come of late
  std::size_t until_cooler_ = 0;         // inputs, until all heat is halved
  // In as_value_: who goes next, and up to where he was looked for.
  std::size_t coolest_ = 0, value_hand_ = 0;
  int coolest_step_ = 0;  // of asking the memory for him
  std::size_t used_ = 0, hand_ = 0;
  std::uint64_t bytes_ = 0, value_bytes_ = 0;
  std::uint64_t loads_ = 0, decodings_ = 0;
  std::vector<Wanted> missing_;  // room for bring_all()
  std::vector<store::Key> keys_;
  std::string encoded_;  // room for put_encoded()
  Timers timers_;
  std::uint32_t at_hand_ = none;  // whose state was handed out
  core::State passing_;           // it, where it is kept as bytes
  std::set<std::string, std::less<>> held_;

  // Generations: what was changed in `current_` is not frozen; up to `committed_`, all is stored.
  std::uint32_t current_ = 1, frozen_ = 0, committed_ = 0;
  std::vector<Changed> changed_;
  std::uint64_t changed_bytes_ = 0, frozen_bytes_ = 0, kept_aside_bytes_ = 0;
  std::unordered_map<std::uint32_t, store::Saved> kept_aside_;
};

}  // namespace koi::durable
