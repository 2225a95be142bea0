// Codes that lead from one group's customers to another's, through writers that are driven by hand.
#include "serve/places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "core/accounts.h"
#include "deploy/bundles.h"
#include "deploy/detail/trial.h"
#include "durable/by_hand.h"
#include "ledger/codes.h"
#include "serve/detail/trial.h"
#include "serve/pools.h"
#include "store/memory.h"

namespace koi::serve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PlacesTest : public ::testing::Test {
 protected:
  PlacesTest() {
    auto compiled = deploy::compile({1, {{"a.koi", R"(
      policy { currency CNY }
      event register { invited_by: code?  said: text? }
      event share {}
      event come {}
      event collect {}
      red_packet party { total ¥20.00 split among 10 equally  claim within 7 days }
      coupon ten { off ¥10.00  codes generated "T-####" }
      coupon spring { off ¥5.00  codes from pool "spring" }
      referral friends { qualify when register }
      campaign sharing { class service  enter always  when share give party }
      campaign giving { class service  enter always  when come give ten }
      campaign pooled { class service  enter always  when collect give spring }
    )"}}});
    KOI_ASSERT(compiled);
    plan_ = *std::move(compiled);
  }

  void open(store::Groups groups) {
    journal_.emplace(groups);
    store_.emplace(groups);
    auto writers = durable::Writers::open(
        {plan_, 1, *journal_, *store_, groups, nowhere_, [] { return noon; }}, {});
    ASSERT_TRUE(writers) << writers.error().what;
    writers_ = *std::move(writers);
    places_.emplace(plan_, *writers_);
    ann_ = durable::id_of(groups, 0, "c");
    bo_ = durable::id_of(groups, static_cast<store::Group>(groups.count - 1), "c");
    happens("share", ann_);
    happens("come", ann_);
    happens("come", bo_);
  }

  Event event(const char* type, const std::string& customer) const {
    Event made;
    made.id = std::string(type) + " of " + customer;
    made.type = plan_.schema.find_event(type);
    made.time = noon;
    made.customer = customer;
    made.fields.resize(plan_.schema[made.type].fields.size());
    return made;
  }
  Event registers(const std::string& said) const {
    Event made = event("register", bo_);
    made.fields[0] = Value::text(said);
    made.fields[1] = Value::text("T-0000");  // no field of a code
    return made;
  }

  // Until nothing waits any more.
  void happens(const char* type, const std::string& customer) {
    std::vector<durable::Given> inputs;
    inputs.emplace_back(event(type, customer));
    happens(std::move(inputs), {});
  }
  void happens(std::vector<durable::Given> inputs, durable::Done done) {
    ASSERT_TRUE(writers_->submit(std::move(inputs), std::move(done)));
    durable::run_dry(*writers_);
  }

  std::string code_of(const char* incentive) { return code_of(incentive, ann_); }
  std::string code_of(const char* incentive, const std::string& customer) {
    std::string code;
    writers_->look(customer, [&](Result<const core::State*> state) {
      ASSERT_TRUE(state && *state && !(*state)->holdings.empty());
      for (const core::Grant& each : (*state)->holdings[0].grants)
        if (plan_.incentives[each.incentive.index()].symbol.name == incentive) code = each.code;
    });
    EXPECT_FALSE(code.empty()) << incentive;
    return code;
  }

  std::vector<durable::Given> found(std::vector<durable::Given> inputs) {
    std::vector<durable::Given> given;
    places_->find(std::move(inputs), [&](Result<std::vector<durable::Given>> all) {
      ASSERT_TRUE(all) << all.error().what;
      given = *std::move(all);
    });
    places_->settle();
    return given;
  }
  core::Call found(core::Call call) {
    core::Call made;
    places_->find(std::move(call), [&](Result<core::Call> all) {
      ASSERT_TRUE(all) << all.error().what;
      made = *std::move(all);
    });
    return made;
  }

  plan::Plan plan_;
  durable::Nowhere nowhere_;
  std::optional<store::MemoryJournal> journal_;
  std::optional<store::MemoryStore> store_;
  std::unique_ptr<durable::Writers> writers_;
  std::optional<Places> places_;
  std::string ann_, bo_;
};

TEST_F(PlacesTest, AnEventCarriesWhereItsCodeLeadsHoweverItIsSaid) {
  open({3});
  const std::string code = core::invite_code(plan_, plan::ReferralId::of(0), ann_);
  for (const std::string& said : {code, "koi_" + code, "qrscene_koi_" + code}) {
    const auto given = found({registers(said)});
    EXPECT_THAT(std::get<Event>(given.at(0)).places,
                ElementsAre(CodePlace{code, ann_, "", "friends"}))
        << said;
  }
  EXPECT_EQ(places_->found(registers(code))->places.size(), 1u);
}

TEST_F(PlacesTest, AClaimCarriesWhoseThePacketIs) {
  open({2});
  const std::string code = code_of("party");
  Event claimed = event("claimed", bo_);
  claimed.fields[2] = Value::text(code);
  EXPECT_THAT(std::get<Event>(found({claimed}).at(0)).places,
              ElementsAre(CodePlace{code, ann_, "party", ""}));
  core::Call call;
  call.kind = core::Call::Kind::Claim;
  call.code = code;
  call.customer = bo_;
  const core::Call made = found(call);
  EXPECT_EQ(made.customer, bo_);
  EXPECT_THAT(made.places, ElementsAre(CodePlace{code, ann_, "party", ""}));
  EXPECT_EQ(core::fingerprint(made), core::fingerprint(call));
}

TEST_F(PlacesTest, ACallByCodeIsTheHoldersAndOneByNobodysCodeNobodys) {
  open({2});
  core::Call call;
  call.kind = core::Call::Kind::Redeem;
  call.code = code_of("ten");
  call.together = {"T-NONE"};
  const core::Call made = found(call);
  EXPECT_EQ(made.customer, ann_);
  EXPECT_EQ(made.places.size(), 1u);
  call.code = "T-NONE";
  EXPECT_EQ(found(call).customer, "");
}

// The pools are at home in the first group.
TEST_F(PlacesTest, ACodeThatAnotherGroupHasMadeIsNotTakenIntoAPool) {
  open({2});
  const std::string made = core::invite_code(plan_, plan::ReferralId::of(0), bo_);
  // More than are asked for at a time.
  std::vector<std::string> codes;
  for (int number = 0; number < 1500; ++number) codes.push_back("X-" + std::to_string(number));
  codes.push_back(made);
  auto given = found({deploy::upload_of("spring", {"first"}), deploy::upload_of("spring", codes)});
  ASSERT_EQ(given.size(), 2u);
  EXPECT_THAT(std::get<core::Call>(given[0]).places, IsEmpty());
  EXPECT_THAT(std::get<core::Call>(given[1]).places,
              ElementsAre(CodePlace{made, bo_, "", "friends"}));
  std::vector<std::int64_t> taken;
  happens(std::move(given), [&](Result<std::vector<durable::Answer>> answers) {
    ASSERT_TRUE(answers);
    for (const durable::Answer& each : *answers) taken.push_back(each.call->amount);
  });
  EXPECT_THAT(taken, ElementsAre(1, 1500));
}

TEST_F(PlacesTest, AnUploadLeavesOutWhatACouponMayGenerate) {
  const std::string like = ledger::CodePattern::read("T-####")->code({1, 2}, 3);
  net::Asked asked;
  asked.path = "/v1/pools/spring/codes";
  asked.body = "A-1\n%%\n" + like + "\nA-2\n";
  const auto upload = read_upload(plan_, asked);
  ASSERT_TRUE(upload);
  ASSERT_EQ(upload->calls.size(), 1u);
  EXPECT_THAT(std::get<core::Call>(upload->calls[0]).together, ElementsAre("A-1", "A-2"));
  EXPECT_EQ(upload_answer(*upload, {}, 7).body,
            R"({"codes":2,"new":0,"left":7,"unfit":1,"first_unfit_line":2,"like_generated":1,)"
            R"("first_like_generated_line":3,"generated_by":"ten"})"
            "\n");
  asked.body = like;
  const auto nothing = read_upload(plan_, asked);
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().what, testing::HasSubstr("`ten`"));
}

// Codes that a group was lent and has not given are left.
TEST_F(PlacesTest, WhatIsLeftOfAPoolIsWhatNobodyWasGiven) {
  open({3});
  std::vector<std::string> codes;
  for (int number = 0; number < 40; ++number) codes.push_back("X-" + std::to_string(number));
  happens({deploy::upload_of("spring", std::move(codes))}, {});
  const auto left = [&] {
    std::optional<std::uint64_t> found;
    writers_->find_codes_left("spring", [&](Result<std::uint64_t> told) {
      ASSERT_TRUE(told);
      found = *told;
    });
    return found;
  };
  EXPECT_EQ(left(), 40u);
  for (int times = 0; times < 3; ++times) {
    Event event = this->event("collect", bo_);
    event.id += std::to_string(times);
    happens({event}, {});
  }
  EXPECT_EQ(left(), 37u);
  for (store::Group group = 0; group < 3; ++group) ASSERT_TRUE(writers_->checkpoint(group));
  const auto stored = stocks(*store_, writers_->groups(), plan_);
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->at(0).left, 37u);
  EXPECT_EQ(stored->at(0).given, 3u);
}

TEST_F(PlacesTest, InputsComeBackInTheirOrderAndWithoutCodesAsTheyWere) {
  open({2});
  const std::string code = core::invite_code(plan_, plan::ReferralId::of(0), ann_);
  const auto given =
      found({event("come", ann_), registers("nothing"), registers(code), event("share", bo_)});
  ASSERT_EQ(given.size(), 4u);
  std::vector<std::string> ids;
  std::vector<std::size_t> places;
  for (const durable::Given& each : given) {
    ids.push_back(std::get<Event>(each).id);
    places.push_back(std::get<Event>(each).places.size());
  }
  EXPECT_THAT(ids, ElementsAre("come of " + ann_, "register of " + bo_, "register of " + bo_,
                               "share of " + bo_));
  EXPECT_THAT(places, ElementsAre(0u, 0u, 1u, 0u));
}

TEST_F(PlacesTest, WithOneGroupNobodyIsAsked) {
  open({1});
  const std::string code = core::invite_code(plan_, plan::ReferralId::of(0), ann_);
  EXPECT_THAT(std::get<Event>(found({registers(code)}).at(0)).places, IsEmpty());
  core::Call call;
  call.kind = core::Call::Kind::Redeem;
  call.code = code_of("ten");
  EXPECT_EQ(found(call).customer, "");
}

}  // namespace
}  // namespace koi::serve
