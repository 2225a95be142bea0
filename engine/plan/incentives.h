// What the engine gives, and within which bounds. Part of plan/plan.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "model/schema.h"

namespace koi::plan {

using NodeId = Id<struct NodeTag>;
using ChannelId = Id<struct ChannelTag, std::uint16_t>;
using TemplateId = Id<struct TemplateTag>;
using IncentiveId = Id<struct IncentiveTag, std::uint16_t>;
using ReferralId = Id<struct ReferralTag, std::uint16_t>;
using BudgetId = Id<struct BudgetTag, std::uint16_t>;
using LimitId = Id<struct LimitTag, std::uint16_t>;

// The stretch of time in which something is counted: calendar periods of the program's zone (a week
// begins on Monday), any stretch of `span`, or all time.
struct Per {
  enum class Kind : std::uint8_t { Ever, Hour, Day, Week, Month, Year, Rolling };
  Kind kind = Kind::Ever;
  Span span;  // of Rolling
  friend auto operator<=>(const Per&, const Per&) = default;
};

constexpr std::int64_t unlimited = INT64_MAX;

// An account that customers share: what may be given of something, all in all. Every incentive has
// one that may be unlimited, so that whatever is given stands in the ledger.
struct Budget {
  std::string name;              // `newcomer_gift`, `newcomer_gift per day`
  std::uint64_t definition = 0;  // names it over deploys: whose it is, its unit and its period
  bool is_money = false;         // minor units; else pieces, points, messages
  std::int64_t amount = unlimited;
  // Rolling: what was taken counts for the whole span, and up to a hundredth of it longer: it is
  // kept in so many pots.
  Per per;
  // Of a campaign's money: where it counts what its messages cost, in millionths of the currency.
  // That account has no end of its own: what is in it is gone from this one.
  BudgetId costs{};
  bool is_costs = false;  // it is such an account
};

// A bound for each customer, or for each value of an attribute.
struct Limit {
  std::uint64_t definition = 0;
  bool is_money = false;
  std::int64_t amount = 0;
  AttributeId by;  // none: the customer. Customers may share the value of an attribute
  Per per;
};

struct RedPacket {
  enum class How : std::uint8_t { Fixed, Random, Group };
  How how = How::Fixed;
  std::int64_t from = 0, to = 0, mean = 0;  // minor units; Fixed: all the same
  std::int64_t total = 0;                   // Group
  std::uint32_t shares = 0;
  bool by_luck = false;
  std::int64_t at_least = 0;
  std::optional<Span> claim_within;
  ChannelId pay_via;
  TemplateId wishes;
};
struct Coupon {
  bool is_percent = false;
  std::int64_t off = 0;                 // minor units, or millionths
  std::optional<std::int64_t> ceiling;  // of a percentage
  std::int64_t orders_from = 0;
  NodeId where;             // none: every order
  EventTypeId order;        // whose fields `where` reads
  std::string pattern;      // of generated codes; empty: they come from a pool
  std::string pool;         // the pool's name
  std::int64_t low_at = 0;  // RunningLow tells when so many are left
  std::optional<Span> valid_for;
  Timestamp valid_from = Timestamp::ever();
  Timestamp valid_until = Timestamp::never();  // the first instant at which it is not
  bool combines_with_any = false;
  std::vector<IncentiveId> combines_with;
  // Of the customer's coupons on an order that are so and cannot be used beside each other, the one
  // that takes off most is.
  bool is_best_of = false;
};
struct Points {
  std::optional<Span> expire;
  std::optional<Span> pending;  // until they can be spent
  std::int64_t worth = 0;       // of one, in minor units
};
struct PrizeDraw {
  struct Prize {
    std::string name;
    IncentiveId gift;  // none: it is only named
    std::int64_t points = 0;
    std::uint64_t weight = 0;
    std::int64_t stock = unlimited;
  };
  std::vector<Prize> prizes;
};

struct Incentive {
  Symbol symbol;
  std::uint64_t definition = 0;  // names it over deploys
  std::variant<RedPacket, Coupon, Points, PrizeDraw> what;
  std::vector<BudgetId> budgets;  // the first is its own for all time, in pieces (points: points)
  std::vector<LimitId> limits;
};

// What `Op::Granted` reads: of the one that the customer was given last, or of what he holds.
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
  friend auto operator<=>(const GrantRead&, const GrantRead&) = default;
};

struct Referral {
  struct Reward {
    bool to_inviter = true;
    IncentiveId incentive;
    NodeId amount;
    EventTypeId at;          // of the invitee's; none: when he qualifies
    bool is_one_up = false;  // to the inviter's inviter
  };
  struct Milestone {
    std::int64_t friends = 0;
    IncentiveId incentive;
    NodeId amount;
    bool to_invitee = false;  // to the friend with whom it is reached
  };
  struct Undoing {
    EventTypeId type;
    NodeId where;
    std::optional<Span> within;  // since he qualified
  };
  Symbol symbol;
  std::uint64_t definition = 0;
  std::vector<std::string> link;  // what stands around the codes in it; empty: it has none
  bool first_touch = true;
  std::optional<Span> touch_lasts;
  EventTypeId qualify_type;
  NodeId qualify_where;
  std::optional<Span> qualify_within;
  std::vector<Reward> rewards;
  std::vector<Milestone> milestones;
  bool refuses_self = false, refuses_existing = false, refuses_cycle = false;
  std::vector<AttributeId> refuses_same;
  std::vector<NodeId> refuses_whom;
  std::int64_t review_more_than = 0;  // 0: nothing is held for review
  Span review_within;
  std::vector<Undoing> undone_by;  // each takes the rewards back; empty: nothing does
  std::vector<BudgetId> budgets;   // of money: everything that it gives counts in them
  std::vector<LimitId> limits;     // how many friends an inviter is rewarded for
};

// Steps.
struct Give {
  IncentiveId incentive;
  NodeId amount;  // of points
  bool to_inviter = false;
  bool what_is_left = false;
  std::uint16_t ordinal = 0;
  std::uint16_t otherwise = 0;  // where it goes when it is refused at once; 0: to the next step
};
// Of points: what the journey has given its customer, as far as he still has it.
struct ClawBack {
  IncentiveId incentive;
};
struct Take {
  IncentiveId incentive;
  NodeId amount;
  std::uint16_t otherwise = 0;  // where it goes when there are not enough
  // A give that follows at once, so many effects behind.
  struct Next {
    Give give;
    std::uint16_t behind = 0;
  };
  // Nothing is taken where one of them would be refused; it goes to `end` then.
  std::vector<Next> gives;
  std::uint16_t end = 0;
  std::uint16_t ordinal = 0;
};

}  // namespace koi::plan
