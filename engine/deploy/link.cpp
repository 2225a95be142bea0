#include "deploy/link.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "compile/index.h"
#include "deploy/detail/bringing.h"
#include "deploy/meaning.h"

namespace koi::deploy {

Result<plan::Plan> link(plan::Plan rules, std::span<const Former> former) {
  for (const Former& each : former) {
    Meaning meaning(each.rules);
    const auto found = std::find_if(
        each.rules.campaigns.begin(), each.rules.campaigns.end(),
        [&](const plan::Campaign& campaign) { return campaign.symbol.name == each.campaign; });
    if (found == each.rules.campaigns.end() || meaning.version_of(*found) != each.version)
      return Error{"corrupt", "deployment.json keeps a version of campaign `" + each.campaign +
                                  "` that its bundle has not"};
    Bringing bringing(each.rules, rules, Bringing::Clash::Missing);
    plan::Campaign closed = bringing.campaign(*found, each.version);
    KOI_ASSERT(rules.campaigns.size() < 0xffff);
    rules.campaigns.push_back(std::move(closed));
  }
  std::stable_sort(
      rules.campaigns.begin(), rules.campaigns.end(),
      [](const plan::Campaign& a, const plan::Campaign& b) {
        return std::tuple(-a.priority, std::string_view(a.symbol.name), a.closed, a.version) <
               std::tuple(-b.priority, std::string_view(b.symbol.name), b.closed, b.version);
      });
  std::map<std::string, std::vector<plan::CampaignId>> versions;
  for (std::size_t i = 0; i < rules.campaigns.size(); ++i)
    versions[rules.campaigns[i].symbol.name].push_back(plan::CampaignId::of(i));
  for (const auto& [name, ids] : versions) {
    if (ids.size() == 1) continue;
    // The open one where there is one: it goes on when the others are over.
    const auto open = std::find_if(ids.begin(), ids.end(), [&](plan::CampaignId id) {
      return !rules.campaigns[id.index()].closed;
    });
    const plan::CampaignId book = open == ids.end() ? ids.front() : *open;
    for (const plan::CampaignId id : ids) {
      plan::Campaign& campaign = rules.campaigns[id.index()];
      campaign.entries = book;
      for (const plan::CampaignId other : ids)
        if (other != id) campaign.others.push_back(other);
    }
  }
  rules.schema.index();
  compile::index_conditions(rules);
  return rules;
}

Result<const plan::Plan*> Plans::of(Hash128 bundle) {
  const auto known = plans_.find(bundle);
  if (known != plans_.end()) return static_cast<const plan::Plan*>(&known->second);
  KOI_LET(const Bundle read, bundles_.read(bundle));
  auto compiled = compile(read);
  if (!compiled)
    return Error{compiled.error().code,
                 compiled.error().what +
                     "\nthe data was decided by it and cannot be read without it; deploy with the "
                     "version of Koi that it was live under"};
  plan::Plan plan = *std::move(compiled);
  return static_cast<const plan::Plan*>(&plans_.emplace(bundle, std::move(plan)).first->second);
}

Result<const plan::Plan*> Plans::of(const Turn& turn) {
  const Hash128 name = name_of(turn);
  const auto known = plans_.find(name);
  if (known != plans_.end()) return static_cast<const plan::Plan*>(&known->second);
  KOI_LET(const plan::Plan* own, of(turn.bundle));
  if (turn.kept.empty()) return own;
  std::vector<Former> former;
  for (const Kept& each : turn.kept) {
    KOI_LET(const plan::Plan* rules, of(each.bundle));
    former.push_back({*rules, each.campaign, each.version});
  }
  KOI_LET(plan::Plan linked, link(*own, former));
  return static_cast<const plan::Plan*>(&plans_.emplace(name, std::move(linked)).first->second);
}

}  // namespace koi::deploy
