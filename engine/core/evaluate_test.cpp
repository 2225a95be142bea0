#include "core/evaluate.h"

#include <gtest/gtest.h>

#include <random>

#include "core/detail/plan_for_tests.h"
#include "core/metrics.h"

namespace koi::core {
namespace {

using plan::Aggregate;
using plan::NodeId;
using plan::Op;
using plan::WindowKind;

class Expressions : public testing::Test {
 protected:
  Value value(NodeId node, Timestamp now = Timestamp{}) {
    return value_of({made.plan, state(), now}, node);
  }
  bool truth(NodeId node, Timestamp now = Timestamp{}) {
    return holds({made.plan, state(), now}, node);
  }
  Timestamp flip(NodeId node, Timestamp now) { return next_flip({made.plan, state(), now}, node); }

  // The customer, made when the plan has its slots.
  State& state() {
    if (!state_) state_ = new_customer(made.plan, "ann");
    return *state_;
  }
  void order(Timestamp at) {
    const std::vector<Value> fields(3);
    for (std::size_t i = 0; i < made.plan.accumulators.size(); ++i)
      accumulate(made.plan, made.plan.accumulators[i], state().accumulators.at(i), at, fields, at,
                 utc());
    for (std::size_t i = 0; i < made.plan.logs.size(); ++i)
      log_event(made.plan.logs[i], state().logs.at(i), at, fields, at, utc());
  }
  NodeId binary(Op op, Value a, Value b) {
    const Kind kind = a.kind();
    return made.node(op, kind, 0, made.constant(std::move(a)), made.constant(std::move(b)));
  }

  PlanForTests made;

 private:
  std::optional<State> state_;
};

TEST_F(Expressions, AMissingOperandMakesAComparisonFalseEvenNotEqual) {
  const NodeId city = made.node(Op::Attribute, Kind::Text, PlanForTests::city.index());
  const NodeId text = made.constant(Value::text("杭州"));
  for (const Op op : {Op::Equal, Op::NotEqual, Op::Less, Op::GreaterEqual})
    EXPECT_FALSE(truth(made.compare(op, city, text)));
  EXPECT_TRUE(truth(made.node(Op::IsMissing, Kind::Bool, 0, city)));
  EXPECT_EQ(value(made.node(Op::Default, Kind::Text, 0, city, text)), Value::text("杭州"));
}

TEST_F(Expressions, MoneyAndNumbersAreExactAndRoundHalfToEven) {
  EXPECT_EQ(value(binary(Op::Multiply, Value::money(1005), Value::number({500'000}))),
            Value::money(502));
  EXPECT_EQ(value(binary(Op::Multiply, Value::money(1003), Value::number({500'000}))),
            Value::money(502));
  EXPECT_EQ(value(binary(Op::Divide, Value::money(1000), Value::money(300))),
            Value::number({3'333'333}));
  EXPECT_EQ(value(binary(Op::Divide, Value::integer(1), Value::integer(8))),
            Value::number({125'000}));
  EXPECT_TRUE(value(binary(Op::Divide, Value::integer(1), Value::integer(0))).is_missing());
  EXPECT_TRUE(value(binary(Op::Add, Value::money(INT64_MAX), Value::money(1))).is_missing());
}

TEST_F(Expressions, RoundGoesToTheNearestWholeAndFloorDown) {
  const auto round = [&](const Value& v, Op op) {
    return value(made.node(op, Kind::Int, 0, made.constant(v)));
  };
  EXPECT_EQ(round(Value::number({2'500'000}), Op::Round), Value::integer(3));
  EXPECT_EQ(round(Value::number({-2'500'000}), Op::Round), Value::integer(-3));
  EXPECT_EQ(round(Value::number({-2'400'000}), Op::Round), Value::integer(-2));
  EXPECT_EQ(round(Value::number({-1}), Op::Floor), Value::integer(-1));
  EXPECT_EQ(round(Value::money(1999), Op::Floor), Value::money(1900));
}

TEST_F(Expressions, ContainsLooksIntoTextsAndLists) {
  const NodeId text = made.constant(Value::text("发货太慢，差评"));
  const NodeId words = made.constant(Value::list({Value::text("投诉"), Value::text("差评")}));
  EXPECT_TRUE(truth(made.compare(Op::ContainsAny, text, words)));
  EXPECT_FALSE(truth(made.compare(Op::Contains, text, made.constant(Value::text("退货")))));
  EXPECT_TRUE(truth(made.compare(Op::In, made.constant(Value::text("差评")), words)));
}

TEST_F(Expressions, TimeSinceFlipsAtTheInstantItselfOrAMicrosecondLater) {
  const auto since = made.metric_node(made.metric(Aggregate::TimeSinceLast, no_field));
  const NodeId month = made.constant(Value::duration(days(30)));
  const Timestamp bought = *parse_instant("2026-03-02T10:00:00+08:00");
  const NodeId at_least = made.compare(Op::GreaterEqual, since, month);
  const NodeId more = made.compare(Op::Greater, since, month);
  EXPECT_EQ(flip(more, bought), Timestamp::never())
      << "who never bought is not 30 days away from it";
  order(bought);
  EXPECT_EQ(flip(at_least, bought), bought + days(30));
  EXPECT_EQ(flip(more, bought), bought + days(30) + microseconds(1));
  EXPECT_FALSE(truth(more, bought + days(30)));
  EXPECT_TRUE(truth(more, bought + days(30) + microseconds(1)));
  EXPECT_EQ(flip(more, bought + days(31)), Timestamp::never());
}

TEST_F(Expressions, NoConditionFlipsBeforeNextFlipSaysSo) {
  const auto count = made.metric_node(
      made.metric(Aggregate::Count, no_field, {WindowKind::Trailing, {0, hours(30)}}));
  const auto today =
      made.metric_node(made.metric(Aggregate::Count, no_field, {WindowKind::ThisDay, {}}));
  const auto since = made.metric_node(made.metric(Aggregate::TimeSinceLast, no_field));
  const auto streak = made.metric_node(made.metric(Aggregate::Streak, no_field));
  std::mt19937_64 random(7);
  const auto pick = [&](std::uint64_t n) { return random() % n; };
  constexpr std::array comparisons{Op::Equal,     Op::NotEqual, Op::Less,
                                   Op::LessEqual, Op::Greater,  Op::GreaterEqual};

  std::vector<NodeId> conditions;
  for (int i = 0; i < 400; ++i) {
    const Op op = comparisons[pick(comparisons.size())];
    const auto small = [&] {
      return made.constant(Value::integer(static_cast<std::int64_t>(pick(4))));
    };
    const auto span = [&] {
      return made.constant(Value::duration(hours(static_cast<std::int64_t>(pick(100)))));
    };
    const auto any = [&] { return conditions[pick(conditions.size())]; };
    switch (conditions.size() < 8 ? pick(6) : pick(9)) {
      case 0: conditions.push_back(made.compare(op, count, small())); break;
      case 1: conditions.push_back(made.compare(op, today, small())); break;
      case 2: conditions.push_back(made.compare(op, since, span())); break;
      case 3:
        conditions.push_back(made.compare(op, made.node(Op::Days, Kind::Int, 0, since), small()));
        break;
      case 4: {
        const NodeId left = made.node(Op::Subtract, Kind::Duration, 0, span(), since);
        conditions.push_back(
            made.compare(op, left, made.node(Op::Default, Kind::Duration, 0, since, span())));
        break;
      }
      case 5: conditions.push_back(made.compare(op, streak, small())); break;
      case 6: conditions.push_back(made.node(Op::Not, Kind::Bool, 0, any())); break;
      case 7: conditions.push_back(made.compare(Op::And, any(), any())); break;
      default: conditions.push_back(made.compare(Op::Or, any(), any()));
    }
  }
  Timestamp now = *parse_instant("2026-03-02T10:00:00+08:00");
  for (int step = 0; step < 12; ++step) {
    order(now);
    now = now + minutes(static_cast<std::int64_t>(pick(3000)));
    for (const NodeId condition : conditions) {
      const Timestamp change = flip(condition, now);
      ASSERT_GT(change, now);
      const bool truth_now = truth(condition, now);
      const Timestamp last =
          change == Timestamp::never() ? now + days(400) : change - microseconds(1);
      ASSERT_EQ(truth(condition, last), truth_now) << condition.value << " at step " << step;
      for (int sample = 0; sample < 6; ++sample) {
        const auto reach = static_cast<std::uint64_t>(std::min(last.us - now.us, days(5).us)) + 1;
        ASSERT_EQ(truth(condition, now + microseconds(static_cast<std::int64_t>(pick(reach)))),
                  truth_now);
      }
    }
  }
}

TEST_F(Expressions, TextsShowValuesAsPeopleReadThem) {
  made.plan.templates.push_back(
      {{{"欠 ", made.constant(Value::money(-1250)), {}},
        {"，", made.constant(Value::number({750'000})), {}},
        {" 于 ", made.constant(Value::instant(*parse_instant("2026-11-11T12:00:00Z"))), {}}}});
  EXPECT_EQ(text_of({made.plan, state(), {}}, plan::TemplateId::of(0)),
            "欠 ¥-12.50，0.75 于 2026-11-11 20:00");
  made.plan.templates.push_back(
      {{{"", made.node(Op::Attribute, Kind::Text, PlanForTests::city.index()), {}}}});
  EXPECT_EQ(text_of({made.plan, state(), {}}, plan::TemplateId::of(1)), std::nullopt);
}

}  // namespace
}  // namespace koi::core
