#include "match/conditions.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <map>
#include <new>
#include <random>
#include <string>

#include "match/index.h"

namespace {
// Counts what is allocated, to show that an event's way allocates nothing.
std::size_t allocations = 0;
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* made = std::malloc(size)) return made;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* made) noexcept { std::free(made); }
[[gnu::noinline]] void operator delete(void* made, std::size_t) noexcept { std::free(made); }

namespace koi::match {
namespace {

using plan::Node;
using plan::NodeId;
using plan::Op;

// A plan's expressions, each once.
struct Expressions {
  plan::Plan plan;
  std::map<Node, NodeId> known;

  NodeId node(Node made) {
    const auto [place, is_new] = known.emplace(made, NodeId::of(plan.nodes.size()));
    if (is_new) plan.nodes.push_back(made);
    return place->second;
  }
  NodeId constant(Value value) {
    const Kind kind = value.kind();
    plan.constants.push_back(std::move(value));
    return node(
        {Op::Constant, kind, static_cast<std::uint32_t>(plan.constants.size() - 1), {}, {}});
  }
  NodeId leaf(Op op, Kind kind, std::uint32_t index) { return node({op, kind, index, {}, {}}); }
  NodeId truth(Op op, NodeId a, NodeId b = {}) { return node({op, Kind::Bool, 0, a, b}); }
};

// The loop: what plan.h says of each operation and no more, asked anew for each node.
struct Naive {
  const plan::Plan& plan;
  std::span<const Value> fields, attributes;
  std::span<const Value> metrics;
  std::vector<bool> watches;
  mutable std::size_t asked = 0;

  Value value(NodeId id) const {
    ++asked;
    const Node& node = plan[id];
    switch (node.op) {
      case Op::Constant: return plan.constants[node.index];
      case Op::Field: return fields[node.index];
      case Op::Attribute: return attributes[node.index];
      case Op::Metric: return metrics[node.index];
      case Op::Default: {
        Value a = value(node.a);
        return a.is_missing() ? value(node.b) : a;
      }
      case Op::Lower: {
        const Value a = value(node.a);
        if (a.is_missing()) return {};
        std::string text(a.as_text());
        for (char& c : text)
          if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
        return Value::text(text);
      }
      default: return Value::boolean(holds(id));
    }
  }

  static bool contains(const Value& whole, const Value& part) {
    if (whole.kind() == Kind::Text)
      return part.kind() == Kind::Text &&
             whole.as_text().find(part.as_text()) != std::string_view::npos;
    for (const Value& element : whole.as_list())
      if (element == part) return true;
    return false;
  }

  bool holds(NodeId id) const {
    if (id.is_none()) return true;
    ++asked;
    const Node& node = plan[id];
    switch (node.op) {
      case Op::Not: return !holds(node.a);
      case Op::And: return holds(node.a) && holds(node.b);
      case Op::Or: return holds(node.a) || holds(node.b);
      case Op::Watch: return watches[node.index];
      case Op::IsKnown: return !value(node.a).is_missing();
      case Op::IsMissing: return value(node.a).is_missing();
      case Op::In: {
        const Value a = value(node.a);
        return !a.is_missing() && contains(value(node.b), a);
      }
      case Op::Contains: {
        const Value b = value(node.b);
        return !b.is_missing() && contains(value(node.a), b);
      }
      case Op::ContainsAny: {
        const Value a = value(node.a), b = value(node.b);
        for (const Value& part : b.as_list())
          if (contains(a, part)) return true;
        return false;
      }
      case Op::Equal:
      case Op::NotEqual:
      case Op::Less:
      case Op::LessEqual:
      case Op::Greater:
      case Op::GreaterEqual: {
        const Value a = value(node.a), b = value(node.b);
        if (a.is_missing() || b.is_missing()) return false;
        const auto order = a <=> b;
        return node.op == Op::Equal       ? order == 0
               : node.op == Op::NotEqual  ? order != 0
               : node.op == Op::Less      ? order < 0
               : node.op == Op::Greater   ? order > 0
               : node.op == Op::LessEqual ? order <= 0
                                          : order >= 0;
      }
      default: {
        const Value a = value(id);
        return a.kind() == Kind::Bool && a.as_bool();
      }
    }
  }
};

std::vector<std::size_t> hits(const Conditions& conditions, const Naive& reader, Scratch& scratch) {
  std::vector<std::size_t> found;
  conditions.match(reader, scratch, [&](std::size_t i) { found.push_back(i); });
  return found;
}

std::vector<std::size_t> loop(std::span<const Condition> conditions, const Naive& reader) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < conditions.size(); ++i)
    if (reader.holds(conditions[i].node) && reader.holds(conditions[i].also)) found.push_back(i);
  return found;
}

// --- Generated programs -------------------------------------------------------------------------

// Values whose kinds stand for all: numbers of three sorts, truths, texts short and long, lists.
constexpr std::array kinds{Kind::Int,  Kind::Number, Kind::Enum, Kind::Bool,
                           Kind::Text, Kind::Text,   Kind::List};

struct Generator {
  explicit Generator(unsigned seed) : dice(seed) {}

  std::mt19937 dice;
  Expressions expressions;
  bool wide = dice() % 2 == 0;  // many distinct constants, or few

  std::size_t below(std::size_t n) { return dice() % n; }

  Value any_value(Kind kind) {
    switch (kind) {
      case Kind::Bool: return Value::boolean(below(2) == 1);
      case Kind::Enum: return Value::enumerator(static_cast<std::uint32_t>(below(5)));
      case Kind::Text: {
        const std::size_t n = below(wide ? 400 : 6);
        if (n % 7 == 0) return Value::text("a longer text than a value holds " + std::to_string(n));
        if (n % 11 == 1) return Value::text("");
        return Value::text("t" + std::to_string(n));
      }
      case Kind::List: {
        std::vector<Value> elements;
        for (std::size_t i = below(3); i-- > 0;) elements.push_back(any_value(Kind::Text));
        return Value::list(std::move(elements));
      }
      default: {
        const std::size_t what = below(20);
        const std::int64_t number = what == 0   ? lowest
                                    : what == 1 ? highest
                                    : what == 2 ? lowest + 1
                                    : what == 3
                                        ? highest - 1
                                        : static_cast<std::int64_t>(below(wide ? 5000 : 9)) - 4;
        return Value::raw(kind, number);
      }
    }
  }
  Value maybe(Kind kind) { return below(6) == 0 ? Value() : any_value(kind); }

  NodeId leaf(std::size_t which) {
    const auto index = static_cast<std::uint32_t>(which);
    switch (below(5)) {
      case 0: return expressions.leaf(Op::Attribute, kinds[which], index);
      case 1: return expressions.leaf(Op::Metric, kinds[which], index);
      case 2: {
        const NodeId a = expressions.leaf(Op::Field, kinds[which], index);
        if (kinds[which] == Kind::Text) return expressions.node({Op::Lower, Kind::Text, 0, a, {}});
        return expressions.node({Op::Default, kinds[which], 0, a,
                                 expressions.leaf(Op::Attribute, kinds[which], index)});
      }
      default: return expressions.leaf(Op::Field, kinds[which], index);
    }
  }

  NodeId comparison() {
    const std::size_t which = below(kinds.size());
    const Kind kind = kinds[which];
    const NodeId value = leaf(which);
    switch (below(14)) {
      case 0: return expressions.truth(Op::IsKnown, value);
      case 1: return expressions.truth(Op::IsMissing, value);
      case 2:
      case 3: {
        std::vector<Value> elements;
        for (std::size_t i = below(wide ? 30 : 4); i-- > 0;) elements.push_back(any_value(kind));
        return expressions.truth(Op::In, value,
                                 expressions.constant(Value::list(std::move(elements))));
      }
      case 4:
      case 5: {
        const NodeId text = leaf(4 + below(3));
        if (below(2) == 0)
          return expressions.truth(Op::Contains, text, expressions.constant(maybe(Kind::Text)));
        std::vector<Value> parts;
        for (std::size_t i = below(4); i-- > 0;) parts.push_back(any_value(Kind::Text));
        return expressions.truth(Op::ContainsAny, text,
                                 expressions.constant(Value::list(std::move(parts))));
      }
      case 6: return expressions.leaf(Op::Watch, Kind::Bool, static_cast<std::uint32_t>(below(4)));
      case 7: return expressions.leaf(Op::Field, Kind::Bool, 3);
      case 8:
        if (below(4) == 0) return expressions.constant(Value::boolean(below(2) == 1));
        [[fallthrough]];
      default: {
        constexpr std::array ops{Op::Equal,     Op::NotEqual, Op::Less,
                                 Op::LessEqual, Op::Greater,  Op::GreaterEqual};
        const Op op = ops[below(2) == 0 ? 0 : below(ops.size())];
        const NodeId other = below(12) == 0 ? leaf(which) : expressions.constant(maybe(kind));
        return below(4) == 0 ? expressions.truth(op, other, value)
                             : expressions.truth(op, value, other);
      }
    }
  }

  NodeId condition(std::size_t depth) {
    switch (depth == 0 ? 9 : below(10)) {
      case 0: return expressions.truth(Op::Not, condition(depth - 1));
      case 1:
      case 2: {
        const NodeId a = condition(depth - 1);
        return expressions.truth(Op::Or, a, condition(depth - 1));
      }
      case 3:
      case 4:
      case 5:
      case 6: {
        const NodeId a = condition(depth - 1);
        return expressions.truth(Op::And, a, condition(depth - 1));
      }
      default: return comparison();
    }
  }
};

TEST(Conditions, HoldExactlyWhenTheLoopSaysSo) {
  std::size_t all_hits = 0, all_misses = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    Generator generator(seed);
    std::vector<Condition> wanted;
    constexpr std::array sizes{1u, 5u, 13u, 70u, 300u, 700u};
    for (std::size_t i = sizes[generator.below(sizes.size())]; i-- > 0;) {
      Condition condition;
      if (generator.below(30) != 0) condition.node = generator.condition(generator.below(6));
      if (generator.below(5) == 0) condition.also = generator.condition(1);
      wanted.push_back(condition);
    }
    const plan::Plan& plan = generator.expressions.plan;
    const Conditions usual(plan, wanted), with_rows(plan, wanted, 0),
        without(plan, wanted, highest);
    EXPECT_FALSE(without.has_rows());
    Scratch scratch;
    for (int event = 0; event < 40; ++event) {
      std::vector<Value> fields, attributes, metrics;
      for (const Kind kind : kinds) {
        fields.push_back(generator.maybe(kind));
        attributes.push_back(generator.maybe(kind));
        metrics.push_back(generator.maybe(kind));
      }
      Naive reader{plan, fields, attributes, metrics, {}};
      for (int i = 0; i < 4; ++i) reader.watches.push_back(generator.below(2) == 0);
      const auto expected = loop(wanted, reader);
      all_hits += expected.size();
      all_misses += wanted.size() - expected.size();
      ASSERT_EQ(hits(usual, reader, scratch), expected) << "seed " << seed;
      ASSERT_EQ(hits(with_rows, reader, scratch), expected) << "seed " << seed;
      ASSERT_EQ(hits(without, reader, scratch), expected) << "seed " << seed;
    }
  }
  EXPECT_GT(all_hits, 100'000u);
  EXPECT_GT(all_misses, 100'000u);
}

TEST(Conditions, AreExactAtTheirVeryBounds) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937_64 dice(seed);
    Expressions expressions;
    const NodeId field = expressions.leaf(Op::Field, Kind::Money, 0);
    const NodeId metric = expressions.leaf(Op::Metric, Kind::Money, 0);
    std::vector<Condition> wanted;
    std::vector<std::int64_t> bounds{lowest, highest, 0};
    // More thresholds than bins, so that some of them stand within a bin.
    for (int i = 0; i < 1000; ++i) {
      const auto bound = static_cast<std::int64_t>(dice() >> dice() % 64);
      bounds.push_back(bound);
      constexpr std::array ops{Op::Equal,     Op::NotEqual, Op::Less,
                               Op::LessEqual, Op::Greater,  Op::GreaterEqual};
      NodeId test = expressions.truth(ops[dice() % ops.size()], i % 2 == 0 ? field : metric,
                                      expressions.constant(Value::money(bound)));
      if (i % 7 == 0) test = expressions.truth(Op::Not, test);
      wanted.push_back({test, {}});
    }
    const Conditions conditions(expressions.plan, wanted);
    ASSERT_TRUE(conditions.has_rows());
    Scratch scratch;
    for (int event = 0; event < 30; ++event) {
      const std::int64_t at = bounds[dice() % bounds.size()];
      const std::int64_t near =
          at == lowest || at == highest ? at : at + static_cast<std::int64_t>(dice() % 3) - 1;
      const std::array fields{Value::money(near)};
      const Naive reader{expressions.plan, fields, {}, fields, {}};
      ASSERT_EQ(hits(conditions, reader, scratch), loop(wanted, reader)) << seed << ": " << near;
    }
  }
}

// --- What it promises beside being exact ---------------------------------------------------------

struct Shop {
  Expressions expressions;
  std::vector<Condition> wanted;
  NodeId sku = expressions.leaf(Op::Field, Kind::Text, 0);
  NodeId comment = expressions.leaf(Op::Field, Kind::Text, 1);
  NodeId spent = expressions.leaf(Op::Metric, Kind::Money, 0);
  NodeId vip = expressions.leaf(Op::Watch, Kind::Bool, 0);

  NodeId is(NodeId leaf, Value value) {
    return expressions.truth(Op::Equal, leaf, expressions.constant(std::move(value)));
  }
};

TEST(Conditions, AskWhatIsSharedAtMostOnceAnEvent) {
  Shop shop;
  for (int i = 0; i < 500; ++i) {
    const NodeId rich = shop.expressions.truth(Op::GreaterEqual, shop.spent,
                                               shop.expressions.constant(Value::money(i)));
    shop.wanted.push_back({shop.expressions.truth(Op::And, rich, shop.vip), {}});
  }
  const Conditions conditions(shop.expressions.plan, shop.wanted);
  const std::array fields{Value::text("a"), Value()};
  const std::array metrics{Value::money(250)};
  const Naive reader{shop.expressions.plan, fields, {}, metrics, {true}};
  Scratch scratch;
  EXPECT_EQ(hits(conditions, reader, scratch).size(), 251u);
  EXPECT_EQ(reader.asked, 2u);  // the metric, and the segment
}

TEST(Conditions, DoNotReadAMetricThatNoCandidateWaitsFor) {
  Shop shop;
  for (int i = 0; i < 500; ++i) {
    const NodeId rich = shop.expressions.truth(Op::GreaterEqual, shop.spent,
                                               shop.expressions.constant(Value::money(i)));
    const NodeId bought = shop.is(shop.sku, Value::text("sku-" + std::to_string(i)));
    shop.wanted.push_back({shop.expressions.truth(Op::And, rich, bought), {}});
  }
  const Conditions conditions(shop.expressions.plan, shop.wanted);
  const std::array fields{Value::text("another"), Value()};
  const std::array metrics{Value::money(250)};
  const Naive reader{shop.expressions.plan, fields, {}, metrics, {true}};
  Scratch scratch;
  EXPECT_TRUE(hits(conditions, reader, scratch).empty());
  EXPECT_EQ(reader.asked, 0u);
}

TEST(Conditions, FindManyTextsInOnePass) {
  Shop shop;
  for (int i = 0; i < 1000; ++i) {
    std::vector<Value> words;
    for (int k = 0; k < 3; ++k)
      words.push_back(Value::text("word " + std::to_string(i * 2 + k * 7) + "."));
    shop.wanted.push_back(
        {shop.expressions.truth(Op::ContainsAny, shop.comment,
                                shop.expressions.constant(Value::list(std::move(words)))),
         {}});
  }
  const Conditions conditions(shop.expressions.plan, shop.wanted);
  Scratch scratch;
  for (const char* text : {"", "no such", "a word 14. and word 993. there", "word 7.word 8.word"}) {
    const std::array fields{Value(), Value::text(text)};
    const Naive reader{shop.expressions.plan, fields, {}, {}, {}};
    EXPECT_EQ(hits(conditions, reader, scratch), loop(shop.wanted, reader)) << text;
  }
}

TEST(Conditions, AllocateNothingForAnEvent) {
  Shop shop;
  for (int i = 0; i < 300; ++i) {
    const NodeId bought = shop.is(shop.sku, Value::text("sku-" + std::to_string(i % 50)));
    const NodeId said = shop.expressions.truth(
        Op::Contains, shop.comment, shop.expressions.constant(Value::text(std::to_string(i))));
    const NodeId rich =
        shop.expressions.truth(Op::Less, shop.spent, shop.expressions.constant(Value::money(i)));
    shop.wanted.push_back(
        {shop.expressions.truth(Op::Or, bought, shop.expressions.truth(Op::And, said, rich)), {}});
  }
  const Conditions conditions(shop.expressions.plan, shop.wanted);
  const std::array fields{Value::text("sku-7"), Value::text("a text of more than fourteen: 12")};
  const std::array metrics{Value::money(9)};
  const Naive reader{shop.expressions.plan, fields, {}, metrics, {}};
  Scratch scratch;
  std::size_t found = 0;
  conditions.match(reader, scratch, [&](std::size_t) { ++found; });
  EXPECT_GT(found, 0u);
  const std::size_t before = allocations;
  conditions.match(reader, scratch, [&](std::size_t) { ++found; });
  EXPECT_EQ(allocations, before);
}

TEST(Conditions, TakeTwoKilobytesEachAtMost) {
  for (const std::size_t size : {100u, 1000u, 10000u}) {
    Shop shop;
    for (std::size_t i = 0; i < size; ++i) {
      NodeId all = shop.is(shop.sku, Value::text("sku-" + std::to_string(i)));
      for (std::uint32_t a = 0; a < 4; ++a) {
        const NodeId attribute =
            shop.expressions.leaf(Op::Attribute, Kind::Int, a + static_cast<std::uint32_t>(i % 20));
        all = shop.expressions.truth(
            Op::And, all,
            shop.expressions.truth(
                Op::Less, attribute,
                shop.expressions.constant(Value::integer(static_cast<std::int64_t>(i * a)))));
      }
      shop.wanted.push_back({all, {}});
    }
    const Conditions conditions(shop.expressions.plan, shop.wanted);
    EXPECT_LE(conditions.bytes() / size, 2048u) << size;
  }
}

TEST(Conditions, LeaveAnEventThatIsShorterThanItsTypeToTheEvaluator) {
  Shop shop;
  for (int i = 0; i < 100; ++i)
    shop.wanted.push_back({shop.is(shop.comment, Value::text("x")), i == 7 ? NodeId() : shop.vip});
  struct Short {
    std::span<const Value> fields, attributes;
    Value value(NodeId) const { return {}; }
    bool holds(NodeId node) const { return node.value % 2 == 0; }
  };
  const Conditions conditions(shop.expressions.plan, shop.wanted);
  Scratch scratch;
  std::size_t found = 0;
  conditions.match(Short{}, scratch, [&](std::size_t) { ++found; });
  std::size_t expected = 0;
  for (const Condition& each : shop.wanted)
    expected += each.node.value % 2 == 0 && (each.also.is_none() || each.also.value % 2 == 0);
  EXPECT_EQ(found, expected);
}

TEST(Conditions, AValueThatOwnsNothingIsEqualWhenItsWordsAre) {
  std::mt19937 dice(1);
  Generator generator(7);
  for (int i = 0; i < 20000; ++i) {
    const Value a = generator.any_value(kinds[generator.below(kinds.size() - 1)]);
    const Value b = generator.any_value(kinds[generator.below(kinds.size() - 1)]);
    EXPECT_EQ(owns_block(words_of(a)), a.heap_bytes() != 0);
    EXPECT_EQ(kind_of(words_of(a)), a.kind());
    if (owns_block(words_of(a)) || owns_block(words_of(b))) continue;
    EXPECT_EQ(words_of(a) == words_of(b), a == b);
  }
}

// --- The index of a plan
// --------------------------------------------------------------------------

TEST(Index, TellsWhatAnEventBeginsCountsAndLogs) {
  Expressions made;
  const NodeId amount = made.leaf(Op::Field, Kind::Money, 0);
  const NodeId tier = made.leaf(Op::Attribute, Kind::Text, 0);
  const auto over = [&](std::int64_t bound) {
    return made.truth(Op::Greater, amount, made.constant(Value::money(bound)));
  };
  const NodeId gold = made.truth(Op::Equal, tier, made.constant(Value::text("gold")));
  const NodeId kept =
      made.truth(Op::Equal, made.leaf(Op::Slot, Kind::Int, 0), made.constant(Value::integer(1)));
  const NodeId moved = made.truth(Op::Equal, made.leaf(Op::Attribute, Kind::Text, 1),
                                  made.constant(Value::text("here")));
  plan::Plan& plan = made.plan;
  plan.schema.attributes.resize(2);
  plan.watches_of_attribute.resize(2);
  plan.reactions.resize(2);
  const auto trigger = [&](plan::Trigger::Kind kind, NodeId where, NodeId audience) {
    plan::Campaign campaign;
    campaign.audience = audience;
    campaign.triggers.emplace_back();
    campaign.triggers[0].kind = kind;
    campaign.triggers[0].first.match = {EventTypeId::of(1), where};
    plan.reactions[1].begins.push_back({plan::CampaignId::of(plan.campaigns.size()), 0});
    plan.campaigns.push_back(campaign);
  };
  trigger(plan::Trigger::Kind::Event, over(100), {});
  trigger(plan::Trigger::Kind::Event, {}, gold);
  trigger(plan::Trigger::Kind::Absence, over(10), gold);  // its audience is asked later
  trigger(plan::Trigger::Kind::Event, {}, kept);          // what reads the frame too
  trigger(plan::Trigger::Kind::Event, {}, moved);         // a step may have set it until then
  plan.campaigns[0].steps.push_back(plan::Set{AttributeId::of(1), {}, 0});
  plan.accumulators.resize(2);
  plan.accumulators[0].events = {EventTypeId::of(1), over(50)};
  plan.accumulators[1].events = {EventTypeId::of(1), over(150)};
  plan.reactions[1].accumulators = {plan::AccumulatorId::of(1), plan::AccumulatorId::of(0)};
  plan.logs.resize(1);
  plan.logs[0].events = {EventTypeId::of(1), {}};
  plan.reactions[1].logs = {plan::LogId::of(0)};

  const Index index = Index::build(plan);
  Scratch scratch;
  const auto all = [&](std::size_t type, std::int64_t money, const char* of_tier) {
    const std::array fields{Value::money(money)};
    const std::array attributes{Value::text(of_tier), Value::text("there")};
    const Naive reader{plan, fields, attributes, {}, {}};
    std::array<std::vector<std::size_t>, 3> found;
    const auto id = EventTypeId::of(type);
    index.begins(id, reader, scratch, [&](std::size_t i) { found[0].push_back(i); });
    index.accumulators(id, reader, scratch, [&](std::size_t i) { found[1].push_back(i); });
    index.logs(id, reader, scratch, [&](std::size_t i) { found[2].push_back(i); });
    return found;
  };
  using Found = std::array<std::vector<std::size_t>, 3>;
  EXPECT_EQ(all(1, 101, "iron"), (Found{{{0, 2, 3, 4}, {1}, {0}}}));
  EXPECT_EQ(all(1, 100, "gold"), (Found{{{1, 2, 3, 4}, {1}, {0}}}));
  EXPECT_EQ(all(1, 151, "gold"), (Found{{{0, 1, 2, 3, 4}, {0, 1}, {0}}}));
  EXPECT_EQ(all(1, 10, "iron"), (Found{{{3, 4}, {}, {0}}}));
  EXPECT_EQ(all(0, 151, "gold"), Found{});
}

}  // namespace
}  // namespace koi::match
