#include "compile/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/golden.h"
#include "check/check.h"
#include "lang/parse.h"
#include "plan/listing.h"

namespace koi::compile {
namespace {

using testing::ElementsAre;

// The plan of a good program, or what is wrong with it.
struct Outcome {
  std::string errors;
  plan::Plan plan;
};
Outcome compiled(const std::vector<Source>& sources, std::uint64_t seed = 1) {
  Outcome out;
  std::vector<lang::ast::File> files;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    auto parsed = lang::parse(sources[i], static_cast<std::uint32_t>(i), Language::English);
    for (const auto& each : parsed.diagnostics) out.errors += render(each, sources);
    files.push_back(std::move(parsed.file));
  }
  const auto checked = check::check(files);
  for (const auto& each : checked.diagnostics)
    if (each.severity == Severity::Error) out.errors += render(each, sources);
  if (out.errors.empty()) out.plan = compile(checked.program, seed);
  return out;
}

plan::Plan plan_of(const std::string& text) {
  auto out = compiled({Source("test.koi", text)});
  EXPECT_EQ(out.errors, "");
  return std::move(out.plan);
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> koi_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& each : std::filesystem::directory_iterator(folder))
    if (each.path().extension() == ".koi") found.push_back(each.path());
  std::sort(found.begin(), found.end());
  return found;
}

// tests/golden/plan/*.koi: a program, a line of =====, and the listing of its plan.
TEST(CompileGolden, EachProgramGivesItsPlan) {
  for (const Golden& each : goldens("tests/golden/plan")) {
    SCOPED_TRACE(each.name());
    const auto out = compiled({Source(each.name(), each.input)});
    EXPECT_EQ(out.errors, "");
    each.expect(out.errors.empty() ? plan::listing(out.plan) : out.errors);
  }
}

TEST(Compile, TheShopOfTheExamplesHasNoDiagnosticsAndAPlan) {
  std::vector<Source> sources;
  for (const auto& path : koi_files("rules-examples/shop"))
    sources.emplace_back(path.filename().string(), read(path));
  std::vector<lang::ast::File> files;
  for (std::size_t i = 0; i < sources.size(); ++i)
    files.push_back(lang::parse(sources[i], static_cast<std::uint32_t>(i), Language::English).file);
  for (const auto& each : check::check(files).diagnostics) ADD_FAILURE() << render(each, sources);
  EXPECT_EQ(compiled(sources).plan.campaigns.size(), 4u);
}

TEST(Compile, EqualProgramsGiveEqualPlansWhateverTheOrderOfFiles) {
  const Source a("a.koi", "event e { n: int }\nsegment s when count e > 1");
  const Source b("b.koi",
                 "channel push { class direct }\ncontent c { body \"c\" }\n"
                 "campaign k { class service  when enters s  send c via push }");
  EXPECT_EQ(plan::listing(compiled({a, b}).plan), plan::listing(compiled({b, a}).plan));
}

TEST(Compile, EqualExpressionsAreOneNode) {
  const auto plan = plan_of(
      "event e { n: int }\n"
      "segment a when count e > 1 and customer.stage == \"x\"\n"
      "segment b when customer.stage == \"x\" or count e > 1");
  std::vector<plan::Node> nodes = plan.nodes;
  std::sort(nodes.begin(), nodes.end());
  EXPECT_EQ(std::adjacent_find(nodes.begin(), nodes.end()), nodes.end());
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    for (const plan::NodeId operand : {plan.nodes[i].a, plan.nodes[i].b}) {
      if (operand) {
        EXPECT_LT(operand.index(), i);
      }
    }
  }
}

TEST(Compile, MetricsOverTheSameEventsShareWhatTheyKeep) {
  const auto plan = plan_of(
      "event e { n: int }\n"
      "metric a = count e\nmetric b = ever e\nmetric c = sum e.n\nmetric d = average e.n\n"
      "metric f = sum e.n over 30 days\nmetric g = count e over 90 days\nmetric h = count e this "
      "year");
  EXPECT_EQ(plan.accumulators.size(), 2u);
  ASSERT_EQ(plan.logs.size(), 1u);
  EXPECT_EQ(plan.logs[0].retention, (Span{0, days(367)}));
}

TEST(Compile, ADefinitionsHashDoesNotDependOnWhatElseTheProgramSays) {
  const std::string metrics =
      "metric a = sum e.n where n > 3\nmetric b = count e over 7 days\nsegment s when a > 5\n";
  const auto one = plan_of("event e { n: int }\n" + metrics);
  const auto two = plan_of(
      "event before { m: int }\nevent e \"另名\" { x: text?  n: int }\n"
      "metric zero = count before\n" +
      metrics);
  EXPECT_EQ(one.accumulators[0].definition, two.accumulators[1].definition);
  EXPECT_EQ(one.logs[0].definition, two.logs[0].definition);
  EXPECT_EQ(one.watches[0].definition, two.watches[0].definition);
}

TEST(Compile, CampaignsStandInTheOrderOfPriorityAndName) {
  const auto plan = plan_of(
      "event e {}\nchannel push { class direct }\ncontent c { body \"c\" }\n"
      "campaign b { class service  when e  send c via push }\n"
      "campaign z { class service  priority 80  when e  send c via push }\n"
      "campaign a { class service  when e  send c via push }");
  std::vector<std::string> names;
  for (const auto& campaign : plan.campaigns) names.push_back(campaign.symbol.name);
  EXPECT_THAT(names, ElementsAre("z", "a", "b"));
}

TEST(Compile, ACrossingOfASegmentsOwnConditionIsTheSegmentsWatch) {
  const auto plan = plan_of(
      "event e {}\nchannel push { class direct }\ncontent c { body \"c\" }\n"
      "segment s when count e >= 2\n"
      "campaign a { class service  when enters s  send c via push }\n"
      "campaign b { class service  when count e reaches 2  send c via push }\n"
      "campaign d { class service  when count e reaches 3  send c via push }\n"
      "campaign f { class service  when count e reaches 3  send c via push }");
  EXPECT_EQ(plan.watches.size(), 2u);
  EXPECT_EQ(plan.on_enter[0].size(), 2u);
  EXPECT_EQ(plan.on_enter[1].size(), 2u);
}

TEST(Compile, OnlyFieldsThatAreReadAreKept) {
  const auto plan = plan_of(
      "event e { a: text  b: text  c: text }\nchannel push { class direct }\n"
      "content c { body \"{x.b}\" }\n"
      "campaign k { class service  when e as x where a == \"a\"  send c via push }");
  ASSERT_EQ(plan.campaigns[0].frame_size, 1);
  ASSERT_EQ(plan.campaigns[0].triggers[0].first.captures.size(), 1u);
  EXPECT_EQ(plan.campaigns[0].triggers[0].first.captures[0].field, FieldId::of(1));
}

TEST(Compile, AKeyOfALaterPartIsNotKnownFromTheFirst) {
  const std::string head =
      "event a { x: text }\nevent b { y: text }\nchannel push { class direct }\n"
      "content c { body \"c\" }\ncampaign k { class service  enter once per ";
  const std::string tail = "  when a as p then b as q within 1 day  send c via push }";
  EXPECT_TRUE(plan_of(head + "p.x" + tail).campaigns[0].enter.key_from_first);
  EXPECT_FALSE(plan_of(head + "q.y" + tail).campaigns[0].enter.key_from_first);
}

TEST(Compile, AnEventWakesTheWatchesThatItsAttributesReachByWayOfOthers) {
  const auto plan = plan_of(
      "customer { city: text?  on e set city = e.where_from }\nevent e { where_from: text }\n"
      "segment a when customer.city == \"x\"\nsegment b when not in a\nsegment c when count other "
      "> 1\n"
      "event other {}");
  const auto& reaction = plan.reactions[plan.schema.find_event("e").index()];
  EXPECT_THAT(reaction.watches, ElementsAre(plan::WatchId::of(0), plan::WatchId::of(1)));
}

TEST(Compile, AnyEventConcernsEveryType) {
  const auto plan = plan_of(
      "event e {}\nchannel push { class direct }\ncontent c { body \"c\" }\n"
      "campaign k { class service  when e and no any event within 1 hour  send c via push }");
  for (const auto& reaction : plan.reactions) {
    EXPECT_THAT(reaction.concerns, ElementsAre(plan::CampaignId::of(0)));
    EXPECT_TRUE(reaction.remembered);
  }
}

}  // namespace
}  // namespace koi::compile
