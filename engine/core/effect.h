// Effect: what was decided, as a value. The world outside carries it out; nothing here does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/list.h"
#include "base/time.h"
#include "model/value.h"
#include "plan/plan.h"

namespace koi::core {

enum class Action : std::uint8_t {
  Enter,
  Leave,
  Goal,
  Send,
  Set,
  Refuse,
  Tag,
  Untag,
  Emit,
  Notify,
  Call,
  Start,
  Split,  // an arm with a name was taken
  Give,
  Take,
  Claim,
  ClawBack,
  Reply,
  Redeem,
  RollBack,  // of what was redeemed
  Merge,     // another customer has turned out to be he
};
constexpr std::size_t action_count = static_cast<std::size_t>(Action::Merge) + 1;
std::string_view name_of(Action action);  // "enter", "leave", …
// Does a channel carry it to the customer?
constexpr bool is_message(Action action) {
  return action == Action::Send || action == Action::Reply;
}

// Why an action was refused. The names are stable: reports, tests and people's programs use them.
enum class Reason : std::uint8_t {
  None,
  NoConsent,
  Unsubscribed,
  HoldOut,
  QuietHours,
  Cap,
  Expired,       // `within`: it would be too late
  MissingValue,  // its text needs a value that is missing
  NoVariant,     // the content says nothing on this channel
  // reachability: known at the gate (no identifier), or by the delivery's receipt
  Unreachable,
  WindowClosed,
  BadContent,
  Quota,
  Credentials,
  Failed,
  Lapsed,
  CampaignWindow,  // outside of the campaign's period
  // of what is given
  Budget,     // there is not so much left
  Limit,      // he, or somebody on the same device, has had his share
  NoInviter,  // nobody brought him
  NotEnough,  // he has fewer points than that
  NoPrize,    // nothing is left in the draw
  // of claiming a share, or an invitation
  AllTaken,
  TooLate,
  TakenBefore,
  Self,
  Same,      // the same device, phone … as the inviter
  Existing,  // he was a customer before
  Cycle,
  NotEligible,  // a condition keeps him or the inviter out
  Review,       // held until somebody has looked at it
  BoundBefore,  // somebody else brought him
  Declined,     // somebody has looked at it, and does not want it
  // of calls
  UnknownCode,
  Redeemed,     // the coupon was used before
  Locked,       // another order has it for now
  NotYet,       // it is not valid yet
  Threshold,    // the order is too small
  Scope,        // the coupon is not for such orders
  Combination,  // nor beside that other coupon
  NotHeld,      // this order has neither locked nor redeemed it
  NotInReview,  // nothing waits for somebody to look at it
  KeyReused,    // the caller has asked for something else under this id
  PoolEmpty,    // no code is left of those that were uploaded
  NotBest,      // another coupon on the order takes off more, and only one of them may
  // of leaving
  Merged,  // two customers are one, and the other one's journey was there first
};
constexpr Reason last_reason = Reason::Merged;
std::string_view name_of(Reason reason);  // "no_consent", …
Reason reason_of(std::string_view name);  // None where no reason has the name

// A message as it leaves: the texts as the customer will read them, in the variant of its channel.
struct Text {
  std::string title, body, link;  // empty where the content has none
  std::string address;  // the identifier that the channel reaches him by; empty where it needs none
  std::string reply_to;  // Reply: the id of the event that it answers
  // The provider's own template, and what is put into it; empty where the content names none.
  std::string provider_template{};
  std::vector<std::pair<std::string, std::string>> values{};
};

// What is given, taken or claimed.
struct Gift {
  plan::IncentiveId incentive;
  plan::ReferralId referral;  // that gives it, or that was claimed; else none
  Value amount;               // money, or points; missing where it has none
  std::string code, prize, wishes;
  std::string address;  // whom the payout reaches; empty where nothing is paid or nobody is known
  // Give of a prize draw: the positions of those that were drawn before it and were out of stock.
  std::vector<std::size_t> missed{};
};

struct Effect {
  Timestamp time;             // of the decision
  plan::CampaignId campaign;  // none: a referral gave it, or a claim was refused
  Action action = Action::Enter;
  Action of = Action::Enter;     // Refuse: what was refused
  Reason reason = Reason::None;  // Refuse; Leave: where it was for no clause of the campaign
  plan::ContentId content;       // Send, Reply, and Refuse of them
  plan::ChannelId channel;       // Send, Reply; Refuse: the first channel tried
  AttributeId attribute;         // Set, and Refuse of it
  Hash128 entry;                 // the journey's
  Hash128 key;                   // of this effect: the same in every replay
  EventTypeId event;             // Emit, and Refuse of it
  plan::TeamId team;             // Notify, and Refuse of it
  plan::WebhookId webhook;       // Call, and Refuse of it
  plan::ArmId arm;               // Split
  std::uint16_t step = 0;        // Call: of the campaign's code
  // Send, Reply: delivered later than this it is worth nothing. Notify: somebody must have taken
  // it.
  Timestamp not_after = Timestamp::never();
  bool wants_receipt = false;    // Send, Reply: the core decides something by its receipt
  bool has_another_way = false;  // Send: if it fails, the next of its channels is tried
  // Set: the new value. Tag, Untag, Start, and Refuse of them: the name. Merge: the other's id
  Value value;
  List<Value> fields;      // Emit: the event's. Call: what is given, as in the plan's step
  List<plan::ArmId> arms;  // Goal: the arms with names that the journey took before
  std::unique_ptr<const Text> text;  // Send, Reply, Notify (its body); else null
  // Give, Take, Claim, ClawBack, Redeem, RollBack and refusals of them; else null
  std::unique_ptr<Gift> gift;
};

}  // namespace koi::core
