// Customers of different groups who turn out to be one person, through the door and by hand: what
// reaches them, what they refuse, what they ask.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "base/scratch.h"
#include "core/call.h"
#include "deploy/bundles.h"
#include "durable/by_hand.h"
#include "serve/detail/trial.h"
#include "serve/door.h"
#include "serve/refusals.h"
#include "store/identifiers.h"
#include "store/memory.h"

namespace koi::serve {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

std::string one_of(store::Group group, const std::string& prefix) {
  return durable::id_of(three_groups, group, prefix);
}

// A server by hand. Ann has been seen first on a device, and is known to the shop by an id of
// another group.
class MovesTest : public ::testing::Test {
 protected:
  MovesTest() {
    auto compiled = deploy::compile({1, {{"a.koi", R"(
      policy { currency CNY  consent not required for marketing }
      customer { identify by device }
      event come { device: text? }
      event buy {}
      channel app { class direct }
      channel mail { class direct }
      content hello { body "hello" }
      points stars { expire 30 days }
      coupon ten { off ¥10.00  codes generated "T-####" }
      campaign greet { class marketing  enter always  when come send hello via app, else mail }
      campaign thank { class service  enter always  when buy give ten give 5 stars }
    )"}}});
    if (!compiled) throw std::runtime_error(compiled.error().what);
    plan_ = *std::move(compiled);
    open();
  }

  void open() {
    door_.reset();
    places_.reset();
    writers_.reset();
    deliveries_.emplace(plan_, three_groups);
    auto writers = durable::Writers::open(
        {plan_, 1, journal_, store_, three_groups, *deliveries_, [this] { return now_; }, nullptr,
         [this](const durable::Letter&) { return carries_; }},
        {});
    ASSERT_TRUE(writers) << writers.error().what;
    writers_ = *std::move(writers);
    places_.emplace(plan_, *writers_);
    door_.emplace(plan_, links_, *writers_, *places_, *deliveries_);
  }
  void checkpoint() { ASSERT_TRUE(durable::store_all(*writers_)); }

  // Until nothing moves any more.
  void run_dry() { durable::run_dry(*writers_); }

  // What came of it; empty where it was not taken.
  std::string send(const std::string& type, const std::string& subject,
                   const std::string& data = {}) {
    now_ = now_ + minutes(1);
    return send_again(R"({"id":"e)" + std::to_string(++number_) + R"(","type":")" + type +
                      R"(","time":")" + to_string(now_, utc()) + R"(","subject":")" + subject +
                      R"(","data":{)" + data + "}}");
  }
  std::string send_again(const std::string& line) {
    std::string came;
    line_ = line;
    door_->take(line, true, [&](Result<std::vector<LineResult>> results) {
      came = results ? std::string(name_of(results->front().came)) + results->front().reason
                     : results.error().code;
    });
    run_dry();
    return came;
  }
  void log_in(const std::string& who) {
    EXPECT_EQ(send("come", who, R"("device":")" + device_ + '"'), "accepted");
  }

  core::State state_of(const std::string& who) {
    core::State shown;
    writers_->look(who, [&](Result<const core::State*> state) {
      ASSERT_TRUE(state && *state);
      shown = **state;
    });
    return shown;
  }
  std::vector<Delivery> open_deliveries() {
    std::vector<Delivery> all;
    const auto open = *deliveries_->take_open();
    for (const auto& each : open) all.push_back(each.send.delivery);
    return all;
  }
  std::size_t unwanted() {
    std::size_t all = 0;
    for (const Delivery& each : open_deliveries()) all += !deliveries_->is_wanted(each.key);
    return all;
  }

  // As often as it is asked for, under its key: whoever's it is by now.
  core::Answer ask(core::Call call) {
    core::Answer told;
    places_->find(call, [&](Result<core::Call> place) {
      ASSERT_TRUE(place) << place.error().what;
      const auto done = [&](const Result<std::vector<durable::Answer>>& answers) {
        ASSERT_TRUE(answers && answers->front().call);
        told = *answers->front().call;
      };
      ASSERT_TRUE(writers_->submit({*std::move(place)}, done));
    });
    run_dry();
    return told;
  }

  // The answer's reason, or the error's code.
  std::string spend(const std::string& who, std::int64_t amount, const char* key) {
    core::Call call;
    call.kind = core::Call::Kind::Spend;
    call.id = call.order = key;
    call.customer = who;
    call.points = plan::IncentiveId::of(0);
    call.amount = amount;
    call.time = now_;
    return decide(std::move(call));
  }
  std::string decide(core::Call call) {
    std::string told = "nothing";
    const auto done = [&](const Result<std::vector<durable::Answer>>& answers) {
      if (!answers) told = answers.error().code;
      if (answers && answers->front().call)
        told = answers->front().call->reason == core::Reason::None ? "done" : "refused";
    };
    EXPECT_TRUE(writers_->submit({std::move(call)}, done));
    run_dry();
    return told;
  }
  std::string found(const std::string& who) {
    std::string whom;
    places_->find_customer(who, [&](const Result<std::string>& customer) {
      whom = customer ? *customer : customer.error().code;
    });
    return whom;
  }

  plan::Plan plan_;
  Scratch scratch_;
  store::Directory directory_ = *store::Directory::open(scratch_.path() / "data", {.reserve = 1});
  std::unique_ptr<store::Identifiers> identifiers_ = *store::Identifiers::open(directory_);
  StoredLinks links_{*identifiers_};
  store::MemoryJournal journal_{three_groups};
  store::MemoryStore store_{three_groups};
  Timestamp now_ = *parse_instant("2026-03-02T12:00:00Z");
  bool carries_ = true;  // letters arrive
  int number_ = 0;
  std::string line_;  // that was sent last
  std::optional<Deliveries> deliveries_;
  std::unique_ptr<durable::Writers> writers_;
  std::optional<Places> places_;
  std::optional<Door> door_;

  const std::string device_ = one_of(0, "device:d").substr(7), visitor_ = "device:" + device_,
                    ann_ = one_of(1, "ann"), bob_ = one_of(2, "bob");
};

TEST_F(MovesTest, WhoHasGoneIsTheOneWhoStaysUnderEitherId) {
  EXPECT_EQ(send("come", visitor_), "accepted");
  EXPECT_EQ(send("buy", visitor_), "accepted");
  EXPECT_EQ(send("buy", ann_), "accepted");
  const std::string line = line_;
  log_in(ann_);
  EXPECT_EQ(state_of(ann_).id, visitor_);
  EXPECT_THAT(state_of(visitor_).same, ElementsAre(ann_));
  EXPECT_EQ(found(ann_), visitor_);
  EXPECT_EQ(found(bob_), bob_);
  EXPECT_EQ(send_again(line), "duplicate") << "the door has learnt who she is";
  checkpoint();
  open();  // and it has to be found out anew
  EXPECT_EQ(send("buy", ann_), "accepted");
  ASSERT_THAT(state_of(visitor_).holdings, SizeIs(1));
  const core::State shown = state_of(visitor_);
  const auto& grants = shown.holdings[0].grants;
  EXPECT_EQ(std::count_if(grants.begin(), grants.end(),
                          [](const core::Grant& each) { return !each.code.empty(); }),
            3);
}

TEST_F(MovesTest, WhatIsRefusedUnderOneIdReachesNobodyUnderAnother) {
  EXPECT_EQ(send("come", visitor_), "accepted");
  EXPECT_EQ(send("come", ann_), "accepted");
  log_in(ann_);
  ASSERT_THAT(open_deliveries(), SizeIs(3));
  EXPECT_EQ(unwanted(), 0u);
  checkpoint();
  open();  // and who she is has to be found out by her group
  ASSERT_THAT(open_deliveries(), SizeIs(3));
  EXPECT_EQ(send("unsubscribed", ann_), "busy") << "it is on its way; by hand nobody waits for it";
  EXPECT_EQ(unwanted(), 3u);
  EXPECT_EQ(send_again(line_), "accepted");
  EXPECT_EQ(send("unsubscribed", visitor_), "accepted");
}

TEST_F(MovesTest, ARefusalIsTakenWhenItHasComeToWhereItsCustomerIs) {
  EXPECT_EQ(send("come", visitor_), "accepted");
  EXPECT_EQ(send("come", ann_), "accepted");
  log_in(ann_);
  checkpoint();
  open();
  carries_ = false;
  EXPECT_EQ(send("unsubscribed", ann_), "busy") << "another message might go out yet";
  const std::string line = line_;
  carries_ = true;
  ASSERT_TRUE(writers_->resend());
  run_dry();
  EXPECT_EQ(unwanted(), 3u);
  EXPECT_EQ(send_again(line), "accepted");
}

// The group of her former id has written nothing of it when the process dies.
TEST_F(MovesTest, WhatWasWithdrawnIsSoAfterACrashBeforeAnythingIsSent) {
  EXPECT_EQ(send("come", visitor_), "accepted");
  EXPECT_EQ(send("come", ann_), "accepted");
  log_in(ann_);
  checkpoint();
  carries_ = false;
  EXPECT_EQ(send("unsubscribed", visitor_), "accepted");
  EXPECT_EQ(unwanted(), 3u);
  ASSERT_TRUE(writers_->checkpoint(three_groups.group_of(partition_of(visitor_))));
  open();
  ASSERT_TRUE(heed_letters(*writers_, plan_, *deliveries_));
  EXPECT_EQ(unwanted(), 3u);
  carries_ = true;
  ASSERT_TRUE(writers_->resend());
  run_dry();
  checkpoint();
  open();
  EXPECT_EQ(unwanted(), 3u) << "her former group has it in its own journal";
}

TEST_F(MovesTest, AReceiptOfWhatWasDecidedBeforeMovesTheOneWhoStaysOn) {
  EXPECT_EQ(send("come", visitor_), "accepted");
  EXPECT_EQ(send("come", ann_), "accepted");
  log_in(ann_);
  const auto before = open_deliveries();
  ASSERT_THAT(before, SizeIs(3));
  const auto hers = std::find_if(before.begin(), before.end(),
                                 [&](const Delivery& each) { return each.customer == ann_; });
  ASSERT_NE(hers, before.end());
  std::vector<durable::Given> receipt;
  receipt.emplace_back(
      durable::ReceiptFor{ann_, {hers->key, now_ + seconds(1), Failure::Unreachable}});
  ASSERT_TRUE(writers_->submit(std::move(receipt), {}, durable::Lane::Inner));
  run_dry();
  int by_mail = 0;
  for (const Delivery& each : open_deliveries()) {
    EXPECT_NE(each.key, hers->key);
    if (each.channel != "mail") continue;
    ++by_mail;
    EXPECT_EQ(each.customer, visitor_);
  }
  EXPECT_EQ(by_mail, 1);
}

TEST_F(MovesTest, ThePointsOfEitherAreSpentUnderEitherId) {
  EXPECT_EQ(send("buy", visitor_), "accepted");
  EXPECT_EQ(send("buy", ann_), "accepted");
  log_in(ann_);
  EXPECT_EQ(spend(ann_, 10, "o1"), "moved");
  EXPECT_EQ(spend(found(ann_), 10, "o1"), "done");
  EXPECT_EQ(spend(found(ann_), 1, "o2"), "refused");
}

TEST_F(MovesTest, WhatWasAskedBeforeIsAnsweredTheSameWhenHeHasMoved) {
  EXPECT_EQ(send("buy", visitor_), "accepted");
  EXPECT_EQ(send("buy", ann_), "accepted");
  EXPECT_EQ(send("buy", ann_), "accepted");
  const auto call = [&](core::Call::Kind kind, const char* key) {
    core::Call made;
    made.kind = kind;
    made.id = made.order = key;
    made.amount = 2000;
    made.hold = hours(1);
    return made;
  };
  std::vector<core::Call> calls;
  const core::State ann = state_of(ann_);
  std::vector<std::string> codes;
  for (const core::Grant& each : ann.holdings[0].grants)
    if (!each.code.empty()) codes.push_back(each.code);
  ASSERT_THAT(codes, SizeIs(2));
  calls.push_back(call(core::Call::Kind::Lock, "k1"));
  calls.back().code = codes[0];
  calls.push_back(call(core::Call::Kind::Redeem, "k2"));
  calls.back().code = codes[1];
  for (const auto& [key, amount] : {std::pair("k3", 2), std::pair("k4", 200)}) {
    calls.push_back(call(core::Call::Kind::Spend, key));
    calls.back().points = plan::IncentiveId::of(0);
    calls.back().amount = amount;
    calls.back().customer = ann_;
  }
  std::vector<core::Answer> answers;
  for (const core::Call& each : calls) answers.push_back(ask(each));
  EXPECT_EQ(answers[1].amount, 1000);
  EXPECT_EQ(answers[3].reason, core::Reason::NotEnough);
  log_in(ann_);
  ASSERT_EQ(found(ann_), visitor_);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (!calls[i].customer.empty()) calls[i].customer = found(ann_);
    EXPECT_EQ(ask(calls[i]), answers[i]) << calls[i].id;
    calls[i].amount += 1;
    EXPECT_EQ(ask(calls[i]).reason, core::Reason::KeyReused) << calls[i].id;
  }
}

TEST_F(MovesTest, WhoIsOnHisWayIsFoundWhenHeHasCome) {
  EXPECT_EQ(send("buy", visitor_), "accepted");
  EXPECT_EQ(send("buy", ann_), "accepted");
  ASSERT_THAT(state_of(ann_).holdings, SizeIs(1));
  const std::string code = state_of(ann_).holdings[0].grants[0].code;
  core::Call call;
  call.kind = core::Call::Kind::Redeem;
  call.id = call.order = "o1";
  call.code = code;
  const auto place = [&]() -> std::string {
    std::string whom;
    places_->find(call, [&](const Result<core::Call>& made) {
      whom = made ? made->customer : made.error().code;
    });
    return whom;
  };
  EXPECT_EQ(place(), ann_);
  carries_ = false;
  log_in(ann_);
  EXPECT_EQ(place(), ann_) << "she asks who that visitor is";
  for (int i = 0; place() == ann_ && i < 10; ++i) {  // one letter after the other
    carries_ = true;
    ASSERT_TRUE(writers_->resend());
    carries_ = false;
    run_dry();
  }
  EXPECT_EQ(place(), "busy");
  EXPECT_EQ(found(ann_), "busy");
  carries_ = true;
  ASSERT_TRUE(writers_->resend());
  run_dry();
  EXPECT_EQ(place(), visitor_);
  EXPECT_EQ(found(ann_), visitor_);
  places_->find(call, [&](const Result<core::Call>& made) {
    ASSERT_TRUE(made);
    EXPECT_EQ(made->customer, visitor_);
  });
}

}  // namespace
}  // namespace koi::serve
