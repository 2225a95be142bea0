#include "check/check.h"

#include "check/detail/checker.h"

namespace koi::check {

Checked Checker::run() {
  collect();
  // The policy's currency and zone are needed to read every literal, the schema to read every name.
  policy();
  metric_ids_.resize(metrics_.size());
  let_ids_.resize(lets_.size());
  sent_.resize(contents_.size());
  program_.segments.resize(segments_.size());
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const auto& decl = *segments_[i];
    program_.segments[i].symbol = {decl.name.text, decl.alias ? decl.alias->text : std::string()};
    program_.segments[i].span = decl.name.span;
  }
  for (const auto* decl : contents_)
    program_.contents.push_back({decl->name.text, decl->alias ? decl->alias->text : std::string()});
  events();
  customer();
  channels();
  order_definitions();
  customer_sets();
  campaigns();
  contents();
  tests();
  refuse_declarations();
  program_.schema.index();
  sort_and_unique(diagnostics_);
  return {std::move(program_), std::move(diagnostics_)};
}

Checked check(const std::vector<lang::ast::File>& files, Language language) {
  return Checker(files, language).run();
}

}  // namespace koi::check
