#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "check/check.h"
#include "lang/parse.h"

namespace koi::check {
namespace {

using testing::UnorderedElementsAre;

// The uses of what is named at `named` (its first occurrence), as "text@line".
std::vector<std::string> uses_of(const std::string& text, const std::string& named) {
  const Source source("test.koi", text);
  auto parsed = lang::parse(source, 0, Language::English);
  EXPECT_TRUE(parsed.diagnostics.empty());
  std::vector<Use> uses;
  check({parsed.file}, Language::English, &uses);
  EXPECT_TRUE(std::is_sorted(uses.begin(), uses.end()));
  std::vector<std::string> found;
  for (const Use& use : uses)
    if (use.named.begin == text.find(named))
      found.push_back(std::string(source.slice(use.written)) + "@" +
                      std::to_string(source.position(use.written.begin).line));
  return found;
}

const std::string thanking_program = R"(event purchase "购买" { sku: text  amount "金额": money }
customer { role: enum(member, staff) = member }
segment staff when customer.role == staff
metric spent = sum 购买.金额
channel sms { class direct }
content thanks { body "{p.sku}" }
campaign thank {
  class service
  for not staff and spent > ¥5
  when purchase as p where p.金额 > ¥1
    if p.sku == "a" { send thanks via sms }
}
test "t" { at 2026-01-01 10:00 ann purchase { sku: "a"  amount: ¥9.00 }  expect send thanks to ann via sms }
)";

TEST(Uses, AnEventIsFoundByNameAndAlias) {
  EXPECT_THAT(
      uses_of(thanking_program, "purchase"),
      UnorderedElementsAre("purchase@1", "\"购买\"@1", "购买@4", "purchase@10", "purchase@13"));
}
TEST(Uses, AFieldIsFoundInMetricsConditionsAndTests) {
  EXPECT_THAT(uses_of(thanking_program, "amount"),
              UnorderedElementsAre("amount@1", "\"金额\"@1", "金额@4", "金额@10", "amount@13"));
}
TEST(Uses, AValueOfAnEnumAndASegmentOfItsNameAreTwo) {
  EXPECT_THAT(uses_of(thanking_program, "staff) = "), UnorderedElementsAre("staff@2", "staff@3"));
  EXPECT_THAT(uses_of(thanking_program, "staff when"), UnorderedElementsAre("staff@3", "staff@9"));
}
TEST(Uses, ANameGivenWithAsIsFoundInTheContentThatTheCampaignSays) {
  EXPECT_THAT(uses_of(thanking_program, "p where"),
              UnorderedElementsAre("p@10", "p@10", "p@11", "p@6"));
}
TEST(Uses, ContentsAndChannelsAreFoundInStepsAndTests) {
  EXPECT_THAT(uses_of(thanking_program, "thanks"),
              UnorderedElementsAre("thanks@6", "thanks@11", "thanks@13"));
  EXPECT_THAT(uses_of(thanking_program, "sms {"),
              UnorderedElementsAre("sms@5", "sms@11", "sms@13"));
}

}  // namespace
}  // namespace koi::check
