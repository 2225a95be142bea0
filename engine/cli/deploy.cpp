// The commands that speak to a running server: deploy, rollback, status.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>

#include "cli/asking.h"
#include "cli/bundle.h"
#include "cli/command.h"
#include "cli/remote.h"
#include "net/client.h"

namespace koi::cli {

namespace {

struct DeployOptions {
  std::string package, server = "http://127.0.0.1:8700", token_file, by, why, format = "text";
  // What becomes of those who are under way.
  std::vector<std::string> migrate, steps, stop;
  std::string canary;
  bool preview = false;  // that alone is said
  bool has_ways() const { return !migrate.empty() || !stop.empty(); }
};

std::string ways_of(const DeployOptions& options) {
  std::string query;
  const auto add = [&](const char* name, const std::vector<std::string>& values) {
    for (const std::string& value : values)
      query += std::string("&") + name + "=" + net::percent_encoded(value);
  };
  add("migrate", options.migrate);
  add("step", options.steps);
  add("stop", options.stop);
  if (!options.canary.empty()) add("canary", {options.canary});
  return query;
}

// Asks for it, waits until it is over, and prints what came of it.
int ask_for(Remote& server, const std::string& path, const std::string& body) {
  const auto outcome = ask_and_wait(server, path, body, "/v1/deploys/");
  if (!outcome) {
    const bool was_lost = outcome.error().code == "lost";
    return trouble(outcome.error().what +
                   (was_lost ? "; `koi status` says what is live, once it serves again" : ""));
  }
  const std::string state = text_of(*outcome, "state"), message = text_of(*outcome, "message");
  if (state == "refused") return trouble("not put live: " + message);
  if (state == "preview") return print(message);
  return print(message + "events waited for " + std::to_string(number_of(*outcome, "paused_ms")) +
               " ms\n");
}

// Says whom it moves before it does so.
int put_live(const DeployOptions& options, const std::string& path, const std::string& body) {
  const auto said = query_of(options.by, options.why);
  if (!said) return trouble(said.error().what);
  Remote server(options.server, options.token_file);
  const std::string whole = path + *said + ways_of(options);
  if (options.has_ways() || options.preview) {
    const int told = ask_for(server, whole + "&preview=1", body);
    if (told != Done || options.preview) return told;
    std::fflush(stdout);
  }
  return ask_for(server, whole, body);
}

int deploy(const DeployOptions& options) {
  // What is wrong with it is said here, before anything is sent.
  const auto package = read_package(options.package);
  if (!package) return trouble(package.error().what);
  return put_live(options, "/v1/deploys", deploy::encode(*package));
}

std::string turn_of(const Json& turn) {
  const std::string by = text_of(turn, "by"), why = text_of(turn, "why"),
                    canary = text_of(turn, "canary");
  return text_of(turn, "bundle") + " since " + text_of(turn, "since") +
         (by.empty() ? "" : " by " + by) +
         (canary.empty() ? "" : " for " + canary + " of the customers") +
         (why.empty() ? "" : ": " + why) + "\n";
}

int status(const DeployOptions& options) {
  const auto answer = Remote(options.server, options.token_file).ask("GET", "/v1/status");
  if (!answer) return trouble(answer.error().what);
  const Json& json = answer->second;
  if (answer->first != 200) return trouble(text_of(json, "message"));
  if (options.format == "json") return print(json.dump() + "\n");
  std::string out = "live   " + turn_of(object_of(json, "live"));
  const Json history = list_of(json, "history");
  for (std::size_t i = 1; i < history.size(); ++i) out += "before " + turn_of(history[i]);
  const Json under_way = list_of(json, "under_way");
  for (const Json& campaign : list_of(object_of(json, "figures"), "campaigns")) {
    const std::string version = text_of(campaign, "version");
    const std::string name = text_of(campaign, "name") + (version.empty() ? "" : "@" + version);
    std::uint64_t journeys = 0;
    for (const Json& each : under_way)
      if (text_of(each, "campaign") == name) journeys = number_of(each, "journeys");
    std::uint64_t all = journeys;
    std::string line = name + ": " + std::to_string(journeys) + " under way";
    for (const char* figure : {"entered", "sent", "goals", "left"}) {
      line += ", " + std::to_string(number_of(campaign, figure)) + " " + figure;
      all += number_of(campaign, figure);
    }
    if (const std::uint64_t given = number_of(campaign, "given"); given > 0)
      line += ", " + std::to_string(given) + " given";
    const Json refused = object_of(campaign, "refused");
    for (const auto& [reason, count] : refused.items())
      line += ", " + count.dump() + " refused: " + reason;
    // A former version that nobody was in meanwhile; the next deploy lets go of it.
    if (!version.empty() && all == 0 && refused.empty()) continue;
    out += line;
    out += "\n";
  }
  for (const Json& referral : list_of(object_of(json, "figures"), "referrals")) {
    out += "referral " + text_of(referral, "name") + ": " +
           std::to_string(number_of(referral, "joined")) + " joined, " +
           std::to_string(number_of(referral, "qualified")) + " qualified";
    if (const std::string k = text_of(referral, "k_factor"); !k.empty()) out += ", K " + k;
    if (referral.contains("cycle_seconds") && referral["cycle_seconds"].is_number())
      out += ", cycle " +
             to_string(seconds(static_cast<std::int64_t>(number_of(referral, "cycle_seconds"))));
    out += "\n";
  }
  // As written in the rules: of money with its decimals, else a number.
  const auto amount_of = [](const Json& budget, const char* name) {
    const std::string money = text_of(budget, name);
    return money.empty() ? std::to_string(number_of(budget, name)) : money;
  };
  for (const Json& budget : list_of(json, "budgets"))
    if (budget.contains("budget"))
      out += "budget " + text_of(budget, "name") + ": " + amount_of(budget, "left") + " left of " +
             amount_of(budget, "budget") + "\n";
  for (const Json& pool : list_of(json, "pools"))
    out += "pool " + text_of(pool, "name") + ": " + std::to_string(number_of(pool, "left")) +
           " codes left of " + std::to_string(number_of(pool, "uploaded")) +
           (pool.value("is_low", false) ? ", which are few" : "") + "\n";
  return print(out);
}

void add_ways(CLI::App& app, DeployOptions& options) {
  app.add_option("--migrate", options.migrate,
                 "Who is under way in this campaign goes on in its new version, at the step of the "
                 "same name; may be given more than once")
      ->allow_extra_args(false);
  app.add_option("--step", options.steps,
                 "With --migrate: \"CAMPAIGN: STEP = STEP\", a former step and where those who "
                 "stand at it go on")
      ->allow_extra_args(false);
  app.add_option("--stop", options.stop,
                 "Who is under way in this campaign ends; may be given more than once")
      ->allow_extra_args(false);
  app.add_flag("--preview", options.preview, "Says whom it would move and stop, and does nothing");
}

}  // namespace

int ask(const Asking& asking) {
  std::string at = asking.at;
  if (at.empty()) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    at = to_string(Timestamp{std::chrono::duration_cast<std::chrono::microseconds>(now).count()},
                   utc());
  }
  std::string what;
  if (!asking.campaign.empty()) what = "&campaign=" + net::percent_encoded(asking.campaign);
  if (!asking.message.empty()) what = "&message=" + net::percent_encoded(asking.message);
  const auto answer =
      Remote(asking.server, asking.token_file)
          .ask("GET", "/v1/explain?customer=" + net::percent_encoded(asking.customer) + what +
                          "&at=" + net::percent_encoded(at));
  if (!answer) return trouble(answer.error().what);
  if (answer->first != 200) return trouble(text_of(answer->second, "message"));
  return print(answer->second.dump(2) + "\n");
}

std::function<int()> add_deploy(CLI::App& app) {
  auto options = std::make_shared<DeployOptions>();
  app.add_option("bundle", options->package, "What `koi build` made (.koib)")->required();
  add_server(app, options->server, options->token_file);
  add_said(app, options->by, options->why);
  add_ways(app, *options);
  app.add_option(
      "--canary", options->canary,
      "For this part of the customers alone, as 5%: the same ones as long as these rules "
      "are a canary. All others go on entering the campaigns as they were");
  return [options] { return deploy(*options); };
}

std::function<int()> add_promote(CLI::App& app) {
  auto options = std::make_shared<DeployOptions>();
  add_server(app, options->server, options->token_file);
  add_said(app, options->by, options->why);
  return [options] { return put_live(*options, "/v1/promote", {}); };
}

std::function<int()> add_rollback(CLI::App& app) {
  auto options = std::make_shared<DeployOptions>();
  add_server(app, options->server, options->token_file);
  add_said(app, options->by, options->why);
  add_ways(app, *options);
  return [options] { return put_live(*options, "/v1/rollback", {}); };
}

std::function<int()> add_status(CLI::App& app) {
  auto options = std::make_shared<DeployOptions>();
  add_server(app, options->server, options->token_file);
  app.add_option("--format", options->format, "text, or json")
      ->check(CLI::IsMember({"text", "json"}));
  return [options] { return status(*options); };
}

}  // namespace koi::cli
