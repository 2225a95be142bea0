// Customers of several groups who share something: over kills at any moment, letters that are lost,
// come twice or late, and checkpoints that fail. What each group has decided is what its journal
// alone says, and all together never give more than there is.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <random>

#include "core/books.h"
#include "deploy/detail/fair.h"
#include "deploy/detail/trial.h"
#include "durable/input.h"
#include "store/memory.h"

namespace koi::deploy {
namespace {

std::string with_packets(const std::string& packet, const std::string& gives) {
  return R"(policy { time zone "Asia/Shanghai"  currency CNY }
customer { identify by openid }
event grab { openid: text? }
channel wechat { reach by openid }
points stars { budget 500_000 }
)" + packet +
         "\ncampaign gives { class service  enter always  when grab " + gives + " }\n";
}

// What leaves: payments, and everything by its key, whatever life has decided it.
class Handed final : public durable::Deeds {
 public:
  struct One {
    std::string customer;
    core::Action action{}, of{};
    core::Reason reason{};
    std::int64_t money = 0;
    std::string code;
    Timestamp time{};
  };
  void take(store::Group, std::vector<durable::Deed> deeds) override {
    const std::lock_guard lock(mutex_);  // groups recover side by side
    for (const durable::Deed& deed : deeds) {
      const core::Effect& effect = deed.effect;
      One one{deed.customer, effect.action, effect.of, effect.reason, 0, {}, effect.time};
      if (effect.gift) {
        one.code = effect.gift->code;
        if (effect.gift->amount.kind() == Kind::Money) one.money = effect.gift->amount.raw();
      }
      all.emplace(effect.key, one);
      if (effect.gift && effect.wants_receipt) open.emplace(effect.key, deed.customer);
    }
  }
  void refused(store::Group, const core::State& customer) override {
    const std::lock_guard lock(mutex_);
    refusals.insert(customer.id);
  }
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }

  std::size_t count(core::Action action, core::Reason reason = core::Reason::None) const {
    std::size_t count = 0;
    for (const auto& [key, one] : all) count += one.action == action && one.reason == reason;
    return count;
  }
  std::int64_t money() const {
    std::int64_t money = 0;
    for (const auto& [key, one] : all)
      if (one.action == core::Action::Give) money += one.money;
    return money;
  }
  std::map<Hash128, One> all;
  std::map<Hash128, std::string> open;
  std::set<std::string> refusals;

 private:
  std::mutex mutex_;
};

using Bytes = std::map<std::string, std::string>;

class Town;
void replay(Town& town, durable::Writer& writer, store::Group group);

// A server by hand.
class Town {
 public:
  Town(const std::string& program, std::uint16_t groups, std::uint32_t seed,
       std::uint64_t budget = 8u << 20)
      : groups_{groups}, plan_(plan_of(trial_bundle(program))), chance_(seed), budget_(budget) {
    start();
  }

  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(chance_);
  }
  // One letter in so many is lost, one in so many comes twice; 0: none.
  void lose_one_in(std::size_t many) { lost_ = many; }

  void submit(std::vector<durable::Given> given) {
    if (given.empty()) return;
    auto taken = writers_->submit(std::move(given), {});
    if (!taken) {
      ASSERT_EQ(taken.error().code, "busy");
      come_to_rest();
      for (store::Group group = 0; group < groups_.count; ++group)
        ASSERT_TRUE(writers_->checkpoint(group));
      ASSERT_TRUE(writers_->submit(std::move(given), {}));
    }
  }
  // As the door does: what codes in it lead to is found first, and whose its identifiers are.
  void submit(Told told, const std::vector<std::string>& openids = {}) {
    Event event = event_of(plan_, told);
    for (const std::string& each : openids) {
      const Identifier openid{IdentifierId::of(0), each};
      const std::string& owner = owners_.try_emplace(each, told.customer).first->second;
      if (owner == told.customer)
        event.identifiers.push_back(openid);
      else
        event.met.push_back({openid, owner, openid.kind});
    }
    std::vector<std::string> codes;
    for (const auto& [name, value] : told.fields)
      if (name == "code" || name == "invited_by") codes.emplace_back(value.as_text());
    if (groups_.count > 1 && !codes.empty()) {
      // Where whoever has the code is on his way to another group, the door asks for patience.
      if (!can_find(codes)) come_to_rest();
      writers_->find_places(codes, [&](Result<std::vector<CodePlace>> found) {
        ASSERT_TRUE(found);
        event.places = *std::move(found);
      });
    }
    std::vector<durable::Given> given;
    given.emplace_back(std::move(event));
    submit(std::move(given));
  }

  bool can_find(const std::vector<std::string>& codes) {
    bool can = false;
    writers_->find_places(codes, [&](const Result<std::vector<CodePlace>>& found) {
      can = found || found.error().code != "moved";
    });
    return can;
  }

  // One thing that a process does, or that happens to it.
  void go_on(bool with_kills) {
    const auto group = static_cast<store::Group>(below(groups_.count));
    switch (below(with_kills ? 24 : 18)) {
      case 0:
      case 1:
      case 2:
      case 3: ASSERT_TRUE(writers_->write()); break;
      case 4:
      case 5:
      case 6: ASSERT_TRUE(writers_->sync()); break;
      case 7: ASSERT_TRUE(writers_->resend()); break;
      case 8: ASSERT_TRUE(writers_->checkpoint(group)); break;
      case 20:
        store_.fail_at(0, below(2) == 0);
        ASSERT_FALSE(writers_->checkpoint(group));
        store_.revive();
        kill();
        break;
      case 21:
      case 22: kill(); break;
      default: ASSERT_TRUE(writers_->step(group)); break;
    }
  }
  void kill() {
    writers_.reset();
    start();
  }
  // Nothing is lost any more, and everything comes to its end.
  void come_to_rest() {
    const std::size_t lost = std::exchange(lost_, 0);
    ASSERT_TRUE(writers_->resend());
    for (bool more = true; more;) {
      more = *writers_->commit();
      for (store::Group group = 0; group < groups_.count; ++group)
        while (*writers_->step(group)) more = true;
      more = more || writers_->figures().letters > 0;
    }
    lost_ = lost;
  }
  void expect_at_rest() {
    EXPECT_EQ(writers_->figures().letters, 0u);
    EXPECT_EQ(writers_->figures().undecided, 0u);
    for (store::Group group = 0; group < groups_.count; ++group)
      EXPECT_TRUE(writers_->writer(group).waiting().empty());
  }
  void pass(Duration time) { now_ = now_ + time; }

  // What each group's journal alone says, in one go and with all the memory there is, is what is
  // stored.
  void expect_as_replayed() {
    for (store::Group group = 0; group < groups_.count; ++group) {
      ASSERT_TRUE(writers_->checkpoint(group));
      ASSERT_TRUE(writers_->checkpoint(group));  // and what has arrived is no row any more
    }
    Handed again;
    const match::Index index = match::Index::build(plan_);
    for (store::Group group = 0; group < groups_.count; ++group) {
      store::MemoryStore nothing{groups_};
      durable::Writer writer(plan_, index, nothing, groups_, group, 1u << 30, again);
      writer.letters().keep_none();
      replay(*this, writer, group);
      Bytes stored, replayed;
      const auto shared = *memory_.shared_behind(group, "", SIZE_MAX);
      for (const store::Shared& each : shared) stored[each.key] = each.bytes;
      for (const store::Shared& each : writer.freeze_shared())
        if (!each.bytes.empty()) replayed[each.key] = each.bytes;
      for (const auto& [key, bytes] : stored)
        EXPECT_EQ(replayed[key], bytes) << "at " << key << " of group " << group;
      for (const auto& [key, bytes] : replayed)
        EXPECT_EQ(stored[key], bytes) << "at " << key << " of group " << group;
      const core::Codec codec(plan_);
      for (std::size_t partition = group; partition < partition_count; partition += groups_.count) {
        const auto customers = *memory_.scan(static_cast<Partition>(partition), "", 10'000);
        for (const store::Saved& saved : customers) {
          core::State* state =
              *writer.customers().of(static_cast<Partition>(partition), saved.customer);
          EXPECT_EQ(saved.bytes, codec.encode(*state)) << saved.customer;
          EXPECT_EQ(saved.due, core::next_due(*state)) << saved.customer;
          writer.customers().unchanged();
        }
      }
    }
    EXPECT_EQ(again.all.size(), handed.all.size());
    for (const auto& [key, one] : again.all) EXPECT_TRUE(handed.all.contains(key));
  }

  // Over all groups together, what is out of each pot.
  std::map<ledger::Pot, std::int64_t> outs() const {
    std::map<ledger::Pot, std::int64_t> outs;
    for (store::Group group = 0; group < groups_.count; ++group) {
      const auto shared = *memory_.shared_behind(group, "", SIZE_MAX);
      for (const store::Shared& each : shared) {
        const auto entry = core::books::read(each.key, each.bytes);
        EXPECT_TRUE(entry) << each.key;
        const auto* balance = entry ? std::get_if<core::books::Balance>(&*entry) : nullptr;
        if (!balance) continue;
        EXPECT_EQ(balance->balances.sum(), 0);
        outs[balance->pot] += balance->balances.out();
      }
    }
    return outs;
  }
  // Nothing is on its way with anybody.
  void expect_all_have_come() const {
    std::map<ledger::Pot, std::int64_t> transit;
    for (store::Group group = 0; group < groups_.count; ++group) {
      const auto shared = *memory_.shared_behind(group, "", SIZE_MAX);
      for (const store::Shared& each : shared) {
        const auto entry = core::books::read(each.key, each.bytes);
        if (const auto* balance = std::get_if<core::books::Balance>(&*entry))
          transit[balance->pot] += balance->balances[ledger::Stage::Transit];
      }
    }
    for (const auto& [pot, amount] : transit) EXPECT_EQ(amount, 0);
  }
  // Who he is by now, as the last checkpoints have it.
  std::string whoever(std::string customer) const {
    const core::Codec codec(plan_);
    for (int led = 0; led < 100; ++led) {
      const auto bytes = *memory_.load(partition_of(customer), customer);
      if (!bytes) return customer;
      const core::State state = *codec.decode(*bytes);
      if (core::gone_to(state) == nullptr) return customer;
      customer = *core::gone_to(state);
    }
    ADD_FAILURE() << customer << " leads to himself";
    return customer;
  }
  // Whoever brought somebody, or was brought, is known to the other side as who he is by now.
  void expect_friends_know_each_other() const {
    const core::Codec codec(plan_);
    for (std::size_t partition = 0; partition < partition_count; ++partition) {
      const auto customers = *memory_.scan(static_cast<Partition>(partition), "", 10'000);
      for (const store::Saved& saved : customers) {
        const core::State state = *codec.decode(saved.bytes);
        if (state.holdings.empty()) continue;
        for (const core::Binding& each : state.holdings[0].bindings)
          EXPECT_EQ(each.inviter, whoever(each.inviter)) << "who brought " << saved.customer;
        for (const core::Friend& each : state.holdings[0].friends)
          EXPECT_EQ(each.invitee, whoever(each.invitee)) << "a friend of " << saved.customer;
      }
    }
  }
  void expect_no_budget_is_passed() const {
    for (const auto& [pot, out] : outs())
      for (const plan::Budget& budget : plan_.budgets)
        if (budget.definition == pot.of) {
          EXPECT_LE(out, budget.amount) << budget.name;
        }
  }

  const plan::Plan& plan() const { return plan_; }
  durable::Writers& writers() { return *writers_; }
  store::MemoryJournal& journal() { return journal_; }
  store::MemoryStore& memory() { return memory_; }
  Timestamp now() const { return now_; }
  const store::Groups groups_;
  Handed handed;
  std::uint64_t rules_now = fair_rules;

  Result<std::unique_ptr<durable::Writers>> open() {
    durable::Settings settings;
    settings.budget = budget_;
    settings.timers_at_once = 3;
    settings.longest_batch = 7;
    // One after the other: what is handed on is written down without a lock, and a seed is one
    // story.
    settings.recovers_at_once = false;
    durable::World world{
        plan_, rules_now, journal_, store_, groups_, handed, [this] { return now_; }};
    world.carry = [this](const durable::Letter&) { return lost_ == 0 || below(lost_) != 0; };
    return durable::Writers::open(std::move(world), settings);
  }
  void close() { writers_.reset(); }

 private:
  void start() {
    auto opened = open();
    ASSERT_TRUE(opened) << opened.error().what;
    writers_ = *std::move(opened);
  }

  const plan::Plan plan_;
  std::mt19937 chance_;
  std::uint64_t budget_;
  std::size_t lost_ = 0;
  std::map<std::string, std::string> owners_;  // of openids: who had them first
  store::MemoryJournal journal_{groups_, 1};
  store::MemoryStore memory_{groups_};
  FailingStore store_{memory_};
  Timestamp now_ = trial_begin();
  std::unique_ptr<durable::Writers> writers_;
};

// The group's journal, row by row.
void replay(Town& town, durable::Writer& writer, store::Group group) {
  for (store::Position at = 1;;) {
    const auto rows = *town.journal().read(group, at, 1000);
    if (rows.empty()) break;
    at += rows.size();
    for (const store::Read& read : rows) {
      if (const auto opening = durable::decode_opening(read.row.bytes)) {
        writer.close();
        ASSERT_TRUE(writer.open(read.position, *opening));
        continue;
      }
      const auto given = durable::given_of(*durable::decode_input(town.plan(), read.row.bytes));
      const auto applied = writer.apply(read.position, read.row.partition, given);
      ASSERT_TRUE(applied) << applied.error().what;
    }
  }
  writer.close();
}

Told grab(Town& town, int number, const std::string& customer) {
  return {"grab",
          "e" + std::to_string(number),
          customer,
          town.now(),
          {{"openid", Value::text("o" + customer)}}};
}

TEST(Groups, OfAHundredYuanInOnesExactlyAHundredAreGivenAndTheNextOneIsRefused) {
  for (std::uint16_t groups = 2; groups <= 3; ++groups)
    for (std::uint32_t seed = 1; seed <= 6; ++seed) {
      SCOPED_TRACE(std::to_string(groups) + " groups, seed " + std::to_string(seed));
      Town town(with_packets("red_packet gift { amount ¥1.00  budget ¥100.00  pay via wechat }",
                             "give gift"),
                groups, seed);
      town.lose_one_in(seed % 2 == 0 ? 3 : 0);
      std::vector<Told> all;
      for (int number = 0; number < 130; ++number) {
        all.push_back(grab(town, number, "c" + std::to_string(town.below(40))));
        town.submit(all.back());
        for (std::size_t left = town.below(6); left > 0; --left) town.go_on(true);
      }
      // Who was not answered sends his event again.
      for (const Told& told : all) town.submit(told);
      town.come_to_rest();
      town.expect_at_rest();
      EXPECT_EQ(town.handed.count(core::Action::Give), 100u);
      EXPECT_EQ(town.handed.money(), 100'00);
      EXPECT_EQ(town.handed.count(core::Action::Refuse, core::Reason::Budget), 30u);
      town.expect_as_replayed();
    }
}

TEST(Groups, TheLastCentIsGivenWhereWhatIsLeftWillDo) {
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    Town town(with_packets("red_packet gift { amount random ¥0.30 to ¥8.88 average ¥2.00 "
                           " budget ¥100.00  pay via wechat }",
                           "give gift or what is left"),
              3, seed);
    town.lose_one_in(4);
    std::vector<Told> all;
    for (int number = 0; number < 120; ++number) {
      all.push_back(grab(town, number, "c" + std::to_string(town.below(40))));
      town.submit(all.back());
      for (std::size_t left = town.below(6); left > 0; --left) town.go_on(true);
    }
    for (const Told& told : all) town.submit(told);
    town.come_to_rest();
    town.expect_at_rest();
    EXPECT_EQ(town.handed.money(), 100'00);
    town.expect_as_replayed();
  }
}

// One batch of what some of thirty customers do, and of what became of payments. Where they meet,
// some of them are known by an openid alone, and others come with it.
void live_a_while(Town& town, int& number, bool they_meet = false) {
  town.pass(seconds(
      static_cast<std::int64_t>(town.below(3) == 0 ? town.below(20'000) : town.below(600))));
  const auto somebody = [&] {
    const bool is_named = !they_meet || town.below(2) == 0;
    return (is_named ? "c" : "openid:") + std::to_string(town.below(they_meet ? 15 : 30));
  };
  for (std::size_t left = town.below(5); left > 0; --left) {
    Told told{"register", "e" + std::to_string(++number), somebody(), town.now(), {}};
    switch (town.below(7)) {
      case 0:
        told.fields = {{"device", Value::text("d" + std::to_string(town.below(12)))},
                       {"openid", Value::text("o" + told.customer)},
                       {"invited_by", Value::text(core::invite_code(
                                          town.plan(), plan::ReferralId::of(0), somebody()))}};
        break;
      case 1:
      case 2:
        told.type = "order";
        told.fields = {{"amount", Value::money(static_cast<std::int64_t>(town.below(12'000)))}};
        break;
      case 3: told.type = "refund"; break;
      case 4: told.type = "grab"; break;
      case 5: told.type = "play"; break;
      default: {
        std::vector<std::string> codes;
        for (const auto& [key, one] : town.handed.all)
          if (!one.code.empty()) codes.push_back(one.code);
        if (codes.empty()) break;
        const std::string& code = codes[town.below(codes.size())];
        told.type = code.starts_with("RAIN") ? "redeemed" : "claimed";
        told.fields = {{"code", Value::text(code)}};
      }
    }
    std::vector<std::string> openids;
    if (told.customer.starts_with("openid:")) openids.push_back(told.customer.substr(7));
    if (they_meet && town.below(5) == 0) openids.push_back(std::to_string(town.below(15)));
    town.submit(std::move(told), openids);
  }
  std::vector<durable::Given> receipts;
  for (auto each = town.handed.open.begin(); each != town.handed.open.end();) {
    if (town.below(3) == 0) {
      ++each;
      continue;
    }
    const Failure failure = town.below(5) == 0 ? Failure::Failed : Failure::None;
    receipts.emplace_back(durable::ReceiptFor{each->second, {each->first, town.now(), failure}});
    each = town.handed.open.erase(each);
  }
  town.submit(std::move(receipts));
}

TEST(Groups, RandomLivesOfFriendsInSeveralGroupsPassNoBudgetAndAreWhatEachJournalSays) {
  const char* many = std::getenv("KOI_CRASHES");
  const std::uint32_t seeds = many ? static_cast<std::uint32_t>(std::atoi(many)) / 5 : 8;
  std::uint64_t letters = 0;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    Town town(fair(), static_cast<std::uint16_t>(2 + seed % 3), seed,
              seed % 2 == 0 ? 160u << 10 : 8u << 20);
    town.lose_one_in(seed % 3 == 0 ? 4 : 0);
    int number = 0;
    for (int turn = 0; turn < 60; ++turn) {
      live_a_while(town, number);
      for (std::size_t left = town.below(25); left > 0; --left) town.go_on(true);
    }
    town.come_to_rest();
    town.expect_at_rest();
    town.expect_as_replayed();
    town.expect_no_budget_is_passed();
    // It was a life: friends of other groups were brought, and money was refused for want of it.
    EXPECT_GT(town.handed.count(core::Action::Give), 20u);
    for (store::Group from = 0; from < town.groups_.count; ++from)
      for (store::Group to = 0; to < town.groups_.count; ++to)
        letters += town.writers().writer(from).letters().last(to);
  }
  EXPECT_GT(letters, 50u * seeds);
}

TEST(Groups, RandomLivesOfFriendsWhoTurnOutToBeOnePersonPassNoBudgetAndAreWhatEachJournalSays) {
  const char* many = std::getenv("KOI_CRASHES");
  const std::uint32_t seeds = many ? static_cast<std::uint32_t>(std::atoi(many)) / 5 : 12;
  std::uint64_t merged = 0, gives = 0;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    Town town(fair(), static_cast<std::uint16_t>(2 + seed % 3), seed,
              seed % 2 == 0 ? 160u << 10 : 8u << 20);
    town.lose_one_in(seed % 3 == 0 ? 4 : 0);
    int number = 0;
    for (int turn = 0; turn < 60; ++turn) {
      live_a_while(town, number, true);
      for (std::size_t left = town.below(25); left > 0; --left) town.go_on(true);
    }
    town.come_to_rest();
    town.expect_at_rest();
    town.expect_as_replayed();
    town.expect_no_budget_is_passed();
    town.expect_all_have_come();
    gives += town.handed.count(core::Action::Give);
    // A code is known where whoever has it is, and nowhere else.
    for (const auto& [key, one] : town.handed.all)
      if (!one.code.empty() && one.action == core::Action::Give)
        town.writers().find_places({one.code}, [&](Result<std::vector<CodePlace>> found) {
          ASSERT_TRUE(found);
          EXPECT_LE(found->size(), 1u) << one.code;
          for (const CodePlace& each : *found)
            EXPECT_EQ(each.customer, town.whoever(one.customer)) << one.code;
        });
    merged += town.handed.count(core::Action::Merge);
  }
  EXPECT_GT(merged, 3u * seeds);
  EXPECT_GT(gives, 20u * seeds);
}

// What has been decided for each person, whoever he was then and in whatever order.
std::multiset<std::string> decided_for_each(const Town& town) {
  std::multiset<std::string> all;
  for (const auto& [key, one] : town.handed.all)
    all.insert(town.whoever(one.customer) + ": " + std::string(name_of(one.action)) + " " +
               std::string(name_of(one.of)) + " " + std::string(name_of(one.reason)) + " " +
               std::to_string(one.money));
  return all;
}

// What one of them has and the other has not.
std::vector<std::string> differences(const Town& one, const Town& other) {
  const auto mine = decided_for_each(one), others = decided_for_each(other);
  std::vector<std::string> found;
  std::set_symmetric_difference(mine.begin(), mine.end(), others.begin(), others.end(),
                                std::back_inserter(found));
  return found;
}

TEST(Groups, LivesOfFriendsWhoTurnOutToBeOnePersonAreThoseOfOneGroupWhereEverythingComesToRest) {
  constexpr std::uint32_t seeds = 40;
  std::uint64_t merged = 0;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    Town one(fair(), 1, seed), many(fair(), static_cast<std::uint16_t>(2 + seed % 3), seed + 100);
    const auto both = [&](auto what) { what(one), what(many); };
    const auto rest = [&](Town& town) {
      town.come_to_rest();
      for (store::Group group = 0; group < town.groups_.count; ++group)
        ASSERT_TRUE(town.writers().checkpoint(group));
    };
    // Up to then one timer after the other, so that nobody's comes before another's by chance.
    const auto wait = [&](Duration time) {
      const Timestamp until = one.now() + time;
      for (Timestamp next = one.now(); next < until;) {
        next = until;
        both([&](Town& town) {
          for (store::Group group = 0; group < town.groups_.count; ++group)
            next = std::min(next, *town.writers().writer(group).next_due() + microseconds(1));
        });
        next = std::max(next, one.now() + microseconds(1));
        both([&](Town& town) { town.pass(next - town.now()), rest(town); });
      }
    };
    // Codes are numbered otherwise where groups have numbers of their own.
    const auto codes_of = [](const Town& town) {
      std::map<std::tuple<std::string, core::Action, Timestamp>, std::string> codes;
      for (const auto& [key, each] : town.handed.all)
        if (!each.code.empty() && each.action == core::Action::Give)
          codes.emplace(std::tuple(town.whoever(each.customer), each.action, each.time), each.code);
      return codes;
    };
    const auto somebody = [&] {
      return (one.below(2) == 0 ? "c" : "openid:") + std::to_string(one.below(10));
    };
    for (int number = 0; number < 90; ++number) {
      wait(seconds(
          static_cast<std::int64_t>(one.below(4) == 0 ? one.below(20'000) : one.below(600))));
      Told told{"register", "e" + std::to_string(number), somebody(), one.now(), {}};
      Told same = told;
      switch (one.below(7)) {
        case 0:
        case 1:
          told.fields = {{"device", Value::text("d" + std::to_string(one.below(8)))},
                         {"invited_by", Value::text(core::invite_code(
                                            one.plan(), plan::ReferralId::of(0), somebody()))}};
          break;
        case 2:
          told.type = "order";
          told.fields = {{"amount", Value::money(static_cast<std::int64_t>(one.below(12'000)))}};
          break;
        case 3: told.type = one.below(3) == 0 ? "refund" : "play"; break;
        case 4: told.type = "grab"; break;
        default: {
          const auto codes = codes_of(one), others = codes_of(many);
          if (codes.empty()) break;
          const auto place =
              std::next(codes.begin(), static_cast<std::ptrdiff_t>(one.below(codes.size())));
          const auto other = others.find(place->first);
          ASSERT_NE(other, others.end());
          told.type = place->second.starts_with("RAIN") ? "redeemed" : "claimed";
          told.fields = {{"code", Value::text(place->second)}};
          same.fields = {{"code", Value::text(other->second)}};
        }
      }
      if (same.fields.empty()) same.fields = told.fields;
      same.type = told.type;
      std::vector<std::string> openids;
      if (told.customer.starts_with("openid:")) openids.push_back(told.customer.substr(7));
      if (one.below(4) == 0) openids.push_back(std::to_string(one.below(10)));
      one.submit(std::move(told), openids);
      many.submit(same, openids);
      many.lose_one_in(seed % 2 == 0 ? 4 : 0);
      for (std::size_t left = many.below(15); left > 0; --left) many.go_on(true);
      rest(many);
      many.submit(std::move(same), openids);  // it may have been killed before it was durable
      both(rest);
      // Payments are made or fail, some of them much later.
      both([&](Town& town) {
        std::vector<durable::Given> receipts;
        for (auto each = town.handed.open.begin(); each != town.handed.open.end();) {
          const auto& [key, customer] = *each;
          if (key.low % 3 == 0 && number % 7 != 0) {
            ++each;
            continue;
          }
          const Failure failure = key.low % 5 == 0 ? Failure::Failed : Failure::None;
          receipts.emplace_back(durable::ReceiptFor{customer, {key, town.now(), failure}});
          each = town.handed.open.erase(each);
        }
        town.submit(std::move(receipts));
        rest(town);
      });
      ASSERT_EQ(differences(many, one), std::vector<std::string>()) << "after input " << number;
      ASSERT_EQ(many.outs(), one.outs()) << "after input " << number;
    }
    many.expect_at_rest();
    many.expect_as_replayed();
    many.expect_all_have_come();
    merged += one.handed.count(core::Action::Merge);
  }
  EXPECT_GT(merged, 3u * seeds);
}

TEST(Groups, EachNameThatSomebodyHadLeadsHisFriendsToWhoHeIsByNow) {
  for (std::uint16_t groups = 1; groups <= 5; ++groups) {
    SCOPED_TRACE(std::to_string(groups) + " groups");
    Town town(fair(), groups, groups);
    int number = 0;
    const auto comes = [&](const std::string& customer, const std::string& type,
                           std::map<std::string, Value> fields,
                           const std::vector<std::string>& openids) {
      town.pass(seconds(1));
      const std::string id = "e" + std::to_string(++number);
      town.submit({type, id, customer, town.now(), std::move(fields)}, openids);
      town.come_to_rest();
    };
    const auto code_of = [&](const std::string& customer) {
      return core::invite_code(town.plan(), plan::ReferralId::of(0), customer);
    };
    const auto brought_by = [&](const std::string& customer) {
      comes("friend", "register", {{"invited_by", Value::text(code_of(customer))}}, {});
    };
    for (const char* each : {"1", "2", "3", "4"})
      comes("openid:" + std::string(each), "refund", {}, {each});
    brought_by("openid:4");
    comes("friend", "order", {{"amount", Value::money(10'00)}}, {});
    // The later one goes each time, with all the names that he has had.
    comes("openid:3", "refund", {}, {"3", "4"});
    comes("openid:2", "refund", {}, {"2", "3"});
    comes("openid:1", "refund", {}, {"1", "2"});
    EXPECT_EQ(town.handed.count(core::Action::Merge), 3u);
    for (const char* each : {"openid:1", "openid:2", "openid:3", "openid:4"}) {
      town.writers().find_places({code_of(each)}, [&](Result<std::vector<CodePlace>> found) {
        ASSERT_TRUE(found);
        ASSERT_EQ(found->size(), 1u) << each;
        EXPECT_EQ(found->front().customer, "openid:1") << each;
      });
      brought_by(each);  // by whom he was brought before
    }
    EXPECT_EQ(town.handed.count(core::Action::Refuse, core::Reason::BoundBefore), 0u);
    brought_by("friend");
    EXPECT_EQ(town.handed.count(core::Action::Refuse, core::Reason::BoundBefore), 1u);
    town.expect_as_replayed();
    town.expect_friends_know_each_other();
  }
}

TEST(Groups, OtherRulesAreRefusedWhileLettersAreOnTheirWayAndServeWhenTheyHaveArrived) {
  Town town(fair(), 3, 5);
  int number = 0;
  town.lose_one_in(1);
  for (int turn = 0; turn < 500 && town.writers().figures().letters == 0; ++turn) {
    live_a_while(town, number);
    for (std::size_t left = 10; left > 0; --left) town.go_on(false);
  }
  for (bool more = true; more;) {
    more = *town.writers().commit();
    for (store::Group group = 0; group < town.groups_.count; ++group)
      while (*town.writers().step(group)) more = true;
  }
  for (store::Group group = 0; group < town.groups_.count; ++group)
    ASSERT_TRUE(town.writers().checkpoint(group));
  town.close();
  town.rules_now = fair_rules + 1;
  auto refused = town.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "rules");
  town.rules_now = fair_rules;
  town.kill();
  town.come_to_rest();
  ASSERT_TRUE(town.writers().finish());
  town.close();
  town.rules_now = fair_rules + 1;
  EXPECT_TRUE(town.open());
}

// Everything that can be done is done, but letters.
void do_all(Town& town) {
  for (bool more = true; more;) {
    more = *town.writers().commit();
    for (store::Group group = 0; group < town.groups_.count; ++group)
      while (*town.writers().step(group)) more = true;
  }
}

std::string packet_of_ones() {
  return with_packets("red_packet gift { amount ¥1.00  budget ¥100.00  pay via wechat }",
                      "give gift");
}

// Customers who wait, since no letter arrives.
std::vector<std::string> let_some_wait(Town& town) {
  town.lose_one_in(1);
  for (int number = 0; number < 12; ++number)
    town.submit(grab(town, number, "c" + std::to_string(number)));
  do_all(town);
  std::vector<std::string> waiting;
  for (store::Group group = 0; group < town.groups_.count; ++group)
    town.writers().writer(group).waiting().for_each_customer(
        [&](const durable::Waited& first) { waiting.push_back(first.customer); });
  return waiting;
}

TEST(Groups, ARefusalThatHasToWaitWithdrawsAtOnceWhatWouldReachTheCustomer) {
  Town town(packet_of_ones(), 2, 1);
  const std::vector<std::string> waiting = let_some_wait(town);
  ASSERT_FALSE(waiting.empty());
  const std::string& who = waiting.front();
  const std::size_t undecided = town.writers().figures().undecided;
  EXPECT_EQ(undecided, waiting.size());
  Event refusal;
  refusal.id = "no more";
  refusal.type = type_of(EngineEvent::Unsubscribed);
  refusal.time = town.now();
  refusal.customer = who;
  refusal.fields.resize(town.plan().schema[refusal.type].fields.size());
  std::vector<durable::Given> given;
  given.emplace_back(std::move(refusal));
  town.submit(std::move(given));
  do_all(town);
  EXPECT_EQ(town.writers().figures().undecided, undecided + 1);
  EXPECT_EQ(town.handed.refusals, std::set<std::string>{who});
  town.kill();
  EXPECT_EQ(town.writers().figures().undecided, undecided + 1);
  town.lose_one_in(0);
  town.come_to_rest();
  town.expect_at_rest();
  EXPECT_EQ(town.handed.count(core::Action::Give), 12u);
}

TEST(Groups, WhatCrashesWhenItIsTriedAgainIsSetAsideByItselfAndTheOthersGoOn) {
  Town town(packet_of_ones(), 2, 1);
  const std::vector<std::string> waiting = let_some_wait(town);
  town.lose_one_in(0);
  town.come_to_rest();
  // Where somebody was tried again: at the letter that brought the loan to his group.
  std::string who;
  store::Position lent = 0;
  for (const std::string& each : waiting) {
    const auto rows = *town.journal().read(town.groups_.group_of(partition_of(each)), 1, 10'000);
    for (const store::Read& read : rows) {
      const auto input = *durable::decode_input(town.plan(), read.row.bytes);
      const auto* letter = std::get_if<durable::LetterFrom>(&input);
      const auto* loan = letter ? std::get_if<core::Loan>(&letter->told) : nullptr;
      if (lent == 0 && loan && loan->kind == core::Loan::Kind::Lend)
        lent = read.position, who = each;
    }
  }
  ASSERT_GT(lent, 0u);
  const Partition partition = partition_of(who);
  const store::Group group = town.groups_.group_of(partition);
  Handed again;
  const match::Index index = match::Index::build(town.plan());
  store::MemoryStore nothing{town.groups_};
  durable::Writer writer(town.plan(), index, nothing, town.groups_, group, 1u << 30, again);
  writer.leave_out({{lent, store::place_of(partition, who) + 1}});
  std::size_t own = 0;
  for (const auto& [key, one] : town.handed.all)
    own += one.action == core::Action::Give &&
           town.groups_.group_of(partition_of(one.customer)) == group;
  replay(town, writer, group);
  EXPECT_TRUE(writer.waiting().empty());
  EXPECT_EQ(again.count(core::Action::Give), own - 1);
  for (const auto& [key, one] : again.all) EXPECT_NE(one.customer, who);
}

TEST(Groups, ACallIsAnsweredWhenTheGiverInAnotherGroupHasSaid) {
  Town town(fair(), 3, 1);
  for (int i = 0; i < 12; ++i)
    town.submit({"order",
                 "o" + std::to_string(i),
                 "c" + std::to_string(i),
                 town.now(),
                 {{"amount", Value::money(90'00)}}});
  town.come_to_rest();
  std::string code, giver;
  for (const auto& [key, one] : town.handed.all)
    if (one.action == core::Action::Give && !one.code.empty())
      code = one.code, giver = one.customer;
  ASSERT_FALSE(code.empty());
  std::string friend_of_his;
  for (int i = 0; friend_of_his.empty(); ++i)
    if (const std::string id = "f" + std::to_string(i);
        town.groups_.group_of(partition_of(id)) != town.groups_.group_of(partition_of(giver)))
      friend_of_his = id;
  core::Call claim;
  claim.kind = core::Call::Kind::Claim;
  claim.id = "till 7, receipt 12";
  claim.customer = friend_of_his;
  claim.code = code;
  town.writers().find_places({code}, [&](Result<std::vector<CodePlace>> found) {
    ASSERT_TRUE(found);
    claim.places = *std::move(found);
  });
  ASSERT_EQ(claim.places.size(), 1u);
  EXPECT_EQ(claim.places[0].customer, giver);
  std::optional<core::Answer> answer;
  const auto ask = [&] {
    std::vector<durable::Given> given;
    given.emplace_back(claim);
    ASSERT_TRUE(
        town.writers().submit(std::move(given), [&](Result<std::vector<durable::Answer>> answers) {
          if (answers && answers->front().call) answer = *answers->front().call;
        }));
  };
  town.lose_one_in(1);
  ask();
  do_all(town);
  EXPECT_FALSE(answer) << "nobody has said anything yet";
  town.kill();  // and nobody will tell this caller, who asks again
  ask();
  do_all(town);
  EXPECT_FALSE(answer);
  town.lose_one_in(0);
  town.come_to_rest();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reason, core::Reason::None);
  EXPECT_GT(answer->amount, 0);
  const core::Answer first = *std::exchange(answer, std::nullopt);
  ask();
  town.come_to_rest();
  EXPECT_EQ(answer, first);
}

// Seed 1490 of the simulator's worlds over groups: it was on its way for ever.
TEST(Groups, ACallIsAnsweredWhereTheGiverCannotDecideIt) {
  Town town(fair(), 2, 1);
  std::string code, giver;
  for (int i = 0; code.empty(); ++i) {
    town.submit({"order",
                 "o" + std::to_string(i),
                 "c" + std::to_string(i),
                 town.now(),
                 {{"amount", Value::money(90'00)}}});
    town.come_to_rest();
    for (const auto& [key, one] : town.handed.all)
      if (one.action == core::Action::Give && !one.code.empty())
        code = one.code, giver = one.customer;
  }
  const store::Group givers = town.groups_.group_of(partition_of(giver));
  core::Call claim;
  claim.kind = core::Call::Kind::Claim;
  claim.id = "till 7, receipt 12";
  claim.code = code;
  for (int i = 0; claim.customer.empty(); ++i)
    if (const std::string id = "f" + std::to_string(i);
        town.groups_.group_of(partition_of(id)) != givers)
      claim.customer = id;
  town.writers().find_places({code}, [&](Result<std::vector<CodePlace>> found) {
    ASSERT_TRUE(found);
    claim.places = *std::move(found);
  });
  std::optional<core::Answer> answer;
  const auto ask = [&] {
    std::vector<durable::Given> given;
    given.emplace_back(claim);
    ASSERT_TRUE(
        town.writers().submit(std::move(given), [&](Result<std::vector<durable::Answer>> answers) {
          if (answers && answers->front().call) answer = *answers->front().call;
        }));
  };
  const store::Position before = *town.journal().last(givers);
  ask();
  for (int tries = 0; *town.journal().last(givers) == before; ++tries) {
    ASSERT_LT(tries, 10);
    ASSERT_TRUE(town.writers().commit());
    ASSERT_TRUE(town.writers().step(static_cast<store::Group>(1 - givers)));
  }
  // The letter is the last of its batch, and crashes the process; nobody was told anything.
  const store::Position letter = *town.journal().last(givers);
  town.close();
  ASSERT_TRUE(town.journal().set_aside(givers, *town.journal().take(givers), {letter, 0}));
  town.kill();
  ask();
  town.come_to_rest();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reason, core::Reason::Failed);
  town.expect_at_rest();
  // Under another key he may try once more.
  answer.reset();
  claim.id = "till 7, receipt 13";
  ask();
  town.come_to_rest();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reason, core::Reason::None);
}

TEST(Groups, ACleanStopLeavesNoTailAndNothingOpen) {
  const plan::Plan plan = plan_of(trial_bundle(packet_of_ones()));
  constexpr store::Groups groups{3};
  store::MemoryJournal journal{groups, 1};
  store::MemoryStore store{groups};
  Handed handed;
  const Timestamp now = trial_begin();
  std::atomic<int> answered = 0;
  {
    auto writers = *durable::Writers::open(
        {plan, fair_rules, journal, store, groups, handed, [now] { return now; }}, {});
    writers->start({});
    for (int number = 0; number < 130; ++number) {
      std::vector<durable::Given> given;
      given.emplace_back(event_of(plan, {"grab",
                                         "e" + std::to_string(number),
                                         "c" + std::to_string(number),
                                         now,
                                         {{"openid", Value::text("o" + std::to_string(number))}}}));
      ASSERT_TRUE(
          writers->submit(std::move(given), [&](Result<std::vector<durable::Answer>> answers) {
            EXPECT_TRUE(answers);
            ++answered;
          }));
    }
    ASSERT_TRUE(writers->stop());
    EXPECT_EQ(writers->figures().letters, 0u);
  }
  EXPECT_EQ(answered, 130);
  for (store::Group group = 0; group < groups.count; ++group) {
    EXPECT_EQ(*journal.last(group), *store.position(group));
    EXPECT_FALSE(*durable::has_open(store, group));
  }
  EXPECT_EQ(handed.count(core::Action::Give), 100u);
}

TEST(Groups, ABudgetIsGivenToItsEndOverADeploy) {
  Shop shop{.groups = {2}};
  int number = 0;
  const auto serve = [&](const std::string& program, int events) {
    Life life(shop, trial_bundle(program));
    for (int i = 0; i < events; ++i) {
      const std::string who = "c" + std::to_string(++number);
      life.take({{"grab", "e" + who, who, shop.now, {{"openid", Value::text("o" + who)}}}});
    }
    life.stop();
  };
  serve(packet_of_ones(), 70);
  serve(packet_of_ones() + "metric grabs = count grab\n", 60);
  std::map<ledger::Pot, std::int64_t> outs;
  for (store::Group group = 0; group < 2; ++group) {
    const auto shared = *shop.live.shared_behind(group, "b", 1'000);
    for (const store::Shared& each : shared) {
      const auto entry = core::books::read(each.key, each.bytes);
      const auto* balance = entry ? std::get_if<core::books::Balance>(&*entry) : nullptr;
      if (balance) outs[balance->pot] += balance->balances.out();
    }
  }
  ASSERT_EQ(outs.size(), 2u) << "the money, and how many packets it was";
  EXPECT_EQ(std::max(outs.begin()->second, outs.rbegin()->second), 100'00);
  EXPECT_EQ(std::min(outs.begin()->second, outs.rbegin()->second), 100);
}

}  // namespace
}  // namespace koi::deploy
