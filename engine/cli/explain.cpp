#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/asking.h"
#include "cli/command.h"
#include "lessons/lessons.h"

namespace koi::cli {

namespace {

struct ExplainOptions {
  std::string code, language;
  bool all = false;
  Asking asking;
};

int explain(ExplainOptions options) {
  if (options.all || !options.asking.campaign.empty() || !options.asking.message.empty()) {
    options.asking.customer = options.code;
    return ask(options.asking);
  }
  for (char& c : options.code)
    if (c == 'k') c = 'K';
  const auto* const lesson = lessons::find(options.code);
  if (lesson == nullptr) {
    std::vector<std::string> codes;
    for (const auto& each : lessons::lessons()) codes.emplace_back(each.code);
    const std::string near = closest(options.code, codes);
    return trouble("there is no code `" + options.code + "`" +
                   (near.empty() ? "; codes are like K0201" : "; did you mean `" + near + "`?"));
  }
  return print(lessons::explain(*lesson, language_of(options.language)));
}

}  // namespace

std::function<int()> add_explain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  app.add_option(
         "what", options->code,
         "The code of a diagnostic, as K0201; with --campaign, --message or --all, a customer's id")
      ->required();
  CLI::Option* const all = app.add_flag(
      "--all", options->all, "Where this customer is, told, and given, in all campaigns");
  CLI::Option* const campaign =
      app.add_option("--campaign", options->asking.campaign,
                     "Why this customer was or was not in it, told, and given")
          ->excludes(all);
  app.add_option("--message", options->asking.message,
                 "Why this customer was sent the message with this key, or was refused it")
      ->excludes(campaign)
      ->excludes(all);
  app.add_option("--at", options->asking.at,
                 "Up to this instant, as 2026-11-01T10:00:00+08:00; else now");
  app.add_option("--server", options->asking.server, "The server that knows")
      ->capture_default_str();
  app.add_option("--token-file", options->asking.token_file,
                 "Its first line is the token that requests must bring; else KOI_TOKEN");
  app.add_option("--lang,--language", options->language, "In which language: en or zh")
      ->check(CLI::IsMember({"en", "zh"}));
  return [options] { return explain(*options); };
}

}  // namespace koi::cli
