// Writers: the groups of a process at work. Inputs come in at one door, are committed to the
// journal by one thread for all groups (one sync for what waits, and the only look at a clock),
// stepped by one thread for each group, and written back by one more. Nothing leaves, no answer and
// no deed, before its batch is durable and stepped.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "durable/checkpoint.h"
#include "durable/letters.h"
#include "durable/recover.h"
#include "durable/writer.h"

namespace koi::durable {

enum class Lane : std::uint8_t {
  Outer,  // from outside: refused while too much waits
  Inner,  // receipts and messages: always taken, bounded by what caused them
};

struct Settings {
  std::uint64_t budget = 256u << 20;   // for states in memory, in bytes, of all groups together,
                                       // with what the allocator loses
  std::size_t longest_batch = 1000;    // inputs of one group in one commit
  std::size_t longest_queue = 20'000;  // outer inputs that wait in one group
  std::size_t batch_bytes = 8u << 20;  // the same two in bytes of the journal
  std::size_t queue_bytes = 32u << 20;
  std::size_t most_batches = 16;          // of one group, committed and not yet stepped
  std::uint32_t timers_at_once = 10'000;  // that fire before one batch
  // Groups recover side by side; else one after the other, on the caller's thread, so that what
  // they ask of the disk comes in one order.
  bool recovers_at_once = true;
  CheckpointRules checkpoints;
};

// What the writers read and write. All of it must outlive them.
struct World {
  const plan::Plan& plan;
  std::uint64_t rules;  // names the program that `plan` is
  store::Journal& journal;
  store::Store& store;
  store::Groups groups;
  Deeds& deeds;
  std::function<Timestamp()> clock;
  CrashWatch* watch = nullptr;  // none: what crashes does so again
  // Is asked for each letter between groups (letters.h) that would be brought now: false, and it is
  // lost on its way, until resend(). On the threads of the groups. None: all are brought.
  std::function<bool(const Letter&)> carry{};
};

class Writers {
 public:
  // Takes the groups over and recovers them. Errors are those of recover(); "rules" too where
  // letters are open that other rules have written; "foreign" where the files of one group do not
  // belong to those of another.
  static Result<std::unique_ptr<Writers>> open(World world, Settings settings);
  // Without a stop() before it, it is as if the process had died here.
  ~Writers();

  // Hands inputs in; `done` is called when all are durable and stepped, or with the reason why they
  // may not be, on a thread that others wait for. Thread-safe. Errors, after which nothing was
  // taken, `inputs` are as they were and `done` is not called: "busy" (ask again later),
  // "stopping", and whatever stopped the writers.
  Result<void> submit(std::vector<Given>&& inputs, Done done, Lane lane = Lane::Outer);

  // Shows the customer as he stands between two batches, on the thread that steps him (without
  // threads: at once); null where there is none. What is shown is valid for the call, up to
  // another look from within it. Error "stopping" once a group has stopped, for all looks here.
  // Thread-safe.
  using Show = std::function<void(Result<const core::State*>)>;
  void look(std::string customer, Show show);
  // Who the customer is by now: himself, or whom he has turned out to be, in whatever group; on
  // some group's thread (without threads: at once). Error "moved" while he is on his way there:
  // what is known of him comes with him in a moment. Thread-safe.
  void find_customer(std::string customer, std::function<void(Result<std::string>)> then);
  // What redeeming that coupon would be answered, as of now; the same way.
  using Tell = std::function<void(Result<core::Answer>)>;
  void validate(core::Call call, Tell tell);
  // What the customers of a group share; the same way.
  using ShowShared = std::function<void(Result<const core::Accounts*>)>;
  void look_at_shared(store::Group group, ShowShared show);
  store::Groups groups() const { return world_.groups; }

  // Where codes lead, each of them said once, by code: those that lead somewhere. Every group is
  // asked, between two of its batches; the last one tells, on its thread (without threads: at
  // once). Error "moved" while one of them leads to somebody who is on his way to another group
  // (find_customer), which does not know the code yet. Thread-safe.
  void find_places(std::vector<std::string> codes,
                   std::function<void(Result<std::vector<CodePlace>>)> then);

  // How many codes of that pool nobody was given yet, in whatever group they are, or on the way
  // between two. Every group is asked, as for places. Thread-safe.
  void find_codes_left(std::string pool, std::function<void(Result<std::uint64_t>)> then);

  // Has every group decided all that came up to that instant, and every timer that was due before
  // it? Thread-safe; true a moment later than it is so.
  bool has_passed(Timestamp instant) const;

  // Writes every group back as it is by now, while it goes on; returns when that is stored. Where
  // threads run; thread-safe. Errors: that of a checkpoint that failed, "stopping", and whatever
  // stopped the writers.
  Result<void> write_back();

  // Starts the threads. `trouble` is told of what stops the writers, and of checkpoints that failed
  // and will be tried again; it is called on their threads.
  void start(std::function<void(const Error&)> trouble);
  // Closes the door, takes everything inside to its end, writes it back: no tail is left.
  Result<void> stop();

  // --- By hand, where no threads were started: each does one thing and returns

  // Commits what waits and what is due; false where there was nothing. In two halves: writes it to
  // the journal, and makes durable all that is written, so that it can be stepped.
  Result<bool> commit();
  Result<bool> write();
  Result<bool> sync();
  // Steps the group's oldest committed batch; false where there is none.
  Result<bool> step(store::Group group);
  // Writes the group back as it is now.
  Result<void> checkpoint(store::Group group);
  // Brings every letter again that is on its way between groups, as at each start.
  Result<void> resend();
  // Takes everything inside to its end and writes it back, as stop() does.
  Result<void> finish();

  // For reports and tests; where threads run, only of what they say is thread-safe.
  const Writer& writer(store::Group group) const { return groups_[group]->writer; }
  Writer& writer(store::Group group) { return groups_[group]->writer; }
  const std::vector<Recovered>& recovered() const { return recovered_; }
  std::uint64_t checkpoints() const { return checkpoints_; }  // thread-safe
  std::uint64_t commits() const { return commits_; }          // thread-safe
  // Of all groups together; thread-safe, and a moment old.
  struct Figures {
    std::uint64_t inputs = 0;     // stepped since the start, openings not counted
    std::uint64_t waiting = 0;    // outer inputs that are not committed yet
    std::uint64_t customers = 0;  // in memory …
    std::uint64_t bytes = 0;      // … and what they take
    std::uint64_t tail = 0;       // rows behind the last checkpoints
    std::uint64_t letters = 0;    // on their way between groups
    std::uint64_t undecided = 0;  // inputs that wait until another group has lent what they need
    std::uint64_t set_aside = 0;  // what is never decided, since it crashed the process
  };
  Figures figures() const;

 private:
  // Inputs of one request for one group, in their order.
  struct Part {
    Lane lane = Lane::Outer;
    std::vector<Item> items;
    std::vector<store::Row> rows;
    std::size_t bytes = 0;  // of the rows
    // The first ones, as far as they fit into the rest of a batch; this keeps the others.
    Part split(std::size_t inputs, std::size_t bytes);
  };
  // One group's share in a commit.
  struct Group;
  struct Share {
    Group* group;
    std::vector<Part> parts;
    Opening opening;
    std::vector<store::Row> rows;
  };
  // What is written to the journal, and durable with the next sync.
  struct Written {
    std::vector<Share> shares;
    std::vector<store::Position> last;  // of each share's group
  };
  // What came of a checkpoint: its set is stored, or counts as changed again.
  struct Outcome {
    Result<void> written;
    std::vector<Changed> changed;
    store::Position position = 0;  // that it stands for
  };
  // What write_back() has asked of a group, numbered: which of it a checkpoint has taken up, and
  // which is over, well or not.
  struct Back {
    std::uint64_t asked = 0, begun = 0, over = 0;
    Result<void> last;
  };
  // Is shown the writer between two batches, or told why not.
  using Look = std::function<void(Result<Writer*>)>;
  // Rows that are written, for the door to write the next ones into: one thread allocates them and
  // another would free them, of which each input would make both wait.
  class SpareRows {
   public:
    std::vector<store::Row> take();
    void give(std::vector<store::Row> rows);

   private:
    std::mutex mutex_;
    std::vector<std::vector<store::Row>> rows_;
    std::size_t bytes_ = 0;  // that they take
  };
  // A group, with what waits for its thread.
  struct Group {
    Group(const World& world, const match::Index& index, store::Group which, std::uint64_t budget)
        : number(which),
          writer(world.plan, index, world.store, world.groups, which, budget, world.deeds),
          sent(world.groups.count),
          arrived(world.groups.count) {}

    const store::Group number;
    Writer writer;
    store::Epoch journal_epoch = 0, store_epoch = 0;
    store::Position stored = 0;  // of the last checkpoint; of the group's thread, as the writer is

    std::mutex queue_mutex;
    std::deque<Part> outer, inner;
    std::atomic<std::size_t> waiting = 0, waiting_bytes = 0;  // in `outer`

    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Batch> committed;
    std::span<const Changed> asked;  // by the checkpoint that is being written …
    std::vector<store::Saved>* answer =
        nullptr;  // … and where it wants them; null: it asks nothing
    std::optional<Outcome> outcome;
    Back back;
    std::deque<Look> looks;
    bool is_over = false;  // its thread has ended, and shows nobody any more

    std::atomic<std::size_t> unstepped = 0;                                     // batches
    std::atomic<std::uint64_t> inputs = 0, customers = 0, bytes = 0, tail = 0;  // for figures()
    std::atomic<std::int64_t> next_due = INT64_MAX;   // of a timer, or of a refreshing
    std::atomic<std::int64_t> timer_due = INT64_MAX;  // of a timer alone
    std::atomic<std::int64_t> stamp = INT64_MIN;      // of the last batch that was stepped
    std::atomic<bool> is_slow = false;  // too much must stay in memory: the door waits
    // By group: the last letter that was written to it, and the last that it has taken.
    std::vector<std::atomic<std::uint64_t>> sent, arrived;
    std::atomic<std::size_t> undecided = 0, undecided_bytes = 0;  // inputs that wait for loans
    std::atomic<std::int64_t> undecided_since = INT64_MAX;
    CheckpointTimes times{{}};
    std::chrono::steady_clock::time_point last_input, retry;
  };

  Writers(World world, Settings settings);
  Result<void> recover_all();
  Result<void> recover_group(Group& group);

  Result<void> note_due(Group& group);

  Partition partition_for(const Given& given) const;
  void add(std::vector<Part>& parts, Lane lane, Item item, std::vector<store::Row>& room);
  void take_in(Group& group, std::vector<Part> parts);
  bool is_busy(const Group& group) const;

  // The committing thread.
  void commit_on();
  std::vector<Part> take_waiting(Group& group);
  bool fills_a_batch(const Group& group) const;
  bool has_enough(const Group& group) const;
  bool is_better_later();
  static Batch batch_of(Share& share);
  Result<void> pass_on();
  void refuse(std::vector<Share> shares, const Error& error);
  void wake_committer();
  void wait_for_work(bool is_well);

  // The thread that syncs what is written, while the next is being written.
  void sync_on();
  void give_up_written(const Error& error);

  // A group's thread.
  void step_on(Group& group);
  Result<void> step_batch(Group& group, const Batch& batch);
  bool may_step(const Group& group) const;
  static bool lacks_checkpoint(const Group& group);

  // Between groups.
  Result<void> bring(const std::vector<Letter>& letters);
  void tell_senders(Group& group);
  void forget_arrived(Group& group);
  void note_undecided(Group& group);
  bool is_all_arrived() const;
  Result<void> check_letters();
  void find_customer(std::string customer, std::string asked,
                     std::function<void(Result<std::string>)> then);
  void look_at(Group& group, Look look);
  void end_looks(Group& group);
  void settle(Group& group, Outcome outcome);
  void begin_checkpoint(Group& group);

  // The thread that writes checkpoints.
  void write_on();
  Result<void> take_from(Group& group, std::span<const Changed> which,
                         std::vector<store::Saved>& into);

  void fail(const Error& error);
  void give_up_queues(const Error& error);
  std::optional<Error> failure() const;

  World world_;
  Settings settings_;
  match::Index index_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<Recovered> recovered_;
  Timestamp last_stamp_ = Timestamp::ever();
  std::function<void(const Error&)> trouble_;

  SpareRows spare_;

  std::mutex commit_mutex_;
  std::condition_variable commit_wanted_;
  bool is_wanted_ = false;

  std::mutex written_mutex_;
  std::condition_variable written_changed_;
  std::deque<Written> written_;  // each stays until it is durable
  std::size_t under_sync_ = 0;   // so many of them, the first ones, are being made so
  bool no_more_written_ = false;

  std::mutex frozen_mutex_;
  std::condition_variable frozen_changed_;
  std::deque<Frozen> frozen_;
  bool no_more_frozen_ = false;

  mutable std::mutex failure_mutex_;
  std::optional<Error> failure_;
  std::atomic<bool> failed_ = false;
  std::atomic<bool> door_closed_ = false;
  std::atomic<bool> all_committed_ = false;  // and nothing more will be
  std::atomic<std::uint64_t> checkpoints_ = 0, commits_ = 0;
  std::atomic<bool> has_threads_ = false;  // since start(), for good: looks go by it at any time
  std::thread committing_, syncing_, writing_;
  std::vector<std::thread> stepping_;
};

}  // namespace koi::durable
