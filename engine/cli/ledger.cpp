#include <CLI/CLI.hpp>

#include <memory>

#include "cli/command.h"
#include "serve/audit.h"

namespace koi::cli {

namespace {

struct LedgerOptions {
  std::string what, data;
};

int verify(const LedgerOptions& options) {
  const auto audit = serve::audit(options.data);
  if (!audit) return trouble(audit.error().what);
  return print(serve::told(*audit), audit->findings.empty() ? Done : Findings);
}

}  // namespace

std::function<int()> add_ledger(CLI::App& app) {
  auto options = std::make_shared<LedgerOptions>();
  app.add_option("what", options->what,
                 "verify: makes every balance anew from the postings and compares it, and what is "
                 "out with the customers and the payments under way")
      ->required()
      ->check(CLI::IsMember({"verify"}));
  app.add_option("--data", options->data, "The data folder of a server that does not run")
      ->required();
  return [options] { return verify(*options); };
}

}  // namespace koi::cli
