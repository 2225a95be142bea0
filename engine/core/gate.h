// The gate: the one place that lets a message out. It asks consent → suppression → hold-out →
// campaign window → quiet hours → frequency caps → budgets → reachability → reply windows, in this
// order, and reads what it let out before.
#pragma once

#include "core/accounts.h"
#include "core/effect.h"
#include "core/state.h"
#include "plan/plan.h"

namespace koi::core {

struct Verdict {
  enum class Kind : std::uint8_t {
    Pass,
    Refuse,  // for `reason`
    Delay,   // ask again at `until`; `reason` says what for
  };
  Kind kind = Kind::Pass;
  Reason reason = Reason::None;
  Timestamp until;
  List<Charge> charges;  // Pass: what it takes of the campaign's budgets
};

// May the campaign send to the customer on that channel now? A cap refuses; `until` is then the
// first instant at which it would not. Quiet hours delay, or refuse where the policy drops.
Verdict ask_gate(const plan::Plan& plan, const State& state, const plan::Campaign& campaign,
                 bool held_out, plan::ChannelId channel, Timestamp now,
                 Accounts* accounts = nullptr);

// May it answer, on the channel that somebody has written on? Who writes wants an answer: it is not
// asked for consent, quiet hours and caps. Never a Delay.
Verdict ask_gate_of_reply(const plan::Plan& plan, const State& state,
                          const plan::Campaign& campaign, bool held_out, plan::ChannelId channel,
                          Timestamp now, Accounts* accounts = nullptr);

// The same for whatever is not sent: None, or why it is refused.
Reason ask_gate(const plan::Campaign& campaign, bool held_out, Timestamp now);

// Is the instant in the quiet hours, and when do they end?
bool is_quiet(const plan::QuietHours& quiet, TimeOfDay time);
Timestamp quiet_end(const plan::QuietHours& quiet, Timestamp now, const Zone& zone);

// The first instant at which something sent at `sent` no longer counts for the cap; `zone` is the
// customer's.
Timestamp stops_counting(const plan::Cap& cap, Timestamp sent, const Zone& zone);

// Whether the customer wants no messages of this class on the channel: whatever was decided before
// he said so must not reach him any more.
bool has_refused(const State& state, plan::CampaignClass purpose, plan::ChannelId channel);
// Whether there are any messages that he does not want.
bool has_refused(const State& state);

// Writes down what passed, and drops what no cap and no reply window can count any more.
void record_sent(const plan::Plan& plan, State& state, const plan::Campaign& campaign,
                 plan::ChannelId channel, Timestamp now);

// Gives back the place in the caps of a message whose delivery failed.
void release_sent(State& state, plan::CampaignClass campaign_class, plan::ChannelId channel,
                  Timestamp sent);

// Keeps a consent or its refusal (the latest for its purpose and channel).
void record_consent(State& state, plan::CampaignClass purpose, plan::ChannelId channel,
                    bool granted, Timestamp at);

// Decided once for (seed, campaign, customer): the same at every entry.
bool is_held_out(const plan::Plan& plan, const State& state, const plan::Campaign& campaign);

}  // namespace koi::core
