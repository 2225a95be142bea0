#include "compile/compile.h"

#include "compile/detail/compiler.h"

namespace koi::compile {

plan::Plan Compiler::run(std::uint64_t seed) {
  plan_.seed = seed;
  plan_.schema = program_.schema;
  plan_.contents = program_.contents;
  plan_.teams = program_.teams;
  plan_.webhooks = program_.webhooks;
  lowered_.resize(program_.expressions.size());
  metric_ids_.resize(program_.metrics.size());
  policy();
  incentives();
  // Declared metrics keep their figures whether something reads them or not.
  for (std::size_t i = 0; i < program_.metrics.size(); ++i)
    if (!program_.metrics[i].symbol.name.empty()) metric(check::MetricId::of(i));
  channels();
  segments();
  tiers();
  audiences();
  messages();
  incentive_texts();
  campaigns();
  index();
  name_logs();
  plan_.schema.index();
  return std::move(plan_);
}

plan::Plan compile(const check::Program& program, std::uint64_t seed, Places* places) {
  Places nobodys;
  return Compiler(program, places != nullptr ? *places : nobodys).run(seed);
}

}  // namespace koi::compile
