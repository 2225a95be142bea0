// Migrate: where those who are under way in a former version of a campaign go on in another one, by
// the names of its steps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/state.h"
#include "deploy/census.h"
#include "deploy/deployment.h"
#include "deploy/detail/value_map.h"
#include "plan/plan.h"

namespace koi::deploy {

// A message that goes on by other places of its channels has its next attempts named by an
// occurrence that is so much later: by one that no other message of the journey comes to.
constexpr std::uint16_t occurrences_apart = 0x1000;

// The names of a campaign's steps, by their place; a step that nobody sees has none. It is what the
// step does and to what (`send hello`, `wait for order`), a wait's is what it comes after (`wait
// after send hello`), and the second of a name is `… #2`. How long a wait is, and what a message
// says, is no part of it: so a campaign that was mended keeps its names.
std::vector<std::string> step_names(const plan::Plan& plan, const plan::Campaign& campaign);

// From one version of a campaign to another.
class Migration {
 public:
  // Steps go to those of the same name, or where `steps` says. Both plans must outlive it. Error
  // "migrate", in a sentence: `steps` names a step that is not there, or that nobody can stand at;
  // or one that is gone on from needs a value that the former version did not keep.
  static Result<Migration> make(const plan::Plan& from, plan::CampaignId former,
                                const plan::Plan& to, plan::CampaignId version,
                                const std::vector<StepMove>& steps);

  // Where those who stand at that step of the former version go on; none: they stay with it.
  std::optional<std::uint16_t> target_of(std::uint16_t step) const { return steps_[step]; }

  // Brings a journey of the former version over, if it can be; `now` is the deploy's instant. Who
  // is at the parts of a trigger goes along where the version has the same trigger, and what is
  // kept for its goal alone where the version has one that may still be reached. A deadline that a
  // shorter wait has moved into the past is now.
  bool move(core::Journey& journey, const core::State& state, Timestamp now) const;
  // The same of a message whose receipt is open: where the step has its counterpart, which sends on
  // that channel too.
  bool move(core::OpenSend& open) const;

 private:
  struct SlotFrom {
    std::optional<std::uint16_t> slot;  // none: not kept by the former version
    ValueMap values;
  };
  Migration(const plan::Plan& from, plan::CampaignId former, const plan::Plan& to,
            plan::CampaignId version);
  void map_slots();
  void map_triggers();
  Result<void> map_steps(const std::vector<StepMove>& moves);
  Result<void> check(std::uint16_t target) const;
  const plan::Campaign& former() const { return from_.campaigns[former_.index()]; }
  const plan::Campaign& version() const { return to_.campaigns[version_.index()]; }
  List<Value> frame_of(const List<Value>& former) const;
  Timestamp goal_until(const core::Journey& moved, const Zone& zone) const;
  Timestamp due_at(const core::Journey& moved, std::uint16_t came_from, const core::State& state,
                   Timestamp now) const;

  const plan::Plan& from_;
  const plan::Plan& to_;
  plan::CampaignId former_, version_;
  std::vector<std::optional<std::uint16_t>> steps_;     // by the former's step
  std::vector<std::optional<std::uint16_t>> triggers_;  // by the former's trigger
  std::vector<SlotFrom> frame_;                         // by the version's slot
};

// Whether the ways fit to the plans: those that are live and the wanted ones. Errors "migrate" and
// "stop".
Result<void> check_ways(const plan::Plan& from, const plan::Plan& to, const Ways& ways);

// What they will do to those whom the census of the live plan has counted, as lines for people.
std::string told(const plan::Plan& from, const plan::Plan& to, const Ways& ways,
                 const Census& census);

}  // namespace koi::deploy
