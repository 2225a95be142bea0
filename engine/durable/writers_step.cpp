// Writers, behind the disk: what is durable is stepped, and what has changed is written back.
#include <algorithm>
#include <utility>

#include "durable/detail/until_next_try.h"
#include "durable/writers.h"

namespace koi::durable {

namespace {

using Clock = std::chrono::steady_clock;

// Of a group's budget that what must stay in memory may take before the door waits, and before the
// stepping waits too.
constexpr std::uint64_t percent_slow = 80, percent_stopped = 92;

}  // namespace

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
  note_undecided(group);  // before anybody is told: has_passed() relies on it
  KOI_TRY(bring(group.writer.letters().take_new()));
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
    group.stored = outcome.position;
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
      const auto looks = std::exchange(group.looks, {});
      lock.unlock();
      for (const Look& look : looks) look(&group.writer);
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
    } else if (group.looks.empty()) {
      // Rests and retries are looked at now and then; everything else wakes this thread.
      group.changed.wait_for(lock, std::chrono::milliseconds(200));
    }
  }
  // What is committed here will be decided after the next start; nobody can be told now.
  for (const Batch& batch : std::exchange(group.committed, {})) batch.fail(*failure());
  group.writer.give_up(*failure());
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
    group.outcome = Outcome{written, std::move(frozen.changed), frozen.position};
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
  settle(group, {written, std::move(frozen.changed), frozen.position});
  return written;
}

}  // namespace koi::durable
