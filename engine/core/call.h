// Call: what a till, a shop's page or a reviewer asks for and is answered at once. An input of the
// customer whom it concerns: the holder of a coupon, the friend who claims a share, the inviter of
// whom somebody looks at. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "core/effect.h"
#include "model/event.h"
#include "model/value.h"
#include "plan/plan.h"

namespace koi::core {

struct Call {
  // Out of line, as an event's are.
  Call();
  Call(const Call&);
  Call(Call&&) noexcept;
  Call& operator=(const Call&);
  Call& operator=(Call&&) noexcept;
  ~Call();

  enum class Kind : std::uint8_t {
    Validate,  // what would the coupon take off? Changes nothing, and is no input
    Lock,      // nobody but this order has the coupon until `hold` is over
    Redeem,
    RollBack,  // of what this order has locked or redeemed
    Claim,     // of a share of a group packet
    Approve,   // of a friend who is held for review
    Decline,
    Spend,    // of points, for what the caller calls `order`
    Unspend,  // of all that was spent for that order: the points are there again, in their lots
    Stock,    // of codes for a pool: no customer's, and its own proof against coming twice
  };
  // The order as the event that a coupon's scope reads.
  struct Facts {
    EventTypeId type;
    std::vector<Value> fields;  // one for each declared field, missing where absent
    friend bool operator==(const Facts&, const Facts&) = default;
  };

  Kind kind = Kind::Validate;
  std::string id;  // the caller's own: a call that comes again is answered as before
  Timestamp time;
  std::string customer;  // empty: whoever holds the code (whom())
  std::string code;      // of the coupon, of the packet; Stock: the pool
  // A hash of what the caller said in words of the rules (facts, a name): the same call says the
  // same under later rules, whose numbers are others.
  std::uint64_t said = 0;
  // Of coupons.
  std::string order;                  // what the till calls it; it alone can undo what it did
  std::int64_t amount = 0;            // of the order, in minor units; Spend: so many points
  std::vector<Facts> facts;           // one for each type of event that any coupon's scope reads
  std::vector<std::string> together;  // the other codes on the order; Stock: the codes
  Duration hold;                      // of Lock
  plan::IncentiveId points;           // of Spend, Unspend
  // Of reviews.
  plan::ReferralId referral;
  std::string invitee;
  std::vector<CodePlace> places;  // of `code` and `together`, as an event has them
  friend bool operator==(const Call&, const Call&) = default;
};
constexpr std::size_t call_kind_count = static_cast<std::size_t>(Call::Kind::Stock) + 1;
std::string_view name_of(Call::Kind kind);  // "validate", "lock", …, "roll_back"
// Names the call of that id, among all calls: what is decided by it derives from that, and answers
// go under it.
Hash128 key_of(const plan::Plan& plan, std::string_view customer, std::string_view id);
// Of what was asked, but for the time, for whose it is, which the call's name says (key_of), and
// for what was found: the same call asks the same though its customer turns out to be another. What
// the rules have numbers for counts as it was said.
std::uint64_t fingerprint(const Call& call);

struct Answer {
  Reason reason = Reason::None;  // None: it was done, or would be
  plan::IncentiveId incentive;   // none: nobody has that code
  // Taken off, or claimed: minor units. Spent, or given back: points. Stocked: codes that are new.
  std::int64_t amount = 0;
  // How long the code is good, or locked; NotYet: from when on it is.
  Timestamp until = Timestamp::never();
  // Locked, Redeemed: the order that has it; Combination: the other code; NotBest: the better one.
  // Where it is good, the code that it is used instead of, because it takes off more.
  std::string about;
  // What the code in `about` would take off, where one of the two is the better; of points, the
  // balance.
  std::int64_t other = 0;
  friend bool operator==(const Answer&, const Answer&) = default;
};

// What a call was answered, kept with the customer for as long as the ids of his events.
struct Answered {
  Hash128 key;              // names the call, and all that was decided by it
  std::uint64_t asked = 0;  // fingerprint of the call: its id is not to be used for another
  Timestamp at;
  bool is_pending = false;  // the packet's giver has still to say
  Answer answer;
  friend bool operator==(const Answered&, const Answered&) = default;
};

class Accounts;
struct State;

// The customer whose input the call is; null where nobody has the code.
const std::string* whom(Accounts& accounts, const Call& call);

// Puts the codes into the pool; no customer's turn. Answered are those that nobody has uploaded
// before, and what is left.
Answer stock(Accounts& accounts, const Call& call);

// What Redeem would be answered now, by the state of the coupon's holder; timers that are due by
// the call's time need not have fired.
Answer validate(const plan::Plan& plan, const State& holder, Accounts& accounts, const Call& call);

}  // namespace koi::core
