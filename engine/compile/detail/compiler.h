// Compiler: one program on its way to a plan. lower.cpp makes nodes, metrics and watches, code.cpp
// campaigns and messages, index.cpp what an event can concern.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "check/program.h"
#include "compile/compile.h"
#include "plan/plan.h"

namespace koi::compile {

class Compiler {
 public:
  Compiler(const check::Program& program, Places& places) : program_(program), places_(places) {}
  plan::Plan run(std::uint64_t seed);

 private:
  // lower.cpp
  plan::NodeId lower(check::ExpressionId root);
  plan::NodeId lower_one(const check::Expression& expression);
  plan::NodeId node(plan::Op op, Kind kind, std::uint32_t index, plan::NodeId a, plan::NodeId b);
  plan::TemplateId template_of(const check::Expression& text);
  plan::EventMatch match(const check::EventMatch& match);
  plan::MetricId metric(check::MetricId id);
  plan::AccumulatorId accumulator(const check::Metric& metric, const plan::EventMatch& events);
  std::pair<plan::LogId, std::uint16_t> log(const check::Metric& metric,
                                            const plan::EventMatch& events);
  void name_logs();
  void segments();
  void tiers();
  AttributeId taken_of(const check::Tier& tier);
  void audiences();
  static plan::Schedule schedule_of(const check::Schedule& from);
  plan::WatchId watch(check::ExpressionId condition);
  HashInput definition_of(const check::EventMatch& events, FieldId field) const;

  // code.cpp
  void policy();
  void channels();
  void messages();
  void campaigns();
  void campaign(const check::Campaign& from, plan::Campaign& to);
  void keep_slots(const check::Campaign& from);
  void keep_slots(const check::Block& block);
  plan::SlotId slot(check::BindingId binding, std::uint32_t field);
  plan::Binding binding(const check::EventPattern& pattern);
  plan::Trigger trigger(const check::Trigger& from);
  void note_place(const check::Step& step, const std::vector<plan::Step>& code);
  void block(const check::Block& steps, plan::Campaign& to, std::vector<plan::Step>& code);
  void split(const check::Split& from, plan::Campaign& to, std::vector<plan::Step>& code);
  void repeat(const check::Repeat& from, plan::Campaign& to, std::vector<plan::Step>& code);
  bool key_from_first(const check::Campaign& from) const;

  // incentives.cpp
  void incentives();
  void incentive_texts();
  plan::BudgetId account(const std::string& owner, const check::Budget& from);
  void keep_costs(plan::BudgetId of, const std::string& owner, const check::Budget& from);
  plan::LimitId limit(const std::string& owner, const check::Limit& from);
  void give(const check::Give& from, plan::Campaign& to, std::vector<plan::Step>& code);
  void take(const check::Take& from, plan::Campaign& to, std::vector<plan::Step>& code);

  // index.cpp
  void index();

  const check::Program& program_;
  Places& places_;
  std::size_t current_ = 0;  // the campaign under way, in the plan
  plan::Plan plan_;
  std::map<plan::Node, plan::NodeId> node_ids_;
  std::map<Value, std::uint32_t> constant_ids_;
  std::vector<plan::NodeId> lowered_;       // by expression; none: not yet
  std::vector<plan::MetricId> metric_ids_;  // by the program's metric; none: not yet
  std::map<std::uint64_t, plan::AccumulatorId> accumulator_ids_;
  std::map<std::uint64_t, plan::LogId> log_ids_;  // by events alone
  std::vector<plan::WatchId> segment_watches_;
  std::map<Hash128, plan::WatchId> watch_ids_;  // by the condition's definition
  // Of the campaign under way.
  std::map<std::pair<std::uint16_t, std::uint32_t>, plan::SlotId> slots_;
  std::uint16_t ordinal_ = 0;    // of the next step of the campaign at hand that is told apart
  std::uint16_t splits_ = 0;     // that it has so far
  std::uint32_t own_slots_ = 0;  // of its frame, that no event fills
};

}  // namespace koi::compile
