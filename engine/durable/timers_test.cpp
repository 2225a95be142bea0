#include "durable/timers.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace koi::durable {
namespace {

using store::Due;

// Customers whose timers are in the store as they were at the last checkpoint, or in memory.
class TimersOf : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  struct Known {
    Timestamp due = Timestamp::never(), stored = Timestamp::never();
    bool in_memory = false;
  };

  static Due timer(const std::string& customer, Timestamp due) { return {due, 0, customer}; }
  static bool in_order(const Due& a, const Due& b) {
    return std::tie(a.due, a.customer) < std::tie(b.due, b.customer);
  }

  Timers::Source source() {
    return {.stored = [this](const std::optional<Due>& after, std::size_t limit,
                             std::optional<Due>& last) -> Result<std::vector<Due>> {
              std::vector<Due> rows;
              for (const auto& [id, known] : customers_)
                if (known.stored != Timestamp::never() &&
                    (!after || in_order(*after, timer(id, known.stored))))
                  rows.push_back(timer(id, known.stored));
              std::sort(rows.begin(), rows.end(), in_order);
              if (rows.size() >= limit) {
                rows.resize(limit);
                last = rows.back();
              }
              std::erase_if(rows,
                            [&](const Due& row) { return customers_[row.customer].in_memory; });
              return rows;
            },
            .cached =
                [this](const std::function<void(Due)>& each) {
                  for (const auto& [id, known] : customers_)
                    if (known.in_memory) each(timer(id, known.due));
                }};
  }

  std::optional<Due> first_before(Timestamp before) const {
    std::optional<Due> first;
    for (const auto& [id, known] : customers_)
      if (known.due < before && (!first || in_order(timer(id, known.due), *first)))
        first = timer(id, known.due);
    return first;
  }

  std::map<std::string, Known> customers_;
};

TEST_P(TimersOf, ManyComeInOrderWhereverTheyAreKept) {
  std::mt19937_64 chance(GetParam());
  for (int i = 0; i < 60; ++i) {
    Known& known = customers_["c" + std::to_string(i)];
    // With nobody there at first, all that come are near until they are too many.
    if (GetParam() % 2 == 0 && chance() % 3 != 0)
      known.due = known.stored = {static_cast<std::int64_t>(chance() % 200)};
  }
  Timers timers(source(), 4);
  std::int64_t clock = 0;
  int found = 0;
  for (int step = 0; step < 3000; ++step) {
    const std::string id = "c" + std::to_string(chance() % 60);
    Known& known = customers_[id];
    switch (chance() % 4) {
      case 0: {  // something happens to a customer
        const Timestamp due = chance() % 5 == 0
                                  ? Timestamp::never()
                                  : Timestamp{clock + static_cast<std::int64_t>(chance() % 300)};
        known.in_memory = true;
        timers.move(0, id, known.due, due);
        known.due = due;
        break;
      }
      case 1:  // a checkpoint holds him, and he leaves memory
        known.stored = known.due;
        known.in_memory = false;
        break;
      case 2:  // a checkpoint holds him, and he stays
        if (known.in_memory) known.stored = known.due;
        break;
      default: {
        clock += static_cast<std::int64_t>(chance() % 8);
        const auto expected = first_before({clock});
        const Due* next = *timers.next({clock});
        ASSERT_EQ(next != nullptr, expected.has_value()) << "step " << step;
        if (!next) break;
        ++found;
        ASSERT_EQ(*next, *expected) << "step " << step;
        const Due fired = *next;
        const Timestamp due{clock + 1 + static_cast<std::int64_t>(chance() % 300)};
        Known& who = customers_[fired.customer];
        who.in_memory = true;
        timers.move(0, fired.customer, who.due, due);
        who.due = due;
      }
    }
  }
  EXPECT_GT(found, 100);
}
INSTANTIATE_TEST_SUITE_P(Seeds, TimersOf, ::testing::Range<std::uint64_t>(1, 30));

}  // namespace
}  // namespace koi::durable
