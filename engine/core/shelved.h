// Shelved: values by key, of which only those must be in memory that have changed since they were
// last put on the shelf; the rest may be forgotten and read again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace koi::core {

// Which changes the shelf has: those up to `stored`. `frozen` are on their way there; 0: none are.
struct Generations {
  std::uint32_t current = 1, frozen = 0, stored = 0;
};

template <class Value>
class Shelved {
 public:
  struct Slot {
    Value value{};
    std::uint32_t generation = 0;  // in which it was last changed; 0: as the shelf has it
  };
  using Node = std::pair<const std::string, Slot>;

  // Null where it is not in memory. A node stays where it is until forget().
  Node* find(std::string_view key) {
    const auto place = nodes_.find(key);
    return place == nodes_.end() ? nullptr : &*place;
  }
  // As the shelf has it.
  Node& keep(std::string key, Value value) {
    return *nodes_.emplace(std::move(key), Slot{std::move(value)}).first;
  }
  // It is changed now. False where it was changed in this generation before.
  bool change(Node& node, const Generations& generations) {
    if (node.second.generation == generations.current) return false;
    node.second.generation = generations.current;
    changed_.push_back(&node);
    return true;
  }

  // Calls `each` with all that were changed in the current generation; they are frozen from here.
  template <class Each>
  void freeze(Each each) {
    KOI_ASSERT(frozen_.empty());
    for (const Node* node : changed_) each(*node);
    frozen_.swap(changed_);
  }
  void committed() { frozen_.clear(); }
  // They count as changed again, those too that have been changed since.
  void failed(const Generations& generations) {
    for (Node* node : frozen_) change(*node, generations);
    frozen_.clear();
  }

  // Calls `each` with all in memory whose keys begin so, ascending.
  template <class Each>
  void for_each_of(std::string_view prefix, Each each) const {
    for (auto node = nodes_.lower_bound(prefix);
         node != nodes_.end() && node->first.starts_with(prefix); ++node)
      each(*node);
  }

  // Of what has no shelf.
  void erase(const Node& node) { nodes_.erase(nodes_.find(node.first)); }

  std::size_t size() const { return nodes_.size(); }
  std::size_t changed() const { return changed_.size() + frozen_.size(); }
  // What the shelf has.
  void forget(const Generations& generations) {
    for (auto node = nodes_.begin(); node != nodes_.end();)
      node = node->second.generation <= generations.stored ? nodes_.erase(node) : std::next(node);
  }

 private:
  std::map<std::string, Slot, std::less<>> nodes_;
  std::vector<Node*> changed_, frozen_;
};

}  // namespace koi::core
