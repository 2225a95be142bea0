// How fast one event finds the campaigns that it concerns, on the reference workload: its rules
// become triggers of a plan, its facts typed events and attributes. Measured and checked as the
// other engines are, by their drivers' own `measure`.
//
//   matching_bench DATA R      DATA as the workload's gen.py wrote it; prints one JSON line each
//
// `koi` is the index, `koi-loop` the same tests asked one after the other.
#include <load.hpp>

#include <map>

#include "match/index.h"

namespace {

using koi::Kind;
using koi::Value;
using koi::plan::NodeId;
using koi::plan::Op;

// The workload as a plan: every rule a campaign with one trigger.
class Program {
 public:
  explicit Program(const World& world) : world_(world) {
    for (std::size_t i = 0; i < world.attrs.size(); ++i) {
      const std::string& name = world.attrs[i];
      kinds_.push_back(name == "p_consent_email" ? Kind::Bool
                       : !world.numeric[i]       ? Kind::Text
                       : World::scaled(name)     ? Kind::Number
                                                 : Kind::Int);
      if (name[0] == 'p') place_[static_cast<int>(i)] = attributes_++;
    }
    // A type's fields are those that its facts have.
    for (const Fact& fact : world.facts) {
      auto& fields = fields_[fact.type];
      for (std::size_t i = 0; i < fact.v.size(); ++i)
        if (world.attrs[i][0] == 'e' && fact.v[i] != NONE && !fields.contains(static_cast<int>(i)))
          fields.emplace(static_cast<int>(i), fields.size());
    }
    for (const auto& [type, fields] : fields_) types_.emplace(type, types_.size());
    plan.reactions.resize(types_.size());
    plan.schema.attributes.resize(attributes_);
    plan.watches_of_attribute.resize(attributes_);
    for (const Rule& rule : world.rules) add(rule);
  }

  Value value(int attribute, std::int64_t interned) const {
    switch (kinds_[static_cast<std::size_t>(attribute)]) {
      case Kind::Bool: return Value::boolean(interned != 0);
      case Kind::Text: return Value::text(world_.strs[static_cast<std::size_t>(interned)]);
      case Kind::Number: return Value::number({interned * 10'000});
      default: return Value::integer(interned);
    }
  }

  koi::EventTypeId type(int interned) const { return koi::EventTypeId::of(types_.at(interned)); }
  std::vector<Value> fields(const Fact& fact) const {
    const auto& places = fields_.at(fact.type);
    std::vector<Value> fields(places.size());
    for (const auto& [attribute, place] : places)
      if (const auto v = fact.v[static_cast<std::size_t>(attribute)]; v != NONE)
        fields[place] = value(attribute, v);
    return fields;
  }
  std::vector<Value> attributes(const Fact& fact) const {
    std::vector<Value> attributes(attributes_);
    for (const auto& [attribute, place] : place_)
      if (const auto v = fact.v[static_cast<std::size_t>(attribute)]; v != NONE)
        attributes[place] = value(attribute, v);
    return attributes;
  }

  koi::plan::Plan plan;

 private:
  NodeId node(koi::plan::Node made) {
    const auto [place, is_new] = nodes_.emplace(made, NodeId::of(plan.nodes.size()));
    if (is_new) plan.nodes.push_back(made);
    return place->second;
  }
  NodeId constant(Value value) {
    const auto kind = value.kind();
    plan.constants.push_back(std::move(value));
    return node(
        {Op::Constant, kind, static_cast<std::uint32_t>(plan.constants.size() - 1), {}, {}});
  }
  NodeId truth(Op op, NodeId a, NodeId b) { return node({op, Kind::Bool, 0, a, b}); }

  void add(const Rule& rule) {
    const auto found = types_.find(rule.type);
    if (found == types_.end()) return;  // no fact has this type
    NodeId where;
    for (const Pred& predicate : rule.when) {
      const bool of_customer = place_.contains(predicate.attr);
      const auto place =
          of_customer ? place_.at(predicate.attr) : fields_.at(rule.type).at(predicate.attr);
      const NodeId leaf = node({of_customer ? Op::Attribute : Op::Field,
                                kinds_[static_cast<std::size_t>(predicate.attr)],
                                static_cast<std::uint32_t>(place),
                                {},
                                {}});
      const auto bound = [&](std::int64_t v) { return constant(value(predicate.attr, v)); };
      NodeId test;
      if (predicate.op == 'e') {
        test = truth(Op::Equal, leaf, bound(predicate.lo));
      } else if (predicate.op == 's') {
        std::vector<Value> elements;
        for (const std::int64_t v : predicate.set) elements.push_back(value(predicate.attr, v));
        test = truth(Op::In, leaf, constant(Value::list(std::move(elements))));
      } else {
        if (predicate.lo != INT64_MIN + 1)
          test = truth(Op::GreaterEqual, leaf, bound(predicate.lo));
        if (predicate.hi != INT64_MAX) {
          const NodeId upper = truth(Op::LessEqual, leaf, bound(predicate.hi));
          test = test ? truth(Op::And, test, upper) : upper;
        }
      }
      where = where ? truth(Op::And, where, test) : test;
    }
    koi::plan::Trigger trigger;
    trigger.first.match = {koi::EventTypeId::of(found->second), where};
    koi::plan::Campaign campaign;
    campaign.symbol.name = rule.id;
    campaign.triggers.push_back(trigger);
    plan.reactions[found->second].begins.push_back(
        {koi::plan::CampaignId::of(plan.campaigns.size()), 0});
    plan.campaigns.push_back(std::move(campaign));
  }

  const World& world_;
  std::vector<Kind> kinds_;
  std::map<int, std::size_t> place_;                  // of an attribute of the customer
  std::map<int, std::map<int, std::size_t>> fields_;  // by type: of a field
  std::map<int, std::size_t> types_;
  std::size_t attributes_ = 0;
  std::map<koi::plan::Node, NodeId> nodes_;
};

// A fact as the engine has it: the values of all facts stand behind one another, as events of a
// batch do.
struct TypedFact {
  koi::EventTypeId type;
  std::span<const Value> fields, attributes;
};

// Everything that the workload asks is at hand.
struct AtHand {
  std::span<const Value> fields, attributes;
  Value value(NodeId) const { KOI_ASSERT(false); }
  bool holds(NodeId) const { KOI_ASSERT(false); }
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 2;
  const std::string data = arguments[1];
  const std::size_t rules = std::stoul(arguments[2]);
  World world;
  world.load_rules(data + "/rules-" + arguments[2] + ".json");
  world.load_facts(data + "/facts-10k.jsonl", 100'000);
  const Program program(world);
  std::size_t value_count = 0;
  for (const Fact& fact : world.facts)
    value_count += program.fields(fact).size() + program.attributes(fact).size();
  std::vector<Value> values;
  values.reserve(value_count);
  const auto keep = [&](std::vector<Value> made) {
    values.insert(values.end(), made.begin(), made.end());
    return std::span<const Value>(values).last(made.size());
  };
  std::vector<TypedFact> facts;
  for (const Fact& fact : world.facts)
    facts.push_back(
        {program.type(fact.type), keep(program.fields(fact)), keep(program.attributes(fact))});
  const std::size_t fact_count = facts.size();
  world.facts.clear();
  world.facts.shrink_to_fit();

  const double started = now();
  const auto index = koi::match::Index::build(program.plan);
  const double took = now() - started;
  fprintf(stderr, "koi R=%zu: built in %.1f ms, %zu bytes a rule\n", rules, took * 1e3,
          index.bytes() / rules);

  koi::match::Scratch scratch;
  measure("koi", rules, fact_count, check_count(rules), [&](std::size_t i) {
    const TypedFact& fact = facts[i];
    std::size_t fires = 0;
    index.begins(fact.type, AtHand{fact.fields, fact.attributes}, scratch,
                 [&](std::size_t) { ++fires; });
    return fires;
  });

  std::vector<koi::match::Conditions> loops;
  for (const auto& reaction : program.plan.reactions) {
    std::vector<koi::match::Condition> conditions;
    for (const auto& ref : reaction.begins)
      conditions.push_back(
          {program.plan.campaigns[ref.campaign.index()].triggers[0].first.match.where, {}});
    loops.emplace_back(program.plan, conditions, conditions.size());
  }
  measure("koi-loop", rules, fact_count, check_count(rules), [&](std::size_t i) {
    const TypedFact& fact = facts[i];
    std::size_t fires = 0;
    loops[fact.type.index()].match(AtHand{fact.fields, fact.attributes}, scratch,
                                   [&](std::size_t) { ++fires; });
    return fires;
  });
}
