#include "deploy/ahead.h"

#include <algorithm>
#include <utility>

#include "deploy/census.h"
#include "deploy/leads.h"
#include "deploy/next_turn.h"
#include "durable/checkpoint.h"
#include "durable/rows.h"
#include "durable/writers.h"

namespace koi::deploy {

using store::Group;
using store::Saved;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t carried_at_once = 512;  // of those who have changed

}  // namespace

Ahead::Ahead(const Site& site, Beside beside, Deployment deployment)
    : site_(site),
      beside_(std::move(beside)),
      bundles_(site.directory),
      deployment_(std::move(deployment)) {}

// What stays of a build is cleared by whoever deploys next.
Ahead::~Ahead() {
  beside_.live.stop_following();
  rebuild_.reset();
  if (is_live_) static_cast<void>(Rebuild::clear(site_.directory));
}

Result<std::unique_ptr<Ahead>> Ahead::make(const Site& site, Beside beside, const Bundle& wanted,
                                           const Said& said, const Ways& ways) {
  KOI_LET(auto deployment, read_deployment(site.directory));
  if (!deployment || deployment->turns.empty() || deployment->is_under_way)
    return Error{"rules", "no rules are live that others could follow"};
  std::unique_ptr<Ahead> made(new Ahead(site, std::move(beside), *std::move(deployment)));
  KOI_TRY(made->prepare(wanted, said, ways));
  return made;
}

// Whose states are written from here on is noted, before anything is read: a state that is read
// too early, or beside metrics that are not as far as it is, is read again.
Result<void> Ahead::prepare(const Bundle& wanted, const Said& said, const Ways& ways) {
  if (const auto plan = compile(wanted); !plan) return plan.error();
  KOI_LET(const Hash128 name, bundles_.keep(wanted));
  KOI_TRY(check_next(plans_, deployment_, name, ways));
  turn_ = {name, {}, {}, {}, said.by, said.why, ways, {}};
  if (ways.canary != 0) turn_.against = against_of(live(), name);
  KOI_LET(from_, plans_.of(live()));
  KOI_LET(own_, plans_.of(name));
  lacking_ = lacking(*own_, *from_);
  beside_.live.follow();
  if (!lacking_.empty()) KOI_TRY(build_metrics());
  KOI_TRY(beside_.write_back());
  KOI_LET(patterns_, Patterns::of(plans_, deployment_.turns, *own_, site_.groups));
  KOI_TRY(patterns_->check(site_.store));
  Clock::duration counting{0};
  KOI_LET(turn_.kept, to_keep(plans_, live(), turn_, true, [&]() -> Result<Census> {
            const auto began = Clock::now();
            auto census =
                take_census(site_.store, site_.groups, *from_, site_.clock(), site_.at_once);
            counting = Clock::now() - began;
            return census;
          }));
  KOI_LET(to_, plans_.of(turn_));
  const auto lead = std::chrono::duration_cast<std::chrono::microseconds>(counting * beside_.lead);
  turn_.since = std::max(site_.clock() + microseconds(lead.count()), live().since);
  if (rebuild_) {
    extended_.emplace(rebuild_->plan());
    extended_->schema.index();  // it was copied
  }
  carry_.emplace(extended_ ? *extended_ : *from_, *to_, ways);
  if (lacking_.empty() && carry_->changes_nothing()) {
    carry_.reset();
    return {};
  }
  return carry_all();
}

// Up to where the journal has come to.
Result<void> Ahead::build_metrics() {
  rebuild_.reset();  // it holds the folder
  for (const Turn& each : deployment_.turns) KOI_TRY(plans_.of(each));
  const History history{site_.journal, site_.groups, deployment_.turns, plans_.all(),
                        site_.at_once};
  KOI_LET(rebuild_,
          Rebuild::make(site_.directory, history, *own_, turn_.bundle, deployment_.turns.size(),
                        site_.budget, [this](std::uint64_t rows) {
                          const std::lock_guard lock(counting_);
                          rows_read_ += rows;
                          if (site_.progress) site_.progress({Stage::Rebuild, rows_read_});
                        }));
  return {};
}

Result<void> Ahead::goes_on() const {
  if (beside_.gives_up && beside_.gives_up())
    return Error{"stopping", "the server stops; the rules that were live stay so"};
  return site_.directory.room_left();
}

// --- Carrying -----------------------------------------------------------------------------------

Result<void> Ahead::carry_all() {
  const auto complete = [this](core::State& state) { return rebuild_->complete(state); };
  counts_.resize(site_.groups.count);
  for (Group group = 0; group < site_.groups.count; ++group) {
    KOI_LET(const store::Epoch epoch, beside_.next.take(group));
    epochs_.push_back(epoch);
    carriers_.emplace_back(extended_ ? *extended_ : *from_, *to_, *carry_, turn_.since,
                           rebuild_ ? complete : std::function<Result<void>(core::State&)>());
    KOI_LET(const auto layouts, site_.store.layouts(group));
    KOI_TRY(carriers_.back().learn(layouts));
  }
  return for_each_group(site_.groups, site_.at_once, [this](Group group) -> Result<void> {
    KOI_TRY(carry_group(group));
    return share_all(group);
  });
}

Result<void> Ahead::carry_group(Group group) {
  Counts& counts = counts_[group];
  std::vector<Saved> carried;
  std::size_t size = 0;
  for (std::size_t at = group; at < partition_count; at += site_.groups.count) {
    std::string after;
    for (;;) {
      KOI_LET(const auto piece,
              site_.store.scan(static_cast<Partition>(at), after, site_.walk.piece));
      for (const Saved& saved : piece) {
        Carried what;
        KOI_LET(Saved made, carriers_[group](saved, what));
        counts.count(store::place_of(saved.partition, saved.customer), what);
        size += made.bytes.size();
        carried.push_back(std::move(made));
      }
      if (carried.size() >= site_.walk.customers || size >= site_.walk.bytes) {
        KOI_TRY(save(group, carried));
        size = 0;
      }
      if (piece.size() < site_.walk.piece) break;
      after = piece.back().customer;
    }
  }
  return save(group, carried);
}

Result<void> Ahead::save(Group group, std::vector<Saved>& carried,
                         std::span<const store::Shared> shared) {
  KOI_TRY(goes_on());
  std::sort(carried.begin(), carried.end(), [](const Saved& a, const Saved& b) {
    return store::place_of(a.partition, a.customer) < store::place_of(b.partition, b.customer);
  });
  std::vector<store::Shared> introduced;
  if (!carried.empty() && shared.empty()) {
    KOI_LET(introduced, Leads(*from_, *to_).of(carried, beside_.next, group));
    shared = introduced;
  }
  std::span<const Saved> left(carried);
  KOI_TRY(beside_.next.checkpoint(
      {group, epochs_[group], 0, {}, carriers_[group].layout(), shared},
      [&left]() -> Result<std::span<const Saved>> { return std::exchange(left, {}); }));
  const std::lock_guard lock(counting_);
  walked_ += carried.size();
  carried.clear();
  if (site_.progress) site_.progress({Stage::Walk, walked_});
  return {};
}

Result<std::size_t> Ahead::follow() {
  if (!carries()) return std::size_t{0};
  KOI_TRY(beside_.write_back());
  return carry_written();
}

// First it is asked who was written, then where the journal ends: whoever is stepped behind that
// end is written later, and so is among the next ones.
Result<std::size_t> Ahead::carry_written() {
  const auto written = beside_.live.written();
  std::size_t all = 0;
  for (const auto& group : written) all += group.size();
  if (all == 0) return all;
  if (rebuild_) KOI_TRY(build_metrics());
  const auto follow_one = [&](Group group) -> Result<void> {
    KOI_TRY(carry_some(group, written[group].customers));
    return share_some(group, written[group].shared);
  };
  KOI_TRY(for_each_group(site_.groups, site_.at_once, follow_one));
  return all;
}

Result<void> Ahead::carry_some(Group group, const std::vector<Followed::Customer>& who) {
  std::vector<Saved> carried;
  for (std::size_t begin = 0; begin < who.size(); begin += carried_at_once) {
    const std::size_t end = std::min(who.size(), begin + carried_at_once);
    std::vector<store::Key> keys;
    for (std::size_t i = begin; i < end; ++i) keys.push_back({who[i].partition, who[i].id});
    KOI_LET(auto bytes, site_.store.load_all(keys));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      Carried what;
      Saved made{keys[i].partition, std::string(keys[i].customer), {}, Timestamp::never()};
      if (bytes[i]) {
        made.bytes = *std::move(bytes[i]);
        KOI_LET(made, carriers_[group](made, what));
      }
      counts_[group].count(store::place_of(made.partition, made.customer), what);
      carried.push_back(std::move(made));
    }
    if (carried.size() >= site_.walk.customers) KOI_TRY(save(group, carried));
  }
  if (carried.empty()) return {};
  return save(group, carried);
}

// What customers share is told by definitions and names, and is the same under any rules.
Result<void> Ahead::share_all(Group group) {
  std::vector<Saved> nobody;
  std::string after;
  for (;;) {
    KOI_LET(const auto piece, site_.store.shared_behind(group, after, carried_at_once));
    if (piece.empty()) return {};
    KOI_TRY(save(group, nobody, piece));
    if (piece.size() < carried_at_once) return {};
    after = piece.back().key;
  }
}

Result<void> Ahead::share_some(Group group, const std::vector<std::string>& keys) {
  if (keys.empty()) return {};
  KOI_TRY(patterns_->check_uploaded(site_.store, group, keys));
  std::vector<Saved> nobody;
  std::vector<store::Shared> shared;
  for (const std::string& key : keys) {
    KOI_LET(std::string bytes, site_.store.shared(group, key));
    shared.push_back({key, std::move(bytes)});
  }
  return save(group, nobody, shared);
}

// --- The border ---------------------------------------------------------------------------------

Result<Report> Ahead::go_live() {
  KOI_TRY(patterns_->check_generated(site_.store));
  if (carries()) {
    beside_.gives_up = {};  // from here on it is quicker to come to the end
    KOI_TRY(carry_written());
  } else {
    const auto written = beside_.live.written();
    for (Group group = 0; group < site_.groups.count; ++group)
      KOI_TRY(patterns_->check_uploaded(site_.store, group, written[group].shared));
    turn_.since = std::max(site_.clock(), live().since);
    for (Group group = 0; group < site_.groups.count; ++group) {
      KOI_LET(const std::string bytes, site_.store.kept(group));
      if (bytes.empty()) continue;
      KOI_LET(const durable::Kept kept, durable::decode_kept(bytes));
      turn_.since = std::max(turn_.since, kept.stamp);
    }
  }
  turn_.positions.resize(site_.groups.count);
  KOI_TRY(for_each_group(site_.groups, site_.at_once, [this](Group group) -> Result<void> {
    store::Position& position = turn_.positions[group];
    KOI_LET(position, site_.store.position(group));
    KOI_LET(const store::Position last, site_.journal.last(group));
    if (position != last)
      return Error{"rules", "group " + std::to_string(group) + " was not written back"};
    KOI_LET(const bool is_open, durable::has_open(site_.store, group));
    if (is_open)
      return Error{"rules", "group " + std::to_string(group) +
                                " has something to decide yet that the former rules have begun"};
    if (!carries()) return {};
    KOI_LET(const std::string kept, site_.store.kept(group));
    return beside_.next.checkpoint(
        {group, epochs_[group], position, kept, carriers_[group].layout()},
        [] { return Result<std::span<const Saved>>(std::span<const Saved>()); });
  }));

  Report report;
  report.former = live().bundle;
  report.bundle = turn_.bundle;
  report.metrics_built = metric_names(*own_, lacking_);
  report.rows_read = rows_read_;
  for (const Counts& group : counts_)
    for (const auto& [carried, customers] : group.kinds)
      if (customers > 0) report.carried.add(carried, customers);
  deployment_.turns.push_back(turn_);
  if (carries()) deployment_.states = beside_.folder;
  KOI_TRY(write_deployment(site_.directory, deployment_));
  is_live_ = true;
  report.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
  return report;
}

void Ahead::Counts::count(std::uint64_t place, const Carried& carried) {
  const auto [kind, is_new] = known.emplace(carried, static_cast<std::uint32_t>(kinds.size()));
  if (is_new) kinds.emplace_back(carried, 0);
  ++kinds[kind->second].second;
  const auto [before, is_first] = by_customer.emplace(place, kind->second);
  if (!is_first) --kinds[std::exchange(before->second, kind->second)].second;
}

}  // namespace koi::deploy
