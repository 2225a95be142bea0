#include "durable/blocks.h"

#include <sys/mman.h>

#include <memory>
#include <new>

#include "base/assert.h"

namespace koi::durable {

void Blocks::Pages::add_first(Page* page) {
  page->previous = nullptr;
  page->next = first;
  (first ? first->previous : last) = page;
  first = page;
}

void Blocks::Pages::add_last(Page* page) {
  page->next = nullptr;
  page->previous = last;
  (last ? last->next : first) = page;
  last = page;
}

void Blocks::Pages::remove(Page* page) {
  (page->previous ? page->previous->next : first) = page->next;
  (page->next ? page->next->previous : last) = page->previous;
}

std::uint64_t Blocks::bytes_for(std::size_t size) {
  constexpr std::size_t of_the_allocator = 16;
  return size > longest ? size + of_the_allocator : size_of(number_of(size));
}

void Blocks::Free::operator()(char* memory) const {
  ::munmap(memory, (pages_at_once + 1) * page_bytes);
}

Blocks::Page* Blocks::empty_page(std::size_t number) {
  if (empty_.empty()) {
    // Of the system, and not of the allocator, where it would stand between what comes and goes.
    void* const memory = ::mmap(nullptr, (pages_at_once + 1) * page_bytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    KOI_ASSERT(memory != MAP_FAILED);
    memory_.emplace_back(static_cast<char*>(memory));
    char* const first =
        reinterpret_cast<char*>(page_of(static_cast<char*>(memory) + page_bytes - 1));
    for (std::size_t i = pages_at_once; i > 0; --i)
      empty_.push_back(reinterpret_cast<Page*>(first + (i - 1) * page_bytes));
  }
  Page* const page = std::construct_at(empty_.back());
  empty_.pop_back();
  ++pages_in_use_;
  page->room = static_cast<std::uint16_t>(page_room / size_of(number));
  return page;
}

char* Blocks::take(std::size_t size) {
  KOI_ASSERT(size > 0);
  if (size > longest) return static_cast<char*>(::operator new(size));
  const std::size_t number = number_of(size);
  Pages& pages = with_room_[number];
  if (!pages.first) pages.add_first(empty_page(number));
  Page* const page = pages.first;
  char* block = nullptr;
  if (page->given_back) {
    block = reinterpret_cast<char*>(page->given_back);
    page->given_back = page->given_back->next;
  } else {
    block = reinterpret_cast<char*>(page) + first_block + page->ever_used++ * size_of(number);
  }
  if (++page->used == page->room) pages.remove(page);
  in_blocks_ += size_of(number);
  return block;
}

void Blocks::give(char* block, std::size_t size) {
  if (size > longest) return ::operator delete(block);
  const std::size_t number = number_of(size);
  Pages& pages = with_room_[number];
  Page* const page = page_of(block);
  page->given_back = std::construct_at(reinterpret_cast<Slot*>(block), Slot{page->given_back});
  in_blocks_ -= size_of(number);
  const std::uint16_t before = page->used--;
  if (before == page->room) pages.add_first(page);
  if (page->used == 0) {
    pages.remove(page);
    if (empty_.size() >= empty_pages_kept) ::madvise(page, page_bytes, MADV_DONTNEED);
    empty_.push_back(page);
    --pages_in_use_;
  } else if (before == page->room / 2 && pages.last != page) {
    pages.remove(page);
    pages.add_last(page);
  }
}

bool Blocks::should_move(const char* block, std::size_t size) const {
  if (size > longest) return false;
  const Page* const page = page_of(block);
  return page->used < page->room / 2 && with_room_[number_of(size)].first != page;
}

}  // namespace koi::durable
