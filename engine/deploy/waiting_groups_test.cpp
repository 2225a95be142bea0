// While inputs wait for what another group lends: the door is held back, other rules neither start
// nor become live, what is refused counts at once, and what crashes is set aside by itself.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "deploy/ahead.h"
#include "deploy/detail/town.h"
#include "durable/by_hand.h"
#include "durable/rows.h"

namespace koi::deploy {
namespace {

constexpr std::size_t effects_of_one = 2;  // he enters, and is given something

// A server whose letters arrive when the test wants.
class Serving {
 public:
  explicit Serving(Shop& shop, std::size_t longest_queue = 20'000)
      : shop_(shop), handed_(shop.outside), lives_(*live(shop.directory)) {
    durable::Settings settings;
    settings.longest_queue = longest_queue;
    durable::World world{
        lives_.plan, lives_.rules, shop.journal, shop.live, trial_groups, handed_, [this] {
          return shop_.now;
        }};
    world.carry = [this](const durable::Letter&) { return arrives; };
    auto opened = durable::Writers::open(std::move(world), settings);
    KOI_ASSERT(opened);
    writers = *std::move(opened);
  }
  Result<void> grab(int number, durable::Lane lane = durable::Lane::Outer) {
    const std::string who = "c" + std::to_string(number);
    const Told told{"grab", "e" + who, who, shop_.now, {{"openid", Value::text("o" + who)}}};
    std::vector<durable::Given> given;
    given.emplace_back(event_of(lives_.plan, told));
    return writers->submit(std::move(given), {}, lane);
  }
  // All that can be done.
  void go_on() { durable::run_dry(*writers); }
  void write_back() { ASSERT_TRUE(durable::store_all(*writers)); }
  std::size_t undecided() const { return writers->figures().undecided; }

  bool arrives = false;
  std::unique_ptr<durable::Writers> writers;

 private:
  Shop& shop_;
  Outside::Handed handed_;
  const Live lives_;
};

// One whose group has to ask for the money: in the other one it is at home.
int of_who_waits(Shop& shop) {
  Serving serving(shop);
  for (int number = 1;; ++number) {
    EXPECT_TRUE(serving.grab(number));
    serving.go_on();
    if (serving.undecided() > 0) return number;
  }
}

store::Group group_of(int number) {
  return trial_groups.group_of(partition_of("c" + std::to_string(number)));
}

TEST(WaitingGroups, WhileTooMuchWaitsTheDoorOfThatGroupIsBusyAndNothingIsLost) {
  constexpr std::size_t most = 8;
  store::Group waits{};
  {
    Shop trial{.groups = trial_groups};
    ASSERT_TRUE(trial.deploy(trial_bundle(packet_of_ones())));
    waits = group_of(of_who_waits(trial));
  }
  Shop shop{.groups = trial_groups};
  ASSERT_TRUE(shop.deploy(trial_bundle(packet_of_ones())));
  Serving serving(shop, most);
  std::size_t taken = 0;
  int number = 0;
  const auto next_of = [&](store::Group group) {
    do ++number;
    while (group_of(number) != group);
    return number;
  };
  while (serving.undecided() < most) {
    ASSERT_TRUE(serving.grab(next_of(waits)));
    ++taken;
    serving.go_on();
  }
  EXPECT_EQ(taken, most);
  const auto refused = serving.grab(next_of(waits));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "busy");
  // What comes from within is held back by nothing, and the other group's customers are not.
  EXPECT_TRUE(serving.grab(next_of(waits), durable::Lane::Inner));
  EXPECT_TRUE(serving.grab(next_of(static_cast<store::Group>(1 - waits))));
  taken += 2;
  serving.go_on();
  EXPECT_EQ(serving.writers->writer(waits).waiting().size(), most + 1);
  serving.arrives = true;
  ASSERT_TRUE(serving.writers->resend());
  serving.go_on();
  EXPECT_EQ(serving.undecided(), 0u);
  EXPECT_TRUE(serving.grab(next_of(waits)));
  serving.go_on();
  EXPECT_EQ(shop.outside.keys().size(), effects_of_one * (taken + 1));
}

// Somebody waits, everything is written back, and the process ends.
void leave_somebody_waiting(Shop& shop) {
  Serving serving(shop);
  for (int number = 1; serving.undecided() == 0; ++number) {
    ASSERT_TRUE(serving.grab(number));
    serving.go_on();
  }
  serving.write_back();
}

TEST(WaitingGroups, OtherRulesDoNotStartWhereSomebodyWaitsForTheseToDecide) {
  Shop shop{.groups = trial_groups};
  ASSERT_TRUE(shop.deploy(trial_bundle(packet_of_ones())));
  leave_somebody_waiting(shop);
  const Live lives = *live(shop.directory);
  Outside::Handed handed(shop.outside);
  const auto open = [&](std::uint64_t rules) {
    return durable::Writers::open({lives.plan, rules, shop.journal, shop.live, trial_groups, handed,
                                   [&shop] { return shop.now; }},
                                  {});
  };
  const auto refused = open(lives.rules + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "rules");
  EXPECT_NE(refused.error().what.find("inputs wait"), std::string::npos) << refused.error().what;
  // These do, come to the end, and then the others may.
  auto writers = open(lives.rules);
  ASSERT_TRUE(writers) << writers.error().what;
  ASSERT_TRUE((*writers)->finish());
  writers->reset();
  EXPECT_TRUE(open(lives.rules + 1));
}

TEST(WaitingGroups, ADeployDecidesWhatWaitsByTheRulesThatHaveAcceptedIt) {
  Shop shop{.groups = trial_groups};
  ASSERT_TRUE(shop.deploy(trial_bundle(packet_of_ones())));
  leave_somebody_waiting(shop);
  const std::size_t given = shop.outside.keys().size();
  const auto reports = shop.deploy(trial_bundle(packet_of_ones() + "metric grabs = count grab\n"));
  ASSERT_TRUE(reports) << reports.error().what;
  EXPECT_EQ(shop.outside.keys().size(), given + effects_of_one);
  for (store::Group group = 0; group < trial_groups.count; ++group)
    EXPECT_FALSE(*durable::has_open(shop.live, group));
}

TEST(WaitingGroups, ADeployAheadDoesNotBecomeLiveWhileSomebodyWaits) {
  Shop shop{.groups = trial_groups};
  ASSERT_TRUE(shop.deploy(trial_bundle(packet_of_ones())));
  store::MemoryStore next(trial_groups);
  const Site site = shop.site();
  auto ahead = Ahead::make(site,
                           {.live = shop.live,
                            .next = next,
                            .folder = {},
                            .write_back = [] { return Result<void>(); },
                            .gives_up = {},
                            .lead = 0},
                           trial_bundle(packet_of_ones() + "metric grabs = count grab\n"), {}, {});
  ASSERT_TRUE(ahead) << ahead.error().what;
  const Hash128 before = (*read_deployment(shop.directory))->turns.back().bundle;
  leave_somebody_waiting(shop);
  const auto live_now = (*ahead)->go_live();
  ASSERT_FALSE(live_now);
  EXPECT_EQ(live_now.error().code, "rules");
  EXPECT_EQ((*read_deployment(shop.directory))->turns.back().bundle, before);
}

// Customers who wait, since no letter arrives.
std::vector<std::string> let_some_wait(Town& town) {
  town.lose_one_in(1);
  for (int number = 0; number < 12; ++number)
    town.submit(grab(town, number, "c" + std::to_string(number)));
  durable::run_dry(town.writers());
  std::vector<std::string> waiting;
  for (store::Group group = 0; group < town.groups_.count; ++group)
    town.writers().writer(group).waiting().for_each_customer(
        [&](const durable::Waited& first) { waiting.push_back(first.customer); });
  return waiting;
}

TEST(WaitingGroups, ARefusalThatHasToWaitWithdrawsAtOnceWhatWouldReachTheCustomer) {
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
  durable::run_dry(town.writers());
  EXPECT_EQ(town.writers().figures().undecided, undecided + 1);
  EXPECT_EQ(town.handed.refusals, std::set<std::string>{who});
  town.kill();
  EXPECT_EQ(town.writers().figures().undecided, undecided + 1);
  town.lose_one_in(0);
  town.come_to_rest();
  town.expect_at_rest();
  EXPECT_EQ(town.handed.count(core::Action::Give), 12u);
}

TEST(WaitingGroups, WhatCrashesWhenItIsTriedAgainIsSetAsideByItselfAndTheOthersGoOn) {
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
  ASSERT_TRUE(durable::replay(writer, town.plan(), town.journal(), group));
  EXPECT_TRUE(writer.waiting().empty());
  EXPECT_EQ(again.count(core::Action::Give), own - 1);
  for (const auto& [key, one] : again.all) EXPECT_NE(one.customer, who);
}

}  // namespace
}  // namespace koi::deploy
