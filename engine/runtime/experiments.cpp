#include "runtime/experiments.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace koi::runtime {

void Experiments::count(const core::Effect& effect, List<ArmTaken>& taken) {
  const auto find = [&](plan::ArmId arm) {
    return std::find_if(taken.begin(), taken.end(), [&](const ArmTaken& each) {
      return each.campaign == effect.campaign && each.arm == arm;
    });
  };
  if (effect.action == core::Action::Split) {
    ArmFigures& figures = at(effect.campaign, effect.arm);
    ++figures.entries;
    if (find(effect.arm) != taken.end()) return;
    taken.push_back({effect.campaign, effect.arm});
    ++figures.customers;
  } else if (effect.action == core::Action::Goal) {
    for (const plan::ArmId arm : effect.arms) {
      const auto found = find(arm);
      if (found == taken.end() || found->reached) continue;
      found->reached = true;
      ++at(effect.campaign, arm).reached;
    }
  }
}

void Experiments::add(const Experiments& other) {
  for (std::size_t i = 0; i < other.figures_.size(); ++i)
    for (std::size_t j = 0; j < other.figures_[i].size(); ++j) {
      ArmFigures& to = at(plan::CampaignId::of(i), plan::ArmId::of(j));
      const ArmFigures& from = other.figures_[i][j];
      to.entries += from.entries;
      to.customers += from.customers;
      to.reached += from.reached;
    }
}

ArmFigures Experiments::of(plan::CampaignId campaign, plan::ArmId arm) const {
  if (campaign.index() >= figures_.size()) return {};
  const auto& arms = figures_[campaign.index()];
  return arm.index() < arms.size() ? arms[arm.index()] : ArmFigures{};
}

ArmFigures& Experiments::at(plan::CampaignId campaign, plan::ArmId arm) {
  if (figures_.size() <= campaign.index()) figures_.resize(campaign.index() + 1);
  auto& arms = figures_[campaign.index()];
  if (arms.size() <= arm.index()) arms.resize(arm.index() + 1);
  return arms[arm.index()];
}

namespace {

// The value that chi-squared exceeds with that probability. Two degrees are exact (-2 ln p); above
// them Wilson and Hilferty's approximation by the normal quantile z, good to half a percent.
double critical(std::size_t degrees, double exact_one, double exact_two, double z) {
  if (degrees == 1) return exact_one;
  if (degrees == 2) return exact_two;
  const double part = 2.0 / (9.0 * static_cast<double>(degrees));
  const double root = 1.0 - part + z * std::sqrt(part);
  return static_cast<double>(degrees) * root * root * root;
}

}  // namespace

Certainty certainty_of(std::span<const ArmFigures> arms) {
  constexpr double expected_at_least = 5.0;
  double customers = 0, reached = 0;
  for (const ArmFigures& arm : arms) {
    customers += static_cast<double>(arm.customers);
    reached += static_cast<double>(arm.reached);
  }
  if (arms.size() < 2 || customers == 0) return Certainty::TooFew;
  double squared = 0;
  for (const ArmFigures& arm : arms) {
    const auto of_arm = static_cast<double>(arm.customers);
    const double expected = of_arm * reached / customers, others = of_arm - expected;
    if (expected < expected_at_least || others < expected_at_least) return Certainty::TooFew;
    const double off = static_cast<double>(arm.reached) - expected;
    squared += off * off / expected + off * off / others;
  }
  const std::size_t degrees = arms.size() - 1;
  if (squared > critical(degrees, 10.828, 13.816, 3.0902)) return Certainty::P001;
  if (squared > critical(degrees, 6.635, 9.210, 2.3263)) return Certainty::P01;
  if (squared > critical(degrees, 3.841, 5.991, 1.6449)) return Certainty::P05;
  return Certainty::None;
}

std::vector<Experiment> experiments_of(const plan::Plan& plan, const Experiments& counted) {
  std::vector<Experiment> all;
  for (std::size_t i = 0; i < plan.campaigns.size(); ++i) {
    const plan::Campaign& campaign = plan.campaigns[i];
    const auto id = plan::CampaignId::of(i);
    for (std::size_t first = 0; first < campaign.arms.size();) {
      Experiment experiment{id, campaign.goal.has_value(), {}, Certainty::TooFew};
      std::vector<ArmFigures> figures;
      std::size_t at = first;
      for (; at < campaign.arms.size() && campaign.arms[at].split == campaign.arms[first].split;
           ++at) {
        figures.push_back(counted.of(id, plan::ArmId::of(at)));
        experiment.arms.push_back({campaign.arms[at].name, figures.back()});
      }
      experiment.certainty = certainty_of(figures);
      all.push_back(std::move(experiment));
      first = at;
    }
  }
  return all;
}

}  // namespace koi::runtime
