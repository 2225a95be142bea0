// What the rules of docs/language.md promise and a .koi file cannot say: repeated ids, states that
// go on under another program, the same bytes from the same inputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "core/codec.h"
#include "event.h"
#include "program.h"
#include "sim/world.h"

namespace koi {
namespace {

using core::Action;
using core::Reason;
using core::Standing;
using sim::Done;
using sim::World;

// An effect as text: all of it, so that equal texts are equal effects.
std::string text_of(const plan::Plan& plan, const Done& done) {
  const core::Effect& e = done.effect;
  std::string text = to_string(e.time, utc()) + " " + done.customer + " " +
                     plan.campaigns[e.campaign.index()].symbol.name + " ";
  text.append(core::name_of(e.action)).append(" ").append(core::name_of(e.of)).append(" ");
  text.append(core::name_of(e.reason)).append(" ");
  text += std::to_string(e.content.index()) + " " + std::to_string(e.channel.index()) + " " +
          std::to_string(e.attribute.index()) + " " + to_hex(e.entry) + " " + to_hex(e.key) + " " +
          std::to_string(e.not_after.us) + " " + std::to_string(e.arm.value);
  if (e.value.kind() == Kind::Text) text.append(" ").append(e.value.as_text());
  if (e.text) text += " " + e.text->title + "|" + e.text->body + "|" + e.text->link;
  return text;
}

std::size_t count(const World& world, Action action) {
  std::size_t n = 0;
  for (const Done& done : world.done()) n += done.effect.action == action ? 1 : 0;
  return n;
}

constexpr const char* small_shop = R"(
policy { time zone "Asia/Shanghai"  currency CNY }
channel push { class direct }
channel mail { class direct }
event visit {}
event cart { sku: text }
event purchase { sku: text }
content hello { body "hello" }
content third { body "the third" }
metric visits = count visit
campaign greet { class service  enter always  when visit  send hello via push }
campaign thrice { class service  enter always  when visits reaches 3  send third via push }
campaign cart_rescue {
  class service
  enter always
  goal purchase within 3 days
  when cart as c and no purchase where sku == c.sku within 30 minutes
    send hello via push, else mail within 2 hours
    wait 1 day
    send third via push
}
)";

// --- Rule 3 -------------------------------------------------------------------------------------

TEST(Rule3, ARepeatedIdChangesNothing) {
  const plan::Plan plan = plan_of(small_shop);
  World world(plan);
  EXPECT_EQ(world.happen(event(plan, "e1", "visit", at("2026-03-02T10:00"), "ann")),
            Standing::Applied);
  const std::string before = core::encode(plan, world.customer("ann"));
  const std::size_t done = world.done().size();
  EXPECT_EQ(world.happen(event(plan, "e1", "visit", at("2026-03-02T10:00"), "ann")),
            Standing::Duplicate);
  EXPECT_EQ(core::encode(plan, world.customer("ann")), before);
  EXPECT_EQ(world.done().size(), done);
}

TEST(Rule3, ARepeatedIdChangesNothingThoughTheEventSaysSomethingElse) {
  const plan::Plan plan = plan_of(small_shop);
  World world(plan);
  world.happen(event(plan, "e1", "visit", at("2026-03-02T10:00"), "ann"));
  const std::size_t done = world.done().size();
  EXPECT_EQ(world.happen(event(plan, "e1", "cart", at("2026-03-02T10:05"), "ann",
                               {{"sku", Value::text("A1")}})),
            Standing::Duplicate);
  world.run_to(at("2026-03-05T10:00"), true);
  EXPECT_EQ(world.done().size(), done);
}

TEST(Rule3, ARepeatedIdIsKnownThroughoutTheHorizon) {
  const plan::Plan plan = plan_of(small_shop);
  World world(plan);
  world.happen(event(plan, "e1", "visit", at("2026-03-02T10:00"), "ann"));
  world.happen(event(plan, "e2", "visit", at("2026-03-05T10:00"), "ann"));
  world.happen(
      event(plan, "e3", "cart", at("2026-03-09T09:00"), "ann", {{"sku", Value::text("A1")}}));
  EXPECT_EQ(world.happen(event(plan, "e1", "visit", at("2026-03-09T09:59"), "ann")),
            Standing::Duplicate);
  EXPECT_EQ(world.happen(event(plan, "e2", "visit", at("2026-03-09T09:59"), "ann")),
            Standing::Duplicate);
}

TEST(Rule3, ARepeatedIdThatComesLateIsADuplicateToo) {
  const plan::Plan plan = plan_of(small_shop);
  World world(plan);
  world.happen(event(plan, "e1", "visit", at("2026-03-02T10:00"), "ann"));
  world.happen(event(plan, "e2", "visit", at("2026-03-02T10:30"), "ann"));
  EXPECT_EQ(world.happen(event(plan, "e1", "visit", at("2026-03-02T10:00"), "ann")),
            Standing::Duplicate);
  EXPECT_EQ(count(world, Action::Send), 2u);
}

TEST(Rule3, TheSameIdOfAnotherCustomerIsAnotherEvent) {
  const plan::Plan plan = plan_of(small_shop);
  World world(plan);
  world.happen(event(plan, "e1", "visit", at("2026-03-02T10:00"), "ann"));
  EXPECT_EQ(world.happen(event(plan, "e1", "visit", at("2026-03-02T10:00"), "bob")),
            Standing::Applied);
  EXPECT_EQ(count(world, Action::Send), 2u);
}

TEST(Rule3, ARepetitionDoesNotRaiseAMetric) {
  const plan::Plan plan = plan_of(small_shop);
  World world(plan);
  for (const char* id : {"e1", "e2", "e2", "e1", "e2"})
    world.happen(event(plan, id, "visit", at("2026-03-02T10:00"), "ann"));
  for (const Done& done : world.done())
    EXPECT_NE(plan.campaigns[done.effect.campaign.index()].symbol.name, "thrice");
  world.happen(event(plan, "e3", "visit", at("2026-03-02T10:00"), "ann"));
  EXPECT_EQ(plan.campaigns[world.done().back().effect.campaign.index()].symbol.name, "thrice");
}

// --- Rules 4 and 5: how often -------------------------------------------------------------------

TEST(Rule4, AGoalCountsOnceAnEntry) {
  const plan::Plan plan = plan_of(small_shop);
  World world(plan);
  world.happen(
      event(plan, "e1", "cart", at("2026-03-02T10:00"), "ann", {{"sku", Value::text("A1")}}));
  world.run_to(at("2026-03-02T10:30"), true);
  for (const char* id : {"p1", "p2", "p3"})
    world.happen(
        event(plan, id, "purchase", at("2026-03-02T11:00"), "ann", {{"sku", Value::text("B2")}}));
  EXPECT_EQ(count(world, Action::Goal), 1u);
}

TEST(Rule5, AStepRefusedOnEveryChannelIsOneRefusal) {
  const plan::Plan plan = plan_of(small_shop);
  World world(plan);
  world.fail(plan::ChannelId::of(0), Failure::Unreachable);
  world.fail(plan::ChannelId::of(1), Failure::Quota);
  world.happen(
      event(plan, "e1", "cart", at("2026-03-02T10:00"), "ann", {{"sku", Value::text("A1")}}));
  world.run_to(at("2026-03-02T10:30"), true);
  EXPECT_EQ(count(world, Action::Refuse), 1u);
  EXPECT_EQ(world.done().back().effect.reason, Reason::Unreachable);
}

// --- Rule 7 -------------------------------------------------------------------------------------

// A state of `before` as a program that has changed finds it.
void move(const plan::Plan& from, World& before, const plan::Plan& to, World& after,
          std::string_view id) {
  auto state = core::decode(to, core::encode(from, before.customer(id)));
  ASSERT_TRUE(state.has_value());
  after.run_to(before.clock(), false);
  after.customer(id) = *std::move(state);
}

TEST(Rule7, WhoIsUnderWayGoesOnThoughOtherCampaignsCameBeforeHis) {
  const plan::Plan before = plan_of(small_shop);
  const plan::Plan after = plan_of(std::string(small_shop) + R"(
    event wave {}
    metric waves = count wave over 3 days
    segment waver when waves >= 1
    campaign a_first { class service  enter always  priority 90  when wave  send third via mail }
  )");
  World old_world(before), world(after);
  old_world.happen(
      event(before, "e1", "cart", at("2026-03-02T10:00"), "ann", {{"sku", Value::text("A1")}}));
  old_world.run_to(at("2026-03-02T10:30"), true);
  ASSERT_EQ(count(old_world, Action::Send), 1u);

  move(before, old_world, after, world, "ann");
  world.run_to(at("2026-03-03T10:29"), true);
  EXPECT_TRUE(world.done().empty());
  world.run_to(at("2026-03-03T10:30"), true);
  ASSERT_EQ(count(world, Action::Send), 1u);
  EXPECT_EQ(world.done().back().effect.text->body, "the third");
}

TEST(Rule7, WhoIsInATriggersPartsGoesOnToo) {
  const plan::Plan before = plan_of(small_shop);
  const plan::Plan after =
      plan_of(std::string(small_shop) +
              "event wave {}\ncampaign a_first { class service  enter always  priority 90 "
              " when wave  send third via mail }");
  World old_world(before), world(after);
  old_world.happen(
      event(before, "e1", "cart", at("2026-03-02T10:00"), "ann", {{"sku", Value::text("A1")}}));
  move(before, old_world, after, world, "ann");
  world.happen(
      event(after, "p1", "purchase", at("2026-03-02T10:10"), "ann", {{"sku", Value::text("B2")}}));
  world.run_to(at("2026-03-02T10:29"), true);
  EXPECT_TRUE(world.done().empty());
  world.run_to(at("2026-03-02T10:30"), true);
  EXPECT_EQ(count(world, Action::Send), 1u);
}

TEST(Rule7, AWaitThatATriggersPartsEndedStaysEnded) {
  const plan::Plan before = plan_of(small_shop);
  const plan::Plan after = plan_of(std::string(small_shop) + "event wave {}");
  World old_world(before), world(after);
  old_world.happen(
      event(before, "e1", "cart", at("2026-03-02T10:00"), "ann", {{"sku", Value::text("A1")}}));
  old_world.happen(
      event(before, "p1", "purchase", at("2026-03-02T10:10"), "ann", {{"sku", Value::text("A1")}}));
  move(before, old_world, after, world, "ann");
  world.run_to(at("2026-03-05T10:30"), true);
  EXPECT_TRUE(world.done().empty());
}

TEST(Rule7, TheGateAsksTheNewestPolicy) {
  const plan::Plan before = plan_of(small_shop);
  std::string changed = small_shop;
  changed.replace(changed.find("currency CNY"), 12,
                  "currency CNY  quiet hours 09:00 to 12:00 drop");
  const plan::Plan after = plan_of(changed);
  World old_world(before), world(after);
  old_world.happen(
      event(before, "e1", "cart", at("2026-03-02T10:00"), "ann", {{"sku", Value::text("A1")}}));
  old_world.run_to(at("2026-03-02T10:30"), true);
  move(before, old_world, after, world, "ann");
  world.run_to(at("2026-03-03T10:30"), true);
  ASSERT_EQ(world.done().size(), 1u);
  EXPECT_EQ(world.done()[0].effect.reason, Reason::QuietHours);
}

TEST(Rule7, AMetricKeepsItsPastUnderAnotherName) {
  const plan::Plan before = plan_of(small_shop);
  std::string changed = small_shop;
  changed.replace(changed.find("metric visits ="), 15, "metric all_visits =");
  changed.replace(changed.find("when visits reaches"), 19, "when all_visits reaches");
  const plan::Plan after = plan_of(changed);
  World old_world(before), world(after);
  old_world.happen(event(before, "e1", "visit", at("2026-03-02T10:00"), "ann"));
  old_world.happen(event(before, "e2", "visit", at("2026-03-02T10:01"), "ann"));
  move(before, old_world, after, world, "ann");
  world.happen(event(after, "e3", "visit", at("2026-03-02T10:02"), "ann"));
  EXPECT_EQ(count(world, Action::Send), 2u);  // greet, and the third
}

// --- Rule 8: the same inputs, the same bytes ----------------------------------------------------

constexpr const char* busy_shop = R"(
policy {
  time zone "Asia/Shanghai"
  currency CNY
  quiet hours 22:00 to 08:00 delay
  cap marketing 2 per day, 6 per week
  cap sms 1 per calendar day
  consent required for marketing
  lateness 2 hours
}
customer {
  name: text?
  city: text = "somewhere in the wide world"
  followers: int = 0
  identify by wechat_openid
  on register set name = register.name, followers = register.followers
}
channel wechat { class conversation  reach by wechat_openid }
channel sms    { class direct }
channel push   { class direct }
event register { name: text?  followers: int = 0 }
event visit    { page: text }
event cart     { sku: text  price: money }
event purchase { sku: text  amount: money }
event quit     {}

metric spend    = sum purchase.amount over 3 days
metric visits   = count visit this day
metric pages    = distinct visit.page
metric biggest  = max purchase.amount over 2 days
metric usual    = most frequent visit.page over 1 day
metric streak_v = streak of days with visit
segment buyer   when ever purchase
segment big     when spend >= ¥100.00
segment asleep  when time since last visit > 1 day
segment keen    when (visits >= 3 and pages >= 2) or in big

content reminder { title "{cart.sku}" body "{cart.price}, {customer.name or "friend"}" }
content hello    { body "hello {customer.name}" }
content miss_you { body "{hours(time since last visit)} hours, mostly {usual or "nowhere"}" for sms { body "come back" } }
content thanks   { body "{spend}" }

campaign cart_rescue {
  class marketing
  enter once per cart.sku every 1 day
  hold out 20%
  goal purchase where sku == cart.sku within 2 days
  leave when purchase where sku == cart.sku
  when cart and no purchase where sku == cart.sku within 30 minutes
    send reminder via wechat, else sms within 1 day
    wait 6 hours
    send reminder via push or wait up to 1 day
}
campaign welcome {
  class service
  enter once
  when register
    send hello via wechat, else push
    wait for purchase as p up to 1 day {
      if p.amount >= ¥50.00 { set customer.stage = "big" } else { send thanks via push }
    } else {
      wait until 10:00
      send miss_you via sms, else wechat
    }
}
campaign wake { class marketing  enter once every 2 days  leave when quit  when enters asleep  send miss_you via sms, else push }
campaign keen_ones { class service  enter always  priority 70  when enters keen  when leaves keen  send thanks via push }
campaign pair { class marketing  enter always  when visit as v then cart without quit within 2 hours  send thanks via push }
campaign every_morning { class service  enter always  priority 50  every day at 09:00 for buyer  send thanks via sms }
campaign reach { class service  enter always  when spend reaches ¥200.00  set customer.stage = "gold" }
campaign failures { class service  enter once every 1 hour  when failed  send thanks via push }

team care
webhook crm
event tired { page: text  times: int = 1 }
segment watched when customer.tags contains "watched" and visits >= 1
campaign acts {
  class service
  enter always
  hold out 10%
  goal purchase within 1 day
  leave when quit
  from 2026-03-03 to 2026-03-09
  when visit as v
    split {
      40% "often" { repeat every 3 hours at most 4 times { tag "watched"  send hello via push } }
      40% "twice" { repeat every 1 day at most 2 times { wait for visit up to 30 hours  untag "watched" } }
      20% {}
    }
    choose first {
      when watched { emit tired { page: v.page } }
      when in big { start calmed }
      else { notify care "{customer.id}: {v.page}" within 15 minutes }
    }
    call crm { page: v.page  spend: spend  tags: length(v.page) }
}
campaign calmed { class service  enter once every 1 day  when called  when tired where times >= 1  set customer.stage = "calm" }
campaign watched_ones { class service  enter always  when enters watched  when leaves watched  send thanks via push }
)";
// Where customers are compared with one another.
const std::string ranks = R"(
tier by_spend by spend refreshed every day at 03:00 { gold: top 40%  others: the rest }
campaign golden { class service  enter always  when enters by_spend.gold  send thanks via push }
)";

// A random history of three customers over a week: mostly forward, sometimes late (within lateness
// and beyond it), sometimes a repetition, with consents, refusals and events of one instant.
std::vector<Event> history(const plan::Plan& plan, std::uint64_t seed, std::size_t length) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  const std::vector<std::string> customers{"ann", "bob", "小安"};
  const std::vector<std::string> words{"A1", "B2",
                                       "a product with a name longer than fourteen bytes"};
  std::vector<Event> events;
  Timestamp clock = at("2026-03-02T06:00");
  for (std::size_t i = 0; i < length; ++i) {
    if (!events.empty() && below(12) == 0) {
      events.push_back(events[static_cast<std::size_t>(below(events.size()))]);
      continue;
    }
    if (below(6) != 0)
      clock = clock + (below(3) == 0 ? minutes(10 * below(200)) : seconds(below(4000)));
    const Timestamp time = below(5) == 0 ? clock - minutes(below(180)) : clock;
    const std::string& word = words[static_cast<std::size_t>(below(words.size()))];
    const Value money = Value::money(below(15'000));
    const std::string id = "e" + std::to_string(i);
    const std::string& who = customers[static_cast<std::size_t>(below(customers.size()))];
    switch (below(9)) {
      case 0:
        events.push_back(
            event(plan, id, "register", time, who,
                  {{"name", Value::text(word)}, {"followers", Value::integer(below(9))}}));
        if (below(2) == 0)
          events.back().identifiers.push_back(
              {plan.schema.find_identifier("wechat_openid"), "o" + who});
        break;
      case 1:
      case 2:
      case 3:
        events.push_back(event(plan, id, "visit", time, who, {{"page", Value::text(word)}}));
        break;
      case 4:
      case 5:
        events.push_back(
            event(plan, id, "cart", time, who, {{"sku", Value::text(word)}, {"price", money}}));
        break;
      case 6:
        events.push_back(event(plan, id, "purchase", time, who,
                               {{"sku", Value::text(word)}, {"amount", money}}));
        break;
      case 7:
        events.push_back(
            event(plan, id, "consented", time, who, {{"purpose", Value::text("marketing")}}));
        break;
      case 8:
        events.push_back(event(plan, id, below(4) == 0 ? "unsubscribed" : "quit", time, who));
        break;
    }
  }
  return events;
}

// How a world came through a history.
struct Outcome {
  std::vector<std::string> effects;
  std::map<std::string, std::string> states;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

enum class Interruption { None, WriteAndReadBack };

Outcome run(const plan::Plan& plan, const std::vector<Event>& events, std::uint64_t seed,
            Interruption interruption = Interruption::None, const match::Index* index = nullptr) {
  World world(plan, index);
  std::mt19937_64 random(seed);
  if (random() % 2 == 0) world.fail(plan::ChannelId::of(random() % 3), Failure::Unreachable);
  for (const Event& each : events) {
    world.happen(each);
    if (interruption == Interruption::None) continue;
    core::State& state = world.customer(each.customer);
    const std::string bytes = core::encode(plan, state);
    auto read = core::decode(plan, bytes);
    EXPECT_TRUE(read.has_value());
    if (!read) return {};
    EXPECT_EQ(core::encode(plan, *read), bytes);
    state = *std::move(read);
  }
  world.run_to(world.clock() + days(8), true);
  EXPECT_FALSE(world.fault());
  Outcome outcome;
  for (const Done& done : world.done()) outcome.effects.push_back(text_of(plan, done));
  for (const auto& [id, state] : world.customers()) outcome.states[id] = core::encode(plan, state);
  return outcome;
}

constexpr std::uint64_t seeds = 150;

TEST(Rule8, TheSameInputsGiveTheSameBytes) {
  const plan::Plan plan = plan_of(busy_shop + ranks);
  const plan::Plan again = plan_of(busy_shop + ranks);
  std::size_t effects = 0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto events = history(plan, seed, 120);
    const Outcome outcome = run(plan, events, seed);
    ASSERT_EQ(run(again, events, seed), outcome);
    effects += outcome.effects.size();
  }
  EXPECT_GT(effects, 50 * seeds) << "the histories do too little to prove anything";
}

TEST(Rule8, AStateWrittenAndReadBackGoesOnAsIfNothingHadBeen) {
  const plan::Plan plan = plan_of(busy_shop + ranks);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto events = history(plan, seed, 120);
    ASSERT_EQ(run(plan, events, seed, Interruption::WriteAndReadBack), run(plan, events, seed));
  }
}

TEST(Rule8, TheIndexChangesNothingOfWhatIsDecided) {
  const plan::Plan plan = plan_of(busy_shop + ranks);
  const match::Index index = match::Index::build(plan);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto events = history(plan, seed, 120);
    ASSERT_EQ(run(plan, events, seed, Interruption::None, &index), run(plan, events, seed));
  }
}

TEST(Rule8, HoldOutIsTheSameAtEveryEntryAndAboutItsShare) {
  const plan::Plan plan = plan_of(R"(
    policy { time zone "Asia/Shanghai"  currency CNY }
    channel push { class direct }
    event visit {}
    content hello { body "hello" }
    campaign some { class service  enter always  hold out 10%  when visit  send hello via push }
    campaign others { class service  enter always  hold out 10%  when visit  send hello via push }
  )");
  std::map<std::string, std::size_t> held;  // by campaign
  std::size_t both = 0;
  const std::size_t customers = 4000;
  for (std::size_t i = 0; i < customers; ++i) {
    World world(plan);
    const std::string id = "c" + std::to_string(i);
    for (int entry = 0; entry < 3; ++entry)
      world.happen(event(plan, "e" + std::to_string(entry), "visit",
                         at("2026-03-02T10:00") + hours(entry), id));
    std::map<std::string, std::size_t> refused;
    for (const Done& done : world.done())
      if (done.effect.reason == Reason::HoldOut)
        ++refused[plan.campaigns[done.effect.campaign.index()].symbol.name];
    for (const auto& [name, times] : refused) {
      ASSERT_EQ(times, 3u) << id << " is held out of " << name
                           << " at some entries and not at others";
      ++held[name];
    }
    if (refused.size() == 2) ++both;
  }
  // Five standard deviations of a binomial (n = 4000, p = 0.1: 19): 400 ± 95; both: 40 ± 32.
  EXPECT_NEAR(static_cast<double>(held["some"]), 400, 95);
  EXPECT_NEAR(static_cast<double>(held["others"]), 400, 95);
  EXPECT_NEAR(static_cast<double>(both), 40, 32) << "two campaigns hold out the same customers";
}

TEST(Rule8, AnArmIsTheSameAtEveryEntryAndAboutItsShareWhateverElseIsChosen) {
  const plan::Plan plan = plan_of(R"(
    policy { time zone "Asia/Shanghai"  currency CNY }
    channel push { class direct }
    event visit {}
    content hello { body "hello" }
    campaign some {
      class service
      enter always
      hold out 50%
      when visit
        split { 10% "a" {} 60% "b" {} 30% "c" {} }
        split { 50% "d" {} 50% "e" {} }
    }
  )");
  std::map<std::string, std::size_t> took;
  std::size_t customers = 0, b_and_d = 0;
  for (std::size_t i = 0; i < 4000; ++i) {
    World world(plan);
    const std::string id = "c" + std::to_string(i);
    for (int entry = 0; entry < 3; ++entry)
      world.happen(event(plan, "e" + std::to_string(entry), "visit",
                         at("2026-03-02T10:00") + hours(entry), id));
    std::map<std::string, std::size_t> arms;
    for (const Done& done : world.done())
      if (done.effect.action == Action::Split)
        ++arms[plan.campaigns[0].arms[done.effect.arm.index()].name];
    if (arms.empty()) continue;  // held out: he takes an arm, and nobody counts him
    ++customers;
    ASSERT_EQ(arms.size(), 2u) << id << " took another arm at another entry";
    for (const auto& [name, times] : arms) {
      ASSERT_EQ(times, 3u);
      ++took[name];
    }
    b_and_d += arms.contains("b") && arms.contains("d") ? 1 : 0;
  }
  // Five standard deviations of a binomial, at n of about 2000: at most 112.
  const auto n = static_cast<double>(customers);
  EXPECT_NEAR(n, 2000, 160);
  EXPECT_NEAR(static_cast<double>(took["a"]), 0.1 * n, 68);
  EXPECT_NEAR(static_cast<double>(took["b"]), 0.6 * n, 110);
  EXPECT_NEAR(static_cast<double>(took["d"]), 0.5 * n, 112);
  EXPECT_NEAR(static_cast<double>(b_and_d), 0.3 * n, 103) << "one split's arms follow the other's";
}

TEST(Texts, AreInTheCustomersLanguageForTheChannelOrElseAsForEverybody) {
  const plan::Plan plan = plan_of(R"(
    policy { time zone "Asia/Shanghai"  currency CNY }
    channel push { class direct }
    channel sms { class direct }
    event visit {}
    content hello {
      title "t"  body "b"  link "https://example.com"
      for sms { body "b sms" }
      language "zh" { body "b zh" }
      language "pt-BR" { title "t pt"  for sms { body "b pt sms" } }
    }
    campaign greets { class service  enter always  when visit  send hello via push  send hello via sms }
  )");
  const auto texts = [&](const char* language) {
    World world(plan);
    world.customer("ann").attributes[language_attribute.index()] = Value::text(language);
    world.happen(event(plan, "e", "visit", at("2026-03-02T10:00"), "ann"));
    std::string all;
    for (const Done& done : world.done())
      if (done.effect.text) all += done.effect.text->title + "/" + done.effect.text->body + " ";
    return all;
  };
  EXPECT_EQ(texts(""), "t/b t/b sms ");
  EXPECT_EQ(texts("de"), "t/b t/b sms ");
  EXPECT_EQ(texts("zh"), "t/b zh t/b zh ");
  EXPECT_EQ(texts("zh-Hant-TW"), "t/b zh t/b zh ");
  EXPECT_EQ(texts("PT_br"), "t pt/b t pt/b pt sms ");
  EXPECT_EQ(texts("pt"), "t/b t/b sms ");
}

TEST(Rule8, AnotherSeedHoldsOutOthers) {
  const std::string text = R"(
    policy { time zone "Asia/Shanghai"  currency CNY }
    channel push { class direct }
    event visit {}
    content hello { body "hello" }
    campaign some { class service  enter always  hold out 50%  when visit  send hello via push }
  )";
  const plan::Plan plan = plan_of(text);
  plan::Plan other = plan_of(text);
  other.seed = plan.seed + 1;
  std::size_t differ = 0;
  for (int i = 0; i < 200; ++i) {
    World one(plan), two(other);
    const Event visit = event(plan, "e1", "visit", at("2026-03-02T10:00"), "c" + std::to_string(i));
    one.happen(visit), two.happen(visit);
    if (count(one, Action::Refuse) != count(two, Action::Refuse)) ++differ;
  }
  EXPECT_NEAR(static_cast<double>(differ), 100, 36);
}

// --- Rule 1 over random histories ---------------------------------------------------------------

TEST(Rule1, CustomersDoNotSeeOneAnother) {
  const plan::Plan plan = plan_of(busy_shop);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE(seed);
    // In order of time: what is late in a test depends on the test's one clock.
    auto events = history(plan, seed, 120);
    std::stable_sort(events.begin(), events.end(),
                     [](const Event& a, const Event& b) { return a.time < b.time; });
    const Outcome together = run(plan, events, seed);
    std::multiset<std::string> apart;
    for (const char* who : {"ann", "bob", "小安"}) {
      std::vector<Event> own;
      std::copy_if(events.begin(), events.end(), std::back_inserter(own),
                   [&](const Event& each) { return each.customer == who; });
      if (own.empty()) continue;
      // Until the same end.
      World world(plan);
      std::mt19937_64 random(seed);
      if (random() % 2 == 0) world.fail(plan::ChannelId::of(random() % 3), Failure::Unreachable);
      for (const Event& each : own) world.happen(each);
      world.run_to(events.back().time + days(8), true);
      for (const Done& done : world.done()) apart.insert(text_of(plan, done));
      ASSERT_EQ(core::encode(plan, world.customer(who)), together.states.at(who));
    }
    ASSERT_EQ(std::multiset<std::string>(together.effects.begin(), together.effects.end()), apart);
  }
}

// --- Rule 9 -------------------------------------------------------------------------------------

TEST(Rule9, EveryEffectHasAKeyOfItsOwn) {
  const plan::Plan plan = plan_of(busy_shop);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE(seed);
    World world(plan);
    if (seed % 2 == 0) world.fail(plan::ChannelId::of(seed % 3), Failure::Unreachable);
    for (const Event& each : history(plan, seed, 120)) world.happen(each);
    std::map<Hash128, std::string> keys;
    for (const Done& done : world.done()) {
      const auto [place, is_new] = keys.emplace(done.effect.key, text_of(plan, done));
      ASSERT_TRUE(is_new) << place->second << "\n" << text_of(plan, done);
    }
  }
}

TEST(Rule9, ASendSaysWhenItIsTooLateToDeliver) {
  const plan::Plan plan = plan_of(small_shop);
  World world(plan);
  world.happen(
      event(plan, "e1", "cart", at("2026-03-02T10:00"), "ann", {{"sku", Value::text("A1")}}));
  world.run_to(at("2026-03-04T10:30"), true);
  std::vector<Timestamp> not_after;
  for (const Done& done : world.done())
    if (done.effect.action == Action::Send) not_after.push_back(done.effect.not_after);
  EXPECT_THAT(not_after, testing::ElementsAre(at("2026-03-02T12:30"), Timestamp::never()));
}

TEST(Rule9, ASecondReceiptOfADeliveryChangesNothing) {
  const plan::Plan plan = plan_of(small_shop);
  core::State state = core::new_customer(plan, "ann");
  std::vector<core::Effect> effects;
  core::decide(
      plan, state,
      event(plan, "e1", "cart", at("2026-03-02T10:00"), "ann", {{"sku", Value::text("A1")}}),
      effects);
  core::decide(plan, state, core::Tick{at("2026-03-02T10:30"), true}, effects);
  ASSERT_EQ(effects.back().action, Action::Send);
  const Receipt failed{effects.back().key, at("2026-03-02T10:31"), Failure::Unreachable};
  EXPECT_EQ(core::decide(plan, state, failed, effects), Standing::Applied);
  const std::size_t so_far = effects.size();
  const std::string bytes = core::encode(plan, state);
  EXPECT_EQ(core::decide(plan, state, failed, effects), Standing::Duplicate);
  EXPECT_EQ(effects.size(), so_far);
  EXPECT_EQ(core::encode(plan, state), bytes);
}

}  // namespace
}  // namespace koi
