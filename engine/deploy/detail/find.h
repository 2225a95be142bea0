// Find: where something stands in one of a plan's lists, as its id.
#pragma once

#include <cstddef>

namespace koi::deploy {

// The first thing in the list that is so, or none.
template <class Id, class List, class Is>
Id find(const List& list, Is is) {
  for (std::size_t i = 0; i < list.size(); ++i)
    if (is(list[i])) return Id::of(i);
  return Id::none();
}

}  // namespace koi::deploy
