#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "lessons/lessons.h"

namespace koi::cli {

namespace {

struct Options {
  std::string code, language;
};

int explain(Options options) {
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
  auto options = std::make_shared<Options>();
  app.add_option("code", options->code, "The code of a diagnostic, as K0201")->required();
  app.add_option("--lang,--language", options->language, "In which language: en or zh")
      ->check(CLI::IsMember({"en", "zh"}));
  return [options] { return explain(*options); };
}

}  // namespace koi::cli
