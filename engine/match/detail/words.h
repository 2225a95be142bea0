// Words: the sixteen bytes of a Value as two numbers, so that a comparison with a constant is a few
// instructions whatever the kind. Two values that own no block are equal when their words are.
#pragma once

#include <compare>
#include <cstdint>
#include <cstring>

#include "base/hash.h"
#include "model/value.h"

namespace koi::match {

struct Words {
  std::uint64_t head = 0;  // the kind, and the first bytes of a short text
  std::uint64_t tail = 0;  // the number, or the other bytes of a short text
  friend auto operator<=>(const Words&, const Words&) = default;
};

inline Words words_of(const Value& value) {
  static_assert(sizeof(Value) == sizeof(Words));
  Words words;
  std::memcpy(&words, static_cast<const void*>(&value), sizeof words);
  return words;
}

inline Kind kind_of(Words words) { return static_cast<Kind>(words.head & 0xff); }
// Long texts and lists: their words hold an address and say nothing of what is inside.
inline bool owns_block(Words words) { return (words.head >> 8 & 0xff) == 0xff; }

// The head of every value of a kind that is a number inside.
inline std::uint64_t head_of(Kind kind) { return static_cast<std::uint64_t>(kind); }
inline bool is_numeric(Kind kind) {
  return kind != Kind::Missing && kind != Kind::Text && kind != Kind::List;
}

// A number that is equal for equal texts and seldom for others.
inline std::uint64_t spread(const Value& value, Words words) {
  if (owns_block(words)) words = {head_of(Kind::Text), hash64(value.as_text())};
  std::uint64_t mixed = words.head * 0x9e3779b97f4a7c15U ^ words.tail * 0xd1342543de82ef95U;
  mixed ^= mixed >> 32;
  return mixed * 0x9e3779b97f4a7c15U;
}

}  // namespace koi::match
