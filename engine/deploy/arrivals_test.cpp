#include "deploy/arrivals.h"

#include <gtest/gtest.h>

#include <thread>

namespace koi::deploy {
namespace {

durable::Letter letter(store::Group from, store::Group to, std::uint64_t number) {
  return {from, to, number, 1, "told " + std::to_string(number)};
}

TEST(Arrivals, EachIsGivenOnceToWhomItIsFor) {
  Arrivals arrivals({3});
  arrivals.put({letter(0, 1, 4)});
  EXPECT_FALSE(arrivals.take(2, {0, 4}));
  EXPECT_FALSE(arrivals.take(1, {0, 3}));
  EXPECT_EQ(arrivals.take(1, {0, 4}), letter(0, 1, 4));
  EXPECT_FALSE(arrivals.take(1, {0, 4}));
}

TEST(Arrivals, WhatTheReceiverHasStoredIsNotKept) {
  Arrivals arrivals({2});
  arrivals.stored(0, 1, 4);
  arrivals.put({letter(0, 1, 4), letter(0, 1, 5)});
  EXPECT_EQ(arrivals.stored(0, 1), 4u);
  EXPECT_FALSE(arrivals.take(1, {0, 4}));
  EXPECT_TRUE(arrivals.take(1, {0, 5}));
}

TEST(Arrivals, WhoLacksSomebodyWaitsUntilHeHasCome) {
  Arrivals arrivals({2});
  bool has_come = false;
  std::thread receiver([&] { has_come = arrivals.wait_for(1, {0, 1}) && !arrivals.rest(1); });
  arrivals.put({letter(0, 1, 1)});
  EXPECT_FALSE(arrivals.rest(0));
  receiver.join();
  EXPECT_TRUE(has_come);
}

TEST(Arrivals, WhoHasComeToHisEndIsCalledWhereMoreOfHimIsLacked) {
  Arrivals arrivals({2});
  bool has_come = false;
  std::thread receiver([&] { has_come = arrivals.wait_for(1, {0, 1}) && !arrivals.rest(1); });
  EXPECT_TRUE(arrivals.rest(0));
  arrivals.put({letter(0, 1, 1)});
  EXPECT_FALSE(arrivals.rest(0));
  receiver.join();
  EXPECT_TRUE(has_come);
}

TEST(Arrivals, TwoWhoWaitForEachOtherAreTold) {
  Arrivals arrivals({2});
  bool has_come = true;
  std::thread other([&] { has_come = arrivals.wait_for(1, {0, 1}); });
  EXPECT_FALSE(arrivals.wait_for(0, {1, 1}));
  other.join();
  EXPECT_FALSE(has_come);
}

TEST(Arrivals, WhereOneBreaksOffNobodyWaits) {
  Arrivals arrivals({3});
  bool has_come = true;
  std::thread receiver([&] { has_come = arrivals.wait_for(1, {0, 1}); });
  std::thread resting([&] { EXPECT_FALSE(arrivals.rest(2)); });
  arrivals.break_off();
  receiver.join();
  resting.join();
  EXPECT_FALSE(has_come);
}

}  // namespace
}  // namespace koi::deploy
