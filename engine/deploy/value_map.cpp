#include "deploy/detail/value_map.h"

#include <algorithm>

namespace koi::deploy {

bool same_names(const std::vector<Symbol>& a, const std::vector<Symbol>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Symbol& x, const Symbol& y) { return x.name == y.name; });
}

ValueMap::ValueMap(const Schema& from_schema, const Type& from, const Schema& to_schema,
                   const Type& to) {
  carries_ = from.kind == to.kind && from.element == to.element;
  if (!carries_ || from.enumeration.is_none() || to.enumeration.is_none()) return;
  const auto& old = from_schema.enumerations[from.enumeration.index()].values;
  const auto& now = to_schema.enumerations[to.enumeration.index()].values;
  const bool is_longer =
      now.size() >= old.size() && same_names(old, {now.begin(), now.begin() + std::ssize(old)});
  if (is_longer) return;
  for (const Symbol& value : old) {
    const auto found = std::find_if(now.begin(), now.end(),
                                    [&](const Symbol& each) { return each.name == value.name; });
    values_.push_back(found == now.end() ? -1 : found - now.begin());
  }
}

Value ValueMap::operator()(const Value& value) const {
  if (!carries_) return {};
  if (values_.empty() || value.is_missing()) return value;
  const auto other = [&](const Value& each) {
    const auto at = static_cast<std::size_t>(each.raw());
    if (each.kind() != Kind::Enum || at >= values_.size() || values_[at] < 0) return Value();
    return Value::raw(Kind::Enum, values_[at]);
  };
  if (value.kind() != Kind::List) return other(value);
  std::vector<Value> elements;
  for (const Value& element : value.as_list())
    if (Value mapped = other(element); !mapped.is_missing()) elements.push_back(std::move(mapped));
  return Value::list(std::move(elements));
}

}  // namespace koi::deploy
