// How much room is taken for lists that grow with a busy customer's events. All of them take blocks
// of a few sizes, four for each doubling: what one grows out of fits another one, and leaves no
// hole that nobody fits in.
#pragma once

#include <bit>
#include <cstddef>

namespace koi::core {

// The smallest of these sizes that is not below so many bytes.
constexpr std::size_t block_size(std::size_t bytes) {
  constexpr std::size_t smallest = 256;
  if (bytes <= smallest) return smallest;
  const std::size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

// What a block holds beside the items of a List: its head, and what the allocator keeps.
constexpr std::size_t beside_items = 16;

// So many items of a List, of so many bytes each, fill such a block, and at least `n` fit in.
constexpr std::size_t items_in_block(std::size_t n, std::size_t bytes_each) {
  return (block_size(n * bytes_each + beside_items) - beside_items) / bytes_each;
}

}  // namespace koi::core
