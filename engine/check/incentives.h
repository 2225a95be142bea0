// What a program gives: red packets, coupons, points, draws, and rewards for who brings friends;
// and what bounds it. Part of check/program.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/source.h"
#include "base/time.h"
#include "model/schema.h"

namespace koi::check {

using ExpressionId = Id<struct ExpressionTag>;
using ChannelId = Id<struct ChannelTag, std::uint16_t>;
using SegmentId = Id<struct SegmentTag, std::uint16_t>;
using IncentiveId = Id<struct IncentiveTag, std::uint16_t>;
using ReferralId = Id<struct ReferralTag, std::uint16_t>;

// In which stretch of time something is counted: calendar periods of the program's zone, any
// stretch of that length, or all time.
struct Per {
  enum class Kind : std::uint8_t { Ever, Hour, Day, Week, Month, Year, Rolling };
  Kind kind = Kind::Ever;
  Span span;  // of Rolling
  friend auto operator<=>(const Per&, const Per&) = default;
};

// Over all customers. Money in minor units, else pieces (of points: points).
struct Budget {
  SourceSpan span;
  bool is_money = false;
  std::int64_t amount = 0;
  Per per;
};
// For each customer, or each value of an attribute that customers may share.
struct Limit {
  SourceSpan span;
  bool is_money = false;
  std::int64_t amount = 0;
  AttributeId by;  // none: the customer
  Per per;
};

struct RedPacket {
  enum class How : std::uint8_t { Fixed, Random, Group };
  How how = How::Fixed;
  std::int64_t from = 0, to = 0, mean = 0;  // Fixed: all the same
  std::int64_t total = 0;                   // Group
  std::uint32_t shares = 0;
  bool by_luck = false;
  std::int64_t at_least = 0;
  std::optional<Span> claim_within;  // none: it is his at once
  ChannelId pay_via;                 // none: whoever pays is not told
  ExpressionId wishes;               // a text, or none
};
struct Coupon {
  bool is_percent = false;
  std::int64_t off = 0;                 // minor units, or millionths
  std::optional<std::int64_t> ceiling;  // of a percentage
  std::int64_t orders_from = 0;
  ExpressionId where;   // of an order; reads the event `order`
  EventTypeId order;    // none: it has no `where`
  std::string pattern;  // of generated codes; empty: from a pool
  std::string pool;
  std::int64_t low_at = 0;
  std::optional<Span> valid_for;
  Timestamp valid_from = Timestamp::ever();
  Timestamp valid_until = Timestamp::never();  // the first instant at which it is not
  bool combines_with_any = false;              // else with those named
  std::vector<IncentiveId> combines_with;
  bool is_best_of = false;  // of those that do not combine, the best
};
struct Points {
  std::optional<Span> expire;
  std::optional<Span> pending;  // until they can be spent
  std::int64_t worth = 0;       // of one, in minor units
};
struct PrizeDraw {
  struct Prize {
    std::string name;         // of what stands in quotes
    IncentiveId gift;         // else of this one …
    std::int64_t points = 0;  // … so many, where it is points
    std::uint64_t weight = 0;
    std::optional<std::int64_t> stock;
  };
  std::vector<Prize> prizes;
};

struct Incentive {
  Symbol symbol;
  SourceSpan span;
  std::variant<RedPacket, Coupon, Points, PrizeDraw> what;
  std::vector<Budget> budgets;
  std::vector<Limit> limits;
};

struct Gift {
  IncentiveId incentive;
  ExpressionId amount;  // of points: a whole number; else none
};

// What can be read of what a customer was given last, or holds.
struct GrantRead {
  enum class What : std::uint8_t {
    Code,
    Amount,
    ValidUntil,
    Link,
    Prize,
    Balance,
    InviteCode,
    InviteLink,
    InviteScene,
    Friends
  };
  What what = What::Code;
  IncentiveId incentive;
  ReferralId referral;
  friend bool operator==(const GrantRead&, const GrantRead&) = default;
};

// Who brought whom, and what they get for it.
struct Referral {
  struct Reward {
    bool to_inviter = true;  // else to the invitee
    Gift gift;
    EventTypeId at;          // of the invitee's; none: when he qualifies
    bool is_one_up = false;  // to the inviter's inviter
    SourceSpan span{};
  };
  struct Milestone {
    std::int64_t friends = 0;
    Gift gift;
    bool to_invitee = false;  // to the friend with whom it is reached
    SourceSpan span{};
  };
  struct Undoing {
    EventTypeId type;
    ExpressionId where;
    std::optional<Span> within;  // since he qualified
  };
  Symbol symbol;
  SourceSpan span;
  std::vector<std::string> link;  // what stands around the codes in it
  bool first_touch = true;        // else the last one counts
  std::optional<Span> touch_lasts;
  EventTypeId qualify_type;
  ExpressionId qualify_where;
  std::optional<Span> qualify_within;
  std::vector<Reward> rewards;
  std::vector<Milestone> milestones;
  bool refuses_self = false, refuses_existing = false, refuses_cycle = false;
  std::vector<AttributeId> refuses_same;
  std::vector<ExpressionId> refuses_whom;  // conditions on either side
  std::int64_t review_more_than = 0;       // 0: nothing is held for review
  Span review_within;
  std::vector<Undoing> undone_by;  // each takes the rewards back
  std::vector<Budget> budgets;     // of money alone: what all that it gives is worth
  std::vector<Limit> limits;       // for how many friends one inviter is rewarded
};

// An order is an event with an amount of money.
bool is_order(const EventType& type);

}  // namespace koi::check
