#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/bundle.h"
#include "cli/command.h"
#include "cli/program.h"
#include "compile/compile.h"
#include "deploy/files.h"
#include "sim/coverage.h"
#include "sim/run_tests.h"

namespace koi::cli {

namespace {

struct BuildOptions {
  std::vector<std::string> paths;
  std::string out, sign, language;
};

// In the order of the package's files, wherever they lie and however they were named.
void put_results(const LoadedProgram& program, std::vector<sim::TestResult> results,
                 sim::Coverage coverage, deploy::Package& package) {
  const std::vector<std::string> names = names_of(program.sources);
  const auto stands_before = [&](const auto& a, const auto& b) {
    return std::pair(std::string_view(names[a.span.source]), a.span.begin) <
           std::pair(std::string_view(names[b.span.source]), b.span.begin);
  };
  std::stable_sort(results.begin(), results.end(), stands_before);
  std::stable_sort(coverage.items.begin(), coverage.items.end(), stands_before);
  for (const sim::TestResult& result : results)
    package.tests.push_back({result.name, result.passed()});
  package.coverage.seen = coverage.seen();
  package.coverage.of = coverage.items.size();
  for (const sim::Covered& item : coverage.items) {
    if (item.seen) continue;
    const auto place = program.sources[item.span.source].position(item.span.begin);
    package.coverage.unseen.push_back(names[item.span.source] + ":" + std::to_string(place.line) +
                                      ":" + std::to_string(place.column) + " " + item.campaign +
                                      ": " + item.what);
  }
}

int build(const BuildOptions& options) {
  const Language language = language_of(options.language);
  std::string key;
  if (!options.sign.empty()) {
    auto read = read_text(options.sign);
    if (!read) return trouble(read.error().what);
    key = *std::move(read);
  }
  const auto program = load_program(options.paths, language);
  if (!program) return trouble(program.error().what);
  if (program->errors > 0) return print(render(*program, language, false), Findings);
  compile::Places places;
  const plan::Plan plan = compile::compile(program->program, 1, &places);

  deploy::Package package;
  package.files = files_of(*program);
  const auto canonical = deploy::compile({1, package.files});
  if (!canonical) return trouble(canonical.error().what);
  package.plan = deploy::plan_text(*canonical);
  for (const plan::Campaign& campaign : plan.campaigns)
    package.campaigns.push_back(campaign.symbol.name);
  std::string failures;
  core::Trace trace;
  auto results = sim::run_tests(program->program, plan, "", &trace);
  for (const sim::TestResult& result : results)
    if (!result.passed()) failures += sim::render(result, program->sources);
  if (!failures.empty())
    return print(failures + "nothing was built: what is put live passes its tests\n", Findings);
  put_results(*program, std::move(results),
              sim::coverage_of(program->program, plan, places, trace, Language::English), package);
  if (!key.empty())
    if (const auto made = deploy::sign(package, key); !made) return trouble(made.error().what);
  if (const auto written =
          deploy::write_whole(std::filesystem::absolute(options.out), deploy::encode(package));
      !written)
    return trouble(written.error().what);
  const auto many = [](std::size_t number, const char* one, const char* more) {
    return std::to_string(number) + " " + (number == 1 ? one : more);
  };
  return print(options.out + ": " + many(package.files.size(), "file", "files") + ", " +
               many(package.campaigns.size(), "campaign", "campaigns") + ", " +
               many(package.tests.size(), "test", "tests") + " passed, " +
               std::to_string(package.coverage.seen) + " of " +
               std::to_string(package.coverage.of) + " clauses and branches tested" +
               (key.empty() ? ", not signed" : ", signed") + "\ncontent " +
               deploy::content_hash(package) + "\n");
}

}  // namespace

std::function<int()> add_build(CLI::App& app) {
  auto options = std::make_shared<BuildOptions>();
  app.add_option("paths", options->paths, "Files of .koi, or folders of them")->required();
  app.add_option("-o,--out", options->out, "The bundle, as spring.koib")->required();
  app.add_option("--sign", options->sign, "Signs it with this private key (`koi keys make`)");
  add_language(app, options->language);
  return [options] { return build(*options); };
}

}  // namespace koi::cli
