// What a provider takes, held by the outbox.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "channel/allowance.h"
#include "channel/limits.h"
#include "runtime/outbox.h"
#include "runtime/outbox_world.h"

namespace koi::runtime {
namespace {

using testing::HasSubstr;
using Per = Amount::Per;
using Of = Amount::Of;

constexpr std::array lengths{Length{.of = Length::Of::Body, .unit = Unit::Bytes, .most = 10}};
constexpr std::array forms{Form{.format = Format::Text, .lengths = lengths}};
const Timestamp tomorrow = *parse_instant("2026-03-03T00:00:00Z");

// A world whose lane has limits.
class Limited : public World {
 public:
  Limited(Repeat repeat, Scripted::Script script, std::span<const Amount> amounts,
          Together gathers = {})
      : World(repeat, std::move(script), {}, 0, 64, gathers), amounts_(amounts) {
    type.capabilities.forms = forms;
    type.capabilities.amounts = amounts_;
    lane.limits = std::make_shared<const Limits>(*Limits::of(type, {}));
    restock();
  }
  // A new allowance, as in a new life.
  void restock() {
    lane.allowance = std::make_shared<Allowance>(
        type.capabilities, Allowance::Said{},
        Allowance::Ground{context.get_executor(), [this] { return clock.now(); }, &utc(), &notes});
    outbox.reset();
    open();
  }
  void send_with_another_way(std::uint64_t number, Timestamp not_after = Timestamp::never()) {
    has_another_way = true;
    send(number, not_after);
    has_another_way = false;
  }

 private:
  std::span<const Amount> amounts_;
  Notebook notes{[this] { return clock.now(); }};
};

std::vector<Timestamp> times_of(const World& world) {
  std::vector<Timestamp> times;
  for (const auto& attempt : world.connector->attempts) times.push_back(attempt.at);
  return times;
}

TEST(OutboxLimits, WhatIsTooLongIsRefusedWithoutAnAttempt) {
  Limited world(Repeat::Recognised, in_turn({says(Done{}, true)}), {});
  world.send(1, Timestamp::never(), Timestamp::ever(), "0123456789");
  world.send(2, Timestamp::never(), Timestamp::ever(), "private-456");
  world.run_until(start + hours(1));
  EXPECT_EQ(world.came_of(1), "delivered");
  EXPECT_EQ(world.came_of(2), "bad_content");
  EXPECT_EQ(world.connector->attempts.size(), 1u);
  EXPECT_THAT(world.log, HasSubstr("not attempted: its body has 11 bytes, of 10 that are taken"));
  EXPECT_THAT(world.log, testing::Not(HasSubstr("private")));
}

TEST(OutboxLimits, WhatWasAttemptedBeforeAStopIsLookedAfterWhateverItsLength) {
  Limited world(Repeat::CanBeAsked,
                [](const Delivery*, Hash128) {
                  Scripted::Answer never;
                  never.never = true;
                  return never;
                },
                {});
  world.send(1, Timestamp::never(), Timestamp::ever(), "0123456789");
  world.run_until(start + seconds(1));
  world.memory.sent[0].delivery.body += " and more";
  world.crash();
  world.run_until(start + seconds(2));
  EXPECT_EQ(world.came_of(1), "open");
  EXPECT_EQ(world.connector->asked, 1);
}

TEST(OutboxLimits, TheStaffIsReachedWhereTheEnvironmentSays) {
  Limited world(Repeat::Recognised, in_turn({says(Done{}, true)}), {});
  world.lane.address = "care@example.com";
  world.restock();
  world.send(1);
  world.send(2, Timestamp::never(), Timestamp::ever(), "", "+8613800138000");
  world.run_until(start + hours(1));
  ASSERT_EQ(world.connector->attempts.size(), 2u);
  EXPECT_EQ(world.connector->attempts[0].delivery.addresses[0].value, "care@example.com");
  EXPECT_EQ(world.connector->attempts[1].delivery.addresses[0].value, "+8613800138000");
}

TEST(OutboxLimits, SoManyASecondAreTakenAndTheRestWait) {
  constexpr std::array amounts{Amount{2, Per::Second, Of::Requests}};
  Limited world(Repeat::Recognised, in_turn({says(Done{}, true)}), amounts);
  for (std::uint64_t number = 1; number <= 5; ++number) world.send(number);
  world.run_until(start + hours(1));
  EXPECT_THAT(times_of(world), testing::ElementsAre(start, start, start + seconds(1),
                                                    start + seconds(1), start + seconds(2)));
}

TEST(OutboxLimits, WhatIsOverTheDaysNumberWaitsForTheNextDay) {
  constexpr std::array amounts{Amount{2, Per::Day, Of::Messages}};
  Limited world(Repeat::Recognised, in_turn({says(Done{}, true)}), amounts);
  for (std::uint64_t number = 1; number <= 5; ++number) world.send(number);
  world.run_until(start + days(1));
  EXPECT_EQ(world.connector->attempts.size(), 4u);
  EXPECT_GE(times_of(world).at(2), tomorrow);
  EXPECT_LT(times_of(world).at(3), tomorrow + seconds(1));
  EXPECT_EQ(world.came_of(5), "open");
  world.run_until(start + days(2));
  EXPECT_EQ(world.came_of(5), "delivered");
  EXPECT_THAT(world.log, HasSubstr("what its provider takes in a day is used up; its messages "
                                   "wait until 2026-03-03T00:00:00Z"));
}

TEST(OutboxLimits, TheDaysNumberHoldsOverARestart) {
  constexpr std::array amounts{Amount{3, Per::Day, Of::Messages}};
  Limited world(Repeat::Recognised, in_turn({says(Done{}, true)}), amounts);
  world.send(1);
  world.send(2);
  world.run_until(start + minutes(1));
  world.restock();
  for (std::uint64_t number = 3; number <= 5; ++number) world.send(number);
  world.run_until(start + hours(2));
  EXPECT_EQ(world.connector->attempts.size(), 3u);
}

TEST(OutboxLimits, WhatWouldComeTooLateFailsAtOnceForTheQuota) {
  constexpr std::array amounts{Amount{1, Per::Day, Of::Messages}};
  Limited world(Repeat::Recognised, in_turn({says(Done{}, true)}), amounts);
  world.send(1);
  world.send(2, tomorrow - seconds(1));
  world.send(3, tomorrow + hours(1));
  world.run_until(start + minutes(1));
  EXPECT_EQ(world.came_of(2), "quota");
  EXPECT_EQ(world.came_of(3), "open");
  world.run_until(tomorrow + minutes(1));
  EXPECT_EQ(world.came_of(3), "delivered");
}

TEST(OutboxLimits, WhatHasAnotherWayDoesNotWaitForTheNextDay) {
  constexpr std::array amounts{Amount{1, Per::Day, Of::Messages}};
  Limited world(Repeat::Recognised, in_turn({says(Done{}, true)}), amounts);
  world.send_with_another_way(1);
  world.send_with_another_way(2);
  world.run_until(start + minutes(1));
  EXPECT_EQ(world.came_of(1), "delivered");
  EXPECT_EQ(world.came_of(2), "quota");
}

TEST(OutboxLimits, OneWhoseFateIsUnknownGoesNoOtherWay) {
  constexpr std::array amounts{Amount{1, Per::Day, Of::Messages}};
  Limited world(Repeat::Recognised, in_turn({says(Unknown{"silence"}, true), says(Done{}, true)}),
                amounts);
  world.send_with_another_way(1);
  world.run_until(start + hours(1));
  EXPECT_EQ(world.came_of(1), "open") << "it may be there: the person would have it twice";
  world.run_until(tomorrow + hours(1));
  EXPECT_EQ(world.came_of(1), "delivered");
}

TEST(OutboxLimits, OneRequestCarriesNoMoreThanTheDayHasLeft) {
  constexpr std::array amounts{Amount{5, Per::Day, Of::Messages}};
  Limited world(Repeat::Recognised, in_turn({says(Done{}, true)}), amounts, {4, seconds(1)});
  for (std::uint64_t number = 1; number <= 8; ++number)
    world.send(number, Timestamp::never(), Timestamp::ever(), "alike", std::to_string(number));
  world.run_until(start + hours(1));
  EXPECT_EQ(world.connector->attempts.size(), 5u);
  world.run_until(tomorrow + hours(1));
  EXPECT_EQ(world.connector->attempts.size(), 8u);
  EXPECT_EQ(world.came_of(8), "delivered");
}

TEST(OutboxLimits, AProvidersOwnWordOnItsQuotaSendsTheOthersAnotherWay) {
  Limited world(Repeat::Recognised, in_turn({says(Refused{Failure::Quota, "used up"})}), {});
  world.send(1);
  world.send_with_another_way(2);
  world.run_until(start + minutes(1));
  world.send_with_another_way(3);
  world.run_until(start + hours(2));
  EXPECT_EQ(world.came_of(1), "open");
  EXPECT_EQ(world.came_of(2), "quota");
  EXPECT_EQ(world.came_of(3), "quota");
}

TEST(OutboxLimits, WrongCredentialsHoldThemAll) {
  Limited world(Repeat::Recognised,
                in_turn({says(Refused{Failure::Credentials, "who?"}), says(Done{}, true)}), {});
  world.send_with_another_way(1);
  world.run_until(start + seconds(1));
  EXPECT_EQ(world.came_of(1), "open");
  world.run_until(start + hours(1));
  EXPECT_EQ(world.came_of(1), "delivered");
}

}  // namespace
}  // namespace koi::runtime
