// Holdings: what a customer was given, what counts against his limits, and whom he brought or was
// brought by. Part of his state (state.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/hash.h"
#include "base/list.h"
#include "base/time.h"
#include "core/call.h"
#include "ledger/ledger.h"
#include "ledger/points.h"
#include "plan/plan.h"

namespace koi::core {

// What a grant took out of a shared account.
struct Charge {
  ledger::Pot pot;
  std::int64_t amount = 0;
  bool is_money = false;  // else pieces, points
  friend bool operator==(const Charge&, const Charge&) = default;
};

// What counts against a limit: for a calendar period one, at its beginning; for a rolling one each
// for itself.
struct Counted {
  std::uint64_t limit = 0;  // plan::Limit::definition
  Timestamp at;
  std::int64_t amount = 0;
  std::uint64_t value = 0;  // a hash of the attribute that it is counted by; 0: the customer's own
  friend bool operator==(const Counted&, const Counted&) = default;
};

// Something that he was given. Kept while it can still be claimed, redeemed or lapse, and the last
// one of each incentive for what texts say of it.
struct Grant {
  Hash128 key;    // of the effect that gave it: what receipts name
  Hash128 entry;  // of the journey, or of whatever else gave it
  plan::IncentiveId incentive;
  plan::CampaignId campaign;  // none: a referral gave it
  plan::ReferralId referral;  // of a reward
  Timestamp at;
  Timestamp until = Timestamp::never();  // behind this instant it is too late
  ledger::Stage stage = ledger::Stage::Reserved;
  std::int64_t amount = 0;  // minor units; of points, points
  std::string code;         // of a coupon, of the link of a group packet
  std::string prize;        // of a draw
  std::uint32_t taken = 0;  // shares of a group packet, in their order
  List<std::int64_t> shares;
  List<std::uint64_t> claimants;  // hashes of those who have one, in the order of the shares
  List<std::uint64_t> unpaid;     // of these, whom the payment is still under way to; ascending
  List<Charge> charges;
  List<Counted> counted;  // what a failure gives back, while it is reserved
  // Of a coupon: the order that has locked or redeemed it; until when, behind which it is free.
  std::string order;
  Timestamp locked_until = Timestamp::ever();
  Timestamp done = Timestamp::ever();  // since when it is redeemed, or lapsed
  friend bool operator==(const Grant&, const Grant&) = default;
};

// One line of a statement of points.
struct Moved {
  enum class What : std::uint8_t { Earned, Spent, Lapsed, ClawedBack, GivenBack };
  What what = What::Earned;
  Timestamp at;
  std::int64_t amount = 0;  // > 0
  friend bool operator==(const Moved&, const Moved&) = default;
};
constexpr Moved::What last_moved = Moved::What::GivenBack;
constexpr std::size_t most_moved = 20;

struct Purse {
  plan::IncentiveId points;
  List<ledger::Lot> lots;
  List<Moved> history{};  // as it came, the latest `most_moved`
  friend bool operator==(const Purse&, const Purse&) = default;
};

// Points that a call has spent, as long as it may be rolled back.
struct Spent {
  Hash128 key;  // of the call
  plan::IncentiveId points;
  std::string order;
  Timestamp at;
  List<ledger::Lot> lots;  // what was taken of each
  friend bool operator==(const Spent&, const Spent&) = default;
};

// A share of somebody's packet that is being paid to him.
struct Share {
  Hash128 key;  // of the effect that pays it: what the receipt names
  Hash128 entry;
  plan::IncentiveId incentive;
  plan::CampaignId campaign;  // that gave the packet
  std::string giver, code;
  std::int64_t amount = 0;
  List<Counted> counted;  // what a failure gives back
  friend bool operator==(const Share&, const Share&) = default;
};

// Who brought him.
struct Binding {
  plan::ReferralId referral;
  std::string inviter;
  Timestamp at;                              // of the touch that counts
  Timestamp qualified = Timestamp::never();  // when he did
  Hash128 key;                               // names it: what rewards derive from
  std::string code;
  EventTypeId by;           // the event that carried the code
  bool is_settled = false;  // the inviter has taken him; else he is asked, beside the one before
  bool qualifies = false;   // the event that carried the code is what counts
  bool clawed_back = false;
  List<std::uint64_t> ancestors;  // hashes of the inviter and those above; settling: of events
  // His own grants from it, and marks of those that are taken back as soon as they are paid.
  List<Hash128> rewards;
  friend bool operator==(const Binding&, const Binding&) = default;
};

// Whom a friend brought, as far as he himself is rewarded for that one.
struct FriendOfFriend {
  std::string invitee;
  Hash128 entry;  // of the binding between the two
  bool clawed_back = false;
  bool was_rewarded = false;  // as Friend has it
  List<Hash128> rewards;
  List<std::uint64_t> held;  // numbers of the rewards that wait for the review of the friend
  friend bool operator==(const FriendOfFriend&, const FriendOfFriend&) = default;
};

// Whom he brought.
struct Friend {
  enum class Stage : std::uint8_t { Joined, InReview, Qualified, Declined, ClawedBack };
  plan::ReferralId referral;
  std::string invitee;
  // Hashes of what he was called before: what he has written under such a name may come later than
  // that he is called otherwise.
  List<std::uint64_t> names;
  Timestamp at;
  Stage stage = Stage::Joined;
  bool in_review = false;
  bool has_counted = false;   // he has qualified and was not held; whatever became of it
  bool was_rewarded = false;  // something was given for him: he counts against the limits
  List<Hash128> rewards;      // the inviter's grants for him
  List<std::uint64_t> held;   // numbers of the rewards that wait for the review
  // The inviter's inviter when the first reward for him was due: those of the second level are his.
  std::string above;
  List<FriendOfFriend> brought;  // as they came
  friend bool operator==(const Friend&, const Friend&) = default;
};

struct Holdings {
  // Out of line, as State's are (state.h).
  Holdings();
  Holdings(const Holdings&);
  Holdings(Holdings&&) noexcept;
  Holdings& operator=(const Holdings&);
  Holdings& operator=(Holdings&&) noexcept;
  ~Holdings();

  List<Grant> grants;        // in the order in which they were given
  List<Counted> counted;     // by limit, then time
  List<Purse> purses;        // by incentive
  List<Binding> bindings;    // by referral; the settled one first
  List<Friend> friends;      // by referral, then as they came
  List<Hash128> milestones;  // that he was given, as they came
  List<Answered> answers;    // of calls, as they came
  List<Spent> spent;         // as it came
  List<Share> shares;        // as they came
  friend bool operator==(const Holdings&, const Holdings&) = default;
};

// Does somebody's order have the coupon for now?
inline bool is_locked(const Grant& grant, Timestamp now) { return grant.locked_until >= now; }

// The last instant at which it can be claimed or redeemed: a lock holds it beyond its time.
inline Timestamp last_of(const Grant& grant) { return std::max(grant.until, grant.locked_until); }

// When the next of it is too late, or lapses, or can be used.
Timestamp next_lapse(const Holdings& holdings);

}  // namespace koi::core
