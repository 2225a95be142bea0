// Writer: the one who steps a group of partitions. It is given batches that are durable already and
// takes them through the core: timers that are due before a batch's stamp, then its inputs. What
// was decided is handed on, and who asked is answered, when the whole batch is stepped. Knows no
// clock and no thread: what it does follows from the journal alone. One thread's own.
//
// Where several groups serve customers who share something, what one's turn tells a customer of
// another group goes there as a letter, and a turn that needs more of an account than the group has
// been lent is undone and waits (decision 0023). So does an event that has met a customer of
// another group, until it is said whether the two are one person (decision 0024).
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/decide.h"
#include "durable/crash_watch.h"
#include "durable/customers.h"
#include "durable/deeds.h"
#include "durable/input.h"
#include "durable/letters.h"
#include "durable/meetings.h"
#include "durable/rows.h"
#include "durable/shelf.h"
#include "durable/waiting.h"
#include "store/journal.h"

namespace koi::durable {

// What became of an input.
struct Answer {
  core::Standing standing = core::Standing::Applied;
  store::Position position = 0;  // where it stands in its group's journal
  // Of a call; null where nothing came of it (it is set aside).
  std::shared_ptr<const core::Answer> call{};
  friend bool operator==(const Answer&, const Answer&) = default;
};

// Inputs that came together and are answered together, whatever groups they belong to.
using Done = std::function<void(Result<std::vector<Answer>>)>;

// Thread-safe: each group answers for its own inputs, and the last one calls.
class Request;

// One input on its way through a group.
struct Item {
  Given given;
  Partition partition = 0;
  std::shared_ptr<Request> request;  // null: nobody waits
  std::uint32_t number = 0;          // among the request's
};

class Request {
 public:
  Request(std::size_t inputs, Done done)
      : answers_(inputs), left_(inputs), done_(std::move(done)) {}
  void answer(std::uint32_t number, Answer answer) { answers_[number] = std::move(answer); }
  // `inputs` of them are answered, or failed for that reason.
  void finish(std::size_t inputs, const Error* error = nullptr);
  // One of them is answered later than those beside it in its batch, and finished by itself.
  void keep() { left_.fetch_add(1); }

 private:
  std::vector<Answer> answers_;
  std::atomic<std::size_t> left_;
  std::mutex mutex_;
  std::optional<Error> error_;
  Done done_;
};

// A batch of one group, as the journal has it from `first` on: the opening, then the items of each
// part.
struct Batch {
  store::Position first = 0;
  Opening opening;
  std::vector<std::vector<Item>> parts;

  std::size_t inputs() const;
  // Tells whoever waits that nothing came of it.
  void fail(const Error& error) const;
};

class Writer {
 public:
  // All must outlive it. `budget` is for states and accounts in memory, in bytes.
  Writer(const plan::Plan& plan, const match::Index& index, const store::Store& store,
         store::Groups groups, store::Group group, std::uint64_t budget, Deeds& deeds);
  ~Writer();

  // What is never stepped (of store::Journal::set_aside), and who is told what is being stepped;
  // before everything else, where wanted. `watch` must outlive the writer.
  void leave_out(std::vector<store::SetAside> what) { set_aside_ = std::move(what); }
  std::size_t left_out() const { return set_aside_.size(); }
  void watch(CrashWatch* watch) { watch_ = watch; }
  // Makes readable what the store holds, and takes from it what lies between customers: letters,
  // and inputs that wait, which those rules accepted. Before everything else but these. Errors are
  // the store's, "corrupt", and "rules" where others than those must decide what waits.
  Result<void> learn(std::uint64_t rules);

  // Takes a batch through the core, hands on what it decided, answers. After an error (the store
  // could not be read) the state in memory is of no use any more; nobody was answered.
  Result<void> step(const Batch& batch);

  // The same row by row, for a recovery: openings and inputs in the journal's order, close() behind
  // the last of each batch.
  Result<void> open(store::Position position, const Opening& opening);
  Result<core::Standing> apply(store::Position position, Partition partition, const Given& given);
  void close();

  // --- Between groups

  // What this one has told others and they have not taken yet, and what it has taken.
  Letters& letters() { return letters_; }
  const Letters& letters() const { return letters_; }
  const Waiting& waiting() const { return waiting_; }
  // Nothing will be decided here any more: tells whoever still waits to be answered.
  void give_up(const Error& error);

  // What redeeming that coupon would be answered now.
  Result<core::Answer> validate(const core::Call& call);

  // Where these codes lead, each of them said once, as far as this group knows: to customers of it,
  // or of another where theirs have turned out to be those.
  Result<std::vector<CodePlace>> find_places(std::span<const std::string> codes);

  // What was uploaded to that pool here, and given of it.
  Result<core::Accounts::PoolFigures> pool_figures(std::string_view pool);

  // The last position stepped, and the stamp of its batch.
  store::Position position() const { return position_; }
  Timestamp stamp() const { return stamp_; }
  // Where a recovery begins: everything up to here is in the store.
  void begin_behind(store::Position position, Timestamp stamp) {
    position_ = position;
    stamp_ = stamp;
  }
  // When the group's next timer is due; never where there is none. One that the last batch's
  // allowance left over is due already.
  Result<Timestamp> next_due();
  // The next instant, not before the last batch's stamp, at which tiers are refreshed; never where
  // the plan has none. The first batch stamped behind it is the border: what was decided before
  // counts as of that instant. Who is touched behind the border has what he is ranked by kept
  // first, in his state (plan::Tier::taken); of all others it can be found as long as one likes.
  Timestamp next_refreshing() const;

  // What its customers share, as it stands between two inputs.
  const core::Accounts& shared() const { return accounts_; }
  Customers& customers() { return customers_; }
  const Customers& customers() const { return customers_; }

  // --- Checkpoints: of the customers and of what they share (Customers::freeze, Accounts::freeze)

  std::vector<store::Shared> freeze_shared();
  void committed();
  void failed(std::span<const Changed> frozen);
  // Of the room that there is, in percent: what must stay in memory until a checkpoint holds it,
  // and the part of it that has changed since the last freeze.
  std::uint64_t percent_held() const;
  std::uint64_t percent_changed() const;
  bool has_changed() const {
    return customers_.changed_bytes() > 0 || accounts_.changed_bytes() > 0 || has_changed_rows();
  }
  bool has_changed_rows() const { return rows_.has_changed(); }

 private:
  // What one customer is to decide on.
  struct Turn {
    Partition partition = 0;
    std::string_view customer;
    store::Position position = 0;        // that its deeds come from
    Timestamp stamp;                     // of the batch that brought it
    const Given* given = nullptr;        // none: his timers up to …
    Timestamp due = Timestamp::never();  // … here
    std::int64_t waited = 0;             // the number under which it waited; 0: it is new
  };

  Result<void> fire_timers(const Opening& opening);
  void find_borders();
  enum class Overdue : std::uint8_t { Fires, Stays };
  void keep_for_ranks(core::State& state, Timestamp stamp, Overdue overdue);
  void leave_for_ranks(core::State& left, const core::State& gone, Timestamp stamp) const;
  void rank_anew(core::State& state, Timestamp stamp) const;
  bool tells_level(const Given& given) const;
  bool is_set_aside(store::SetAside what) const;
  Result<void> pass_over(const Given& given);
  Result<core::Standing> take(store::Position position, Partition partition, const Given& given);
  Result<core::Standing> take_call(store::Position position, const Given& given);
  Result<void> take(store::Position position, const LetterFrom& letter);
  Result<bool> is_known(const Turn& turn);
  Result<core::Standing> take_turn(const Turn& turn);
  Result<core::Standing> try_turn(const Turn& turn, std::span<const core::Lack> answered,
                                  std::vector<core::Lack>& lacks);
  core::Standing decide(core::State& state, const Turn& turn);
  void withdraw(const core::State& state);
  void withdraw_here(const core::State& state);
  void hand_on(const core::State& state, store::Position position, Partition partition,
               const Turn* waited = nullptr);
  core::Accounts* accounts() { return gives_ ? &accounts_ : nullptr; }
  Result<void> deliver_messages(store::Position position);
  void look_ahead(std::size_t at) const;

  // Between groups (writer_groups.cpp).
  Result<void> wait(const Turn& turn, std::vector<core::Lack> lacks);
  Result<void> heed_refusals(Partition partition, std::string_view customer);
  Result<void> go_on();
  Result<void> try_again(const std::string& customer);
  Result<void> pass_over(const Waited& what);
  Result<void> pass_over(const core::Message& message);
  Result<void> pass_over(const LetterFrom& letter);
  Turn turn_of(const Waited& what) const;
  Pause pause_of(const Turn& turn, std::span<const core::Lack> lacks) const;
  static Caller kept(Caller caller);
  void tell_callers(Hash128 at_hand, core::Standing standing = core::Standing::Applied);
  void answer(const Caller& caller, std::shared_ptr<const core::Answer> answer,
              core::Standing standing = core::Standing::Applied);
  void fail(const Caller& caller, const Error& error);
  void finish_callers();

  // Of customers who are one person (merging.cpp).
  Result<core::State*> bring(std::string& customer);
  Result<core::Standing> take_met(store::Position position, Event event);
  Result<core::State> take_out(store::Position position, const std::string& goes,
                               const std::string& stays, Timestamp at);
  Result<void> merge(store::Position position, const std::string& stays, core::State gone,
                     Timestamp at);

  // The same where there are several groups (moving.cpp).
  enum class Part : std::uint8_t { Free, Asks, Busy };  // that a customer takes in a meeting
  Part part_of(const std::string& customer) const;
  Result<core::Standing> follow(const Turn& turn);
  Result<core::Standing> pass_on(const Turn& turn, const std::string& to);
  Result<core::Standing> take_met(const Turn& turn);
  Result<bool> meet(const std::string& customer);
  void strike(const std::string& customer, bool is_his);
  Result<void> answer(Meeting meeting);
  Result<void> say(const Meeting& to, Verdict::Kind kind, const std::string& stays = {});
  Result<void> tell(const Verdict& verdict);
  Result<void> depart(const std::string& goes, const std::string& stays, Timestamp at,
                      Timestamp since);
  Result<void> pass_on_meetings(const std::string& goes, const std::string& stays);
  Result<void> accept(store::Group from, Arrival arrival);
  Result<core::Standing> try_merge(const Turn& turn, store::Group from, const Arrival& arrival,
                                   std::span<const core::Lack> answered,
                                   std::vector<core::Lack>& lacks);
  void say_arrived(store::Group from, const Arrival& arrival);
  Result<void> pass_over(const std::string& stays, store::Group from, const Arrival& arrival);
  const Meeting* awaited_by(const std::string& customer);
  Result<void> hold_off_earlier(const std::string& customer, const core::Face& face);
  Result<void> serve(const std::string& customer);
  Result<void> take(const Arrived& arrived);
  Result<void> take(store::Position position, const Passed& passed);
  Result<void> take(const Refused& refused);

  const plan::Plan& plan_;
  core::Waking waking_;
  store::Groups groups_;
  store::Group group_;
  const bool gives_;  // under this plan there are accounts
  const std::uint64_t accounts_budget_;
  Customers customers_;
  const store::Store& store_;
  const StoreShelf shelf_;
  core::Accounts accounts_;
  Deeds& deeds_;
  std::vector<store::SetAside> set_aside_;  // ascending; of the past alone
  CrashWatch* watch_ = nullptr;
  store::Position position_ = 0;
  Timestamp stamp_ = Timestamp::ever();
  struct Border {  // of the last refreshing before `stamp_`
    Timestamp at;
    std::size_t tier = 0;
  };
  std::vector<Border> borders_;                  // one for each tier, the earliest first
  Timestamp borders_until_ = Timestamp::ever();  // up to this stamp they stay so
  bool has_kept_ = false;       // keep_for_ranks() has changed the customer at hand
  std::vector<Wanted> wanted_;  // the batch's customers
  std::vector<core::Effect> effects_;
  std::vector<Deed> decided_;

  Rows rows_;
  Letters letters_;
  Waiting waiting_;
  Meetings meetings_;
  std::deque<std::string> ready_;  // who wait and may go on, before anybody else has his turn
  // Of what was passed on and is at hand: by how many groups, and the stamp with which it came to
  // the first.
  std::uint64_t hops_ = 0;
  Timestamp passed_since_;
  std::uint64_t rules_ = 0;       // that decide the batch at hand
  std::optional<Caller> caller_;  // of the call at hand, until he is answered or kept
  std::map<Hash128, std::vector<Caller>> callers_;  // kept: what they asked was decided …
  struct Finished {
    std::shared_ptr<Request> request;
    std::optional<Error> error;
  };
  std::vector<Finished> finished_;  // … and of those that were kept, is answered
};

}  // namespace koi::durable
