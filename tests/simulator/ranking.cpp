#include "ranking.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

namespace koi::simulator {

namespace fs = std::filesystem;

Ranking::Ranking(Chance chance, fs::path file) : chance_(chance), file_(std::move(file)) {
  lose_file();  // of another seed
}

void Ranking::keep_file() {
  kept_.reset();
  std::ifstream in(file_, std::ios::binary);
  if (!in) return;
  std::ostringstream bytes;
  bytes << in.rdbuf();
  kept_ = bytes.str();
}

void Ranking::put_file_back() const {
  if (kept_)
    std::ofstream(file_, std::ios::binary) << *kept_;
  else
    fs::remove(file_);
}

void Ranking::lose_file() {
  kept_.reset();
  put_file_back();
}

namespace {

using Levels = std::map<std::string, std::int64_t>;

// By (what was spent in the day before, id), of those who have bought anything. Who has turned out
// to be another since was ranked for himself; over groups it may have been settled before that, so
// there is nothing to compare with then.
std::optional<Levels> levels_at(const plan::Tier& tier, const Replay& replay, Timestamp at) {
  if (replay.has_lost_merge) return std::nullopt;
  std::vector<store::Position> borders;  // by group: before it everything counts
  for (const auto& openings : replay.openings) {
    const auto behind = std::find_if(openings.begin(), openings.end(),
                                     [&](const auto& each) { return each.second > at; });
    borders.push_back(behind == openings.end() ? UINT64_MAX : behind->first);
  }
  std::map<std::string, std::string> stays;  // who has gone, and to whom
  for (const Joined& each : replay.joined) {
    if (each.position <= borders[each.group])
      stays[each.goes] = each.stays;
    else if (borders.size() > 1)
      return std::nullopt;
  }
  std::map<std::string, std::int64_t> spent;
  std::set<std::string> counted;  // what came again to another group counts once
  for (const Bought& each : replay.bought) {
    if (each.position > borders[each.group] || !counted.insert(each.id).second) continue;
    if (!each.is_sure) return std::nullopt;
    std::string customer = each.customer;
    for (auto on = stays.find(customer); on != stays.end(); on = stays.find(customer))
      customer = on->second;
    std::int64_t& sum = spent[customer];
    if (each.time > at - days(1)) sum += each.amount;
  }
  std::vector<std::pair<std::int64_t, std::string>> ranked;
  for (const auto& [customer, sum] : spent) ranked.emplace_back(sum, customer);
  std::sort(ranked.begin(), ranked.end());
  Levels levels;
  const auto n = static_cast<std::int64_t>(ranked.size());
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t level = 0;
    for (const std::int64_t share : tier.up_to)
      if (i * 1'000'000 < (1'000'000 - share) * n) ++level;
    levels[ranked[static_cast<std::size_t>(i)].second] = level;
  }
  return levels;
}

}  // namespace

void check_ranks(const plan::Plan& plan, const Replay& replay, const serve::Ranks* ranks,
                 Record& record) {
  if (plan.tiers.empty()) return;
  const plan::Tier& tier = plan.tiers[0];
  const auto none = static_cast<std::int64_t>(tier.up_to.size());
  const auto level_in = [&](const Levels& levels, const std::string& customer) {
    const auto found = levels.find(customer);
    return found == levels.end() ? none : found->second;
  };
  std::map<Timestamp, std::optional<Levels>> counted;
  for (const Ranked& each : replay.ranked) {
    const auto [place, is_new] = counted.try_emplace(each.at);
    if (is_new) place->second = levels_at(tier, replay, each.at);
    if (!place->second) continue;
    if (const std::int64_t level = level_in(*place->second, each.customer); level != each.level)
      record.breach(each.customer + " was told level " + std::to_string(each.level) + " as of " +
                    koi::to_string(each.at, utc()) + ", and has " + std::to_string(level));
  }
  if (!ranks) return;
  const Timestamp at = ranks->told(0);
  if (core::last_refreshing(plan, tier, at + microseconds(1)) != at) return;  // none was told yet
  // A later one may have been begun, and given up.
  if (std::any_of(replay.ranked.begin(), replay.ranked.end(),
                  [&](const Ranked& each) { return each.at > at; }))
    return;
  const auto levels = levels_at(tier, replay, at);
  if (!levels) return;
  // Of two who are one since, either may have been told before.
  std::set<std::string> joined;
  for (const Joined& each : replay.joined) joined.insert(replay.whoever(each.stays));
  for (const auto& [id, state] : replay.customers) {
    if (replay.not_told.contains(id) || !state.begun || joined.contains(id)) continue;
    // Whoever came behind the refreshing was told nothing yet.
    const Value& has = state.attributes[tier.attribute.index()];
    if ((has.is_missing() ? none : has.raw()) != level_in(*levels, id))
      record.breach(id + " has the level " +
                    (has.is_missing() ? "none" : std::to_string(has.raw())) + ", and as of " +
                    koi::to_string(at, utc()) + " " + std::to_string(level_in(*levels, id)));
  }
}

}  // namespace koi::simulator
