// Accounts: what customers share. Budgets in a ledger, limits by something that several may have (a
// device), the numbers of codes, prizes in stock, where an invitation leads, and what one
// customer's turn has to tell another. Customers do not see one another but through this.
//
// One writer's own. `decide` reads and writes it as it does the state, so equal states, accounts
// and inputs give equal effects. Whoever calls decide hands every message on, right after the input
// that caused it, in the order of `take_messages()`.
//
// A campaign's budget of messages, or anything else that is counted over all customers, is a
// plan::Budget too: ask left(), then spend() with the cause.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "core/effect.h"
#include "core/holdings.h"
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

// The first instant of the period that `at` lies in; ever where there is one for all time.
Timestamp begin_of(const plan::Per& per, Timestamp at, const Zone& zone);

class Accounts {
 public:
  // The plan must outlive it.
  explicit Accounts(const plan::Plan& plan, std::uint64_t bundle = 0);

  // Names the rules that decide, for causes.
  std::uint64_t bundle() const { return bundle_; }

  // How much the account still has now; of one without an end, what it can still keep count of.
  std::int64_t left(plan::BudgetId id, Timestamp now) const;
  // Takes so much out of it for good, or nothing where it is 0; left() must have said that it is
  // there.
  void spend(plan::BudgetId id, std::int64_t amount, Timestamp now, const ledger::Cause& cause);
  ledger::Pot pot(plan::BudgetId id, Timestamp now) const;
  void post(const ledger::Posting& posting);
  const ledger::Ledger& ledger() const { return ledger_; }
  // From here on every posting is kept, for those who want to go over them.
  void keep_postings() { keeps_postings_ = true; }
  const std::vector<ledger::Posting>& postings() const { return postings_; }

  // Of a limit by an attribute, for one value of it.
  List<Counted>& counted(std::uint64_t limit, std::uint64_t value) {
    return counted_[{limit, value}];
  }

  // Of codes: how many were issued, and the number of one more.
  std::uint64_t issued(plan::IncentiveId incentive) const { return numbers_[incentive.index()]; }
  std::uint64_t next_number(plan::IncentiveId incentive) { return numbers_[incentive.index()]++; }
  std::int64_t prizes_given(plan::IncentiveId draw, std::size_t prize) const;
  void prize_is_given(plan::IncentiveId draw, std::size_t prize);

  // Where a code leads: to the giver of a packet, to an inviter.
  struct Place {
    std::string customer;
    plan::IncentiveId incentive;
    plan::ReferralId referral;
  };
  void lead(const std::string& code, Place to) { places_.insert_or_assign(code, std::move(to)); }
  const Place* find(std::string_view code) const;
  // Makes the customer's own invitations lead to him.
  void introduce(const std::string& customer);
  std::string packet_code(Hash128 key) const;

  // Of chance and of codes; from the program's seed.
  ledger::Key secret(std::string_view use) const;

  void send(Message message) { messages_.push_back(std::move(message)); }
  std::vector<Message> take_messages() { return std::exchange(messages_, {}); }

 private:
  const plan::Plan& plan_;
  std::uint64_t bundle_;
  ledger::Ledger ledger_;
  bool keeps_postings_ = false;
  std::vector<ledger::Posting> postings_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, List<Counted>> counted_;
  std::vector<std::uint64_t> numbers_;                                  // by incentive
  std::map<std::pair<std::size_t, std::size_t>, std::int64_t> prizes_;  // by draw and prize
  std::map<std::string, Place, std::less<>> places_;
  std::vector<Message> messages_;
};

}  // namespace koi::core
