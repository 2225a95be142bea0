// Blocks: memory for millions of short runs of bytes that come and go all the time. Each size has
// pages of its own, so that what is given back fits whoever comes next; pages that are empty serve
// any size. Unlike the allocator's, its gaps are known, and can be closed: bytes may be moved. One
// thread's own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace koi::durable {

class Blocks {
 public:
  Blocks() = default;
  Blocks(const Blocks&) = delete;

  // Room for so many bytes; it is given back under the same number, and before this is destroyed.
  char* take(std::size_t size);
  void give(char* block, std::size_t size);

  // Does it stand in a page with few others, while there is room in a fuller one? Who moves it
  // (takes another, gives this one back) closes a gap.
  bool should_move(const char* block, std::size_t size) const;

  // Is a block of the one size one of the other?
  static bool is_as_big(std::size_t size, std::size_t other) {
    return std::max(size, other) <= longest ? number_of(size) == number_of(other) : size == other;
  }
  // What a block of that size takes of a page.
  static std::uint64_t bytes_for(std::size_t size);
  // What is in pages and in no block; of pages that serve a size.
  std::uint64_t gaps() const { return pages_in_use_ * page_bytes - in_blocks_; }

 private:
  static constexpr std::size_t page_bytes = 16u << 10, first_block = 48;  // where it is in a page
  static constexpr std::size_t page_room = page_bytes - first_block;
  // Sizes: multiples of `step`; beyond `middle` only those of which so many fill a page.
  static constexpr std::size_t step = 16, middle = 512, fewest_in_page = 8;
  static constexpr std::size_t longest = page_room / fewest_in_page / step * step;
  static constexpr std::size_t numbers = middle / step + page_room / middle - fewest_in_page + 1;
  static constexpr std::size_t pages_at_once = 63, empty_pages_kept = 64;
  struct Slot {
    Slot* next = nullptr;
  };
  // At the beginning of its memory; the blocks follow.
  struct Page {
    Page *next = nullptr, *previous = nullptr;  // of those of this size with room
    Slot* given_back = nullptr;
    std::uint16_t used = 0, ever_used = 0, room = 0;
  };
  // Pages of one size that have room, the fuller ones first, roughly.
  struct Pages {
    Page *first = nullptr, *last = nullptr;
    void add_first(Page* page);
    void add_last(Page* page);
    void remove(Page* page);
  };
  struct Free {
    void operator()(char* memory) const;
  };

  static_assert(sizeof(Page) <= first_block);
  static std::size_t number_of(std::size_t size) {
    const std::size_t steps = (size + step - 1) / step;
    if (steps <= middle / step) return steps;
    return middle / step + page_room / middle - page_room / (steps * step);
  }
  static std::size_t size_of(std::size_t number) {
    if (number <= middle / step) return number * step;
    return page_room / (middle / step + page_room / middle - number) / step * step;
  }
  static Page* page_of(const char* block) {
    return reinterpret_cast<Page*>(reinterpret_cast<std::uintptr_t>(block) & ~(page_bytes - 1));
  }
  Page* empty_page(std::size_t number);

  std::array<Pages, numbers> with_room_{};
  std::vector<Page*> empty_;
  std::vector<std::unique_ptr<char, Free>> memory_;
  std::uint64_t pages_in_use_ = 0, in_blocks_ = 0;
};

}  // namespace koi::durable
