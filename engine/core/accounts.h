// Accounts: what customers share. Budgets in a ledger, limits by something that several may have (a
// device), the numbers of codes, prizes in stock, where an invitation leads, and what one
// customer's turn has to tell another. Customers do not see one another but through this.
//
// One writer's own. `decide` reads and writes it as it does the state, so equal states, accounts
// and inputs give equal effects. Whoever calls decide hands every message on, right after the input
// that caused it, in the order of `take_messages()`.
//
// Without a shelf all of it is in memory, for good. With one (durable/ puts the store behind it)
// only what has changed since it was last put there must be.
//
// Where several groups serve the customers, each has accounts of its own, and what has an end is
// lent between them (share(); escrow.h has how). Every turn then stands between begin_turn() and
// end_turn(), or undo_turn() where it lacks something. With one group there is none of this.
//
// A campaign's budget of messages, or anything else that is counted over all customers, is a
// plan::Budget too: ask left(), then spend() with the cause. What its messages cost counts against
// its budget of money to the millionth: price().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"
#include "core/books.h"
#include "core/call.h"
#include "core/effect.h"
#include "core/escrow.h"
#include "core/holdings.h"
#include "core/shelved.h"
#include "ledger/chance.h"
#include "ledger/ledger.h"
#include "model/event.h"
#include "plan/plan.h"

namespace koi::core {

// What one customer's turn tells another's. Plain values.
struct Message {
  enum class Kind : std::uint8_t {
    Claim,    // of a share of the receiver's packet `code`, of at most `amount`
    Claimed,  // the answer: `amount`, or why not
    Reward,   // the receiver is given something by another's campaign or friendship
    // The sender was brought by the receiver, he says; `entry`: by which names the sender knows the
    // two (referral.cpp).
    Join,
    Joined,     // the answer: taken, or why not; with the same `entry`
    Qualified,  // the sender has done what counts
    ClawBack,   // and it does not count any more
    // The sender is the receiver's friend, and `code` whom he brought:
    RewardAbove,    // the receiver is rewarded for that one
    ClawBackAbove,  // and it does not count any more
    Milestone,      // the receiver is the friend with whom the sender has reached it
    Paid,           // the sender has been paid his share of the packet `code` …
    NotPaid,        // … or could not be: it is there for others, or its budget's again
    // The sender, whom the receiver brought or was brought by, had other names until now: `hashes`
    // …
    Renamed,
    // … or did `code` (and `hashes`), whom the sender, a friend, has brought: he is `known_as` now
    RenamedAbove,
    // The sender counts no more for the receiver as `code`: he was brought by `known_as`.
    Apart,
  };
  Kind kind = Kind::Claim;
  Hash128 key;
  Timestamp time;
  std::string from, to;
  plan::IncentiveId incentive;
  plan::ReferralId referral;
  plan::CampaignId campaign;
  Hash128 entry;
  std::string code;
  std::int64_t amount = 0;
  Reason reason = Reason::None;
  bool what_is_left = false;
  std::uint8_t hops = 1;  // so many messages, each caused by the one before
  std::vector<std::uint64_t>
      hashes;              // of attributes that must differ; of ancestors; of other names
  std::string known_as{};  // another name, or another's
};

// How much of a limit is used up now; a record more, or one less.
std::int64_t used_of(const List<Counted>& counted, const plan::Limit& limit, Timestamp now,
                     const Zone& zone);
Counted record(List<Counted>& counted, const plan::Limit& limit, std::int64_t amount,
               std::uint64_t value, Timestamp now, const Zone& zone);
void release(List<Counted>& counted, const Counted& what);

// What is typed in, or stands in a link, to be brought by the customer.
std::string invite_code(const plan::Plan& plan, plan::ReferralId referral,
                        std::string_view customer);

// The referral's friends who count for an inviter.
std::int64_t friends_who_count(const Holdings& holdings, plan::ReferralId referral);
// Names the referral's milestone of that number, as somebody who is called so has reached it.
Hash128 key_of_milestone(const plan::Plan& plan, plan::ReferralId referral, std::size_t milestone,
                         std::string_view inviter);
// Whether he has reached it, under whatever name: it is given once, though friends may be lost.
bool has_reached(const plan::Plan& plan, const State& state, plan::ReferralId referral,
                 std::size_t milestone);

// The coupon among them that may generate that code, sooner or later; null where none can. Such a
// code comes into no pool: who will be given it, no group knows of another.
const plan::Incentive* maker_of(std::span<const plan::Incentive> incentives, std::string_view code);

// What stands before the code in the scene of a QR code with parameters, and what a platform puts
// before that. WeChat takes scenes of at most 32 of the letters that are in it
// (wxacode.getUnlimited; the events of official accounts begin with `qrscene_`).
constexpr std::string_view scene_prefix = "koi_";
// The code in what somebody came with: a code itself, or such a scene.
std::string_view code_of_scene(std::string_view said);

// The first instant of the period that `at` lies in; ever where there is one for all time; of a
// rolling one, `at`.
Timestamp begin_of(const plan::Per& per, Timestamp at, const Zone& zone);

// What accounts were last put on, as books.h has it.
class Shelf {
 public:
  virtual ~Shelf() = default;
  // Empty where nothing is under the key.
  virtual Result<std::string> read(std::string_view key) const = 0;
  // What stands behind that key, at most `most` of it, ascending by key.
  struct Row {
    std::string key, bytes;
  };
  virtual Result<std::vector<Row>> behind(std::string_view key, std::size_t most) const = 0;
};

class Accounts {
 public:
  // The plan must outlive it.
  explicit Accounts(const plan::Plan& plan, std::uint64_t bundle = 0);

  // Names the rules that decide, for causes.
  std::uint64_t bundle() const { return bundle_; }
  void decide_by(std::uint64_t bundle) { bundle_ = bundle; }

  // --- Beyond memory

  // From here on what is not in memory is on the shelf, which must outlive this; about so many
  // things that it has stay in memory. Every posting is kept for it.
  void keep_on(const Shelf& shelf, std::size_t most_in_memory);
  // The shelf could not be read, or not be understood: what was decided since is of no use.
  const std::optional<Error>& fault() const { return fault_; }
  // What has changed since the last freeze, to be put on the shelf by key; one freeze at a time.
  // Empty bytes: there is nothing any more.
  struct Change {
    std::string key, bytes;
  };
  std::vector<Change> freeze();
  void committed();  // the shelf has it …
  void failed();     // … or has not: it counts as changed again
  // About what must stay in memory until the shelf has it: all of it, and what has changed since
  // the last freeze.
  std::uint64_t held_bytes() const { return changed_bytes_ + frozen_bytes_; }
  std::uint64_t changed_bytes() const { return changed_bytes_; }

  // --- Between groups

  // From here on these are the accounts of the group `own` of so many. Before everything else.
  void share(std::uint16_t own, std::uint16_t groups);
  bool is_shared() const { return sharing_.has_value(); }

  // A turn begins. What it lacked when it was tried before, as far as it was answered (the others
  // of these are passed over), and where codes lead that its input names. `places` must live until
  // its end.
  void begin_turn(std::span<const Lack> answered = {}, std::span<const CodePlace> places = {});
  // It would have needed more than the group has: what it has decided is of no use.
  bool lacks() const { return sharing_ && !sharing_->lacks.empty(); }
  // Everything is as it was when it began, to the byte; says what it would have needed.
  std::vector<Lack> undo_turn();
  void end_turn();
  // Where codes lead beside what this group knows, until the next turn begins or this is called
  // again: for what is asked between turns.
  void know(std::span<const CodePlace> places);

  // Asks for what is lacked and was not asked for yet; each is told its number. It may be answered
  // at once: take_answered() is to be asked behind it, as behind take().
  void ask(std::vector<Lack>& lacks);
  // What another group has told this one. Not within a turn.
  void take(std::uint16_t from, const Loan& loan);
  // What is to be told to others, in its order.
  std::vector<std::pair<std::uint16_t, Loan>> take_loans();
  // All asks of that account up to that number are answered. In full: whoever asked finds what he
  // wanted, unless somebody takes it before him, and asks again then.
  struct Answered {
    std::string account;
    std::uint64_t up_to = 0;
    bool is_short = false;
  };
  std::vector<Answered> take_answered();

  // What a customer takes along from this group into another, and brings into it: what he holds of
  // an account, in that stage of the ledger; what is counted of a limit by an attribute and may yet
  // be given back. The same on either side.
  void move_out(std::uint16_t to, const Charge& charge, ledger::Stage stage, Timestamp now,
                const ledger::Cause& cause);
  void move_in(std::uint16_t from, const Charge& charge, ledger::Stage stage, Timestamp now,
               const ledger::Cause& cause);
  void move_out(std::uint16_t to, const Counted& counted, Timestamp now);
  void move_in(std::uint16_t from, const Counted& counted, Timestamp now);

  // --- Accounts
  //
  // Who asks how much there is says how much he wants of it: where the group has been lent less,
  // his turn lacks it, and what he is told is of no use. 0: he only looks.

  // How much the account still has now; of one without an end, what it can still keep count of.
  std::int64_t left(plan::BudgetId id, Timestamp now, std::int64_t want = 0);
  // Takes so much out of it for good, or nothing where it is 0; left() must have said that it is
  // there.
  void spend(plan::BudgetId id, std::int64_t amount, Timestamp now, const ledger::Cause& cause);
  // What one message on the channel takes of the campaign's budgets: a message, and what the
  // channel costs. Nothing where there is not so much left. Whoever sends it posts it.
  std::optional<List<Charge>> price(const plan::Campaign& campaign, plan::ChannelId channel,
                                    Timestamp now);
  ledger::Pot pot(plan::BudgetId id, Timestamp now) const;
  void post(const ledger::Posting& posting);
  const ledger::Ledger& ledger() const { return ledger_; }
  // From here on every posting is kept, for those who want to go over them.
  void keep_postings() { keeps_postings_ = true; }
  const std::vector<ledger::Posting>& postings() const { return postings_; }

  // Of a limit by an attribute, for one value of it. To be changed at once.
  List<Counted>& counted(std::uint64_t limit, std::uint64_t value);
  // How much room such a limit has for that value now.
  std::int64_t room(const plan::Limit& limit, std::uint64_t value, Timestamp now,
                    std::int64_t want);

  // Of codes: how many were issued, and the number of one more.
  std::uint64_t issued(plan::IncentiveId incentive);
  std::uint64_t next_number(plan::IncentiveId incentive);
  // Is one of the first `capacity` numbers left?
  bool has_number(plan::IncentiveId incentive, std::uint64_t capacity);
  std::int64_t prizes_given(plan::IncentiveId draw, std::size_t prize);
  void prize_is_given(plan::IncentiveId draw, std::size_t prize);
  // Is one left of that prize?
  bool has_prize(plan::IncentiveId draw, std::size_t prize);

  // --- Codes that were uploaded

  // Puts the codes into the pool, but for those that are in one, were, lead somewhere, or may be
  // generated (maker_of); says how many were new. No code is ever in a pool twice.
  std::uint64_t stock(std::string_view pool, const std::vector<std::string>& codes);
  // Between groups: that were never lent.
  std::uint64_t codes_left(std::string_view pool);
  // How many were uploaded here, and how many were given here. Between groups all are uploaded in
  // one of them, and given in each; what is left is all of the one less all of the other, wherever
  // the codes are.
  struct PoolFigures {
    std::uint64_t uploaded = 0, given = 0;
  };
  PoolFigures pool_figures(std::string_view pool);
  bool has_code(std::string_view pool);
  // The one that was uploaded first, which is in the pool no more; empty where there is none.
  // Between groups: the first of those that this one has.
  std::string take_code(std::string_view pool);
  // How many were left behind the one that was taken last. Between groups: how many were uploaded
  // behind it, whoever has them and whether they are given, as far as the group was told.
  std::uint64_t left_behind(std::string_view pool);

  // Where a code leads: to the giver of a packet, to an inviter.
  struct Place {
    std::string customer;
    plan::IncentiveId incentive;
    plan::ReferralId referral;
  };
  void lead(const std::string& code, const Place& to);
  // Whoever held it holds it no more.
  void forget(const std::string& code);
  // Null where it leads nowhere. Valid until the next call.
  const Place* find(std::string_view code);
  // Makes the customer's own invitations lead to him.
  void introduce(const std::string& customer);
  std::string packet_code(Hash128 key) const;

  // A friend waits for somebody to look at him, since then; and one has been looked at.
  void hold_for_review(plan::ReferralId referral, std::string_view inviter,
                       std::string_view invitee, Timestamp since);
  void reviewed(plan::ReferralId referral, std::string_view inviter, std::string_view invitee);
  // Those behind `after`, or the first, at most `most`, in the order of their keys in the books.
  struct Held {
    books::Review who;
    Timestamp since;
  };
  Result<std::vector<Held>> held_for_review(std::size_t most,
                                            const std::optional<books::Review>& after = {}) const;

  // What is counted of a referral (books.h has what), over all customers and for good; and the time
  // that an invitee took until the first friend of his own counted.
  void count(plan::ReferralId referral, books::Tally what);
  void count_cycle(plan::ReferralId referral, Duration time);
  Result<books::ReferralFigures> figures(plan::ReferralId referral) const;

  // Of chance and of codes; from the program's seed.
  ledger::Key secret(std::string_view use) const;

  void send(Message message) { messages_.push_back(std::move(message)); }
  std::vector<Message> take_messages() { return std::exchange(messages_, {}); }

  // What calls are answered, by key_of(): there once the messages of the call are handed on, or
  // when the other customer has said so whom it takes.
  void answer(Hash128 call, Answer answer) { answers_.emplace_back(call, std::move(answer)); }
  std::vector<std::pair<Hash128, Answer>> take_answers() { return std::exchange(answers_, {}); }
  // Of the one call at hand, where no other waits.
  void answer(Answer answer) { this->answer(Hash128{}, std::move(answer)); }
  std::optional<Answer> take_answer();

 private:
  template <class Value, class Decode>
  typename Shelved<Value>::Node* fetch(Shelved<Value>& part, const std::string& key, Decode decode);
  // INVARIANT: before anything changes; what it was is remembered for the turn to be undone.
  template <class Value>
  void note_change(Shelved<Value>& part, typename Shelved<Value>::Node& node);
  template <class Value>
  void remember(Shelved<Value>& part, typename Shelved<Value>::Node& node);
  Shelved<std::uint64_t>::Node& number(const std::string& key);
  void add_one(const std::string& key);
  template <class Each>
  Result<void> for_each_number(const std::string& prefix, std::string after, Each each) const;
  std::string key_of_prize(plan::IncentiveId draw, std::size_t prize) const;
  void fetch(const ledger::Pot& pot);
  std::int64_t left_beside(plan::BudgetId id, std::int64_t cost, Timestamp now);
  std::int64_t out(plan::BudgetId id, Timestamp now);

  // accounts_escrow.cpp: what is lent
  struct Shared;  // an account that is, as the rules have it
  std::optional<Shared> shared_of(std::string_view account);
  Shared shared_budget(plan::BudgetId id, Timestamp now);
  Shared shared_limit(const plan::Limit& limit, std::uint64_t value, Timestamp now);
  Shared shared_prize(plan::IncentiveId draw, std::size_t prize);
  Shared shared_numbers(plan::IncentiveId incentive, std::uint64_t capacity);
  Shared shared_pool(std::string_view pool);
  Shelved<Escrow>::Node& escrow(const Shared& account);
  std::int64_t available(const Shared& account, Timestamp now, std::int64_t want);
  void move(const Shared& account, std::int64_t amount, std::uint16_t from, std::uint16_t to);
  const CodePlace* told(std::string_view code) const;
  Shelved<std::string>::Node* code(const std::string& key);
  Shelved<Place>::Node* place(std::string_view code);

  const plan::Plan& plan_;
  std::uint64_t bundle_;
  ledger::Ledger ledger_;
  bool keeps_postings_ = false;
  std::vector<ledger::Posting> postings_;  // on the shelf: those that it has not
  Shelved<List<Counted>> counted_;
  // Of codes and of prizes, of what is counted of referrals; since when reviews wait.
  Shelved<std::uint64_t> numbers_;
  Shelved<Place> places_;
  Shelved<std::string> codes_;  // of pools
  std::vector<Message> messages_;

  const Shelf* shelf_ = nullptr;  // none: all is in memory
  std::size_t most_in_memory_ = 0;
  std::optional<Error> fault_;
  Generations generations_;
  // Pots are few: those that were asked for stay in memory.
  std::set<ledger::Pot> known_pots_, changed_pots_, frozen_pots_;
  books::Postings stored_,
      frozen_;  // those before postings_; with those of it that are on their way
  std::uint64_t changed_bytes_ = 0, frozen_bytes_ = 0;
  std::vector<std::pair<Hash128, Answer>> answers_;

  // Between groups.
  struct Sharing {
    std::uint16_t own = 0, groups = 1;
    std::vector<std::pair<std::uint16_t, Loan>> loans;
    std::vector<Answered> answered;
    std::vector<CodePlace> known;       // of know()
    std::span<const CodePlace> places;  // of the turn's input
    Place place;                        // that find() has told last
    std::uint64_t last_code = 0;        // the number in its pool of the one that was taken last
    // The turn.
    bool in_turn = false;
    std::map<std::string, std::int64_t> final;   // of which there is less than so much for it
    std::map<std::string, std::int64_t> before;  // what was taken of accounts before it
    std::vector<Lack> lacks;
    std::vector<std::function<void()>> undo;  // what it has changed, last first
    std::size_t messages = 0, answers = 0, postings = 0, loans_before = 0;
  };
  std::optional<Sharing> sharing_;
  Shelved<Escrow> escrows_;
};

}  // namespace koi::core
