// List<T>: a vector for values of which there are millions, most of them short. It is one pointer
// wide, takes no block while it is empty, and grows by a quarter, filling the blocks that the
// allocator gives. What std::vector promises of order and of invalidation holds here too.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "base/assert.h"

namespace koi {

// A T at another address is the same T: its bytes may be moved instead of it. What holds no address
// of itself says so by `static constexpr bool moves_as_bytes = true`.
template <class T>
concept MovesAsBytes = std::is_trivially_copyable_v<T> || requires {
  requires T::moves_as_bytes;
};

template <class T>
class List {
  static_assert(std::is_nothrow_move_constructible_v<T> && alignof(T) <= 8);

 public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using reference = T&;
  using const_reference = const T&;
  using iterator = T*;
  using const_iterator = const T*;
  static constexpr bool moves_as_bytes = true;

  List() = default;
  explicit List(std::size_t n) { resize(n); }
  List(std::initializer_list<T> items) : List(items.begin(), items.end()) {}
  template <class Iterator>
  requires(!std::is_integral_v<Iterator>) List(Iterator first, Iterator last) {
    assign(first, last);
  }
  List(const List& other) : List(other.begin(), other.end()) {}
  List(List&& other) noexcept : items_(std::exchange(other.items_, nullptr)) {}
  List& operator=(const List& other) {
    if (this != &other) *this = List(other);
    return *this;
  }
  List& operator=(List&& other) noexcept {
    List old(std::move(*this));
    items_ = std::exchange(other.items_, nullptr);
    return *this;
  }
  ~List() {
    if (items_ != nullptr) clear();
  }

  std::size_t size() const { return items_ == nullptr ? 0 : head().size; }
  std::size_t capacity() const { return items_ == nullptr ? 0 : head().capacity; }
  bool empty() const { return size() == 0; }
  T* data() { return items_; }
  const T* data() const { return items_; }
  T* begin() { return items_; }
  const T* begin() const { return items_; }
  T* end() { return items_ + size(); }
  const T* end() const { return items_ + size(); }
  T& operator[](std::size_t i) { return items_[i]; }
  const T& operator[](std::size_t i) const { return items_[i]; }
  const T& at(std::size_t i) const { return KOI_ASSERT(i < size()), items_[i]; }
  T& front() { return items_[0]; }
  const T& front() const { return items_[0]; }
  T& back() { return items_[size() - 1]; }
  const T& back() const { return items_[size() - 1]; }
  // Of the block that it has; 0 where it has none.
  std::size_t block_bytes() const { return items_ == nullptr ? 0 : bytes_for(head().capacity); }

  void push_back(T item) { insert(end(), std::move(item)); }

  T* insert(const T* place, T item) {
    const std::size_t at = index_of(place);
    T* const gap = open(at, 1);
    std::construct_at(gap, std::move(item));
    return gap;
  }
  // `n` copies of the item.
  T* insert(const T* place, std::size_t n, const T& item) {
    const T copy(item);  // it may be one of ours
    T* const gap = open(index_of(place), n);
    std::uninitialized_fill_n(gap, n, copy);
    return gap;
  }

  T* erase(const T* place) { return erase(place, place + 1); }
  T* erase(const T* first, const T* last) {
    T* const from = items_ + index_of(first);
    if (first == last) return from;
    if constexpr (MovesAsBytes<T>) {
      T* const behind = from + (last - first);
      std::destroy(from, behind);
      move_bytes(from, behind, static_cast<std::size_t>(end() - behind));
      head().size -= static_cast<std::uint32_t>(last - first);
      return from;
    }
    T* const rest = std::move(from + (last - first), end(), from);
    std::destroy(rest, end());
    head().size = static_cast<std::uint32_t>(rest - items_);
    return from;
  }

  // Keeps those of which `keep` says so, in their order.
  template <class Keep>
  requires MovesAsBytes<T>
  void keep_if(Keep keep) {
    T* to = begin();
    for (T *from = begin(), *const last = end(); from != last; ++from) {
      if (!keep(*from)) {
        std::destroy_at(from);
        continue;
      }
      if (to != from) move_bytes(to, from, 1);
      ++to;
    }
    if (items_ != nullptr) head().size = static_cast<std::uint32_t>(to - items_);
  }

  // Gives its block back.
  void clear() {
    if (items_ == nullptr) return;
    std::destroy(begin(), end());
    release(std::exchange(items_, nullptr));
  }
  void resize(std::size_t n) {
    if (n < size()) {
      erase(begin() + n, end());
      return;
    }
    reserve(n);
    if (n == size()) return;
    std::uninitialized_value_construct(end(), items_ + n);
    head().size = static_cast<std::uint32_t>(n);
  }
  void reserve(std::size_t n) {
    if (n > capacity()) move_to(capacity_for(n));
  }
  void shrink_to_fit() {
    if (empty()) return clear();
    if (const std::size_t enough = capacity_for(size()); enough < capacity()) move_to(enough);
  }
  template <class Iterator>
  requires(!std::is_integral_v<Iterator>) void assign(Iterator first, Iterator last) {
    List old(std::move(*this));  // what is assigned may be part of it
    const auto n = static_cast<std::size_t>(std::distance(first, last));
    reserve(n);
    if (n == 0) return;
    std::uninitialized_copy(first, last, items_);
    head().size = static_cast<std::uint32_t>(n);
  }
  void assign(std::size_t n, const T& item) {
    const T copy(item);
    clear();
    insert(end(), n, copy);
  }

  friend bool operator==(const List& a, const List& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  struct Head {
    std::uint32_t size = 0, capacity = 0;
  };
  static_assert(sizeof(Head) == 8);

  Head& head() { return reinterpret_cast<Head*>(items_)[-1]; }
  const Head& head() const { return reinterpret_cast<const Head*>(items_)[-1]; }

  static std::size_t bytes_for(std::size_t n) { return sizeof(Head) + n * sizeof(T); }
  // At least `n`. Blocks are multiples of sixteen bytes less the eight that the allocator keeps.
  static std::size_t capacity_for(std::size_t n) {
    KOI_ASSERT(n < UINT32_MAX / 2);
    return ((bytes_for(n) + 7) / 16 * 16 + 8 - sizeof(Head)) / sizeof(T);
  }
  static void release(T* items) { ::operator delete(reinterpret_cast<Head*>(items) - 1); }

  std::size_t index_of(const T* place) const {
    return place == nullptr ? 0 : static_cast<std::size_t>(place - items_);
  }

  // Room for `n` items that are not made yet, counted as there.
  T* open(std::size_t at, std::size_t n) {
    const std::size_t before = size();
    if (n == 0) return items_ + at;
    if (before + n > capacity()) move_to(capacity_for(std::max(before + n, before + before / 4)));
    T* const gap = items_ + at;
    if constexpr (MovesAsBytes<T>) {
      move_bytes(gap + n, gap, before - at);
    } else {
      for (std::size_t i = before; i > at; --i) {
        std::construct_at(items_ + i - 1 + n, std::move(items_[i - 1]));
        std::destroy_at(items_ + i - 1);
      }
    }
    head().size = static_cast<std::uint32_t>(before + n);
    return gap;
  }

  void move_to(std::size_t capacity) {
    auto* const head = static_cast<Head*>(::operator new(bytes_for(capacity)));
    std::construct_at(
        head, Head{static_cast<std::uint32_t>(size()), static_cast<std::uint32_t>(capacity)});
    T* const items = reinterpret_cast<T*>(head + 1);
    if (items_ != nullptr) {
      if constexpr (MovesAsBytes<T>) {
        move_bytes(items, items_, size());
      } else {
        std::uninitialized_move(begin(), end(), items);
        std::destroy(begin(), end());
      }
      release(items_);
    }
    items_ = items;
  }

  // Of n items; what was at `to` is gone, and what was at `from` is not to be destroyed.
  static void move_bytes(T* to, const T* from, std::size_t n) {
    std::memmove(static_cast<void*>(to), static_cast<const void*>(from), n * sizeof(T));
  }

  T* items_ = nullptr;  // behind their head
};

template <class T, class Is>
std::size_t erase_if(List<T>& list, Is is) {
  const std::size_t before = list.size();
  if constexpr (MovesAsBytes<T>) {
    list.keep_if([&](T& item) { return !is(item); });
    return before - list.size();
  }
  list.erase(std::remove_if(list.begin(), list.end(), is), list.end());
  return before - list.size();
}

}  // namespace koi
