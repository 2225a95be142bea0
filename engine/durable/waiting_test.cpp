#include "durable/waiting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "durable/detail/trial.h"
#include "durable/meetings.h"

namespace koi::durable {
namespace {

Waited waited(const plan::Plan& plan, const std::string& customer, int number) {
  Waited what;
  what.stamp = Timestamp{1000 + number};
  what.partition = partition_of(customer);
  what.customer = customer;
  what.given = trial_order(plan, "e" + std::to_string(number), customer, Timestamp{5}, number);
  return what;
}

core::Lack lack(const std::string& account, std::uint64_t ask) {
  core::Lack lack;
  lack.account = account;
  lack.want = 7;
  lack.ask = ask;
  return lack;
}

std::string id_of(const Waited& what) { return std::get<Event>(*what.given).id; }

std::vector<store::Shared> frozen(Rows& rows) {
  std::vector<store::Shared> shared;
  rows.freeze(shared);
  rows.committed();
  return shared;
}

TEST(Waiting, WhatACustomerWaitsWithIsHisInTheOrderInWhichItCame) {
  const plan::Plan plan = trial_plan();
  Rows rows;
  Waiting waiting(rows);
  for (int i = 0; i < 6; ++i) waiting.add(waited(plan, i % 2 == 0 ? "a" : "b", i), trial_rules);
  EXPECT_EQ(waiting.size(), 6u);
  EXPECT_TRUE(waiting.waits("a"));
  EXPECT_FALSE(waiting.waits("c"));
  const auto hash_of_id = [&](int i) {
    return std::get<Event>(*waited(plan, "a", i).given).id_hash();
  };
  EXPECT_TRUE(waiting.waits("a", hash_of_id(2)));
  EXPECT_FALSE(waiting.waits("b", hash_of_id(2)));
  EXPECT_FALSE(waiting.waits("c", hash_of_id(2)));
  EXPECT_EQ(waiting.oldest(), Timestamp{1000});
  for (const char* id : {"e0", "e2", "e4"}) EXPECT_EQ(id_of(waiting.take("a")), id);
  EXPECT_FALSE(waiting.waits("a"));
  EXPECT_FALSE(waiting.waits("a", hash_of_id(2)));
  EXPECT_EQ(waiting.oldest(), Timestamp{1001});
  for (const char* id : {"e1", "e3", "e5"}) EXPECT_EQ(id_of(waiting.take("b")), id);
  EXPECT_TRUE(waiting.empty());
  EXPECT_EQ(waiting.bytes(), 0u);
  EXPECT_TRUE(frozen(rows).empty()) << "nothing is kept of it";
}

TEST(Waiting, ThoseWhoAreAnsweredGoOnFirstComeFirstServed) {
  const plan::Plan plan = trial_plan();
  Rows rows;
  Waiting waiting(rows);
  for (int i = 0; i < 4; ++i) waiting.add(waited(plan, std::string(1, "dbca"[i]), i), trial_rules);
  waiting.asks("d", {lack("x", 1)});
  waiting.asks("b", {lack("x", 1), lack("y", 1)});
  waiting.asks("c", {lack("x", 2)});
  waiting.asks("a", {lack("x", 1)});
  EXPECT_THAT(waiting.answered("x", 1, false), testing::ElementsAre("d", "a"));
  EXPECT_TRUE(waiting.answered("x", 1, false).empty()) << "each once";
  EXPECT_THAT(waiting.answered("y", 4, true), testing::ElementsAre("b"));
  // What was answered short is final for his turn; what was answered in full can be asked again.
  ASSERT_EQ(waiting.lacks("b").size(), 1u);
  EXPECT_EQ(waiting.lacks("b")[0].account, "y");
  EXPECT_TRUE(waiting.lacks("b")[0].answered);
  EXPECT_THAT(waiting.answered("x", 2, true), testing::ElementsAre("c"));
}

TEST(Waiting, AStartFindsItAsTheCheckpointHasItToTheByte) {
  const plan::Plan plan = trial_plan();
  Rows rows;
  Waiting waiting(rows);
  for (int i = 0; i < 5; ++i) waiting.add(waited(plan, i % 2 == 0 ? "a" : "b", i), trial_rules);
  Waited timer = waited(plan, "b", 6);
  timer.given.reset();
  timer.due = Timestamp{99};
  waiting.add(std::move(timer), trial_rules);
  waiting.asks("a", {lack("x", 1)});
  waiting.asks("b", {lack("x", 1), lack("y", 2)});
  EXPECT_TRUE(waiting.answered("y", 2, true).empty());
  waiting.take("a");

  Rows others;
  Waiting learnt(others);
  const std::vector<store::Shared> kept = frozen(rows);
  for (const store::Shared& each : kept) {
    const auto known = learnt.learn(each.key, each.bytes, plan, trial_rules);
    ASSERT_TRUE(known && *known) << (known ? each.key : known.error().what);
  }
  ASSERT_TRUE(learnt.learnt());
  EXPECT_EQ(learnt.size(), 5u);
  EXPECT_EQ(learnt.bytes(), waiting.bytes());
  EXPECT_EQ(learnt.oldest(), waiting.oldest());
  EXPECT_EQ(learnt.lacks("b"), waiting.lacks("b"));
  EXPECT_THAT(learnt.answered("x", 1, false), testing::ElementsAre("b"));
  // Both go on alike.
  waiting.answered("x", 1, false);
  for (Waiting* each : {&waiting, &learnt}) {
    each->add(waited(plan, "c", 8), trial_rules);
    each->asks("c", {lack("z", 3)});
    EXPECT_EQ(id_of(each->take("a")), "e2");
  }
  std::map<std::string, std::string> one, other;
  for (const store::Shared& each : frozen(rows)) one[each.key] = each.bytes;
  for (const store::Shared& each : frozen(others)) other[each.key] = each.bytes;
  for (const auto& [key, bytes] : other) EXPECT_EQ(one[key], bytes) << key;
}

TEST(Waiting, WhatIsPutFirstStandsThereAfterAStartTooAndWhatWasAskedIsForgotten) {
  const plan::Plan plan = trial_plan();
  Rows rows;
  Waiting waiting(rows);
  for (int i = 0; i < 2; ++i) waiting.add(waited(plan, "a", i), trial_rules);
  waiting.asks("a", {lack("x", 1)});
  waiting.put_first(waited(plan, "a", 2), trial_rules);
  EXPECT_TRUE(waiting.answered("x", 1, false).empty());
  waiting.asks_about("a", Waiting::Asked{7, true});
  waiting.put_first(waited(plan, "a", 3), trial_rules);
  EXPECT_FALSE(waiting.asked_about("a"));
  waiting.asks_about("a", Waiting::Asked{8, true});
  waiting.change("a", trial_rules, [](Waited& each) {
    Event& event = std::get<Event>(*each.given);
    event.time = Timestamp{6};
    return event.id == "e0";
  });
  Rows others;
  Waiting learnt(others);
  for (const store::Shared& each : frozen(rows))
    ASSERT_TRUE(learnt.learn(each.key, each.bytes, plan, trial_rules));
  ASSERT_TRUE(learnt.learnt());
  EXPECT_EQ(learnt.bytes(), waiting.bytes());
  ASSERT_TRUE(learnt.asked_about("a"));
  EXPECT_EQ(learnt.asked_about("a")->number, 8u);
  EXPECT_TRUE(learnt.asked_about("a")->is_resting);
  learnt.put_first(waited(plan, "a", 4), trial_rules);
  for (const char* id : {"e4", "e3", "e2"}) EXPECT_EQ(id_of(learnt.take("a")), id);
  EXPECT_EQ(std::get<Event>(*learnt.first("a").given).time, Timestamp{6});
  EXPECT_EQ(id_of(learnt.take("a")), "e0");
  EXPECT_EQ(id_of(learnt.take("a")), "e1");
  EXPECT_TRUE(learnt.empty());
}

TEST(Meetings, ThatAreKeptAreGivenInTheirOrderAndAfterAStartToo) {
  const plan::Plan plan = trial_plan();
  Rows rows;
  Meetings meetings(rows);
  for (std::uint64_t number = 1; number <= 4; ++number) {
    Meeting meeting;
    meeting.other = number == 3 ? "b" : "a";
    meeting.mine = meeting.face.id = "m" + std::to_string(number);
    meeting.link = IdentifierId::of(0);
    meeting.number = number;
    const std::string about = meeting.other;
    meetings.keep(about, {std::move(meeting), number == 2}, trial_rules);
  }
  const std::vector<store::Shared> kept = frozen(rows);
  Rows others;
  Meetings learnt(others);
  for (const store::Shared& each : kept) {
    const auto known = learnt.learn(each.key, each.bytes, plan, trial_rules);
    ASSERT_TRUE(known && *known);
    const auto refused = learnt.learn(each.key, each.bytes, plan, trial_rules + 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "rules");
    for (std::size_t size = 0; size < each.bytes.size(); ++size)
      EXPECT_FALSE(learnt.learn(each.key, each.bytes.substr(0, size), plan, trial_rules));
  }
  for (Meetings* each : {&meetings, &learnt}) {
    std::vector<std::string> who;
    for (const Meetings::Kept& one : each->take("a"))
      who.push_back(one.meeting.mine + (one.is_held ? " held" : ""));
    EXPECT_THAT(who, testing::ElementsAre("m1", "m2 held", "m4"));
    EXPECT_TRUE(each->take("a").empty());
    EXPECT_EQ(each->take("b").size(), 1u);
    EXPECT_TRUE(each->empty());
  }
  for (const store::Shared& each : frozen(rows)) EXPECT_TRUE(each.bytes.empty());
}

TEST(Waiting, OtherRulesAndDamagedRowsAreRefused) {
  const plan::Plan plan = trial_plan();
  Rows rows;
  Waiting waiting(rows);
  waiting.add(waited(plan, "a", 1), trial_rules);
  waiting.asks("a", {lack("x", 1)});
  const std::vector<store::Shared> kept = frozen(rows);
  ASSERT_EQ(kept.size(), 3u);
  for (const store::Shared& each : kept) {
    Rows others;
    Waiting learnt(others);
    if (each.key.starts_with("?i")) {
      const auto refused = learnt.learn(each.key, each.bytes, plan, trial_rules + 1);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, "rules");
    }
    for (std::size_t size = 0; size < each.bytes.size(); ++size)
      EXPECT_FALSE(learnt.learn(each.key, each.bytes.substr(0, size), plan, trial_rules))
          << each.key;
  }
  Rows others;
  Waiting learnt(others);
  ASSERT_TRUE(learnt.learn(kept[0].key, kept[0].bytes, plan, trial_rules));
  EXPECT_FALSE(learnt.learnt()) << "somebody asks, and waits with nothing";
}

}  // namespace
}  // namespace koi::durable
