#include "deploy/extend.h"

#include <algorithm>

#include "deploy/detail/bringing.h"

namespace koi::deploy {

namespace {

template <class List>
bool has(const List& list, std::uint64_t definition) {
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& each) { return each.definition == definition; });
}

}  // namespace

Lacking lacking(const plan::Plan& plan, const plan::Plan& than) {
  Lacking found;
  for (std::size_t i = 0; i < plan.accumulators.size(); ++i)
    if (!has(than.accumulators, plan.accumulators[i].definition))
      found.accumulators.push_back(plan::AccumulatorId::of(i));
  for (std::size_t i = 0; i < plan.logs.size(); ++i)
    if (!has(than.logs, plan.logs[i].definition)) found.logs.push_back(plan::LogId::of(i));
  return found;
}

std::vector<std::string> metric_names(const plan::Plan& plan, const Lacking& lacking) {
  const auto is_in = [](const auto& list, auto id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  std::vector<std::string> names;
  std::size_t unnamed = 0;
  for (const plan::Metric& metric : plan.metrics) {
    if (!(metric.window.kind == plan::WindowKind::Lifetime
              ? is_in(lacking.accumulators, metric.accumulator)
              : is_in(lacking.logs, metric.log)))
      continue;
    if (metric.symbol.name.empty())
      ++unnamed;
    else
      names.push_back(metric.symbol.name);
  }
  if (unnamed > 0) names.push_back(std::to_string(unnamed) + " unnamed");
  return names;
}

plan::Plan extend(const plan::Plan& rules, std::span<const plan::Plan* const> later) {
  plan::Plan made = rules;
  for (const plan::Plan* each : later) {
    const Lacking wanted = lacking(*each, made);
    Bringing bringing(*each, made, Bringing::Clash::Beside);
    for (const plan::AccumulatorId id : wanted.accumulators)
      bringing.bring(each->accumulators[id.index()]);
    for (const plan::LogId id : wanted.logs) bringing.bring(each->logs[id.index()]);
  }
  made.schema.index();
  return made;
}

namespace {
void fill_fields(const EventType& type, std::vector<Value>& values) {
  while (values.size() < type.fields.size()) values.push_back(type.fields[values.size()].fallback);
}
}  // namespace

void fill(const plan::Plan& extended, Event& event) {
  fill_fields(extended.schema[event.type], event.fields);
}

void fill(const plan::Plan& extended, core::Call& call) {
  for (core::Call::Facts& facts : call.facts)
    fill_fields(extended.schema[facts.type], facts.fields);
}

void fill(const plan::Plan& extended, durable::Given& given) {
  const auto fill_all = [&](std::vector<durable::Along>& inputs) {
    for (durable::Along& each : inputs) fill(extended, each.given);
  };
  if (auto* event = std::get_if<Event>(&given)) fill(extended, *event);
  if (auto* call = std::get_if<core::Call>(&given)) fill(extended, *call);
  auto* letter = std::get_if<durable::LetterFrom>(&given);
  if (letter == nullptr) return;
  if (auto* arrival = std::get_if<durable::Arrival>(&letter->told)) fill_all(arrival->inputs);
  if (auto* passed = std::get_if<durable::Passed>(&letter->told)) fill_all(passed->inputs);
}

}  // namespace koi::deploy
