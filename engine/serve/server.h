// Server: an engine on the network, from the data directory to the last answer. One call is one
// life of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "channel/connector.h"
#include "deploy/bundles.h"
#include "deploy/keys.h"
#include "runtime/environment.h"

namespace koi::serve {

struct ServerOptions {
  std::filesystem::path data;
  std::string address = "127.0.0.1";
  std::uint16_t port = 8700;            // 0: any that is free
  std::uint16_t other_ports = 0;        // where it is in use, so many of the next ones are tried
  std::optional<deploy::KeyRing> keys;  // set: only what some of them have signed is put live:
  std::size_t approvals = 1;            // so many of them
  std::string token;                    // empty: only where `address` is this machine's own
  std::uint16_t groups = 0;             // of a new data directory; 0: one for each core
  std::uint64_t memory = 256u << 20;    // bytes for customers' states
  Duration drain = seconds(10);         // for what is under way when it is told to stop
  std::filesystem::path backups;        // the folder in which backups are made; empty: none are
  std::string version;
  // Told once, when events are taken: the address to open.
  std::function<void(const std::string& url)> ready;
};

// Serves the program (none: what the data directory was last served with) until SIGTERM or SIGINT,
// and then stops cleanly; a second one ends at once. Where the data directory was served with
// another program before, this one is deployed first. Errors name the thing and the remedy: those
// of the data directory and its files and of deploy::deploy, "port_in_use", "address", "token",
// "environment", and whatever stopped the writers while it served.
Result<void> serve(std::vector<deploy::Bundle::File> program,
                   const runtime::Environment& environment, channel::ConnectorTypes connectors,
                   const ServerOptions& options);

}  // namespace koi::serve
