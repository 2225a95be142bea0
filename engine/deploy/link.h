// Link: the rules of a bundle with the campaigns that earlier bundles had otherwise and that
// customers are still under way in, as closed campaigns beside their own. One plan decides for all.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "deploy/bundles.h"
#include "deploy/deployment.h"
#include "plan/plan.h"

namespace koi::deploy {

// A campaign as an earlier bundle had it.
struct Former {
  const plan::Plan& rules;  // of that bundle, nothing linked to them
  std::string campaign;     // by its name
  std::uint64_t version;    // Meaning::version_of
};

// A canary: whose campaigns are new for whom.
struct Canary {
  std::uint64_t drawn_by;  // plan::Plan::canary
  std::uint32_t millionths;
  const plan::Plan& against;  // whose campaigns all others have; nothing linked to them
};
// Its campaigns that `rules` have otherwise, or not at all: they go on, for all others.
std::vector<Former> former_for_others(const plan::Plan& rules, const plan::Plan& against);

// Whether the campaigns of `against` can go on under `rules` for some: what they name is declared
// there still. Error "canary", which names what is not.
Result<void> check_canary(const plan::Plan& against, const plan::Plan& rules);

// `rules` with these. Closed campaigns stand where their priority and name say, behind the open one
// of that name; consent, caps and quiet hours are those of `rules`. In a canary, campaigns that
// `rules` have as they were take everybody's entries, those that they have anew their share's, and
// those of former_for_others(), which stand as the closed ones do, all others'. Error "corrupt"
// where `former` names a campaign that its rules have not, or have otherwise.
Result<plan::Plan> link(plan::Plan rules, std::span<const Former> former,
                        const std::optional<Canary>& canary = std::nullopt);

// The plans of a deployment's turns, each compiled and linked once.
class Plans {
 public:
  explicit Plans(const Bundles& bundles) : bundles_(bundles) {}  // must outlive it
  // What it gives stays where it is. Errors: "rules" where this version of Koi cannot read a bundle
  // any more, and those of Bundles::read and link().
  Result<const plan::Plan*> of(Hash128 bundle);  // nothing linked
  Result<const plan::Plan*> of(const Turn& turn);
  const std::map<Hash128, plan::Plan>& all() const { return plans_; }  // by name_of(turn)

 private:
  const Bundles& bundles_;
  std::map<Hash128, plan::Plan> plans_;
};

}  // namespace koi::deploy
