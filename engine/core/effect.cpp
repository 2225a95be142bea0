#include "core/effect.h"

#include <array>

namespace koi::core {

namespace {
constexpr std::array<std::string_view, action_count> action_names{
    "enter", "leave", "goal",      "send",  "set",    "refuse",    "tag",
    "untag", "emit",  "notify",    "call",  "start",  "split",     "give",
    "take",  "claim", "claw_back", "reply", "redeem", "roll_back", "merge"};
constexpr std::array<std::string_view, static_cast<std::size_t>(last_reason) + 1> reason_names{
    "none",
    "no_consent",
    "unsubscribed",
    "hold_out",
    "quiet_hours",
    "cap",
    "expired",
    "missing_value",
    "no_variant",
    "unreachable",
    "window_closed",
    "bad_content",
    "quota",
    "credentials",
    "failed",
    "lapsed",
    "campaign_window",
    "budget",
    "limit",
    "no_inviter",
    "not_enough",
    "no_prize",
    "all_taken",
    "too_late",
    "taken_before",
    "self",
    "same",
    "existing",
    "cycle",
    "not_eligible",
    "review",
    "bound_before",
    "declined",
    "unknown_code",
    "redeemed",
    "locked",
    "not_yet",
    "threshold",
    "scope",
    "combination",
    "not_held",
    "not_in_review",
    "key_reused",
    "pool_empty",
    "not_best",
    "merged"};
}  // namespace

std::string_view name_of(Action action) { return action_names[static_cast<std::size_t>(action)]; }

std::string_view name_of(Reason reason) { return reason_names[static_cast<std::size_t>(reason)]; }

Reason reason_of(std::string_view name) {
  for (std::size_t i = 1; i < reason_names.size(); ++i)
    if (reason_names[i] == name) return static_cast<Reason>(i);
  return Reason::None;
}

}  // namespace koi::core
