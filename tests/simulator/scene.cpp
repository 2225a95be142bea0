#include "scene.h"

#include <array>

#include "base/hash.h"

namespace koi::simulator {

Scene::Scene(Chance& chance, Control control, bool about_money)
    : program(about_money ? &program_of_money() : &chance.pick(programs())), plan(program->plan) {
  groups.count = about_money ? 1 : static_cast<std::uint16_t>(chance.between(1, 3));
  if (control == Control::BudgetsUnchecked)
    for (plan::Budget& budget : plan.budgets) budget.amount = plan::unlimited;
  durable::Settings& writers = settings.writers;
  static constexpr std::array<std::uint64_t, 3> budgets{24u << 10, 100u << 10, 64u << 20};
  writers.budget = chance.pick(budgets);
  writers.longest_batch = chance.between(1, 12);
  writers.longest_queue = chance.between(4, 40);
  writers.most_batches = chance.between(1, 4);
  writers.timers_at_once =
      static_cast<std::uint32_t>(chance.one_in(2) ? chance.between(1, 3) : 1000);
  writers.recovers_at_once = false;
  runtime::OutboxSettings& outbox = settings.outbox;
  outbox.seed = chance.next();
  outbox.give_up_after = chance.one_in(2) ? days(3) : hours(2);
  outbox.ask_for = chance.one_in(2) ? days(1) : minutes(30);
  outbox.failures_to_open = static_cast<std::uint32_t>(chance.between(1, 5));
  steps = chance.between(60, 360);
  begin = {1'772'400'000'000'000 +
           static_cast<std::int64_t>(chance.below(static_cast<std::uint64_t>(days(60).us)))};
  has_faults = chance.one_in(3);
  loses_states = chance.one_in(4);
  using Rule = runtime::OutboxSettings::Rule;
  switch (control) {
    case Control::AskFirst: outbox.left_out = Rule::AskFirst; break;
    case Control::NeverTwice: outbox.left_out = Rule::NeverTwice; break;
    case Control::RecordFirst: outbox.left_out = Rule::RecordFirst; break;
    case Control::NotAfter: outbox.left_out = Rule::NotAfter; break;
    case Control::Wanted: outbox.left_out = Rule::Wanted; break;
    default: break;
  }
}

std::optional<Letters> letters_of(std::uint64_t seed, Scene& scene, bool over_groups) {
  Chance chance(hash64("letters", seed));
  if (!over_groups || !scene.plan.has_competition()) return std::nullopt;
  scene.groups.count = static_cast<std::uint16_t>(chance.between(2, 3));
  return Letters(chance);
}

bool meets_over_groups(std::uint64_t seed, const Scene& scene) {
  Chance chance(hash64("meets", seed));
  return scene.groups.count > 1 && chance.one_in(2);
}

Poison poison_of(std::uint64_t seed) {
  Chance chance(hash64("poison", seed));
  const std::uint64_t rate = chance.one_in(3) ? chance.between(10, 200) : 0;
  return Poison(chance, rate);
}

std::optional<Turns> turns_of(std::uint64_t seed, Scene& scene, const std::filesystem::path& folder,
                              Control control) {
  Chance chance(hash64("deploys", seed));
  if (!chance.one_in(4) || control == Control::BudgetsUnchecked) return std::nullopt;
  scene.loses_states = false;  // what a deploy has carried over is never lost
  return std::optional<Turns>(std::in_place, chance, *scene.program, folder, control);
}

std::optional<Restores> restores_of(std::uint64_t seed) {
  Chance chance(hash64("restores", seed));
  return chance.one_in(5) ? std::optional(Restores(chance)) : std::nullopt;
}

std::optional<Ranking> ranking_of(std::uint64_t seed, const Scene& scene,
                                  const std::filesystem::path& folder) {
  Chance chance(hash64("ranks", seed));
  if (scene.plan.tiers.empty() || !chance.one_in(2)) return std::nullopt;
  return Ranking(chance, folder / "ranks");
}

}  // namespace koi::simulator
