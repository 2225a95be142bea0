#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <thread>

#include "cli/command.h"
#include "cli/program.h"
#include "compile/compile.h"
#include "sim/coverage.h"
#include "sim/run_tests.h"

namespace koi::cli {

namespace {

namespace fs = std::filesystem;

struct TestOptions {
  std::vector<std::string> paths;
  std::string filter, format = "text", junit, coverage_html, language;
  bool coverage = false, watch = false;
  std::size_t coverage_at_least = 0;
};

int test(const TestOptions& options) {
  const Language language = language_of(options.language);
  const auto program = load_program(options.paths, language);
  if (!program) return trouble(program.error().what);
  const bool json = options.format == "json";
  if (program->errors > 0) return print(render(*program, language, json), Findings);
  compile::Places places;
  const plan::Plan plan = compile::compile(program->program, 1, &places);
  core::Trace trace;
  const auto results = sim::run_tests(program->program, plan, options.filter, &trace);
  if (results.empty())
    return trouble(options.filter.empty()
                       ? "the program has no tests; write one as `test \"…\" { … }`"
                       : "no test has `" + options.filter + "` in its name");
  if (!options.junit.empty())
    if (const auto written =
            write_file(options.junit, sim::render_junit(results, program->sources));
        !written)
      return trouble(written.error().what);
  std::size_t failed = 0;
  std::string out;
  for (const sim::TestResult& result : results) {
    if (!result.passed()) ++failed;
    out += json ? sim::render_json(result, program->sources) + "\n"
                : sim::render(result, program->sources);
  }
  if (!json) {
    const std::size_t passed = results.size() - failed;
    out += language == Language::Chinese
               ? std::to_string(passed) + " 个通过，" + std::to_string(failed) + " 个失败\n"
               : std::to_string(passed) + " passed, " + std::to_string(failed) + " failed\n";
  }
  bool covered = true;
  if (options.coverage || !options.coverage_html.empty() || options.coverage_at_least > 0) {
    const sim::Coverage coverage =
        sim::coverage_of(program->program, plan, places, trace, language);
    covered = coverage.percent() >= options.coverage_at_least;
    out += json ? sim::render_json(coverage, program->sources)
                : sim::render(coverage, program->sources, language);
    if (!options.coverage_html.empty())
      if (const auto written = write_file(options.coverage_html,
                                          sim::render_html(coverage, program->sources, language));
          !written)
        return trouble(written.error().what);
  }
  return print(out, failed == 0 && covered ? Done : Findings);
}

// --- Watching ------------------------------------------------------------------------------------

// What tells whether a file has changed. Files that cannot be looked at are not there.
using Look = std::map<std::string, std::pair<std::int64_t, std::uintmax_t>>;

void look_at(const fs::path& path, Look& look) {
  std::error_code error;
  const auto changed = fs::last_write_time(path, error);
  if (error) return;
  const auto size = fs::file_size(path, error);
  look[path.string()] = {static_cast<std::int64_t>(changed.time_since_epoch().count()),
                         error ? 0 : size};
}

Look look_at(const std::vector<std::string>& paths) {
  Look look;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      look_at(fs::path(path), look);
      continue;
    }
    for (fs::recursive_directory_iterator at(path, error), end; !error && at != end;
         at.increment(error)) {
      if (at->path().filename().string().starts_with('.')) at.disable_recursion_pending();
      if (at->path().extension() == ".koi" || at->path().extension() == ".csv")
        look_at(at->path(), look);
    }
  }
  return look;
}

// Runs the tests, and again whenever a file of the program has changed, until it is interrupted.
int watch(const TestOptions& options) {
  constexpr auto moment = std::chrono::milliseconds(200);
  on_interrupt();
  const bool chinese = language_of(options.language) == Language::Chinese;
  Look before;
  for (bool first = true; !interrupted(); first = false) {
    const Look now = look_at(options.paths);
    if (!first && now == before) {
      std::this_thread::sleep_for(moment);
      continue;
    }
    before = now;
    if (const int status = test(options); status == Trouble && first) return status;
    if (const int status = print(chinese ? "—— 等待改动（Ctrl-C 结束）\n"
                                         : "-- waiting for a change (Ctrl-C ends it)\n");
        status != Done)
      return status;
  }
  return Done;
}

}  // namespace

std::function<int()> add_test(CLI::App& app) {
  auto options = std::make_shared<TestOptions>();
  app.add_option("paths", options->paths, "Files of .koi, or folders of them")->required();
  app.add_option("--filter", options->filter, "Only tests with this in their name");
  app.add_option("--format", options->format, "text, or json: one object a line")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--junit", options->junit,
                 "Writes the results to this file too, as JUnit's XML for build servers");
  app.add_flag("--coverage", options->coverage,
               "Lists the clauses and branches of campaigns that no test has come by, and says how "
               "many of them have been");
  app.add_option("--coverage-html", options->coverage_html,
                 "Writes that to this file, beside the text of the campaigns");
  app.add_option("--coverage-at-least", options->coverage_at_least,
                 "Less than this percentage is a finding")
      ->check(CLI::Range(0, 100));
  app.add_flag("--watch", options->watch,
               "Goes on, and runs the tests again whenever a file has changed");
  add_language(app, options->language);
  return [options] { return options->watch ? watch(*options) : test(*options); };
}

}  // namespace koi::cli
