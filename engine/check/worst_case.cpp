#include "check/worst_case.h"

#include <algorithm>
#include <array>

#include "base/decimal.h"

namespace koi::check {

namespace {

using Kind = Per::Kind;

// Of calendar periods, at the longest.
std::int64_t hours_of(Kind kind) {
  switch (kind) {
    case Kind::Hour: return 1;
    case Kind::Day: return 24;
    case Kind::Week: return 7 * 24;
    case Kind::Month: return 31 * 24;
    case Kind::Year: return 366 * 24;
    case Kind::Ever:
    case Kind::Rolling: break;
  }
  KOI_ASSERT(false);
}

// Of a calendar period, at the shortest.
std::int64_t least_hours_of(Kind kind) {
  if (kind == Kind::Month) return 28 * 24;
  if (kind == Kind::Year) return 365 * 24;
  return hours_of(kind);
}

std::optional<std::int64_t> times(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  if (!a || !b) return std::nullopt;
  return checked_multiply(*a, *b);  // more than fits is no bound
}

}  // namespace

std::optional<std::int64_t> least(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  if (a && b) return std::min(*a, *b);
  return a ? a : b;
}

Duration shortest(const Span& span) { return days(28 * span.months) + span.fixed; }
Duration shortest(const Per& per) {
  return per.kind == Kind::Rolling ? shortest(per.span) : hours(least_hours_of(per.kind));
}
Duration longest(const Per& per) {
  if (per.kind != Kind::Rolling) return hours(hours_of(per.kind));
  return days(31 * per.span.months) + per.span.fixed;
}

bool is_shared_out(const Incentive& incentive) {
  const auto* packet = std::get_if<RedPacket>(&incentive.what);
  return packet != nullptr && packet->how == RedPacket::How::Group;
}

std::optional<std::int64_t> periods_within(const Per& inner, const Per& outer) {
  if (inner.kind == Kind::Ever) return 1;
  if (outer.kind == Kind::Ever) return std::nullopt;
  if (inner.kind == Kind::Rolling || outer.kind == Kind::Rolling) {
    // A place is free again exactly when its span is over; a stretch that begins anywhere in a
    // calendar period ends in one more of them.
    const std::int64_t whole = longest(outer).us, part = shortest(inner).us;
    return (whole + part - 1) / part + (inner.kind == Kind::Rolling ? 0 : 1);
  }
  if (inner.kind == Kind::Hour) return hours_of(outer.kind);
  // A week may lie in two months, and a month touch six weeks.
  constexpr std::array<std::array<std::int64_t, 5>, 4> count{{
      // hour day week month year
      {1, 1, 7, 31, 366},  // days within
      {1, 1, 1, 6, 54},    // weeks
      {1, 1, 2, 1, 12},    // months
      {1, 1, 2, 1, 1},     // years
  }};
  return count.at(static_cast<std::size_t>(inner.kind) - static_cast<std::size_t>(Kind::Day))
      .at(static_cast<std::size_t>(outer.kind) - static_cast<std::size_t>(Kind::Hour));
}

bool lies_within(const Per& inner, const Per& outer) {
  if (inner == outer || outer.kind == Kind::Ever) return true;
  if (inner.kind == Kind::Ever) return false;
  if (outer.kind == Kind::Rolling) return longest(inner) <= shortest(outer);
  if (inner.kind == Kind::Rolling) return false;
  // A week may lie in two months.
  return inner.kind < outer.kind && (inner.kind != Kind::Week);
}

std::optional<std::int64_t> most_of_one(const Incentive& incentive) {
  if (const auto* packet = std::get_if<RedPacket>(&incentive.what))
    return packet->how == RedPacket::How::Group ? packet->total : packet->to;
  if (const auto* coupon = std::get_if<Coupon>(&incentive.what))
    return coupon->is_percent ? coupon->ceiling : coupon->off;
  if (const auto* points = std::get_if<Points>(&incentive.what)) return points->worth;
  return 0;
}

std::optional<std::int64_t> least_of_one(const Incentive& incentive) {
  const auto* packet = std::get_if<RedPacket>(&incentive.what);
  if (packet != nullptr && packet->how == RedPacket::How::Random) return packet->from;
  return most_of_one(incentive);
}

std::optional<std::int64_t> most_pieces(const Incentive& incentive, const Per& within) {
  std::optional<std::int64_t> most;
  for (const Limit& limit : incentive.limits)
    if (limit.by.is_none())
      most = least(most, times(limit.amount, periods_within(limit.per, within)));
  return most;
}

std::int64_t pieces_at_once(const Incentive& incentive) {
  std::optional<std::int64_t> most;
  for (const Limit& limit : incentive.limits)
    if (limit.by.is_none()) most = least(most, limit.amount);
  return most.value_or(1);
}

std::optional<std::int64_t> policy_lets_have(const Program& program, const Incentive& incentive,
                                             const Per& within) {
  if (is_shared_out(incentive)) return std::nullopt;
  std::optional<std::int64_t> most;
  for (const Limit& limit : program.policy.limits)
    if (limit.by.is_none())
      most = least(most, times(limit.amount, periods_within(limit.per, within).value_or(1)));
  return most;
}

std::optional<std::int64_t> policy_bounds(const Program& program, const Incentive& incentive,
                                          const Per& within) {
  if (is_shared_out(incentive)) return std::nullopt;
  std::optional<std::int64_t> most;
  for (const Limit& limit : program.policy.limits)
    if (limit.by.is_none())
      most = least(most, times(limit.amount, periods_within(limit.per, within)));
  return most;
}

std::optional<std::int64_t> worst_case_of_customer(const Program& program,
                                                   const Incentive& incentive, const Per& within) {
  const auto one = most_of_one(incentive);
  const auto most = one == 0 ? one : times(one, most_pieces(incentive, within));
  return least(most, policy_bounds(program, incentive, within));
}

std::optional<std::int64_t> worst_case_of_all(const Incentive& incentive, const Per& within) {
  const auto one = most_of_one(incentive);
  if (one == 0) return 0;
  std::optional<std::int64_t> most;
  for (const Budget& budget : incentive.budgets) {
    const auto pieces = times(budget.amount, periods_within(budget.per, within));
    most = least(most, budget.is_money ? pieces : times(one, pieces));
  }
  return most;
}

}  // namespace koi::check
