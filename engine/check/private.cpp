// Where what is private goes: from the fields and attributes that are declared so, through what is
// set from them, counted of them and said of them, to the channels that carry it.
#include <algorithm>
#include <set>

#include "check/detail/checker.h"
#include "check/reachable.h"

namespace koi::check {

// Attributes and fields of events, as what they may hold of others: `private` ones hold themselves.
struct Checker::Holds {
  std::map<AttributeId, std::set<std::string>> attributes;
  std::map<std::pair<EventTypeId, FieldId>, std::set<std::string>> fields;
};

// The private things whose values are in an expression's. What is only asked (a comparison, a
// segment) is not in it.
std::set<std::string> Checker::held(ExpressionId root, const Holds& holds, EventTypeId where_of,
                                    const Campaign* campaign) const {
  std::set<std::string> found;
  const auto take = [&](const auto& map, const auto& key) {
    const auto of = map.find(key);
    if (of != map.end()) found.insert(of->second.begin(), of->second.end());
  };
  for_each_reachable(program_, root, [&](const Expression& expression) {
    if (expression.type.kind == Kind::Bool) return false;  // only what is asked: no text says it
    const bool is_own = expression.index == event_time || expression.index == event_id;
    if (expression.op == Op::Attribute) {
      take(holds.attributes, AttributeId::of(expression.index));
    } else if (expression.op == Op::EventField && !is_own) {
      take(holds.fields, std::pair(where_of, FieldId::of(expression.index)));
    } else if (expression.op == Op::BindingField && !is_own && campaign != nullptr) {
      take(holds.fields, std::pair(campaign->bindings[expression.binding.index()].type,
                                   FieldId::of(expression.index)));
    } else if (expression.op == Op::Metric) {
      const Metric& metric = program_.metrics[expression.index];
      if (!metric.field.is_none() && metric.aggregate != Aggregate::Distinct)
        take(holds.fields, std::pair(metric.events.type, metric.field));
    }
    return true;
  });
  return found;
}

void Checker::privacy() {
  Holds holds;
  const Schema& schema = program_.schema;
  for (std::size_t i = 0; i < schema.attributes.size(); ++i)
    if (schema.attributes[i].is_private)
      holds.attributes[AttributeId::of(i)] = {schema.attributes[i].symbol.name};
  for (std::size_t i = 0; i < schema.events.size(); ++i)
    for (std::size_t j = 0; j < schema.events[i].fields.size(); ++j)
      if (schema.events[i].fields[j].is_private)
        holds.fields[{EventTypeId::of(i), FieldId::of(j)}] = {
            schema.events[i].fields[j].symbol.name};
  if (holds.attributes.empty() && holds.fields.empty()) return;

  // What is set from something holds it; that may go round, until nothing is new.
  bool is_new = true;
  const auto put = [&](std::set<std::string>& into, const std::set<std::string>& from) {
    const std::size_t before = into.size();
    into.insert(from.begin(), from.end());
    is_new = is_new || into.size() != before;
  };
  const auto in_steps = [&](const auto& self, const Block& steps, const Campaign& of) -> void {
    for (const Step& step : steps) {
      if (const auto* set = std::get_if<Set>(&step.what)) {
        if (const auto from = held(set->value, holds, {}, &of); !from.empty())
          put(holds.attributes[set->attribute], from);
      } else if (const auto* emit = std::get_if<Emit>(&step.what)) {
        for (std::size_t i = 0; i < emit->fields.size(); ++i)
          if (const auto from = held(emit->fields[i], holds, {}, &of); !from.empty())
            put(holds.fields[{emit->event, FieldId::of(i)}], from);
      } else if (const auto* wait = std::get_if<WaitFor>(&step.what)) {
        self(self, wait->then, of), self(self, wait->otherwise, of);
      } else if (const auto* choice = std::get_if<If>(&step.what)) {
        self(self, choice->then, of), self(self, choice->otherwise, of);
      } else if (const auto* split = std::get_if<Split>(&step.what)) {
        for (const auto& arm : split->arms) self(self, arm.steps, of);
      } else if (const auto* repeat = std::get_if<Repeat>(&step.what)) {
        self(self, repeat->steps, of);
      } else if (const auto* give = std::get_if<Give>(&step.what)) {
        self(self, give->otherwise, of);
      } else if (const auto* take = std::get_if<Take>(&step.what)) {
        self(self, take->then, of), self(self, take->otherwise, of);
      }
    }
  };
  while (std::exchange(is_new, false)) {
    for (const AttributeSet& set : program_.sets)
      if (const auto from = held(set.value, holds, set.events.type, nullptr); !from.empty())
        put(holds.attributes[set.attribute], from);
    for (const Campaign& campaign : program_.campaigns)
      for (const TriggerGroup& group : campaign.groups) in_steps(in_steps, group.steps, campaign);
  }

  for (const Leaving& each : leaves_by_) {
    const Channel& channel = program_.channels[each.channel.index()];
    const auto& cleared = cleared_[each.channel.index()];
    std::set<std::string> told;
    for (const ExpressionId text : each.texts) {
      if (text.is_none()) continue;
      for (const std::string& name :
           held(text, holds, {},
                each.campaign == none_ ? nullptr : &program_.campaigns[each.campaign])) {
        if (cleared.count(name) != 0 || !told.insert(name).second) continue;
        auto& diagnostic = report(Code::NotCleared, each.at, {name, channel.symbol.name});
        label(diagnostic, reader_of(text, name, holds, each), "read here", "在这里读取");
      }
    }
  }
}

// Where the text reads what holds it.
SourceSpan Checker::reader_of(ExpressionId text, const std::string& name, const Holds& holds,
                              const Leaving& leaving) const {
  const Campaign* campaign =
      leaving.campaign == none_ ? nullptr : &program_.campaigns[leaving.campaign];
  std::vector<ExpressionId> stack{text};
  while (!stack.empty()) {
    const ExpressionId id = stack.back();
    stack.pop_back();
    if (id.is_none() || held(id, holds, {}, campaign).count(name) == 0) continue;
    const Expression& expression = program_[id];
    const std::size_t before = stack.size();
    for (const ExpressionId operand : {expression.a, expression.b})
      if (!operand.is_none()) stack.push_back(operand);
    for (const auto& part : expression.parts)
      if (!part.value.is_none()) stack.push_back(part.value);
    if (stack.size() == before) return expression.span;
  }
  return program_[text].span;
}

}  // namespace koi::check
