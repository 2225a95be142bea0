// How long deciding takes with the index and without it, over a whole program: each customer's
// events in turn, his timers before them, and every message delivered at once.
//
//   koi-bench-campaigns PROGRAM EVENTS [index|loop]
//
// PROGRAM is a folder, EVENTS a file of JSON lines by time. Prints one line of JSON; with one way
// alone it decides that way alone (for a profile). Both ways must decide the same.
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "base/diagnostic.h"
#include "check/check.h"
#include "compile/compile.h"
#include "core/decide.h"
#include "lang/parse.h"
#include "runtime/decode.h"

namespace {

using namespace koi;
namespace fs = std::filesystem;

plan::Plan plan_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".koi") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Source> sources;
  for (const fs::path& file : files) {
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    sources.emplace_back(file.filename().string(), text.str());
  }
  std::vector<lang::ast::File> trees;
  for (std::uint32_t i = 0; i < sources.size(); ++i)
    trees.push_back(lang::parse(sources[i], i, Language::English).file);
  const check::Checked checked = check::check(trees, Language::English);
  for (const Diagnostic& each : checked.diagnostics) {
    if (each.severity != Severity::Error) continue;
    std::cerr << render(each, sources, Language::English);
    std::exit(2);
  }
  return compile::compile(checked.program, 1);
}

// By customer, each in the order of the file.
std::map<std::string, std::vector<Event>> events_of(const plan::Plan& plan, const char* path) {
  std::map<std::string, std::vector<Event>> events;
  std::ifstream in(path);
  runtime::Decoder decoder(plan);
  runtime::Incoming incoming;
  for (std::string line; std::getline(in, line);)
    if (decoder.decode(line, incoming) == runtime::Decoded::Event)
      events[incoming.event.customer].push_back(incoming.event);
  return events;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Figures {
  double seconds = 0, state_bytes = 0, journeys = 0;
  std::uint64_t decided = 0;  // a digest of all effects, in their order
  std::size_t effects = 0;
};

class Life {
 public:
  Life(const plan::Plan& plan, core::Waking* waking, const std::string& id, Figures& figures)
      : plan_(plan), waking_(waking), figures_(figures), state_(core::new_customer(plan, id)) {}

  void happen(const Event& event) {
    for (Timestamp at; (at = core::next_due(state_)) < event.time;) {
      core::decide(plan_, state_, core::Tick{at, true}, effects_, waking_);
      deliver();
    }
    core::decide(plan_, state_, event, effects_, waking_);
    deliver();
  }
  const core::State& state() const { return state_; }

 private:
  void deliver() {
    for (std::size_t i = 0; i < effects_.size(); ++i) {
      const Hash128 key = effects_[i].key;
      const Timestamp time = effects_[i].time;
      figures_.decided = (figures_.decided ^ key.low) * 0x9e3779b97f4a7c15U;
      if (effects_[i].wants_receipt)
        core::decide(plan_, state_, Receipt{key, time, Failure::None}, effects_, waking_);
    }
    figures_.effects += effects_.size();
    effects_.clear();
  }

  const plan::Plan& plan_;
  core::Waking* waking_;
  Figures& figures_;
  core::State state_;
  std::vector<core::Effect> effects_;
};

Figures run(const plan::Plan& plan, const std::map<std::string, std::vector<Event>>& events,
            core::Waking* waking) {
  Figures figures;
  std::vector<Life> lives;
  lives.reserve(events.size());
  const auto before = mallinfo2().uordblks;
  const double begin = seconds_now();
  for (const auto& [id, his] : events) {
    Life& life = lives.emplace_back(plan, waking, id, figures);
    for (const Event& event : his) life.happen(event);
    figures.journeys += static_cast<double>(life.state().journeys.size());
  }
  figures.seconds = seconds_now() - begin;
  const auto customers = static_cast<double>(lives.size());
  figures.state_bytes = static_cast<double>(mallinfo2().uordblks - before) / customers +
                        static_cast<double>(sizeof(core::State));
  figures.journeys /= customers;
  return figures;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "koi-bench-campaigns PROGRAM EVENTS [index|loop]\n";
    return 2;
  }
  const std::string way = argc > 3 ? argv[3] : "";
  const plan::Plan plan = plan_of(argv[1]);
  const auto events = events_of(plan, argv[2]);
  double count = 0;
  for (const auto& [id, his] : events) count += static_cast<double>(his.size());

  const double begin = seconds_now();
  const match::Index index = match::Index::build(plan);
  const double built = seconds_now() - begin;
  core::Waking waking{index};

  Figures with, without;
  if (way != "loop") with = run(plan, events, &waking);
  if (way != "index") without = run(plan, events, nullptr);
  if (way.empty() && (with.decided != without.decided || with.effects != without.effects)) {
    std::cerr << "the index decides " << with.effects << " effects, the loop " << without.effects
              << ", or others\n";
    return 1;
  }
  const Figures& kept = way == "loop" ? without : with;
  std::cout << "{\"events\": " << count << ", \"customers\": " << events.size()
            << ", \"effects\": " << kept.effects << ", \"journeys\": " << kept.journeys
            << ", \"index_us\": " << with.seconds / count * 1e6
            << ", \"loop_us\": " << without.seconds / count * 1e6
            << ", \"state_bytes\": " << kept.state_bytes << ", \"build_seconds\": " << built
            << ", \"bytes_a_campaign\": " << index.bytes() / plan.campaigns.size() << "}\n";
}
