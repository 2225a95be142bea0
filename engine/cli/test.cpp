#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/program.h"
#include "compile/compile.h"
#include "runtime/sink.h"
#include "sim/run_tests.h"

namespace koi::cli {

namespace {

struct Options {
  std::vector<std::string> paths;
  std::string filter, format = "text", junit, language;
  bool coverage = false;
};

int test(const Options& options) {
  if (options.coverage)
    return trouble("`test --coverage` is not supported yet; `koi test` alone runs the tests");
  const Language language = language_of(options.language);
  const auto program = load_program(options.paths, language);
  if (!program) return trouble(program.error().what);
  const bool json = options.format == "json";
  if (program->errors > 0) return print(render(*program, language, json), Findings);
  const plan::Plan plan = compile::compile(program->program, 1);
  const auto results = sim::run_tests(program->program, plan, options.filter);
  if (results.empty())
    return trouble(options.filter.empty()
                       ? "the program has no tests; write one as `test \"…\" { … }`"
                       : "no test has `" + options.filter + "` in its name");
  if (!options.junit.empty()) {
    runtime::Sink file;
    auto written = file.open(options.junit);
    if (written) written = file.write(sim::render_junit(results, program->sources));
    if (written) written = file.close();
    if (!written) return trouble(written.error().what);
  }
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
  return print(out, failed == 0 ? Done : Findings);
}

}  // namespace

std::function<int()> add_test(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("paths", options->paths, "Files of .koi, or folders of them")->required();
  app.add_option("--filter", options->filter, "Only tests with this in their name");
  app.add_option("--format", options->format, "text, or json: one object a line")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--junit", options->junit,
                 "Writes the results to this file too, as JUnit's XML for build servers");
  app.add_flag("--coverage", options->coverage, "Marks what no test reaches (not supported yet)");
  add_language(app, options->language);
  return [options] { return test(*options); };
}

}  // namespace koi::cli
