// Experiments: the arms of splits that have names, counted, and how sure one can be that they
// differ.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/list.h"
#include "core/effect.h"
#include "plan/plan.h"

namespace koi::runtime {

// Customers are what is compared: the entries of one customer all take the same arm.
struct ArmFigures {
  std::uint64_t entries = 0;
  std::uint64_t customers = 0;  // that were in it at least once
  std::uint64_t reached = 0;    // of them those who reached the goal afterwards, at least once
};

// An arm that one customer has taken.
struct ArmTaken {
  plan::CampaignId campaign;
  plan::ArmId arm;
  bool reached = false;
};

// By campaign and arm, as in the plan.
class Experiments {
 public:
  // `taken` is the customer's, empty at first.
  void count(const core::Effect& effect, List<ArmTaken>& taken);
  void add(const Experiments& other);
  ArmFigures of(plan::CampaignId campaign, plan::ArmId arm) const;

 private:
  ArmFigures& at(plan::CampaignId campaign, plan::ArmId arm);
  std::vector<std::vector<ArmFigures>> figures_;
};

// How likely differences as large as these are where the arms do the same: seldomer than once in
// twenty, hundred, thousand times. Pearson's chi-squared test over all arms; TooFew where an
// expected number is below five, for which the test does not hold.
enum class Certainty : std::uint8_t { TooFew, None, P05, P01, P001 };
Certainty certainty_of(std::span<const ArmFigures> arms);

// One split with names, to be told.
struct Experiment {
  struct Arm {
    std::string name;
    ArmFigures figures;
  };
  plan::CampaignId campaign;
  bool has_goal = false;
  std::vector<Arm> arms;
  Certainty certainty = Certainty::TooFew;
};
std::vector<Experiment> experiments_of(const plan::Plan& plan, const Experiments& counted);

}  // namespace koi::runtime
