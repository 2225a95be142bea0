#include "runtime/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <cstdlib>
#include <random>

#include "runtime/outbox_world.h"

namespace koi::runtime {
namespace {

TEST(Outbox, WhatIsDoneHasItsReceiptAtThatInstant) {
  Scripted::Answer slow = says(Done{}, true);
  slow.after = seconds(3);
  World world(Repeat::Neither, in_turn({slow}));
  world.send(1);
  world.run_until(start + minutes(1));
  EXPECT_EQ(world.came_of(1), "delivered");
  const Ended& ended = world.last.at(World::key(1));
  EXPECT_EQ(ended.customer, "ann");
  EXPECT_EQ(ended.position, 1u);
  EXPECT_EQ(ended.receipt.time, start + seconds(3));
  EXPECT_EQ(world.outbox->open(), 0u);
  EXPECT_EQ(world.outbox->counts().at("sms").delivered, 1u);
}

TEST(Outbox, ARefusalIsFinalAndKeepsItsClass) {
  for (const Failure failure : {Failure::Unreachable, Failure::WindowClosed, Failure::BadContent}) {
    World world(Repeat::Recognised, in_turn({says(Refused{failure, "no"})}));
    world.send(1);
    world.run_until(start + hours(1));
    EXPECT_EQ(world.came_of(1), name_of(failure));
    EXPECT_EQ(world.connector->attempts.size(), 1u);
  }
}

TEST(Outbox, AnAnswerGoesOnlyWhereAnswersCanBeCarried) {
  World world(Repeat::Recognised, in_turn({says(Done{})}));
  world.answers_to = "e1";
  world.send(1);
  world.run_until(start + hours(1));
  EXPECT_EQ(world.came_of(1), name_of(Failure::BadContent));
  EXPECT_EQ(world.connector->attempts.size(), 0u);
  EXPECT_NE(world.log.find("`scripted` cannot answer"), std::string::npos) << world.log;
  world.type.capabilities.replies = true;
  world.send(2);
  world.run_until(start + hours(2));
  EXPECT_EQ(world.came_of(2), "delivered");
}

TEST(Outbox, WaitsGrowAndAreJitteredByTheKey) {
  World world(Repeat::Recognised, in_turn({says(Deferred{})}), {.failures_to_open = 1000});
  world.send(1);
  world.send(2);
  world.run_until(start + hours(2));
  std::map<Hash128, std::vector<Timestamp>> at;
  for (const auto& attempt : world.connector->attempts)
    at[attempt.delivery.key].push_back(attempt.at);
  const auto& first = at[World::key(1)];
  ASSERT_GE(first.size(), 12u);
  for (std::size_t i = 1; i < first.size(); ++i) {
    const Duration full =
        std::min(seconds(std::int64_t{1} << std::min<std::size_t>(i - 1, 30)), minutes(10));
    const Duration wait = first[i] - first[i - 1];
    EXPECT_LE(wait, full);
    EXPECT_GE(wait.us, full.us / 2);
  }
  EXPECT_NE(first, at[World::key(2)]) << "they come at the same instants";
  World again(Repeat::Recognised, in_turn({says(Deferred{})}), {.failures_to_open = 1000});
  again.send(1);
  again.run_until(start + hours(2));
  ASSERT_EQ(again.connector->attempts.size(), first.size());
  for (std::size_t i = 0; i < first.size(); ++i)
    EXPECT_EQ(again.connector->attempts[i].at, first[i]);
}

TEST(Outbox, TheProvidersOwnWaitIsKept) {
  World world(Repeat::Recognised,
              in_turn({says(Deferred{.wait = minutes(7)}), says(Done{}, true)}));
  world.send(1);
  world.run_until(start + hours(1));
  ASSERT_EQ(world.connector->attempts.size(), 2u);
  EXPECT_EQ(world.connector->attempts[1].at, start + minutes(7));
}

TEST(Outbox, AThrottledChannelSlowsDownAsAWhole) {
  World world(Repeat::Recognised,
              in_turn({says(Deferred{.wait = minutes(3), .throttled = true}), says(Done{}, true)}),
              {}, 0, 1);
  world.send(1);
  world.send(2);
  world.run_until(start + hours(1));
  ASSERT_EQ(world.connector->attempts.size(), 3u);
  EXPECT_EQ(world.connector->attempts[1].at, start + minutes(3));
  EXPECT_EQ(world.outbox->counts().at("sms").circuit_opened, 0u);
}

TEST(Outbox, WhatTheCustomerHasRefusedMeanwhileIsNotAttemptedAgain) {
  World world(Repeat::Recognised,
              in_turn({says(Deferred{.wait = minutes(7)}), says(Done{}, true)}));
  world.send(1);
  world.run_until(start + minutes(1));
  world.memory.refused.insert(World::key(1));
  world.run_until(start + hours(1));
  EXPECT_EQ(world.connector->attempts.size(), 1u);
  EXPECT_EQ(world.came_of(1), "failed");
}

TEST(Outbox, NothingIsHandedOverBeforeItsTimeOrAfterIt) {
  World world(Repeat::Recognised, in_turn({says(Deferred{})}));
  world.send(1, start + minutes(30), start + minutes(10));
  world.run_until(start + hours(2));
  ASSERT_FALSE(world.connector->attempts.empty());
  for (const auto& attempt : world.connector->attempts) {
    EXPECT_GE(attempt.at, start + minutes(10));
    EXPECT_LE(attempt.at, start + minutes(30));
  }
  EXPECT_EQ(world.came_of(1), "failed");
  EXPECT_LE(world.last.at(World::key(1)).receipt.time, start + minutes(30) + microseconds(1));
}

TEST(Outbox, WhoCannotBeServedInTimeNeedNotWaitForIt) {
  World world(Repeat::Recognised, in_turn({says(Deferred{.wait = hours(5)})}));
  world.send(1, start + hours(1));
  world.run_until(start + minutes(1));
  EXPECT_EQ(world.came_of(1), "failed");
}

TEST(Outbox, WithoutATimeLimitItIsGivenUpAfterDays) {
  World world(Repeat::Recognised, in_turn({says(Deferred{})}));
  world.send(1);
  world.run_until(start + days(2));
  EXPECT_EQ(world.came_of(1), "open");
  world.run_until(start + days(4));
  EXPECT_EQ(world.came_of(1), "failed");
}

TEST(Outbox, AnUnknownOutcomeIsRepeatedOnlyWhereTheKeyIsRecognised) {
  World again(Repeat::Recognised, in_turn({says(Unknown{}, true), says(Done{}, true)}));
  again.send(1);
  again.run_until(start + hours(1));
  EXPECT_EQ(again.came_of(1), "delivered");
  EXPECT_EQ(again.connector->attempts.size(), 2u);

  World never(Repeat::Neither, in_turn({says(Unknown{}, true), says(Done{}, true)}));
  never.send(1);
  never.run_until(start + hours(1));
  EXPECT_EQ(never.came_of(1), "unknown");
  EXPECT_EQ(never.connector->attempts.size(), 1u);
  EXPECT_EQ(never.last.at(World::key(1)).receipt.failure, Failure::None);
}

TEST(Outbox, AProviderThatCanBeAskedIsAskedBeforeAnythingIsRepeated) {
  World there(Repeat::CanBeAsked, in_turn({says(Unknown{}, true), says(Unknown{}), says(Done{})}));
  there.send(1);
  there.run_until(start + hours(1));
  EXPECT_EQ(there.came_of(1), "delivered");
  EXPECT_EQ(there.connector->attempts.size(), 1u);
  EXPECT_EQ(there.connector->asked, 2);

  World lost(Repeat::CanBeAsked,
             in_turn({says(Unknown{}), says(Deferred{.why = "no such key"}), says(Done{}, true)}));
  lost.send(1);
  lost.run_until(start + hours(1));
  EXPECT_EQ(lost.came_of(1), "delivered");
  EXPECT_EQ(lost.connector->attempts.size(), 2u);
  EXPECT_EQ(lost.connector->asked, 1);
}

TEST(Outbox, AskingGoesOnAfterTheTimeLimitButDeliveringDoesNot) {
  bool back = false;
  World world(Repeat::CanBeAsked, [&](const Delivery* delivery, Hash128) {
    return delivery ? says(Unknown{}, true) : back ? says(Done{}) : says(Unknown{});
  });
  world.send(1, start + minutes(5));
  world.run_until(start + hours(3));
  EXPECT_EQ(world.came_of(1), "open");
  back = true;
  world.run_until(start + hours(6));
  EXPECT_EQ(world.came_of(1), "delivered");
  EXPECT_EQ(world.connector->attempts.size(), 1u);
}

TEST(Outbox, WhatStaysUnknownEndsAsUnknownAndNotAsFailed) {
  World world(Repeat::Recognised, in_turn({says(Unknown{}, true)}));
  world.send(1, start + minutes(5));
  world.run_until(start + hours(1));
  EXPECT_EQ(world.came_of(1), "unknown");
}

TEST(Outbox, CredentialsAndQuotaHoldTheChannelAndBurnNoMessages) {
  for (const Failure failure : {Failure::Credentials, Failure::Quota}) {
    bool mended = false;
    World world(
        Repeat::Recognised,
        [&](const Delivery*, Hash128) {
          return mended ? says(Done{}, true) : says(Refused{failure, "no"});
        },
        {}, 0, 1);
    for (std::uint64_t i = 1; i <= 20; ++i) world.send(i);
    world.send(21, start + minutes(10));
    world.run_until(start + minutes(30));
    EXPECT_EQ(world.came_of(1), "open");
    EXPECT_EQ(world.came_of(21), "failed") << "it was never tried, so only time ended it";
    EXPECT_LE(world.connector->attempts.size(), 15u);
    mended = true;
    world.run_until(start + hours(2));
    for (std::uint64_t i = 1; i <= 20; ++i) EXPECT_EQ(world.came_of(i), "delivered");
  }
}

TEST(Outbox, WhatTheChannelsHoldEndedSaysWhy) {
  World world(Repeat::Recognised, in_turn({says(Refused{Failure::Quota, "no"})}));
  world.send(1, start + minutes(10));
  world.run_until(start + minutes(30));
  EXPECT_EQ(world.came_of(1), "quota");
}

TEST(Outbox, TheCircuitOpensAndOneProbeFindsOutWhetherTheProviderIsBack) {
  bool back = false;
  World world(Repeat::Recognised, [&](const Delivery*, Hash128) {
    return back ? says(Done{}, true) : says(Unknown{});
  });
  for (std::uint64_t i = 1; i <= 100; ++i) world.send(i);
  world.run_until(start + hours(1));
  // 64 were under way when it opened; then one at a time, ever more seldom.
  EXPECT_LE(world.connector->attempts.size(), 64u + 30u);
  EXPECT_GE(world.outbox->counts().at("sms").circuit_opened, 2u);
  back = true;
  world.run_until(start + hours(2));
  for (std::uint64_t i = 1; i <= 100; ++i) EXPECT_EQ(world.came_of(i), "delivered") << i;
}

TEST(Outbox, WhatOnePersonCannotBeServedNowDoesNotOpenTheCircuitForOthers) {
  const auto greylists = [](bool of_person) {
    return [of_person](const Delivery* delivery, Hash128) {
      return delivery->key.low <= 20 ? says(Deferred{.of_person = of_person}) : says(Done{}, true);
    };
  };
  for (const bool of_person : {true, false}) {
    World world(Repeat::Neither, greylists(of_person), {}, 0, 1);
    for (std::uint64_t i = 1; i <= 40; ++i) world.send(i);
    world.run_until(start + seconds(3));
    EXPECT_EQ(world.outbox->counts().at("sms").circuit_opened > 0, !of_person);
    EXPECT_EQ(world.came_of(40), of_person ? "delivered" : "open");
    EXPECT_EQ(world.came_of(1), "open");
  }
}

TEST(Outbox, WhatIsPendingIsAskedNowAndThenAndEndsAsTheProviderSays) {
  const Outcome pending = Pending{.within = hours(24), .ask_again = hours(1), .why = "confirming"};
  for (const bool taken : {true, false}) {
    const Outcome end = taken ? Outcome(Done{}) : Outcome(Refused{Failure::Lapsed, "given back"});
    World world(Repeat::CanBeAsked,
                in_turn({says(pending, true), says(pending), says(pending), says(end)}));
    world.send(1, start + minutes(5));
    world.run_until(start + minutes(30));
    EXPECT_EQ(world.came_of(1), "open");
    EXPECT_EQ(world.outbox->pending(), 1u);
    EXPECT_EQ(world.memory.pendings, 1);
    world.run_until(start + hours(4));
    EXPECT_EQ(world.came_of(1), taken ? "delivered" : "lapsed");
    EXPECT_EQ(world.connector->attempts.size(), 1u) << "what it has is not handed over again";
    EXPECT_EQ(world.connector->asked, 3);
    EXPECT_EQ(world.outbox->pending(), 0u);
  }
}

TEST(Outbox, WhatAProviderSaysByItselfEndsWhatIsPending) {
  World world(Repeat::Neither, in_turn({says(Pending{.within = days(2)}, true)}));
  for (const std::uint64_t i : {1, 2, 3}) world.send(i);
  world.run_until(start + hours(1));
  EXPECT_EQ(world.outbox->next(), start + days(2) + microseconds(1));
  EXPECT_TRUE(world.outbox->heard(World::key(1), Failure::None));
  EXPECT_TRUE(world.outbox->heard(World::key(2), Failure::Unreachable));
  EXPECT_EQ(world.came_of(1), "delivered");
  EXPECT_EQ(world.came_of(2), "unreachable");
  EXPECT_FALSE(world.outbox->heard(World::key(2), Failure::None)) << "it says so twice";
  EXPECT_FALSE(world.outbox->heard(World::key(9), Failure::None));
  world.run_until(start + days(3));
  EXPECT_EQ(world.came_of(3), "unknown") << "it was never heard of, and has not failed";
  EXPECT_EQ(world.connector->attempts.size(), 3u);
  for (const auto& [key, times] : world.receipts) EXPECT_EQ(times, 1);
}

TEST(Outbox, AReportThatOvertakesTheAnswerCounts) {
  Scripted::Answer slow = says(Pending{.within = days(2)}, true);
  slow.after = seconds(3);
  World world(Repeat::Neither, in_turn({slow}));
  world.send(1);
  world.run_until(start + seconds(1));
  EXPECT_TRUE(world.outbox->heard(World::key(1), Failure::Unreachable));
  EXPECT_EQ(world.came_of(1), "open");
  world.run_until(start + seconds(4));
  EXPECT_EQ(world.came_of(1), "unreachable");
}

TEST(Outbox, WhatIsPendingDoesNotCloseTheDoor) {
  World world(Repeat::Neither, in_turn({says(Pending{.within = days(2)}, true)}), {.capacity = 2});
  for (const std::uint64_t i : {1, 2, 3}) world.send(i);
  EXPECT_TRUE(world.outbox->is_full());
  world.run_until(start + seconds(1));
  EXPECT_EQ(world.outbox->open(), 3u);
  EXPECT_FALSE(world.outbox->is_full());
}

TEST(Outbox, AfterARestartWhatWasPendingIsAskedAndGoesOnPending) {
  const Outcome pending = Pending{.within = hours(24), .ask_again = hours(1)};
  World world(Repeat::CanBeAsked, in_turn({says(pending, true), says(pending), says(Done{})}));
  world.send(1);
  world.run_until(start + minutes(1));
  world.crash();
  world.run_until(start + minutes(2));
  EXPECT_EQ(world.outbox->pending(), 1u);
  world.run_until(start + hours(2));
  EXPECT_EQ(world.came_of(1), "delivered");
  EXPECT_EQ(world.connector->attempts.size(), 1u);
}

TEST(Outbox, NoSecondHasMoreAttemptsThanTheRate) {
  Scripted::Answer slow = says(Done{}, true);
  slow.after = microseconds(300'000);
  World world(Repeat::Recognised, in_turn({slow}), {}, 50, 1000);
  for (std::uint64_t i = 1; i <= 1000; ++i) world.send(i);
  world.run_until(start + seconds(30));
  const auto& attempts = world.connector->attempts;
  ASSERT_EQ(attempts.size(), 1000u);
  for (std::size_t i = 50; i < attempts.size(); ++i)
    EXPECT_GE(attempts[i].at - attempts[i - 50].at, seconds(1));
  EXPECT_LE(attempts.back().at, start + seconds(20)) << "the rate is used";
}

TEST(Outbox, NoMoreAreUnderWayThanTheConnectorAllows) {
  Scripted::Answer slow = says(Done{}, true);
  slow.after = seconds(1);
  World world(Repeat::Recognised, in_turn({slow}), {}, 0, 7);
  for (std::uint64_t i = 1; i <= 70; ++i) world.send(i);
  world.run_until(start + seconds(11));
  EXPECT_EQ(world.connector->most_under_way, 7u);
  EXPECT_EQ(world.connector->attempts.size(), 70u);
}

TEST(Outbox, AnAttemptThatHangsIsCancelledAndOneThatStaysIsGivenUpOn) {
  Scripted::Answer hangs;
  hangs.never = true;
  World world(Repeat::Neither, in_turn({hangs}));
  world.send(1);
  world.run_until(start + minutes(3));
  EXPECT_EQ(world.came_of(1), "unknown");
  EXPECT_EQ(world.last.at(World::key(1)).receipt.time, start + minutes(2));

  hangs.stubborn = true;
  World stubborn(Repeat::Recognised, in_turn({hangs, says(Done{}, true)}));
  stubborn.send(1);
  stubborn.run_until(start + minutes(10));
  EXPECT_EQ(stubborn.came_of(1), "delivered");
  EXPECT_EQ(stubborn.outbox->counts().at("sms").under_way, 1u) << "its place stays taken";
}

TEST(Outbox, AConnectorThatThrowsLeavesTheOutcomeUnknown) {
  Scripted::Answer throws;
  throws.throws = true;
  World world(Repeat::Neither, in_turn({throws}));
  world.send(1);
  world.run_until(start + minutes(1));
  EXPECT_EQ(world.came_of(1), "unknown");
}

TEST(Outbox, AnAttemptThatCouldNotBeRecordedIsNotMade) {
  World world(Repeat::Neither, in_turn({says(Done{}, true)}));
  world.memory.fails = true;
  world.send(1);
  world.run_until(start + minutes(1));
  EXPECT_EQ(world.connector->attempts.size(), 0u);
  world.memory.fails = false;
  world.run_until(start + minutes(5));
  EXPECT_EQ(world.came_of(1), "delivered");
}

TEST(Outbox, AfterARestartTheAttemptedAreTreatedByWhatTheConnectorCanDo) {
  Scripted::Answer hangs;
  hangs.never = true;
  for (const Repeat repeat : {Repeat::Recognised, Repeat::CanBeAsked, Repeat::Neither}) {
    World world(repeat,
                in_turn({hangs, says(Done{}, repeat == Repeat::Recognised), says(Done{}, true)}),
                {}, 0, 1);
    world.send(1);
    world.run_until(start + seconds(1));
    world.send(2);  // never attempted: there is no room
    world.crash();
    world.run_until(start + minutes(1));
    EXPECT_EQ(world.came_of(1), repeat == Repeat::Neither ? "unknown" : "delivered");
    EXPECT_EQ(world.came_of(2), "delivered");
    EXPECT_EQ(world.connector->asked, repeat == Repeat::CanBeAsked ? 2 : 0);
  }
}

TEST(Outbox, AKeyThatIsOpenAlreadyIsTheSameSend) {
  World world(Repeat::Recognised, in_turn({says(Done{}, true)}));
  world.send(1);
  world.send(1);
  EXPECT_EQ(world.outbox->open(), 1u);
  world.run_until(start + seconds(1));
  EXPECT_EQ(world.receipts.at(World::key(1)), 1);
}

TEST(Outbox, IsFullAtItsCapacityUntilSomethingEnds) {
  World world(Repeat::Recognised, in_turn({says(Done{}, true)}), {.capacity = 2});
  world.send(1);
  EXPECT_FALSE(world.outbox->is_full());
  world.send(2);
  EXPECT_TRUE(world.outbox->is_full());
  world.run_until(start + seconds(1));
  EXPECT_FALSE(world.outbox->is_full());
}

TEST(Outbox, DrainingWaitsForWhatIsUnderWayAndLeavesTheRestOpen) {
  Scripted::Answer slow = says(Done{}, true);
  slow.after = seconds(1);
  World world(Repeat::Recognised, in_turn({slow}), {}, 0, 1);
  world.send(1);
  world.send(2);
  world.run_until(start + microseconds(500'000));
  bool drained = false;
  asio::co_spawn(world.context, world.outbox->drain(seconds(5)),
                 [&](std::exception_ptr) { drained = true; });
  world.poll();
  EXPECT_FALSE(drained);
  world.run_until(start + seconds(10));
  world.context.restart();
  world.context.run_for(std::chrono::milliseconds(500));
  EXPECT_TRUE(drained);
  EXPECT_EQ(world.came_of(1), "delivered");
  EXPECT_EQ(world.came_of(2), "open");
}

TEST(Outbox, NothingOfThePersonIsInTheLog) {
  World world(Repeat::Recognised,
              in_turn({says(Unknown{"no answer"}), says(Refused{Failure::BadContent, "no"})}));
  world.send(1);
  world.run_until(start + minutes(1));
  EXPECT_THAT(world.log, testing::HasSubstr(to_hex(World::key(1))));
  EXPECT_THAT(world.log, testing::HasSubstr("no answer"));
  EXPECT_THAT(world.log, testing::Not(testing::HasSubstr("ann")));
}

// Random providers, crashes and time limits. KOI_SEEDS sets how many.
using Rule = OutboxSettings::Rule;

// What went wrong in one world; empty where nothing did.
std::string faults_of(std::uint64_t seed, Repeat repeat, Rule left_out, bool gathers = false) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  Together together;
  if (gathers) together = {2 + below(4), seconds(static_cast<std::int64_t>(below(40)))};
  std::set<Hash128> there;  // what the provider truly has
  bool well = false;        // at last, so that everything ends
  World world(
      repeat,
      [&](const Delivery* delivery, Hash128 key) {
        Scripted::Answer answer;
        answer.after = microseconds(static_cast<std::int64_t>(below(3'000'000)));
        const auto lot = well ? 0 : below(12);
        if (!delivery) {  // asked
          if (lot > 8)
            answer.outcome = Unknown{};
          else if (there.contains(key))
            answer.outcome = Done{};
          else
            answer.outcome = Deferred{};
          return answer;
        }
        const auto takes = [&] {
          answer.taken = repeat != Repeat::Recognised || !there.contains(key);
          there.insert(key);
        };
        switch (lot) {
          case 0:
          case 1:
          case 2:
            takes();
            answer.outcome = Done{};
            break;
          case 3:
            takes();
            answer.outcome = Unknown{"after"};
            break;
          case 4: answer.outcome = Unknown{"before"}; break;
          case 5: answer.outcome = Deferred{}; break;
          case 6: answer.outcome = Deferred{.wait = seconds(30), .throttled = true}; break;
          case 7:
            takes();
            answer.never = true;
            break;
          case 8:
            takes();
            answer.never = answer.stubborn = below(4) == 0;
            answer.outcome = Done{};
            break;
          case 9: answer.outcome = Refused{Failure::Credentials, ""}; break;
          case 10:
            takes();
            answer.throws = true;
            break;
          default:
            // A provider that has it does not refuse it.
            if (there.contains(key))
              answer.outcome = Done{};
            else
              answer.outcome = Refused{Failure::Unreachable, ""};
        }
        return answer;
      },
      {.failures_to_open = 1 + static_cast<std::uint32_t>(below(8)), .left_out = left_out},
      static_cast<std::uint32_t>(below(3) * 5), 1 + static_cast<std::uint32_t>(below(8)), together);

  const std::uint64_t count = 5 + below(30);
  std::map<Hash128, Timestamp> limits;
  std::uint64_t sent = 0;
  while (sent < count || below(4) != 0) {
    if (sent < count) {
      const Timestamp limit =
          below(3) ? world.clock.now() + seconds(static_cast<std::int64_t>(below(7200)))
                   : Timestamp::never();
      ++sent;
      const std::string body = gathers ? std::to_string(below(3)) : "";
      world.send(sent, limit, Timestamp::ever(), body, "+8613" + std::to_string(below(20)));
      limits[World::key(sent)] = limit;
    }
    world.memory.fails = below(10) == 0;
    world.run_until(world.clock.now() + microseconds(static_cast<std::int64_t>(below(60'000'000))));
    if (below(6) == 0) world.crash();
  }
  well = true;
  world.memory.fails = false;
  world.crash();  // stubborn ones keep their places till then
  world.run_until(world.clock.now() + days(10));

  std::string faults;
  const auto expect = [&](bool holds, const std::string& fault) {
    if (!holds) faults += fault + "\n";
  };
  for (const auto& attempt : world.connector->attempts)
    expect(attempt.at <= limits.at(attempt.delivery.key), "handed over too late");
  std::set<Hash128> taken;
  for (const Hash128 key : world.connector->taken) expect(taken.insert(key).second, "done twice");
  for (std::uint64_t i = 1; i <= sent; ++i) {
    expect(world.receipts[World::key(i)] == 1, "not one receipt");
    const std::string came = world.came_of(i);
    const bool is_there = there.contains(World::key(i));
    expect(came != "delivered" || is_there, "said to be delivered, and is not");
    expect(came == "delivered" || came == "unknown" || !is_there,
           "said to have failed, and is there");
  }
  expect(world.outbox->open() == 0, "something is open for ever");
  return faults;
}

std::uint64_t seeds() {
  const char* const given = std::getenv("KOI_SEEDS");
  return given ? std::strtoull(given, nullptr, 10) : 300;
}

class Chaos : public ::testing::TestWithParam<Repeat> {};

TEST_P(Chaos, NothingIsDoneTwiceNothingIsLateAndEachSendHasOneReceipt) {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed)
    ASSERT_EQ(faults_of(seed, GetParam(), Rule::None), "") << "seed " << seed;
}

TEST_P(Chaos, NorWhereLikeMessagesAreOneRequest) {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed)
    ASSERT_EQ(faults_of(seed, GetParam(), Rule::None, true), "") << "seed " << seed;
}

// Without the rule the checks above must find a fault; else they would prove nothing.
std::string first_fault_without(Rule rule, Repeat repeat, bool gathers = false) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed)
    if (const std::string faults = faults_of(seed, repeat, rule, gathers); !faults.empty())
      return faults;
  return "none found";
}

TEST(ChaosControl, WithoutItsRulesTheFaultsAreFound) {
  using testing::HasSubstr;
  EXPECT_THAT(first_fault_without(Rule::NeverTwice, Repeat::Neither), HasSubstr("done twice"));
  EXPECT_THAT(first_fault_without(Rule::RecordFirst, Repeat::Neither), HasSubstr("done twice"));
  EXPECT_THAT(first_fault_without(Rule::AskFirst, Repeat::CanBeAsked), HasSubstr("done twice"));
  for (const Rule rule : {Rule::NeverTwice, Rule::RecordFirst})
    EXPECT_THAT(first_fault_without(rule, Repeat::Neither, true), HasSubstr("done twice"));
  for (const Repeat repeat : {Repeat::Recognised, Repeat::CanBeAsked, Repeat::Neither})
    EXPECT_THAT(first_fault_without(Rule::NotAfter, repeat), HasSubstr("too late"));
}

INSTANTIATE_TEST_SUITE_P(EveryKind, Chaos, every_kind, name_of_kind);

}  // namespace
}  // namespace koi::runtime
