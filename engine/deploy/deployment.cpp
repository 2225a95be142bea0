#include "deploy/deployment.h"

#include <nlohmann/json.hpp>
#include <random>

#include "base/decimal.h"
#include "deploy/files.h"

namespace koi::deploy {

namespace {

using Json = nlohmann::ordered_json;

constexpr int deployment_version = 4;  // 3: states had no folder; 2: no ways; 1: nothing was linked
constexpr std::size_t longest_deployment = std::size_t{64} << 20;
constexpr std::uint32_t everybody = 1'000'000;
constexpr std::string_view states_prefix = "states-";

std::filesystem::path file_of(const store::Directory& directory) {
  return directory.path() / "deployment.json";
}

// Exactly `digits` lower-case hexadecimal digits, at most sixteen.
std::optional<std::uint64_t> from_hex(std::string_view text, std::size_t digits) {
  if (text.size() != digits) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    number = number << 4 | static_cast<std::uint64_t>(digit);
  }
  return number;
}

std::string hex(std::uint64_t number) { return to_hex({number, 0}).substr(0, 16); }

// Takes a file's members one by one; what is not as it must be makes all of it fail.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}
  bool ok() const { return ok_; }

  std::string text(const char* name) {
    const Json* found = member(name);
    if (found == nullptr || !found->is_string()) return fail<std::string>();
    return found->get<std::string>();
  }
  std::uint64_t seed(const char* name) {
    const auto number = from_hex(text(name), 16);
    return number ? *number : fail<std::uint64_t>();
  }
  Hash128 hash(const char* name) {
    const std::string digits = text(name);
    if (digits.size() != 32) return fail<Hash128>();
    const auto high = from_hex(std::string_view(digits).substr(0, 16), 16);
    const auto low = from_hex(std::string_view(digits).substr(16), 16);
    return high && low ? Hash128{*high, *low} : fail<Hash128>();
  }
  Timestamp instant(const char* name) {
    const auto at = parse_instant(text(name));
    return at ? *at : fail<Timestamp>();
  }
  std::vector<store::Position> positions(const char* name) {
    std::vector<store::Position> all;
    for (const Json& each : list(name)) {
      if (!each.is_number_unsigned()) return fail<std::vector<store::Position>>();
      all.push_back(each.get<store::Position>());
    }
    return all;
  }
  // As list(), where a file of an earlier version has none.
  Json list_if_any(const char* name) {
    return member(name) == nullptr ? Json::array() : list(name);
  }
  std::string text_if_any(const char* name) { return member(name) == nullptr ? "" : text(name); }
  Json list(const char* name) {
    const Json* found = member(name);
    return found != nullptr && found->is_array() ? *found : fail<Json>();
  }
  bool flag(const char* name) {
    const Json* found = member(name);
    return found != nullptr && found->is_boolean() ? found->get<bool>() : fail<bool>();
  }

 private:
  const Json* member(const char* name) const {
    if (!json_.is_object()) return nullptr;
    const auto found = json_.find(name);
    return found == json_.end() ? nullptr : &*found;
  }
  template <class T>
  T fail() {
    ok_ = false;
    return T{};
  }

  const Json& json_;
  bool ok_ = true;
};

Json json_of(const std::vector<CampaignMove>& moves) {
  Json all = Json::array();
  for (const CampaignMove& move : moves) {
    Json steps = Json::array();
    for (const StepMove& step : move.steps) steps.push_back({{"from", step.from}, {"to", step.to}});
    all.push_back({{"campaign", move.campaign}, {"steps", std::move(steps)}});
  }
  return all;
}

// False where it is not as to_json() writes it.
bool read_ways(Reader& turn, Ways& ways) {
  bool good = true;
  for (const Json& each : turn.list_if_any("migrate")) {
    Reader move(each);
    ways.migrate.push_back({move.text("campaign")});
    for (const Json& each_step : move.list("steps")) {
      Reader step(each_step);
      ways.migrate.back().steps.push_back({step.text("from"), step.text("to")});
      good = good && step.ok();
    }
    good = good && move.ok();
  }
  for (const Json& each : turn.list_if_any("stop")) {
    good = good && each.is_string();
    if (good) ways.stop.push_back(each.get<std::string>());
  }
  return good;
}

bool read_canary(const Json& turn, Turn& into) {
  const auto found = turn.is_object() ? turn.find("canary") : turn.end();
  if (!turn.is_object() || found == turn.end()) return true;
  Reader in(*found);
  into.against = in.hash("against");
  const auto share = found->is_object() ? found->find("millionths") : found->end();
  if (!found->is_object() || share == found->end() || !share->is_number_unsigned()) return false;
  const auto millionths = share->get<std::uint64_t>();
  into.ways.canary = static_cast<std::uint32_t>(millionths);
  return in.ok() && millionths > 0 && millionths < everybody;
}

}  // namespace

std::string percent_text(std::uint32_t millionths) {
  std::string text = std::to_string(millionths / 10'000);
  if (std::string rest = std::to_string(millionths % 10'000 + 10'000).substr(1); rest != "0000") {
    rest.resize(rest.find_last_not_of('0') + 1);
    text += "." + rest;
  }
  return text + "%";
}

std::optional<std::uint32_t> percent_of(std::string_view text) {
  if (text.ends_with('%')) text.remove_suffix(1);
  const auto share = parse_decimal(text);
  if (!share || share->millionths <= 0 || share->millionths >= 100'000'000) return std::nullopt;
  const auto millionths = static_cast<std::uint32_t>(share->millionths / 100);
  if (millionths == 0) return std::nullopt;
  return millionths;
}

std::string states_folder(std::size_t turn) {
  return std::string(states_prefix) + std::to_string(turn);
}

bool is_states_folder(std::string_view name) {
  if (!name.starts_with(states_prefix)) return false;
  name.remove_prefix(states_prefix.size());
  return !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
}

Hash128 name_of(const Turn& turn) {
  if (turn.kept.empty() && turn.ways.canary == 0) return turn.bundle;
  HashInput hash;
  hash.text("linked").number(turn.bundle.high).number(turn.bundle.low);
  for (const Kept& each : turn.kept)
    hash.number(each.bundle.high).number(each.bundle.low).text(each.campaign).number(each.version);
  if (turn.ways.canary != 0)
    hash.text("canary").number(turn.ways.canary).number(turn.against.high).number(turn.against.low);
  return hash.hash128();
}

std::string to_json(const Deployment& deployment) {
  Json turns = Json::array();
  for (const Turn& turn : deployment.turns) {
    Json kept = Json::array();
    for (const Kept& each : turn.kept)
      kept.push_back({{"campaign", each.campaign},
                      {"version", hex(each.version)},
                      {"bundle", to_hex(each.bundle)}});
    turns.push_back({{"bundle", to_hex(turn.bundle)},
                     {"since", to_string(turn.since, utc())},
                     {"positions", turn.positions}});
    if (!kept.empty()) turns.back()["kept"] = std::move(kept);
    if (!turn.by.empty()) turns.back()["by"] = turn.by;
    if (!turn.why.empty()) turns.back()["why"] = turn.why;
    if (!turn.ways.migrate.empty()) turns.back()["migrate"] = json_of(turn.ways.migrate);
    if (!turn.ways.stop.empty()) turns.back()["stop"] = turn.ways.stop;
    if (turn.ways.canary != 0)
      turns.back()["canary"] = {{"millionths", turn.ways.canary},
                                {"against", to_hex(turn.against)}};
  }
  Json all = {{"koi", "deployment"},
              {"version", deployment_version},
              {"seed", hex(deployment.seed)},
              {"created", to_string(deployment.created, utc())},
              {"under_way", deployment.is_under_way},
              {"deploys", std::move(turns)}};
  if (!deployment.states.empty()) all["states"] = deployment.states;
  return all.dump(2) + "\n";
}

Result<Deployment> deployment_of(std::string_view json, std::string_view file) {
  const Error damaged{"corrupt", std::string(file) +
                                     " is damaged; put it back from a backup: it has the seed and "
                                     "the history that the states beside it were decided by"};
  const Json all = Json::parse(json, nullptr, false);
  Reader in(all);
  if (in.text("koi") != "deployment") return damaged;
  const auto found = all.find("version");
  if (found == all.end() || !found->is_number_integer()) return damaged;
  if (found->get<std::int64_t>() > deployment_version)
    return Error{"newer",
                 std::string(file) + " was written by a later version of Koi; start that one"};
  Deployment deployment;
  deployment.seed = in.seed("seed");
  deployment.created = in.instant("created");
  deployment.is_under_way = in.flag("under_way");
  deployment.states = in.text_if_any("states");
  bool good = true;
  for (const Json& each : in.list("deploys")) {
    Reader turn(each);
    deployment.turns.push_back(
        {turn.hash("bundle"), turn.instant("since"), turn.positions("positions")});
    for (const Json& each_kept : turn.list_if_any("kept")) {
      Reader kept(each_kept);
      deployment.turns.back().kept.push_back(
          {kept.hash("bundle"), kept.text("campaign"), kept.seed("version")});
      good = good && kept.ok();
    }
    deployment.turns.back().by = turn.text_if_any("by");
    deployment.turns.back().why = turn.text_if_any("why");
    good = read_ways(turn, deployment.turns.back().ways) && good;
    good = read_canary(each, deployment.turns.back()) && good;
    const Turn& before =
        deployment.turns[deployment.turns.size() > 1 ? deployment.turns.size() - 2 : 0];
    const Turn& now = deployment.turns.back();
    good = good && turn.ok() && now.positions.size() == before.positions.size() &&
           now.since >= before.since && !now.positions.empty();
    for (std::size_t i = 0; good && i < now.positions.size(); ++i)
      good = now.positions[i] >= before.positions[i];
  }
  good = good && (deployment.states.empty() || is_states_folder(deployment.states));
  good = good && (!deployment.is_under_way || deployment.turns.size() > 1);
  if (!good || !in.ok()) return damaged;
  return deployment;
}

Result<std::optional<Deployment>> read_deployment(const store::Directory& directory) {
  const auto file = file_of(directory);
  KOI_LET(const auto bytes, read_whole(file, longest_deployment));
  if (!bytes) return std::optional<Deployment>();
  KOI_LET(Deployment deployment, deployment_of(*bytes, file.string()));
  return std::optional<Deployment>(std::move(deployment));
}

Result<void> write_deployment(const store::Directory& directory, const Deployment& deployment) {
  return write_whole(file_of(directory), to_json(deployment));
}

Result<Deployment> begin_deployment(const store::Directory& directory, Timestamp now) {
  KOI_LET(auto known, read_deployment(directory));
  if (known) return *std::move(known);
  std::random_device chance;
  Deployment deployment;
  deployment.seed = std::uint64_t{chance()} << 32 | chance();
  deployment.created = now;
  KOI_TRY(write_deployment(directory, deployment));
  return deployment;
}

}  // namespace koi::deploy
