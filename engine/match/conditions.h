// Conditions: many conditions over one event and one customer, made once, that tells for each event
// which of them hold without asking them all. Immutable and shared between threads; what one event
// needs is in a Scratch, one for each thread.
//
// How it works, and after whom:
//   - A condition is split into conjunctions of tests (detail/split.h), which all count as
//     candidates at first: Whang, Garcia-Molina, Brower, Shanmugasundaram, Vassilvitskii, Vee and
//     Yerneni, "Indexing Boolean Expressions", PVLDB 2(1), 2009.
//   - Each value that conditions speak of cuts its range into bins: the thresholds in sorted
//     arrays, equalities by hash. A bin has a row of bits: which conjunctions a value in it does
//     not rule out. One event looks up one row for each value and intersects them: Lakshman and
//     Stiliadis, "High-speed policy-based packet forwarding using efficient multi-dimensional range
//     matching", SIGCOMM 1998; that predicates are best evaluated as bitmaps is also what BE-Tree
//     found (Sadoghi and Jacobsen, ACM TODS 38(2), 2013). Bins are bounded in number, so rows say
//     "perhaps", memory grows with the conditions alone, and a candidate that survives is verified.
//   - What is costly (a metric, a text search, whatever the evaluator alone can tell) is asked at
//     most once an event, when enough candidates wait for it, and remembered: shared
//     sub-expressions as in A-Tree (Ji and Jacobsen, SIGMOD 2021).
//   - Few conditions are asked one after the other: the rows would cost more than they save.
//   - Who has a few of many conditions to ask (a customer's journeys) intersects the rows for those
//     alone (Sieve): nothing is done for the others.
// What a condition reads of a campaign's frame (Op::Slot) is not known here, so that it counts as
// met: a condition with slots is told when it may hold, and the caller asks.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

#include "match/automaton.h"
#include "match/detail/test.h"
#include "plan/plan.h"

namespace koi::match {

// What is at hand: the event's fields, the customer's attributes (by their ids), and the evaluator
// for everything else. Values have the kind of their node, or are missing.
template <class R>
concept Reader = requires(const R& reader, plan::NodeId node) {
  { reader.fields } -> std::convertible_to<std::span<const Value>>;
  { reader.attributes } -> std::convertible_to<std::span<const Value>>;
  { reader.value(node) } -> std::convertible_to<Value>;
  { reader.holds(node) } -> std::same_as<bool>;
};

// Holds when both do; a node that is none() holds.
struct Condition {
  plan::NodeId node;
  plan::NodeId also{};
};

class Conditions;

// What one event needs on the way. It grows when it is first used with larger conditions, and no
// more. Belongs to one thread; nothing in it outlives an event.
class Scratch {
 private:
  friend class Conditions;
  template <class R>
  friend class Asking;

  void prepare(const Conditions& conditions);

  // A stamp equal to `epoch` says that the entry is of this event.
  struct Remembered {
    std::uint32_t epoch = 0;
    bool holds = false;
  };
  std::uint32_t epoch = 0;
  std::vector<Value> computed;
  std::vector<std::uint32_t> computed_at;
  std::vector<Remembered> truths;
  std::vector<std::uint32_t> found_at;     // by pattern
  std::vector<std::uint32_t> searched_at;  // by search
  std::vector<std::uint64_t> alive, mask;
};

class Conditions {
 public:
  Conditions() = default;
  // More than this many conjunctions get rows; tests may want rows for few.
  static constexpr std::size_t loop_at_most = 12;
  Conditions(const plan::Plan& plan, std::span<const Condition> conditions,
             std::size_t rows_above = loop_at_most);

  // Calls on_hit(position) for each condition that holds, ascending. Allocates nothing once the
  // scratch has its size, but for what the reader allocates.
  template <Reader R, class OnHit>
  void match(const R& reader, Scratch& scratch, OnHit&& on_hit) const;

  // Which of the conditions this event's own fields do not rule out. Nothing of the customer is
  // looked at, so that it stays right while he changes.
  class Sieve {
   public:
    // May one of the conditions [first, end) hold?
    bool lets_through(std::uint32_t first, std::uint32_t end) const;

   private:
    friend class Conditions;
    const Conditions* conditions_ = nullptr;
    std::size_t count_ = 0;
    std::array<const std::uint64_t*, 16> rows_{};  // more fields than this rule out little more
  };
  // The conditions must outlive it.
  Sieve sieve(std::span<const Value> fields) const;

  std::size_t size() const { return conditions_.size(); }
  bool has_rows() const { return has_rows_; }
  std::size_t bytes() const;

 private:
  friend class Scratch;
  friend class Builder;
  template <class R>
  friend class Asking;

  // A conjunction of one condition: its tests are a run of `tests_`.
  struct Entry {
    std::uint32_t first_test = 0, end_test = 0;
    std::uint32_t condition = 0;
    std::uint32_t next = 0;  // the first entry of a later condition
  };

  // One value and its bins. Its rows: for a missing value, for one of a kind that nobody reckoned
  // with, for each bin; and, where it is costly, whom it concerns.
  struct Dimension {
    std::uint64_t head = 0;      // of its values; Text for hashed ones
    std::uint32_t first = 0;     // of its cuts, or of its table
    std::uint32_t count = 0;     // of its cuts; hashed: 0
    std::uint32_t row = 0;       // its first row
    std::uint32_t concerns = 0;  // the row of those that it concerns
    Cell cell;
    std::uint8_t shift = 0;  // hashed: the table has 2^(64 - shift) places
  };
  // The texts that conditions look for in one value.
  struct Search {
    Cell cell;
    Automaton automaton;
    std::vector<std::uint32_t> patterns;       // of the tables, by the automaton's number
    std::vector<std::uint32_t> first_waiting;  // by the automaton's number; one more at the end
    std::vector<std::uint32_t> waiting;        // entries that are ruled out unless it is found
    std::uint32_t row = 0;                     // those that need no text of this value
    std::uint32_t concerns = 0;
  };

  static constexpr std::uint32_t missing_row = 0, unknown_row = 1, first_bin_row = 2;
  // A costly value is computed for all when so many candidates wait for it.
  static constexpr int worth_computing = 4;
  static constexpr std::size_t block = 4;             // words that are intersected together
  static constexpr std::size_t at_hand_at_most = 64;  // values that get rows: the others verify

  const std::uint64_t* row(std::uint32_t number) const { return rows_.data() + number * words_; }
  const std::uint64_t* row_for(const Dimension& dimension, const Value& value) const;
  bool is_worth(const std::uint64_t* alive, std::uint32_t concerns) const;

  template <class A>
  void run_search(std::uint32_t number, A& asking, Scratch& scratch) const;
  template <class A>
  bool passes(const Entry& entry, A& asking) const;
  template <class A, class OnHit>
  void loop(A& asking, OnHit& on_hit) const;
  template <class A, class OnHit>
  void intersect(A& asking, Scratch& scratch, OnHit& on_hit) const;

  std::uint32_t fields_ = 0, attributes_ = 0;  // how many must be at hand
  bool remembers_ = false;                     // something in it needs the scratch
  bool has_rows_ = false;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> entries_of_;  // by condition, its first entry; one more at the end
  std::vector<Test> tests_;
  std::vector<Condition> conditions_;
  Tables tables_;

  std::size_t words_ = 0;  // of a row: a multiple of `block`
  std::vector<std::uint64_t> rows_;
  std::vector<Dimension> dimensions_;  // those at hand first, the sparsest first
  std::size_t at_hand_ = 0;
  std::vector<std::int64_t> cuts_;
  std::vector<std::uint16_t> tables_of_hashes_;
  std::vector<Search> searches_;
  std::vector<std::uint32_t> same_pattern_;  // the first pattern of the same cell and text
};

// One event's way through a set of conditions: reads values, asks tests, remembers what was costly.
template <class R>
class Asking {
 public:
  Asking(const Conditions& conditions, const R& reader, Scratch& scratch)
      : conditions_(conditions),
        reader_(reader),
        scratch_(scratch),
        at_hand_{std::span<const Value>(reader.fields).data(),
                 std::span<const Value>(reader.attributes).data()} {}

  const Value& value(Cell cell) {
    if (cell.space == Space::Computed) [[unlikely]]
      return computed(cell.place);
    return at_hand_[static_cast<std::size_t>(cell.space)][cell.place];
  }

  bool passes(const Test& test) {
    if (test.ask == Test::Ask::Range) [[likely]] {
      const Words words = words_of(value(test.cell));
      return (words.head == test.head && words.tail - test.low <= test.width) != test.negated;
    }
    return answer(test) != test.negated;
  }

 private:
  bool answer(const Test& test);
  bool truth(std::uint32_t index);
  bool finds(const Test& test);
  const Value& computed(std::uint16_t place);

  const Conditions& conditions_;
  const R& reader_;
  Scratch& scratch_;
  std::array<const Value*, 2> at_hand_;
};

// --- One event ----------------------------------------------------------------------------------

template <Reader R, class OnHit>
void Conditions::match(const R& reader, Scratch& scratch, OnHit&& on_hit) const {
  if (entries_.empty()) return;
  const std::span<const Value> fields = reader.fields, attributes = reader.attributes;
  if (fields.size() < fields_ || attributes.size() < attributes_) [[unlikely]] {
    // An event that is shorter than its type: the evaluator knows what that means.
    for (std::size_t i = 0; i < conditions_.size(); ++i)
      if ((conditions_[i].node.is_none() || reader.holds(conditions_[i].node)) &&
          (conditions_[i].also.is_none() || reader.holds(conditions_[i].also)))
        on_hit(i);
    return;
  }
  if (remembers_) scratch.prepare(*this);
  Asking<R> asking(*this, reader, scratch);
  if (has_rows())
    intersect(asking, scratch, on_hit);
  else
    loop(asking, on_hit);
}

template <class A>
bool Conditions::passes(const Entry& entry, A& asking) const {
  const Test* test = tests_.data() + entry.first_test;
  const Test* const end = tests_.data() + entry.end_test;
  for (; test != end; ++test)
    if (!asking.passes(*test)) return false;
  return true;
}

template <class A, class OnHit>
void Conditions::loop(A& asking, OnHit& on_hit) const {
  const Entry* const entries = entries_.data();
  const std::size_t count = entries_.size();
  for (std::size_t i = 0; i < count;) {
    if (passes(entries[i], asking)) {
      on_hit(std::size_t{entries[i].condition});
      i = entries[i].next;
    } else {
      ++i;
    }
  }
}

template <class A, class OnHit>
void Conditions::intersect(A& asking, Scratch& scratch, OnHit& on_hit) const {
  std::uint32_t next = 0;  // entries before it are of a condition that has been told already
  const auto tell = [&](std::size_t word, std::uint64_t bits) {
    for (; bits != 0; bits &= bits - 1) {
      const auto i = static_cast<std::uint32_t>(word * 64) +
                     static_cast<std::uint32_t>(std::countr_zero(bits));
      if (i < next || !passes(entries_[i], asking)) continue;
      on_hit(std::size_t{entries_[i].condition});
      next = entries_[i].next;
    }
  };

  // The rows of what is at hand.
  std::array<const std::uint64_t*, at_hand_at_most> rows;
  const std::size_t count = at_hand_;
  const bool is_final = at_hand_ == dimensions_.size() && searches_.empty();
  std::uint64_t* const alive = scratch.alive.data();
  if (words_ == block) {
    // Few conjunctions: their bits stay in registers, and often no value has to be looked at any
    // more when some have ruled out all.
    std::uint64_t a = ~std::uint64_t{0}, b = a, c = a, d = a;
    const std::uint64_t* all = row(0);
    a = all[0], b = all[1], c = all[2], d = all[3];
    for (std::size_t i = 0; i < count && (a | b | c | d) != 0; ++i) {
      const std::uint64_t* const one = row_for(dimensions_[i], asking.value(dimensions_[i].cell));
      a &= one[0], b &= one[1], c &= one[2], d &= one[3];
    }
    if (is_final) {
      tell(0, a), tell(1, b), tell(2, c), tell(3, d);
      return;
    }
    alive[0] = a, alive[1] = b, alive[2] = c, alive[3] = d;
  } else {
    for (std::size_t i = 0; i < count; ++i)
      rows[i] = row_for(dimensions_[i], asking.value(dimensions_[i].cell));
    for (std::size_t word = 0; word < words_; word += block) {
      const std::uint64_t* all = row(0) + word;
      std::uint64_t a = all[0], b = all[1], c = all[2], d = all[3];
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t* const one = rows[i] + word;
        a &= one[0], b &= one[1], c &= one[2], d &= one[3];
        if ((a | b | c | d) == 0) break;
      }
      if (!is_final) {
        alive[word] = a, alive[word + 1] = b, alive[word + 2] = c, alive[word + 3] = d;
      } else if ((a | b | c | d) != 0) {
        tell(word, a), tell(word + 1, b), tell(word + 2, c), tell(word + 3, d);
      }
    }
    if (is_final) return;
  }

  // What is costly, where many wait for it; a few are better asked each.
  for (std::size_t i = at_hand_; i < dimensions_.size(); ++i) {
    const Dimension& dimension = dimensions_[i];
    if (!is_worth(alive, dimension.concerns)) continue;
    const std::uint64_t* const one = row_for(dimension, asking.value(dimension.cell));
    for (std::size_t word = 0; word < words_; ++word) alive[word] &= one[word];
  }
  for (std::uint32_t i = 0; i < searches_.size(); ++i) {
    if (!is_worth(alive, searches_[i].concerns)) continue;
    run_search(i, asking, scratch);
    for (std::size_t word = 0; word < words_; ++word) alive[word] &= scratch.mask[word];
  }
  for (std::size_t word = 0; word < words_; ++word)
    if (alive[word] != 0) tell(word, alive[word]);
}

// Leaves in the scratch's mask who is not ruled out by the texts that are there.
template <class A>
void Conditions::run_search(std::uint32_t number, A& asking, Scratch& scratch) const {
  const Search& search = searches_[number];
  std::copy_n(row(search.row), words_, scratch.mask.data());
  const auto on_found = [&](std::uint32_t found) {
    std::uint32_t& at = scratch.found_at[search.patterns[found]];
    if (at == scratch.epoch) return;
    at = scratch.epoch;
    for (std::uint32_t i = search.first_waiting[found]; i < search.first_waiting[found + 1]; ++i)
      scratch.mask[search.waiting[i] / 64] |= std::uint64_t{1} << search.waiting[i] % 64;
  };
  // A missing text contains nothing, not even an empty one.
  const Value& text = asking.value(search.cell);
  if (text.kind() == Kind::Text) search.automaton.find(text.as_text(), on_found);
  scratch.searched_at[number] = scratch.epoch;
}

inline const std::uint64_t* Conditions::row_for(const Dimension& dimension,
                                                const Value& value) const {
  const Words words = words_of(value);
  if (dimension.count != 0) {
    if (words.head != dimension.head) [[unlikely]]
      return row(dimension.row + (words.head == 0 ? missing_row : unknown_row));
    // How many cuts are at or below the value, without a branch that could be mispredicted.
    const auto number = static_cast<std::int64_t>(words.tail);
    const std::int64_t* const cuts = cuts_.data() + dimension.first;
    const std::int64_t* from = cuts;
    for (std::uint32_t n = dimension.count; n > 1; n -= n / 2)
      from += from[n / 2 - 1] <= number ? n / 2 : 0;
    const auto below = static_cast<std::uint32_t>(from - cuts) + (*from <= number ? 1 : 0);
    return row(dimension.row + first_bin_row + below);
  }
  if (kind_of(words) != Kind::Text) [[unlikely]]
    return row(dimension.row + (words.head == 0 ? missing_row : unknown_row));
  const std::uint64_t place = spread(value, words) >> dimension.shift;
  return row(dimension.row + first_bin_row + tables_of_hashes_[dimension.first + place]);
}

// --- One test -----------------------------------------------------------------------------------

template <class R>
bool Asking<R>::answer(const Test& test) {
  switch (test.ask) {
    case Test::Ask::Range: {
      const Words words = words_of(value(test.cell));
      return words.head == test.head && words.tail - test.low <= test.width;
    }
    case Test::Ask::Known: return !value(test.cell).is_missing();
    case Test::Ask::Short: {
      const Words words = words_of(value(test.cell));
      const Words* key = conditions_.tables_.keys.data() + test.head;
      const Words* const end = key + test.low;
      if (test.low > 16) return std::binary_search(key, end, words);
      bool found = false;
      for (; key != end; ++key) found |= words == *key;
      return found;
    }
    case Test::Ask::Listed: {
      const Value* const first = conditions_.tables_.values.data() + test.head;
      return std::binary_search(first, first + test.low, value(test.cell));
    }
    case Test::Ask::Finds: return finds(test);
    case Test::Ask::Truth: return truth(static_cast<std::uint32_t>(test.head));
  }
  KOI_ASSERT(false);
}

template <class R>
bool Asking<R>::truth(std::uint32_t index) {
  Scratch::Remembered& remembered = scratch_.truths[index];
  if (remembered.epoch == scratch_.epoch) return remembered.holds;
  const Truth& what = conditions_.tables_.truths[index];
  bool holds = false;
  switch (what.kind) {
    case Truth::Kind::Leaf: holds = reader_.holds(what.node); break;
    case Truth::Kind::Not: holds = !truth(what.a); break;
    case Truth::Kind::And: holds = truth(what.a) && truth(what.b); break;
    case Truth::Kind::Or: holds = truth(what.a) || truth(what.b); break;
    case Truth::Kind::One: holds = passes(conditions_.tables_.tests[what.a]); break;
  }
  remembered = {scratch_.epoch, holds};
  return holds;
}

template <class R>
bool Asking<R>::finds(const Test& test) {
  // Where the automaton has read this text it knows; else few ask, and each looks for its own.
  for (std::uint32_t i = 0; i < conditions_.searches_.size(); ++i) {
    if (conditions_.searches_[i].cell != test.cell) continue;
    if (scratch_.searched_at[i] != scratch_.epoch) break;
    for (std::uint64_t p = test.head; p < test.head + test.low; ++p)
      if (scratch_.found_at[conditions_.same_pattern_[p]] == scratch_.epoch) return true;
    return false;
  }
  const Value& text = value(test.cell);
  if (text.kind() != Kind::Text) return false;
  const std::string_view whole = text.as_text();
  for (std::uint64_t p = test.head; p < test.head + test.low; ++p)
    if (whole.find(conditions_.tables_.patterns[p].as_text()) != std::string_view::npos)
      return true;
  return false;
}

template <class R>
const Value& Asking<R>::computed(std::uint16_t place) {
  if (scratch_.computed_at[place] != scratch_.epoch) {
    scratch_.computed[place] = reader_.value(conditions_.tables_.computed[place]);
    scratch_.computed_at[place] = scratch_.epoch;
  }
  return scratch_.computed[place];
}

}  // namespace koi::match
