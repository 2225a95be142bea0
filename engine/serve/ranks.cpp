#include "serve/ranks.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "deploy/files.h"
#include "model/partition.h"

namespace koi::serve {

namespace {

constexpr std::size_t customers_at_once = 1024;
constexpr std::chrono::microseconds longest_rest = std::chrono::milliseconds(500);
constexpr auto until_tried_again = std::chrono::seconds(2);
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
    given_up_.push_back(Timestamp::ever());
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
  has_thread_ = true;
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
    const auto done = turn();
    std::chrono::microseconds wait(0);
    if (!done) {
      const std::string& tier = world_.plan.tiers[last_].symbol.name;
      if (!rest(wait)) return;
      if (done.error().code == "overtaken") continue;
      world_.say(channel::Level::Problem,
                 "the tier `" + tier + "` is not refreshed yet: " + done.error().what);
      wait = until_tried_again;
    } else if (*done == Turn::Waits) {
      if (under_way_->telling)
        under_way_->telling->wait();
      else
        wait = until_next_try;
    } else if (*done == Turn::Nothing) {
      const Timestamp now = world_.clock();
      const Duration left = core::next_refreshing(world_.plan, now) - now;
      wait = std::clamp<std::chrono::microseconds>(std::chrono::microseconds(left.us),
                                                   std::chrono::milliseconds(1), longest_rest);
    }
    if (!rest(wait)) return;
  }
}

Result<Ranks::Turn> Ranks::turn() {
  const Timestamp now = world_.clock();
  for (std::size_t i = 0; !under_way_ && i < world_.plan.tiers.size(); ++i) {
    // Of several that were missed the last alone: of the others nothing is known any more.
    const Timestamp at = core::last_refreshing(world_.plan, world_.plan.tiers[i], now);
    if (at > std::max(told(i), given_up_[i])) under_way_.emplace(i, world_.plan.tiers[i], at);
  }
  if (!under_way_) return Turn::Nothing;
  last_ = under_way_->number;
  auto done = go_on(*under_way_);
  if (!done && done.error().code == "overtaken") given_up_[last_] = under_way_->at;
  if (!done || told(last_) >= under_way_->at) under_way_.reset();
  return done;
}

Result<Ranks::Turn> Ranks::go_on(Refreshing& refreshing) {
  using Stage = Refreshing::Stage;
  switch (refreshing.stage) {
    case Stage::Passing: {
      // What came before that instant is to be decided, and so are the timers that were due.
      if (!world_.writers.has_passed(refreshing.at)) return Turn::Waits;
      KOI_TRY(write_back());
      refreshing.stage = Stage::Values;
      return Turn::Moved;
    }
    case Stage::Values: {
      KOI_LET(const bool is_all, read_on(refreshing, [&](const core::State&, const Value& value) {
                refreshing.borders.add(value);
              }));
      if (!is_all) return Turn::Moved;
      refreshing.borders.settle_values();
      refreshing.group = 0;
      refreshing.stage = Stage::Ids;
      return Turn::Moved;
    }
    case Stage::Ids: {
      KOI_LET(const bool is_all,
              read_on(refreshing, [&](const core::State& state, const Value& value) {
                refreshing.borders.add(value, state.id);
              }));
      if (!is_all) return Turn::Moved;
      refreshing.borders.settle_ids();
      refreshing.group = 0;
      refreshing.stage = Stage::Telling;
      return Turn::Moved;
    }
    case Stage::Telling: return tell_on(refreshing);
  }
  KOI_ASSERT(false);
}

// A piece is read when all of the one before are told.
Result<Ranks::Turn> Ranks::tell_on(Refreshing& refreshing) {
  const plan::Tier& tier = world_.plan.tiers[refreshing.number];
  std::vector<Event>& slice = refreshing.slice;
  if (refreshing.telling) {
    const std::optional<Result<void>> how = refreshing.telling->how();
    if (!how) return Turn::Waits;
    refreshing.telling.reset();
    if (*how) {
      refreshing.others += slice.size();
      slice.clear();
    } else if (how->error().code != "full") {
      return how->error();
    }
  }
  if (!slice.empty()) {
    auto telling = Telling::begin(world_.writers, {slice.begin(), slice.end()});
    if (!telling && telling.error().code != "busy") return telling.error();
    if (telling) refreshing.telling = *std::move(telling);
    return telling ? Turn::Moved : Turn::Waits;
  }
  if (refreshing.group == world_.groups.count) {
    KOI_TRY(end(refreshing));
    return Turn::Moved;
  }
  KOI_TRY(read_on(refreshing, [&](const core::State& state, const Value& value) {
    // He was ranked for himself, and has turned out to be somebody else since.
    if (core::gone_to(state) != nullptr) return;
    Value level = refreshing.borders.level_of(value, state.id);
    if (state.attributes[tier.attribute.index()] == level) return;
    slice.push_back(core::ranked_event(tier, state, std::move(level), refreshing.at));
    // Ahead of every clock: so it counts when it comes, and is late for nobody.
    slice.back().time = world_.clock() + days(1);
  }));
  return Turn::Moved;
}

Result<void> Ranks::end(const Refreshing& refreshing) {
  {
    const std::lock_guard lock(mutex_);
    told_[refreshing.number] = refreshing.at;
  }
  KOI_TRY(write_file());
  world_.say(channel::Level::Info, "the tier `" + world_.plan.tiers[refreshing.number].symbol.name +
                                       "` was refreshed as of " +
                                       to_string(refreshing.at, *world_.plan.policy.zone) + ": " +
                                       std::to_string(refreshing.borders.ranked()) + " ranked, " +
                                       std::to_string(refreshing.others) + " have another level");
  return {};
}

Result<void> Ranks::write_back() {
  if (has_thread_) return world_.writers.write_back();
  for (store::Group group = 0; group < world_.groups.count; ++group)
    KOI_TRY(world_.writers.checkpoint(group));
  return {};
}

// The next of all customers, of one group alone, with what they are ranked by as of that instant,
// however much has come since; true behind the last.
Result<bool> Ranks::read_on(Refreshing& refreshing, const Each& each) {
  const plan::Tier& tier = world_.plan.tiers[refreshing.number];
  store::Group& group = refreshing.group;
  std::size_t& partition = refreshing.partition;
  if (!refreshing.codec) {
    partition = group;
    refreshing.codec.emplace(world_.plan);
    KOI_LET(const auto layouts, world_.store.layouts(group));
    for (const std::string& layout : layouts) KOI_TRY(refreshing.codec->learn(layout));
  }
  std::size_t read = 0;
  for (; partition < partition_count && read < customers_at_once;
       partition += world_.groups.count) {
    KOI_LET(const auto piece, world_.store.scan(static_cast<Partition>(partition), refreshing.after,
                                                customers_at_once));
    for (const store::Saved& saved : piece) {
      KOI_LET(const core::State state, refreshing.codec->decode(saved.bytes));
      if (core::is_taken(tier, state, refreshing.at)) {
        each(state, state.attributes[tier.taken.index()]);
      } else if (state.attribute_times[tier.taken.index()] > refreshing.at) {
        return Error{"overtaken", "the next refreshing has come before this one was told"};
      } else {
        each(state, core::ranked_by(world_.plan, tier, state, refreshing.at));
      }
    }
    read += piece.size();
    refreshing.after.clear();
    if (piece.size() < customers_at_once) continue;
    refreshing.after = piece.back().customer;
    return false;
  }
  if (partition < partition_count) return false;
  refreshing.codec.reset();
  return ++group == world_.groups.count;
}

}  // namespace koi::serve
