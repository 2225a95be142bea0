#include "core/gate.h"

#include <algorithm>

#include "base/hash.h"
#include "core/calendar.h"

namespace koi::core {

using plan::CampaignClass;

namespace {

const Consent* find_consent(const State& state, CampaignClass purpose, plan::ChannelId channel) {
  for (const Consent& consent : state.consents)
    if (consent.purpose == purpose && consent.channel == channel) return &consent;
  return nullptr;
}

// What the customer has said about this kind of message on this channel. A refusal for the channel
// holds until it is taken back for the channel; a refusal for all of them until a later consent.
enum class Said : std::uint8_t { Nothing, Yes, No };
Said what_was_said(const State& state, CampaignClass purpose, plan::ChannelId channel) {
  const Consent* here = find_consent(state, purpose, channel);
  const Consent* everywhere = find_consent(state, purpose, plan::ChannelId::none());
  if (here && !here->granted) return Said::No;
  if (everywhere && !everywhere->granted)
    return here && here->at > everywhere->at ? Said::Yes : Said::No;
  return here || everywhere ? Said::Yes : Said::Nothing;
}

Period period_of(plan::Cap::Calendar calendar) {
  switch (calendar) {
    case plan::Cap::Calendar::Day: return Period::Day;
    case plan::Cap::Calendar::Week: return Period::Week;
    case plan::Cap::Calendar::Month: return Period::Month;
    case plan::Cap::Calendar::Year: return Period::Year;
    case plan::Cap::Calendar::None: break;
  }
  KOI_ASSERT(false);
}

bool concerns(const plan::Cap& cap, CampaignClass campaign_class, plan::ChannelId channel) {
  return cap.campaign_class ? *cap.campaign_class == campaign_class : cap.channel == channel;
}

}  // namespace

Timestamp stops_counting(const plan::Cap& cap, Timestamp sent, const Zone& zone) {
  if (cap.calendar != plan::Cap::Calendar::None)
    return period_end(period_of(cap.calendar), sent, zone);
  return add(sent, cap.per, zone);
}

namespace {

// When the cap lets one more message through: not after `now` if it does already.
Timestamp free_at(const plan::Cap& cap, int priority, const State& state, Timestamp now,
                  const Zone& zone) {
  const std::uint32_t limit = cap.limit + (priority >= cap.more_from ? cap.more : 0);
  if (limit == 0) return Timestamp::never();
  std::vector<Timestamp> ends;
  for (const Sent& sent : state.sent) {
    if (!concerns(cap, sent.campaign_class, sent.channel)) continue;
    const Timestamp end = stops_counting(cap, sent.at, zone);
    if (end > now) ends.push_back(end);
  }
  if (ends.size() < limit) return now;
  std::sort(ends.begin(), ends.end());
  return ends[ends.size() - limit];
}

// When the opening that an event makes at `begin` is over.
Timestamp closes(const plan::Plan& plan, const plan::Opening& opening, Timestamp begin,
                 const Zone& zone) {
  return add(begin, plan.metrics[opening.events.index()].window.span, zone);
}

// May a message follow what the customer has done?
bool is_open(const plan::Plan& plan, const State& state, plan::ChannelId channel, Timestamp now,
             const Zone& zone) {
  const auto& openings = plan.channels[channel.index()].openings;
  const auto lets_out = [&](const plan::Opening& opening) {
    const plan::Metric& events = plan.metrics[opening.events.index()];
    const Logged& kept = state.logs[events.log.index()];
    const auto place = std::upper_bound(kept.times.begin(), kept.times.end(), now);
    if (place == kept.times.begin()) return false;
    const Timestamp begin = *std::prev(place);
    if (closes(plan, opening, begin, zone) <= now) return false;
    const auto since = std::count_if(state.sent.begin(), state.sent.end(), [&](const Sent& sent) {
      return sent.channel == channel && sent.at >= begin;
    });
    return opening.messages == 0 || static_cast<std::uint64_t>(since) < opening.messages;
  };
  return openings.empty() || std::any_of(openings.begin(), openings.end(), lets_out);
}

Verdict refuse(Reason reason) { return {Verdict::Kind::Refuse, reason, {}, {}}; }

// What comes last at the gate, of all messages: can the campaign afford it, does it reach him, and
// may it now?
Verdict ask_last(const plan::Plan& plan, const State& state, const plan::Campaign& campaign,
                 plan::ChannelId channel, Timestamp now, Accounts* accounts) {
  Verdict verdict;
  if (accounts && !campaign.budgets.empty()) {
    auto price = accounts->price(campaign, channel, now);
    if (!price) return refuse(Reason::Budget);
    verdict.charges = *std::move(price);
  }
  const IdentifierId needed = plan.channels[channel.index()].reach_by;
  const bool reachable =
      needed.is_none() || std::any_of(state.identifiers.begin(), state.identifiers.end(),
                                      [&](const Identifier& each) { return each.kind == needed; });
  if (!reachable) return refuse(Reason::Unreachable);
  if (!is_open(plan, state, channel, now, zone_of(plan, state)))
    return refuse(Reason::WindowClosed);
  return verdict;
}

}  // namespace

bool is_quiet(const plan::QuietHours& quiet, TimeOfDay time) {
  if (quiet.from <= quiet.to) return quiet.from <= time && time < quiet.to;
  return quiet.from <= time || time < quiet.to;
}

Timestamp quiet_end(const plan::QuietHours& quiet, Timestamp now, const Zone& zone) {
  const LocalTime local = zone.local(now);
  const Timestamp today = zone.instant({local.date, quiet.to});
  return today > now ? today : zone.instant({{local.date.days + 1}, quiet.to});
}

Verdict ask_gate(const plan::Plan& plan, const State& state, const plan::Campaign& campaign,
                 bool held_out, plan::ChannelId channel, Timestamp now, Accounts* accounts) {
  const CampaignClass purpose = campaign.campaign_class;

  const Said said = what_was_said(state, purpose, channel);
  const bool required = plan.policy.consent_required[static_cast<std::size_t>(purpose)];
  if (said == Said::Nothing && required) return refuse(Reason::NoConsent);
  if (said == Said::No) return refuse(Reason::Unsubscribed);
  if (const Reason reason = ask_gate(campaign, held_out, now); reason != Reason::None)
    return refuse(reason);

  const Zone& zone = zone_of(plan, state);
  const auto& quiet = plan.policy.quiet;
  if (quiet && purpose != CampaignClass::Transactional && is_quiet(*quiet, zone.local(now).time)) {
    if (quiet->drop) return refuse(Reason::QuietHours);
    return {Verdict::Kind::Delay, Reason::QuietHours, quiet_end(*quiet, now, zone), {}};
  }

  Timestamp free = now;
  for (const plan::Cap& cap : plan.policy.caps)
    if (concerns(cap, purpose, channel))
      free = std::max(free, free_at(cap, campaign.priority, state, now, zone));
  if (free > now) return {Verdict::Kind::Refuse, Reason::Cap, free, {}};
  return ask_last(plan, state, campaign, channel, now, accounts);
}

Verdict ask_gate_of_reply(const plan::Plan& plan, const State& state,
                          const plan::Campaign& campaign, bool held_out, plan::ChannelId channel,
                          Timestamp now, Accounts* accounts) {
  if (const Reason reason = ask_gate(campaign, held_out, now); reason != Reason::None)
    return refuse(reason);
  return ask_last(plan, state, campaign, channel, now, accounts);
}

Reason ask_gate(const plan::Campaign& campaign, bool held_out, Timestamp now) {
  if (held_out) return Reason::HoldOut;
  if (now < campaign.from || now >= campaign.until) return Reason::CampaignWindow;
  return Reason::None;
}

bool has_refused(const State& state, CampaignClass purpose, plan::ChannelId channel) {
  return what_was_said(state, purpose, channel) == Said::No;
}
bool has_refused(const State& state) {
  return std::any_of(state.consents.begin(), state.consents.end(),
                     [](const Consent& each) { return !each.granted; });
}

void record_sent(const plan::Plan& plan, State& state, const plan::Campaign& campaign,
                 plan::ChannelId channel, Timestamp now) {
  const auto& caps = plan.policy.caps;
  if (caps.empty() && plan.channels[channel.index()].openings.empty()) return;
  const Zone& zone = zone_of(plan, state);
  const auto counts = [&](const Sent& sent) {
    for (const plan::Cap& cap : caps)
      if (concerns(cap, sent.campaign_class, sent.channel) &&
          stops_counting(cap, sent.at, zone) > now)
        return true;
    if (sent.channel.is_none()) return false;  // the rules no longer have it
    for (const plan::Opening& opening : plan.channels[sent.channel.index()].openings)
      if (opening.messages > 0 && closes(plan, opening, sent.at, zone) > now) return true;
    return false;
  };
  erase_if(state.sent, [&](const Sent& sent) { return !counts(sent); });
  state.sent.push_back({now, campaign.campaign_class, channel});
}

void release_sent(State& state, CampaignClass campaign_class, plan::ChannelId channel,
                  Timestamp sent) {
  const auto place =
      std::find(state.sent.begin(), state.sent.end(), Sent{sent, campaign_class, channel});
  if (place != state.sent.end()) state.sent.erase(place);
}

void record_consent(State& state, CampaignClass purpose, plan::ChannelId channel, bool granted,
                    Timestamp at) {
  const auto before = [](const Consent& a, const Consent& b) {
    return std::pair(a.purpose, a.channel) < std::pair(b.purpose, b.channel);
  };
  const Consent consent{purpose, channel, granted, at};
  const auto place =
      std::lower_bound(state.consents.begin(), state.consents.end(), consent, before);
  if (place == state.consents.end() || before(consent, *place))
    state.consents.insert(place, consent);
  else if (place->at <= at)
    *place = consent;
}

bool is_held_out(const plan::Plan& plan, const State& state, const plan::Campaign& campaign) {
  if (campaign.hold_out.millionths <= 0 || state.hold_out_never) return false;
  if (state.hold_out_always) return true;
  const std::uint64_t chance =
      HashInput().text("hold_out").text(campaign.symbol.name).text(state.id).hash64(plan.seed);
  // The top bits as a fraction of one million.
  const auto share = static_cast<std::int64_t>((chance >> 32) * 1'000'000 >> 32);
  return share < campaign.hold_out.millionths;
}

}  // namespace koi::core
