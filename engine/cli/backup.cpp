// The commands that keep a deployment's data safe: backup, restore, open.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command.h"
#include "cli/remote.h"
#include "runtime/clock.h"
#include "serve/backup.h"

namespace koi::cli {

namespace {

struct BackupOptions {
  std::string server = "http://127.0.0.1:8700", token_file, by, why;
  std::string data, to, backup;
};

// Of a server that does not run.
int back_up_at_rest(const BackupOptions& options) {
  if (options.to.empty()) return trouble("say with --to where the backup goes");
  const auto directory = store::Directory::open(options.data);
  if (!directory)
    return trouble(directory.error().what +
                   (directory.error().code == "locked"
                        ? "; of a server that runs: koi backup --server ADDRESS"
                        : ""));
  const auto backup = serve::back_up(options.data, options.to, {});
  if (!backup) return trouble(backup.error().what);
  return print(options.to + "\n" + serve::told(*backup));
}

int back_up(const BackupOptions& options) {
  if (!options.data.empty()) return back_up_at_rest(options);
  Remote server(options.server, options.token_file);
  const auto outcome = ask_and_wait(server, "/v1/backups", "", "/v1/backups/");
  if (!outcome) return trouble(outcome.error().what);
  const std::string message = text_of(*outcome, "message");
  if (text_of(*outcome, "state") != "stored") return trouble("no backup was made: " + message);
  return print(message);
}

int restore(const BackupOptions& options) {
  const auto backup = serve::restore(options.backup, options.data, runtime::SystemClock().now());
  if (!backup) return trouble(backup.error().what);
  return print(options.data + ": " + serve::told(*backup) +
               "a server on it takes nothing in and sends nothing until `koi open`\n");
}

int open(const BackupOptions& options) {
  const auto said = query_of(options.by, options.why);
  if (!said) return trouble(said.error().what);
  const auto answer = Remote(options.server, options.token_file).ask("POST", "/v1/open" + *said);
  if (!answer) return trouble(answer.error().what);
  if (answer->first != 200) return trouble(text_of(answer->second, "message"));
  return print("it is open: events are taken and messages go out\n");
}

}  // namespace

std::function<int()> add_backup(CLI::App& app) {
  auto options = std::make_shared<BackupOptions>();
  add_server(app, options->server, options->token_file);
  app.add_option("--data", options->data,
                 "Instead of --server: the data folder of a server that does not run");
  app.add_option("--to", options->to,
                 "With --data: the folder to make. A server's backups go where its --backups says");
  return [options] { return back_up(*options); };
}

std::function<int()> add_restore(CLI::App& app) {
  auto options = std::make_shared<BackupOptions>();
  app.add_option("backup", options->backup, "The folder that `koi backup` made")->required();
  app.add_option("--data", options->data, "The data folder to make of it; it must not exist")
      ->required();
  return [options] { return restore(*options); };
}

std::function<int()> add_open(CLI::App& app) {
  auto options = std::make_shared<BackupOptions>();
  add_server(app, options->server, options->token_file);
  add_said(app, options->by, options->why);
  return [options] { return open(*options); };
}

}  // namespace koi::cli
