#include "deploy/patterns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/books.h"
#include "deploy/ahead.h"
#include "deploy/detail/trial.h"
#include "ledger/codes.h"
#include "store/memory.h"

namespace koi::deploy {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Coupons of a pool, and with `pattern` others that are generated.
std::string shop_with_pool(const std::string& pattern) {
  std::string rules = R"(policy { time zone "Asia/Shanghai"  currency CNY }
event visit {}
coupon spring { off ¥5.00  codes from pool "spring" }
campaign greets { class service  enter always  when visit give spring }
)";
  if (!pattern.empty())
    rules += "coupon ten { off ¥10.00  codes generated \"" + pattern +
             "\" }\ncampaign thanks { class service  enter always  when visit give ten }\n";
  return rules;
}

TEST(Patterns, ACouponThatCouldGenerateWhatWasUploadedIsNotPutLive) {
  Shop shop;
  const Bundle before = trial_bundle(shop_with_pool("")),
               generating = trial_bundle(shop_with_pool("T-####")),
               others = trial_bundle(shop_with_pool("U-####"));
  std::vector<std::string> codes;
  for (int i = 0; i < 3000; ++i) codes.push_back("A-" + std::to_string(i));
  const std::string like = ledger::CodePattern::read("T-####")->code({1, 2}, 3);
  codes.push_back(like);
  {
    Life life(shop, before);
    life.give({upload_of("spring", codes)});  // and it is killed before a checkpoint
  }
  const auto refused = shop.deploy(generating);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "pool");
  EXPECT_THAT(refused.error().what,
              AllOf(HasSubstr("`ten`"), HasSubstr("`spring`"), testing::Not(HasSubstr(like))));
  EXPECT_FALSE(preview(shop.site(), generating, {}));
  EXPECT_EQ(live(shop.directory)->turn.bundle, name_of(before));
  Life life(shop, others);
  EXPECT_EQ(life.reports.size(), 1u);
}

TEST(Patterns, NorIsOneMadeReadyWhileSuchCodesAreUploaded) {
  for (const std::string pattern : {"", "U-####"}) {
    Shop shop;
    store::MemoryStore next(trial_groups);
    Life life(shop, trial_bundle(shop_with_pool(pattern)));
    const Site site = shop.site();
    const auto made =
        Ahead::make(site, life.beside(next), trial_bundle(shop_with_pool("T-####")), {}, {});
    ASSERT_TRUE(made);
    ASSERT_EQ((*made)->carries(), pattern.empty());  // else states are the same under both
    life.give({upload_of("spring", {ledger::CodePattern::read("T-####")->code({1, 2}, 3)})});
    life.stop();
    const auto gone_live = (*made)->go_live();
    ASSERT_FALSE(gone_live);
    EXPECT_EQ(gone_live.error().code, "pool");
  }
}

// What is uploaded behind the first look is found under the keys that were written, and nothing
// else is read.
TEST(Patterns, OfWhatWasUploadedSinceThatAloneIsRead) {
  Shop shop{.groups = {1}};
  const Bundle before = trial_bundle(shop_with_pool("")),
               generating = trial_bundle(shop_with_pool("T-####"));
  Life life(shop, before);
  const Bundles bundles(shop.directory);
  Plans plans(bundles);
  const auto deployment = *read_deployment(shop.directory);
  ASSERT_TRUE(bundles.keep(generating));
  const auto patterns =
      Patterns::of(plans, deployment->turns, **plans.of(name_of(generating)), shop.groups);
  ASSERT_TRUE(patterns);
  const std::string like = ledger::CodePattern::read("T-####")->code({1, 2}, 3);
  life.give({upload_of("spring", {"A-1", like})});
  life.stop();
  const auto uploaded = [](const std::string& code) { return core::books::key_of_uploaded(code); };
  const std::vector<std::string> keys{core::books::key_of_stocked("spring"), uploaded("A-1")};
  EXPECT_TRUE(patterns->check_uploaded(shop.live, 0, keys));
  const auto refused = patterns->check_uploaded(shop.live, 0, std::vector{uploaded(like)});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, AllOf(HasSubstr("`ten`"), HasSubstr("`spring`")));
}

// One coupon of that name and pattern, which a visit gives.
Bundle giving(const std::string& coupon, const std::string& pattern) {
  return trial_bundle(R"(policy { time zone "Asia/Shanghai"  currency CNY }
event visit {}
coupon )" + coupon + R"( { off ¥10.00  codes generated ")" +
                      pattern + R"(" }
campaign thanks { class service  enter always  when visit give )" +
                      coupon + R"( }
)");
}

std::string code_of(Life& life, const std::string& customer) {
  const core::State state = life.state(customer);
  return state.holdings.empty() ? "" : state.holdings[0].grants.back().code;
}

class GeneratedCodes : public testing::TestWithParam<std::uint16_t> {
 protected:
  // Whoever it is visits, and is given one.
  std::string visit(Life& life, const std::string& customer) {
    shop_.now = shop_.now + seconds(1);
    life.take({{"visit", customer + to_string(shop_.now, utc()), customer, shop_.now, {}}});
    life.settle();
    return code_of(life, customer);
  }
  // Under these rules; stopped behind it.
  std::string visit(const Bundle& rules, const std::string& customer) {
    Life life(shop_, rules);
    const std::string code = visit(life, customer);
    life.stop();
    return code;
  }
  // Refused, in the preview too, with both of them named; nothing is changed by it.
  void refuses(const Bundle& rules, const std::string& coupon, const std::string& former) {
    const Hash128 live_before = live(shop_.directory)->turn.bundle;
    const auto told = preview(shop_.site(), rules, {});
    ASSERT_FALSE(told);
    const auto deployed = shop_.deploy(rules);
    ASSERT_FALSE(deployed);
    for (const Error& error : {told.error(), deployed.error()}) {
      EXPECT_EQ(error.code, "codes");
      EXPECT_THAT(error.what, AllOf(HasSubstr("the coupon `" + coupon + "`"),
                                    HasSubstr("the coupon `" + former + "`")));
    }
    EXPECT_EQ(live(shop_.directory)->turn.bundle, live_before);
  }

  Shop shop_{.groups = {GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Groups, GeneratedCodes, testing::Values(1, 2));

TEST_P(GeneratedCodes, DoNotComeAgainUnderAnotherNameOnceOneWasGiven) {
  const Bundle ten = giving("ten", "T-#####"), eleven = giving("eleven", "T-A####");
  {
    Life life(shop_, ten);
    life.stop();
  }
  {
    Life life(shop_, eleven);  // nobody was given one of ten
    life.stop();
  }
  EXPECT_THAT(visit(eleven, "ann"), HasSubstr("T-A"));
  refuses(ten, "ten", "eleven");
  EXPECT_THAT(visit(giving("ten", "U-####"), "bo"), HasSubstr("U-"));
}

TEST_P(GeneratedCodes, DoNotComeAgainWhereTheCouponWasGoneMeanwhile) {
  const Bundle ten = giving("ten", "T-####");
  const std::string first = visit(ten, "ann");
  EXPECT_THAT(first, HasSubstr("T-"));
  EXPECT_THAT(visit(giving("other", "O-####"), "bo"), HasSubstr("O-"));
  refuses(giving("eleven", "T-####"), "eleven", "ten");
  // Under its own name it goes on where it was.
  const std::string second = visit(ten, "cy");
  EXPECT_THAT(second, HasSubstr("T-"));
  EXPECT_NE(second, first);
}

TEST_P(GeneratedCodes, DoNotComeAgainWithAnotherPatternOfTheCoupon) {
  EXPECT_THAT(visit(giving("ten", "T-#####"), "ann"), HasSubstr("T-"));
  refuses(giving("ten", "T-7####"), "ten", "ten");
  EXPECT_THAT(visit(giving("ten", "T-######"), "bo"), testing::SizeIs(8));  // longer than those
}

TEST_P(GeneratedCodes, AreAskedForAgainWhereTheNewRulesGoLive) {
  store::MemoryStore next(shop_.groups);
  Life life(shop_, giving("ten", "T-####"));
  const Site site = shop_.site();
  const auto made = Ahead::make(site, life.beside(next), giving("eleven", "T-####"), {}, {});
  ASSERT_TRUE(made);
  EXPECT_THAT(visit(life, "ann"), HasSubstr("T-"));
  life.stop();
  const auto gone_live = (*made)->go_live();
  ASSERT_FALSE(gone_live);
  EXPECT_EQ(gone_live.error().code, "codes");
}

// Versions of Koi that did not know better put such rules live.
TEST(Patterns, RulesThatWereLiveAreReadThoughTheirCouponsCouldGiveTheSame) {
  const Bundle bundle = trial_bundle(R"(policy { currency CNY }
event visit {}
coupon ten { off ¥10.00  codes generated "T-####" }
coupon five { off ¥5.00  codes generated "T-####" }
)");
  const auto refused = compile(bundle);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("K0448"));
  EXPECT_TRUE(compile_former(bundle));
  EXPECT_FALSE(compile_former(trial_bundle("coupon ten { off ¥10.00  codes generated \"T-#\" }")));
}

}  // namespace
}  // namespace koi::deploy
