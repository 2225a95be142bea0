#include "core/gate.h"

#include <gtest/gtest.h>

#include "core/detail/plan_for_tests.h"
#include "core/metrics.h"

namespace koi::core {
namespace {

using VerdictKind = Verdict::Kind;
using plan::CampaignClass;

Timestamp at_second(const char* local) { return *parse_instant(std::string(local) + "+08:00"); }

class Gate : public testing::Test {
 protected:
  Gate() {
    made.plan.channels = {{.symbol = {"wechat", ""}}, {.symbol = {"sms", ""}}};
    made.plan.schema.identifiers = {"phone"};
    campaign.symbol = {"c", ""};
    state = new_customer(made.plan, "ann");
  }
  void consents(plan::ChannelId channel = {}, const char* when = "2026-01-01T00:00:00") {
    record_consent(state, CampaignClass::Marketing, channel, true, at_second(when));
  }
  void refuses(plan::ChannelId channel = {}, const char* when = "2026-01-01T00:00:00") {
    record_consent(state, CampaignClass::Marketing, channel, false, at_second(when));
  }
  Verdict ask(const char* when = "2026-03-02T12:00:00", plan::ChannelId channel = wechat) {
    return ask_gate(made.plan, state, campaign, false, channel, at_second(when));
  }
  void send(const char* when, plan::ChannelId channel = wechat) {
    record_sent(made.plan, state, campaign, channel, at_second(when));
  }
  void cap(std::uint32_t limit, Span per,
           plan::Cap::Calendar calendar = plan::Cap::Calendar::None) {
    made.plan.policy.caps.push_back({.campaign_class = CampaignClass::Marketing,
                                     .channel = {},
                                     .limit = limit,
                                     .per = per,
                                     .calendar = calendar});
  }

  plan::MetricId orders_of_two_days() {
    return made.metric(plan::Aggregate::Count, {}, {plan::WindowKind::Trailing, {0, hours(48)}});
  }
  void orders(const char* when) {
    log_event(made.plan.logs[0], state.logs.at(0), at_second(when), {}, at_second(when),
              zone_of(made.plan, state));
  }

  static constexpr plan::ChannelId wechat = plan::ChannelId::of(0), sms = plan::ChannelId::of(1);
  PlanForTests made;
  plan::Campaign campaign;
  State state;
};

TEST_F(Gate, MarketingNeedsConsentAndTransactionalNone) {
  EXPECT_EQ(ask().reason, Reason::NoConsent);
  campaign.campaign_class = CampaignClass::Transactional;
  EXPECT_EQ(ask().kind, VerdictKind::Pass);
}

TEST_F(Gate, ARefusalForAChannelOutlivesAConsentForAllOfThem) {
  refuses(sms, "2026-01-01T00:00:00");
  consents({}, "2026-02-01T00:00:00");
  EXPECT_EQ(ask("2026-03-02T12:00:00", sms).reason, Reason::Unsubscribed);
  EXPECT_EQ(ask("2026-03-02T12:00:00", wechat).kind, VerdictKind::Pass);
}

TEST_F(Gate, ARefusalForAllChannelsIsLiftedOnlyByALaterConsent) {
  consents(wechat, "2026-01-01T00:00:00");
  refuses({}, "2026-01-02T00:00:00");
  EXPECT_EQ(ask().reason, Reason::Unsubscribed);
  consents(wechat, "2026-01-03T00:00:00");
  EXPECT_EQ(ask().kind, VerdictKind::Pass);
  EXPECT_EQ(ask("2026-03-02T12:00:00", sms).reason, Reason::Unsubscribed);
}

TEST_F(Gate, AConsentThatIsOlderThanTheRefusalDoesNotReplaceIt) {
  refuses({}, "2026-01-02T00:00:00");
  consents({}, "2026-01-01T00:00:00");
  EXPECT_EQ(ask().reason, Reason::Unsubscribed);
}

TEST_F(Gate, TheFirstQuietInstantIsQuietAndTheLastIsNot) {
  consents();
  made.plan.policy.quiet = {.from = *parse_time_of_day("22:00"), .to = *parse_time_of_day("08:00")};
  EXPECT_EQ(ask("2026-03-02T21:59:59.999999").kind, VerdictKind::Pass);
  const Verdict quiet = ask("2026-03-02T22:00:00");
  EXPECT_EQ(quiet.kind, VerdictKind::Delay);
  EXPECT_EQ(quiet.until, at_second("2026-03-03T08:00:00"));
  EXPECT_EQ(ask("2026-03-03T07:59:59.999999").until, at_second("2026-03-03T08:00:00"));
  EXPECT_EQ(ask("2026-03-03T08:00:00").kind, VerdictKind::Pass);
  made.plan.policy.quiet->drop = true;
  EXPECT_EQ(ask("2026-03-02T23:00:00").reason, Reason::QuietHours);
  campaign.campaign_class = CampaignClass::Transactional;
  EXPECT_EQ(ask("2026-03-02T23:00:00").kind, VerdictKind::Pass);
}

TEST_F(Gate, QuietHoursAreThoseOfTheCustomersOwnZone) {
  consents();
  made.plan.policy.quiet = {.from = *parse_time_of_day("22:00"), .to = *parse_time_of_day("08:00")};
  state.attributes[time_zone_attribute.index()] = Value::text("Europe/London");
  EXPECT_EQ(ask("2026-03-02T23:00:00").kind, VerdictKind::Pass);   // three in the afternoon there
  EXPECT_EQ(ask("2026-03-02T12:00:00").kind, VerdictKind::Delay);  // four in the morning
}

TEST_F(Gate, ARollingCapPassesExactlyADayLater) {
  consents();
  cap(2, {0, days(1)});
  send("2026-03-02T12:00:00");
  send("2026-03-02T15:00:00");
  const Verdict capped = ask("2026-03-03T11:59:59.999999");
  EXPECT_EQ(capped.reason, Reason::Cap);
  EXPECT_EQ(capped.until, at_second("2026-03-03T12:00:00"));
  EXPECT_EQ(ask("2026-03-03T12:00:00").kind, VerdictKind::Pass);
}

TEST_F(Gate, ACalendarCapBeginsAnewAtMidnight) {
  consents();
  cap(1, {}, plan::Cap::Calendar::Day);
  send("2026-03-02T23:59:59");
  EXPECT_EQ(ask("2026-03-02T23:59:59.5").until, at_second("2026-03-03T00:00:00"));
  EXPECT_EQ(ask("2026-03-03T00:00:00").kind, VerdictKind::Pass);
}

TEST_F(Gate, AChannelsCapCountsThatChannelAlone) {
  consents();
  made.plan.policy.caps = {{.campaign_class = {}, .channel = sms, .limit = 1, .per = {0, days(7)}}};
  send("2026-03-02T12:00:00", sms);
  EXPECT_EQ(ask("2026-03-02T13:00:00", sms).reason, Reason::Cap);
  EXPECT_EQ(ask("2026-03-02T13:00:00", wechat).kind, VerdictKind::Pass);
}

TEST_F(Gate, WhatNoCapCountsAnyMoreIsForgotten) {
  consents();
  cap(3, {0, days(1)});
  for (const char* when : {"2026-03-02T12:00:00", "2026-03-03T12:00:00", "2026-03-04T12:00:00"})
    send(when);
  EXPECT_EQ(state.sent.size(), 1u);
}

TEST_F(Gate, AChannelThatNeedsAnIdentifierReachesOnlyWhoHasOne) {
  consents();
  made.plan.channels[1].reach_by = IdentifierId::of(0);
  EXPECT_EQ(ask("2026-03-02T12:00:00", sms).reason, Reason::Unreachable);
  state.identifiers = {{IdentifierId::of(0), "13800000000"}};
  EXPECT_EQ(ask("2026-03-02T12:00:00", sms).kind, VerdictKind::Pass);
}

TEST_F(Gate, AChannelThatWhatTheCustomerDoesOpensLetsOutSoManyForSoLong) {
  consents();
  made.plan.channels[0].openings = {{orders_of_two_days(), 2}};
  EXPECT_EQ(ask("2026-03-02T12:00:00").reason, Reason::WindowClosed);
  EXPECT_EQ(ask("2026-03-02T12:00:00", sms).kind, VerdictKind::Pass);
  orders("2026-03-02T12:00:00");
  EXPECT_EQ(ask("2026-03-02T11:59:59.999999").reason, Reason::WindowClosed);
  EXPECT_EQ(ask("2026-03-02T12:00:00").kind, VerdictKind::Pass);
  EXPECT_EQ(ask("2026-03-04T11:59:59.999999").kind, VerdictKind::Pass);
  EXPECT_EQ(ask("2026-03-04T12:00:00").reason, Reason::WindowClosed);

  send("2026-03-02T12:00:00");
  send("2026-03-02T12:30:00", sms);
  EXPECT_EQ(ask("2026-03-02T13:00:00").kind, VerdictKind::Pass);
  send("2026-03-02T13:00:00");
  EXPECT_EQ(ask("2026-03-02T13:00:00").reason, Reason::WindowClosed);
  release_sent(state, CampaignClass::Marketing, wechat, at_second("2026-03-02T13:00:00"));
  EXPECT_EQ(ask("2026-03-02T13:00:00").kind, VerdictKind::Pass);
  send("2026-03-02T14:00:00");
  EXPECT_EQ(ask("2026-03-03T11:00:00").reason, Reason::WindowClosed);
  orders("2026-03-03T11:00:00");
  EXPECT_EQ(ask("2026-03-03T11:00:00").kind, VerdictKind::Pass);

  send("2026-03-08T12:00:00");  // by a campaign that another channel's rules let out
  EXPECT_EQ(state.sent.size(), 1u);
  state.sent.push_back(
      {at_second("2026-03-08T12:00:00"), CampaignClass::Marketing, {}});  // of one gone
  send("2026-03-08T13:00:00");
  EXPECT_EQ(state.sent.size(), 2u);
}

TEST_F(Gate, AnOpeningWithoutANumberLetsOutAnyNumber) {
  consents();
  made.plan.channels[0].openings = {{orders_of_two_days(), 0}};
  orders("2026-03-02T12:00:00");
  for (int i = 0; i < 100; ++i) send("2026-03-02T12:00:00");
  EXPECT_EQ(ask("2026-03-02T12:00:01").kind, VerdictKind::Pass);
}

TEST_F(Gate, TheHoldOutIsAStableShareOfCustomers) {
  campaign.hold_out = {100'000};  // 10%
  int held = 0, both = 0;
  plan::Campaign other = campaign;
  other.symbol.name = "d";
  for (int i = 0; i < 20'000; ++i) {
    state.id = "c" + std::to_string(i);
    const bool first = is_held_out(made.plan, state, campaign);
    EXPECT_EQ(first, is_held_out(made.plan, state, campaign));
    held += first;
    both += first && is_held_out(made.plan, state, other);
  }
  // Four standard deviations of a binomial of 20,000 at 10%, and of the independent 1% of both.
  EXPECT_NEAR(held, 2000, 170);
  EXPECT_NEAR(both, 200, 57);
}

}  // namespace
}  // namespace koi::core
