// Identifiers and the timeline: what stands beside journal and states.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/scratch.h"
#include "store/identifiers.h"
#include "store/timeline.h"

namespace koi::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Beside : public ::testing::Test {
 protected:
  Scratch scratch_;
  std::optional<Directory> directory_{*Directory::open(scratch_.path())};
};

TEST_F(Beside, LinksAreFoundAtOnceAndStayWhenTheyAreCommitted) {
  auto links = *Identifiers::open(*directory_);
  EXPECT_EQ(*links->find("phone:1"), std::nullopt);
  ASSERT_TRUE(links->link("phone:1", "ann"));
  EXPECT_EQ(*links->find("phone:1"), "ann");
  ASSERT_TRUE(links->commit());
  ASSERT_TRUE(links->link("phone:2", "bob"));
  links.reset();  // as if the process had died: the second was not committed

  links = *Identifiers::open(*directory_);
  EXPECT_EQ(*links->find("phone:1"), "ann");
  EXPECT_EQ(*links->find("phone:2"), std::nullopt);
}

TEST_F(Beside, ALinkIsNeverOverwritten) {
  auto links = *Identifiers::open(*directory_);
  ASSERT_TRUE(links->link("phone:1", "ann"));
  EXPECT_FALSE(links->link("phone:1", "bob"));
  EXPECT_EQ(*links->find("phone:1"), "ann");
}

TEST_F(Beside, KeysAreBytes) {
  auto links = *Identifiers::open(*directory_);
  const std::string key("phone:\0x", 8);
  ASSERT_TRUE(links->link(key, "安安"));
  EXPECT_EQ(*links->find(key), "安安");
  EXPECT_EQ(*links->find("phone:"), std::nullopt);
}

TimelineEntry entry(std::string customer, int at, std::string line = {}) {
  const Hash128 key = hash128(customer + std::to_string(at) + line);
  if (line.empty()) line = customer + std::to_string(at);
  return {partition_of(customer), customer, Timestamp{at}, key, line};
}

TEST_F(Beside, ATimelineGivesTheNewestFirstAndNobodyElses) {
  auto timeline = *Timeline::open(*directory_);
  for (int i = 0; i < 3000; ++i)
    ASSERT_TRUE(timeline->add(std::vector{entry("c" + std::to_string(i % 300), i)}));
  EXPECT_THAT(*timeline->of("c7", 3), ElementsAre("c72707", "c72407", "c72107"));
  EXPECT_EQ(timeline->of("c7", 100)->size(), 10u);
  EXPECT_THAT(*timeline->of("stranger", 100), IsEmpty());

  timeline.reset();
  timeline = *Timeline::open(*directory_);
  EXPECT_EQ(timeline->of("c299", 100)->size(), 10u);
}

TEST_F(Beside, WhatIsToldAgainIsOneLine) {
  auto timeline = *Timeline::open(*directory_);
  const std::vector all = {entry("ann", 5), entry("ann", 6), entry("bob", 6)};
  ASSERT_TRUE(timeline->add(all));
  ASSERT_TRUE(timeline->add(std::vector{entry("ann", 9)}));
  ASSERT_TRUE(timeline->add(all));
  EXPECT_THAT(*timeline->of("ann", 10), ElementsAre("ann9", "ann6", "ann5"));
}

TEST_F(Beside, OldRowsAreDropped) {
  auto timeline = *Timeline::open(*directory_);
  std::vector<TimelineEntry> old, recent;
  for (int i = 0; i < 1500; ++i) old.push_back(entry("ann", i));
  ASSERT_TRUE(timeline->add(old));
  ASSERT_TRUE(timeline->add(std::vector{entry("ann", 9000), entry("bob", 9001)}));
  ASSERT_TRUE(timeline->drop(Timestamp{5000}));
  EXPECT_THAT(*timeline->of("ann", 10), ElementsAre("ann9000"));
}

}  // namespace
}  // namespace koi::store
