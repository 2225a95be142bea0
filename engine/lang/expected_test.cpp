#include "lang/expected.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace koi::lang {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

TEST(Expected, AtTheBeginningOfAFileItIsADeclaration) {
  const auto expected = expected_after("");
  EXPECT_THAT(expected.words, IsSupersetOf({Kind::CAMPAIGN, Kind::EVENT, Kind::TEST}));
  EXPECT_THAT(expected.words, Not(Contains(Kind::SEND)));
  EXPECT_THAT(expected.names, IsEmpty());
}
TEST(Expected, AStepNamesWhatItTakes) {
  const std::string campaign = "campaign c { class marketing when purchase as p ";
  EXPECT_THAT(expected_after(campaign + "send ").names, ElementsAre(Rule::SendStep));
  EXPECT_THAT(expected_after(campaign + "send ").words, IsEmpty());
  EXPECT_THAT(expected_after(campaign + "send x ").words, ElementsAre(Kind::VIA));
  EXPECT_THAT(expected_after(campaign + "send x via ").names, ElementsAre(Rule::SendStep));
  EXPECT_THAT(expected_after(campaign).words,
              IsSupersetOf({Kind::WHERE, Kind::SEND, Kind::WAIT, Kind::RBRACE, Kind::AND_NO}));
  EXPECT_THAT(expected_after(campaign + "start ").names, ElementsAre(Rule::StartStep));
}
TEST(Expected, ChineseSaysTheSame) {
  const std::string campaign = "活动 回访 { 类别 营销 当 购买 记作 单 ";
  EXPECT_THAT(expected_after(campaign + "发送 ").names, ElementsAre(Rule::SendStep));
  EXPECT_THAT(expected_after(campaign + "发送 谢谢 ").words, ElementsAre(Kind::VIA));
}
TEST(Expected, AConditionExpectsAValueThenWhatGoesOn) {
  const std::string segment = "segment s when ";
  EXPECT_THAT(expected_after(segment).names, IsSupersetOf({Rule::Path}));
  EXPECT_THAT(expected_after(segment).words, IsSupersetOf({Kind::NOT, Kind::COUNT, Kind::NUMBER}));
  EXPECT_THAT(expected_after(segment + "orders ").words,
              IsSupersetOf({Kind::GREATER, Kind::AND, Kind::IN, Kind::IS_KNOWN}));
  EXPECT_THAT(expected_after(segment + "customer.").names, ElementsAre(Rule::Path));
}
TEST(Expected, TheDeclarationsBeforeItDoNotMatterEvenBroken) {
  EXPECT_THAT(expected_after("campaign { { ( send\nmetric m = count ").names,
              IsSupersetOf({Rule::Path}));
  EXPECT_THAT(expected_after("event e { a: text }\ncampaign x { for ").names,
              IsSupersetOf({Rule::Path}));
}
TEST(Expected, InsideATextNothingIsExpectedButInItsInsertionsAValueIs) {
  EXPECT_TRUE(expected_after("content c { body \"hello ").in_text);
  EXPECT_TRUE(expected_after("# a remark").in_text);
  EXPECT_FALSE(expected_after("# a remark\n").in_text);
  const auto inside = expected_after("content c { body \"hello {customer.");
  EXPECT_FALSE(inside.in_text);
  EXPECT_THAT(inside.names, ElementsAre(Rule::Path));
}
TEST(Expected, HostileTextEnds) {
  std::string deep = "segment s when ";
  for (int i = 0; i < 5000; ++i) deep += "(";
  expected_after(deep);
  std::string wide = "segment s when a";
  for (int i = 0; i < 4000; ++i) wide += " and a";
  EXPECT_THAT(expected_after(wide + " ").words, Contains(Kind::AND));
  expected_after(std::string("\xff\xfe{{{\0", 6));
}

}  // namespace
}  // namespace koi::lang
