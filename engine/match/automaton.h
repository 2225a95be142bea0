// Automaton: which of many texts occur in one text, in a single pass over it.
// Aho and Corasick, "Efficient string matching: an aid to bibliographic search", CACM 18(6), 1975.
// Bytes are compared as they are: case and accents count.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace koi::match {

class Automaton {
 public:
  Automaton() = default;
  // An empty pattern occurs in every text. Equal patterns are all reported.
  explicit Automaton(const std::vector<std::string_view>& patterns);

  // Calls on_found(pattern's position) for each occurrence: a pattern may be reported many times.
  template <class OnFound>
  void find(std::string_view text, OnFound&& on_found) const {
    if (states_.empty()) return;
    std::uint32_t at = 0;
    report(at, on_found);
    for (const char c : text) {
      at = next(at, static_cast<unsigned char>(c));
      if (states_[at].any) report(at, on_found);
    }
  }

  std::size_t bytes() const;

 private:
  // Edges of a state stand in a run of `edges_`, ascending by byte; those of the start in a table.
  struct State {
    std::uint32_t first_edge = 0;
    std::uint16_t edge_count = 0;
    bool any = false;  // it, or a state on its way of failures, ends a pattern
    std::uint32_t failure = 0;
    std::uint32_t first_end = 0, end_count = 0;  // patterns that end here, in `ends_`
    std::uint32_t shorter =
        0;  // the next state on the way of failures that ends a pattern; 0: none
  };
  struct Edge {
    unsigned char byte = 0;
    std::uint32_t to = 0;
  };

  std::uint32_t next(std::uint32_t at, unsigned char byte) const {
    for (; at != 0; at = states_[at].failure) {
      const State& state = states_[at];
      const Edge* edge = edges_.data() + state.first_edge;
      for (std::uint16_t i = 0; i < state.edge_count; ++i)
        if (edge[i].byte == byte) return edge[i].to;
    }
    return start_[byte];
  }

  template <class OnFound>
  void report(std::uint32_t at, OnFound&& on_found) const {
    for (std::uint32_t state = at;; state = states_[state].shorter) {
      const State& ends = states_[state];
      for (std::uint32_t i = 0; i < ends.end_count; ++i) on_found(ends_[ends.first_end + i]);
      if (ends.shorter == 0) return;
    }
  }

  std::array<std::uint32_t, 256> start_{};
  std::vector<State> states_;
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> ends_;
};

}  // namespace koi::match
