#include <unistd.h>

#include <CLI/CLI.hpp>

#include <charconv>
#include <memory>

#include "cli/bundle.h"
#include "cli/command.h"
#include "cli/program.h"
#include "connectors/list.h"
#include "runtime/environment.h"
#include "serve/server.h"

namespace koi::cli {

namespace {

struct ServeOptions {
  std::vector<std::string> paths;
  std::string data, backups, environment, listen = "127.0.0.1:8700", token_file, keys, language;
  std::size_t approvals = 1;
  std::uint16_t groups = 0, other_ports = 0;
  std::uint64_t memory_mib = 256;
};

// "127.0.0.1:8700", "[::1]:8700", ":8700", "8700"
bool read_listen(const std::string& text, serve::ServerOptions& into) {
  const std::size_t colon = text.rfind(':');
  std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (!host.empty()) into.address = host;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), into.port);
  return read.ec == std::errc() && read.ptr == port.data() + port.size();
}

int serve(const ServeOptions& options) {
  const Language language = language_of(options.language);
  serve::ServerOptions server;
  if (!options.keys.empty()) {
    auto keys = read_keys(options.keys);
    if (!keys) return trouble(keys.error().what);
    server.keys = *std::move(keys);
    server.approvals = options.approvals;
  }
  std::vector<deploy::Bundle::File> files;
  if (options.paths.size() == 1 && is_package(options.paths.front())) {
    auto package = read_package(options.paths.front());
    if (!package) return trouble(package.error().what);
    if (server.keys) {
      const auto by = deploy::signed_by(*package, *server.keys);
      if (!by) return trouble(by.error().what);
      if (by->size() < server.approvals)
        return trouble("the bundle is signed by " + std::to_string(by->size()) +
                       " of the key ring, and wants " + std::to_string(server.approvals));
    }
    if (const auto good = deploy::check_plan(*package); !good) return trouble(good.error().what);
    files = std::move(package->files);
  } else if (!options.paths.empty()) {
    if (server.keys)
      return trouble("with --keys only signed bundles are served; `koi build` makes them");
    const auto program = load_program(options.paths, language);
    if (!program) return trouble(program.error().what);
    if (program->errors > 0) return print(render(*program, language, false), Findings);
    files = files_of(*program);
  }

  server.data = options.data;
  server.backups = options.backups;
  server.groups = options.groups;
  server.other_ports = options.other_ports;
  server.memory = options.memory_mib << 20;
  server.version = KOI_VERSION;
  if (!read_listen(options.listen, server))
    return trouble("`--listen " + options.listen + "` is no address; write it as 127.0.0.1:8700");
  auto token = read_token(options.token_file);
  if (!token) return trouble(token.error().what);
  server.token = *std::move(token);
  server.ready = [](const std::string& url) {
    print("Koi serves at " + url + " (Ctrl-C stops it)\n");
    std::fflush(stdout);
  };

  runtime::Environment environment;
  if (!options.environment.empty()) {
    auto read = runtime::read_environment(options.environment);
    if (!read) return trouble(read.error().what);
    environment = *std::move(read);
  }
  const auto served = serve::serve(std::move(files), environment, connectors::all(), server);
  return served ? Done : trouble(served.error().what);
}

}  // namespace

std::function<int()> add_serve(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  app.add_option(
      "paths", options->paths,
      "Files of .koi, folders of them, or one bundle (.koib); none: what is live already");
  app.add_option("--data", options->data,
                 "The folder that keeps everything; made where it is missing")
      ->required();
  app.add_option("--backups", options->backups,
                 "The folder in which `koi backup` makes backups while this serves");
  app.add_option(
      "--env", options->environment,
      "Which connector serves which channel (docs/connectors.md); none: all to the console");
  app.add_option("--listen", options->listen, "Address and port")->capture_default_str();
  app.add_option("--other-ports", options->other_ports,
                 "Where the port is in use, so many of the next ones are tried")
      ->capture_default_str();
  app.add_option("--token-file", options->token_file,
                 "Its first line is the token that requests must bring; else KOI_TOKEN");
  app.add_option("--keys", options->keys,
                 "A key ring: only bundles that one of its keys has signed are put live");
  app.add_option("--approvals", options->approvals,
                 "By so many of the key ring's keys a bundle must be signed")
      ->capture_default_str()
      ->check(CLI::Range(1, 16));
  app.add_option("--memory", options->memory_mib, "For customers' states, in MiB")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  app.add_option(
         "--groups", options->groups,
         "Of partitions, in a new data folder; else one for each core, and one in all where "
         "customers compete for what the rules give")
      ->check(CLI::Range(1, 1024));
  add_language(app, options->language);
  return [options] { return serve(*options); };
}

}  // namespace koi::cli
