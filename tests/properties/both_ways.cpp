// Decides whole programs with the plan's index and without it, and says where the two differ.
//
//   koi-both-ways FOLDER...     each with world.koi, events.ndjson (in order of arrival) and until
//                               (an instant in microseconds)
//
// Each world is decided with an index that has rows for few conditions, too, so that small programs
// show what large ones do. Prints how much was compared; exit status 1: they differ.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "base/diagnostic.h"
#include "check/check.h"
#include "compile/compile.h"
#include "core/codec.h"
#include "core/decide.h"
#include "core/metrics.h"
#include "lang/parse.h"
#include "model/codec.h"
#include "runtime/decode.h"

namespace {

using namespace koi;
namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::optional<plan::Plan> plan_of(const fs::path& file) {
  const Source source(file.string(), text_of(file));
  std::vector<lang::ast::File> trees;
  trees.push_back(lang::parse(source, 0, Language::English).file);
  const check::Checked checked = check::check(trees, Language::English);
  for (const Diagnostic& each : checked.diagnostics) {
    if (each.severity != Severity::Error) continue;
    std::cerr << render(each, {source}, Language::English);
    return std::nullopt;
  }
  return compile::compile(checked.program, 1);
}

class Life {
 public:
  Life(const plan::Plan& plan, const match::Index* index, const std::string& id)
      : plan_(plan), state_(core::new_customer(plan, id)) {
    if (index) waking_.emplace(core::Waking{*index});
  }
  // A late one happens where the clock stands.
  void happen(const Event& event) {
    run_to(event.time, false);
    carry_out(event);
  }
  void run_to(Timestamp to, bool inclusive) {
    for (Timestamp at; (at = core::next_due(state_)) < to || (inclusive && at == to);)
      carry_out(core::Tick{at, true});
  }

  // All that was decided, and all that a condition can ask of him at this instant. When an instant
  // is only a lower bound the two ways may have different ones, which decides nothing.
  std::string story(Timestamp at) {
    core::State state = state_;
    state.clock = at;
    ByteWriter out;
    for (std::size_t i = 0; i < plan_.metrics.size(); ++i)
      out.value(core::read(plan_, plan_.metrics[i], state, at));
    for (std::size_t i = 0; i < plan_.watches.size(); ++i) out.boolean(state.watches[i].inside);
    // Those whose goal can not be reached any more are kept until somebody looks.
    erase_if(state.journeys, [&](const core::Journey& journey) {
      return journey.phase == core::Journey::Phase::Ended && journey.goal_until < at;
    });
    for (core::Journey& journey : state.journeys) journey.leave_flip = Timestamp::never();
    state.watches = {};
    state.logs = {};
    state.seen = {};
    state.seen_pruned = state.schedules_done = Timestamp::ever();
    state.schedule_due = state.due = Timestamp::never();
    state.recent = {};
    return decided_ + std::string(out.bytes()) + core::encode(plan_, state);
  }
  std::size_t effects() const { return effects_in_all_; }
  const std::string& decided() const { return decided_; }

 private:
  template <class Input>
  void carry_out(const Input& input) {
    core::Waking* const waking = waking_ ? &*waking_ : nullptr;
    core::decide(plan_, state_, input, effects_, waking);
    for (std::size_t i = 0; i < effects_.size(); ++i) {
      const core::Effect effect = std::move(effects_[i]);
      decided_ += std::to_string(effect.time.us) + " " +
                  plan_.campaigns[effect.campaign.index()].symbol.name + " " +
                  std::string(core::name_of(effect.action)) + " " + to_hex(effect.key) + "\n";
      if (effect.wants_receipt)
        core::decide(plan_, state_, Receipt{effect.key, effect.time, Failure::None}, effects_,
                     waking);
    }
    effects_in_all_ += effects_.size();
    effects_.clear();
  }

  const plan::Plan& plan_;
  std::optional<core::Waking> waking_;
  core::State state_;
  std::vector<core::Effect> effects_;
  std::string decided_;
  std::size_t effects_in_all_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::size_t worlds = 0, effects = 0, late = 0, failed = 0;
  for (int i = 1; i < argc; ++i) {
    const fs::path folder = argv[i];
    const auto plan = plan_of(folder / "world.koi");
    if (!plan) return 2;
    const Timestamp until{std::stoll(text_of(folder / "until"))};
    const match::Index index = match::Index::build(*plan);
    const match::Index with_rows = match::Index::build(*plan, 0);

    std::map<std::string, std::array<Life, 3>> lives;
    runtime::Decoder decoder(*plan);
    runtime::Incoming incoming;
    std::istringstream events(text_of(folder / "events.ndjson"));
    std::map<std::string, Timestamp> clocks;
    for (std::string line; std::getline(events, line);) {
      if (decoder.decode(line, incoming) != runtime::Decoded::Event) return 2;
      const std::string& id = incoming.event.customer;
      const auto [place, is_new] =
          lives.try_emplace(id, std::array{Life(*plan, nullptr, id), Life(*plan, &index, id),
                                           Life(*plan, &with_rows, id)});
      Timestamp& clock = clocks[id];
      late += incoming.event.time < clock ? 1 : 0;
      clock = std::max(clock, incoming.event.time);
      for (Life& life : place->second) life.happen(incoming.event);
    }
    ++worlds;
    for (auto& [id, ways] : lives) {
      for (Life& life : ways) life.run_to(until, true);
      effects += ways[0].effects();
      const std::string wanted = ways[0].story(until);
      if (wanted == ways[1].story(until) && wanted == ways[2].story(until)) continue;
      ++failed;
      std::cerr << folder << " " << id << ": asking each:\n"
                << ways[0].decided() << "with the index:\n"
                << ways[1].decided() << "with rows for all:\n"
                << ways[2].decided();
    }
  }
  std::cout << worlds << " worlds, " << effects << " effects, " << late << " late events, "
            << failed << " customers differ\n";
  return failed == 0 ? 0 : 1;
}
