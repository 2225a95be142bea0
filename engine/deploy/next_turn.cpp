#include "deploy/next_turn.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "deploy/meaning.h"
#include "deploy/migrate.h"

namespace koi::deploy {

Result<void> check_next(Plans& plans, const Deployment& deployment, Hash128 bundle,
                        const Ways& ways) {
  if (ways.moves_nobody() && ways.canary == 0) return {};
  if (deployment.turns.empty())
    return Error{"ways", "nothing is live here yet, so that nobody is under way"};
  const Turn& live = deployment.turns.back();
  KOI_LET(const plan::Plan* to, plans.of(bundle));
  KOI_LET(const plan::Plan* from, plans.of(live));
  KOI_TRY(check_ways(*from, *to, ways));
  if (ways.canary == 0) return {};
  if (live.ways.canary != 0 && live.bundle != bundle)
    return Error{"canary",
                 "a canary of other rules is live; promote it or roll it back before the next"};
  if (live.ways.canary == 0 && live.bundle == bundle)
    return Error{"canary", "these rules are live for everybody already"};
  KOI_LET(const plan::Plan* against, plans.of(against_of(live, bundle)));
  return check_canary(*against, *to);
}

Hash128 against_of(const Turn& live, Hash128 bundle) {
  return live.bundle == bundle ? live.against : live.bundle;
}

Result<std::vector<Kept>> to_keep(Plans& plans, const Turn& live, const Turn& next, bool goes_on,
                                  const std::function<Result<Census>()>& census) {
  KOI_LET(const plan::Plan* from, plans.of(live));
  KOI_LET(const plan::Plan* to, plans.of(next.bundle));
  std::set<std::pair<std::string, std::uint64_t>> others;
  if (next.ways.canary != 0) {
    KOI_LET(const plan::Plan* against, plans.of(next.against));
    for (const Former& each : former_for_others(*to, *against))
      others.emplace(each.campaign, each.version);
  }
  Meaning old_meaning(*from), meaning(*to);
  std::map<std::string_view, std::uint64_t> versions;
  for (const plan::Campaign& campaign : to->campaigns)
    versions.emplace(campaign.symbol.name, meaning.version_of(campaign));
  std::map<plan::CampaignId, Kept> candidates;
  for (std::size_t i = 0; i < from->campaigns.size(); ++i) {
    const plan::Campaign& campaign = from->campaigns[i];
    Kept kept{live.bundle, campaign.symbol.name, old_meaning.version_of(campaign)};
    const auto now_called = versions.find(campaign.symbol.name);
    if (now_called != versions.end() && now_called->second == kept.version) continue;
    if (others.contains(std::pair(kept.campaign, kept.version))) continue;
    // What a canary had left to the others is of the rules before it.
    if (campaign.closed && plan::takes_entries(campaign)) kept.bundle = live.against;
    for (const Kept& each : live.kept)
      if (campaign.closed && each.campaign == kept.campaign && each.version == kept.version)
        kept.bundle = each.bundle;
    candidates.emplace(plan::CampaignId::of(i), std::move(kept));
  }
  if (candidates.empty()) return std::vector<Kept>();
  KOI_LET(const Census counted, census());
  const std::vector<std::string>& stop = next.ways.stop;
  std::vector<Kept> keep;
  for (auto& [id, kept] : candidates) {
    UnderWay there = counted[id.index()];
    const plan::Campaign& campaign = from->campaigns[id.index()];
    const bool may_come = goes_on && plan::takes_entries(campaign);
    const bool is_stopped = std::find(stop.begin(), stop.end(), kept.campaign) != stop.end();
    // Of those who are stopped a goal or a receipt may be left.
    if (is_stopped && !may_come && !(campaign.goal && campaign.goal->within)) there.journeys = 0;
    if (may_come || there.is_needed()) keep.push_back(std::move(kept));
  }
  return keep;
}

}  // namespace koi::deploy
