// What groups share, without ever exceeding it: worlds of two to five groups whose letters take
// their time, and what must hold in them at every moment.
#include "core/escrow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "core/accounts.h"
#include "core/detail/plan_for_tests.h"
#include "core/detail/shelf_for_tests.h"
#include "core/periods.h"
#include "model/codec.h"

namespace koi::core {
namespace {

using ledger::Stage;
using Content = decltype(ShelfForTests::rows);

constexpr auto total_budget = plan::BudgetId::of(0), daily_budget = plan::BudgetId::of(1),
               rolling_budget = plan::BudgetId::of(2), money_budget = plan::BudgetId::of(3),
               costs_budget = plan::BudgetId::of(4);
constexpr auto prize_draw = plan::IncentiveId::of(0), ten_off_coupon = plan::IncentiveId::of(1);
constexpr std::uint64_t numbers = 31 * 31 * 31;  // of `T-####`
constexpr std::int64_t stock = 3;
constexpr Duration rolling_span = hours(2);

plan::Plan shop() {
  PlanForTests made;
  plan::Plan& plan = made.plan;
  plan.schema.currency_decimals = 2;
  using Per = plan::Per;
  plan.budgets.push_back({"total", 101, true, 300, {Per::Kind::Ever, {}}});
  plan.budgets.push_back({"daily", 102, false, 40, {Per::Kind::Day, {}}});
  plan.budgets.push_back({"rolling", 103, false, 30, {Per::Kind::Rolling, {0, rolling_span}}});
  plan.budgets.push_back({"money", 104, true, 20, {Per::Kind::Ever, {}}, costs_budget});
  plan.budgets.push_back({"costs", 105, true, plan::unlimited, {Per::Kind::Ever, {}}, {}, true});
  plan.limits.push_back({201, false, 5, PlanForTests::city, {Per::Kind::Day, {}}});
  plan.limits.push_back({202, false, 3, PlanForTests::city, {Per::Kind::Ever, {}}});
  plan.incentives.resize(2);
  plan.incentives[0].symbol = {"wheel", ""};
  plan::PrizeDraw wheel;
  wheel.prizes.push_back({"car", {}, 0, 1, stock});
  plan.incentives[0].what = wheel;
  plan.incentives[1].symbol = {"ten off", ""};
  plan::Coupon ten_off;
  ten_off.pattern = "T-####";
  ten_off.pool = "codes";
  plan.incentives[1].what = ten_off;
  return plan;
}

// What a turn wants of one account.
struct Wish {
  enum class Kind : std::uint8_t { Budget, Message, Limit, Prize, Number, Code };
  Kind kind = Kind::Budget;
  plan::BudgetId budget = total_budget;
  std::size_t limit = 0;
  std::uint64_t value = 0;
  std::int64_t amount = 1;
  bool what_is_left = false;
};

struct Turn {
  std::vector<Wish> wishes;
  Timestamp now;
  std::vector<Lack> lacks;
};

class World {
 public:
  World(std::uint16_t groups, std::uint64_t seed, std::uint64_t rules = 7)
      : plan(shop()), random(seed), rules_(rules), groups_(groups) {
    for (std::uint16_t i = 0; i < groups; ++i) {
      shelves_.push_back(std::make_unique<ShelfForTests>());
      accounts.emplace_back();
      open(i);
    }
    letters_.resize(std::size_t{groups} * groups);
    waiting_.resize(groups);
  }

  std::uint64_t pick(std::uint64_t below) { return random() % below; }
  Accounts& in(std::uint16_t group) { return *accounts[group]; }

  // Everything it keeps goes to its shelf, and it begins anew from there.
  void restart(std::uint16_t group) {
    shelves_[group]->put(in(group));
    open(group);
  }
  void change_rules(std::uint64_t rules) {
    rules_ = rules;
    for (std::uint16_t i = 0; i < groups_; ++i) restart(i);
  }

  // All that a group keeps, as bytes.
  Content content(std::uint16_t group) const {
    ShelfForTests shelf = *shelves_[group];
    Accounts copy = *accounts[group];
    shelf.put(copy.freeze());
    return std::move(shelf.rows);
  }

  void attempt(std::uint16_t group, Turn turn) {
    if (!try_turn(group, turn)) waiting_[group].push_back(std::move(turn));
    settle(group);  // a turn that has begun a period may have answered for the one before
  }

  // What it has to tell others is on its way.
  void send(std::uint16_t group) {
    for (const auto& [to, loan] : in(group).take_loans()) {
      ByteWriter bytes;
      write(bytes, loan);
      letters_[std::size_t{group} * groups_ + to].push_back(bytes.take());
      ++letters;
    }
  }

  // False: there is none under way.
  bool deliver_one() {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < letters_.size(); ++i)
      if (!letters_[i].empty()) open.push_back(i);
    if (open.empty()) return false;
    const std::size_t which = open[pick(open.size())];
    const std::string bytes = letters_[which].front();
    letters_[which].pop_front();
    Loan loan;
    ByteReader reader(bytes);
    EXPECT_TRUE(read(reader, loan) && reader.at_end());
    const auto from = static_cast<std::uint16_t>(which / groups_),
               to = static_cast<std::uint16_t>(which % groups_);
    in(to).take(from, loan);
    settle(to);
    return true;
  }
  void deliver_all() {
    for (int steps = 0; deliver_one(); ++steps) ASSERT_LT(steps, 100'000) << "letters without end";
  }

  std::int64_t out(plan::BudgetId id, Timestamp begin = Timestamp::ever()) {
    std::int64_t all = 0;
    for (auto& each : accounts)
      all += each->ledger().balances({plan.budgets[id.index()].definition, begin}).out();
    return all;
  }
  std::int64_t counted(std::size_t limit, std::uint64_t value, Timestamp now) {
    std::int64_t all = 0;
    for (auto& each : accounts)
      all += used_of(each->counted(plan.limits[limit].definition, value), plan.limits[limit], now,
                     *plan.policy.zone);
    return all;
  }
  std::int64_t prizes() {
    std::int64_t all = 0;
    for (auto& each : accounts) all += each->prizes_given(prize_draw, 0);
    return all;
  }

  // --- What must hold

  void holds() {
    ASSERT_LE(out(total_budget), 300);
    ASSERT_LE(prizes(), stock);
    ASSERT_LE(out(money_budget) * 10'000 + out(costs_budget), 20 * 10'000);
    std::map<Timestamp, std::int64_t> days;
    for (auto& each : accounts)
      for (const auto& [pot, balances] : each->ledger().pots())
        if (pot.of == 102) days[pot.begin] += balances.out();
    for (const auto& [day, out_of] : days) ASSERT_LE(out_of, 40);
    // No stretch of that length has more.
    for (const auto& [begin, of] : taken_rolling_) {
      std::int64_t all = 0;
      for (auto place = taken_rolling_.find(begin);
           place != taken_rolling_.end() && place->first < begin + rolling_span; ++place)
        all += place->second;
      ASSERT_LE(all, 30);
    }
    // Wherever the codes are, on their way too.
    std::uint64_t known = 0, gone = 0;
    for (auto& each : accounts) {
      const auto figures = each->pool_figures("codes");
      known += figures.uploaded;
      gone += figures.given;
    }
    ASSERT_EQ(known, uploaded);
    ASSERT_EQ(gone, given.size());
    is_conserved();
  }

  // Slices, what is on the way and what the home has are all there is, and nobody has taken more
  // than his.
  void is_conserved() {
    struct Sum {
      std::map<std::uint16_t, std::int64_t> lent, held;
    };
    std::map<std::string, Sum> sums;
    for (std::uint16_t i = 0; i < groups_; ++i)
      for (const auto& [key, bytes] : content(i)) {
        if (key.front() != 'e') continue;
        const auto row = escrow_row(key, bytes);
        ASSERT_TRUE(row);
        ASSERT_EQ(encode(row->escrow), bytes);
        if (row->kind == EscrowRow::Kind::Limit)
          continue;  // of whose periods some groups know less
        Sum& sum = sums[row->account];
        sum.held[i] += row->escrow.slice;
        for (std::uint16_t g = 0; g < row->escrow.lent.size(); ++g)
          sum.lent[g] += row->escrow.lent[g];
      }
    for (std::size_t way = 0; way < letters_.size(); ++way)
      for (const std::string& bytes : letters_[way]) {
        Loan loan;
        ByteReader reader(bytes);
        ASSERT_TRUE(read(reader, loan));
        if (loan.account.front() == 'l') continue;
        if (loan.kind == Loan::Kind::Lend)
          sums[loan.account].held[static_cast<std::uint16_t>(way % groups_)] += loan.amount;
        if (loan.kind == Loan::Kind::Back)
          sums[loan.account].held[static_cast<std::uint16_t>(way / groups_)] += loan.amount;
      }
    for (auto& [account, sum] : sums)
      for (std::uint16_t g = 0; g < groups_; ++g)
        ASSERT_EQ(sum.lent[g], sum.held[g]) << "of group " << g << ", account " << account[0];
  }

  void is_quiet() {
    for (std::uint16_t i = 0; i < groups_; ++i) {
      ASSERT_TRUE(waiting_[i].empty()) << "somebody in group " << i << " waits for ever for "
                                       << waiting_[i].front().lacks.front().account;
      for (const auto& [key, bytes] : content(i)) {
        if (key.front() != 'e') continue;
        const Escrow record = escrow_row(key, bytes)->escrow;
        ASSERT_FALSE(record.is_open);
        ASSERT_EQ(record.next_want, 0);
        ASSERT_TRUE(record.waiting.empty());
        ASSERT_TRUE(record.awaited.empty());
      }
    }
  }

  plan::Plan plan;
  std::vector<std::unique_ptr<Accounts>> accounts;
  std::mt19937_64 random;
  std::set<std::uint64_t> issued;
  std::set<std::string> given;
  std::uint64_t uploaded = 0;
  bool is_monotonic = false;  // nothing comes back: then a refusal has to be right to the unit
  std::uint64_t granted = 0, refused = 0, undone = 0, letters = 0;

 private:
  void open(std::uint16_t group) {
    accounts[group] = std::make_unique<Accounts>(plan, rules_);
    in(group).keep_on(*shelves_[group], 4);
    in(group).share(group, groups_);
  }

  bool try_turn(std::uint16_t group, Turn& turn) {
    Accounts& mine = in(group);
    const bool compares = pick(4) == 0;
    Content before;
    if (compares) before = content(group);
    mine.begin_turn(turn.lacks);
    in_turn_ = 0;
    std::vector<std::function<void()>> notes;
    for (const Wish& each : turn.wishes) grant(group, each, turn.now, notes);
    if (!mine.lacks()) {
      mine.end_turn();
      for (const auto& note : notes) note();
      send(group);
      return true;
    }
    ++undone;
    auto lacks = mine.undo_turn();
    if (compares) {
      EXPECT_EQ(content(group), before) << "a turn that is undone leaves something";
    }
    for (Lack& each : turn.lacks)
      if (each.answered) lacks.push_back(each);
    mine.ask(lacks);
    turn.lacks = std::move(lacks);
    send(group);
    return false;
  }

  // What is answered, and who can go on because of it.
  void settle(std::uint16_t group) {
    for (;;) {
      send(group);
      const auto answers = in(group).take_answered();
      if (answers.empty()) return;
      for (const auto& answer : answers)
        for (Turn& turn : waiting_[group])
          for (auto lack = turn.lacks.begin(); lack != turn.lacks.end();) {
            const bool is_it =
                !lack->answered && lack->account == answer.account && lack->ask <= answer.up_to;
            if (is_it) lack->answered = answer.is_short;
            lack = is_it && !answer.is_short ? turn.lacks.erase(lack) : std::next(lack);
          }
      for (std::size_t left = waiting_[group].size(); left > 0; --left) {
        Turn turn = std::move(waiting_[group].front());
        waiting_[group].pop_front();
        const bool goes_on = std::all_of(turn.lacks.begin(), turn.lacks.end(),
                                         [](const Lack& each) { return each.answered; });
        if (!goes_on || !try_turn(group, turn)) waiting_[group].push_back(std::move(turn));
      }
    }
  }

  // What is noted counts when the turn has not been undone.
  void grant(std::uint16_t group, const Wish& wish, Timestamp now,
             std::vector<std::function<void()>>& notes) {
    Accounts& mine = in(group);
    const auto refuse = [&](std::int64_t left_over_all, std::int64_t want) {
      // What somebody waits with may be promised to him.
      std::int64_t promised = 0;
      for (const auto& turns : waiting_)
        for (const Turn& turn : turns)
          for (const Wish& each : turn.wishes)
            if (each.kind == wish.kind && each.budget == wish.budget) promised += each.amount;
      const bool is_right = !is_monotonic || left_over_all - promised < want;
      notes.push_back([this, is_right] {
        ++refused;
        EXPECT_TRUE(is_right) << "refused, though there was enough";
      });
    };
    const auto grant = [&](auto note) {
      notes.push_back([this, note] {
        ++granted;
        note();
      });
    };
    switch (wish.kind) {
      case Wish::Kind::Budget: {
        const std::int64_t left = mine.left(wish.budget, now, wish.amount);
        const std::int64_t amount =
            left >= wish.amount ? wish.amount : (wish.what_is_left ? left : 0);
        if (amount <= 0)
          return refuse(wish.budget == total_budget ? 300 - out(total_budget) : 0, wish.amount);
        mine.spend(wish.budget, amount, now, {});
        return grant([this, now, amount, of = wish.budget] {
          if (of == rolling_budget) taken_rolling_[now] += amount;
        });
      }
      case Wish::Kind::Message: {
        plan::Campaign campaign;
        campaign.budgets = {money_budget};
        plan.channels.resize(1);
        plan.channels[0].cost_millionths = wish.amount;
        const auto price = mine.price(campaign, plan::ChannelId::of(0), now);
        if (!price) return refuse(0, 1);
        for (const Charge& each : *price) {
          mine.post({now, each.pot, Stage::Budget, Stage::Reserved, each.amount, {}});
          mine.post({now, each.pot, Stage::Reserved, Stage::Given, each.amount, {}});
        }
        return grant([] {});
      }
      case Wish::Kind::Limit: {
        const plan::Limit& limit = plan.limits[wish.limit];
        if (mine.room(limit, wish.value, now, wish.amount) < wish.amount)
          return refuse(0, wish.amount);
        record(mine.counted(limit.definition, wish.value), limit, wish.amount, wish.value, now,
               *plan.policy.zone);
        const bool is_over = wish.limit == 1 && counted(1, wish.value, now) > limit.amount;
        return grant([is_over] { EXPECT_FALSE(is_over) << "more than the limit"; });
      }
      case Wish::Kind::Prize:
        if (!mine.has_prize(prize_draw, 0)) return refuse(stock - prizes(), 1);
        mine.prize_is_given(prize_draw, 0);
        return grant([] {});
      case Wish::Kind::Number: {
        if (!mine.has_number(ten_off_coupon, numbers))
          return refuse(static_cast<std::int64_t>(numbers - issued.size() - in_turn_), 1);
        const std::uint64_t number = mine.next_number(ten_off_coupon);
        ++in_turn_;
        return grant([this, number] {
          EXPECT_LT(number, numbers);
          EXPECT_TRUE(issued.insert(number).second) << "a number twice";
        });
      }
      case Wish::Kind::Code: {
        if (!mine.has_code("codes"))
          return refuse(static_cast<std::int64_t>(uploaded - given.size() - in_turn_), 1);
        const std::string code = mine.take_code("codes");
        ++in_turn_;
        return grant([this, code] {
          EXPECT_FALSE(code.empty());
          EXPECT_TRUE(given.insert(code).second) << "a code twice";
        });
      }
    }
  }

  std::uint64_t rules_;
  std::uint16_t groups_;
  std::uint64_t in_turn_ = 0;  // numbers and codes that the turn at hand has taken
  std::vector<std::unique_ptr<ShelfForTests>> shelves_;
  std::vector<std::deque<std::string>> letters_;
  std::vector<std::deque<Turn>> waiting_;
  std::map<Timestamp, std::int64_t> taken_rolling_;
};

constexpr Timestamp morning{1'800'000'000'000'000};

Wish random_wish(World& world) {
  Wish wish;
  switch (world.pick(8)) {
    case 0:
      wish.kind = Wish::Kind::Message, wish.amount = 1 + std::int64_t(world.pick(9'000));
      break;
    case 1:
    case 2:
      wish.kind = Wish::Kind::Limit;
      wish.limit = world.pick(2);
      wish.value = 1 + world.pick(4);
      break;
    case 3: wish.kind = Wish::Kind::Prize; break;
    case 4: wish.kind = Wish::Kind::Number; break;
    case 5: wish.kind = Wish::Kind::Code; break;
    default:
      wish.budget = plan::BudgetId::of(world.pick(4));
      wish.amount = 1 + std::int64_t(world.pick(wish.budget == total_budget ? 20 : 6));
      wish.what_is_left = world.pick(3) == 0;
  }
  return wish;
}

Turn random_turn(World& world, Timestamp now) {
  Turn turn;
  turn.now = now - seconds(std::int64_t(world.pick(600)));
  for (std::uint64_t left = 1 + world.pick(3); left > 0; --left)
    turn.wishes.push_back(random_wish(world));
  return turn;
}

class WorldOf : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(WorldOf, GroupsNeverTakeMoreThanThereIsAndGiveTheLastOfIt) {
  World world(static_cast<std::uint16_t>(2 + GetParam() % 4), GetParam());
  const auto groups = static_cast<std::uint16_t>(world.accounts.size());
  const bool has_returns = GetParam() % 3 == 0;
  world.is_monotonic = !has_returns;
  std::vector<std::string> codes;
  for (int i = 0; i < 40; ++i) codes.push_back("UP-" + std::to_string(i));
  world.uploaded = world.in(0).stock("codes", codes);
  Timestamp now = morning;
  for (int step = 0; step < 400; ++step) {
    now = now + seconds(std::int64_t(world.pick(300)));
    if (step == 200) world.uploaded += world.in(0).stock("codes", {"UP-0", "UP-40", "UP-41"});
    const auto group = static_cast<std::uint16_t>(world.pick(groups));
    switch (world.pick(12)) {
      case 0: world.restart(group); break;
      case 1:
        if (has_returns) {
          const ledger::Pot pot{101, Timestamp::ever()};
          const std::int64_t there = world.in(group).ledger().balances(pot)[Stage::Given];
          if (there > 0)
            world.in(group).post({now,
                                  pot,
                                  Stage::Given,
                                  Stage::Returned,
                                  1 + std::int64_t(world.pick(std::uint64_t(there))),
                                  {}});
        }
        break;
      case 2:
      case 3:
      case 4:
      case 5: world.attempt(group, random_turn(world, now)); break;
      default: world.deliver_one();
    }
    world.holds();
    if (HasFailure()) return;
  }
  world.deliver_all();
  world.holds();
  world.is_quiet();
  EXPECT_GT(world.granted, 0u);
  // What is left is there for whoever asks, wherever he is.
  const auto take_all = [&](const Wish& wish) {
    for (int tries = 0; tries < 400; ++tries) {
      const std::uint64_t before = world.granted;
      for (std::uint16_t i = 0; i < groups; ++i) {
        world.attempt(static_cast<std::uint16_t>((i + tries) % groups), {{wish}, now, {}});
        world.deliver_all();
      }
      if (world.granted == before) break;
    }
  };
  take_all({Wish::Kind::Budget, total_budget});
  EXPECT_EQ(world.out(total_budget), 300);
  take_all({Wish::Kind::Budget, daily_budget});
  EXPECT_EQ(
      world.out(daily_budget, begin_of(world.plan.budgets[1].per, now, *world.plan.policy.zone)),
      40);
  take_all({Wish::Kind::Limit, total_budget, 1, 1});
  EXPECT_EQ(world.counted(1, 1, now), 3);
  take_all({Wish::Kind::Limit, total_budget, 0, 2});
  EXPECT_EQ(world.counted(0, 2, now), 5);
  take_all({Wish::Kind::Prize});
  EXPECT_EQ(world.prizes(), stock);
  if (GetParam() == 1) {
    for (int i = 0; i < 400 && world.issued.size() < numbers; ++i) {
      const std::uint64_t some = std::min<std::uint64_t>(500, numbers - world.issued.size());
      world.attempt(static_cast<std::uint16_t>(world.pick(groups)),
                    {std::vector<Wish>(some, Wish{Wish::Kind::Number}), now, {}});
      world.deliver_all();
    }
    EXPECT_EQ(world.issued.size(), numbers);
  }
  take_all({Wish::Kind::Code});
  EXPECT_EQ(world.given.size(), 42u);
  take_all({Wish::Kind::Message, total_budget, 0, 0, 1'000});
  EXPECT_GT(world.out(money_budget) * 10'000 + world.out(costs_budget), 20 * 10'000 - 1'000);
  now = now + days(1);
  take_all({Wish::Kind::Budget, rolling_budget});
  EXPECT_EQ(
      world.out(rolling_budget, pot_begin(world.plan.budgets[2].per, now, *world.plan.policy.zone)),
      30);
  world.holds();
  world.is_quiet();
}

INSTANTIATE_TEST_SUITE_P(Seeds, WorldOf, ::testing::Range<std::uint64_t>(1, 31));

// --- By hand ------------------------------------------------------------------------------------

const std::vector<std::uint16_t> two{0, 1}, three{0, 1, 2};

Turn wanting(Wish wish, Timestamp now = morning) { return {{wish}, now, {}}; }

TEST(Escrow, WhoeverHasASliceTakesFromItWithoutAsking) {
  World world(2, 1);
  for (const std::uint16_t group : two) {
    world.attempt(group, wanting({Wish::Kind::Budget, total_budget, 0, 0, 10}));
    world.deliver_all();
  }
  const std::uint64_t letters = world.letters;
  for (int i = 0; i < 20; ++i)
    for (const std::uint16_t group : two)
      world.attempt(group, wanting({Wish::Kind::Budget, total_budget, 0, 0, 1}));
  EXPECT_EQ(world.letters, letters);
  EXPECT_EQ(world.out(total_budget), 60);
  world.is_quiet();
}

// Of 300 each wants a hundred, all at once: three get it, whatever the order of the letters.
TEST(Escrow, AllThatIsThereIsGivenWhenAllAskAtOnce) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(5, seed);
    world.is_monotonic = true;
    for (std::uint16_t group = 0; group < 5; ++group)
      for (int i = 0; i < 2; ++i)
        world.attempt(group, wanting({Wish::Kind::Budget, total_budget, 0, 0, 100}));
    world.deliver_all();
    EXPECT_EQ(world.out(total_budget), 300);
    EXPECT_EQ(world.granted, 3u);
    EXPECT_EQ(world.refused, 7u);
    world.is_quiet();
  }
}

TEST(Escrow, WhatIsLeftIsGivenToTheLastUnit) {
  World world(3, 1);
  for (const std::uint16_t group : three)
    world.attempt(group, wanting({Wish::Kind::Budget, total_budget, 0, 0, 290, true}));
  world.deliver_all();
  EXPECT_EQ(world.out(total_budget), 300);
  EXPECT_EQ(world.granted, 2u);
  EXPECT_EQ(world.refused, 1u);
}

TEST(Escrow, WhatWasTakenBeforeTheRulesChangedCountsWhoeverTookIt) {
  World world(3, 1, 7);
  world.plan.budgets[0].amount = plan::unlimited;
  for (const std::uint16_t group : three)
    world.attempt(group, wanting({Wish::Kind::Budget, total_budget, 0, 0, 90}));
  EXPECT_EQ(world.letters, 0u);
  world.plan.budgets[0].amount = 300;
  world.change_rules(8);
  for (int i = 0; i < 40; ++i)
    for (const std::uint16_t group : three) {
      world.attempt(group, wanting({Wish::Kind::Budget, total_budget, 0, 0, 1}));
      world.deliver_all();
    }
  EXPECT_EQ(world.out(total_budget), 300);
  // And what has been lent and not taken is not taken any more where the rules give less.
  world.plan.budgets[0].amount = 310;
  world.change_rules(9);
  world.attempt(0, wanting({Wish::Kind::Budget, total_budget, 0, 0, 1}));
  world.deliver_all();
  EXPECT_EQ(world.out(total_budget), 301);
  world.plan.budgets[0].amount = 302;
  world.change_rules(10);
  for (const std::uint16_t group : three) {
    world.attempt(group, wanting({Wish::Kind::Budget, total_budget, 0, 0, 1}));
    world.deliver_all();
  }
  EXPECT_EQ(world.out(total_budget), 302);
}

TEST(Escrow, WhoeverGoesIntoAnotherGroupTakesAlongWhatHeHolds) {
  for (std::uint16_t from = 0; from < 3; ++from)
    for (std::uint16_t to = 0; to < 3; ++to) {
      if (from == to) continue;
      World world(3, 1);
      world.attempt(from, wanting({Wish::Kind::Budget, total_budget, 0, 0, 100}));
      world.deliver_all();
      const Charge charge{{101, Timestamp::ever()}, 60, true};
      world.in(from).move_out(to, charge, Stage::Given, morning, {});
      world.in(to).move_in(from, charge, Stage::Given, morning, {});
      world.send(from);
      for (std::uint16_t group : {from, to}) {
        const auto balances = world.in(group).ledger().balances(charge.pot);
        EXPECT_EQ(balances.sum(), 0);
        EXPECT_EQ(balances[Stage::Transit], group == from ? 60 : -60);
      }
      world.attempt(to, wanting({Wish::Kind::Budget, total_budget, 0, 0, 1}));
      world.deliver_all();
      world.is_conserved();
      EXPECT_EQ(world.out(total_budget), 101);
      // He gives it back there, and anybody can have it.
      world.in(to).post({morning, charge.pot, Stage::Given, Stage::Returned, 60, {}});
      for (const std::uint16_t group : three)
        for (int i = 0; i < 130; ++i) {
          world.attempt(group, wanting({Wish::Kind::Budget, total_budget, 0, 0, 2}));
          world.deliver_all();
        }
      EXPECT_EQ(world.out(total_budget), 299);
      world.holds();
    }
}

TEST(Escrow, TheCodesThatAreLeftAreToldByTheirPlaceInThePool) {
  World world(2, 1);
  std::vector<std::string> codes;
  for (int i = 0; i < 10; ++i) codes.push_back("UP-" + std::to_string(i));
  world.uploaded = world.in(0).stock("codes", codes);
  std::multiset<std::uint64_t> told;
  for (int i = 0; i < 5; ++i)
    for (const std::uint16_t group : two) {
      world.attempt(group, wanting({Wish::Kind::Code}));
      world.deliver_all();
      told.insert(world.in(group).left_behind("codes"));
    }
  EXPECT_EQ(told, (std::multiset<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Escrow, WhoHasCodesOfAPoolHearsOfWhatIsUploadedLater) {
  World world(2, 1);
  const auto upload = [&](int from, int to) {
    std::vector<std::string> codes;
    for (int i = from; i < to; ++i) codes.push_back("UP-" + std::to_string(i));
    world.uploaded += world.in(0).stock("codes", codes);
    world.send(0);
    world.deliver_all();
  };
  upload(0, 40);
  for (const std::uint16_t group : two) {
    world.attempt(group, wanting({Wish::Kind::Code}));
    world.deliver_all();
  }
  const std::uint64_t letters = world.letters;
  upload(40, 100);
  EXPECT_EQ(world.letters, letters + 1);
  for (const std::uint16_t group : two) {
    const std::uint64_t before = world.in(group).left_behind("codes");
    EXPECT_GT(before, 60u);
    world.attempt(group, wanting({Wish::Kind::Code}));  // of those that it had before
    EXPECT_EQ(world.in(group).left_behind("codes"), before - 1);
  }
  EXPECT_EQ(world.letters, letters + 1);
  world.holds();
  world.is_quiet();
}

TEST(Escrow, ACodeThatLeadsElsewhereIsFoundByWhatTheInputSays) {
  World world(2, 1);
  Accounts& mine = world.in(1);
  const std::vector<CodePlace> places{{"T-1", "ann", "ten off", ""}, {"T-2", "bob", "gone", ""}};
  mine.begin_turn({}, places);
  ASSERT_NE(mine.find("T-1"), nullptr);
  EXPECT_EQ(mine.find("T-1")->customer, "ann");
  EXPECT_EQ(mine.find("T-1")->incentive, ten_off_coupon);
  EXPECT_TRUE(mine.find("T-2")->incentive.is_none()) << "the rules do not know it any more";
  EXPECT_EQ(mine.find("T-3"), nullptr);
  mine.end_turn();
  EXPECT_EQ(mine.find("T-1"), nullptr);
  mine.know(places);
  EXPECT_NE(mine.find("T-1"), nullptr);
}

TEST(Escrow, DamagedBytesAreRefusedAndWholeOnesComeBack) {
  World world(3, 5);
  for (int i = 0; i < 60; ++i) {
    world.attempt(static_cast<std::uint16_t>(i % 3), random_turn(world, morning + minutes(i)));
    if (i % 2 == 0) world.deliver_one();
  }
  std::size_t refused = 0, rows = 0;
  for (const std::uint16_t group : three)
    for (const auto& [key, bytes] : world.content(group)) {
      if (key.front() != 'e') continue;
      ++rows;
      EXPECT_TRUE(books::read(key, bytes));
      for (int i = 0; i < 200; ++i) {
        std::string damaged = bytes;
        damaged[world.pick(damaged.size())] = static_cast<char>(world.random());
        if (world.pick(3) == 0) damaged.resize(world.pick(damaged.size()));
        const auto back = escrow_of(damaged);
        if (!back)
          ++refused;
        else
          EXPECT_EQ(*escrow_of(encode(*back)), *back);
      }
    }
  EXPECT_GT(rows, 10u);
  EXPECT_GT(refused, rows * 20);
}

}  // namespace
}  // namespace koi::core
