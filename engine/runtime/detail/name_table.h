// Name table: names to positions, for short texts that are looked up again and again. Inside
// runtime only.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace koi::runtime {

// A short text as three numbers: texts of up to sixteen bytes are equal if their prints are. Reads
// nothing beside the text.
struct Print {
  std::uint64_t first = 0, last = 0;  // eight bytes each at most, which may overlap
  std::size_t size = 0;

  static Print of(std::string_view text) {
    const char* const end = text.data() + text.size();
    const auto load = [](const char* from, auto number) {
      std::memcpy(&number, from, sizeof number);
      return static_cast<std::uint64_t>(number);
    };
    const std::size_t size = text.size();
    if (size >= 8)
      return {load(text.data(), std::uint64_t{}), load(end - 8, std::uint64_t{}), size};
    if (size >= 4)
      return {load(text.data(), std::uint32_t{}), load(end - 4, std::uint32_t{}), size};
    if (size >= 2)
      return {load(text.data(), std::uint16_t{}), load(end - 2, std::uint16_t{}), size};
    return {size == 0 ? std::uint64_t{0} : static_cast<unsigned char>(text[0]), 0, size};
  }
  friend bool operator==(const Print&, const Print&) = default;
};

class NameTable {
 public:
  static constexpr std::uint16_t absent = 0xffff;

  // A name that is there already keeps its position.
  void insert(std::string name, std::uint16_t position) {
    if (find(name) != absent) return;
    names_.emplace_back(std::move(name), position);
    rebuild();
  }
  [[gnu::always_inline]] std::uint16_t find(std::string_view name) const {
    if (slots_.empty()) return absent;
    const Print print = Print::of(name);
    for (std::size_t at = hash(print);; ++at) {
      const Slot& slot = slots_[at & mask_];
      if (slot.position == absent) return absent;
      if (slot.print == print && (name.size() <= 16 || names_[slot.name].first == name))
        return slot.position;
    }
  }

 private:
  struct Slot {
    Print print;
    std::uint16_t position = absent;
    std::uint16_t name = 0;
  };
  static std::size_t hash(const Print& print) {
    return static_cast<std::size_t>(
        (print.first * 3 + print.last + print.size) * 0x9e3779b97f4a7c15ull >> 40);
  }
  void rebuild() {
    std::size_t size = 8;
    while (size < names_.size() * 4) size *= 2;
    slots_.assign(size, {});
    mask_ = size - 1;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const Print print = Print::of(names_[i].first);
      std::size_t at = hash(print);
      while (slots_[at & mask_].position != absent) ++at;
      slots_[at & mask_] = {print, names_[i].second, static_cast<std::uint16_t>(i)};
    }
  }
  std::vector<std::pair<std::string, std::uint16_t>> names_;
  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
};

}  // namespace koi::runtime
