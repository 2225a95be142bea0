#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command.h"
#include "cli/effective.h"
#include "cli/program.h"
#include "compile/compile.h"
#include "connectors/list.h"
#include "runtime/environment.h"
#include "runtime/fit.h"

namespace koi::cli {

namespace {

struct CheckOptions {
  std::vector<std::string> paths;
  std::string format = "text", language, environment;
  bool strict = false, effective = false;
};

std::string count(std::size_t n, const char* one, const char* many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

std::string closing_line(const LoadedProgram& program, Language language) {
  if (language == Language::Chinese)
    return std::to_string(program.sources.size()) + " 个文件：" + std::to_string(program.errors) +
           " 个错误，" + std::to_string(program.warnings) + " 个警告\n";
  return count(program.sources.size(), "file", "files") + ": " +
         count(program.errors, "error", "errors") + ", " +
         count(program.warnings, "warning", "warnings") + "\n";
}

// What the environment's providers would not take of it, among what is wrong with the rules.
Result<void> look_at(const std::string& file, Language language, LoadedProgram& program) {
  KOI_LET(const auto environment, runtime::read_environment(file));
  compile::Places places;
  const plan::Plan plan = compile::compile(program.program, 1, &places);
  KOI_TRY(runtime::check_names(environment, plan, connectors::all()));
  for (const runtime::Misfit& misfit : runtime::misfits(environment, plan, connectors::all())) {
    Diagnostic found;
    found.code = "environment";
    found.severity = misfit.is_error() ? Severity::Error : Severity::Warning;
    found.span.source = static_cast<std::uint32_t>(program.sources.size());  // nowhere
    if (!misfit.campaign.is_none()) {
      const auto& steps = places.campaigns[misfit.campaign.index()].steps;
      // A step's code may be several; the step is where it begins.
      if (const auto behind = steps.upper_bound(misfit.step); behind != steps.begin())
        found.span = std::prev(behind)->second;
    }
    found.message = to_string(misfit, language);
    ++(misfit.is_error() ? program.errors : program.warnings);
    program.diagnostics.push_back(std::move(found));
  }
  sort_and_unique(program.diagnostics);
  return {};
}

int check(const CheckOptions& options) {
  const Language language = language_of(options.language);
  auto program = load_program(options.paths, language);
  if (!program) return trouble(program.error().what);
  if (!options.environment.empty() && program->errors == 0)
    if (const auto looked = look_at(options.environment, language, *program); !looked)
      return trouble(looked.error().what);
  const bool json = options.format == "json";
  std::string out = render(*program, language, json);
  if (options.effective && program->errors == 0) out += effective(*program, language) + "\n";
  if (!json) out += closing_line(*program, language);
  const bool findings = program->errors > 0 || (options.strict && program->warnings > 0);
  return print(out, findings ? Findings : Done);
}

}  // namespace

std::function<int()> add_check(CLI::App& app) {
  auto options = std::make_shared<CheckOptions>();
  app.add_option("paths", options->paths, "Files of .koi, or folders of them")->required();
  app.add_option("--format", options->format, "text, or json: one object a line")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_flag("--strict", options->strict, "Warnings are findings too");
  app.add_option("--env", options->environment,
                 "An environment file: what its channels' providers would not take is found too");
  app.add_flag("--effective", options->effective,
               "Prints each campaign with all it inherits, and what is kept for each customer");
  add_language(app, options->language);
  return [options] { return check(*options); };
}

}  // namespace koi::cli
