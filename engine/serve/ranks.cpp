#include "serve/ranks.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/codec.h"
#include "core/ranks.h"
#include "deploy/files.h"
#include "model/partition.h"
#include "serve/telling.h"

namespace koi::serve {

namespace {

constexpr std::size_t customers_in_a_slice = 500;
constexpr std::size_t customers_at_once = 1024;
constexpr auto until_next_try = std::chrono::milliseconds(20);
constexpr auto longest_rest = std::chrono::milliseconds(500);
constexpr std::size_t longest_file = 1 << 20;

// Tiers that are ranked alike have the same name here, whatever rules they stand in.
const std::string& name_of(const plan::Plan& plan, const plan::Tier& tier) {
  return plan.schema[tier.taken].symbol.name;
}

}  // namespace

// --- What was told ------------------------------------------------------------------------------

Result<std::unique_ptr<Ranks>> Ranks::open(std::filesystem::path file, RanksWorld world) {
  std::unique_ptr<Ranks> made(new Ranks(std::move(file), std::move(world)));
  KOI_TRY(made->read_file());
  // Tiers that the rules do not have are forgotten: if they come back, nothing was kept meanwhile.
  KOI_TRY(made->write_file());
  return made;
}

Ranks::~Ranks() { stop(); }

// Lines of an instant in microseconds, a blank, and a tier's name.
Result<void> Ranks::read_file() {
  KOI_LET(const auto bytes, deploy::read_whole(file_, longest_file));
  std::map<std::string, Timestamp, std::less<>> known;
  for (std::string_view rest = bytes ? std::string_view(*bytes) : ""; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    Timestamp at;
    const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), at.us);
    if (end == std::string_view::npos || read.ec != std::errc() || *read.ptr != ' ')
      return Error{"corrupt", file_.string() +
                                  " is damaged; remove it: tiers then wait for the next time "
                                  "that they are refreshed"};
    const auto name = static_cast<std::size_t>(read.ptr + 1 - rest.data());
    if (name <= end) known.emplace(rest.substr(name, end - name), at);
    rest.remove_prefix(end + 1);
  }
  for (const plan::Tier& tier : world_.plan.tiers) {
    const auto found = known.find(name_of(world_.plan, tier));
    told_.push_back(found == known.end() ? world_.since : found->second);
  }
  return {};
}

Result<void> Ranks::write_file() {
  std::string text;
  for (std::size_t i = 0; i < told_.size(); ++i)
    text += std::to_string(told(i).us) + " " + name_of(world_.plan, world_.plan.tiers[i]) + "\n";
  std::error_code error;
  if (text.empty() && !std::filesystem::exists(file_, error)) return {};
  return deploy::write_whole(file_, text);
}

Timestamp Ranks::told(std::size_t tier) const {
  const std::lock_guard lock(mutex_);
  return told_[tier];
}

// --- Refreshing ---------------------------------------------------------------------------------

void Ranks::start() {
  if (!world_.plan.tiers.empty()) thread_ = std::thread([this] { run(); });
}

void Ranks::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// False: it is over.
bool Ranks::rest(std::chrono::microseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [&] { return is_over_; });
}

void Ranks::run() {
  for (;;) {
    const Timestamp now = world_.clock();
    for (std::size_t i = 0; i < world_.plan.tiers.size(); ++i) {
      // Of several that were missed the last alone: of the others nothing is known any more.
      const Timestamp at = core::last_refreshing(world_.plan, world_.plan.tiers[i], now);
      if (at <= told(i)) continue;
      const auto done = refresh(i, at);
      if (done) continue;
      if (!rest(std::chrono::microseconds(0))) return;
      if (done.error().code == "overtaken") continue;
      world_.say(channel::Level::Problem, "the tier `" + world_.plan.tiers[i].symbol.name +
                                              "` is not refreshed yet: " + done.error().what);
      if (!rest(std::chrono::seconds(2))) return;
    }
    const Duration left = core::next_refreshing(world_.plan, now) - now;
    if (!rest(std::clamp(std::chrono::microseconds(left.us), std::chrono::microseconds(1000),
                         std::chrono::microseconds(longest_rest))))
      return;
  }
}

// Until what came before that instant is decided, and so are the timers that were due.
Result<void> Ranks::until_passed(Timestamp at) {
  while (!world_.writers.has_passed(at))
    if (!rest(until_next_try)) return Error{"stopping", "this process is stopping"};
  return {};
}

Result<void> Ranks::for_each_customer(const Each& each) {
  for (store::Group group = 0; group < world_.groups.count; ++group) {
    core::Codec codec(world_.plan);
    KOI_LET(const auto layouts, world_.store.layouts(group));
    for (const std::string& layout : layouts) KOI_TRY(codec.learn(layout));
    for (std::size_t i = group; i < partition_count; i += world_.groups.count) {
      for (std::string after;;) {
        KOI_LET(const auto piece,
                world_.store.scan(static_cast<Partition>(i), after, customers_at_once));
        for (const store::Saved& saved : piece) {
          KOI_LET(const core::State state, codec.decode(saved.bytes));
          KOI_TRY(each(state));
        }
        if (piece.size() < customers_at_once) break;
        after = piece.back().customer;
        if (!rest(std::chrono::microseconds(0)))
          return Error{"stopping", "this process is stopping"};
      }
    }
  }
  return {};
}

// As of that instant, however much has come since.
Result<Value> Ranks::value_of(const plan::Tier& tier, const core::State& state,
                              Timestamp at) const {
  if (core::is_taken(tier, state, at)) return state.attributes[tier.taken.index()];
  if (state.attribute_times[tier.taken.index()] > at)
    return Error{"overtaken", "the next refreshing has come before this one was told"};
  return core::ranked_by(world_.plan, tier, state, at);
}

Result<void> Ranks::refresh(std::size_t number, Timestamp at) {
  const plan::Tier& tier = world_.plan.tiers[number];
  KOI_TRY(until_passed(at));
  KOI_TRY(world_.writers.write_back());
  core::Borders borders(tier);
  KOI_TRY(for_each_customer([&](const core::State& state) -> Result<void> {
    KOI_LET(const Value value, value_of(tier, state, at));
    borders.add(value);
    return {};
  }));
  borders.settle_values();
  KOI_TRY(for_each_customer([&](const core::State& state) -> Result<void> {
    KOI_LET(const Value value, value_of(tier, state, at));
    borders.add(value, state.id);
    return {};
  }));
  borders.settle_ids();

  std::uint64_t others = 0;
  std::vector<Event> slice;
  const auto hand_in = [&]() -> Result<void> {
    if (slice.empty()) return {};
    others += slice.size();
    KOI_TRY(serve::tell(
        world_.writers, [&] { return std::vector<durable::Given>(slice.begin(), slice.end()); },
        [this] { return rest(until_next_try); }));
    slice.clear();
    return {};
  };
  KOI_TRY(for_each_customer([&](const core::State& state) -> Result<void> {
    KOI_LET(const Value value, value_of(tier, state, at));
    Value level = borders.level_of(value, state.id);
    if (state.attributes[tier.attribute.index()] == level) return {};
    slice.push_back(core::ranked_event(tier, state, std::move(level), at));
    // Ahead of every clock: so it counts when it comes, and is late for nobody.
    slice.back().time = world_.clock() + days(1);
    return slice.size() < customers_in_a_slice ? Result<void>() : hand_in();
  }));
  KOI_TRY(hand_in());
  {
    const std::lock_guard lock(mutex_);
    told_[number] = at;
  }
  KOI_TRY(write_file());
  world_.say(channel::Level::Info, "the tier `" + tier.symbol.name + "` was refreshed as of " +
                                       to_string(at, *world_.plan.policy.zone) + ": " +
                                       std::to_string(borders.ranked()) + " ranked, " +
                                       std::to_string(others) + " have another level");
  return {};
}

}  // namespace koi::serve
