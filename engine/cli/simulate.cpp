// simulate: what other rules would have done with what a server has recorded, and what the live
// ones would have, side by side.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/program.h"
#include "cli/running.h"
#include "cli/simulation.h"
#include "compile/compile.h"
#include "runtime/run.h"
#include "runtime/sink.h"
#include "runtime/unnamed.h"
#include "serve/recorded.h"

namespace koi::cli {

namespace {

constexpr std::size_t most_examples = 5;

struct SimulateOptions {
  std::vector<std::string> paths;
  std::string data, since, until, effects, language;
  unsigned threads = 0;
  bool quiet = false;
};

Error interruption() { return {"interrupted", "interrupted; nothing was compared"}; }

// What the command writes and reads again. Nobody else can read it, and it is gone with the
// command.
struct Files {
  runtime::Unnamed events, rejects_of_live, rejects_of_next, of_live, of_next;

  static Result<Files> make(const std::filesystem::path& folder) {
    KOI_LET(runtime::Unnamed events, runtime::Unnamed::make(folder));
    KOI_LET(runtime::Unnamed rejects_of_live, runtime::Unnamed::make(folder));
    KOI_LET(runtime::Unnamed rejects_of_next, runtime::Unnamed::make(folder));
    KOI_LET(runtime::Unnamed of_live, runtime::Unnamed::make(folder));
    KOI_LET(runtime::Unnamed of_next, runtime::Unnamed::make(folder));
    return Files{std::move(events), std::move(rejects_of_live), std::move(rejects_of_next),
                 std::move(of_live), std::move(of_next)};
  }
};

Result<serve::Recorded> record(const SimulateOptions& options, const Files& files) {
  runtime::Sink lines;
  KOI_TRY(lines.open(files.events.path()));
  KOI_LET(auto recorded,
          serve::recorded(
              options.data, [&](std::string_view line) { return lines.write(line); }, interrupted));
  KOI_TRY(lines.close());
  return recorded;
}

// Of each kind, how many lines could not be read.
Result<std::map<std::string, std::uint64_t>> reasons_in(const std::string& rejects) {
  std::map<std::string, std::uint64_t> reasons;
  std::ifstream in(rejects, std::ios::binary);
  for (std::string line; std::getline(in, line);)
    ++reasons[nlohmann::json::parse(line).value("reason", std::string())];
  if (in.bad()) return Error{"unreadable", "what was rejected cannot be read again"};
  return reasons;
}

class Simulating {
 public:
  Simulating(const SimulateOptions& options, const Files& files)
      : options_(options), files_(files) {}

  Result<std::string> compare(const serve::Recorded& recorded, const plan::Plan& next,
                              std::vector<runtime::RunOptions::Pool> beside, Language language) {
    const Zone& zone = *next.policy.zone;
    Timestamp since = Timestamp::ever();
    if (!options_.since.empty()) {
      KOI_LET(since, instant_of("--since", options_.since, zone));
    }
    if (!options_.until.empty()) {
      KOI_LET(until_, instant_of("--until", options_.until, zone));
    }
    const std::string effects = options_.effects.empty() ? files_.of_next.path() : options_.effects;
    KOI_LET(const runtime::Summary of_live,
            run(recorded.live, recorded.pools, files_.of_live.path(), files_.rejects_of_live));
    // Codes that nobody has uploaded yet are those beside the rules.
    std::vector<runtime::RunOptions::Pool> pools = recorded.pools;
    for (runtime::RunOptions::Pool& each : beside)
      if (std::none_of(pools.begin(), pools.end(),
                       [&](const auto& uploaded) { return uploaded.name == each.name; }))
        pools.push_back(std::move(each));
    KOI_LET(const runtime::Summary of_next,
            run(next, std::move(pools), effects, files_.rejects_of_next));
    KOI_LET(const runtime::Comparison comparison,
            runtime::compare(files_.of_live.path(), effects, zone, since, most_examples));
    KOI_LET(const auto rejected, reasons_in(files_.rejects_of_next.path()));
    return told({recorded, next, of_live, of_next, comparison, rejected, options_.since.empty()},
                language);
  }

 private:
  Result<runtime::Summary> run(const plan::Plan& plan, std::vector<runtime::RunOptions::Pool> pools,
                               const std::string& effects, const runtime::Unnamed& rejects) const {
    runtime::RunOptions options;
    options.events = {{files_.events.path()}};
    options.until = until_;
    options.pools = std::move(pools);
    options.threads = threads_of(options_.threads);
    options.effects_path = effects;
    options.rejects_path = rejects.path();
    options.keep_messages = false;
    options.interrupted = interrupted;
    ProgressBar bar(plan);
    if (!options_.quiet)
      options.progress = [&](const runtime::Progress& progress) { bar.draw(progress); };
    KOI_LET(auto summary, runtime::run(plan, options));
    if (summary.interrupted) return interruption();
    return summary;
  }

  const SimulateOptions& options_;
  const Files& files_;
  std::optional<Timestamp> until_;
};

int simulate(const SimulateOptions& options) {
  const Language language = language_of(options.language);
  const auto program = load_program(options.paths, language);
  if (!program) return trouble(program.error().what);
  if (program->errors > 0) return print(render(*program, language, false), Findings);
  for (const auto& audience : program->program.audiences)
    if (audience.is_missing)
      return trouble("`" + audience.file + "`, which the audience `" + audience.symbol.name +
                     "` is read from, cannot be read; put it beside the rules");
  if (options.effects == "-")
    return trouble("the comparison goes to the standard output; give `--effects` a file's name");
  on_interrupt();
  const auto files = Files::make(options.data);
  if (!files) return trouble(files.error().what);
  const auto recorded = record(options, *files);
  if (!recorded && recorded.error().code == "locked")
    return trouble(recorded.error().what + ". Of a server that runs, take a restored backup");
  if (!recorded) return trouble(recorded.error().what);
  // Chance is the deployment's: hold-outs, splits and draws are as they would be there.
  const plan::Plan next = compile::compile(program->program, recorded->seed);
  auto beside = pools_of(*program, next);
  if (!beside) return trouble(beside.error().what);
  const auto text =
      Simulating(options, *files).compare(*recorded, next, *std::move(beside), language);
  if (!text) return trouble(text.error().what);
  return print(*text);
}

}  // namespace

std::function<int()> add_simulate(CLI::App& app) {
  auto options = std::make_shared<SimulateOptions>();
  app.add_option("paths", options->paths,
                 "Files of .koi, or folders of them: the rules to be tried")
      ->required();
  app.add_option(
         "--data", options->data,
         "The data folder of a server that does not run, or of a restored backup: what came "
         "in there")
      ->required();
  app.add_option("--since", options->since,
                 "Figures are of what is decided from here on; what was before is decided all the "
                 "same");
  app.add_option("--until", options->until,
                 "The clock runs on to here; else it stops at the last event");
  app.add_option("--effects", options->effects,
                 "Writes what the new rules decide to this file, as `koi run` does");
  app.add_option("--threads", options->threads,
                 "How many threads step customers; else one for each core")
      ->check(CLI::Range(1, 256));
  app.add_flag("--quiet", options->quiet, "No progress bar");
  add_language(app, options->language);
  return [options] { return simulate(*options); };
}

}  // namespace koi::cli
