// Environment: what stands beside the rules on a machine: which connector serves which channel,
// team and webhook, and with what settings. A file of JSON; without one all go to the console.
// docs/connectors.md shows it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "channel/connector.h"
#include "net/client.h"
#include "plan/plan.h"
#include "runtime/fence.h"
#include "runtime/outbox.h"

namespace koi::runtime {

struct Environment {
  struct Channel {
    std::string connector;
    channel::Given settings;            // not yet checked: only the connector knows them
    std::uint32_t rate_per_second = 0;  // 0: as the rules and the provider say
    std::uint32_t per_day = 0;          // 0: as the provider says
    std::string address = {};           // of a team: whom a message to it goes to
  };
  std::string file;  // its name, for messages; empty without one
  std::map<std::string, Channel> channels, teams, webhooks;
  net::ClientSettings http;  // proxy and authorities
  // Where people reach this deployment, https://host[/path] without a slash at its end; empty: they
  // do not, and links in messages stay as they are.
  std::string public_url;
  // Where this is so, nobody but these is reached, by any channel, team or webhook.
  std::optional<TestRecipients> only_to{};
  // At most so many a second by this channel: of the two that say it, the environment.
  std::uint32_t rate_of(const plan::Channel& channel) const;
};

// Errors name the file, the place and the remedy. A path that cannot be read is error "unreadable".
Result<Environment> read_environment(const std::string& path);
Result<Environment> parse_environment(std::string_view text, std::string file);

// What a channel's connector keeps for its next life.
using NotebookOf = std::function<Result<channel::Notebook*>(const std::string& channel)>;

// What the file names must be there: channels, teams and webhooks in the rules, and the connectors.
Result<void> check_names(const Environment& environment, const plan::Plan& plan,
                         channel::ConnectorTypes types);

// A lane for each of the plan's channels, teams and webhooks, in their order, its connector open.
// Those with the same connector and the same settings share one, with the notebook of the first.
// What the file does not name goes to the console. Every error of the file is in one text, a line
// each.
Result<std::vector<Lane>> open_lanes(const Environment& environment, const plan::Plan& plan,
                                     channel::ConnectorTypes types, const channel::Tools& tools,
                                     const NotebookOf& notebook_of);

}  // namespace koi::runtime
