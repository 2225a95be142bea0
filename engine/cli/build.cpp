#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "cli/bundle.h"
#include "cli/command.h"
#include "cli/program.h"
#include "compile/compile.h"
#include "deploy/files.h"
#include "sim/run_tests.h"

namespace koi::cli {

namespace {

struct Options {
  std::vector<std::string> paths;
  std::string out, sign, language;
};

int build(const Options& options) {
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
  const plan::Plan plan = compile::compile(program->program, 1);

  deploy::Package package;
  package.files = files_of(program->sources);
  for (const plan::Campaign& campaign : plan.campaigns)
    package.campaigns.push_back(campaign.symbol.name);
  std::string failures;
  for (const sim::TestResult& result : sim::run_tests(program->program, plan, "")) {
    package.tests.push_back({result.name, result.passed()});
    if (!result.passed()) failures += sim::render(result, program->sources);
  }
  if (!failures.empty())
    return print(failures + "nothing was built: what is put live passes its tests\n", Findings);
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
               many(package.tests.size(), "test", "tests") + " passed" +
               (key.empty() ? ", not signed" : ", signed") + "\ncontent " +
               deploy::content_hash(package) + "\n");
}

}  // namespace

std::function<int()> add_build(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("paths", options->paths, "Files of .koi, or folders of them")->required();
  app.add_option("-o,--out", options->out, "The bundle, as spring.koib")->required();
  app.add_option("--sign", options->sign, "Signs it with this private key (`koi keys make`)");
  add_language(app, options->language);
  return [options] { return build(*options); };
}

}  // namespace koi::cli
