#include "check/effective.h"

#include <array>

namespace koi::check {
namespace {

namespace ast = lang::ast;

struct Silence {
  const char* english;
  const char* chinese;
};
// What no clause means, by the clause's place in the variant; null where it means nothing at all.
constexpr std::array silences{
    Silence{nullptr, nullptr},            // class: must be said
    Silence{nullptr, nullptr},            // for: everybody
    Silence{"enter once", "进入 一次"},   // enter
    Silence{"hold out 0%", "对照 0%"},    // hold out
    Silence{nullptr, nullptr},            // goal
    Silence{nullptr, nullptr},            // leave
    Silence{nullptr, nullptr},            // budget
    Silence{nullptr, nullptr},            // from … to …
    Silence{"priority 50", "优先级 50"},  // priority
};
static_assert(silences.size() == std::variant_size_v<ast::CampaignClause>);

// The text of a span on one line: runs of blanks and line ends become one blank.
std::string on_one_line(SourceSpan span, const std::vector<Source>& sources) {
  std::string out;
  if (span.source >= sources.size()) return out;
  bool blank = false;
  for (const char c : sources[span.source].slice(span)) {
    const bool is_blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!is_blank && blank && !out.empty()) out += ' ';
    if (!is_blank) out += c;
    blank = is_blank;
  }
  return out;
}

}  // namespace

SourceSpan span_of(const ast::CampaignClause& clause) {
  return std::visit([](const auto& each) { return each.span; }, clause);
}

const ast::PolicyDecl* find_policy(const std::vector<ast::File>& files) {
  for (const auto& file : files)
    for (const auto& declaration : file.declarations)
      if (const auto* policy = std::get_if<ast::PolicyDecl>(&declaration)) return policy;
  return nullptr;
}

std::vector<EffectiveClause> effective_clauses(const ast::CampaignDecl& campaign,
                                               const ast::PolicyDecl* policy,
                                               const std::vector<Source>& sources,
                                               Language language) {
  using From = EffectiveClause::From;
  std::vector<EffectiveClause> out;
  const auto add = [&](From from, SourceSpan span) {
    out.push_back({from, on_one_line(span, sources), span});
  };
  for (std::size_t place = 0; place < silences.size(); ++place) {
    const std::size_t before = out.size();
    for (const auto& clause : campaign.clauses)
      if (clause.index() == place) add(From::Campaign, span_of(clause));
    if (out.size() == before && policy != nullptr) {
      for (const auto& item : policy->clauses) {
        const auto* inherited = std::get_if<ast::PolicyCampaigns>(&item);
        if (inherited == nullptr) continue;
        for (const auto& clause : inherited->clauses)
          if (clause.index() == place) add(From::Policy, span_of(clause));
      }
    }
    const Silence& silence = silences[place];
    if (out.size() == before && silence.english != nullptr)
      out.push_back({From::Silence,
                     language == Language::Chinese ? silence.chinese : silence.english,
                     campaign.name.span});
  }
  if (policy == nullptr) return out;
  for (const auto& item : policy->clauses) {
    if (const auto* consent = std::get_if<ast::PolicyConsent>(&item))
      add(From::Policy, consent->span);
    else if (const auto* quiet = std::get_if<ast::PolicyQuietHours>(&item))
      add(From::Policy, quiet->span);
    else if (const auto* cap = std::get_if<ast::PolicyCap>(&item))
      add(From::Policy, cap->span);
  }
  return out;
}

}  // namespace koi::check
