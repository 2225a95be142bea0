// Test: one question to one value, flat and small. A condition becomes a few of them that must all
// pass; whatever does not fit is a Truth, asked of the evaluator at most once an event.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "match/detail/words.h"
#include "plan/plan.h"

namespace koi::match {

// Where a value comes from: the event's fields, the customer's attributes, or a node that has to be
// computed (`place` counts those of one set of conditions).
enum class Space : std::uint8_t { Field, Attribute, Computed };

struct Cell {
  Space space = Space::Field;
  std::uint16_t place = 0;
  friend auto operator<=>(const Cell&, const Cell&) = default;
};

struct Test {
  enum class Ask : std::uint8_t {
    Range,   // its head is `head`, and low ≤ its tail ≤ low + width (going around at 2^64)
    Known,   // it is not missing
    Short,   // its words are in keys [head, head + low)
    Listed,  // it is among values [head, head + low)
    Finds,   // it is a text that contains one of patterns [head, head + low)
    Truth,   // truths[head] holds; no cell
  };
  std::uint64_t head = 0, low = 0, width = 0;
  Cell cell{};
  Ask ask = Ask::Range;
  bool negated = false;  // passes when the question's answer is no

  std::int64_t first() const { return static_cast<std::int64_t>(low); }
  std::int64_t last() const { return static_cast<std::int64_t>(low + width); }
  friend auto operator<=>(const Test&, const Test&) = default;
};
static_assert(sizeof(Test) == 32);

// Where a range is open, it ends here.
inline constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

inline Test range_test(Cell cell, Kind kind, std::int64_t first, std::int64_t last) {
  Test test;
  test.cell = cell;
  test.head = head_of(kind);
  test.low = static_cast<std::uint64_t>(first);
  test.width = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
  return test;
}

// A condition that is no test. Its operands are truths or tests; Kind::Leaf is the evaluator's.
struct Truth {
  enum class Kind : std::uint8_t { Leaf, Not, And, Or, One };
  Kind kind = Kind::Leaf;
  std::uint32_t a = 0, b = 0;  // truths; One: a is among `tests` of the tables
  plan::NodeId node;
};

// Tests that must all pass.
using Conjunction = std::vector<Test>;

// What tests refer to, of one set of conditions.
struct Tables {
  std::vector<plan::NodeId> computed;  // by Cell::place of Space::Computed
  std::vector<Words> keys;             // runs, each ascending
  std::vector<Value> values;           // runs, each ascending
  std::vector<Value> patterns;         // runs of texts
  std::vector<Truth> truths;           // operands before what reads them
  std::vector<Test> tests;             // of Truth::Kind::One
};

}  // namespace koi::match
