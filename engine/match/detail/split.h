// Splits conditions into conjunctions of tests: a disjunction of them for each condition, kept
// small. Negation goes inwards, so `not (a or b)` is indexed as well as `not a and not b`.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "match/detail/test.h"

namespace koi::match {

class Splitter {
 public:
  explicit Splitter(const plan::Plan& plan) : plan_(plan) {}

  // The condition holds exactly when all tests of at least one conjunction pass; what reads a
  // campaign's frame counts as met, negated or not. Empty: never.
  std::vector<Conjunction> split(plan::NodeId a, plan::NodeId b);

  Tables take() { return std::move(tables_); }
  // Of every cell that a test reads.
  const std::map<Cell, Kind>& kinds() const { return kinds_; }

 private:
  using Alternatives = std::vector<Conjunction>;
  const Alternatives& alternatives(plan::NodeId node, bool negated);
  Alternatives compute(plan::NodeId node, bool negated);
  Alternatives both(const Alternatives& a, const Alternatives& b, plan::NodeId node_a,
                    plan::NodeId node_b, bool negated);
  Alternatives test(plan::NodeId node, bool negated);
  std::optional<Alternatives> comparison(const plan::Node& node, bool negated);
  std::optional<Test> membership(const plan::Node& node);
  std::optional<Test> search(const plan::Node& node);
  std::optional<Test> listed(Cell cell, Kind kind, std::span<const Value> elements);
  Conjunction truth(plan::NodeId node, bool negated);
  std::uint32_t truth_of(plan::NodeId node);
  std::optional<Cell> cell_of(plan::NodeId node);
  const Value* constant(plan::NodeId node) const;
  bool reads_frame(plan::NodeId node);

  const plan::Plan& plan_;
  Tables tables_;
  std::map<std::pair<plan::NodeId, bool>, Alternatives> known_;
  std::map<plan::NodeId, std::uint32_t> truths_;
  std::map<plan::NodeId, std::uint16_t> computed_;
  std::map<plan::NodeId, bool> reads_frame_;
  std::map<Cell, Kind> kinds_;
};

}  // namespace koi::match
