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
// A campaign's budget of messages, or anything else that is counted over all customers, is a
// plan::Budget too: ask left(), then spend() with the cause. What its messages cost counts against
// its budget of money to the millionth: price().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
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
#include "core/holdings.h"
#include "core/shelved.h"
#include "ledger/chance.h"
#include "ledger/ledger.h"
#include "plan/plan.h"

namespace koi::core {

// What one customer's turn tells another's. Plain values.
struct Message {
  enum class Kind : std::uint8_t {
    Claim,      // of a share of the receiver's packet `code`, of at most `amount`
    Claimed,    // the answer: `amount`, or why not
    Reward,     // the receiver is given something by another's campaign or friendship
    Join,       // the sender was brought by the receiver, he says
    Joined,     // the answer: taken, or why not
    Qualified,  // the sender has done what counts
    ClawBack,   // and it does not count any more
    // The sender is the receiver's friend, and `code` whom he brought:
    RewardAbove,    // the receiver is rewarded for that one
    ClawBackAbove,  // and it does not count any more
    Milestone,      // the receiver is the friend with whom the sender has reached it
    Paid,           // the sender has been paid his share of the packet `code` …
    NotPaid,        // … or could not be: it is there for others, or its budget's again
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
  std::uint8_t hops = 1;              // so many messages, each caused by the one before
  std::vector<std::uint64_t> hashes;  // of attributes that must differ; of ancestors
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

  // --- Accounts

  // How much the account still has now; of one without an end, what it can still keep count of.
  std::int64_t left(plan::BudgetId id, Timestamp now);
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

  // Of codes: how many were issued, and the number of one more.
  std::uint64_t issued(plan::IncentiveId incentive);
  std::uint64_t next_number(plan::IncentiveId incentive);
  std::int64_t prizes_given(plan::IncentiveId draw, std::size_t prize);
  void prize_is_given(plan::IncentiveId draw, std::size_t prize);

  // --- Codes that were uploaded

  // Puts the codes into the pool, but for those that are in one, were, or lead somewhere; says how
  // many were new. No code is ever in a pool twice.
  std::uint64_t stock(std::string_view pool, const std::vector<std::string>& codes);
  std::uint64_t codes_left(std::string_view pool);
  // The one that was uploaded first, which is in the pool no more; empty where there is none.
  std::string take_code(std::string_view pool);

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
  // The first of them, at most `most`, by referral, inviter and friend.
  struct Held {
    books::Review who;
    Timestamp since;
  };
  Result<std::vector<Held>> held_for_review(std::size_t most) const;

  // What is counted of a referral (books.h has what), over all customers and for good; and the time
  // that an invitee took until the first friend of his own counted.
  void count(plan::ReferralId referral, books::Tally what);
  void count_cycle(plan::ReferralId referral, Duration time);
  Result<books::ReferralFigures> figures(plan::ReferralId referral) const;

  // Of chance and of codes; from the program's seed.
  ledger::Key secret(std::string_view use) const;

  void send(Message message) { messages_.push_back(std::move(message)); }
  std::vector<Message> take_messages() { return std::exchange(messages_, {}); }

  // What the call at hand is answered: there once its messages are handed on.
  void answer(Answer answer) { answer_ = std::move(answer); }
  std::optional<Answer> take_answer() { return std::exchange(answer_, std::nullopt); }

 private:
  template <class Value, class Decode>
  typename Shelved<Value>::Node* fetch(Shelved<Value>& part, const std::string& key, Decode decode);
  template <class Value>
  void note_change(Shelved<Value>& part, typename Shelved<Value>::Node& node);
  Shelved<std::uint64_t>::Node& number(const std::string& key);
  void add_one(const std::string& key);
  template <class Each>
  Result<void> for_each_number(const std::string& prefix, Each each) const;
  std::string key_of_prize(plan::IncentiveId draw, std::size_t prize) const;
  void fetch(const ledger::Pot& pot);
  std::int64_t left_beside(plan::BudgetId id, std::int64_t cost, Timestamp now);
  std::int64_t out(plan::BudgetId id, Timestamp now);
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
  std::optional<Answer> answer_;
};

}  // namespace koi::core
