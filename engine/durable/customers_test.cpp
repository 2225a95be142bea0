#include "durable/customers.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "durable/detail/trial.h"
#include "store/memory.h"

namespace koi::durable {
namespace {

class CustomersTest : public testing::Test {
 protected:
  static constexpr std::uint64_t budget = 100'000;

  // He comes, and his clock goes on.
  void come(const std::string& id) {
    auto state = customers.of(partition_of(id), id);
    ASSERT_TRUE(state);
    const auto before = clocks.find(id);
    EXPECT_EQ((*state)->clock, before == clocks.end() ? Timestamp::ever() : before->second);
    (*state)->clock = clocks[id] = now = now + seconds(1);
    customers.changed();
  }
  void come(const std::string& kind, int count) {
    for (int i = 0; i < count; ++i) come(kind + std::to_string(i));
  }
  // How many times one of so many comes, and his state is at hand without making it of its bytes.
  int found_as_values(const std::string& kind, int count) {
    const std::uint64_t before = customers.decodings();
    come(kind, count);
    return count - static_cast<int>(customers.decodings() - before);
  }

  plan::Plan plan = trial_plan();
  store::MemoryStore store;
  Customers customers{plan, store, 0, budget};
  Timestamp now = *parse_instant("2026-03-02T10:00:00Z");
  std::map<std::string, Timestamp> clocks;
};

TEST_F(CustomersTest, WhoComeOftenAreKeptAsValuesThroughAnyNumberWhoComeOnce) {
  come("regular", 20);
  come("regular", 20);
  for (int i = 0; i < 2000; ++i) {
    come("passer" + std::to_string(i));
    if (i % 10 == 0) {
      ASSERT_EQ(found_as_values("regular", 20), 20);
    }
  }
  EXPECT_LT(found_as_values("passer", 2000), 200);
}

TEST_F(CustomersTest, WhoComeOftenNowTakeTheRoomOfThoseWhoDidOnce) {
  constexpr int many = 300;  // of whom some have room as values
  for (int round = 0; round < 10; ++round) come("then", many);
  const int found = found_as_values("then", many);
  EXPECT_GT(found, many / 10);
  EXPECT_LT(found, many);
  for (int round = 0; round < 40; ++round) come("now", many);
  EXPECT_GT(found_as_values("now", many), found / 4 * 3);
  EXPECT_LT(found_as_values("then", many), found / 4);
}

TEST_F(CustomersTest, AStateThatWasNotChangedIsAsItWas) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 500; ++i) {
      const std::string id = "c" + std::to_string(i);
      ASSERT_TRUE(customers.of(partition_of(id), id));
      customers.unchanged();
    }
    come("c", 500);
  }
}

// Frozen as it was, also where it is changed as bytes before the checkpoint has taken it.
TEST_F(CustomersTest, ACheckpointTakesStatesAsTheyWereWhenItBegan) {
  come("c", 300);
  for (int round = 0; round < 5; ++round) come("c", 10);
  const auto frozen = customers.freeze();
  const auto then = clocks;
  come("c", 200);
  std::vector<store::Saved> taken;
  customers.take(frozen, taken);
  customers.committed();
  ASSERT_EQ(taken.size(), 300u);
  const core::Codec codec(plan);
  for (const store::Saved& each : taken) {
    const auto state = codec.decode(each.bytes);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->id, each.customer);
    EXPECT_EQ(state->clock, then.at(each.customer));
  }
  EXPECT_EQ(customers.freeze().size(), 200u);
}

}  // namespace
}  // namespace koi::durable
