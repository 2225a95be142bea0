// Value: one datum of the language in sixteen bytes. Texts of up to 14 bytes live inside it; longer
// texts and lists own a block of their own (a copy copies it), so values may cross threads freely.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/decimal.h"
#include "base/time.h"

namespace koi {

enum class Kind : std::uint8_t {
  Missing,
  Bool,
  Int,
  Number,  // Decimal
  Money,   // minor units of the program's currency
  Text,
  Time,  // of day
  Date,
  Instant,
  Duration,  // a fixed span
  Enum,      // the position among its type's values
  List,
};
std::string_view name_of(Kind kind);  // the language's word: "text", "int", …

class Value {
 public:
  static constexpr bool moves_as_bytes = true;  // (base/list.h)
  Value() = default;                            // missing
  static Value boolean(bool b) { return Value(Kind::Bool, b ? 1 : 0); }
  static Value integer(std::int64_t n) { return Value(Kind::Int, n); }
  static Value number(Decimal d) { return Value(Kind::Number, d.millionths); }
  static Value money(std::int64_t minor) { return Value(Kind::Money, minor); }
  static Value time(TimeOfDay t) { return Value(Kind::Time, t.us); }
  static Value date(Date d) { return Value(Kind::Date, d.days); }
  static Value instant(Timestamp t) { return Value(Kind::Instant, t.us); }
  static Value duration(Duration d) { return Value(Kind::Duration, d.us); }
  static Value enumerator(std::uint32_t position) { return Value(Kind::Enum, position); }
  static Value text(std::string_view utf8);
  static Value list(std::vector<Value> elements);
  // Any kind that is a number inside (not Missing, Text, List).
  static Value raw(Kind kind, std::int64_t number) { return Value(kind, number); }

  Value(const Value& other);
  Value(Value&& other) noexcept;
  Value& operator=(const Value& other);
  Value& operator=(Value&& other) noexcept;
  ~Value() {
    if (owns_block()) release();
  }

  Kind kind() const { return kind_; }
  bool is_missing() const { return kind_ == Kind::Missing; }
  bool as_bool() const { return number_ != 0; }
  std::int64_t raw() const {
    return number_;
  }  // the number inside, of every kind but Text and List
  Decimal as_number() const { return {number_}; }
  Timestamp as_instant() const { return {number_}; }
  Duration as_duration() const { return {number_}; }
  Date as_date() const { return {static_cast<std::int32_t>(number_)}; }
  TimeOfDay as_time() const { return {number_}; }
  std::string_view as_text() const;        // valid while this value lives and does not change
  std::span<const Value> as_list() const;  // likewise

  // Bytes beside the sixteen.
  std::size_t heap_bytes() const;

  // A total order: by kind, then by what is inside (texts by bytes, lists by elements).
  friend std::strong_ordering operator<=>(const Value& a, const Value& b);
  friend bool operator==(const Value& a, const Value& b) { return (a <=> b) == 0; }

 private:
  static constexpr std::uint8_t in_block = 255;
  static constexpr std::size_t inline_bytes = 14;

  Value(Kind kind, std::int64_t number) : kind_(kind), number_(number) {}
  bool owns_block() const { return size_ == in_block; }
  const char* inline_text() const { return reinterpret_cast<const char*>(this) + 2; }
  void release();
  void copy_block(const Value& other);

  Kind kind_ = Kind::Missing;
  std::uint8_t size_ = 0;  // of an inline text; in_block: block_ is owned
  char small_[6] = {};     // an inline text begins here and runs on into the number
  union {
    std::int64_t number_ = 0;
    void* block_;
  };
};
static_assert(sizeof(Value) == 16);

}  // namespace koi
