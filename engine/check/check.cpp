#include "check/check.h"

#include <algorithm>

#include "check/detail/checker.h"

namespace koi::check {
namespace {

constexpr std::size_t most_metrics = 60'000;  // with those that stand in conditions

}  // namespace

// Numbers in a plan have sixteen bits. A program that is larger than this is no marketer's.
bool Checker::within_limits() {
  constexpr std::size_t most = 20'000;
  bool ok = true;
  const auto at_most = [&](std::size_t count, SourceSpan span, const char* english,
                           const char* chinese) {
    if (count <= most) return;
    report(Code::TooMany, span, {say(english, chinese), std::to_string(most)});
    ok = false;
  };
  const auto each = [&](const auto& list, const char* english, const char* chinese) {
    if (!list.empty()) at_most(list.size(), list.back()->span, english, chinese);
  };
  each(events_, "events", "事件");
  each(metrics_, "metrics", "指标");
  each(segments_, "segments", "人群");
  each(contents_, "contents", "内容");
  each(channels_, "channels", "渠道");
  each(campaigns_, "campaigns", "活动");
  each(tiers_, "tiers", "等级");
  at_most(program_.incentives.size() + program_.referrals.size(),
          program_.incentives.empty() ? SourceSpan{} : program_.incentives.back().span,
          "incentives", "权益");
  for (const auto* event : events_)
    at_most(event->fields.size(), event->name.span, "fields", "字段");
  if (customer_ != nullptr) {
    std::size_t identifiers = 0;
    for (const auto& item : customer_->items)
      if (const auto* identify = std::get_if<ast::IdentifyBy>(&item))
        identifiers += identify->names.size();
    at_most(customer_->items.size() + identifiers, customer_->span, "attributes", "属性");
  }
  std::size_t triggers = 0;
  for (const auto* campaign : campaigns_) {
    for (const auto& group : campaign->groups) triggers += group.triggers.size();
    at_most(triggers, campaign->name.span, "triggers", "触发条件");
    if (!ok) break;
  }
  return ok;
}

Checked Checker::run() {
  collect();
  if (!within_limits()) {
    sort_and_unique(diagnostics_);
    return {std::move(program_), std::move(diagnostics_)};
  }
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
  declare_tiers();
  audiences();
  channels();
  order_definitions();
  customer_sets();
  tiers();
  incentives();
  campaigns();
  contents();
  if (!only_) {
    privacy();
    marketing_without_consent();
    two_on_one_event();
    levels();
  }
  tests();
  declared_names();
  if (program_.metrics.size() > most_metrics)
    report(Code::TooMany, program_.metrics.back().span,
           {say("metrics", "指标"), std::to_string(most_metrics)});
  program_.schema.index();
  sort_and_unique(diagnostics_);
  return {std::move(program_), std::move(diagnostics_)};
}

Checked check(const std::vector<lang::ast::File>& files, Language language, std::vector<Use>* uses,
              const ReadBeside& read) {
  Checked checked = Checker(files, language, uses, read).run();
  if (uses != nullptr) {
    std::sort(uses->begin(), uses->end());
    uses->erase(std::unique(uses->begin(), uses->end()), uses->end());
  }
  return checked;
}

std::vector<Diagnostic> check_one(const std::vector<lang::ast::File>& files, std::uint32_t source,
                                  Language language, const ReadBeside& read) {
  Checked checked = Checker(files, language, nullptr, read, source).run();
  std::erase_if(checked.diagnostics,
                [&](const Diagnostic& each) { return each.span.source != source; });
  return std::move(checked.diagnostics);
}

}  // namespace koi::check
