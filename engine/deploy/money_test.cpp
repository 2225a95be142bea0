// What customers share, on a server: kept with their states, through checkpoints that fail, kills
// and other rules, as if everything had been decided in one go.
#include <gmock/gmock.h>

#include <random>

#include "core/books.h"
#include "deploy/ahead.h"
#include "deploy/detail/fair.h"
#include "deploy/detail/trial.h"
#include "durable/input.h"
#include "store/memory.h"

namespace koi::deploy {
namespace {

// Who comes too late for a coupon of the day is given a code of a pool.
std::string fair_with_pool() {
  return fair("give pooled", R"(coupon pooled { off ¥3.00  codes from pool "codes.csv" low at 5
  budget ¥9.00 per 2 days  valid 1 day }
)");
}

// What an outer world sees: effects by their keys, and payments without a receipt.
class Payments final : public durable::Deeds {
 public:
  void take(store::Group, std::vector<durable::Deed> deeds) override {
    for (const durable::Deed& deed : deeds) {
      const core::Effect& effect = deed.effect;
      keys[effect.key]++;
      if (effect.gift && effect.wants_receipt)  // a packet, or a friend's share
        open.emplace(effect.key, deed.customer);
      if (effect.gift && !effect.gift->code.empty()) codes.insert(effect.gift->code);
    }
  }
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }

  std::map<Hash128, int> keys;
  std::map<Hash128, std::string> open;
  std::set<std::string> codes;
};

class Nothing final : public core::Shelf {
 public:
  Result<std::string> read(std::string_view) const override { return std::string(); }
  Result<std::vector<Row>> behind(std::string_view, std::size_t) const override {
    return std::vector<Row>();
  }
};

using Bytes = std::map<std::string, std::string>;

// The journal once more, by the core alone: no store, no checkpoints, no limits of memory.
struct Again {
  std::map<std::string, core::State> customers;
  std::map<Hash128, int> keys;
  Bytes shared;
  std::map<ledger::Pot, ledger::Balances> pots;
  std::vector<ledger::Posting> postings;
};

class Replay {
 public:
  Replay(const plan::Plan& plan, std::uint64_t rules) : plan_(plan), accounts_(plan, rules) {
    accounts_.keep_on(nothing_, SIZE_MAX / 2);
  }
  Again run(const store::Journal& journal) {
    Timestamp stamp;
    for (store::Position at = 1;;) {
      const auto rows = *journal.read(0, at, 1000);
      if (rows.empty()) break;
      at += rows.size();
      for (const store::Read& read : rows) {
        durable::Input input = *durable::decode_input(plan_, read.row.bytes);
        if (const auto* opening = std::get_if<durable::Opening>(&input)) {
          stamp = opening->stamp;
          fire(*opening);
        } else if (auto* event = std::get_if<Event>(&input)) {
          event->time = std::min(event->time, stamp);
          decide(event->customer, *event);
        } else if (auto* came = std::get_if<durable::ReceiptFor>(&input)) {
          came->receipt.time = stamp;
          decide(came->customer, came->receipt);
        } else if (const auto* call = std::get_if<core::Call>(&input)) {
          core::stock(accounts_, *call);
        }
      }
    }
    again_.pots = accounts_.ledger().pots();
    again_.postings = accounts_.postings();
    for (auto& [key, bytes] : accounts_.freeze())
      if (!bytes.empty()) again_.shared[key] = bytes;
    return std::move(again_);
  }

 private:
  core::State& customer(const std::string& id) {
    return again_.customers.try_emplace(id, core::new_customer(plan_, id)).first->second;
  }
  template <class What>
  void decide(const std::string& id, const What& what) {
    std::vector<core::Effect> effects;
    core::decide(plan_, customer(id), what, effects, nullptr, &accounts_);
    for (const core::Effect& effect : effects) again_.keys[effect.key]++;
    for (const core::Message& message : accounts_.take_messages()) decide(message.to, message);
  }
  void fire(const durable::Opening& opening) {
    for (std::uint32_t fired = 0; fired < opening.timers; ++fired) {
      const auto next = std::min_element(
          again_.customers.begin(), again_.customers.end(), [](const auto& a, const auto& b) {
            return core::next_due(a.second) < core::next_due(b.second);
          });
      if (next == again_.customers.end() || core::next_due(next->second) >= opening.stamp) return;
      decide(next->first, core::Tick{core::next_due(next->second), true});
    }
  }

  const plan::Plan& plan_;
  const Nothing nothing_;
  core::Accounts accounts_;
  Again again_;
};

// A server by hand, over a journal and a store in memory.
class Fair {
 public:
  explicit Fair(std::uint32_t seed, std::uint64_t budget) : chance_(seed), budget_(budget) {
    start();
  }

  void kill_and_start() {
    writers_.reset();
    start();
  }
  void checkpoint() { ASSERT_TRUE(writers_->checkpoint(0)); }
  void checkpoint_that_fails() {
    store_.fail_at(0, false);
    ASSERT_FALSE(writers_->checkpoint(0));
    store_.revive();
  }

  // One batch of what some of twenty customers do, and of what became of payments.
  void live_a_while() {
    now_ = now_ + seconds(static_cast<std::int64_t>(below(3) == 0 ? below(20'000) : below(600)));
    std::vector<durable::Given> given;
    for (std::size_t left = below(6); left > 0; --left)
      given.emplace_back(event_of(plan_, happening()));
    if (below(8) == 0) {  // some of them were uploaded before
      std::vector<std::string> codes;
      for (std::size_t left = 4; left > 0; --left)
        codes.push_back("P-" + std::to_string(below(200)));
      given.emplace_back(upload_of("codes.csv", std::move(codes)));
    }
    for (auto each = payments_.open.begin(); each != payments_.open.end();) {
      if (below(3) == 0) {
        ++each;
        continue;
      }
      const Failure failure = below(5) == 0 ? Failure::Failed : Failure::None;
      given.emplace_back(durable::ReceiptFor{each->second, {each->first, now_, failure}});
      each = payments_.open.erase(each);
    }
    if (!given.empty() && !writers_->submit(std::move(given), {})) {
      checkpoint();  // the room was full
      ASSERT_TRUE(writers_->submit(std::move(given), {}));
    }
    while (*writers_->commit())
      while (*writers_->step(0)) {
      }
  }

  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(chance_);
  }

  Again again() const { return Replay(plan_, fair_rules).run(journal_); }
  Bytes customers() const {
    Bytes all;
    for (std::size_t partition = 0; partition < partition_count; ++partition) {
      const auto found = *memory_.scan(static_cast<Partition>(partition), "", 1000);
      for (const store::Saved& saved : found) all[saved.customer] = saved.bytes;
    }
    return all;
  }
  Bytes shared() const {
    Bytes all;
    const auto found = *memory_.shared_behind(0, "", SIZE_MAX);
    for (const store::Shared& each : found) all[each.key] = each.bytes;
    return all;
  }
  const std::map<Hash128, int>& keys() const { return payments_.keys; }
  const plan::Plan& plan() const { return plan_; }

 private:
  void start() {
    durable::Settings settings;
    settings.budget = budget_;
    settings.timers_at_once = 3;
    auto opened = durable::Writers::open(
        {plan_, fair_rules, journal_, store_, store::Groups{1}, payments_, [this] { return now_; }},
        settings);
    ASSERT_TRUE(opened) << opened.error().what;
    writers_ = *std::move(opened);
  }
  std::string somebody() { return "c" + std::to_string(below(20)); }
  Told happening() {
    Told told{"register", "e" + std::to_string(++number_), somebody(), now_, {}};
    switch (below(8)) {
      case 0: {
        const std::string by = core::invite_code(plan_, plan::ReferralId::of(0), somebody());
        told.fields = {{"device", Value::text("d" + std::to_string(below(12)))},
                       {"openid", Value::text("o" + told.customer)},
                       {"invited_by", Value::text(by)}};
        break;
      }
      case 1:
      case 2:
        told.type = "order";
        told.fields = {{"amount", Value::money(static_cast<std::int64_t>(below(12'000)))}};
        break;
      case 3: told.type = "refund"; break;
      case 4: told.type = "grab"; break;
      case 5: told.type = "play"; break;
      default: {
        if (payments_.codes.empty()) break;
        auto code = payments_.codes.begin();
        std::advance(code, below(payments_.codes.size()));
        told.type = code->starts_with("RAIN") || code->starts_with("P-") ? "redeemed" : "claimed";
        told.fields = {{"code", Value::text(*code)}};
      }
    }
    return told;
  }

  const plan::Plan plan_ = plan_of(trial_bundle(fair_with_pool()));
  std::mt19937 chance_;
  std::uint64_t budget_;
  store::MemoryJournal journal_{store::Groups{1}, 1};
  store::MemoryStore memory_{store::Groups{1}};
  FailingStore store_{memory_};
  Payments payments_;
  Timestamp now_ = trial_begin();
  std::unique_ptr<durable::Writers> writers_;
  std::uint64_t number_ = 0;
};

// Both ways of deciding have come to the same, to the byte.
void expect_same(Fair& fair) {
  fair.checkpoint();
  const Again again = fair.again();
  const core::Codec codec(fair.plan());
  Bytes customers;
  for (const auto& [id, state] : again.customers) customers[id] = codec.encode(state);
  EXPECT_EQ(fair.customers(), customers);
  EXPECT_EQ(fair.shared(), again.shared);
  for (const auto& [key, times] : again.keys) EXPECT_TRUE(fair.keys().contains(key));
  EXPECT_EQ(fair.keys().size(), again.keys.size());
  EXPECT_TRUE(ledger::verify(again.postings, again.pots));
}

TEST(Money, RandomLivesWithKillsAndFailedCheckpointsKeepTheAccountsOfOneThatHadNone) {
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    Fair fair(seed, seed % 2 == 0 ? 40u << 10 : 4u << 20);
    for (int turn = 0; turn < 150; ++turn) {
      fair.live_a_while();
      switch (fair.below(12)) {
        case 0: fair.checkpoint(); break;
        case 1: fair.checkpoint_that_fails(); break;
        case 2: fair.kill_and_start(); break;
        default: break;
      }
    }
    expect_same(fair);
    // It was a life: money was given, and refused for want of it.
    std::set<char> kinds;
    for (const auto& [key, bytes] : fair.shared()) kinds.insert(key[0]);
    EXPECT_EQ(kinds, (std::set<char>{'b', 'c', 'd', 'f', 'l', 'n', 'p', 'q', 's', 't', 'u', 'w'}));
  }
}

TEST(Money, NoBudgetIsPassedAndEveryPotSumsToZero) {
  Fair fair(99, 40u << 10);
  for (int turn = 0; turn < 300; ++turn) fair.live_a_while();
  fair.checkpoint();
  std::size_t pots = 0;
  for (const auto& [key, bytes] : fair.shared()) {
    const auto entry = *core::books::read(key, bytes);
    const auto* balance = std::get_if<core::books::Balance>(&entry);
    if (!balance) continue;
    ++pots;
    EXPECT_EQ(balance->balances.sum(), 0);
    for (const plan::Budget& budget : fair.plan().budgets)
      if (budget.definition == balance->pot.of) {
        EXPECT_LE(balance->balances.out(), budget.amount) << budget.name;
      }
  }
  EXPECT_GT(pots, 10u);
}

TEST(Money, WhoWasKnownBeforeCanBringFriendsUnderAReferralThatComesLater) {
  const std::string before = R"(policy { time zone "Asia/Shanghai"  currency CNY }
event register { invited_by: code? }
points stars { budget 1_000 }
campaign greets { class service  enter always  when register give 1 stars }
)";
  Shop shop{.groups = {1}};
  const auto is_there = [&](Life& life, const std::string& id, const std::string& who,
                            const std::string& by = "") {
    Told told{"register", id, who, shop.now, {}};
    if (!by.empty())
      told.fields["invited_by"] =
          Value::text(core::invite_code(life.plan(), plan::ReferralId::of(0), by));
    life.take({told});
  };
  {
    Life life(shop, trial_bundle(before));
    for (int i = 0; i < 10; ++i) is_there(life, "e" + std::to_string(i), "c" + std::to_string(i));
    life.stop();
  }
  Life life(shop, trial_bundle(before + "referral friends { qualify when register  "
                                        "reward inviter give 7 stars }\n"));
  is_there(life, "f1", "bo", "c3");
  is_there(life, "f2", "cy", "c9");
  EXPECT_EQ(life.state("c3").holdings[0].friends.size(), 1u);
  EXPECT_EQ(life.state("c9").holdings[0].friends.size(), 1u);
  life.stop();
  const std::string customers =
      *shop.live.shared(0, core::books::key_of_tally("friends", core::books::Tally::Customers));
  EXPECT_EQ(*core::books::number_of(customers), 12u);
}

TEST(Money, WhatTheStoreHasOfTheAccountsIsNotBelievedWhereItIsDamaged) {
  const plan::Plan plan = plan_of(trial_bundle(fair_with_pool()));
  class Damaged final : public core::Shelf {
   public:
    Result<std::string> read(std::string_view key) const override {
      return key == "c" ? std::string() : std::string("\x81\x80", 2);
    }
    Result<std::vector<Row>> behind(std::string_view, std::size_t) const override {
      return std::vector<Row>();
    }
  } const damaged;
  core::Accounts accounts(plan);
  accounts.keep_on(damaged, 100);
  EXPECT_FALSE(accounts.fault());
  EXPECT_EQ(accounts.find("somewhere"), nullptr);
  ASSERT_TRUE(accounts.fault());
  EXPECT_EQ(accounts.fault()->code, "corrupt");
}

TEST(Money, AServerGivesNoPacketThatNobodyPays) {
  const auto refused =
      compile(trial_bundle("policy { currency CNY }\nevent e {}\nred_packet gift { amount ¥1.00 }\n"
                           "campaign c { class service  when e  give gift }\n"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("`gift`"), std::string::npos) << refused.error().what;
  EXPECT_NE(refused.error().what.find("pay via"), std::string::npos) << refused.error().what;
}

}  // namespace
}  // namespace koi::deploy
