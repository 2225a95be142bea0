// The batch form: like messages that one request carries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/outbox.h"
#include "runtime/outbox_world.h"

namespace koi::runtime {
namespace {

constexpr Together three_in_a_minute{3, minutes(1)};

class Batches : public ::testing::Test {
 protected:
  World& open(Repeat repeat, Scripted::Script script, OutboxSettings with = {}) {
    world.emplace(repeat, std::move(script), with, 0, 64, three_in_a_minute);
    return *world;
  }
  void send(std::uint64_t number, std::string body, Timestamp not_after = Timestamp::never(),
            std::string address = "") {
    if (address.empty()) address = "+8613" + std::to_string(number);
    world->send(number, not_after, Timestamp::ever(), std::move(body), std::move(address));
  }
  std::optional<World> world;
};

TEST_F(Batches, LikeMessagesAreOneRequestAsSoonAsTheyFillIt) {
  open(Repeat::Neither, in_turn({says(Done{}, true)}));
  for (std::uint64_t i = 1; i <= 7; ++i) send(i, i == 2 ? "other" : "hello");
  world->run_until(start + seconds(1));
  EXPECT_THAT(world->connector->requests,
              testing::ElementsAre(Scripted::Request{start, 3}, Scripted::Request{start, 3}));
  EXPECT_EQ(world->came_of(2), "open");
  for (const std::uint64_t number : {1, 3, 4, 5, 6, 7})
    EXPECT_EQ(world->came_of(number), "delivered") << number;
}

TEST_F(Batches, TheFirstWaitsNoLongerThanItMay) {
  open(Repeat::Neither, in_turn({says(Done{}, true)}));
  send(1, "hello");
  world->run_until(start + seconds(30));
  send(2, "hello");
  send(3, "other");
  world->run_until(start + hours(1));
  EXPECT_THAT(world->connector->requests,
              testing::ElementsAre(Scripted::Request{start + minutes(1), 2}));
  ASSERT_EQ(world->connector->attempts.size(), 3u);
  EXPECT_EQ(world->connector->attempts[2].at, start + seconds(90));  // it stayed alone
  for (const std::uint64_t number : {1, 2, 3}) EXPECT_EQ(world->came_of(number), "delivered");
}

TEST_F(Batches, WhatHasNothingInCommonGoesAloneAndAtOnce) {
  open(Repeat::Neither, in_turn({says(Done{}, true)}));
  for (std::uint64_t i = 1; i <= 5; ++i) send(i, "");
  world->run_until(start + microseconds(1));
  EXPECT_TRUE(world->connector->requests.empty());
  EXPECT_EQ(world->connector->attempts.size(), 5u);
}

TEST_F(Batches, NothingIsLateBecauseItWaitsForOthers) {
  open(Repeat::Neither, in_turn({says(Done{}, true)}));
  send(1, "hello");
  send(2, "hello", start + seconds(10));
  world->run_until(start + hours(1));
  EXPECT_EQ(world->came_of(2), "delivered");
  EXPECT_THAT(world->connector->requests,
              testing::ElementsAre(Scripted::Request{start + seconds(10), 2}));
}

TEST_F(Batches, ARequestHasEachAddressOnce) {
  open(Repeat::Neither, in_turn({says(Done{}, true)}));
  for (std::uint64_t i = 1; i <= 3; ++i) send(i, "hello", Timestamp::never(), "+86139");
  send(4, "hello", Timestamp::never(), "+86138");
  world->run_until(start + hours(1));
  EXPECT_EQ(world->connector->attempts.size(), 4u);
  for (const auto& request : world->connector->requests) EXPECT_EQ(request.size, 2u);
  EXPECT_EQ(world->connector->requests.size(), 1u);
}

TEST_F(Batches, EachHasItsOwnOutcome) {
  open(Repeat::Neither,
       in_turn({says(Done{}, true), says(Refused{Failure::Unreachable, "no"}),
                says(Deferred{.wait = minutes(5), .of_person = true}), says(Done{}, true)}));
  for (std::uint64_t i = 1; i <= 3; ++i) send(i, "hello");
  world->run_until(start + hours(1));
  EXPECT_EQ(world->came_of(1), "delivered");
  EXPECT_EQ(world->came_of(2), "unreachable");
  EXPECT_EQ(world->came_of(3), "delivered");
  EXPECT_EQ(world->connector->attempts.back().at, start + minutes(6));
  EXPECT_EQ(world->connector->attempts.back().delivery.attempt, 2u);
}

TEST_F(Batches, OneRequestThatFailsIsOneFailureOfTheChannel) {
  open(Repeat::Recognised,
       in_turn({says(Unknown{}), says(Unknown{}), says(Unknown{}), says(Done{}, true)}),
       {.failures_to_open = 2});
  for (std::uint64_t i = 1; i <= 3; ++i) send(i, "hello");
  world->run_until(start + hours(1));
  EXPECT_EQ(world->outbox->counts().at("sms").circuit_opened, 0u);
  for (const std::uint64_t number : {1, 2, 3}) EXPECT_EQ(world->came_of(number), "delivered");
}

TEST_F(Batches, ACrashWhileTheyAreGatheredLosesNothingAndOneUnderWayIsUnknown) {
  Scripted::Answer hangs;
  hangs.never = true;
  open(Repeat::Neither, in_turn({hangs, hangs, hangs, says(Done{}, true)}));
  for (std::uint64_t i = 1; i <= 5; ++i) send(i, "hello");
  world->run_until(start + seconds(1));
  EXPECT_THAT(world->memory.attempted, testing::SizeIs(3));  // the two that gather were not
  world->crash();
  world->run_until(start + hours(1));
  for (const std::uint64_t number : {1, 2, 3}) EXPECT_EQ(world->came_of(number), "unknown");
  for (const std::uint64_t number : {4, 5}) EXPECT_EQ(world->came_of(number), "delivered");
  EXPECT_EQ(world->connector->attempts.size(), 5u);
}

TEST_F(Batches, WhoseAttemptCouldNotBeRecordedIsNotInTheRequest) {
  open(Repeat::Neither, in_turn({says(Done{}, true)}));
  world->memory.fails = true;
  for (std::uint64_t i = 1; i <= 3; ++i) send(i, "hello");
  world->run_until(start + microseconds(1));
  EXPECT_TRUE(world->connector->attempts.empty());
  world->memory.fails = false;
  world->run_until(start + hours(1));
  for (const std::uint64_t number : {1, 2, 3}) EXPECT_EQ(world->came_of(number), "delivered");
  EXPECT_EQ(world->connector->attempts.size(), 3u);
}

// --- After a restart, where the provider may still report

TEST(Reports, WhatWasAttemptedIsWaitedForWhereTheProviderMayStillReportOnIt) {
  World world(Repeat::Neither, in_turn({says(Pending{.within = hours(6)}, true)}));
  world.connector->reports = hours(6);
  for (std::uint64_t i = 1; i <= 3; ++i) world.send(i);
  world.run_until(start + minutes(1));
  world.crash();
  world.run_until(start + hours(1));
  EXPECT_EQ(world.outbox->pending(), 3u);
  EXPECT_TRUE(world.outbox->heard(World::key(1), Failure::None));
  EXPECT_TRUE(world.outbox->heard(World::key(2), Failure::Unreachable));
  EXPECT_EQ(world.came_of(1), "delivered");
  EXPECT_EQ(world.came_of(2), "unreachable");
  EXPECT_EQ(world.came_of(3), "open");
  world.run_until(start + hours(7));
  EXPECT_EQ(world.came_of(3), "unknown");
  EXPECT_EQ(world.connector->attempts.size(), 3u);
  EXPECT_EQ(world.outbox->pending(), 0u);
}

TEST(Reports, RestartsDoNotMakeThatWaitEndless) {
  World world(Repeat::Neither, in_turn({says(Pending{.within = hours(6)}, true)}));
  world.connector->reports = hours(6);
  world.send(1);
  world.run_until(start + minutes(1));
  for (int i = 1; i <= 30; ++i) {
    world.crash();
    world.run_until(start + hours(5 * i));
  }
  EXPECT_EQ(world.came_of(1), "unknown");
}

// --- What somebody on the staff is to take

class Staff : public ::testing::TestWithParam<Repeat> {
 protected:
  void send(World& world, std::uint64_t number) {
    Send made;
    made.delivery.key = World::key(number);
    made.delivery.channel = "sms";
    made.delivery.take_by = start + minutes(15);
    made.decided = world.clock.now();
    world.memory.sent.push_back(made);
    world.outbox->add(std::move(made));
  }
};

TEST_P(Staff, ItIsTakenByWhoSaysSoFirstOrMissed) {
  World world(GetParam(), in_turn({says(Done{}, true)}));
  send(world, 1);
  send(world, 2);
  world.run_until(start + minutes(10));
  EXPECT_EQ(world.came_of(1), "open");
  EXPECT_EQ(world.outbox->pending(), 2u);
  EXPECT_TRUE(world.outbox->heard(World::key(1), Failure::None, "Zhang"));
  EXPECT_FALSE(world.outbox->heard(World::key(1), Failure::None, "Li"));
  EXPECT_EQ(world.came_of(1), "delivered");
  EXPECT_EQ(world.last.at(World::key(1)).receipt.by, "Zhang");
  EXPECT_EQ(world.last.at(World::key(1)).receipt.time, start + minutes(10));
  world.run_until(start + hours(1));
  EXPECT_EQ(world.came_of(2), "lapsed");
  EXPECT_FALSE(world.outbox->heard(World::key(2), Failure::None, "Zhang"));
  EXPECT_THAT(world.log, testing::HasSubstr("nobody has taken it in time"));
  EXPECT_EQ(world.connector->attempts.size(), 2u);
  EXPECT_EQ(world.connector->asked, 0);
  EXPECT_EQ(world.outbox->pending(), 0u);
}

TEST_P(Staff, ItCanBeTakenAfterARestart) {
  World world(GetParam(), in_turn({says(Done{}, true)}));
  send(world, 1);
  send(world, 2);
  world.run_until(start + minutes(1));
  world.crash();
  world.run_until(start + minutes(10));
  EXPECT_TRUE(world.outbox->heard(World::key(1), Failure::None, "Zhang"));
  world.run_until(start + hours(1));
  EXPECT_EQ(world.last.at(World::key(1)).receipt.by, "Zhang");
  EXPECT_EQ(world.came_of(2), "lapsed");
}

TEST_P(Staff, TheFirstWhoSaysSoHasItThoughItIsStillUnderWay) {
  Scripted::Answer slow = says(Done{}, true);
  slow.after = seconds(30);
  World world(GetParam(), in_turn({slow}));
  send(world, 1);
  world.run_until(start + seconds(10));
  EXPECT_TRUE(world.outbox->heard(World::key(1), Failure::None, "Zhang"));
  EXPECT_FALSE(world.outbox->heard(World::key(1), Failure::None, "Li"));
  world.run_until(start + hours(1));
  EXPECT_EQ(world.last.at(World::key(1)).receipt.by, "Zhang");
}

TEST_P(Staff, WhoGetsItTooLateToTakeItHasItAllTheSame) {
  World world(GetParam(), in_turn({says(Deferred{.wait = minutes(20)}), says(Done{}, true)}));
  send(world, 1);
  world.run_until(start + hours(1));
  EXPECT_EQ(world.came_of(1), "delivered");
  EXPECT_EQ(world.last.at(World::key(1)).receipt.by, "");
}

INSTANTIATE_TEST_SUITE_P(EveryKind, Staff, every_kind, name_of_kind);

}  // namespace
}  // namespace koi::runtime
