#include "store/memory.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "store/detail/fenced.h"

namespace koi::store {

using detail::fenced;

// ---- Journal

MemoryJournal::MemoryJournal(Groups groups, std::uint64_t id)
    : groups_(groups), logs_(groups.count) {
  for (std::size_t group = 0; group < logs_.size(); ++group)
    logs_[group].chain[0] = HashInput().number(id).number(group).hash128();
}

Result<Epoch> MemoryJournal::take(Group group) {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < logs_.size());
  return ++logs_[group].epoch;
}

Result<std::vector<Position>> MemoryJournal::append(std::span<const Appended> batches) {
  const std::lock_guard lock(mutex_);
  for (const Appended& batch : batches) {
    KOI_ASSERT(batch.group < logs_.size());
    if (batch.epoch != logs_[batch.group].epoch) return fenced(batch.group);
    for (const Row& row : batch.rows) KOI_ASSERT(groups_.group_of(row.partition) == batch.group);
  }
  std::vector<Position> last;
  for (const Appended& batch : batches) {
    Log& log = logs_[batch.group];
    const Hash128 before = log.chain.rbegin()->second;
    HashInput history;
    history.number(before.high).number(before.low);
    for (const Row& row : batch.rows) history.number(row.partition).text(row.bytes);
    log.rows.insert(log.rows.end(), batch.rows.begin(), batch.rows.end());
    last.push_back(log.dropped + log.rows.size());
    if (!batch.rows.empty()) log.chain[last.back()] = history.hash128();
  }
  return last;
}

Result<std::vector<Read>> MemoryJournal::read(Group group, Position from, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < logs_.size() && from > 0);
  const Log& log = logs_[group];
  if (from <= log.dropped)
    return Error{"gap", "group " + std::to_string(group) + " keeps no rows before " +
                            std::to_string(log.dropped + 1)};
  std::vector<Read> rows;
  for (Position at = from; at <= log.dropped + log.rows.size() && rows.size() < limit; ++at)
    rows.push_back({at, log.rows[at - log.dropped - 1]});
  return rows;
}

Result<Position> MemoryJournal::last(Group group) const {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < logs_.size());
  return logs_[group].dropped + logs_[group].rows.size();
}

Result<Hash128> MemoryJournal::chain(Group group, Position position) const {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < logs_.size());
  const auto& chain = logs_[group].chain;
  const auto found = chain.find(position);
  if (found != chain.end()) return found->second;
  return Error{"gap", "no batch of group " + std::to_string(group) +
                          " is known to end at position " + std::to_string(position)};
}

Result<void> MemoryJournal::set_aside(Group group, Epoch epoch, SetAside what) {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < logs_.size());
  if (epoch != logs_[group].epoch) return fenced(group);
  logs_[group].set_aside.insert(what);
  return {};
}

Result<std::vector<SetAside>> MemoryJournal::set_aside(Group group) const {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < logs_.size());
  const auto& all = logs_[group].set_aside;
  return std::vector<SetAside>(all.begin(), all.end());
}

Result<void> MemoryJournal::drop(Group group, Epoch epoch, Position before) {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < logs_.size());
  Log& log = logs_[group];
  if (epoch != log.epoch) return fenced(group);
  while (!log.rows.empty() && log.dropped + 1 < before) {
    log.rows.pop_front();
    ++log.dropped;
  }
  // The last end among them stays: it is what a checkpoint there has kept.
  while (log.chain.size() > 1 && std::next(log.chain.begin())->first <= log.dropped)
    log.chain.erase(log.chain.begin());
  std::erase_if(log.set_aside, [&](const SetAside& each) { return each.position <= log.dropped; });
  return {};
}

// ---- Store

MemoryStore::MemoryStore(Groups groups) : groups_(groups), parts_(groups.count) {}

Result<Epoch> MemoryStore::take(Group group) {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < parts_.size());
  return ++parts_[group].epoch;
}

Result<std::optional<std::string>> MemoryStore::load(Partition partition,
                                                     std::string_view customer) const {
  const std::lock_guard lock(mutex_);
  const Part& part = parts_[groups_.group_of(partition)];
  const auto found = part.customers.find({partition, std::string(customer)});
  if (found == part.customers.end()) return std::optional<std::string>{};
  return std::optional<std::string>{found->second.bytes};
}

Result<void> MemoryStore::checkpoint(const Checkpoint& what, const Pieces& changed) {
  // Taken whole before the first is written: an error of the source must leave nothing behind.
  std::vector<Saved> all;
  for (;;) {
    KOI_LET(const std::span<const Saved> piece, changed());
    if (piece.empty()) break;
    all.insert(all.end(), piece.begin(), piece.end());
  }
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(what.group < parts_.size());
  Part& part = parts_[what.group];
  if (what.epoch != part.epoch) return fenced(what.group);
  if (what.position < part.position)
    return Error{"gap", "group " + std::to_string(what.group) + " has a checkpoint at " +
                            std::to_string(part.position) + " already, which is later than " +
                            std::to_string(what.position)};
  for (const Saved& saved : all) KOI_ASSERT(groups_.group_of(saved.partition) == what.group);
  for (Saved& saved : all) {
    const auto found = part.customers.find({saved.partition, saved.customer});
    if (found != part.customers.end()) {
      part.timers.erase({found->second.due, saved.customer, saved.partition});
      if (saved.bytes.empty()) part.customers.erase(found);
    }
    if (saved.bytes.empty()) continue;
    if (saved.due != Timestamp::never())
      part.timers.emplace(saved.due, saved.customer, saved.partition);
    part.customers.insert_or_assign({saved.partition, saved.customer},
                                    Kept{std::move(saved.bytes), saved.due});
  }
  for (const Shared& each : what.shared) {
    if (each.bytes.empty())
      part.shared.erase(each.key);
    else
      part.shared.insert_or_assign(each.key, each.bytes);
  }
  part.position = what.position;
  part.kept = what.kept;
  const bool is_known =
      std::find(part.layouts.begin(), part.layouts.end(), what.layout) != part.layouts.end();
  if (!what.layout.empty() && !is_known) part.layouts.emplace_back(what.layout);
  return {};
}

Result<std::string> MemoryStore::kept(Group group) const {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < parts_.size());
  return parts_[group].kept;
}

Result<std::string> MemoryStore::shared(Group group, std::string_view key) const {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < parts_.size());
  const auto& all = parts_[group].shared;
  const auto found = all.find(key);
  return found == all.end() ? std::string() : found->second;
}

Result<std::vector<Shared>> MemoryStore::shared_behind(Group group, std::string_view after,
                                                       std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < parts_.size());
  const auto& all = parts_[group].shared;
  std::vector<Shared> found;
  for (auto at = all.upper_bound(after); at != all.end() && found.size() < limit; ++at)
    found.push_back({at->first, at->second});
  return found;
}

Result<std::vector<std::string>> MemoryStore::layouts(Group group) const {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < parts_.size());
  return parts_[group].layouts;
}

Result<Position> MemoryStore::position(Group group) const {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < parts_.size());
  return parts_[group].position;
}

Result<std::vector<Due>> MemoryStore::due(Group group, Timestamp before, std::size_t limit,
                                          const std::optional<Due>& after) const {
  const std::lock_guard lock(mutex_);
  KOI_ASSERT(group < parts_.size());
  const auto& timers = parts_[group].timers;
  auto at =
      after ? timers.upper_bound({after->due, after->customer, after->partition}) : timers.begin();
  std::vector<Due> found;
  for (; at != timers.end() && std::get<0>(*at) < before && found.size() < limit; ++at)
    found.push_back({std::get<0>(*at), std::get<2>(*at), std::get<1>(*at)});
  return found;
}

Result<std::vector<Saved>> MemoryStore::scan(Partition partition, std::string_view after,
                                             std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  const auto& customers = parts_[groups_.group_of(partition)].customers;
  std::vector<Saved> found;
  for (auto at = customers.upper_bound({partition, std::string(after)});
       at != customers.end() && at->first.first == partition && found.size() < limit; ++at)
    found.push_back({partition, at->first.second, at->second.bytes, at->second.due});
  return found;
}

}  // namespace koi::store
