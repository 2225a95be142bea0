// Value map: where the values of one type go in another.
#pragma once

#include <cstdint>
#include <vector>

#include "model/schema.h"
#include "model/value.h"

namespace koi::deploy {

// Enumerations go by the names of their values; all else goes where it is of the same kind.
class ValueMap {
 public:
  ValueMap() = default;
  ValueMap(const Schema& from_schema, const Type& from, const Schema& to_schema, const Type& to);

  bool carries() const { return carries_; }  // or nothing can be carried
  // Leaves everything as it is.
  bool is_same() const { return carries_ && values_.empty(); }
  Value operator()(const Value& value) const;  // missing where it has no counterpart

 private:
  bool carries_ = false;
  std::vector<std::int64_t> values_;  // of an enumeration, by position; -1: gone. Empty: the same
};

bool same_names(const std::vector<Symbol>& a, const std::vector<Symbol>& b);

}  // namespace koi::deploy
