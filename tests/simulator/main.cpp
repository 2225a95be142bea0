// koi-sim: simulated deployments, a seed each. With one seed it tells what happens; with several it
// counts, and names the seeds that break a promise.

#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/scratch.h"
#include "program.h"
#include "simulation.h"

namespace {

using namespace koi::simulator;

constexpr const char* usage =
    "koi-sim [--seed N] [--seeds K] [--about money|groups] [--control NAME] [--threads T]\n"
    "\n"
    "  --seed N        the first seed (1); alone, the story of that seed is told\n"
    "  --seeds K       so many, from the first one on\n"
    "  --about money   worlds that give: budgets, packets, codes, friends, payments\n"
    "  --about groups  the same, where two or three groups serve those who compete\n"
    "  --control NAME  with a rule left out: the promises should break\n"
    "  --threads T     at the same time (as many as there are cores)\n"
    "\n"
    "Rules that can be left out:";

struct Wanted {
  std::uint64_t first = 1, count = 0;
  Control control = Control::None;
  bool about_money = false, over_groups = false;
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
};

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "koi-sim: %s\n\n%s", why.c_str(), usage);
  for (const NamedControl& control : controls)
    if (control.control != Control::None)
      std::fprintf(stderr, " %s", std::string(control.name).c_str());
  std::fprintf(stderr, "\n");
  std::exit(2);
}

std::uint64_t number(const std::string& option, const char* text) {
  char* end = nullptr;
  const std::uint64_t number = text ? std::strtoull(text, &end, 10) : 0;
  if (!text || end == text || *end != '\0') give_up(option + " wants a number");
  return number;
}

Wanted read(int argc, char** argv) {
  Wanted wanted;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    const char* const value = argv[i + 1];
    if (option == "--seed") {
      wanted.first = number(option, value);
    } else if (option == "--seeds") {
      wanted.count = number(option, value);
    } else if (option == "--about") {
      const std::string about = value ? value : "";
      wanted.about_money = about == "money";
      wanted.over_groups = about == "groups";
      if (!wanted.about_money && !wanted.over_groups)
        give_up("there are worlds about money, and about groups");
    } else if (option == "--threads") {
      wanted.threads = static_cast<unsigned>(std::max<std::uint64_t>(1, number(option, value)));
    } else if (option == "--control") {
      const auto control = control_of(value ? value : "");
      if (!control) give_up("no such control: " + std::string(value ? value : "none was given"));
      wanted.control = *control;
    } else {
      give_up("no such option: " + option);
    }
  }
  return wanted;
}

int tell_one(const Wanted& wanted) {
  const koi::Scratch scratch;
  const Outcome outcome =
      simulate({wanted.first, wanted.control, scratch.path(),
                [](std::string_view line) {
                  std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
                },
                wanted.about_money, wanted.over_groups});
  std::printf("seed %" PRIu64 ": %s (%016" PRIx64 ")\n", wanted.first,
              outcome.broken ? outcome.broken->c_str() : "every promise held", outcome.hash);
  return outcome.broken ? 1 : 0;
}

int run_many(const Wanted& wanted) {
  programs();
  program_of_money();
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> next = 0;
  std::mutex mutex;
  Outcome all;
  std::uint64_t broken = 0;
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < wanted.threads; ++thread)
    threads.emplace_back([&] {
      const koi::Scratch scratch;
      for (std::uint64_t i = next++; i < wanted.count; i = next++) {
        const std::uint64_t seed = wanted.first + i;
        const Outcome outcome = simulate(
            {seed, wanted.control, scratch.path(), {}, wanted.about_money, wanted.over_groups});
        const std::lock_guard lock(mutex);
        all.hash ^= outcome.hash * (2 * i + 1);  // in whatever order they come
        all.steps += outcome.steps;
        all.lives += outcome.lives;
        all.power_cuts += outcome.power_cuts;
        all.events += outcome.events;
        all.inputs += outcome.inputs;
        all.sends += outcome.sends;
        all.attempts += outcome.attempts;
        all.delivered += outcome.delivered;
        all.crashes += outcome.crashes;
        all.deploys += outcome.deploys;
        all.built += outcome.built;
        all.restores += outcome.restores;
        if (!outcome.broken) continue;
        ++broken;
        std::printf("seed %" PRIu64 ": %s\n", seed, outcome.broken->c_str());
      }
    });
  for (std::thread& thread : threads) thread.join();
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%" PRIu64 " seeds in %.1f s: %" PRIu64 " broken (%016" PRIx64 ")\n", wanted.count,
              took, broken, all.hash);
  std::printf("%" PRIu64 " steps, %" PRIu64 " lives, %" PRIu64 " power cuts, %" PRIu64
              " crashes by poison, %" PRIu64 " deploys (%" PRIu64 " built metrics), %" PRIu64
              " restores, %" PRIu64 " events, %" PRIu64 " journal rows, %" PRIu64
              " messages, %" PRIu64 " attempts, %" PRIu64 " delivered\n",
              all.steps, all.lives, all.power_cuts, all.crashes, all.deploys, all.built,
              all.restores, all.events, all.inputs, all.sends, all.attempts, all.delivered);
  return broken ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Wanted wanted = read(argc, argv);
  return wanted.count == 0 ? tell_one(wanted) : run_many(wanted);
}
