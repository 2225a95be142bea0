#include "durable/writers.h"

#include <pthread.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/merge.h"

namespace koi::durable {

namespace {

using Clock = std::chrono::steady_clock;

// Of the budget that states are given. What is kept as bytes has its gaps counted (Blocks); those
// who are kept as values leave the allocator with about as much again in holes, which the lists of
// busy customers grew out of (malloc_info after four million events on Zipf).
constexpr std::uint64_t percent_of_budget = 80;
// Of a group's budget that what must stay in memory may take before the door waits, and before the
// stepping waits too.
constexpr std::uint64_t percent_slow = 80, percent_stopped = 92;
// After a checkpoint has failed, or the disk was full.
constexpr auto until_next_try = std::chrono::seconds(2);

// As `top -H` and debuggers show it; of up to 15 bytes.
void name_this_thread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

// Whether the same may go well later. After everything else it is not known what is on the disk.
bool may_go_on(const Error& error) { return error.code == "full"; }

}  // namespace

// --- Opening ------------------------------------------------------------------------------------

Writers::Writers(World world, Settings settings)
    : world_(std::move(world)),
      settings_(settings),
      index_(match::Index::build(world_.plan)),
      recovered_(world_.groups.count) {
  for (store::Group number = 0; number < world_.groups.count; ++number) {
    groups_.push_back(std::make_unique<Group>(
        world_, index_, number, settings_.budget / world_.groups.count / 100 * percent_of_budget));
    groups_.back()->times = CheckpointTimes(settings_.checkpoints);
  }
}

Result<std::unique_ptr<Writers>> Writers::open(World world, Settings settings) {
  std::unique_ptr<Writers> writers(new Writers(std::move(world), settings));
  KOI_TRY(writers->recover_all());
  return writers;
}

Result<void> Writers::recover_group(Group& group) {
  KOI_LET(group.journal_epoch, world_.journal.take(group.number));
  KOI_LET(const auto set_aside,
          set_aside_suspect(world_.watch, world_.journal, group.number, group.journal_epoch));
  group.writer.watch(world_.watch);
  KOI_LET(group.store_epoch, world_.store.take(group.number));
  KOI_LET(recovered_[group.number],
          recover(group.writer, world_.plan, world_.rules, world_.journal, world_.store,
                  group.number, group.store_epoch, world_.deeds));
  recovered_[group.number].set_aside = set_aside;
  KOI_LET(group.stored, world_.store.position(group.number));
  KOI_TRY(note_due(group));
  group.last_input = group.retry = Clock::now();
  return {};
}

// A refreshing makes a batch, though it be empty: the border that it needs in every journal.
Result<void> Writers::note_due(Group& group) {
  KOI_LET(const Timestamp due, group.writer.next_due());
  group.timer_due = due.us;
  group.stamp = group.writer.stamp().us;
  group.next_due = std::min(due, group.writer.next_refreshing()).us;
  return {};
}

// Of a group to which nothing ever came there is nobody.
bool Writers::has_passed(Timestamp instant) const {
  return std::all_of(groups_.begin(), groups_.end(), [&](const auto& group) {
    const bool is_idle = group->unstepped == 0;  // asked first: its batches stamp it, then end
    const Timestamp stamp{group->stamp}, due{group->timer_due};
    const bool is_decided = Timestamp{group->undecided_since} > instant;
    return stamp == Timestamp::ever() ? is_idle : stamp > instant && due >= instant && is_decided;
  });
}

Result<void> Writers::recover_all() {
  std::vector<Result<void>> results(groups_.size());
  std::vector<std::thread> threads;
  for (const auto& group : groups_) {
    Result<void>& result = results[group->number];
    if (settings_.recovers_at_once)
      threads.emplace_back([this, &group = *group, &result] { result = recover_group(group); });
    else
      result = recover_group(*group);
  }
  for (std::thread& thread : threads) thread.join();
  for (Result<void>& result : results) KOI_TRY(std::move(result));
  for (const auto& group : groups_) last_stamp_ = std::max(last_stamp_, group->writer.stamp());
  KOI_TRY(check_letters());
  return resend();
}

Writers::~Writers() {
  if (committing_.joinable()) fail({"stopping", "the writers were taken down"});
  for (std::thread* thread : {&committing_, &syncing_, &writing_})
    if (thread->joinable()) thread->join();
  for (std::thread& thread : stepping_)
    if (thread.joinable()) thread.join();
  const Error down{"stopping", "the writers were taken down"};
  give_up_queues(down);
  for (const auto& group : groups_) group->writer.give_up(down);
}

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

Writers::Part Writers::Part::split(std::size_t most_inputs, std::size_t most_bytes) {
  Part first{.lane = lane};
  std::size_t fit = 0;
  while (fit < most_inputs && fit < rows.size() &&
         first.bytes + rows[fit].bytes.size() <= most_bytes)
    first.bytes += rows[fit++].bytes.size();
  const auto end = static_cast<std::ptrdiff_t>(fit);
  std::move(rows.begin(), rows.begin() + end, std::back_inserter(first.rows));
  std::move(items.begin(), items.begin() + end, std::back_inserter(first.items));
  rows.erase(rows.begin(), rows.begin() + end);
  items.erase(items.begin(), items.begin() + end);
  bytes -= first.bytes;
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

// While some group has as much before it as it may, the processors have enough to do, and a commit
// is worth its sync only when another one's batch is full. A group that waits for its checkpoint
// holds up nobody, and what comes from within is held up by nobody.
bool Writers::is_better_later() {
  bool is_held_up = false;
  for (const auto& group : groups_) {
    if (group->unstepped >= settings_.most_batches) {
      is_held_up = is_held_up || !group->is_slow;
      continue;
    }
    if (group->waiting >= settings_.longest_batch || group->waiting_bytes >= settings_.batch_bytes)
      return false;
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
    if (unstepped >= settings_.most_batches) continue;
    std::vector<Part> parts = take_waiting(*group);
    // A group that is at work says when its next timer is due when it is done. What is due at a
    // stop is due at the next start.
    const bool is_due = unstepped == 0 && group->next_due < now.us && !door_closed_;
    if (parts.empty() && !is_due) continue;
    Share& share = shares.emplace_back();
    share.group = group.get();
    share.opening = {now, settings_.timers_at_once, semantics, world_.rules};
    share.rows.push_back({group->number, encode(share.opening)});
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
  Written* written = nullptr;
  {
    const std::lock_guard lock(written_mutex_);
    if (is_syncing_ || written_.empty()) return false;
    is_syncing_ = true;
    written = &written_.front();  // it stays there, whatever is written behind it
  }
  const auto synced = world_.journal.sync();
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
  {
    const std::lock_guard lock(written_mutex_);
    is_syncing_ = false;
    written_.pop_front();
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

// To the thread that syncs, which may be one commit behind. Where nothing waits to be written
// meanwhile, to hand it over would only take time.
Result<void> Writers::pass_on() {
  constexpr std::size_t under_way = 2;
  bool more_waits = false;
  {
    const std::lock_guard lock(commit_mutex_);
    more_waits = is_wanted_;
  }
  {
    std::unique_lock lock(written_mutex_);
    if (more_waits || is_syncing_) {
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
      written_changed_.wait(
          lock, [&] { return (!written_.empty() && !is_syncing_) || no_more_written_ || failed_; });
      if (failed_ || written_.empty()) break;
    }
    if (const auto synced = sync(); !synced) fail(synced.error());
  }
  if (failed_) give_up_written(*failure());
}

// Nothing of it was stepped, and it may be lost.
void Writers::give_up_written(const Error& error) {
  const std::lock_guard lock(written_mutex_);
  while (written_.size() > (is_syncing_ ? 1u : 0u)) {
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

// --- Stepping -----------------------------------------------------------------------------------

Result<void> Writers::step_batch(Group& group, const Batch& batch) {
  const auto begin = Clock::now();
  forget_arrived(group);
  if (auto stepped = group.writer.step(batch); !stepped) {
    batch.fail(stepped.error());
    return stepped;
  }
  group.times.stepped(batch.inputs(), Clock::now() - begin);
  if (!batch.parts.empty()) group.last_input = begin;
  KOI_TRY(note_due(group));
  KOI_TRY(bring(group.writer.letters().take_new()));
  note_undecided(group);
  tell_senders(group);
  --group.unstepped;
  const Customers& customers = group.writer.customers();
  group.inputs += batch.inputs();
  group.customers = customers.customers();
  group.bytes = customers.bytes();
  group.tail = group.writer.position() - group.stored;
  group.is_slow = group.writer.percent_held() > percent_slow;
  return {};
}

Result<bool> Writers::step(store::Group number) {
  Group& group = *groups_[number];
  if (group.committed.empty()) return false;
  const Batch batch = std::move(group.committed.front());
  group.committed.pop_front();
  KOI_TRY(step_batch(group, batch));
  return true;
}

// A letter that has arrived is no row any more: that is something to write, though nothing came in.
bool Writers::lacks_checkpoint(const Group& group) {
  return group.writer.position() > group.stored || group.writer.has_changed_rows();
}

// Memory stays within its budget: where what must stay would not leave room, the checkpoint that is
// being written comes first.
bool Writers::may_step(const Group& group) const {
  return group.writer.percent_held() <= percent_stopped;
}

void Writers::begin_checkpoint(Group& group) {
  group.times.begin();
  forget_arrived(group);
  Frozen frozen = freeze(group.writer, group.number, group.store_epoch, world_.deeds);
  {
    const std::lock_guard lock(frozen_mutex_);
    frozen_.push_back(std::move(frozen));
  }
  frozen_changed_.notify_one();
}

void Writers::settle(Group& group, Outcome outcome) {
  if (outcome.written) {
    group.writer.committed();
    ++checkpoints_;
  } else {
    group.writer.failed(outcome.changed);
    group.retry = Clock::now() + until_next_try;
  }
  if (group.back.over != group.back.begun) {
    group.back.over = group.back.begun;
    group.back.last = std::move(outcome.written);
    group.changed.notify_all();
  }
  group.is_slow = group.writer.percent_held() > percent_slow;
}

void Writers::step_on(Group& group) {
  Customers& customers = group.writer.customers();
  std::unique_lock lock(group.mutex);
  while (!failed_) {
    if (!group.looks.empty()) {
      const Look look = std::move(group.looks.front());
      group.looks.pop_front();
      lock.unlock();
      look(&group.writer);
      lock.lock();
    }
    const bool may_commit = !customers.is_frozen() && Clock::now() >= group.retry;
    const bool is_idle = group.committed.empty();
    const bool is_last = all_committed_ && is_idle;
    if (is_last) forget_arrived(group);
    const auto rested = std::chrono::duration_cast<std::chrono::microseconds>(
        is_idle ? Clock::now() - group.last_input : Clock::duration(0));
    if (group.answer) {
      customers.take(group.asked, *group.answer);
      group.answer = nullptr;
      group.changed.notify_all();
    } else if (group.outcome) {
      Outcome outcome = *std::exchange(group.outcome, std::nullopt);
      settle(group, std::move(outcome));
    } else if (may_commit &&
               (group.times.is_due(group.writer, rested) || (is_last && lacks_checkpoint(group)) ||
                (group.back.asked != group.back.begun && group.writer.position() > group.stored))) {
      group.back.begun = group.back.asked;
      lock.unlock();
      begin_checkpoint(group);
      lock.lock();
      continue;
    } else if (group.back.asked != group.back.begun && !customers.is_frozen() &&
               group.writer.position() <= group.stored) {
      group.back = {group.back.asked, group.back.asked, group.back.asked, {}};
      group.changed.notify_all();
    } else if (is_last && !customers.is_frozen() && !lacks_checkpoint(group)) {
      return;
    } else if (!is_idle && may_step(group)) {
      const Batch batch = std::move(group.committed.front());
      group.committed.pop_front();
      lock.unlock();
      const auto stepped = step_batch(group, batch);
      if (!stepped) fail(stepped.error());
      wake_committer();
      lock.lock();
      continue;
    } else {
      // Rests and retries are looked at now and then; everything else wakes this thread.
      group.changed.wait_for(lock, std::chrono::milliseconds(200));
    }
  }
  // What is committed here will be decided after the next start; nobody can be told now.
  for (const Batch& batch : std::exchange(group.committed, {})) batch.fail(*failure());
  group.writer.give_up(*failure());
}

// --- Between groups -----------------------------------------------------------------------------

// Into the journals of those whom they are for.
Result<void> Writers::bring(const std::vector<Letter>& letters) {
  if (letters.empty()) return {};
  std::vector<std::vector<Part>> parts(groups_.size());
  std::vector<store::Row> room;
  for (const Letter& letter : letters) {
    std::atomic<std::uint64_t>& sent = groups_[letter.from]->sent[letter.to];
    sent = std::max(sent.load(), letter.number);
    if (world_.carry && !world_.carry(letter)) continue;
    KOI_LET(LetterFrom came, read(letter, world_.plan));
    Item item{std::move(came), letter.to, nullptr, 0};
    if (const auto customer = customer_of(item.given); !customer.empty())
      item.partition = partition_of(customer);
    add(parts[letter.to], Lane::Inner, std::move(item), room);
  }
  spare_.give(std::move(room));
  for (const auto& group : groups_) take_in(*group, std::move(parts[group->number]));
  wake_committer();
  return {};
}

// What it has taken is durable and stepped: they need not keep it any more.
void Writers::tell_senders(Group& group) {
  if (groups_.size() == 1) return;
  const Letters& letters = group.writer.letters();
  for (const auto& from : groups_) from->arrived[group.number] = letters.taken(from->number);
}

void Writers::forget_arrived(Group& group) {
  if (groups_.size() == 1) return;
  for (const auto& to : groups_)
    group.writer.letters().arrived(to->number, group.arrived[to->number]);
}

void Writers::note_undecided(Group& group) {
  const Waiting& waiting = group.writer.waiting();
  group.undecided = waiting.size();
  group.undecided_bytes = waiting.bytes();
  group.undecided_since = waiting.oldest().us;
}

bool Writers::is_all_arrived() const {
  return std::all_of(groups_.begin(), groups_.end(), [&](const auto& group) {
    for (std::size_t to = 0; to < groups_.size(); ++to)
      if (group->sent[to] != group->arrived[to]) return false;
    return true;
  });
}

// What the groups say of one another at a start: letters that have arrived are on their way no
// more, and the others can be read.
Result<void> Writers::check_letters() {
  for (const auto& from : groups_) {
    note_undecided(*from);
    for (const auto& to : groups_) {
      Letters& letters = from->writer.letters();
      const std::uint64_t taken = to->writer.letters().taken(from->number);
      if (taken > letters.last(to->number))
        return Error{"foreign", "group " + std::to_string(to->number) +
                                    " has taken letters that group " +
                                    std::to_string(from->number) +
                                    " has not written; put back the files that belong together"};
      letters.arrived(to->number, taken);
      from->sent[to->number] = letters.last(to->number);
      from->arrived[to->number] = taken;
      for (const Letter& letter : letters.open(to->number))
        if (letter.rules != world_.rules)
          return Error{"rules",
                       "letters between groups are on their way that other rules have "
                       "written; start with those once more and stop cleanly, then start "
                       "with these"};
    }
  }
  return {};
}

Result<void> Writers::resend() {
  for (const auto& from : groups_) {
    forget_arrived(*from);
    from->writer.letters().take_new();
    for (const auto& to : groups_) {
      const auto& open = from->writer.letters().open(to->number);
      KOI_TRY(bring({open.begin(), open.end()}));
    }
  }
  return {};
}

Result<void> Writers::finish() {
  door_closed_ = true;
  for (bool goes_on = true; goes_on;) {
    KOI_LET(goes_on, commit());
    for (const auto& group : groups_)
      for (bool has_stepped = true; has_stepped;) {
        KOI_LET(has_stepped, step(group->number));
        goes_on = goes_on || has_stepped;
      }
  }
  for (const auto& group : groups_) {
    forget_arrived(*group);
    if (lacks_checkpoint(*group)) KOI_TRY(checkpoint(group->number));
  }
  return {};
}

// --- Looking ------------------------------------------------------------------------------------

void Writers::look(std::string customer, Show show) {
  Group& group = *groups_[world_.groups.group_of(partition_of(customer))];
  look_at(group, [this, customer = std::move(customer),
                  show = std::move(show)](Result<Writer*> writer) mutable {
    if (!writer) return show(writer.error());
    Customers& customers = (*writer)->customers();
    const auto state = customers.of(partition_of(customer), customer);
    if (!state) return show(state.error());
    std::optional<std::string> other;  // who he has turned out to be
    if (const std::string* const id = core::gone_to(**state))
      other = *id;
    else
      show((*state)->begun ? *state : nullptr);
    customers.unchanged();
    if (other) look(*std::move(other), std::move(show));
  });
}

namespace {
Error on_his_way() {
  return {"moved",
          "two customers have turned out to be one person, and one of them is on his way to the "
          "other; ask again a little later"};
}
}  // namespace

void Writers::find_customer(std::string customer, std::function<void(Result<std::string>)> then) {
  std::string asked = customer;
  find_customer(std::move(customer), std::move(asked), std::move(then));
}

// `asked` is the one whom it began with.
void Writers::find_customer(std::string customer, std::string asked,
                            std::function<void(Result<std::string>)> then) {
  Group& group = *groups_[world_.groups.group_of(partition_of(customer))];
  look_at(group, [this, customer = std::move(customer), asked = std::move(asked),
                  then = std::move(then)](Result<Writer*> writer) mutable {
    if (!writer) return then(writer.error());
    Customers& customers = (*writer)->customers();
    const auto state = customers.of(partition_of(customer), customer);
    if (!state) return then(state.error());
    std::optional<std::string> other;  // who he has turned out to be
    if (const std::string* const id = core::gone_to(**state)) other = *id;
    const bool is_here = core::is_called(**state, asked);
    customers.unchanged();
    if (other) return find_customer(*std::move(other), std::move(asked), std::move(then));
    then(is_here ? Result<std::string>(std::move(customer)) : on_his_way());
  });
}

void Writers::validate(core::Call call, Tell tell) {
  Group& group = *groups_[world_.groups.group_of(partition_of(call.customer))];
  look_at(group, [call = std::move(call), tell = std::move(tell)](Result<Writer*> writer) {
    tell(writer ? (*writer)->validate(call) : Result<core::Answer>(writer.error()));
  });
}

void Writers::look_at_shared(store::Group group, ShowShared show) {
  look_at(*groups_[group], [show = std::move(show)](Result<Writer*> writer) {
    if (!writer) return show(writer.error());
    const core::Accounts& shared = (*writer)->shared();
    if (shared.fault()) return show(*shared.fault());
    show(&shared);
  });
}

namespace {
// What several groups answer, of whom the last one tells.
struct Search {
  std::mutex mutex;
  std::size_t left = 0;
  std::optional<Error> error;
  std::map<std::string, CodePlace> found;  // by code
  std::set<std::string> on_their_way;      // codes whose customers were another group's
  std::function<void(Result<std::vector<CodePlace>>)> then;

  // What the group knows of its own customers counts; who has left it for another one's is known
  // there too, once he has come.
  void add(std::vector<CodePlace> places, store::Groups groups, store::Group by) {
    for (CodePlace& each : places) {
      if (groups.group_of(partition_of(each.customer)) != by)
        on_their_way.insert(each.code);
      else
        found.emplace(each.code, std::move(each));
    }
  }
  Result<std::vector<CodePlace>> places() {
    if (error) return *error;
    std::vector<CodePlace> all;
    for (auto& [code, place] : found) {
      on_their_way.erase(code);
      all.push_back(std::move(place));
    }
    if (!on_their_way.empty()) return on_his_way();
    return all;
  }
};
}  // namespace

void Writers::find_places(std::vector<std::string> codes,
                          std::function<void(Result<std::vector<CodePlace>>)> then) {
  const auto search = std::make_shared<Search>();
  search->left = groups_.size();
  search->then = std::move(then);
  const auto wanted = std::make_shared<const std::vector<std::string>>(std::move(codes));
  for (const auto& group : groups_)
    look_at(*group,
            [search, wanted, groups = world_.groups, by = group->number](Result<Writer*> writer) {
              auto found = writer ? (*writer)->find_places(*wanted)
                                  : Result<std::vector<CodePlace>>(writer.error());
              std::unique_lock lock(search->mutex);
              if (!found)
                search->error = found.error();
              else
                search->add(*std::move(found), groups, by);
              if (--search->left > 0) return;
              lock.unlock();
              search->then(search->places());
            });
}

void Writers::look_at(Group& group, Look look) {
  if (!committing_.joinable()) return look(&group.writer);
  {
    const std::lock_guard lock(group.mutex);
    if (!group.is_over) {
      group.looks.push_back(std::move(look));
      group.changed.notify_all();
      return;
    }
  }
  look(Error{"stopping", "this process is stopping and shows nothing more"});
}

void Writers::end_looks(Group& group) {
  std::deque<Look> left;
  {
    const std::lock_guard lock(group.mutex);
    group.is_over = true;
    left.swap(group.looks);
  }
  for (const Look& look : left)
    look(Error{"stopping", "this process is stopping and shows nothing more"});
}

Writers::Figures Writers::figures() const {
  Figures all;
  for (const auto& group : groups_) {
    all.inputs += group->inputs;
    all.waiting += group->waiting;
    all.customers += group->customers;
    all.bytes += group->bytes;
    all.tail += group->tail;
    for (std::size_t to = 0; to < groups_.size(); ++to)
      all.letters += group->sent[to] - std::min(group->sent[to].load(), group->arrived[to].load());
    all.undecided += group->undecided;
    all.set_aside += group->writer.left_out();
  }
  return all;
}

// --- Writing back -------------------------------------------------------------------------------

Result<void> Writers::take_from(Group& group, std::span<const Changed> which,
                                std::vector<store::Saved>& into) {
  std::unique_lock lock(group.mutex);
  group.asked = which;
  group.answer = &into;
  group.changed.notify_all();
  while (group.answer && !failed_) group.changed.wait_for(lock, std::chrono::milliseconds(200));
  if (!group.answer) return {};
  group.answer = nullptr;
  return Error{"stopping", "the checkpoint was given up"};
}

void Writers::write_on() {
  for (;;) {
    Frozen frozen;
    {
      std::unique_lock lock(frozen_mutex_);
      frozen_changed_.wait(lock, [&] { return !frozen_.empty() || no_more_frozen_; });
      if (frozen_.empty()) return;
      frozen = std::move(frozen_.front());
      frozen_.pop_front();
    }
    Group& group = *groups_[frozen.group];
    const auto written =
        durable::write(frozen, world_.journal, world_.store,
                       [&](std::span<const Changed> which, std::vector<store::Saved>& into) {
                         return take_from(group, which, into);
                       });
    if (!written && !failed_) {
      trouble_(written.error());
      if (written.error().code == "fenced") fail(written.error());
    }
    const std::lock_guard lock(group.mutex);
    if (written) group.stored = frozen.position;
    group.outcome = Outcome{written, std::move(frozen.changed)};
    group.changed.notify_all();
  }
}

Result<void> Writers::write_back() {
  for (const auto& group : groups_) {
    const std::lock_guard lock(group->mutex);
    ++group->back.asked;
    group->changed.notify_all();
  }
  for (const auto& group : groups_) {
    std::unique_lock lock(group->mutex);
    const std::uint64_t wanted = group->back.asked;
    while (group->back.over < wanted && !failed_ && !group->is_over)
      group->changed.wait_for(lock, std::chrono::milliseconds(200));
    if (failed_) return *failure();
    if (group->back.over < wanted) return Error{"stopping", "this process is stopping"};
    KOI_TRY(group->back.last);
  }
  return {};
}

Result<void> Writers::checkpoint(store::Group number) {
  Group& group = *groups_[number];
  Customers& customers = group.writer.customers();
  forget_arrived(group);
  Frozen frozen = freeze(group.writer, number, group.store_epoch, world_.deeds);
  group.times.begin();
  auto written =
      durable::write(frozen, world_.journal, world_.store,
                     [&](std::span<const Changed> which, std::vector<store::Saved>& into) {
                       customers.take(which, into);
                       return Result<void>();
                     });
  settle(group, {written, std::move(frozen.changed)});
  if (written) group.stored = frozen.position;
  return written;
}

// --- Starting and stopping ----------------------------------------------------------------------

void Writers::start(std::function<void(const Error&)> trouble) {
  KOI_ASSERT(!committing_.joinable());
  trouble_ = trouble ? std::move(trouble) : [](const Error&) {};
  committing_ = std::thread([this] {
    name_this_thread("koi-commit");
    commit_on();
  });
  syncing_ = std::thread([this] {
    name_this_thread("koi-sync");
    sync_on();
  });
  writing_ = std::thread([this] {
    name_this_thread("koi-checkpoint");
    write_on();
  });
  for (const auto& group : groups_)
    stepping_.emplace_back([this, &group = *group] {
      name_this_thread(("koi-step-" + std::to_string(group.number)).c_str());
      step_on(group);
      end_looks(group);
    });
}

Result<void> Writers::stop() {
  door_closed_ = true;
  wake_committer();
  for (std::thread* thread : {&committing_, &syncing_})
    if (thread->joinable()) thread->join();
  for (std::thread& thread : stepping_) thread.join();
  stepping_.clear();
  {
    const std::lock_guard lock(frozen_mutex_);
    no_more_frozen_ = true;
  }
  frozen_changed_.notify_all();
  if (writing_.joinable()) writing_.join();
  if (const auto error = failure()) return *error;
  return {};
}

void Writers::give_up_queues(const Error& error) {
  for (const auto& group : groups_) {
    Batch batch;
    {
      const std::lock_guard lock(group->queue_mutex);
      for (auto* queue : {&group->inner, &group->outer}) {
        for (Part& part : *queue) batch.parts.push_back(std::move(part.items));
        queue->clear();
      }
    }
    batch.fail(error);
  }
}

void Writers::fail(const Error& error) {
  {
    const std::lock_guard lock(failure_mutex_);
    if (failure_) return;
    failure_ = error;
  }
  failed_ = true;
  trouble_(error);
  {
    const std::lock_guard lock(frozen_mutex_);
    no_more_frozen_ = true;
  }
  frozen_changed_.notify_all();
  {
    // Who waits there looks at failed_ under this mutex.
    const std::lock_guard lock(written_mutex_);
  }
  written_changed_.notify_all();
  commit_wanted_.notify_all();
  for (const auto& group : groups_) group->changed.notify_all();
}

std::optional<Error> Writers::failure() const {
  const std::lock_guard lock(failure_mutex_);
  return failure_;
}

}  // namespace koi::durable
