#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include "cli/command.h"
#include "cli/program.h"
#include "cli/running.h"
#include "compile/compile.h"
#include "runtime/run.h"

namespace koi::cli {

namespace {

struct RunOptions {
  std::vector<std::string> paths, events;
  std::string map, until, effects, rejects = "rejects.ndjson", report, language;
  unsigned threads = 0;
  std::uint64_t seed = 1;
  std::size_t messages = 0;
  bool quiet = false;
};

bool is_csv(const std::string& path) {
  std::string end = path.substr(path.size() - std::min<std::size_t>(4, path.size()));
  std::transform(end.begin(), end.end(), end.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return end == ".csv";
}

std::string told(const plan::Plan& plan, const runtime::Message& message) {
  const auto name = [](const Symbol& symbol) {
    return symbol.alias.empty() ? symbol.name : symbol.alias;
  };
  std::string out = to_string(message.time, *plan.policy.zone) + " · " +
                    name(plan.channels[message.channel.index()].symbol) + " · " + message.customer +
                    " · " + name(plan.campaigns[message.campaign.index()].symbol) + "\n";
  for (const std::string* text : {&message.text.title, &message.text.body, &message.text.link}) {
    if (text->empty()) continue;
    // Texts may hold what customers wrote: nothing of it may draw on the terminal.
    out += "    ";
    for (const char c : *text) {
      if (c == '\n')
        out += "\n    ";
      else
        out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
    }
    out += '\n';
  }
  return out;
}

int run(const RunOptions& options) {
  const Language language = language_of(options.language);
  const auto program = load_program(options.paths, language);
  if (!program) return trouble(program.error().what);
  if (program->errors > 0) return print(render(*program, language, false), Findings);
  for (const auto& audience : program->program.audiences)
    if (audience.is_missing)
      return trouble("`" + audience.file + "`, which the audience `" + audience.symbol.name +
                     "` is read from, cannot be read; put it beside the rules");
  const plan::Plan plan = compile::compile(program->program, options.seed);

  runtime::RunOptions run_options;
  auto pools = pools_of(*program, plan);
  if (!pools) return trouble(pools.error().what);
  run_options.pools = *std::move(pools);
  std::optional<runtime::CsvMap> map;
  if (!options.map.empty()) {
    std::ifstream in(options.map, std::ios::binary);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf()))
      return trouble("`" + options.map +
                     "` cannot be read; name a map that is there and not empty");
    auto parsed = runtime::CsvMap::parse(text.str(), options.map);
    if (!parsed) return trouble(parsed.error().what);
    map = *std::move(parsed);
  }
  for (const std::string& path : options.events) {
    const bool csv = is_csv(path) || (path == "-" && map);
    if (csv && !map)
      return trouble("`" + path +
                     "` needs `--map FILE`, which says what its columns mean (docs/running.md)");
    run_options.events.push_back({path, csv ? &*map : nullptr});
  }
  if (map && std::none_of(run_options.events.begin(), run_options.events.end(),
                          [](const auto& file) { return file.map != nullptr; }))
    return trouble("`--map` is for files whose names end in .csv; there is none");
  if (!options.until.empty()) {
    const auto until = instant_of("--until", options.until, *plan.policy.zone);
    if (!until) return trouble(until.error().what);
    run_options.until = *until;
  }
  run_options.threads = threads_of(options.threads);
  run_options.effects_path = options.effects;
  run_options.rejects_path = options.rejects;
  run_options.keep_messages = options.messages > 0 || !options.report.empty();
  run_options.process_ends = true;
  on_interrupt();
  run_options.interrupted = interrupted;
  Result<runtime::Summary> done = [&] {
    ProgressBar bar(plan);
    if (!options.quiet)
      run_options.progress = [&](const runtime::Progress& progress) { bar.draw(progress); };
    return runtime::run(plan, run_options);
  }();
  if (!done) return trouble(done.error().what);
  if (!options.report.empty()) {
    const std::string path = options.report == "html" ? "report.html" : options.report;
    if (const auto written = write_file(path, render_html(plan, *done, language)); !written)
      return trouble(written.error().what);
  }

  std::string out = render(plan, *done, language);
  for (std::size_t i = 0; i < done->messages.size() && i < options.messages; ++i)
    out += "\n" + told(plan, done->messages[i]);
  if (done->interrupted)
    return trouble("interrupted; what was done until then:"), print(out, Trouble), Trouble;
  // Effects and summary do not mix: where the effects go to the standard output, it goes elsewhere.
  if (options.effects == "-") return std::fputs(out.c_str(), stderr) < 0 ? Trouble : Done;
  return print(out);
}

}  // namespace

std::function<int()> add_run(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  app.add_option("paths", options->paths, "Files of .koi, or folders of them")->required();
  app.add_option("--events", options->events,
                 "Files of events: .ndjson, .csv with --map, - for the standard input")
      ->required();
  app.add_option("--map", options->map, "What the columns of .csv files mean");
  app.add_option("--until", options->until,
                 "The clock runs on to here; else it stops at the last event");
  app.add_option(
      "--effects", options->effects,
      "Writes what was decided to this file, one JSON object a line; - for the standard output");
  app.add_option("--rejects", options->rejects,
                 "Where lines that are no good events go, with their reasons")
      ->capture_default_str();
  app.add_option("--report", options->report,
                 "html: writes report.html; or a file's name that ends in .html")
      ->check([](const std::string& text) {
        return text == "html" || text.ends_with(".html")
                   ? std::string()
                   : "give `html`, or a file's name that ends in .html";
      });
  app.add_option("--messages", options->messages,
                 "Shows so many messages as their readers see them");
  app.add_option("--seed", options->seed,
                 "Of hold-outs and names; the same seed gives the same run")
      ->capture_default_str();
  app.add_option("--threads", options->threads,
                 "How many threads step customers; else one for each core")
      ->check(CLI::Range(1, 256));
  app.add_flag("--quiet", options->quiet, "No progress bar");
  add_language(app, options->language);
  return [options] { return run(*options); };
}

}  // namespace koi::cli
