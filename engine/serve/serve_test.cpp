// The door, the deliveries and the view of a customer, without network or disk where none is meant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/scratch.h"
#include "core/books.h"
#include "serve/customer_view.h"
#include "serve/deliveries.h"
#include "serve/detail/trial.h"
#include "serve/door.h"
#include "serve/figures.h"

namespace koi::serve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- What a body carries ------------------------------------------------------------------------

TEST(EventsOf, ABodyAreOneObjectAnArrayOrLines) {
  EXPECT_THAT(events_of("", false), IsEmpty());
  EXPECT_THAT(events_of(" \r\n", true), IsEmpty());
  EXPECT_THAT(events_of("[]", false), IsEmpty());
  EXPECT_THAT(events_of(" {\"a\":\n 1} ", false), ElementsAre("{\"a\":\n 1}"));
  EXPECT_THAT(events_of("[{\"a\":\"],}{\"}, {\"b\":[1,2]} ]", false),
              ElementsAre("{\"a\":\"],}{\"}", "{\"b\":[1,2]}"));
  EXPECT_THAT(events_of("{\"a\":1}\r\n\n{\"b\":\"\\\"\"}\n", false),
              ElementsAre("{\"a\":1}", "{\"b\":\"\\\"\"}"));
  EXPECT_THAT(events_of("[1]\n{\"b\":2}", true), ElementsAre("[1]", "{\"b\":2}"));
}

TEST(EventsOf, BrokenPiecesArePiecesAndNothingIsLost) {
  EXPECT_THAT(events_of("[{\"a\":1} x, {\"b\":2}", false),
              ElementsAre("{\"a\":1}", "x", "{\"b\":2}"));
  EXPECT_THAT(events_of("[,{}]", false), ElementsAre("", "{}"));
  EXPECT_THAT(events_of("[{}] more", false), ElementsAre("{}", "more"));
  EXPECT_THAT(events_of("[}", false), ElementsAre("}"));
  EXPECT_THAT(events_of("{\"a\":", false), ElementsAre("{\"a\":"));
  EXPECT_THAT(events_of("{\"a\":\n{\"b\":1}", true), ElementsAre("{\"a\":", "{\"b\":1}"));
}

TEST(EventsOf, HostileBytesEndAndStayWithinTheBody) {
  std::mt19937_64 chance(7);
  const std::string_view letters = "[]{},:\"\\ \n\ta1";
  for (int round = 0; round < 20'000; ++round) {
    std::string body(chance() % 40, ' ');
    for (char& c : body) c = letters[chance() % letters.size()];
    for (const bool is_lines : {false, true}) {
      for (const std::string_view event : events_of(body, is_lines)) {
        if (event.empty()) continue;
        EXPECT_GE(event.data(), body.data());
        EXPECT_LE(event.data() + event.size(), body.data() + body.size());
      }
    }
  }
}

// --- Deliveries ---------------------------------------------------------------------------------

// Campaign `thanks` writes on `app` and, by phone, on `sms`.
plan::Plan small_plan() {
  plan::Plan plan;
  plan.policy.zone = &utc();
  plan.schema.identifiers = {"phone"};
  plan.schema.events = engine_events();
  plan.schema.index();
  plan.schema.attributes.push_back({.symbol = {"city", ""}, .type = {.kind = Kind::Text}});
  plan.channels = {{.symbol = {"app", ""}}, {.symbol = {"sms", ""}}};
  plan.channels[1].reach_by = IdentifierId::of(0);
  plan.contents = {{"hello", ""}};
  plan::Campaign thanks;
  thanks.symbol = {"thanks", "致谢"};
  plan.campaigns = {thanks};
  return plan;
}

durable::Deed sent(int number, const std::string& customer, int channel) {
  durable::Deed deed;
  deed.position = static_cast<store::Position>(number);
  deed.partition = partition_of(customer);
  deed.customer = customer;
  core::Effect& effect = deed.effect;
  effect.time = noon;
  effect.campaign = plan::CampaignId::of(0);
  effect.action = core::Action::Send;
  effect.content = plan::ContentId::of(0);
  effect.channel = plan::ChannelId::of(static_cast<std::size_t>(channel));
  effect.key = {7, static_cast<std::uint64_t>(number)};
  effect.not_after = noon + hours(number);
  effect.text = std::make_unique<const core::Text>(
      core::Text{"title", "body \"" + std::to_string(number) + "\"", "", "+8613800138000"});
  return deed;
}
std::vector<durable::Deed> deeds(auto... each) {
  std::vector<durable::Deed> all;
  (all.push_back(std::move(each)), ...);
  return all;
}
std::vector<std::uint64_t> keys(Deliveries& deliveries) {
  std::vector<std::uint64_t> keys;
  const auto open = *deliveries.take_open();
  for (const auto& each : open) keys.push_back(each.send.delivery.key.low);
  return keys;
}
store::Group group_of(const std::string& customer) {
  return two_groups.group_of(partition_of(customer));
}

class DeliveriesTest : public ::testing::Test {
 protected:
  plan::Plan plan_ = small_plan();
  Deliveries deliveries_{plan_, two_groups};
  const std::string ann_ = "ann";
  const store::Group group_ = group_of("ann");
};

TEST_F(DeliveriesTest, StayOpenUntilTheirReceiptIsAnInput) {
  std::vector<std::uint64_t> handed;
  deliveries_.hand_over_to([&](const std::vector<runtime::Send>& sends) {
    for (const auto& send : sends) handed.push_back(send.delivery.key.low);
  });
  deliveries_.take(group_, deeds(sent(1, ann_, 0), sent(2, ann_, 1)));
  deliveries_.take(group_, deeds(sent(1, ann_, 0)));  // told again: it is the same
  EXPECT_THAT(handed, ElementsAre(1u, 2u));
  EXPECT_EQ(deliveries_.open(), 2u);
  deliveries_.settled(group_, {ann_, {{7, 1}, noon, Failure::None}});
  EXPECT_THAT(keys(deliveries_), ElementsAre(2u));
  deliveries_.settled(group_, {ann_, {{7, 1}, noon, Failure::None}});
  EXPECT_EQ(deliveries_.open(), 1u);
  const auto open = *deliveries_.take_open();
  const Delivery& delivery = open[0].send.delivery;
  EXPECT_EQ(delivery.addresses, (std::vector<Address>{{"phone", "+8613800138000"}}));
  EXPECT_EQ(delivery.channel + " " + delivery.campaign + " " + delivery.content,
            "sms thanks hello");
  EXPECT_EQ(delivery.not_after, noon + hours(2));
}

// Somebody of the other group than that customer.
std::string other_than(const std::string& customer) {
  for (int i = 0;; ++i)
    if (std::string id = "c" + std::to_string(i); group_of(id) != group_of(customer)) return id;
}

TEST_F(DeliveriesTest, WhatARefusalWithdrawsItWithdrawsUnderEveryIdAndInEveryGroup) {
  const std::string visitor = other_than(ann_), bob = visitor + " and another";
  deliveries_.take(group_, deeds(sent(1, ann_, 0), sent(2, ann_, 1)));
  deliveries_.take(group_of(visitor), deeds(sent(3, visitor, 0)));
  deliveries_.take(group_of(bob), deeds(sent(4, bob, 0)));
  core::State ann = core::new_customer(plan_, ann_);
  ann.same.push_back(visitor);
  ann.consents.push_back({plan::CampaignClass::Marketing, plan::ChannelId::of(0), false, noon});
  deliveries_.refused(group_, ann);
  EXPECT_FALSE(deliveries_.is_wanted({7, 1}));
  EXPECT_TRUE(deliveries_.is_wanted({7, 2})) << "on another channel";
  EXPECT_FALSE(deliveries_.is_wanted({7, 3})) << "of the other group";
  EXPECT_TRUE(deliveries_.is_wanted({7, 4})) << "somebody else's";
  Deliveries again(plan_, two_groups);
  ASSERT_TRUE(again.thaw(group_of(visitor), deliveries_.freeze(group_of(visitor))));
  EXPECT_FALSE(again.is_wanted({7, 3}));
}

TEST_F(DeliveriesTest, TellWhoHasTurnedOutToBeAnother) {
  const std::string visitor = other_than(ann_);
  durable::Deed merge;
  merge.partition = partition_of(ann_);
  merge.customer = ann_;
  merge.effect.time = noon;
  merge.effect.action = core::Action::Merge;
  merge.effect.value = Value::text(visitor);
  deliveries_.take(group_, deeds(std::move(merge)));
  const auto merged = deliveries_.take_merged();
  ASSERT_EQ(merged.size(), 1u);
  EXPECT_EQ(merged[0].gone + " is " + merged[0].stays, visitor + " is ann");
  EXPECT_TRUE(deliveries_.take_merged().empty());
  EXPECT_TRUE(deliveries_.figures().empty() || deliveries_.figures().at("thanks").sent == 0u);
}

TEST_F(DeliveriesTest, GoToTeamsAndWebhooksUntilTheirReceipt) {
  plan_.teams = {{"care", ""}};
  plan_.webhooks = {{"crm", ""}};
  plan_.campaigns[0].steps = {
      plan::Call{plan::WebhookId::of(0), {{"points", {}, {.kind = Kind::Int}}}}};
  Deliveries deliveries(plan_, two_groups);
  durable::Deed note = sent(1, ann_, 0), call = sent(2, ann_, 0);
  note.effect.action = core::Action::Notify;
  call.effect.action = core::Action::Call;
  note.effect.content = call.effect.content = {};
  note.effect.channel = call.effect.channel = {};
  note.effect.team = plan::TeamId::of(0);
  call.effect.webhook = plan::WebhookId::of(0);
  call.effect.text = nullptr;
  call.effect.fields.push_back(Value::integer(5));
  deliveries.take(group_, deeds(std::move(note), std::move(call)));
  Deliveries again(plan_, two_groups);
  ASSERT_TRUE(again.thaw(group_, deliveries.freeze(group_)));
  const auto open = *again.take_open();
  ASSERT_EQ(open.size(), 2u);
  const Delivery &to_team = open[0].send.delivery, &to_webhook = open[1].send.delivery;
  EXPECT_EQ(to_team.channel, "care");
  EXPECT_EQ(to_team.title, "致谢 ≤ 2026-03-02T13:00:00Z");
  EXPECT_EQ(to_team.body, "body \"1\"");
  EXPECT_EQ(to_team.not_after, Timestamp::never());
  EXPECT_EQ(to_webhook.channel, "crm");
  EXPECT_EQ(to_webhook.body, "{\"points\":5}");
  EXPECT_TRUE(again.without_channel(noon).empty());
  EXPECT_EQ(again.figures().at("thanks").notified, 1u);
  EXPECT_EQ(to_team.take_by, Timestamp::never()) << "there is no link to take it by";
  again.settled(group_, {ann_, {{7, 1}, noon, Failure::None}});
  EXPECT_THAT(keys(again), ElementsAre(2u));

  // Where links lead back here, it is to be taken by then.
  Deliveries with_links(plan_, two_groups, true);
  with_links.dress_with([](Delivery& delivery, Timestamp) { delivery.link = "dressed"; });
  std::vector<Delivery> handed;
  with_links.hand_over_to([&](const std::vector<runtime::Send>& sends) {
    for (const auto& send : sends) handed.push_back(send.delivery);
  });
  durable::Deed urgent = sent(1, ann_, 0), other = sent(2, ann_, 0);
  for (durable::Deed* const each : {&urgent, &other}) {
    each->effect.action = core::Action::Notify;
    each->effect.content = {};
    each->effect.channel = {};
    each->effect.team = plan::TeamId::of(0);
  }
  other.effect.not_after = Timestamp::never();
  with_links.take(group_, deeds(std::move(urgent), std::move(other)));
  ASSERT_EQ(handed.size(), 2u);
  EXPECT_EQ(handed[0].take_by, noon + hours(1));
  EXPECT_EQ(handed[0].link, "dressed");
  EXPECT_EQ(handed[1].take_by, Timestamp::never());
  EXPECT_EQ(handed[1].link, "");
  Deliveries thawed(plan_, two_groups, true);
  ASSERT_TRUE(thawed.thaw(group_, with_links.freeze(group_)));
  const auto kept = *thawed.take_open();
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].send.delivery.take_by, noon + hours(1));
  const store::SentName name = store::SentMessage{noon, {7, 1}, {}, {}, {}, {}, {}}.name();
  ASSERT_TRUE(with_links.unsaved(name));
  EXPECT_EQ(with_links.unsaved(name)->channel, "care");
  EXPECT_EQ(with_links.unsaved(name)->content, "");
}

TEST_F(DeliveriesTest, AreFrozenWithTheStatesAndThawedWhole) {
  deliveries_.take(group_, deeds(sent(9, ann_, 1), sent(3, ann_, 0), sent(5, ann_, 0)));
  deliveries_.attempted(group_, {7, 5});
  deliveries_.settled(group_, {ann_, {{7, 3}, noon, Failure::Unreachable}});
  const std::string frozen = deliveries_.freeze(group_);

  Deliveries again(plan_, two_groups);
  ASSERT_TRUE(again.thaw(group_, frozen));
  EXPECT_EQ(again.open(), 2u);
  const auto before = *deliveries_.take_open(), after = *again.take_open();
  ASSERT_EQ(after.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(after[i].send.delivery, before[i].send.delivery);
    EXPECT_EQ(after[i].send.position, before[i].send.position);
    EXPECT_EQ(after[i].attempted, i == 0);
  }
  EXPECT_EQ(again.figures().at("thanks").sent, 3u);
  EXPECT_EQ(again.freeze(group_), frozen);

  // What other rules have begun goes on under these, counted under its name.
  plan::Plan other = small_plan();
  other.campaigns[0].symbol.name = "others";
  Deliveries under_other(other, two_groups);
  ASSERT_TRUE(under_other.thaw(group_, frozen));
  EXPECT_EQ(under_other.open(), 2u);
  EXPECT_EQ(under_other.figures().at("thanks").sent, 3u);
  EXPECT_EQ(under_other.figures().at("others").sent, 0u);
}

TEST_F(DeliveriesTest, WhatWasSentIsSavedOnceWhateverItIsFrozenBetween) {
  const Scratch folder;
  auto directory = store::Directory::open(folder.path());
  auto stored = store::Sent::open(*directory);
  ASSERT_TRUE(stored);
  Deliveries keeping(plan_, two_groups, true);
  std::string linked;
  keeping.dress_with([](Delivery& delivery, Timestamp) { delivery.link = "dressed"; });
  keeping.hand_over_to([&](std::vector<runtime::Send> sends) { linked = sends[0].delivery.link; });
  keeping.take(group_, deeds(sent(1, ann_, 0)));
  EXPECT_EQ(linked, "dressed");
  const store::SentName name = store::SentMessage{noon, {7, 1}, {}, {}, {}, {}, {}}.name();
  ASSERT_TRUE(keeping.unsaved(name));
  EXPECT_EQ(keeping.unsaved(name)->link, "") << "what was decided stays as it is";

  Deliveries again(plan_, two_groups, true);  // a kill before it was saved
  ASSERT_TRUE(again.thaw(group_, keeping.freeze(group_)));
  ASSERT_TRUE(again.save(**stored));
  EXPECT_FALSE(again.unsaved(name));
  const auto found = (*stored)->find(name);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->customer, ann_);
  EXPECT_EQ((*found)->content, "hello");
  ASSERT_TRUE(deliveries_.thaw(group_, again.freeze(group_)));
  EXPECT_FALSE(deliveries_.unsaved(name)) << "it is saved already";
}

TEST_F(DeliveriesTest, AreNotWantedOnceTheCustomerHasRefusedThemOverAStart) {
  deliveries_.take(group_, deeds(sent(1, ann_, 0), sent(2, ann_, 1)));
  core::State ann = core::new_customer(plan_, ann_), bob = core::new_customer(plan_, "bob");
  ann.consents = {{plan::CampaignClass::Marketing, plan::ChannelId::of(1), false, noon}};
  bob.consents = {{plan::CampaignClass::Marketing, plan::ChannelId::none(), false, noon}};
  deliveries_.refused(group_, bob);
  EXPECT_TRUE(deliveries_.is_wanted({7, 1}) && deliveries_.is_wanted({7, 2}));
  deliveries_.refused(group_, ann);
  Deliveries again(plan_, two_groups);
  ASSERT_TRUE(again.thaw(group_, deliveries_.freeze(group_)));
  for (const Deliveries* each : {&deliveries_, &again}) {
    EXPECT_TRUE(each->is_wanted({7, 1}));  // on the other channel
    EXPECT_FALSE(each->is_wanted({7, 2}));
    EXPECT_EQ(each->open(), 2u);  // until the receipt that says so is an input
  }
  durable::Deed of_the_same_batch = sent(3, ann_, 1);
  of_the_same_batch.wanted = false;
  deliveries_.take(group_, deeds(std::move(of_the_same_batch)));
  EXPECT_FALSE(deliveries_.is_wanted({7, 3}));
  plan_.campaigns[0].campaign_class = plan::CampaignClass::Transactional;
  Deliveries transactional(plan_, two_groups);
  transactional.take(group_, deeds(sent(2, ann_, 1)));
  transactional.refused(group_, ann);
  EXPECT_TRUE(transactional.is_wanted({7, 2}));
}

TEST_F(DeliveriesTest, OfAChannelThatIsGoneHaveFailed) {
  deliveries_.take(group_, deeds(sent(1, ann_, 0), sent(2, ann_, 1)));
  plan::Plan other = small_plan();
  other.channels.pop_back();
  Deliveries under_other(other, two_groups);
  ASSERT_TRUE(under_other.thaw(group_, deliveries_.freeze(group_)));
  EXPECT_THAT(keys(under_other), ElementsAre(1u));
  const auto failed = under_other.without_channel(noon);
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].receipt.key.low, 2u);
  EXPECT_EQ(failed[0].receipt.failure, Failure::Failed);
}

TEST_F(DeliveriesTest, FrozenBytesThatWereDamagedAreRefusedOrHarmless) {
  deliveries_.take(group_, deeds(sent(1, ann_, 1), sent(2, ann_, 0)));
  const std::string frozen = deliveries_.freeze(group_);
  std::mt19937_64 chance(3);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = frozen.substr(0, round % 3 == 0 ? chance() % frozen.size() : frozen.size());
    if (round % 3 != 0) bytes[chance() % bytes.size()] = static_cast<char>(chance());
    Deliveries thawed(plan_, two_groups);
    refused += !thawed.thaw(group_, bytes);
  }
  EXPECT_GT(refused, 1000);
}

TEST_F(DeliveriesTest, AttemptsAreInputsBeforeTheyAreMade) {
  std::vector<durable::Given> inputs;
  std::function<void(Result<void>)> durable_now;
  deliveries_.submit_with([&](durable::Given input, std::function<void(Result<void>)> done) {
    inputs.push_back(std::move(input));
    durable_now = std::move(done);
    return Result<void>();
  });
  deliveries_.take(group_, deeds(sent(1, ann_, 0)));
  std::vector<std::string> heard;
  const auto hear = [&](const Result<void>& done) {
    heard.push_back(done ? "go" : done.error().code);
  };
  deliveries_.attempting({7, 1}, 1, hear);
  EXPECT_THAT(heard, IsEmpty());
  ASSERT_EQ(inputs.size(), 1u);
  EXPECT_EQ(std::get<durable::AttemptFor>(inputs[0]), (durable::AttemptFor{ann_, {7, 1}}));
  durable_now({});
  deliveries_.attempting({7, 99}, 1, hear);
  EXPECT_THAT(heard, ElementsAre("go", "settled"));
}

TEST_F(DeliveriesTest, TellTheTimelineOnceWhateverItIsFrozenBetween) {
  const Scratch scratch;
  const auto directory = *store::Directory::open(scratch.path());
  const auto timeline = *store::Timeline::open(directory);
  deliveries_.take(group_, deeds(sent(1, ann_, 0)));
  const std::string untold = deliveries_.freeze(group_);
  ASSERT_TRUE(deliveries_.tell(*timeline));
  deliveries_.settled(group_, {ann_, {{7, 1}, noon + minutes(1), Failure::Quota}});

  Deliveries after_crash(plan_, two_groups);
  ASSERT_TRUE(after_crash.thaw(group_, untold));
  after_crash.settled(group_, {ann_, {{7, 1}, noon + minutes(1), Failure::Quota}});
  ASSERT_TRUE(after_crash.tell(*timeline));
  ASSERT_TRUE(deliveries_.tell(*timeline));
  const auto lines = *timeline->of(ann_, 10);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], HasSubstr(R"("action":"failed","name":"hello","channel":"app")"));
  EXPECT_THAT(lines[0], HasSubstr(R"("reason":"quota")"));
  EXPECT_THAT(lines[1], HasSubstr(R"("action":"send")"));
}

TEST_F(DeliveriesTest, TellTheTimelineWhatAnInputWaitsForAndSinceWhenItHad) {
  const Scratch scratch;
  const auto timeline = *store::Timeline::open(*store::Directory::open(scratch.path()));
  Event event;
  event.id = "e1";
  const durable::Given given(event);
  const core::Lack lack{.account = core::books::key_of_stocked("codes.csv"), .want = 1};
  durable::Pause pause{.customer = ann_,
                       .number = 1,
                       .position = 12,
                       .stamp = noon,
                       .since = noon,
                       .given = &given,
                       .lacks = std::span(&lack, 1)};
  deliveries_.waits(group_, pause);
  deliveries_.waits(group_, pause);  // once more, by a recovery
  pause.lacks = {};
  pause.number = 2;
  deliveries_.waits(group_, pause);  // behind it
  auto decided = deeds(sent(1, ann_, 0));
  decided.front().waited = 1;
  decided.front().waited_since = noon;
  deliveries_.take(group_, std::move(decided));
  ASSERT_TRUE(deliveries_.tell(*timeline));
  const auto lines = *timeline->of(ann_, 10);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines, testing::Contains(AllOf(HasSubstr(R"("action":"wait","event":"e1")"),
                                             HasSubstr(R"("for":["the pool `codes.csv`"]})"))));
  EXPECT_THAT(lines, testing::Contains(AllOf(HasSubstr(R"("action":"send")"),
                                             HasSubstr(R"(,"waited_since":"2026-)"))));
}

// --- What is shown ------------------------------------------------------------------------------

TEST(CustomerView, IsJsonWithEverythingUnderTheRulesNames) {
  const plan::Plan plan = small_plan();
  core::State state = core::new_customer(plan, "a \"b\"");
  state.created = noon;
  state.attributes[0] = Value::text("杭州");
  state.identifiers = {{IdentifierId::of(0), "+86138"}};
  state.consents = {{plan::CampaignClass::Marketing, plan::ChannelId::of(1), false, noon}};
  const std::vector<std::string> timeline = {R"({"action":"send"})"};
  EXPECT_EQ(
      customer_view(plan, state, noon, timeline),
      R"({"id":"a \"b\"","created":"2026-03-02T12:00:00Z","identifiers":[{"kind":"phone","value":"+86138"}],)"
      R"("attributes":{"city":"杭州"},"consents":[{"purpose":"marketing","channel":"sms","granted":false,"at":"2026-03-02T12:00:00Z"}],)"
      R"("metrics":{},"segments":[],"journeys":[],"timeline":[{"action":"send"}]})");
}

TEST(CampaignsJson, HasEveryCampaignOfTheRulesWithItsFigures) {
  const plan::Plan plan = small_plan();
  runtime::CampaignFigures figures;
  figures.entered = 3;
  figures.refused[static_cast<std::size_t>(core::Reason::Cap)] = 2;
  EXPECT_EQ(
      campaigns_json(plan, "abc", {{"thanks", figures}, {"gone", {}}}, {}),
      R"({"rules":"abc","campaigns":[{"name":"thanks","alias":"致谢","class":"marketing","priority":50,)"
      R"("entered":3,"left":0,"goals":0,"sent":0,"set":0,"tagged":0,"emitted":0,"notified":0,"called":0,)"
      R"("started":0,"given":0,"taken":0,"spent":"0.00","refused":{"cap":2}}],"referrals":[]})"
      "\n");
}

}  // namespace
}  // namespace koi::serve
