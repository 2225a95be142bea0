#include "match/detail/split.h"

#include <algorithm>

namespace koi::match {

using plan::Node;
using plan::NodeId;
using plan::Op;

namespace {

// Beyond these a condition is not taken apart further: its parts become truths.
constexpr std::size_t alternatives_at_most = 8;
constexpr std::size_t tests_at_most = 32;

const std::vector<Conjunction> always{{}};
const std::vector<Conjunction> never{};

// What a test costs and how often it fails, roughly: the order in which they are asked.
int rank_of(const Test& test) {
  if (test.ask == Test::Ask::Truth) return 7;
  if (test.ask == Test::Ask::Finds) return 6;
  const int later = test.cell.space == Space::Computed ? 4 : 0;
  if (test.negated || test.ask == Test::Ask::Known) return later + 3;
  if (test.ask == Test::Ask::Range) return later + (test.width == 0 ? 0 : 2);
  return later + 1;
}

bool is_truth_op(Op op) {
  switch (op) {
    case Op::Watch:
    case Op::Consent:
    case Op::Audience:
    case Op::Not:
    case Op::And:
    case Op::Or:
    case Op::Equal:
    case Op::NotEqual:
    case Op::Less:
    case Op::LessEqual:
    case Op::Greater:
    case Op::GreaterEqual:
    case Op::In:
    case Op::Contains:
    case Op::ContainsAny:
    case Op::IsKnown:
    case Op::IsMissing: return true;
    default: return false;
  }
}

Op mirrored(Op op) {
  switch (op) {
    case Op::Less: return Op::Greater;
    case Op::LessEqual: return Op::GreaterEqual;
    case Op::Greater: return Op::Less;
    case Op::GreaterEqual: return Op::LessEqual;
    default: return op;
  }
}

Test known_test(Cell cell) {
  Test test;
  test.cell = cell;
  test.ask = Test::Ask::Known;
  return test;
}

// Puts the conjunction in order and merges ranges of one cell. False: it can not pass.
bool tidy(Conjunction& tests) {
  std::sort(tests.begin(), tests.end());
  tests.erase(std::unique(tests.begin(), tests.end()), tests.end());
  Conjunction merged;
  for (const Test& test : tests) {
    const auto same = std::find_if(merged.begin(), merged.end(), [&](const Test& other) {
      return test.ask == Test::Ask::Range && other.ask == Test::Ask::Range && !test.negated &&
             !other.negated && test.cell == other.cell && test.head == other.head &&
             is_numeric(static_cast<Kind>(test.head));
    });
    if (same == merged.end()) {
      merged.push_back(test);
      continue;
    }
    const std::int64_t first = std::max(same->first(), test.first());
    const std::int64_t last = std::min(same->last(), test.last());
    if (first > last) return false;
    *same = range_test(test.cell, static_cast<Kind>(test.head), first, last);
  }
  std::stable_sort(merged.begin(), merged.end(),
                   [](const Test& a, const Test& b) { return rank_of(a) < rank_of(b); });
  tests = std::move(merged);
  return true;
}

}  // namespace

std::vector<Conjunction> Splitter::split(NodeId a, NodeId b) {
  const Alternatives first = a.is_none() ? always : alternatives(a, false);
  const Alternatives second = b.is_none() ? always : alternatives(b, false);
  Alternatives result = both(first, second, a, b, false);
  std::erase_if(result, [](Conjunction& tests) { return !tidy(tests); });
  return result;
}

// Shared sub-conditions are split once.
const Splitter::Alternatives& Splitter::alternatives(NodeId node, bool negated) {
  const auto place = known_.find({node, negated});
  if (place != known_.end()) return place->second;
  Alternatives made = compute(node, negated);
  return known_.emplace(std::pair(node, negated), std::move(made)).first->second;
}

// Few conditions read the frame, and deep ones share what they read.
bool Splitter::reads_frame(NodeId id) {
  if (id.is_none()) return false;
  const auto place = reads_frame_.find(id);
  if (place != reads_frame_.end()) return place->second;
  const Node& node = plan_[id];
  bool reads = node.op == Op::Slot || reads_frame(node.a) || reads_frame(node.b);
  if (node.op == Op::Join)
    for (const auto& part : plan_.templates[node.index].parts)
      reads = reads || reads_frame(part.node);
  return reads_frame_.emplace(id, reads).first->second;
}

Splitter::Alternatives Splitter::compute(NodeId id, bool negated) {
  const Node& node = plan_[id];
  switch (node.op) {
    case Op::Not: return alternatives(node.a, !negated);
    case Op::And:
    case Op::Or: {
      const Alternatives& a = alternatives(node.a, negated);
      const Alternatives& b = alternatives(node.b, negated);
      if ((node.op == Op::And) != negated) return both(a, b, node.a, node.b, negated);
      if (a.size() + b.size() > alternatives_at_most) return {truth(id, negated)};
      Alternatives result = a;
      for (const Conjunction& tests : b)
        if (std::find(result.begin(), result.end(), tests) == result.end()) result.push_back(tests);
      return result;
    }
    default: return test(id, negated);
  }
}

// Every alternative of a with every one of b, unless there are too many: then the side that has
// more stays whole.
Splitter::Alternatives Splitter::both(const Alternatives& a, const Alternatives& b, NodeId node_a,
                                      NodeId node_b, bool negated) {
  if (a.size() * b.size() > alternatives_at_most) {
    if (a.size() > b.size()) return both({truth(node_a, negated)}, b, node_a, node_b, negated);
    return both(a, {truth(node_b, negated)}, node_a, node_b, negated);
  }
  Alternatives result;
  for (const Conjunction& left : a)
    for (const Conjunction& right : b) {
      Conjunction tests = left;
      for (const Test& test : right)
        if (std::find(tests.begin(), tests.end(), test) == tests.end()) tests.push_back(test);
      if (tests.size() <= tests_at_most) {
        result.push_back(std::move(tests));
        continue;
      }
      tests = truth(node_a, negated);
      for (const Test& test : truth(node_b, negated)) tests.push_back(test);
      return {std::move(tests)};
    }
  return result;
}

Conjunction Splitter::truth(NodeId node, bool negated) {
  if (reads_frame(node)) return {};
  Test test;
  test.ask = Test::Ask::Truth;
  test.head = truth_of(node);
  test.negated = negated;
  return {test};
}

std::uint32_t Splitter::truth_of(NodeId id) {
  const auto place = truths_.find(id);
  if (place != truths_.end()) return place->second;
  const Node& node = plan_[id];
  Truth made{Truth::Kind::Leaf, 0, 0, id};
  if (node.op == Op::Not) {
    made = {Truth::Kind::Not, truth_of(node.a), 0, id};
  } else if (node.op == Op::And || node.op == Op::Or) {
    const std::uint32_t a = truth_of(node.a), b = truth_of(node.b);
    made = {node.op == Op::And ? Truth::Kind::And : Truth::Kind::Or, a, b, id};
  } else if (const Alternatives simple = test(id, false);
             simple.size() == 1 && simple[0].size() == 1 && simple[0][0].ask != Test::Ask::Truth) {
    made = {Truth::Kind::One, static_cast<std::uint32_t>(tables_.tests.size()), 0, id};
    tables_.tests.push_back(simple[0][0]);
  } else if (const auto again = truths_.find(id); again != truths_.end()) {
    return again->second;
  }
  const auto index = static_cast<std::uint32_t>(tables_.truths.size());
  tables_.truths.push_back(made);
  truths_.emplace(id, index);
  return index;
}

const Value* Splitter::constant(NodeId node) const {
  return plan_[node].op == Op::Constant ? &plan_.constants[plan_[node].index] : nullptr;
}

// A node that is a value and no constant.
std::optional<Cell> Splitter::cell_of(NodeId id) {
  const Node& node = plan_[id];
  if (node.op == Op::Constant || is_truth_op(node.op)) return std::nullopt;
  Cell cell;
  if (node.op == Op::Field && node.index != plan::event_time_field.index()) {
    cell = {Space::Field, static_cast<std::uint16_t>(node.index)};
  } else if (node.op == Op::Attribute) {
    cell = {Space::Attribute, static_cast<std::uint16_t>(node.index)};
  } else {
    if (tables_.computed.size() >= std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
    const auto next = static_cast<std::uint16_t>(tables_.computed.size());
    const auto [place, is_new] = computed_.emplace(id, next);
    if (is_new) tables_.computed.push_back(id);
    cell = {Space::Computed, place->second};
  }
  kinds_.emplace(cell, node.kind);
  return cell;
}

// A condition without and, or, not. The evaluator's rules hold: a missing operand makes it false,
// and its negation true.
Splitter::Alternatives Splitter::test(NodeId id, bool negated) {
  if (reads_frame(id)) return always;
  const Node& node = plan_[id];
  std::optional<Test> made;
  switch (node.op) {
    case Op::Constant: {
      const Value& value = plan_.constants[node.index];
      const bool holds = value.kind() == Kind::Bool && value.as_bool();
      return holds != negated ? always : never;
    }
    case Op::Equal:
    case Op::NotEqual:
    case Op::Less:
    case Op::LessEqual:
    case Op::Greater:
    case Op::GreaterEqual:
      if (auto alternatives = comparison(node, negated)) return *std::move(alternatives);
      break;
    case Op::In: made = membership(node); break;
    case Op::Contains:
    case Op::ContainsAny: made = search(node); break;
    case Op::IsKnown:
    case Op::IsMissing:
      if (const auto cell = cell_of(node.a)) {
        made = known_test(*cell);
        made->negated = node.op == Op::IsMissing;
      }
      break;
    case Op::Field:
    case Op::Attribute:
      if (node.kind == Kind::Bool)
        if (const auto cell = cell_of(id)) made = range_test(*cell, Kind::Bool, 1, 1);
      break;
    default: break;
  }
  if (!made) {
    // Not truth_of(): that would ask again for the test that there is none.
    const auto place = truths_.find(id);
    std::uint32_t index = 0;
    if (place != truths_.end()) {
      index = place->second;
    } else {
      index = static_cast<std::uint32_t>(tables_.truths.size());
      tables_.truths.push_back({Truth::Kind::Leaf, 0, 0, id});
      truths_.emplace(id, index);
    }
    made.emplace();
    made->ask = Test::Ask::Truth;
    made->head = index;
  }
  made->negated = made->negated != negated;
  return {{*made}};
}

// A value against a constant of its kind.
std::optional<Splitter::Alternatives> Splitter::comparison(const Node& node, bool negated) {
  const bool constant_first = constant(node.a) != nullptr;
  const Value* bound = constant(constant_first ? node.a : node.b);
  if (!bound) return std::nullopt;
  const NodeId value = constant_first ? node.b : node.a;
  if (bound->is_missing()) return negated ? always : never;
  const Kind kind = plan_[value].kind;
  if (bound->kind() != kind) return std::nullopt;
  const auto cell = cell_of(value);
  if (!cell) return std::nullopt;
  const Op op = constant_first ? mirrored(node.op) : node.op;

  std::optional<Test> test;
  if (is_numeric(kind)) {
    const std::int64_t number = bound->raw();
    if ((op == Op::Less && number == lowest) || (op == Op::Greater && number == highest))
      return negated ? always : never;
    switch (op) {
      case Op::Less: test = range_test(*cell, kind, lowest, number - 1); break;
      case Op::LessEqual: test = range_test(*cell, kind, lowest, number); break;
      case Op::Greater: test = range_test(*cell, kind, number + 1, highest); break;
      case Op::GreaterEqual: test = range_test(*cell, kind, number, highest); break;
      default: test = range_test(*cell, kind, number, number);
    }
  } else if (op == Op::Equal || op == Op::NotEqual) {
    test = listed(*cell, kind, std::span(bound, 1));
  }
  if (!test) return std::nullopt;
  if (op != Op::NotEqual) {
    test->negated = negated;
    return Alternatives{{*test}};
  }
  // `a != 3` needs an a; `not (a != 3)` is met without one.
  Test known = known_test(*cell);
  if (!negated) {
    test->negated = true;
    return Alternatives{{known, *test}};
  }
  known.negated = true;
  return Alternatives{{known}, {*test}};
}

std::optional<Test> Splitter::membership(const Node& node) {
  const Value* list = constant(node.b);
  if (!list || list->kind() != Kind::List) return std::nullopt;
  const auto cell = cell_of(node.a);
  if (!cell) return std::nullopt;
  return listed(*cell, plan_[node.a].kind, list->as_list());
}

// Equal to one of the elements.
std::optional<Test> Splitter::listed(Cell cell, Kind kind, std::span<const Value> elements) {
  std::vector<Value> sorted(elements.begin(), elements.end());
  // What has another kind, or is missing, is equal to nothing that can come.
  std::erase_if(sorted, [&](const Value& element) { return element.kind() != kind; });
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  Test test;
  test.cell = cell;
  const bool is_short = std::all_of(sorted.begin(), sorted.end(), [](const Value& element) {
    return !owns_block(words_of(element));
  });
  if (is_short && sorted.size() == 1) {
    const Words words = words_of(sorted[0]);
    test.head = words.head;
    test.low = words.tail;
    return test;
  }
  test.low = sorted.size();
  if (is_short) {
    test.ask = Test::Ask::Short;
    test.head = tables_.keys.size();
    for (const Value& element : sorted) tables_.keys.push_back(words_of(element));
    std::sort(tables_.keys.end() - static_cast<std::ptrdiff_t>(sorted.size()), tables_.keys.end());
  } else {
    test.ask = Test::Ask::Listed;
    test.head = tables_.values.size();
    tables_.values.insert(tables_.values.end(), sorted.begin(), sorted.end());
  }
  return test;
}

// A text that contains another, or one of several.
std::optional<Test> Splitter::search(const Node& node) {
  const Value* parts = constant(node.b);
  if (!parts || plan_[node.a].kind != Kind::Text) return std::nullopt;
  const auto cell = cell_of(node.a);
  if (!cell) return std::nullopt;
  const std::span<const Value> wanted =
      node.op == Op::ContainsAny ? parts->as_list() : std::span(parts, 1);
  Test test;
  test.cell = *cell;
  test.ask = Test::Ask::Finds;
  test.head = tables_.patterns.size();
  for (const Value& part : wanted)
    if (part.kind() == Kind::Text) tables_.patterns.push_back(part);
  test.low = tables_.patterns.size() - test.head;
  return test;
}

}  // namespace koi::match
