#include "match/automaton.h"

#include <map>

namespace koi::match {

Automaton::Automaton(const std::vector<std::string_view>& patterns) {
  // The tree of all patterns, its states in the order of their making.
  std::vector<std::map<unsigned char, std::uint32_t>> children(1);
  std::vector<std::vector<std::uint32_t>> ends(1);
  for (std::uint32_t i = 0; i < patterns.size(); ++i) {
    std::uint32_t at = 0;
    for (const char c : patterns[i]) {
      const auto [edge, is_new] = children[at].try_emplace(
          static_cast<unsigned char>(c), static_cast<std::uint32_t>(children.size()));
      at = edge->second;
      if (!is_new) continue;
      children.emplace_back();
      ends.emplace_back();
    }
    ends[at].push_back(i);
  }

  states_.resize(children.size());
  for (const auto& [byte, to] : children[0]) start_[byte] = to;
  // Breadth first, so that a state's failure is known before it is used. The start's own patterns
  // (the empty one) are reported once, before the first byte.
  std::vector<std::uint32_t> order{0};
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::uint32_t at = order[i];
    State& state = states_[at];
    state.first_edge = static_cast<std::uint32_t>(edges_.size());
    state.edge_count = static_cast<std::uint16_t>(children[at].size());
    state.first_end = static_cast<std::uint32_t>(ends_.size());
    state.end_count = static_cast<std::uint32_t>(ends[at].size());
    ends_.insert(ends_.end(), ends[at].begin(), ends[at].end());
    for (const auto& [byte, to] : children[at]) {
      edges_.push_back({byte, to});
      order.push_back(to);
      State& child = states_[to];
      if (at != 0) child.failure = next(state.failure, byte);
      const State& failure = states_[child.failure];
      if (child.failure != 0)
        child.shorter = ends[child.failure].empty() ? failure.shorter : child.failure;
      child.any = !ends[to].empty() || child.shorter != 0;
    }
  }
}

std::size_t Automaton::bytes() const {
  return sizeof start_ + states_.capacity() * sizeof(State) + edges_.capacity() * sizeof(Edge) +
         ends_.capacity() * sizeof(std::uint32_t);
}

}  // namespace koi::match
