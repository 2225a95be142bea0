#include "durable/letters.h"

#include <gtest/gtest.h>

#include "durable/detail/trial.h"
#include "model/codec.h"
#include "store/memory.h"

namespace koi::durable {
namespace {

Told loan(std::int64_t amount) {
  core::Loan loan;
  loan.account = "account";
  loan.ask = 3;
  loan.amount = amount;
  loan.ranges = {{5, 9}};
  return loan;
}

Told message() {
  core::Message message;
  message.kind = core::Message::Kind::Claimed;
  message.key = {1, 2};
  message.time = Timestamp{77};
  message.from = "giver";
  message.to = "friend";
  message.code = "CODE";
  message.amount = -5;
  message.reason = core::Reason::AllTaken;
  message.what_is_left = true;
  message.hops = 3;
  message.hashes = {7, 8};
  message.known_as = "bytes";
  return message;
}

std::string bytes_of(const Told& told) {
  ByteWriter out;
  write(out, told);
  return out.take();
}

// Puts the rows into a store, and gives what a new start reads of them.
struct Kept {
  store::MemoryStore store{three_groups};
  store::Position position = 0;
  void put(Rows& rows) {
    std::vector<store::Shared> shared;
    rows.freeze(shared);
    const auto epoch = *store.take(0);
    store::Checkpoint what{0, epoch, ++position, {}};
    what.shared = shared;
    ASSERT_TRUE(store.checkpoint(what, [] {
      return Result<std::span<const store::Saved>>(std::span<const store::Saved>());
    }));
    rows.committed();
  }
  std::size_t rows() const { return store.shared_behind(0, "", 1000)->size(); }
};

Result<void> learn(Rows& rows, Letters& letters, const store::Store& store) {
  return rows.learn(store, 0, [&](std::string_view key, std::string_view bytes) -> Result<void> {
    const auto known = letters.learn(key, bytes);
    return known ? Result<void>() : known.error();
  });
}

TEST(Letters, WhatGroupsTellEachOtherComesBackFromItsBytesAndNothingElseDoes) {
  const plan::Plan plan = trial_plan();
  for (const Told& told : {loan(12), message()}) {
    const std::string bytes = bytes_of(told);
    ByteReader in(bytes);
    Told again;
    ASSERT_TRUE(read(in, plan, again));
    EXPECT_EQ(bytes_of(again), bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ByteReader cut(std::string_view(bytes).substr(0, size));
      EXPECT_FALSE(read(cut, plan, again)) << size;
    }
    ByteReader more(bytes + "x");
    const std::string longer = bytes + "x";
    ByteReader behind(longer);
    EXPECT_FALSE(read(behind, plan, again));
  }
  core::Message stranger = std::get<core::Message>(message());
  stranger.campaign = plan::CampaignId::of(plan.campaigns.size());
  const std::string bytes = bytes_of(stranger);
  ByteReader in(bytes);
  Told again;
  EXPECT_FALSE(read(in, plan, again)) << "no plan has that campaign";
}

TEST(Letters, AreNumberedForEachGroupAndStayUntilTheyHaveArrived) {
  Rows rows;
  Letters letters(0, three_groups, rows);
  for (int i = 0; i < 3; ++i) letters.write(1, trial_rules, loan(i));
  letters.write(2, trial_rules, message());
  EXPECT_EQ(letters.take_new().size(), 4u);
  EXPECT_TRUE(letters.take_new().empty());
  EXPECT_EQ(letters.last(1), 3u);
  EXPECT_EQ(letters.last(2), 1u);
  letters.arrived(1, 2);
  ASSERT_EQ(letters.open(1).size(), 1u);
  EXPECT_EQ(letters.open(1).front().number, 3u);
  EXPECT_EQ(letters.open(1).front().told, bytes_of(loan(2)));
  letters.arrived(1, 1);  // said late, it changes nothing
  EXPECT_EQ(letters.open(1).size(), 1u);
}

TEST(Letters, AreTakenInTheirOrderAndEachOnce) {
  Rows rows;
  Letters letters(0, three_groups, rows);
  EXPECT_FALSE(letters.takes(1, 2)) << "the first one is still to come";
  EXPECT_TRUE(letters.takes(1, 1));
  EXPECT_FALSE(letters.takes(1, 1));
  EXPECT_TRUE(letters.takes(2, 1)) << "of another group";
  EXPECT_TRUE(letters.takes(1, 2));
  EXPECT_EQ(letters.taken(1), 2u);
  EXPECT_FALSE(letters.takes(0, 1)) << "nobody writes to himself";
  EXPECT_FALSE(letters.takes(9, 1)) << "there is no such group";
}

TEST(Letters, AStartFindsThemAsTheCheckpointHasThem) {
  Rows rows;
  Letters letters(0, three_groups, rows);
  for (int i = 0; i < 300; ++i)
    letters.write(static_cast<store::Group>(1 + i % 2), trial_rules, loan(i));
  for (std::uint64_t i = 1; i <= 5; ++i) ASSERT_TRUE(letters.takes(2, i));
  letters.arrived(1, 100);
  Kept kept;
  kept.put(rows);
  Rows again;
  Letters learnt(0, three_groups, again);
  ASSERT_TRUE(learn(again, learnt, kept.store));
  EXPECT_EQ(learnt.open(1), letters.open(1));
  EXPECT_EQ(learnt.open(2), letters.open(2));
  EXPECT_EQ(learnt.last(1), 150u);
  EXPECT_EQ(learnt.taken(2), 5u);
  EXPECT_FALSE(again.has_changed());
  // And forgets them in the store too.
  learnt.arrived(1, 150);
  learnt.arrived(2, 150);
  kept.put(again);
  EXPECT_EQ(kept.rows(), 3u) << "two numbers written, one taken";
}

TEST(Letters, WhatCameAndWentBetweenTwoCheckpointsIsNoRow) {
  Rows rows;
  Letters letters(0, three_groups, rows);
  letters.write(1, trial_rules, loan(1));
  letters.arrived(1, 1);
  std::vector<store::Shared> shared;
  rows.freeze(shared);
  ASSERT_EQ(shared.size(), 1u) << "the last number alone";
  // Of a checkpoint that failed all is written once more.
  rows.failed();
  shared.clear();
  rows.freeze(shared);
  EXPECT_EQ(shared.size(), 1u);
}

TEST(Letters, RowsThatAreDamagedAreRefused) {
  for (const auto& [key, bytes] : std::vector<std::pair<std::string, std::string>>{
           {">", ""},
           {">l", ""},
           {std::string(">s\0\1", 4), ""},
           {std::string(">s\0\0", 4), "\1"},
           {std::string(">x\0\1", 4), "\1"},
           {std::string(">t\0\7", 4), "\1"},
           {std::string(">l\0\1\0\0\0\0\0\0\0\0", 12), "12345678"}}) {
    Rows rows;
    Letters letters(0, three_groups, rows);
    const auto learnt = letters.learn(key, bytes);
    ASSERT_FALSE(learnt) << key;
    EXPECT_EQ(learnt.error().code, "corrupt");
  }
}

}  // namespace
}  // namespace koi::durable
