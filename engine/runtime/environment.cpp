#include "runtime/environment.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "channel/allowance.h"
#include "channel/limits.h"
#include "runtime/named_twice.h"

namespace koi::runtime {

namespace {

using Json = nlohmann::json;

constexpr std::size_t longest_file = std::size_t{1} << 20;
constexpr std::uint64_t most_a_second = 1'000'000;
constexpr std::uint64_t most_a_day = 1'000'000'000;

std::string excerpt_in_marks(std::string_view text) {
  std::string out = "`";
  for (const char c : text.substr(0, 60)) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out + "`";
}

void add(std::string& list, std::string_view name) {
  list.append(list.empty() ? "" : ", ").append(name);
}

// What is wrong, a line each, with the file before it.
struct Wrongs {
  const std::string& file;
  std::string text;
  void operator()(std::string_view what) {
    std::string_view rest = what;
    while (!rest.empty()) {  // what has lines of its own keeps the file's name on each
      const std::string_view line = rest.substr(0, rest.find('\n'));
      text.append(text.empty() ? "" : "\n")
          .append(file)
          .append(file.empty() ? "" : ": ")
          .append(line);
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    }
  }
};

// What the file may name: in it a member of one of these lists.
struct NamedList {
  const char* name;
  const char* one;
  std::map<std::string, Environment::Channel> Environment::*named;
};
constexpr std::array lists{NamedList{"channels", "channel", &Environment::channels},
                           NamedList{"teams", "team", &Environment::teams},
                           NamedList{"webhooks", "webhook", &Environment::webhooks}};

void take_channel(const NamedList& list, Environment& environment, const std::string& name,
                  const Json& given, Wrongs& wrong) {
  const std::string place = list.one + (" " + excerpt_in_marks(name));
  if (!given.is_object())
    return wrong(place + R"( must be an object: {"connector": NAME, and its settings})");
  Environment::Channel channel;
  for (const auto& [setting, value] : given.items()) {
    if (setting == "connector") {
      if (value.is_string()) channel.connector = value.get<std::string>();
    } else if (setting == "rate_per_second") {
      const auto rate = value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
      if (rate == 0 || rate > most_a_second)
        wrong(place + ": `rate_per_second` must be a whole number from 1 to 1000000");
      else
        channel.rate_per_second = static_cast<std::uint32_t>(rate);
    } else if (setting == "per_day") {
      const auto count = value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
      if (count == 0 || count > most_a_day)
        wrong(place + ": `per_day` must be a whole number from 1 to 1000000000");
      else
        channel.per_day = static_cast<std::uint32_t>(count);
    } else if (setting == "address" && list.named == &Environment::teams) {
      if (value.is_string()) channel.address = value.get<std::string>();
      if (channel.address.empty())
        wrong(place + R"(: `address` must be whom its messages go to, such as "care@example.com")");
    } else if (value.is_string()) {
      channel.settings.emplace(setting, value.get<std::string>());
    } else if (value.is_boolean()) {
      channel.settings.emplace(setting, value.get<bool>());
    } else if (value.is_number_integer() &&
               (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX)) {
      channel.settings.emplace(setting, value.get<std::int64_t>());
    } else {
      wrong(place + ": " + excerpt_in_marks(setting) +
            " must be a text, a whole number, true or false");
    }
  }
  if (channel.connector.empty()) wrong(place + R"( names no connector: "connector": NAME)");
  (environment.*list.named).emplace(name, std::move(channel));
}

// All that a plan's deliveries may go to. Names are of one program, so that no two are the same.
struct Wanted {
  const NamedList* list = nullptr;
  std::string name;
  std::uint32_t rate_per_second = 0;
};
std::vector<Wanted> wanted_by(const Environment& environment, const plan::Plan& plan) {
  std::vector<Wanted> wanted;
  for (const plan::Channel& channel : plan.channels)
    wanted.push_back({&lists[0], channel.symbol.name, environment.rate_of(channel)});
  for (const Symbol& team : plan.teams) wanted.push_back({&lists[1], team.name, 0});
  for (const Symbol& webhook : plan.webhooks) wanted.push_back({&lists[2], webhook.name, 0});
  return wanted;
}

// What the environment says of a provider's account, at whichever of the names that share it.
channel::Allowance::Said said_of_account(const Environment& environment,
                                         const Environment::Channel& given) {
  channel::Allowance::Said said;
  for (const NamedList& list : lists)
    for (const auto& [name, other] : environment.*list.named) {
      if (other.connector != given.connector || other.settings != given.settings) continue;
      said.rate = said.rate || other.rate_per_second > 0;
      said.per_day = std::max<std::uint64_t>(said.per_day, other.per_day);
    }
  return said;
}

void take_http(Environment& environment, const Json& given, Wrongs& wrong) {
  if (!given.is_object())
    return wrong(R"(`http` must be an object: {"proxy": ADDRESS, "ca_file": PATH}, both optional)");
  for (const auto& [name, value] : given.items()) {
    if ((name != "proxy" && name != "ca_file") || !value.is_string())
      wrong("`http`: " + excerpt_in_marks(name) +
            " is no setting of it, or no text; it takes proxy and ca_file");
    else
      (name == "proxy" ? environment.http.proxy : environment.http.ca_file) =
          value.get<std::string>();
  }
}

void take_only_to(Environment& environment, const Json& given, Wrongs& wrong) {
  environment.only_to.emplace();
  const bool are_texts =
      given.is_array() && std::all_of(given.begin(), given.end(), [](const Json& each) {
        return each.is_string() && !each.get_ref<const std::string&>().empty();
      });
  if (!are_texts)
    return wrong(
        "`only_test_recipients` must be a list of customers' ids and of addresses as "
        "`phone:+8613800138000`: nobody else is reached");
  for (const Json& each : given) environment.only_to->insert(each.get<std::string>());
}

void take_public_url(Environment& environment, const Json& given, Wrongs& wrong) {
  std::string url = given.is_string() ? given.get<std::string>() : std::string();
  while (url.ends_with('/')) url.pop_back();
  const std::size_t scheme = url.starts_with("https://")  ? 8
                             : url.starts_with("http://") ? 7
                                                          : std::string::npos;
  const bool is_plain = std::all_of(url.begin(), url.end(), [](char c) {
    return c > 0x20 && c < 0x7f && std::string_view("?#\"<>").find(c) == std::string_view::npos;
  });
  if (scheme == std::string::npos || url.size() <= scheme || url[scheme] == '/' || !is_plain ||
      url.size() > 200)
    return wrong(
        "`public_url` must be the address at which people reach this server, such as "
        "https://m.example.com");
  environment.public_url = std::move(url);
}

}  // namespace

Result<Environment> parse_environment(std::string_view text, std::string file) {
  Environment environment;
  environment.file = std::move(file);
  Wrongs wrong{environment.file, {}};

  NamedTwice twice;
  Json json;
  try {
    json = Json::parse(text, std::ref(twice), true, true);
  } catch (const Json::parse_error& error) {
    const std::size_t at = std::min(error.byte, text.size());
    const auto line =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
    wrong("line " + std::to_string(line) +
          ": this is not JSON; look for a missing comma, quote or brace");
    return Error{"environment", wrong.text};
  }
  for (const std::string& name : twice.names())
    wrong(excerpt_in_marks(name) + " stands there twice; leave one");
  if (!json.is_object()) {
    wrong(R"(must be an object: {"channels": {…}})");
    return Error{"environment", wrong.text};
  }
  for (const auto& [name, value] : json.items()) {
    const auto list = std::find_if(lists.begin(), lists.end(),
                                   [&](const NamedList& each) { return each.name == name; });
    if (list != lists.end() && value.is_object()) {
      for (const auto& [channel, given] : value.items())
        take_channel(*list, environment, channel, given, wrong);
    } else if (list != lists.end()) {
      wrong(excerpt_in_marks(name) + R"( must be an object: {"sms": {"connector": "console"}})");
    } else if (name == "http") {
      take_http(environment, value, wrong);
    } else if (name == "public_url") {
      take_public_url(environment, value, wrong);
    } else if (name == "only_test_recipients") {
      take_only_to(environment, value, wrong);
    } else {
      wrong(excerpt_in_marks(name) +
            " is not known here; there are channels, teams, webhooks, http, public_url and "
            "only_test_recipients");
    }
  }
  if (!wrong.text.empty()) return Error{"environment", wrong.text};
  return environment;
}

std::uint32_t Environment::rate_of(const plan::Channel& channel) const {
  const auto found = channels.find(channel.symbol.name);
  const bool is_said = found != channels.end() && found->second.rate_per_second != 0;
  return is_said ? found->second.rate_per_second : channel.rate_per_second;
}

Result<Environment> read_environment(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(longest_file + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad())
    return Error{"unreadable",
                 path + ": cannot be read; does the file exist, and may this user read it?"};
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > longest_file)
    return Error{"environment", path + ": longer than 1 MiB, so it is no environment file"};
  return parse_environment(text, path);
}

Result<void> check_names(const Environment& environment, const plan::Plan& plan,
                         channel::ConnectorTypes types) {
  Wrongs wrong{environment.file, {}};
  const std::vector<Wanted> wanted = wanted_by(environment, plan);
  std::string connectors;
  for (const channel::ConnectorType* const type : types) add(connectors, type->name);

  for (const NamedList& list : lists) {
    std::string names;
    for (const Wanted& each : wanted)
      if (each.list == &list) add(names, each.name);
    for (const auto& [name, given] : environment.*list.named) {
      const std::string one = list.one + (" " + excerpt_in_marks(name));
      if (std::none_of(wanted.begin(), wanted.end(),
                       [&](const Wanted& each) { return each.list == &list && each.name == name; }))
        wrong("the rules declare no " + one + "; they have: " + (names.empty() ? "none" : names));
      if (!channel::find(types, given.connector))
        wrong(one + ": there is no connector " + excerpt_in_marks(given.connector) +
              "; there are: " + connectors);
    }
  }
  if (!wrong.text.empty()) return Error{"environment", wrong.text};
  return {};
}

Result<std::vector<Lane>> open_lanes(const Environment& environment, const plan::Plan& plan,
                                     channel::ConnectorTypes types, const channel::Tools& tools,
                                     const NotebookOf& notebook_of) {
  KOI_TRY(check_names(environment, plan, types));
  Wrongs wrong{environment.file, {}};
  const std::vector<Wanted> wanted = wanted_by(environment, plan);
  const Environment::Channel to_console{"console", {}};
  struct Opened {
    std::shared_ptr<channel::Connector> connector;
    std::shared_ptr<const channel::Limits> limits;
    std::shared_ptr<channel::Allowance> allowance;
  };
  std::map<std::pair<std::string, channel::Given>, Opened> all;
  std::vector<Lane> lanes;
  for (const Wanted& each : wanted) {
    const auto& named = environment.*each.list->named;
    const auto found = named.find(each.name);
    const Environment::Channel& given = found == named.end() ? to_console : found->second;
    const channel::ConnectorType* const type = channel::find(types, given.connector);
    KOI_ASSERT(type);  // the console is always built in
    Opened& opened = all[{given.connector, given.settings}];
    if (!opened.connector) {
      const auto name_it = [&](const Error& error) {
        std::string_view rest = error.what;
        while (!rest.empty()) {
          const std::string_view line = rest.substr(0, rest.find('\n'));
          wrong(each.list->one + (" " + excerpt_in_marks(each.name)) + " (" + given.connector +
                "): " + std::string(line));
          rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        }
      };
      const auto settings = channel::Settings::read(type->settings, given.settings);
      if (!settings) {
        name_it(settings.error());
        continue;
      }
      KOI_LET(channel::Notebook* const notes, notebook_of(each.name));
      channel::Tools own = tools;
      own.notes = notes;
      auto connector = type->open(*settings, std::move(own));
      if (!connector) {
        name_it(connector.error());
        continue;
      }
      auto limits = channel::Limits::of(*type, given.settings);
      if (!limits) {
        name_it(limits.error());
        continue;
      }
      opened.connector = *std::move(connector);
      opened.limits = std::make_shared<const channel::Limits>(*std::move(limits));
      if (environment.only_to)
        opened.connector = fenced(std::move(opened.connector), *environment.only_to);
      const auto said = said_of_account(environment, given);
      channel::Allowance::Ground ground{tools.executor, tools.now, plan.policy.zone};
      if (channel::Allowance::counts_days(type->capabilities, said)) {
        KOI_LET(ground.notes, notebook_of(each.name + "/day"));
      }
      opened.allowance =
          std::make_shared<channel::Allowance>(type->capabilities, said, std::move(ground));
    }
    lanes.push_back({each.name, type, opened.connector, each.rate_per_second, opened.limits,
                     opened.allowance, given.address});
  }
  if (!wrong.text.empty()) return Error{"environment", wrong.text};
  return lanes;
}

}  // namespace koi::runtime
