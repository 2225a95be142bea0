#include "core/decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/codec.h"
#include "core/detail/plan_for_tests.h"
#include "core/gate.h"

namespace koi::core {
namespace {

using plan::Op;
using testing::ElementsAre;

Timestamp at_minute(const char* local) { return *parse_instant(std::string(local) + ":00+08:00"); }

// The cart of the shop: a cart and no order of the same sku within 30 minutes, a nudge on `wechat`
// else on `sms`, a day later another one. Quiet from 22:00 to 08:00, two messages a day.
class Cart : public testing::Test {
 protected:
  Cart() {
    auto& plan = made.plan;
    cart = EventTypeId::of(plan.schema.events.size());
    plan.schema.events.push_back(plan.schema.events[made.order.index()]);
    plan.schema.events.back().symbol = {"cart", "加购"};
    plan.schema.index();
    plan.reactions.resize(plan.schema.events.size());
    plan.reactions[made.order.index()].remembered = true;

    plan.channels = {{.symbol = {"wechat", ""}}, {.symbol = {"sms", ""}}};
    plan.policy.quiet = {.from = *parse_time_of_day("22:00"), .to = *parse_time_of_day("08:00")};
    plan.policy.caps = {
        {.campaign_class = plan::CampaignClass::Marketing, .limit = 2, .per = {0, days(1)}}};
    plan.contents = {{"nudge", ""}};
    plan.templates = {{{{"cart: ", made.node(Op::Slot, Kind::Text, 0), {}}}}};
    plan.messages = {{plan::ContentId::of(0), {{{}, {}, plan::TemplateId::of(0), {}}}}};

    const plan::NodeId same_sku =
        made.compare(Op::Equal, made.node(Op::Field, Kind::Text, PlanForTests::sku.index()),
                     made.node(Op::Slot, Kind::Text, 0));
    plan::Campaign rescue;
    rescue.symbol = {"rescue", ""};
    rescue.enter = {
        plan::Enter::How::Every, {0, days(3)}, made.node(Op::Slot, Kind::Text, 0), true};
    rescue.goal = plan::Goal{{made.order, same_sku}, Span{0, days(3)}};
    rescue.leave_events = {{made.order, same_sku}};
    rescue.frame_size = 1;
    plan::Trigger trigger;
    trigger.kind = plan::Trigger::Kind::Absence;
    trigger.first = {{cart, {}}, {{PlanForTests::sku, plan::SlotId::of(0)}}};
    trigger.nots = {{made.order, same_sku}};
    trigger.within = {0, minutes(30)};
    rescue.triggers = {trigger};
    plan::Send send;
    send.channels = {plan::ChannelId::of(0), plan::ChannelId::of(1)};
    plan::Send again = send;
    again.ordinal = 1;
    rescue.steps = {send, plan::Wait{{0, days(1)}}, again};
    plan.campaigns = {rescue};
    plan.reactions[cart.index()].begins = {{plan::CampaignId::of(0), 0}};
    plan.reactions[made.order.index()].concerns = {plan::CampaignId::of(0)};
    state = new_customer(plan, "ann");
    record_consent(state, plan::CampaignClass::Marketing, {}, true, {});
  }

  Standing happens(EventTypeId type, const char* when, const char* sku, const char* id = nullptr) {
    Event event;
    event.id = id ? id : "e" + std::to_string(++count_);
    event.type = type;
    event.time = at_minute(when);
    event.customer = "ann";
    event.fields = {Value(), Value(), Value::text(sku)};
    return decide(made.plan, state, event, effects);
  }
  void until(const char* when) { decide(made.plan, state, Tick{at_minute(when), true}, effects); }
  void receipts(Failure failure) {
    const std::size_t decided = effects.size();
    for (std::size_t i = 0; i < decided; ++i)
      if (effects[i].action == Action::Send)
        decide(made.plan, state, Receipt{effects[i].key, effects[i].time, failure}, effects);
  }
  // "send wechat 03-02 10:30", "refuse cap", …; empties the list.
  std::vector<std::string> done() {
    std::vector<std::string> lines;
    for (const Effect& effect : effects) {
      std::string line(name_of(effect.action));
      if (effect.action == Action::Refuse) line += " " + std::string(name_of(effect.reason));
      if (effect.action == Action::Send)
        line +=
            " " + made.plan.channels[effect.channel.index()].symbol.name + " " + effect.text->body;
      lines.push_back(line + " " + to_string(effect.time, *made.plan.policy.zone).substr(5, 11));
    }
    effects.clear();
    return lines;
  }

  PlanForTests made;
  EventTypeId cart;
  State state;
  std::vector<Effect> effects;

 private:
  int count_ = 0;
};

TEST_F(Cart, AbsenceEntersAtItsDeadlineAndNotBefore) {
  happens(cart, "2026-03-02T10:00", "A1");
  decide(made.plan, state, Tick{at_minute("2026-03-02T10:30"), false}, effects);
  EXPECT_THAT(done(), ElementsAre());
  until("2026-03-02T10:30");
  EXPECT_THAT(done(), ElementsAre("enter 03-02T10:30", "send wechat cart: A1 03-02T10:30"));
}

TEST_F(Cart, AnOrderAtTheDeadlineIsStillWithin) {
  happens(cart, "2026-03-02T10:00", "A1");
  happens(made.order, "2026-03-02T10:30", "A1");
  until("2026-03-05T00:00");
  EXPECT_THAT(done(), ElementsAre());
}

TEST_F(Cart, AnotherCartNeitherRestartsItNorBeginsAnotherOfTheSameKey) {
  happens(cart, "2026-03-02T10:00", "A1");
  happens(cart, "2026-03-02T10:20", "A1");
  happens(cart, "2026-03-02T10:25", "B2");
  EXPECT_EQ(state.journeys.size(), 2u);
  until("2026-03-02T10:55");
  EXPECT_THAT(done(), ElementsAre("enter 03-02T10:30", "send wechat cart: A1 03-02T10:30",
                                  "enter 03-02T10:55", "send wechat cart: B2 03-02T10:55"));
}

TEST_F(Cart, TheGoalComesBeforeTheLeaving) {
  happens(cart, "2026-03-02T10:00", "A1");
  happens(made.order, "2026-03-02T12:00", "A1");
  EXPECT_THAT(done(), ElementsAre("enter 03-02T10:30", "send wechat cart: A1 03-02T10:30",
                                  "goal 03-02T12:00", "leave 03-02T12:00"));
  until("2026-03-10T00:00");
  EXPECT_THAT(done(), ElementsAre());
  EXPECT_TRUE(state.journeys.empty());
}

TEST_F(Cart, AtNightItWaitsForTheMorningAndLeavingBeforeCancelsIt) {
  happens(cart, "2026-03-02T22:00", "A1");
  happens(cart, "2026-03-02T22:10", "B2");
  happens(made.order, "2026-03-03T07:00", "A1");
  until("2026-03-03T08:00");
  EXPECT_THAT(done(), ElementsAre("enter 03-02T22:30", "enter 03-02T22:40", "goal 03-03T07:00",
                                  "leave 03-03T07:00", "send wechat cart: B2 03-03T08:00"));
}

TEST_F(Cart, AFailedDeliveryGoesOnToTheNextChannelAndAFailureThereIsOneRefusal) {
  happens(cart, "2026-03-02T10:00", "A1");
  until("2026-03-02T10:30");
  receipts(Failure::Unreachable);
  EXPECT_THAT(done(), ElementsAre("enter 03-02T10:30", "send wechat cart: A1 03-02T10:30",
                                  "send sms cart: A1 03-02T10:30"));
  ASSERT_EQ(state.open.size(), 1u);
  const Receipt receipt{state.open[0].key, at_minute("2026-03-02T10:31"), Failure::Quota};
  EXPECT_EQ(decide(made.plan, state, receipt, effects), Standing::Applied);
  EXPECT_THAT(done(), ElementsAre("refuse unreachable 03-02T10:31"));
  EXPECT_EQ(decide(made.plan, state, receipt, effects), Standing::Duplicate);
}

TEST_F(Cart, TheThirdMessageOfADayIsRefusedAndExactlyADayLaterOnePasses) {
  for (const char* sku : {"A1", "B2", "C3"}) happens(cart, "2026-03-02T10:00", sku);
  until("2026-03-02T10:30");
  EXPECT_THAT(done(), testing::Contains("refuse cap 03-02T10:30"));
  until("2026-03-03T10:30");
  EXPECT_THAT(done(), ElementsAre("send wechat cart: A1 03-03T10:30",
                                  "send wechat cart: B2 03-03T10:30", "refuse cap 03-03T10:30"));
}

TEST_F(Cart, ARepeatedIdChangesNothing) {
  happens(cart, "2026-03-02T10:00", "A1", "same");
  const std::string before = encode(made.plan, state);
  EXPECT_EQ(happens(cart, "2026-03-02T11:00", "A1", "same"), Standing::Duplicate);
  EXPECT_EQ(encode(made.plan, state), before);
}

TEST_F(Cart, ALateCartAfterAKnownOrderSendsNothing) {
  happens(made.order, "2026-03-02T10:20", "A1");
  EXPECT_EQ(happens(cart, "2026-03-02T10:00", "A1"), Standing::Late);
  until("2026-03-03T00:00");
  EXPECT_THAT(done(), ElementsAre());
}

TEST_F(Cart, ALateCartWhoseDeadlineHasPassedIsActedOnNow) {
  happens(made.order, "2026-03-02T10:50", "B2");
  EXPECT_EQ(happens(cart, "2026-03-02T10:00", "A1"), Standing::Late);
  EXPECT_THAT(done(), ElementsAre("enter 03-02T10:50", "send wechat cart: A1 03-02T10:50"));
}

TEST_F(Cart, WhatIsLaterThanLatenessChangesNothingButARefusalHolds) {
  happens(made.order, "2026-03-02T12:00", "B2");
  const std::string before = encode(made.plan, state);
  EXPECT_EQ(happens(cart, "2026-03-02T10:59", "A1"), Standing::TooLate);
  EXPECT_EQ(encode(made.plan, state), before);

  Event refusal;
  refusal.id = "stop";
  refusal.type = type_of(EngineEvent::Unsubscribed);
  refusal.time = at_minute("2026-03-02T01:00");
  refusal.fields.resize(4);
  EXPECT_EQ(decide(made.plan, state, refusal, effects), Standing::TooLate);
  happens(cart, "2026-03-02T13:00", "A1");
  until("2026-03-02T13:30");
  EXPECT_THAT(done(), ElementsAre("enter 03-02T13:30", "refuse unsubscribed 03-02T13:30"));
}

TEST_F(Cart, WhatIsPassedOverIsRememberedAndARefusalInItHolds) {
  Event passed;
  passed.id = "B1";
  passed.type = made.order;
  passed.time = at_minute("2026-03-02T10:00");
  passed.fields = {Value::money(100), Value(), Value()};
  pass_over(made.plan, state, passed);
  EXPECT_EQ(decide(made.plan, state, passed, effects), Standing::Duplicate);

  Event refusal;
  refusal.id = "stop";
  refusal.type = type_of(EngineEvent::Unsubscribed);
  refusal.time = at_minute("2026-03-02T11:00");
  refusal.fields.resize(4);
  pass_over(made.plan, state, refusal);
  happens(cart, "2026-03-02T13:00", "A1");
  until("2026-03-02T13:30");
  EXPECT_THAT(done(), ElementsAre("enter 03-02T13:30", "refuse unsubscribed 03-02T13:30"));
}

TEST_F(Cart, TheSameInputsGiveTheSameBytesAndAStateReadBackGoesOnTheSame) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    State whole = state, broken = state;
    std::vector<Effect> from_whole, from_broken;
    std::mt19937_64 random(seed);
    Timestamp now = at_minute("2026-03-02T09:00");
    for (int i = 0; i < 120; ++i) {
      now = now + minutes(static_cast<std::int64_t>(random() % 200));
      Event event;
      event.id = "e" + std::to_string(random() % 100);
      event.type = random() % 3 ? cart : made.order;
      event.time =
          now - (random() % 4 ? Duration{} : minutes(static_cast<std::int64_t>(random() % 90)));
      event.fields = {Value::money(100), Value(),
                      Value::text(random() % 2 ? "A1" : "a longer stock keeping unit")};
      decide(made.plan, whole, event, from_whole);
      decide(made.plan, broken, event, from_broken);
      const std::string bytes = encode(made.plan, broken);
      auto read = decode(made.plan, bytes);
      ASSERT_TRUE(read) << read.error().what;
      broken = *std::move(read);
      ASSERT_EQ(encode(made.plan, broken), bytes);
      ASSERT_EQ(broken, whole);
    }
    ASSERT_EQ(from_whole.size(), from_broken.size());
    for (std::size_t i = 0; i < from_whole.size(); ++i)
      ASSERT_EQ(from_whole[i].key, from_broken[i].key);
  }
}

TEST_F(Cart, NoTwoEffectsShareAKey) {
  std::set<Hash128> keys;
  for (int day = 1; day <= 28; ++day) {
    const std::string date = "2026-03-" + std::string(day < 10 ? "0" : "") + std::to_string(day);
    happens(cart, (date + "T10:00").c_str(), day % 2 ? "A1" : "B2");
  }
  until("2026-04-30T00:00");
  ASSERT_GT(effects.size(), 20u);
  for (const Effect& effect : effects) EXPECT_TRUE(keys.insert(effect.key).second);
}

TEST_F(Cart, HostileBytesAreRefusedNotRead) {
  happens(cart, "2026-03-02T10:00", "A1");
  const std::string bytes = encode(made.plan, state);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    EXPECT_FALSE(decode(made.plan, std::string_view(bytes).substr(0, cut))) << cut;
  std::mt19937_64 random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string altered = bytes;
    altered[random() % altered.size()] = static_cast<char>(random());
    if (auto read = decode(made.plan, altered)) {  // whatever it is, the core can go on with it
      EXPECT_EQ(read->attributes.size(), made.plan.schema.attributes.size());
    }
  }
}

}  // namespace
}  // namespace koi::core
