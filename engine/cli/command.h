// Commands: one file each. A command adds its options to its part of the command line and gives
// back what to do once they are read; that returns the exit status.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/diagnostic.h"
#include "base/result.h"

namespace CLI {
class App;
}

namespace koi::cli {

enum Exit : int { Done = 0, Findings = 1, Trouble = 2 };  // Trouble: usage or environment

struct Command {
  const char* name;
  const char* summary;
  std::function<int()> (*add)(CLI::App& app);
};

std::function<int()> add_backup(CLI::App& app);
std::function<int()> add_build(CLI::App& app);
std::function<int()> add_check(CLI::App& app);
std::function<int()> add_connector(CLI::App& app);
std::function<int()> add_connectors(CLI::App& app);
std::function<int()> add_deploy(CLI::App& app);
std::function<int()> add_docs(CLI::App& app);
std::function<int()> add_draws(CLI::App& app);
std::function<int()> add_explain(CLI::App& app);
std::function<int()> add_fmt(CLI::App& app);
std::function<int()> add_init(CLI::App& app);
std::function<int()> add_keys(CLI::App& app);
std::function<int()> add_ledger(CLI::App& app);
std::function<int()> add_lsp(CLI::App& app);
std::function<int()> add_open(CLI::App& app);
std::function<int()> add_pool(CLI::App& app);
std::function<int()> add_promote(CLI::App& app);
std::function<int()> add_restore(CLI::App& app);
std::function<int()> add_rollback(CLI::App& app);
std::function<int()> add_run(CLI::App& app);
std::function<int()> add_serve(CLI::App& app);
std::function<int()> add_simulate(CLI::App& app);
std::function<int()> add_status(CLI::App& app);
std::function<int()> add_test(CLI::App& app);
std::function<int()> add_version(CLI::App& app);

// `--language zh|en`, else what the environment says (LC_ALL, LC_MESSAGES, LANG), else English.
void add_language(CLI::App& app, std::string& language);
Language language_of(const std::string& option);

// Writes to the standard output, and Done or `status` where all was written; else Trouble, told.
int print(std::string_view text, int status = Done);
// A whole file, as runtime::Sink writes it, with its errors.
Result<void> write_file(const std::string& path, std::string_view text);
// One line to standard error, after "koi: ".
int trouble(std::string_view sentence);

// Whether Ctrl-C was pressed since on_interrupt(), or the process was asked to end. A second time
// ends it at once.
void on_interrupt();
bool interrupted();

}  // namespace koi::cli
