// Simulation: a whole deployment in one process, from one seed. The engine is the real one, from
// the door to the outbox, with journal and states in SQLite; disk, clock, network, clients and
// providers are simulated, and the seed says what happens next. Afterwards, and after every crash,
// the promises are checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "controls.h"

namespace koi::simulator {

struct Run {
  std::uint64_t seed = 0;
  Control control = Control::None;
  // A folder of its own, where nothing but a lock is written.
  std::filesystem::path folder;
  std::function<void(std::string_view)> print;  // what happens; may be empty
  bool about_money = false;  // a world that gives: budgets, packets, codes, friends, payments …
  bool over_groups = false;  // … in which two or three groups serve those who compete
};

struct Outcome {
  std::optional<std::string> broken;  // the first promise that did not hold
  std::uint64_t hash = 0;             // of all that happened
  // What there was, for reports.
  std::uint64_t steps = 0, lives = 0, power_cuts = 0, events = 0, inputs = 0, sends = 0,
                attempts = 0, delivered = 0, crashes = 0, deploys = 0, built = 0, restores = 0;
};

Outcome simulate(const Run& run);

}  // namespace koi::simulator
