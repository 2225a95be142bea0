// Writers, as a whole: they take the groups over, start, stop and fail. Up to the disk they are in
// writers_commit.cpp, behind it in writers_step.cpp; what lies between groups is in
// writers_groups.cpp, and what others are shown in writers_look.cpp.
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

// As `top -H` and debuggers show it; of up to 15 bytes.
void name_this_thread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

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
  // Whoever goes waits in the one group until he does, and in the other from before that on: he may
  // be missed where that one is asked first, and is found where both are asked again. A letter that
  // was sent meanwhile may have let him go on to a third.
  const auto sent = [&] {
    std::uint64_t sum = 0;
    for (const auto& group : groups_)
      for (std::size_t to = 0; to < groups_.size(); ++to) sum += group->sent[to];
    return sum;
  };
  const std::uint64_t before = sent();
  const bool is_passed = std::all_of(groups_.begin(), groups_.end(), [&](const auto& group) {
    const bool is_idle = group->unstepped == 0;  // asked first: its batches stamp it, then end
    const Timestamp stamp{group->stamp}, due{group->timer_due};
    const bool is_decided = Timestamp{group->undecided_since} > instant;
    return stamp == Timestamp::ever() ? is_idle : stamp > instant && due >= instant && is_decided;
  });
  return is_passed && sent() == before;
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

// --- Starting and stopping ----------------------------------------------------------------------

void Writers::start(std::function<void(const Error&)> trouble) {
  KOI_ASSERT(!has_threads_);
  has_threads_ = true;
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
