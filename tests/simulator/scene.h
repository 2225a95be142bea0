// Scene: what one seed fixes for good: the program, how everything is set, and what befalls it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "chance.h"
#include "controls.h"
#include "plan/plan.h"
#include "poison.h"
#include "program.h"
#include "ranking.h"
#include "restores.h"
#include "serve/engine.h"
#include "turns.h"

namespace koi::simulator {

struct Scene {
  const Program* program = nullptr;
  plan::Plan plan;  // the program's, or with a rule left out
  store::Groups groups;
  serve::Settings settings;
  std::uint64_t steps = 0;
  Timestamp begin;
  bool has_faults = false;    // reads, writes and syncs may fail
  bool loses_states = false;  // a crash may bring back an older state of the customers

  Scene(Chance& chance, Control control, bool about_money);
};

// Letters between groups that compete: how they fare.
class Letters {
 public:
  explicit Letters(Chance chance) : chance_(chance), lost_(chance_.between(0, 90)) {}
  // Is this one brought?
  bool arrives() { return !chance_.percent(lost_); }
  // Are all that are on their way brought again now?
  bool come_again() { return chance_.one_in(10); }

 private:
  Chance chance_;
  std::uint64_t lost_;  // of a hundred
};

// What befalls it, each by chances of its own, so that the other seeds tell the story that they
// told without it. Letters fare as they do where several groups serve those who compete;
std::optional<Letters> letters_of(std::uint64_t seed, Scene& scene, bool over_groups);
// in one seed of three something crashes;
Poison poison_of(std::uint64_t seed);
// in one of two over groups whose customers do not compete, they turn out to be one another's;
bool meets_over_groups(std::uint64_t seed, const Scene& scene);
// in one of four the rules take turns;
std::optional<Turns> turns_of(std::uint64_t seed, Scene& scene, const std::filesystem::path& folder,
                              Control control);
// in one of five the disk is lost, and a backup restored;
std::optional<Restores> restores_of(std::uint64_t seed);
// in one of two tiers are refreshed, where there are any.
std::optional<Ranking> ranking_of(std::uint64_t seed, const Scene& scene,
                                  const std::filesystem::path& folder);

}  // namespace koi::simulator
