// Effective: a campaign with all that decides about it, whether it says so itself, inherits it from
// the policy, or says nothing and gets what silence means.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "base/source.h"
#include "lang/ast.h"

namespace koi::check {

struct EffectiveClause {
  enum class From { Campaign, Policy, Silence };
  From from = From::Campaign;
  std::string text;  // one line, as it would be written
  SourceSpan span;   // where it stands; of Silence, the campaign's name
};

SourceSpan span_of(const lang::ast::CampaignClause& clause);
const lang::ast::PolicyDecl* find_policy(const std::vector<lang::ast::File>& files);

// In the order class, for, enter, hold out, goal, leave, budget, period, priority; behind them what
// the policy says of every message: consent, quiet hours, caps. What silence means is written in
// `language`. `policy` may be null.
std::vector<EffectiveClause> effective_clauses(const lang::ast::CampaignDecl& campaign,
                                               const lang::ast::PolicyDecl* policy,
                                               const std::vector<Source>& sources,
                                               Language language);

}  // namespace koi::check
