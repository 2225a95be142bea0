// Reachable: the expressions that an expression is made of.
#pragma once

#include <set>
#include <vector>

#include "check/program.h"

namespace koi::check {

// Each of them once, the expression itself first, operands from left to right. `visit` is given an
// expression and says whether to go into it.
template <class Visit>
void for_each_reachable(const Program& program, ExpressionId root, Visit visit) {
  std::vector<ExpressionId> stack{root};
  std::set<ExpressionId> seen;
  while (!stack.empty()) {
    const ExpressionId id = stack.back();
    stack.pop_back();
    if (id.is_none() || !seen.insert(id).second) continue;
    const Expression& expression = program[id];
    if (!visit(expression)) continue;
    for (auto part = expression.parts.rbegin(); part != expression.parts.rend(); ++part)
      stack.push_back(part->value);
    stack.push_back(expression.b);
    stack.push_back(expression.a);
  }
}

}  // namespace koi::check
