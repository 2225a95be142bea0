// koi: the table of commands.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cli/command.h"
#include "runtime/sink.h"

namespace koi::cli {

namespace {

constexpr Command command_table[] = {
    {"init", "Makes a folder with a small working program and its test", add_init},
    {"check", "Says all that is wrong with a program", add_check},
    {"test", "Runs the tests in a program's files", add_test},
    {"run", "Feeds events from files through a program and says what it did", add_run},
    {"simulate", "Tries rules on what a server has recorded, beside those that are live",
     add_simulate},
    {"build", "Makes one file of a program that passes its tests, to be put live", add_build},
    {"keys", "Makes the keys that bundles are signed with", add_keys},
    {"serve", "Takes events as they come, decides and delivers, until it is stopped", add_serve},
    {"deploy", "Puts a bundle live on a running server, which goes on taking events", add_deploy},
    {"promote", "Makes a canary the rules of everybody, on a running server", add_promote},
    {"rollback", "Puts the rules before the live ones back, on a running server", add_rollback},
    {"status", "Says what a running server has live, since when, and who is under way in it",
     add_status},
    {"backup", "Copies a deployment's data as of one moment, while it is served", add_backup},
    {"restore", "Makes a data folder of a backup; a server on it is held", add_restore},
    {"open", "Lets a restored deployment take events and send, on a running server", add_open},
    {"pool", "Uploads codes that were made elsewhere to a running server, from files of any length",
     add_pool},
    {"ledger", "Checks the accounts of a data folder against their postings", add_ledger},
    {"explain", "Tells what a diagnostic means, with a wrong and a right example", add_explain},
    {"fmt", "Brings files into the one canonical form, or translates them", add_fmt},
    {"connectors", "Lists the connectors that are built in, with their settings", add_connectors},
    {"connector", "Sends one real message, or checks a program that is a connector", add_connector},
    {"lsp", "Serves an editor: the language server, over standard input and output", add_lsp},
    {"draws",
     "Commits to the chance of prize draws, and makes every draw of a run or a server again",
     add_draws},
    {"docs", "Writes the reference pages that are derived from the code", add_docs},
    {"version", "Prints the version", add_version},
};

volatile std::sig_atomic_t asked_to_end = 0;
void ask_to_end(int) { asked_to_end = 1; }

}  // namespace

void add_language(CLI::App& app, std::string& language) {
  app.add_option("--language", language, "The language of messages: en or zh")
      ->check(CLI::IsMember({"en", "zh"}));
}

Language language_of(const std::string& option) {
  std::string_view said = option;
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"})
    if (const char* value = std::getenv(name); said.empty() && value != nullptr) said = value;
  return said.starts_with("zh") ? Language::Chinese : Language::English;
}

int print(std::string_view text, int status) {
  runtime::Sink out;
  auto written = out.open("-");
  if (written) written = out.write(text);
  if (written) written = out.close();
  return written ? status : trouble(written.error().what);
}

Result<void> write_file(const std::string& path, std::string_view text) {
  runtime::Sink file;
  KOI_TRY(file.open(path));
  KOI_TRY(file.write(text));
  return file.close();
}

int trouble(std::string_view sentence) {
  std::fprintf(stderr, "koi: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
  return Trouble;
}

void on_interrupt() {
  struct sigaction action {};
  action.sa_handler = ask_to_end;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}
bool interrupted() { return asked_to_end != 0; }

}  // namespace koi::cli

int main(int count, char** arguments) {
  using namespace koi::cli;
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of a write
  CLI::App app{"Koi: campaigns in plain words, run over customers' events"};
  app.require_subcommand(1);
  int status = Done;
  for (const Command& command : command_table) {
    CLI::App* const part = app.add_subcommand(command.name, command.summary);
    part->callback([act = command.add(*part), &status] { status = act(); });
  }
  app.footer("koi COMMAND --help tells a command's options.");
  try {
    app.parse(count, arguments);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    return print(chosen.empty() ? app.help() : chosen.front()->help());
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    return trouble(std::string(error.what()) + "\n     `koi " +
                   (chosen.empty() ? "" : chosen.front()->get_name() + " ") +
                   "--help` tells the usage");
  }
  return status;
}
