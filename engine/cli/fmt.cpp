#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "cli/program.h"
#include "format/format.h"

namespace koi::cli {

namespace {

struct FmtOptions {
  std::vector<std::string> paths;
  std::string into;
  bool compare = false, to_output = false;
};

bool has_errors(const format::Formatted& formatted) {
  return std::any_of(formatted.diagnostics.begin(), formatted.diagnostics.end(),
                     [](const Diagnostic& each) { return each.severity == Severity::Error; });
}

int fmt(FmtOptions options) {
  if (options.paths.empty()) options.paths = {"."};
  const Language reader = language_of({});
  const auto sources = load_sources(options.paths);
  if (!sources) return trouble(sources.error().what);
  if (options.to_output && sources->size() != 1) return trouble("`--stdout` takes one file");

  format::Options how;
  if (!options.into.empty())
    how.into = options.into == "zh" ? Language::Chinese : Language::English;
  if (how.into)
    for (const Source& source : *sources) format::add_declared(source, how.declared);

  std::string out;
  bool findings = false;
  for (std::size_t i = 0; i < sources->size(); ++i) {
    const Source& source = (*sources)[i];
    const auto formatted = format::format(source, static_cast<std::uint32_t>(i), reader, how);
    if (has_errors(formatted)) {
      findings = true;
      for (const Diagnostic& each : formatted.diagnostics)
        out += koi::render(each, *sources, reader) + "\n";
      continue;
    }
    if (!formatted.done)
      return trouble("`" + source.path() +
                     "` is left as it is: formatted it would mean something " +
                     "else, which is a mistake of Koi's; please report it with the file");
    if (options.to_output) {
      out += formatted.text;
      continue;
    }
    if (formatted.text == source.text()) continue;
    if (options.compare) {
      findings = true;
      out += source.path() + "\n";
      continue;
    }
    if (const auto written = write_file(source.path(), formatted.text); !written)
      return trouble(written.error().what);
  }
  if (options.to_output && findings)
    return std::fputs(out.c_str(), stderr) < 0 ? Trouble : Findings;
  return print(out, findings ? Findings : Done);
}

}  // namespace

std::function<int()> add_fmt(CLI::App& app) {
  auto options = std::make_shared<FmtOptions>();
  app.add_option("paths", options->paths,
                 "Files of .koi, or folders of them; the current folder where none is given");
  app.add_flag("--check", options->compare,
               "Writes nothing; names the files that are not formatted");
  app.add_option("--lang,--language", options->into,
                 "Translates keywords and punctuation: en or zh")
      ->check(CLI::IsMember({"en", "zh"}));
  app.add_flag("--stdout", options->to_output,
               "Writes the formatted file to the standard output instead");
  return [options] { return fmt(*options); };
}

}  // namespace koi::cli
