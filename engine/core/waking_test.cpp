// With an index and without, the same is decided: the loop is the reference.
#include <gtest/gtest.h>

#include <random>

#include "core/codec.h"
#include "core/decide.h"
#include "core/detail/plan_for_tests.h"

namespace koi::core {
namespace {

using plan::NodeId;
using plan::Op;

// A program of many campaigns with conditions of every sort, some of which change on the way what
// the later ones ask.
class Many {
 public:
  explicit Many(unsigned seed) : dice_(seed) {
    auto& plan = made.plan;
    plan.policy.caps.clear();
    tier_ = plan::MetricId(made.metric(plan::Aggregate::Count, {}));
    spent_ = made.metric(plan::Aggregate::Sum, PlanForTests::amount,
                         {plan::WindowKind::Trailing, {0, days(2)}});
    // Metrics of some orders only.
    for (plan::Accumulator& accumulator : plan.accumulators)
      accumulator.events.where = comparison(Op::Field);
    for (plan::Log& log : plan.logs) log.events.where = comparison(Op::Field);
    for (plan::Metric& metric : plan.metrics)
      metric.events.where = metric.accumulator
                                ? plan.accumulators[metric.accumulator.index()].events.where
                                : plan.logs[metric.log.index()].events.where;
    for (int i = 0; i < 4; ++i) {
      plan::Watch watch;
      watch.definition = static_cast<std::uint64_t>(i + 1);
      watch.condition = i == 0 ? is_city() : comparison(Op::Metric);
      plan.watches.push_back(watch);
      plan.watches_of_watch.emplace_back();
      plan.on_enter.emplace_back();
      plan.on_leave.emplace_back();
      plan.reactions[made.order.index()].watches.push_back(
          plan::WatchId::of(plan.watches.size() - 1));
    }
    plan.watches_of_attribute[PlanForTests::city.index()] = {plan::WatchId::of(0)};
    const std::size_t campaigns = 5 + below(120);
    for (std::size_t i = 0; i < campaigns; ++i) add_campaign();
  }

  Event event(std::size_t number, Timestamp time) {
    Event made_event;
    made_event.id = "e" + std::to_string(number);
    made_event.type = made.order;
    made_event.time = time;
    made_event.customer = "ann";
    made_event.fields = {maybe(Kind::Money), maybe(Kind::Int), maybe(Kind::Text)};
    return made_event;
  }

  std::size_t below(std::size_t n) { return dice_() % n; }

  PlanForTests made;

 private:
  Value any(Kind kind) {
    if (kind == Kind::Text)
      return Value::text(below(5) == 0
                             ? "a text that is longer than others" + std::to_string(below(3))
                             : "s" + std::to_string(below(8)));
    return Value::raw(kind, static_cast<std::int64_t>(below(12)));
  }
  Value maybe(Kind kind) { return below(5) == 0 ? Value() : any(kind); }

  NodeId is_city() {
    return made.compare(Op::Equal, made.node(Op::Attribute, Kind::Text, PlanForTests::city.index()),
                        made.constant(any(Kind::Text)));
  }

  NodeId comparison(Op of) {
    constexpr std::array ops{Op::Equal,     Op::NotEqual, Op::Less,
                             Op::LessEqual, Op::Greater,  Op::GreaterEqual};
    constexpr std::array kinds{Kind::Money, Kind::Int, Kind::Text};
    if (of == Op::Metric) {
      const bool count = below(2) == 0;
      return made.compare(ops[below(ops.size())], made.metric_node(count ? tier_ : spent_),
                          made.constant(any(count ? Kind::Int : Kind::Money)));
    }
    const std::size_t which = below(kinds.size());
    const NodeId field = made.node(Op::Field, kinds[which], which);
    if (below(6) == 0) return made.compare(Op::IsMissing, field, {});
    if (kinds[which] == Kind::Text && below(3) == 0)
      return made.compare(Op::Contains, field, made.constant(Value::text("s")));
    return made.compare(ops[kinds[which] == Kind::Text ? below(2) : below(ops.size())], field,
                        made.constant(any(kinds[which])));
  }

  NodeId condition(std::size_t depth, bool of_event) {
    if (depth > 0 && below(3) != 0) {
      const NodeId a = condition(depth - 1, of_event);
      if (below(5) == 0) return made.compare(Op::Not, a, {});
      return made.compare(below(3) == 0 ? Op::Or : Op::And, a, condition(depth - 1, of_event));
    }
    switch (below(of_event ? 8 : 4)) {
      case 0: return is_city();
      case 1: return made.node(Op::Watch, Kind::Bool, below(made.plan.watches.size()));
      case 2:
      case 3: return comparison(Op::Metric);
      default: return comparison(Op::Field);
    }
  }

  void add_campaign() {
    auto& plan = made.plan;
    plan::Campaign campaign;
    campaign.symbol.name = "c" + std::to_string(plan.campaigns.size());
    campaign.enter.how = plan::Enter::How::Always;
    if (below(2) == 0) campaign.audience = condition(2, false);
    if (below(4) == 0)
      campaign.steps.push_back(plan::Set{PlanForTests::city, made.constant(any(Kind::Text)), 0});
    for (std::size_t t = 1 + below(2); t-- > 0;) {
      plan::Trigger trigger;
      if (below(3) == 0) {
        trigger.kind = plan::Trigger::Kind::Absence;
        trigger.nots = {{made.order, comparison(Op::Field)}};
        trigger.within = {0, hours(static_cast<std::int64_t>(1 + below(30)))};
      }
      trigger.first.match.type = made.order;
      if (below(5) == 0) trigger.first.match.type = EventTypeId::none();  // any event
      if (below(8) != 0) trigger.first.match.where = condition(3, true);
      plan.reactions[made.order.index()].begins.push_back(
          {plan::CampaignId::of(plan.campaigns.size()),
           static_cast<std::uint16_t>(campaign.triggers.size())});
      campaign.triggers.push_back(trigger);
    }
    plan.campaigns.push_back(campaign);
  }

  std::mt19937 dice_;
  plan::MetricId tier_, spent_;
};

TEST(Waking, DecidesWhatTheLoopDecides) {
  std::size_t entered = 0, set = 0;
  for (unsigned seed = 0; seed < 120; ++seed) {
    Many many(seed);
    const plan::Plan& plan = many.made.plan;
    const auto index = match::Index::build(plan);
    Waking waking{index};
    State looped = new_customer(plan, "ann"), woken = looped;
    std::vector<Effect> by_loop, by_index;
    Timestamp now = *parse_instant("2026-03-02T10:00:00Z");
    for (std::size_t i = 0; i < 60; ++i) {
      now = now + minutes(static_cast<std::int64_t>(many.below(300)));
      const Event event = many.event(
          i, now - minutes(static_cast<std::int64_t>(many.below(4) == 0 ? many.below(70) : 0)));
      ASSERT_EQ(decide(plan, looped, event, by_loop),
                decide(plan, woken, event, by_index, &waking));
      ASSERT_EQ(encode(plan, looped), encode(plan, woken)) << "seed " << seed << " event " << i;
      ASSERT_EQ(by_loop.size(), by_index.size()) << "seed " << seed << " event " << i;
    }
    for (std::size_t i = 0; i < by_loop.size(); ++i) {
      ASSERT_EQ(by_loop[i].key, by_index[i].key) << seed;
      ASSERT_EQ(by_loop[i].campaign, by_index[i].campaign) << seed;
      entered += by_loop[i].action == Action::Enter;
      set += by_loop[i].action == Action::Set;
    }
  }
  EXPECT_GT(entered, 10'000u);
  EXPECT_GT(set, 1'000u);
}

}  // namespace
}  // namespace koi::core
