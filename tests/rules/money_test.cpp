// Money over random days: whatever happens, no budget, limit, stock, share or code is exceeded,
// nothing is given twice, and the ledger is what was delivered. KOI_SEEDS says how many days.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/accounts.h"
#include "core/decide.h"
#include "core/merge.h"
#include "event.h"
#include "ledger/ledger.h"
#include "program.h"
#include "sim/world.h"

namespace koi {
namespace {

using core::Action;
using core::Reason;
using ledger::Stage;
using sim::Done;
using sim::World;

constexpr const char* paying_shop = R"(
policy { time zone "Asia/Shanghai"  currency CNY  limit ¥60.00 per customer per month }
customer {
  device: text?
  identify by wechat_openid
  on register set device = register.device
}
channel wechat { class conversation  reach by wechat_openid }
channel push   { class direct }
event register { device: text?  invited_by: code? }
event purchase { amount: money }
event refund   {}
event come     {}
event share    {}
event spin     {}
event trade    {}
event stars_of { n: int }

points stars { expire 6 hours  worth ¥0.01  budget 4_000 per day }
red_packet plain { amount ¥5.00  budget ¥200.00  limit 3 per customer per day, 2 per device  claim within 3 hours  pay via wechat }
red_packet lucky { amount random ¥1.00 to ¥8.88 average ¥2.00  budget ¥30.00 per hour }
red_packet party { total ¥10.00 split among 4 by luck at least ¥0.30  claim within 5 hours  budget ¥80.00  limit 2 per customer per day }
red_packet rest  { amount ¥7.00  budget ¥100.00 }
coupon ten       { off ¥10.00  codes generated "T-####"  budget 6 issued per hour  valid 4 hours }
coupon tenth     { off 10% up to ¥3.00  codes generated "P-######"  budget ¥40.00  valid 4 hours }
prize_draw wheel { prize "car" weight 1 stock 1  prize lucky weight 20  prize 30 stars weight 60 stock 9 }
referral friends {
  bind last touch within 2 days
  qualify when purchase where amount >= ¥50.00
  reward inviter give plain
  reward inviter give 40 stars at register
  reward invitee give lucky at purchase
  reward invitee give wheel at register
  at 2 friends give ten to inviter
  refuse self, cycle
  claw back when refund within 1 day
}
content failed_it { body "not paid" }
campaign at_once { class service  enter always  budget ¥150.00  when come give plain give lucky }
campaign later   { class service  enter always  when come wait 90 minutes give ten give rest or what is left }
campaign sharing { class service  enter always  when share give party or what is left }
campaign trading { class service  enter always  budget ¥90.00  when trade take 25 stars { give lucky give rest give tenth } }
campaign wheels  { class service  enter always  when spin give wheel }
campaign earning { class service  enter always  when stars_of as s give (s.n) stars or what is left }
campaign thanks  { class service  enter always  when claimed give 3 stars to inviter }
campaign sorry   { class service  enter always  when reward_failed send failed_it via push }
)";

// One random day, and all that was done in it.
class Day {
 public:
  Day(const plan::Plan& plan, const match::Index* index, std::uint64_t seed)
      : plan_(plan), world_(plan, index), random_(seed) {
    world_.accounts().keep_postings();
    Timestamp clock = at("2026-03-02T06:00");
    for (int i = 0; i < 400; ++i) {
      if (below(3) != 0) clock = clock + minutes(static_cast<std::int64_t>(below(8)));
      happen(clock, i);
    }
    world_.run_to(clock + days(2), true);
  }

  World& world() { return world_; }
  const std::vector<Done>& done() const { return world_.done(); }
  static std::string name(std::size_t i) { return "c" + std::to_string(i); }

 private:
  std::uint64_t below(std::uint64_t n) { return random_() % n; }

  void happen(Timestamp clock, int number) {
    if (below(40) == 0)
      world_.fail(plan::ChannelId::of(0), below(2) == 0 ? Failure::Unreachable : Failure::None);
    Event event;
    event.id = "e" + std::to_string(below(30) == 0 ? number / 2 : number);  // some come twice
    event.customer = name(below(9));
    event.time = below(12) == 0 ? clock - minutes(static_cast<std::int64_t>(below(50))) : clock;
    constexpr std::array names{"register", "purchase", "refund",  "come",
                               "come",     "share",    "spin",    "trade",
                               "stars_of", "claimed",  "claimed", "redeemed"};
    event.type = plan_.schema.find_event(names[below(names.size())]);
    const EventType& type = plan_.schema[event.type];
    event.fields.resize(type.fields.size());
    for (std::size_t i = 0; i < type.fields.size(); ++i)
      event.fields[i] = value_for(type.fields[i], event.type);
    world_.happen(event);
  }

  Value value_for(const Field& field, EventTypeId type) {
    const std::string& said = field.symbol.name;
    if (said == "device")
      return below(3) == 0 ? Value() : Value::text("d" + std::to_string(below(4)));
    if (said == "invited_by")
      return below(3) == 0
                 ? Value()
                 : Value::text(core::invite_code(plan_, plan::ReferralId::of(0), name(below(9))));
    if (said == "n") {
      constexpr std::array<std::int64_t, 6> counts{-5, 0, 10, 300, 5'000, INT64_MAX};
      return Value::integer(counts[below(counts.size())]);
    }
    if (said == "amount")
      return type == type_of(EngineEvent::Redeemed) && below(2) == 0
                 ? Value()
                 : Value::money(static_cast<std::int64_t>(below(9'000)));
    if (said == "code") return code();
    if (said == "incentive") return Value::text("plain");
    return {};
  }

  // One that was given out, or nobody's.
  Value code() {
    std::vector<std::string> codes{"NOBODYS"};
    for (const Done& done : world_.done())
      if (done.effect.action == Action::Give && !done.effect.gift->code.empty())
        codes.push_back(done.effect.gift->code);
    if (below(4) == 0) return {};
    // Of the latest, so that some are still open.
    return Value::text(codes[codes.size() - 1 - below(std::min<std::size_t>(codes.size(), 6))]);
  }

  const plan::Plan& plan_;
  World world_;
  std::mt19937_64 random_;
};

std::string text_of(const Done& done) {
  const core::Effect& e = done.effect;
  std::string text = to_string(e.time, utc()) + " " + done.customer + " " +
                     std::string(core::name_of(e.action)) + " " + std::string(core::name_of(e.of)) +
                     " " + std::string(core::name_of(e.reason)) + " " + to_hex(e.key) + " " +
                     to_hex(e.entry);
  if (e.gift)
    text += " " + std::to_string(e.gift->incentive.value) + " " +
            (e.gift->amount.is_missing() ? "-" : std::to_string(e.gift->amount.raw())) + " " +
            e.gift->code + " " + e.gift->prize;
  return text + "\n";
}

std::string story(const std::vector<Done>& done) {
  std::string text;
  for (const Done& each : done) text += text_of(each);
  return text;
}

class Money : public testing::Test {
 protected:
  const plan::Plan plan_ = plan_of(paying_shop);
  const match::Index index_ = match::Index::build(plan_);
  static std::uint64_t seeds() {
    const char* const said = std::getenv("KOI_SEEDS");
    return said == nullptr ? 25 : std::strtoull(said, nullptr, 10);
  }

  const plan::Incentive& incentive(std::string_view name) const {
    for (const plan::Incentive& each : plan_.incentives)
      if (each.symbol.name == name) return each;
    std::abort();
  }
  const plan::Incentive& given_by(const core::Effect& effect) const {
    return plan_.incentives[effect.gift->incentive.index()];
  }

  // At every posting no account is out by more than its budget, and its stages sum to zero.
  void budgets_hold(const std::vector<ledger::Posting>& postings,
                    const std::map<ledger::Pot, ledger::Balances>& pots) const {
    std::map<std::uint64_t, std::int64_t> most;
    for (const plan::Budget& budget : plan_.budgets) most[budget.definition] = budget.amount;
    ledger::Ledger again;
    for (const ledger::Posting& posting : postings) {
      ASSERT_TRUE(again.post(posting));
      const ledger::Balances balances = again.balances(posting.pot);
      ASSERT_EQ(balances.sum(), 0);
      ASSERT_LE(balances.out(), most.at(posting.pot.of));
      for (std::size_t i = 1; i < ledger::stage_count; ++i) ASSERT_GE(balances.at[i], 0);
    }
    ASSERT_TRUE(ledger::verify(postings, pots));
  }

  // What ever left an incentive's own account is what was delivered of it.
  void ledger_is_what_was_delivered(const std::vector<Done>& done,
                                    const std::map<ledger::Pot, ledger::Balances>& pots) const {
    std::map<std::string, std::int64_t> given;
    for (const Done& each : done)
      if (each.effect.action == Action::Give) {
        const plan::Incentive& of = given_by(each.effect);
        const bool is_points = std::holds_alternative<plan::Points>(of.what);
        given[of.symbol.name] += is_points ? each.effect.gift->amount.raw() : 1;
      }
    for (const plan::Incentive& each : plan_.incentives) {
      const plan::Budget& own = plan_.budgets[each.budgets[0].index()];
      const auto pot = pots.find({own.definition, Timestamp::ever()});
      const std::int64_t left = pot == pots.end() ? 0 : -pot->second[Stage::Budget];
      EXPECT_EQ(left, given[each.symbol.name]) << each.symbol.name;
    }
  }

  // Points are somewhere: what all purses hold is what is given and neither spent, lapsed nor taken
  // back.
  void points_add_up(World& world, const std::map<ledger::Pot, ledger::Balances>& pots) const {
    std::int64_t held = 0;
    for (std::size_t i = 0; i < 9; ++i)
      for (const core::Holdings& mine : world.customer(Day::name(i)).holdings)
        for (const core::Purse& purse : mine.purses)
          for (const ledger::Lot& lot : purse.lots) {
            EXPECT_GT(lot.amount, 0);
            held += lot.amount;
          }
    const plan::Budget& own = plan_.budgets[incentive("stars").budgets[0].index()];
    const auto pot = pots.find({own.definition, Timestamp::ever()});
    EXPECT_EQ(held, pot == pots.end() ? 0 : pot->second[Stage::Given]);
  }

  // Everything happens within one month: nobody is given more than the policy's limit in it.
  void nobody_is_given_too_much(const std::vector<Done>& done) const {
    std::map<std::string, std::int64_t> money;
    std::map<std::pair<std::string, std::string>, int> packets_of_day;
    for (const Done& each : done) {
      const core::Effect& effect = each.effect;
      if (each.failure != Failure::None) continue;
      if (effect.action != Action::Give && effect.action != Action::Claim) continue;
      const plan::Incentive& of = given_by(effect);
      const auto* packet = std::get_if<plan::RedPacket>(&of.what);
      const bool is_group = packet != nullptr && packet->how == plan::RedPacket::How::Group;
      if (is_group && effect.action == Action::Give) continue;
      if (effect.gift->amount.is_missing()) continue;
      money[each.customer] += effect.gift->amount.raw();  // a star is worth a cent
      if (of.symbol.name == "plain" && effect.action == Action::Give) {
        const std::string day = to_string(effect.time + hours(8), utc()).substr(0, 10);
        EXPECT_LE((++packets_of_day[{each.customer, day}]), 3);
      }
    }
    for (const auto& [customer, sum] : money) EXPECT_LE(sum, 6'000) << customer;
  }

  void shares_hold(const std::vector<Done>& done) const {
    struct Packet {
      std::int64_t total = 0, taken = 0;
      std::set<std::string> by;
    };
    std::map<std::string, Packet> packets;
    for (const Done& each : done) {
      const core::Effect& effect = each.effect;
      if (effect.action == Action::Give && given_by(effect).symbol.name == "party")
        packets[effect.gift->code].total = effect.gift->amount.raw();
      if (effect.action != Action::Claim) continue;
      Packet& packet = packets[effect.gift->code];
      packet.taken += effect.gift->amount.raw();
      EXPECT_GE(effect.gift->amount.raw(), 30);
      EXPECT_TRUE(packet.by.insert(each.customer).second);
      EXPECT_LE(packet.by.size(), 4u);
      if (packet.by.size() == 4) {
        EXPECT_EQ(packet.taken, packet.total);
      } else {
        EXPECT_LT(packet.taken, packet.total);
      }
    }
  }

  void nothing_is_given_twice(const std::vector<Done>& done) const {
    std::set<Hash128> keys;
    std::set<std::string> codes;
    int cars = 0, stars = 0;
    bool has_drawn_stars = false;
    for (const Done& each : done) {
      const core::Effect& effect = each.effect;
      // A prize that is refused in its turn, right behind its draw, is in the hat again.
      if (std::exchange(has_drawn_stars, false) && effect.action == Action::Refuse) --stars;
      if (!effect.gift) continue;
      if (effect.action != Action::Refuse) {
        EXPECT_TRUE(keys.insert(effect.key).second) << text_of(each);
      }
      if (effect.action != Action::Give) continue;
      if (!effect.gift->code.empty()) {
        EXPECT_TRUE(codes.insert(effect.gift->code).second);
      }
      cars += effect.gift->prize == "car" ? 1 : 0;
      has_drawn_stars = effect.gift->prize == "stars";
      stars += has_drawn_stars ? 1 : 0;
    }
    EXPECT_LE(cars, 1);
    EXPECT_LE(stars, 9);
  }

  // Nobody has paid for what he did not get: behind what was taken all three gifts follow.
  void nothing_is_taken_for_nothing(const std::vector<Done>& done) const {
    std::map<Hash128, int> gifts;
    for (const Done& each : done)
      if (each.effect.action == Action::Give) ++gifts[each.effect.entry];
    for (const Done& each : done)
      if (each.effect.action == Action::Take) {
        EXPECT_EQ(gifts[each.effect.entry], 3) << text_of(each);
      }
  }
};

TEST_F(Money, HoldsWhateverHappens) {
  std::map<Action, int> seen;
  std::map<Reason, int> refused;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Day day(plan_, &index_, seed);
    const auto& accounts = day.world().accounts();
    const auto& pots = accounts.ledger().pots();
    ASSERT_FALSE(day.world().fault());
    budgets_hold(accounts.postings(), pots);
    ledger_is_what_was_delivered(day.done(), pots);
    points_add_up(day.world(), pots);
    nobody_is_given_too_much(day.done());
    shares_hold(day.done());
    nothing_is_given_twice(day.done());
    nothing_is_taken_for_nothing(day.done());
    for (const Done& each : day.done()) {
      ++seen[each.effect.action];
      if (each.effect.action == Action::Refuse) ++refused[each.effect.reason];
    }
    if (HasFailure()) break;
  }
  // Else days that have gone dull would pass.
  for (const Action action : {Action::Give, Action::Take, Action::Claim, Action::ClawBack})
    EXPECT_GT(seen[action], 0) << core::name_of(action);
  for (const Reason reason :
       {Reason::Budget, Reason::Limit, Reason::NotEnough, Reason::TakenBefore, Reason::TooLate,
        Reason::NoInviter, Reason::Self, Reason::BoundBefore})
    EXPECT_GT(refused[reason], 0) << core::name_of(reason);
}

TEST_F(Money, IsTheSameWhetherTheIndexFindsItOrEveryConditionIsAsked) {
  for (std::uint64_t seed = 1; seed <= std::min<std::uint64_t>(seeds(), 25); ++seed) {
    Day with(plan_, &index_, seed), without(plan_, nullptr, seed);
    ASSERT_EQ(story(with.done()), story(without.done())) << seed;
    ASSERT_EQ(with.world().accounts().ledger().pots(), without.world().accounts().ledger().pots());
  }
}

std::string code_of(const World& world) {
  std::string code;
  for (const Done& done : world.done())
    if (done.effect.action == Action::Give) code = done.effect.gift->code;
  return code;
}

TEST(Shares, CountAgainstThePolicysLimitOfWhoTakesThem) {
  const plan::Plan plan = plan_of(R"(
    policy { time zone "Asia/Shanghai"  currency CNY  limit ¥50.00 per customer per month }
    event much {}
    event share {}
    red_packet most  { amount ¥47.00 }
    red_packet party { total ¥10.00 split among 2 equally }
    campaign a { class service  enter always  when much give most }
    campaign b { class service  enter always  when share give party }
  )");
  World world(plan);
  world.happen(event(plan, "1", "much", at("2026-03-02T10:00"), "ann"));
  world.happen(event(plan, "2", "share", at("2026-03-02T10:00"), "bo"));
  const Value code = Value::text(code_of(world));
  world.happen(event(plan, "3", "claimed", at("2026-03-02T10:01"), "ann", {{"code", code}}));
  EXPECT_EQ(world.done().back().effect.action, Action::Refuse);
  EXPECT_EQ(world.done().back().effect.reason, Reason::Limit);
  world.happen(event(plan, "4", "claimed", at("2026-03-02T10:02"), "cy", {{"code", code}}));
  EXPECT_EQ(world.done().back().effect.action, Action::Claim);
  world.happen(event(plan, "5", "claimed", at("2026-04-01T00:00"), "ann", {{"code", code}}));
  EXPECT_EQ(world.done().back().effect.action, Action::Claim);
}

TEST(Codes, AreNeverIssuedTwiceThoughTheyRunOut) {
  const plan::Plan plan = plan_of(R"(
    policy { time zone "Asia/Shanghai"  currency CNY }
    event come {}
    coupon few { off ¥1.00  codes generated "A-####"  valid 1 minute }
    campaign a { class service  enter always  when come give few }
  )");
  World world(plan);
  std::set<std::string> codes;
  constexpr int all = 31 * 31 * 31;
  for (int i = 0; i < all + 2; ++i)
    world.happen(
        event(plan, "e" + std::to_string(i), "come", at("2026-03-02T10:00") + seconds(i), "ann"));
  int refused = 0;
  for (const Done& done : world.done()) {
    if (done.effect.action == Action::Give) {
      EXPECT_TRUE(codes.insert(done.effect.gift->code).second);
    }
    refused += done.effect.reason == Reason::Budget ? 1 : 0;
  }
  EXPECT_EQ(codes.size(), static_cast<std::size_t>(all));
  EXPECT_EQ(refused, 2);
}

TEST(Receipts, AFailureFreesTheDeviceThatItWasCountedFor) {
  const plan::Plan plan = plan_of(R"(
    policy { time zone "Asia/Shanghai"  currency CNY }
    customer { device: text?  on register set device = register.device }
    event register { device: text? }
    event come {}
    red_packet one { amount ¥1.00  limit 1 per device }
    campaign a { class service  enter always  when come give one }
  )");
  core::Accounts accounts(plan);
  core::State ann = core::new_customer(plan, "ann"), bo = core::new_customer(plan, "bo"),
              cy = core::new_customer(plan, "cy");
  std::vector<core::Effect> effects;
  const auto happens = [&](core::State& who, const Event& what) {
    core::decide(plan, who, what, effects, nullptr, &accounts);
  };
  const auto gift = [&] {
    for (auto each = effects.rbegin(); each != effects.rend(); ++each)
      if (each->gift) return each->action == Action::Give ? each->key : Hash128{};
    return Hash128{};
  };
  const auto on = [&](std::string id, std::string_view minute, const core::State& who,
                      const char* device) {
    return event(plan, std::move(id), "register", at(minute), who.id,
                 {{"device", Value::text(device)}});
  };
  happens(ann, on("1", "2026-03-02T10:00", ann, "d1"));
  happens(bo, on("2", "2026-03-02T10:00", bo, "d2"));
  happens(cy, on("3", "2026-03-02T10:00", cy, "d1"));
  happens(ann, event(plan, "4", "come", at("2026-03-02T10:01"), "ann"));
  const Hash128 first = gift();
  ASSERT_NE(first, Hash128{});
  happens(bo, event(plan, "5", "come", at("2026-03-02T10:01"), "bo"));
  ASSERT_NE(gift(), first);
  // Ann takes up Bo's device, and only then does her payment fail: Cy may have hers, nobody Bo's.
  happens(ann, on("6", "2026-03-02T10:02", ann, "d2"));
  core::decide(plan, ann, Receipt{first, at("2026-03-02T10:03"), Failure::Failed}, effects, nullptr,
               &accounts);
  happens(ann, event(plan, "7", "come", at("2026-03-02T10:04"), "ann"));
  EXPECT_EQ(effects.back().reason, Reason::Limit);
  happens(cy, event(plan, "8", "come", at("2026-03-02T10:05"), "cy"));
  EXPECT_NE(gift(), Hash128{});
}

// A friend who is paid a reward, or the prize of a draw that is one; or his inviter.
class PaidFriend {
 public:
  explicit PaidFriend(const std::string& reward, const std::string& whose = "invitee")
      : plan_(plan_of(R"(
          policy { time zone "Asia/Shanghai"  currency CNY }
          event visit { invited_by: code? }
          event buy {}
          event refund {}
          red_packet one { amount ¥1.00 }
          prize_draw lot { prize one weight 1 }
          referral friends { bind first touch  qualify when buy  reward )" +
                      whose + " give " + reward + "  claw back when refund } ")) {
    accounts_.introduce("bo");
    accounts_.introduce("cy");
  }
  void happens(const std::string& who, const std::string& type, const std::string& inviter = "") {
    std::map<std::string, Value> fields;
    if (!inviter.empty())
      fields["invited_by"] =
          Value::text(core::invite_code(plan_, plan::ReferralId::of(0), inviter));
    const Timestamp now = next();
    core::decide(plan_, state_of(who), event(plan_, to_string(now, utc()), type, now, who, fields),
                 effects_, nullptr, &accounts_);
    hand_on();
  }
  void is_paid(const std::string& who, Hash128 key) {
    core::decide(plan_, state_of(who), Receipt{key, next(), Failure::None}, effects_, nullptr,
                 &accounts_);
  }
  void merges(const std::string& goes, const std::string& stays) {
    core::State came = core::take_out(plan_, state_of(goes), stays);
    core::merge(plan_, state_of(stays), std::move(came), next(), effects_, nullptr, &accounts_);
    hand_on();
  }
  // The effect that pays whoever was paid last.
  Hash128 payment() const {
    const auto paid = std::find_if(effects_.rbegin(), effects_.rend(),
                                   [](const core::Effect& each) { return each.wants_receipt; });
    return paid == effects_.rend() ? Hash128{} : paid->key;
  }
  std::size_t count(Action action) const {
    return static_cast<std::size_t>(
        std::count_if(effects_.begin(), effects_.end(),
                      [&](const core::Effect& each) { return each.action == action; }));
  }
  // Packets that count against their budget.
  std::int64_t out() const {
    const plan::Budget& own = plan_.budgets[plan_.incentives[0].budgets[0].index()];
    return accounts_.ledger().balances({own.definition, Timestamp::ever()}).out();
  }

 private:
  Timestamp next() { return at("2026-03-02T10:00") + minutes(++moments_); }
  core::State& state_of(const std::string& who) {
    const auto [place, is_new] = customers_.try_emplace(who);
    if (is_new) place->second = core::new_customer(plan_, who);
    return place->second;
  }
  void hand_on() {
    for (auto messages = accounts_.take_messages(); !messages.empty();
         messages = accounts_.take_messages())
      for (core::Message& each : messages) {
        if (const std::string* const now = core::gone_to(state_of(each.to))) each.to = *now;
        core::decide(plan_, state_of(each.to), each, effects_, nullptr, &accounts_);
      }
  }

  const plan::Plan plan_;
  core::Accounts accounts_{plan_};
  std::map<std::string, core::State> customers_;
  std::vector<core::Effect> effects_;
  int moments_ = 0;
};

TEST(Receipts, WhatIsPaidOnlyAfterTheRefundIsTakenBackAtOnce) {
  for (const char* const reward : {"one", "lot"}) {
    SCOPED_TRACE(reward);
    PaidFriend world(reward);
    world.happens("ann", "visit", "bo");
    world.happens("ann", "buy");
    EXPECT_EQ(world.out(), 1);
    const std::size_t others = world.count(Action::Give) - 1;
    world.happens("ann", "refund");
    EXPECT_EQ(world.count(Action::ClawBack), others) << "a draw, but not what is being paid";
    EXPECT_EQ(world.out(), 1);
    world.is_paid("ann", world.payment());
    EXPECT_EQ(world.count(Action::ClawBack), others + 1);
    EXPECT_EQ(world.out(), 1) << "whoever was paid has the money";
  }
}

TEST(Receipts, WhatAFriendOfTwoInvitersIsStillBeingPaidTwiceIsTakenBackOnce) {
  for (const char* const reward : {"one", "lot"}) {
    SCOPED_TRACE(reward);
    PaidFriend world(reward);
    world.happens("ann", "visit", "bo");
    world.happens("ann", "buy");
    const Hash128 first = world.payment();
    world.happens("dan", "visit", "cy");
    world.happens("dan", "buy");
    const Hash128 second = world.payment();
    ASSERT_NE(first, second);
    world.merges("dan", "ann");
    EXPECT_EQ(world.out(), 2);
    world.is_paid("ann", first);
    EXPECT_EQ(world.out(), 2) << "he was brought by the first";
    const std::size_t before = world.count(Action::ClawBack);
    world.is_paid("ann", second);
    EXPECT_GT(world.count(Action::ClawBack), before);
    world.happens("ann", "refund");
    EXPECT_EQ(world.out(), 2) << "whoever was paid has the money";
  }
}

TEST(Receipts, WhatAnInviterIsStillBeingPaidTwiceForOneFriendIsTakenBackOnce) {
  for (const char* const reward : {"one", "lot"}) {
    SCOPED_TRACE(reward);
    PaidFriend world(reward, "inviter");
    world.happens("ann", "visit", "bo");
    world.happens("ann", "buy");
    const Hash128 first = world.payment();
    world.happens("dan", "visit", "bo");
    world.happens("dan", "buy");
    const Hash128 second = world.payment();
    ASSERT_NE(first, second);
    world.merges("dan", "ann");
    world.is_paid("bo", first);
    const std::size_t before = world.count(Action::ClawBack);
    world.is_paid("bo", second);
    EXPECT_EQ(world.count(Action::ClawBack), before + 1);
    EXPECT_EQ(world.out(), 2) << "whoever was paid has the money";
  }
}

TEST(Receipts, AShareThatCouldNotBePaidBehindThePacketsEndWasNotTaken) {
  const plan::Plan plan = plan_of(R"(
    policy { time zone "Asia/Shanghai"  currency CNY }
    channel wallet { class direct }
    event come {}
    red_packet party { total ¥9.00 split among 3 equally  claim within 5 hours  budget ¥9.00  pay via wallet }
    campaign a { class service  enter always  when come give party }
  )");
  core::Accounts accounts(plan);
  std::map<std::string, core::State> customers;
  std::vector<core::Effect> effects;
  const auto state_of = [&](const std::string& who) -> core::State& {
    const auto [place, is_new] = customers.try_emplace(who);
    if (is_new) place->second = core::new_customer(plan, who);
    return place->second;
  };
  const auto hand_on = [&] {
    for (auto messages = accounts.take_messages(); !messages.empty();
         messages = accounts.take_messages())
      for (const core::Message& each : messages)
        core::decide(plan, state_of(each.to), each, effects, nullptr, &accounts);
  };
  core::decide(plan, state_of("ann"), event(plan, "1", "come", at("2026-03-02T10:00"), "ann"),
               effects, nullptr, &accounts);
  hand_on();
  const auto packet = [&] { return state_of("ann").holdings[0].grants[0]; };
  std::map<std::string, Hash128> payments;
  for (const char* const who : {"bo", "cy", "di"}) {
    core::decide(plan, state_of(who),
                 event(plan, who, "claimed", at("2026-03-02T10:01"), who,
                       {{"code", Value::text(packet().code)}}),
                 effects, nullptr, &accounts);
    hand_on();
    payments[who] = state_of(who).holdings[0].shares[0].key;
  }
  EXPECT_EQ(packet().stage, ledger::Stage::Claimed);
  const auto ends = [&](const char* who, Failure failure) {
    core::decide(plan, state_of(who), Receipt{payments[who], at("2026-03-02T16:00"), failure},
                 effects, nullptr, &accounts);
    hand_on();
  };
  ends("cy", Failure::Unreachable);
  EXPECT_EQ(packet().taken, 2U);
  EXPECT_EQ(packet().stage, ledger::Stage::Lapsed);
  ends("bo", Failure::None);
  ends("di", Failure::Unreachable);
  EXPECT_EQ(packet().taken, 1U);
  EXPECT_EQ(packet().shares.size(), 3U);
  EXPECT_TRUE(packet().unpaid.empty());
  for (const plan::BudgetId id : plan.incentives[0].budgets)
    if (const plan::Budget& each = plan.budgets[id.index()]; each.is_money) {
      const auto balances = accounts.ledger().balances({each.definition, Timestamp::ever()});
      EXPECT_EQ(balances[ledger::Stage::Claimed], 300);
      EXPECT_EQ(balances[ledger::Stage::Returned], 600);
      EXPECT_EQ(balances.out(), 300);
    }
}

TEST(Receipts, WhatIsPaidNeverGoesBackAndWhatIsNotTakenDoes) {
  const plan::Plan plan = plan_of(R"(
    policy { time zone "Asia/Shanghai"  currency CNY }
    event come {}
    red_packet gift { amount ¥5.00  budget ¥10.00  claim within 1 day }
    campaign a { class service  enter always  when come give gift }
  )");
  core::Accounts accounts(plan);
  core::State ann = core::new_customer(plan, "ann");
  std::vector<core::Effect> effects;
  int number = 0;
  const auto come = [&](std::string_view time) {
    effects.clear();
    core::decide(plan, ann, event(plan, std::to_string(++number), "come", at(time), "ann"), effects,
                 nullptr, &accounts);
    return effects.back().reason == Reason::None ? effects.back().key : Hash128{};
  };
  const auto ends = [&](Hash128 key, std::string_view time, Failure failure) {
    core::decide(plan, ann, Receipt{key, at(time), failure}, effects, nullptr, &accounts);
  };
  const auto money = [&] {
    for (const plan::BudgetId id : plan.incentives[0].budgets)
      if (const plan::Budget& each = plan.budgets[id.index()]; each.is_money)
        return accounts.ledger().balances({each.definition, Timestamp::ever()});
    return ledger::Balances{};
  };
  ends(come("2026-03-02T10:00"), "2026-03-02T10:01", Failure::None);
  EXPECT_EQ(money()[ledger::Stage::Claimed], 500);
  // Two days later nothing of it has lapsed, and so there is one more and no third.
  const Hash128 second = come("2026-03-04T10:00");
  ASSERT_NE(second, Hash128{});
  EXPECT_EQ(come("2026-03-04T10:01"), Hash128{});
  EXPECT_EQ(effects.back().reason, Reason::Budget);
  // Its person did not confirm: it is there again.
  ends(second, "2026-03-05T11:00", Failure::Lapsed);
  EXPECT_EQ(money().out(), 500);
  EXPECT_EQ(ann.holdings.front().grants.back().stage, ledger::Stage::Lapsed);
  EXPECT_NE(come("2026-03-05T12:00"), Hash128{});
}

}  // namespace
}  // namespace koi
