// Writers, up to the disk: what comes in at the door, waits, is written to the journal and synced.
#include <algorithm>
#include <utility>

#include "durable/detail/until_next_try.h"
#include "durable/writers.h"

namespace koi::durable {

namespace {

// Whether the same may go well later. After everything else it is not known what is on the disk.
bool may_go_on(const Error& error) { return error.code == "full"; }

}  // namespace

// --- The door -----------------------------------------------------------------------------------

namespace {
constexpr Partition partition_of_pools = 0;
}

// Codes for pools are nobody's: one group has all that were uploaded, of whatever pool.
Partition Writers::partition_for(const Given& given) const {
  const auto* call = std::get_if<core::Call>(&given);
  if (call && call->kind == core::Call::Kind::Stock && groups_.size() > 1)
    return partition_of_pools;
  return partition_of(customer_of(given));
}

bool Writers::is_busy(const Group& group) const {
  return group.is_slow || group.waiting >= settings_.longest_queue ||
         group.waiting_bytes >= settings_.queue_bytes ||
         group.undecided >= settings_.longest_queue ||
         group.undecided_bytes >= settings_.queue_bytes;
}

Result<void> Writers::submit(std::vector<Given>&& inputs, Done done, Lane lane) {
  if (const auto error = failed_ ? failure() : std::nullopt) return *error;
  if (door_closed_ && lane == Lane::Outer)
    return Error{"stopping", "this process is stopping and takes nothing more"};
  if (inputs.empty()) {
    if (done) done(std::vector<Answer>());
    return {};
  }
  std::vector<Partition> partitions;
  partitions.reserve(inputs.size());
  for (const Given& each : inputs) {
    partitions.push_back(partition_for(each));
    if (lane == Lane::Outer && is_busy(*groups_[world_.groups.group_of(partitions.back())]))
      return Error{"busy", "more inputs wait than can be taken; send these again a little later"};
  }
  const auto request = std::make_shared<Request>(inputs.size(), std::move(done));
  std::vector<std::vector<Part>> parts(groups_.size());
  std::vector<store::Row> room;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    add(parts[world_.groups.group_of(partitions[i])], lane,
        {std::move(inputs[i]), partitions[i], request, static_cast<std::uint32_t>(i)}, room);
  spare_.give(std::move(room));
  for (const auto& group : groups_) take_in(*group, std::move(parts[group->number]));
  wake_committer();
  return {};
}

void Writers::add(std::vector<Part>& parts, Lane lane, Item item, std::vector<store::Row>& room) {
  if (parts.empty() || parts.back().items.size() >= settings_.longest_batch ||
      parts.back().bytes >= settings_.batch_bytes)
    parts.push_back({.lane = lane});
  Part& part = parts.back();
  std::string bytes;
  if (room.empty()) room = spare_.take();
  if (!room.empty()) {
    bytes = std::move(room.back().bytes);
    room.pop_back();
  }
  part.rows.push_back({item.partition, encode(item.given, std::move(bytes))});
  part.bytes += part.rows.back().bytes.size();
  part.items.push_back(std::move(item));
}

void Writers::take_in(Group& group, std::vector<Part> parts) {
  if (parts.empty()) return;
  const std::lock_guard lock(group.queue_mutex);
  for (Part& part : parts) {
    if (part.lane == Lane::Outer) group.waiting += part.items.size();
    if (part.lane == Lane::Outer) group.waiting_bytes += part.bytes;
    (part.lane == Lane::Outer ? group.outer : group.inner).push_back(std::move(part));
  }
}

namespace {
std::size_t room_of(const std::vector<store::Row>& rows) {
  std::size_t bytes = rows.capacity() * sizeof(store::Row);
  for (const store::Row& row : rows) bytes += row.bytes.capacity();
  return bytes;
}
}  // namespace

std::vector<store::Row> Writers::SpareRows::take() {
  const std::lock_guard lock(mutex_);
  if (rows_.empty()) return {};
  std::vector<store::Row> rows = std::move(rows_.back());
  rows_.pop_back();
  bytes_ -= room_of(rows);
  return rows;
}

void Writers::SpareRows::give(std::vector<store::Row> rows) {
  constexpr std::size_t most = 1u << 20;  // bytes
  const std::size_t bytes = room_of(rows);
  const std::lock_guard lock(mutex_);
  if (rows.empty() || bytes_ + bytes > most) return;
  bytes_ += bytes;
  rows_.push_back(std::move(rows));
}

// --- Committing ---------------------------------------------------------------------------------

void Writers::wake_committer() {
  {
    const std::lock_guard lock(commit_mutex_);
    if (is_wanted_) return;
    is_wanted_ = true;
  }
  commit_wanted_.notify_one();
}

namespace {
// Takes what stands from there on out of the list.
template <class Each>
std::vector<Each> cut(std::vector<Each>& list, std::size_t from) {
  const auto begin = list.begin() + static_cast<std::ptrdiff_t>(from);
  std::vector<Each> tail(std::make_move_iterator(begin), std::make_move_iterator(list.end()));
  list.erase(begin, list.end());
  return tail;
}
}  // namespace

Writers::Part Writers::Part::split(std::size_t most_inputs, std::size_t most_bytes) {
  Part first{.lane = lane};
  std::size_t fit = 0;
  while (fit < most_inputs && fit < rows.size() &&
         first.bytes + rows[fit].bytes.size() <= most_bytes)
    first.bytes += rows[fit++].bytes.size();
  bytes -= first.bytes;
  // Most of it fits, as a rule: the few are moved.
  first.rows = std::exchange(rows, cut(rows, fit));
  first.items = std::exchange(items, cut(items, fit));
  return first;
}

// What fills one batch. A sync costs the same whatever it holds, so a part that does not fit is
// divided.
std::vector<Writers::Part> Writers::take_waiting(Group& group) {
  std::vector<Part> taken;
  std::size_t inputs = 0, bytes = 0;
  const std::lock_guard lock(group.queue_mutex);
  for (auto* queue : {&group.inner, &group.outer}) {
    while (!queue->empty()) {
      Part& next = queue->front();
      const bool is_whole =
          taken.empty() || (inputs + next.items.size() <= settings_.longest_batch &&
                            bytes + next.bytes <= settings_.batch_bytes);
      Part part =
          is_whole ? std::move(next)
                   : next.split(settings_.longest_batch - std::min(settings_.longest_batch, inputs),
                                settings_.batch_bytes - std::min(settings_.batch_bytes, bytes));
      if (part.items.empty()) return taken;
      inputs += part.items.size();
      bytes += part.bytes;
      if (part.lane == Lane::Outer) group.waiting -= part.items.size();
      if (part.lane == Lane::Outer) group.waiting_bytes -= part.bytes;
      taken.push_back(std::move(part));
      if (!is_whole) return taken;
      queue->pop_front();
    }
  }
  return taken;
}

bool Writers::fills_a_batch(const Group& group) const {
  return group.waiting >= settings_.longest_batch || group.waiting_bytes >= settings_.batch_bytes;
}

// Has it as much before it as it may? Of batches that are not full half as many: those that come
// while it is at work had better be fewer and fuller.
bool Writers::has_enough(const Group& group) const {
  const std::size_t most =
      fills_a_batch(group) ? settings_.most_batches : (settings_.most_batches + 1) / 2;
  return group.unstepped >= most;
}

// While some group has as much before it as it may, the processors have enough to do, and a commit
// is worth its sync only when another one's batch is full. A group that waits for its checkpoint
// holds up nobody, and what comes from within is held up by nobody.
bool Writers::is_better_later() {
  bool is_held_up = false;
  for (const auto& group : groups_) {
    if (has_enough(*group)) {
      is_held_up = is_held_up || !group->is_slow;
      continue;
    }
    if (fills_a_batch(*group)) return false;
    const std::lock_guard lock(group->queue_mutex);
    if (!group->inner.empty()) return false;
  }
  return is_held_up;
}

// What a share becomes behind the journal; its position is not said yet.
Batch Writers::batch_of(Share& share) {
  Batch batch{0, share.opening, {}};
  for (Part& part : share.parts) batch.parts.push_back(std::move(part.items));
  return batch;
}

// Nothing was written. Who is outside is told; what comes from within waits for better times.
void Writers::refuse(std::vector<Share> shares, const Error& error) {
  for (Share& share : shares) {
    auto row = share.rows.begin() + 1;
    std::deque<Part> kept;
    for (Part& part : share.parts) {
      const auto end = row + static_cast<std::ptrdiff_t>(part.items.size());
      if (part.lane == Lane::Inner && may_go_on(error)) {
        part.rows.assign(std::move_iterator(row), std::move_iterator(end));
        kept.push_back(std::move(part));
      } else {
        Batch batch;
        batch.parts.push_back(std::move(part.items));
        batch.fail(error);
      }
      row = end;
    }
    const std::lock_guard lock(share.group->queue_mutex);
    share.group->inner.insert(share.group->inner.begin(), std::move_iterator(kept.begin()),
                              std::move_iterator(kept.end()));
  }
}

Result<bool> Writers::write() {
  if (is_better_later()) return false;
  std::vector<Share> shares;
  std::vector<store::Appended> appended;
  const Timestamp now = std::max(last_stamp_, world_.clock());
  for (const auto& group : groups_) {
    const std::size_t unstepped = group->unstepped;
    if (has_enough(*group)) continue;
    std::vector<Part> parts = take_waiting(*group);
    // A group that is at work says when its next timer is due when it is done. What is due at a
    // stop is due at the next start.
    const bool is_due = unstepped == 0 && group->next_due < now.us && !door_closed_;
    if (parts.empty() && !is_due) continue;
    Share& share = shares.emplace_back();
    share.group = group.get();
    share.opening = {now, settings_.timers_at_once, semantics, world_.rules};
    share.rows.push_back({group->number, encode(share.opening)});
    std::size_t inputs = 1;
    for (const Part& part : parts) inputs += part.rows.size();
    share.rows.reserve(inputs);
    for (Part& part : parts)
      std::move(part.rows.begin(), part.rows.end(), std::back_inserter(share.rows));
    share.parts = std::move(parts);
  }
  if (shares.empty()) return false;
  for (const Share& share : shares)
    appended.push_back({share.group->number, share.group->journal_epoch, share.rows});

  auto last = world_.journal.write(appended);
  if (!last) {
    refuse(std::move(shares), last.error());
    return last.error();
  }
  last_stamp_ = now;
  for (Share& share : shares) {
    ++share.group->unstepped;
    spare_.give(std::exchange(share.rows, {}));
  }
  const std::lock_guard lock(written_mutex_);
  written_.push_back({std::move(shares), *std::move(last)});
  return true;
}

Result<bool> Writers::sync() {
  std::vector<Written*> all;
  {
    const std::lock_guard lock(written_mutex_);
    if (under_sync_ > 0 || written_.empty()) return false;
    under_sync_ = written_.size();
    // They stay where they are, whatever is written behind them.
    for (Written& each : written_) all.push_back(&each);
  }
  const auto synced = world_.journal.sync();
  for (Written* const written : all) {
    if (synced) ++commits_;
    for (std::size_t i = 0; i < written->shares.size(); ++i) {
      Share& share = written->shares[i];
      Batch batch = batch_of(share);
      if (!synced) {
        batch.fail(synced.error());
        continue;
      }
      batch.first = written->last[i] - batch.inputs();  // the opening stands before them
      {
        const std::lock_guard lock(share.group->mutex);
        share.group->committed.push_back(std::move(batch));
      }
      share.group->changed.notify_one();
    }
  }
  {
    const std::lock_guard lock(written_mutex_);
    written_.erase(written_.begin(), written_.begin() + static_cast<std::ptrdiff_t>(under_sync_));
    under_sync_ = 0;
  }
  written_changed_.notify_all();
  if (!synced) return synced.error();
  return true;
}

Result<bool> Writers::commit() {
  KOI_LET(const bool has_written, write());
  bool has_synced = false;
  for (;;) {
    KOI_LET(const bool is_synced, sync());
    if (!is_synced) break;
    has_synced = true;
  }
  return has_written || has_synced;
}

// To the thread that syncs, which may be one commit behind, or some where there is enough to fill
// each. Where nothing waits to be written
// meanwhile, to hand it over would only take time.
Result<void> Writers::pass_on() {
  const bool is_much = std::any_of(groups_.begin(), groups_.end(),
                                   [&](const auto& group) { return fills_a_batch(*group); });
  const std::size_t under_way = is_much ? 5 : 2;
  bool more_waits = false;
  {
    const std::lock_guard lock(commit_mutex_);
    more_waits = is_wanted_;
  }
  {
    std::unique_lock lock(written_mutex_);
    if (more_waits || under_sync_ > 0) {
      written_changed_.notify_all();
      written_changed_.wait(lock, [&] { return written_.size() < under_way || failed_; });
      return {};
    }
  }
  KOI_TRY(sync());
  return {};
}

void Writers::sync_on() {
  for (;;) {
    {
      std::unique_lock lock(written_mutex_);
      written_changed_.wait(lock, [&] {
        return (!written_.empty() && under_sync_ == 0) || no_more_written_ || failed_;
      });
      if (failed_ || written_.empty()) break;
    }
    if (const auto synced = sync(); !synced) fail(synced.error());
  }
  if (failed_) give_up_written(*failure());
}

// Nothing of it was stepped, and it may be lost.
void Writers::give_up_written(const Error& error) {
  const std::lock_guard lock(written_mutex_);
  while (written_.size() > under_sync_) {
    for (Share& share : written_.back().shares) batch_of(share).fail(error);
    written_.pop_back();
  }
}

// Until something waits, a timer is due, or (where nothing could be written) for a while.
void Writers::wait_for_work(bool is_well) {
  auto wait = std::chrono::microseconds(std::chrono::milliseconds(500));
  const Timestamp now = world_.clock();
  for (const auto& group : groups_) {
    const Timestamp due{group->next_due};
    if (due == Timestamp::never()) continue;
    const Duration left = std::max(due - now, Duration{0}) + microseconds(1000);
    wait = std::min(wait, std::chrono::microseconds(left.us));
  }
  std::unique_lock lock(commit_mutex_);
  if (is_well)
    commit_wanted_.wait_for(lock, wait, [&] { return is_wanted_ || failed_; });
  else
    commit_wanted_.wait_for(lock, until_next_try, [&] { return failed_ || door_closed_; });
  is_wanted_ = false;
}

void Writers::commit_on() {
  while (!failed_) {
    const auto written = write();
    const auto passed = written && *written ? pass_on() : Result<void>();
    if ((!written && !may_go_on(written.error())) || !passed) {
      fail(written ? passed.error() : written.error());
      break;
    }
    if (!written) trouble_(written.error());
    if (written && *written) continue;
    if (door_closed_) {
      // Everything is committed; what the last batches still cause goes on the same way.
      bool is_quiet = true;
      for (const auto& group : groups_) {
        const std::lock_guard lock(group->queue_mutex);
        is_quiet =
            is_quiet && group->unstepped == 0 && group->outer.empty() && group->inner.empty();
      }
      if (is_quiet && is_all_arrived()) break;
    }
    wait_for_work(written.has_value());
  }
  if (failed_) {
    give_up_queues(*failure());
    give_up_written(*failure());
  }
  {
    const std::lock_guard lock(written_mutex_);
    no_more_written_ = true;
  }
  written_changed_.notify_all();
  all_committed_ = true;
  for (const auto& group : groups_) {
    const std::lock_guard lock(group->mutex);
    group->changed.notify_all();
  }
}

}  // namespace koi::durable
