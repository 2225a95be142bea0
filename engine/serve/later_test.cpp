#include "serve/later.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <vector>

namespace koi::serve {
namespace {

TEST(Later, WorkIsDoneInTheOrderOfItsRests) {
  std::promise<void> done;
  std::vector<int> order;
  Later later;
  later.after(std::chrono::milliseconds(30), [&] {
    order.push_back(2);
    done.set_value();
  });
  later.after(std::chrono::milliseconds(1), [&] { order.push_back(1); });
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(Later, WhoeverHurriesRestsNoMore) {
  std::promise<void> first, second;
  Later later;
  later.after(std::chrono::hours(1), [&] { first.set_value(); });
  later.hurry();
  first.get_future().wait();
  later.after(std::chrono::hours(1), [&] { second.set_value(); });
  second.get_future().wait();
}

TEST(Later, WhatWaitsAtTheEndIsDone) {
  int done = 0;
  {
    Later later;
    later.after(std::chrono::hours(1), [&] {
      ++done;
      later.after(std::chrono::hours(1), [&] { ++done; });
    });
  }
  EXPECT_EQ(done, 2);
}

}  // namespace
}  // namespace koi::serve
