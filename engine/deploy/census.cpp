#include "deploy/census.h"

#include "core/codec.h"
#include "deploy/rebuild.h"

namespace koi::deploy {

namespace {

constexpr std::size_t customers_at_once = 1024;

void count(const plan::Plan& plan, const core::State& state, Timestamp now, Census& census) {
  for (const core::Journey& journey : state.journeys) {
    UnderWay& at = census[journey.campaign.index()];
    if (journey.phase != core::Journey::Phase::Ended) {
      ++at.journeys;
      ++(journey.phase == core::Journey::Phase::Forming ? at.forming : at.standing[journey.pc]);
    } else if (!journey.goal_reached && journey.goal_until >= now - plan.policy.lateness) {
      ++at.goals;
    }
  }
  for (const core::OpenSend& open : state.open) ++census[open.campaign.index()].receipts;
}

}  // namespace

Result<Census> take_census(const store::Store& store, store::Groups groups, const plan::Plan& plan,
                           Timestamp now, bool at_once) {
  std::vector<Census> parts(groups.count, Census(plan.campaigns.size()));
  const auto count_group = [&](store::Group group) -> Result<void> {
    core::Codec codec(plan);
    KOI_LET(const auto layouts, store.layouts(group));
    for (const std::string& layout : layouts) KOI_TRY(codec.learn(layout));
    for (std::size_t partition = group; partition < partition_count; partition += groups.count) {
      std::string after;
      for (;;) {
        KOI_LET(const auto piece,
                store.scan(static_cast<Partition>(partition), after, customers_at_once));
        for (const store::Saved& saved : piece) {
          KOI_LET(const core::State state, codec.decode(saved.bytes));
          count(plan, state, now, parts[group]);
        }
        if (piece.size() < customers_at_once) break;
        after = piece.back().customer;
      }
    }
    return {};
  };
  KOI_TRY(for_each_group(groups, at_once, count_group));
  Census all(plan.campaigns.size());
  for (const Census& part : parts)
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].journeys += part[i].journeys;
      all[i].goals += part[i].goals;
      all[i].receipts += part[i].receipts;
      all[i].forming += part[i].forming;
      for (const auto& [step, count] : part[i].standing) all[i].standing[step] += count;
    }
  return all;
}

}  // namespace koi::deploy
