// What every journal and every store promises, as tests. An implementation's own test includes this
// and instantiates it:
//   struct MemoryWorld { std::unique_ptr<Journal> journal(Groups); std::unique_ptr<Store>
//   store(Groups); }; INSTANTIATE_TYPED_TEST_SUITE_P(Memory, JournalConformance, MemoryWorld);
//   INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreConformance, MemoryWorld);
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "store/journal.h"
#include "store/store.h"

namespace koi::store {

template <class World>
class JournalConformance : public ::testing::Test {
 protected:
  static constexpr Groups groups{4};
  World world_;
  std::unique_ptr<Journal> journal_ = world_.journal(groups);

  Epoch take(Group group) { return *journal_->take(group); }
  static Row row(Group group, const std::string& bytes) { return {group, bytes}; }
  static Appended batch(Group group, Epoch epoch, const std::vector<Row>& rows) {
    return {group, epoch, rows};
  }
  Result<std::vector<Position>> append(std::vector<Appended> batches) {
    return journal_->append(batches);
  }
};
TYPED_TEST_SUITE_P(JournalConformance);

TYPED_TEST_P(JournalConformance, BeginsEmpty) {
  EXPECT_EQ(*this->journal_->last(0), 0u);
  EXPECT_TRUE(this->journal_->read(0, 1, 10)->empty());
}

TYPED_TEST_P(JournalConformance, GivesBackWhatWasAppendedInOrder) {
  const Epoch epoch = this->take(1);
  const std::vector<Row> first{{1, "a"}, {5, std::string("\0b", 2)}}, second{{1, ""}};
  EXPECT_EQ(*this->append({{1, epoch, first}}), std::vector<Position>{2});
  EXPECT_EQ(*this->append({{1, epoch, second}}), std::vector<Position>{3});
  const auto read = this->journal_->read(1, 1, 10);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, (std::vector<Read>{{1, first[0]}, {2, first[1]}, {3, second[0]}}));
}

TYPED_TEST_P(JournalConformance, ReadsWhatIsWrittenAndSyncsItWithMoreWrittenBehindIt) {
  const Epoch epoch = this->take(1);
  const std::vector<Row> first{{1, "a"}}, second{{1, "b"}};
  const Appended one{1, epoch, first}, two{1, epoch, second};
  EXPECT_EQ(*this->journal_->write(std::span(&one, 1)), std::vector<Position>{1});
  EXPECT_EQ(this->journal_->read(1, 1, 10)->size(), 1u);
  EXPECT_EQ(*this->journal_->write(std::span(&two, 1)), std::vector<Position>{2});
  EXPECT_TRUE(this->journal_->sync());
  EXPECT_TRUE(this->journal_->sync());
  EXPECT_EQ(*this->journal_->read(1, 1, 10), (std::vector<Read>{{1, first[0]}, {2, second[0]}}));
}

TYPED_TEST_P(JournalConformance, ReadsFromAPositionAndNoMoreThanAskedFor) {
  const Epoch epoch = this->take(0);
  const std::vector<Row> rows{{0, "a"}, {0, "b"}, {0, "c"}};
  ASSERT_TRUE(this->append({{0, epoch, rows}}));
  EXPECT_EQ(*this->journal_->read(0, 2, 1), (std::vector<Read>{{2, rows[1]}}));
  EXPECT_EQ(this->journal_->read(0, 2, 10)->size(), 2u);
  EXPECT_TRUE(this->journal_->read(0, 4, 10)->empty());
}

TYPED_TEST_P(JournalConformance, CountsPositionsPerGroup) {
  const Epoch zero = this->take(0), two = this->take(2);
  const std::vector<Row> a{{0, "a"}, {4, "b"}}, b{{2, "c"}};
  EXPECT_EQ(*this->append({{0, zero, a}, {2, two, b}}), (std::vector<Position>{2, 1}));
  EXPECT_EQ(*this->journal_->last(0), 2u);
  EXPECT_EQ(*this->journal_->last(1), 0u);
  EXPECT_EQ(*this->journal_->last(2), 1u);
}

TYPED_TEST_P(JournalConformance, RefusesAFencedWriterAndThenAppendsNothingOfAnyGroup) {
  const Epoch other = this->take(1), old = this->take(0), now = this->take(0);
  EXPECT_GT(now, old);
  const std::vector<Row> a{{0, "a"}}, b{{1, "b"}};
  const auto refused = this->append({{1, other, b}, {0, old, a}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "fenced");
  EXPECT_EQ(*this->journal_->last(0), 0u);
  EXPECT_EQ(*this->journal_->last(1), 0u);
  EXPECT_TRUE(this->append({{0, now, a}}));
  EXPECT_EQ(this->journal_->drop(0, old, 2).error().code, "fenced");
}

TYPED_TEST_P(JournalConformance, KeepsPositionsWhenOldRowsAreDropped) {
  const Epoch epoch = this->take(0);
  const std::vector<Row> rows{{0, "a"}, {0, "b"}, {0, "c"}};
  ASSERT_TRUE(this->append({{0, epoch, rows}}));
  ASSERT_TRUE(this->journal_->drop(0, epoch, 3));
  EXPECT_EQ(this->journal_->read(0, 2, 10).error().code, "gap");
  EXPECT_EQ(*this->journal_->read(0, 3, 10), (std::vector<Read>{{3, rows[2]}}));
  EXPECT_EQ(*this->append({{0, epoch, rows}}), std::vector<Position>{6});
}

TYPED_TEST_P(JournalConformance, NamesItsHistoryAtTheEndOfEachBatch) {
  const Epoch zero = this->take(0), one = this->take(1);
  const std::vector<Row> a{{0, "a"}, {0, "b"}}, b{{0, "c"}}, other{{1, "a"}, {1, "b"}};
  ASSERT_TRUE(this->append({{0, zero, a}, {1, one, other}}));
  ASSERT_TRUE(this->append({{0, zero, b}}));
  std::vector<Hash128> names{*this->journal_->chain(0, 0), *this->journal_->chain(0, 2),
                             *this->journal_->chain(0, 3), *this->journal_->chain(1, 0),
                             *this->journal_->chain(1, 2)};
  EXPECT_EQ(*this->journal_->chain(0, 2), names[1]);
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), 5u);
  EXPECT_EQ(this->journal_->chain(0, 1).error().code, "gap");
  EXPECT_EQ(this->journal_->chain(0, 4).error().code, "gap");
  ASSERT_TRUE(this->journal_->drop(0, zero, 3));
  EXPECT_EQ(*this->journal_->chain(0, 2), names[1]);
  EXPECT_EQ(this->journal_->chain(0, 0).error().code, "gap");
}

TYPED_TEST_P(JournalConformance, DropsWithinABatchToo) {
  const Epoch epoch = this->take(1);
  const std::vector<Row> rows{{1, "a"}, {1, "b"}, {1, "c"}};
  ASSERT_TRUE(this->append({{1, epoch, rows}}));
  ASSERT_TRUE(this->append({{1, epoch, rows}}));
  ASSERT_TRUE(this->journal_->drop(1, epoch, 5));
  EXPECT_EQ(this->journal_->read(1, 4, 10).error().code, "gap");
  EXPECT_EQ(*this->journal_->read(1, 5, 10), (std::vector<Read>{{5, rows[1]}, {6, rows[2]}}));
  ASSERT_TRUE(this->journal_->drop(1, epoch, 100));
  EXPECT_EQ(*this->journal_->last(1), 6u);
  EXPECT_TRUE(this->journal_->read(1, 7, 10)->empty());
  EXPECT_EQ(*this->append({{1, epoch, rows}}), std::vector<Position>{9});
}

TYPED_TEST_P(JournalConformance, KnowsWhatIsSetAsideAsLongAsItHasTheRows) {
  const Epoch zero = this->take(0), one = this->take(1);
  const std::vector<Row> a{{0, "a"}, {0, "b"}, {0, "c"}}, b{{1, "a"}};
  ASSERT_TRUE(this->append({{0, zero, a}, {1, one, b}}));
  EXPECT_TRUE(this->journal_->set_aside(0)->empty());
  ASSERT_TRUE(this->journal_->set_aside(0, zero, {3, 0}));
  ASSERT_TRUE(this->journal_->set_aside(0, zero, {1, 17}));
  ASSERT_TRUE(this->journal_->set_aside(0, zero, {3, 0}));
  ASSERT_TRUE(this->journal_->set_aside(1, one, {1, 0}));
  EXPECT_EQ(*this->journal_->set_aside(0), (std::vector<SetAside>{{1, 17}, {3, 0}}));
  EXPECT_EQ(*this->journal_->set_aside(1), (std::vector<SetAside>{{1, 0}}));
  EXPECT_EQ(this->journal_->set_aside(0, zero - 1, {2, 0}).error().code, "fenced");
  ASSERT_TRUE(this->journal_->drop(0, zero, 3));
  EXPECT_EQ(*this->journal_->set_aside(0), (std::vector<SetAside>{{3, 0}}));
  EXPECT_EQ(*this->journal_->set_aside(1), (std::vector<SetAside>{{1, 0}}));
}

TYPED_TEST_P(JournalConformance, LetsGroupsAppendAtTheSameTime) {
  std::vector<std::thread> writers;
  for (Group group = 0; group < 4; ++group)
    writers.emplace_back([this, group, epoch = this->take(group)] {
      for (int i = 0; i < 100; ++i) {
        const std::vector<Row> rows{{group, std::to_string(i)}};
        EXPECT_TRUE(this->append({{group, epoch, rows}}));
      }
    });
  for (std::thread& writer : writers) writer.join();
  for (Group group = 0; group < 4; ++group) {
    const auto read = this->journal_->read(group, 1, 1000);
    ASSERT_EQ(read->size(), 100u);
    for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ((*read)[i].row.bytes, std::to_string(i));
  }
}

REGISTER_TYPED_TEST_SUITE_P(JournalConformance, BeginsEmpty, GivesBackWhatWasAppendedInOrder,
                            ReadsWhatIsWrittenAndSyncsItWithMoreWrittenBehindIt,
                            ReadsFromAPositionAndNoMoreThanAskedFor, CountsPositionsPerGroup,
                            RefusesAFencedWriterAndThenAppendsNothingOfAnyGroup,
                            KeepsPositionsWhenOldRowsAreDropped, NamesItsHistoryAtTheEndOfEachBatch,
                            DropsWithinABatchToo, KnowsWhatIsSetAsideAsLongAsItHasTheRows,
                            LetsGroupsAppendAtTheSameTime);

template <class World>
class StoreConformance : public ::testing::Test {
 protected:
  static constexpr Groups groups{4};
  World world_;
  std::unique_ptr<Store> store_ = world_.store(groups);

  Epoch take(Group group) { return *store_->take(group); }
  Result<void> checkpoint(Group group, Epoch epoch, Position position, std::vector<Saved> changed,
                          std::string_view kept = {}) {
    return store_->checkpoint(group, epoch, position, changed, kept);
  }
  static Timestamp at(std::int64_t us) { return {us}; }
};
TYPED_TEST_SUITE_P(StoreConformance);

TYPED_TEST_P(StoreConformance, KnowsNobodyAtFirst) {
  EXPECT_EQ(*this->store_->load(3, "ann"), std::nullopt);
  EXPECT_EQ(*this->store_->position(3), 0u);
  EXPECT_TRUE(this->store_->due(3, Timestamp::never(), 10)->empty());
}

TYPED_TEST_P(StoreConformance, LoadsWhatACheckpointHolds) {
  const Epoch epoch = this->take(1);
  const std::string bytes("\0\xff state", 8);
  ASSERT_TRUE(this->checkpoint(1, epoch, 7, {{1, "ann", bytes}, {5, "bo", "b"}}));
  EXPECT_EQ(*this->store_->load(1, "ann"), bytes);
  EXPECT_EQ(*this->store_->load(5, "bo"), "b");
  EXPECT_EQ(*this->store_->position(1), 7u);
}

TYPED_TEST_P(StoreConformance, KeepsEqualIdsOfTwoPartitionsApart) {
  const Epoch epoch = this->take(1);
  ASSERT_TRUE(this->checkpoint(1, epoch, 1, {{1, "ann", "a"}, {5, "ann", "b"}}));
  EXPECT_EQ(*this->store_->load(1, "ann"), "a");
  EXPECT_EQ(*this->store_->load(5, "ann"), "b");
  EXPECT_EQ(*this->store_->load(9, "ann"), std::nullopt);
}

TYPED_TEST_P(StoreConformance, ReplacesAndRemoves) {
  const Epoch epoch = this->take(0);
  ASSERT_TRUE(
      this->checkpoint(0, epoch, 1, {{0, "ann", "a", this->at(5)}, {0, "bo", "b", this->at(6)}}));
  ASSERT_TRUE(this->checkpoint(0, epoch, 2, {{0, "ann", "a2"}, {0, "bo", ""}}));
  EXPECT_EQ(*this->store_->load(0, "ann"), "a2");
  EXPECT_EQ(*this->store_->load(0, "bo"), std::nullopt);
  EXPECT_TRUE(this->store_->due(0, Timestamp::never(), 10)->empty());
}

TYPED_TEST_P(StoreConformance, NeverGoesBack) {
  const Epoch epoch = this->take(0);
  ASSERT_TRUE(this->checkpoint(0, epoch, 5, {{0, "ann", "a"}}));
  const auto back = this->checkpoint(0, epoch, 4, {{0, "ann", "old"}});
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, "gap");
  EXPECT_EQ(*this->store_->load(0, "ann"), "a");
  EXPECT_TRUE(this->checkpoint(0, epoch, 5, {}));
}

TYPED_TEST_P(StoreConformance, KeepsWhatAGroupKeepsBesideItsCustomers) {
  const Epoch epoch = this->take(1);
  EXPECT_EQ(*this->store_->kept(1), "");
  ASSERT_TRUE(this->checkpoint(1, epoch, 1, {}, std::string_view("marks\0 and more", 15)));
  EXPECT_EQ(*this->store_->kept(1), std::string_view("marks\0 and more", 15));
  EXPECT_EQ(*this->store_->kept(0), "");
  ASSERT_TRUE(this->checkpoint(1, epoch, 2, {}));
  EXPECT_EQ(*this->store_->kept(1), "");
}

TYPED_TEST_P(StoreConformance, KeepsWhatTheCustomersOfAGroupShareWithTheirStates) {
  using Sharing = std::vector<Shared>;
  const Epoch epoch = this->take(1);
  const auto none = []() -> Result<std::span<const Saved>> { return std::span<const Saved>(); };
  EXPECT_EQ(*this->store_->shared(1, "a"), "");
  EXPECT_TRUE(this->store_->shared_behind(1, "", 10)->empty());
  const std::string high("\xff\0key", 5), bytes("\0\xff", 2);
  const Sharing first{{"a", "1"}, {high, bytes}, {"b", "2"}};
  ASSERT_TRUE(this->store_->checkpoint(
      {.group = 1, .epoch = epoch, .position = 1, .kept = "", .shared = first}, none));
  EXPECT_EQ(*this->store_->shared(1, high), bytes);
  EXPECT_EQ(*this->store_->shared(0, "a"), "");
  const Sharing in_order{{"a", "1"}, {"b", "2"}, {high, bytes}};
  EXPECT_EQ(*this->store_->shared_behind(1, "", 10), in_order);
  EXPECT_EQ(*this->store_->shared_behind(1, "a", 1), Sharing({{"b", "2"}}));
  // One more checkpoint replaces, removes, and leaves the rest alone.
  const Sharing second{{"a", ""}, {"b", "3"}, {"c", ""}};
  ASSERT_TRUE(this->store_->checkpoint(
      {.group = 1, .epoch = epoch, .position = 2, .kept = "", .shared = second}, none));
  EXPECT_EQ(*this->store_->shared_behind(1, "", 10), Sharing({{"b", "3"}, {high, bytes}}));
}

TYPED_TEST_P(StoreConformance, WritesNothingThatIsSharedWhereACheckpointFails) {
  const Epoch old = this->take(0), epoch = this->take(0);
  const std::vector<Shared> shared{{"a", "1"}};
  const auto none = []() -> Result<std::span<const Saved>> { return std::span<const Saved>(); };
  EXPECT_EQ(this->store_
                ->checkpoint(
                    {.group = 0, .epoch = old, .position = 1, .kept = "", .shared = shared}, none)
                .error()
                .code,
            "fenced");
  const auto broken = this->store_->checkpoint(
      {.group = 0, .epoch = epoch, .position = 1, .kept = "", .shared = shared},
      []() -> Result<std::span<const Saved>> {
        return Error{"broken", "the source broke"};
      });
  ASSERT_FALSE(broken);
  EXPECT_EQ(*this->store_->shared(0, "a"), "");
}

TYPED_TEST_P(StoreConformance, TakesACheckpointInPieces) {
  const Epoch epoch = this->take(0);
  std::vector<Saved> piece;
  int given = 0;
  ASSERT_TRUE(this->store_->checkpoint({0, epoch, 3, "k"}, [&]() -> Result<std::span<const Saved>> {
    piece.clear();
    for (int i = 0; i < 10 && given < 25; ++i, ++given)
      piece.push_back({0, "customer " + std::to_string(given), std::to_string(given)});
    return std::span<const Saved>(piece);
  }));
  for (int i = 0; i < 25; ++i)
    EXPECT_EQ(*this->store_->load(0, "customer " + std::to_string(i)), std::to_string(i));
}

TYPED_TEST_P(StoreConformance, LoadsSeveralAtOnceInTheirOrder) {
  const Epoch epoch = this->take(1);
  ASSERT_TRUE(this->checkpoint(1, epoch, 1, {{1, "ann", "a"}, {5, "ann", "b"}, {5, "bo", "c"}}));
  const Key keys[] = {{5, "bo"}, {1, "bo"}, {1, "ann"}, {5, "ann"}, {5, "bo"}};
  const auto loaded = this->store_->load_all(keys);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(*loaded, (std::vector<std::optional<std::string>>{"c", std::nullopt, "a", "b", "c"}));
  EXPECT_TRUE(this->store_->load_all({})->empty());
  // Nothing stays open behind it: a checkpoint is found by the next one.
  ASSERT_TRUE(this->checkpoint(1, epoch, 2, {{1, "ann", "new"}}));
  EXPECT_EQ(this->store_->load_all(std::span(keys).subspan(2, 1))->front(), "new");
}

TYPED_TEST_P(StoreConformance, KeepsEveryLayoutThatACheckpointNamed) {
  const Epoch epoch = this->take(0);
  const auto none = []() -> Result<std::span<const Saved>> { return std::span<const Saved>(); };
  EXPECT_TRUE(this->store_->layouts(0)->empty());
  const std::string_view names[] = {"one", "one", "two", "", "one", std::string_view("t\0o", 3)};
  Position position = 0;
  for (const std::string_view layout : names)
    ASSERT_TRUE(this->store_->checkpoint({0, epoch, ++position, "k", layout}, none));
  EXPECT_EQ(*this->store_->layouts(0),
            (std::vector<std::string>{"one", "two", std::string("t\0o", 3)}));
  EXPECT_TRUE(this->store_->layouts(1)->empty());
}

TYPED_TEST_P(StoreConformance, WritesNothingWhenTheSourceOfACheckpointFails) {
  const Epoch epoch = this->take(0);
  ASSERT_TRUE(this->checkpoint(0, epoch, 1, {{0, "ann", "a", this->at(5)}}, "kept"));
  const std::vector<Saved> piece{{0, "ann", "b"}, {0, "bo", "b"}};
  bool given = false;
  const auto failed =
      this->store_->checkpoint({0, epoch, 3, "other"}, [&]() -> Result<std::span<const Saved>> {
        if (given) return Error{"broken", "the source broke"};
        given = true;
        return std::span<const Saved>(piece);
      });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, "broken");
  EXPECT_EQ(*this->store_->load(0, "ann"), "a");
  EXPECT_EQ(*this->store_->load(0, "bo"), std::nullopt);
  EXPECT_EQ(*this->store_->kept(0), "kept");
  EXPECT_EQ(*this->store_->position(0), 1u);
  EXPECT_EQ(this->store_->due(0, Timestamp::never(), 10)->size(), 1u);
  EXPECT_TRUE(this->checkpoint(0, epoch, 2, {}));
}

TYPED_TEST_P(StoreConformance, KeepsLongStatesAndManyOfThem) {
  const Epoch epoch = this->take(0);
  std::vector<Saved> all;
  for (int i = 0; i < 500; ++i)
    all.push_back({static_cast<Partition>(4 * (i % 3)), "c" + std::to_string(i),
                   std::string(static_cast<std::size_t>(i * i), static_cast<char>(i))});
  all[0].bytes = "x";
  ASSERT_TRUE(this->checkpoint(0, epoch, 1, all));
  for (const Saved& saved : all)
    EXPECT_EQ(*this->store_->load(saved.partition, saved.customer), saved.bytes);
}

TYPED_TEST_P(StoreConformance, MovesATimer) {
  const Epoch epoch = this->take(0);
  ASSERT_TRUE(this->checkpoint(0, epoch, 1, {{0, "ann", "a", this->at(5)}}));
  ASSERT_TRUE(this->checkpoint(0, epoch, 2, {{0, "ann", "b", this->at(9)}}));
  EXPECT_TRUE(this->store_->due(0, this->at(9), 10)->empty());
  EXPECT_EQ(*this->store_->due(0, this->at(10), 10), (std::vector<Due>{{this->at(9), 0, "ann"}}));
}

TYPED_TEST_P(StoreConformance, RefusesAFencedWriter) {
  const Epoch old = this->take(2), now = this->take(2);
  const auto refused = this->checkpoint(2, old, 1, {{2, "ann", "a"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "fenced");
  EXPECT_EQ(*this->store_->load(2, "ann"), std::nullopt);
  EXPECT_EQ(*this->store_->position(2), 0u);
  EXPECT_TRUE(this->checkpoint(2, now, 1, {{2, "ann", "a"}}));
}

TYPED_TEST_P(StoreConformance, GivesTimersByInstantThenCustomerOfItsGroupAlone) {
  const Epoch zero = this->take(0), one = this->take(1);
  ASSERT_TRUE(this->checkpoint(0, zero, 1,
                               {{4, "bo", "b", this->at(10)},
                                {0, "cy", "c", this->at(10)},
                                {0, "ann", "a", this->at(20)},
                                {8, "dee", "d", this->at(30)},
                                {8, "eve", "e"}}));
  ASSERT_TRUE(this->checkpoint(1, one, 1, {{1, "other", "x", this->at(1)}}));
  const auto due = this->store_->due(0, this->at(30), 10);
  ASSERT_TRUE(due);
  EXPECT_EQ(*due, (std::vector<Due>{
                      {this->at(10), 4, "bo"}, {this->at(10), 0, "cy"}, {this->at(20), 0, "ann"}}));
  const auto first = this->store_->due(0, this->at(30), 1);
  const auto rest = this->store_->due(0, this->at(30), 10, first->front());
  EXPECT_EQ(first->size() + rest->size(), 3u);
  EXPECT_EQ(rest->front().customer, "cy");
}

TYPED_TEST_P(StoreConformance, ScansAPartitionByIdInPieces) {
  const Epoch epoch = this->take(0);
  ASSERT_TRUE(
      this->checkpoint(0, epoch, 1, {{0, "c", "3"}, {0, "a", "1"}, {0, "b", "2"}, {4, "aa", "x"}}));
  std::string seen, after;
  for (;;) {
    const auto piece = this->store_->scan(0, after, 2);
    if (piece->empty()) break;
    for (const Saved& saved : *piece) seen += saved.bytes;
    after = piece->back().customer;
  }
  EXPECT_EQ(seen, "123");
}

REGISTER_TYPED_TEST_SUITE_P(StoreConformance, KeepsWhatAGroupKeepsBesideItsCustomers,
                            KeepsWhatTheCustomersOfAGroupShareWithTheirStates,
                            WritesNothingThatIsSharedWhereACheckpointFails,
                            TakesACheckpointInPieces, LoadsSeveralAtOnceInTheirOrder,
                            KeepsEveryLayoutThatACheckpointNamed,
                            WritesNothingWhenTheSourceOfACheckpointFails,
                            KeepsLongStatesAndManyOfThem, MovesATimer, KnowsNobodyAtFirst,
                            LoadsWhatACheckpointHolds, KeepsEqualIdsOfTwoPartitionsApart,
                            ReplacesAndRemoves, NeverGoesBack, RefusesAFencedWriter,
                            GivesTimersByInstantThenCustomerOfItsGroupAlone,
                            ScansAPartitionByIdInPieces);

}  // namespace koi::store
