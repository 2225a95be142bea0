// What a program may give at worst, known before anything is given: to one customer by the limits,
// to all by the budgets. Amounts of money in minor units; nothing where there is no bound.
#pragma once

#include <cstdint>
#include <optional>

#include "check/program.h"

namespace koi::check {

// The smaller of two bounds, either of which there may be none of.
std::optional<std::int64_t> least(std::optional<std::int64_t> a, std::optional<std::int64_t> b);

// How many stretches of `inner` may count within one of `outer`. Nothing: without end.
std::optional<std::int64_t> periods_within(const Per& inner, const Per& outer);
// Whether each stretch of `inner` lies in one of `outer`, so that it never has more than that one.
bool lies_within(const Per& inner, const Per& outer);

// How long a span or a period is: calendar months and years at their shortest, or their longest.
Duration shortest(const Span& span);
Duration shortest(const Per& per);  // not of Ever
Duration longest(const Per& per);

// What friends share out: the policy's limits count its shares, not the packet.
bool is_shared_out(const Incentive& incentive);

// The money in one of it; of points in one point. A draw's is its prizes'. Nothing: a percentage
// without a ceiling.
std::optional<std::int64_t> most_of_one(const Incentive& incentive);
std::optional<std::int64_t> least_of_one(const Incentive& incentive);

// How many of it (of points: points) one customer may be given within the period.
std::optional<std::int64_t> most_pieces(const Incentive& incentive, const Per& within);

// How many the limits let one customer have at one instant, however far apart their periods are; 1
// where none says it.
std::int64_t pieces_at_once(const Incentive& incentive);

// The money that the policy's limits let one customer have within the period; where they have no
// end in it, at one instant. Nothing: they do not count it, or there are none.
std::optional<std::int64_t> policy_lets_have(const Program& program, const Incentive& incentive,
                                             const Per& within);
// The same; nothing where they have no end in it.
std::optional<std::int64_t> policy_bounds(const Program& program, const Incentive& incentive,
                                          const Per& within);

// How much money in it one customer, or all of them, may be given within the period. Who shares a
// packet out counts as having been given it.
std::optional<std::int64_t> worst_case_of_customer(const Program& program,
                                                   const Incentive& incentive, const Per& within);
std::optional<std::int64_t> worst_case_of_all(const Incentive& incentive, const Per& within);

}  // namespace koi::check
