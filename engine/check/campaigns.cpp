// Campaigns: their clauses, inherited ones too, and what begins them.
#include <algorithm>
#include <array>
#include <set>

#include "check/detail/checker.h"
#include "check/effective.h"

namespace koi::check {
namespace {

constexpr std::array clause_words{"class",      "for",    "enter",       "hold out", "goal",
                                  "leave when", "budget", "from … to …", "priority"};
static_assert(clause_words.size() == std::variant_size_v<ast::CampaignClause>);

bool may_be_said_again(const ast::CampaignClause& clause) {
  return std::holds_alternative<ast::LeaveClause>(clause);
}

}  // namespace

// --- Small readings ------------------------------------------------------------------------------

Span Checker::length(const ast::DurationLiteral& literal, const char* what_english,
                     const char* what_chinese) {
  if (literal.value.months == 0 && literal.value.fixed.us <= 0)
    report(Code::ZeroLength, literal.span, {say(what_english, what_chinese)});
  return literal.value;
}

std::optional<Span> Checker::length(const std::optional<ast::DurationLiteral>& literal,
                                    const char* what_english, const char* what_chinese) {
  if (!literal) return std::nullopt;
  return length(*literal, what_english, what_chinese);
}

std::optional<std::int64_t> Checker::whole_number(const ast::Expr& expr, std::int64_t least,
                                                  std::int64_t most, const char* english,
                                                  const char* chinese) {
  const auto* literal = std::get_if<ast::NumberLiteral>(&expr.kind);
  if (literal != nullptr && literal->value.millionths % Decimal::one == 0) {
    const std::int64_t number = literal->value.millionths / Decimal::one;
    if (number >= least && number <= most) return number;
  }
  report(Code::NotInRange, expr.span,
         {say(english, chinese), std::to_string(least), std::to_string(most)});
  return std::nullopt;
}

std::optional<Timestamp> Checker::instant(const ast::Expr& expr) {
  if (const auto* local = std::get_if<ast::LocalTimeLiteral>(&expr.kind))
    return program_.policy.zone->instant(local->value);
  if (const auto* exact = std::get_if<ast::InstantLiteral>(&expr.kind)) return exact->value;
  if (const auto* date = std::get_if<ast::DateLiteral>(&expr.kind))
    return program_.policy.zone->instant({date->value, {}});
  report(Code::NotAnInstant, expr.span);
  return std::nullopt;
}

// --- Events --------------------------------------------------------------------------------------

Checker::Pattern Checker::pattern(const ast::EventPattern& pattern,
                                  const std::vector<Visible>& visible) {
  Pattern out;
  out.pattern.span = pattern.span;
  Scope scope;
  scope.has_event = true;
  scope.visible = &visible;
  if (pattern.as) {
    scope.event_names.push_back(pattern.as->text);
    scope.event_as = pattern.as->span;
    used(*pattern.as, pattern.as->span);
  }
  if (!pattern.any) {
    const auto* declared = expect_event(pattern.event);
    if (declared == nullptr) {
      out.ok = false;
    } else {
      out.pattern.match.type = EventTypeId::of(declared->index);
      scope.event_names.push_back(declared->symbol.name);
      if (!declared->symbol.alias.empty()) scope.event_names.push_back(declared->symbol.alias);
    }
  }
  scope.event = out.pattern.match.type;
  scope.event_poisoned = !out.ok;
  if (pattern.where) {
    out.pattern.match.where = condition(*pattern.where, scope);
    always_the_same(out.pattern.match.where, pattern.where->span);
  }
  return out;
}

BindingId Checker::bind(const ast::EventPattern& pattern, const Pattern& checked,
                        std::vector<Visible>& visible, bool of_trigger) {
  Visible kept;
  kept.type = checked.pattern.match.type;
  kept.poisoned = !checked.ok;
  kept.by_as = pattern.as.has_value();
  kept.span = pattern.as ? pattern.as->span : pattern.event.span;
  if (pattern.as) {
    kept.name = pattern.as->text;
  } else if (!pattern.any && checked.ok) {
    const auto& symbol = program_.schema[kept.type].symbol;
    kept.name = symbol.name;
    kept.alias = symbol.alias;
  } else if (!pattern.any) {
    kept.name = pattern.event.text;
  } else {
    return BindingId::none();
  }
  const auto same_name = [&](const Visible& other) { return other.name == kept.name; };

  // Within one way through the campaign a name is one event. Two nameless ones of a type cannot be
  // told apart, and neither has a name then.
  const auto before = std::find_if(visible.begin(), visible.end(), same_name);
  if (before != visible.end() && pattern.as) {
    auto& diagnostic = report(Code::EventNameTaken, kept.span, {kept.name});
    label(diagnostic, before->span, "named here", "在这里命名过");
    return BindingId::none();
  }
  if (before != visible.end() && of_trigger) {
    before->name.clear();
    before->alias.clear();
    return BindingId::none();
  }
  // Triggers that keep the same event under the same name share its place.
  if (of_trigger) {
    const auto other = std::find_if(trigger_names_.begin(), trigger_names_.end(), same_name);
    if (other != trigger_names_.end()) {
      if (other->type != kept.type && !other->poisoned && !kept.poisoned) {
        auto& diagnostic = report(Code::EventNameTaken, kept.span, {kept.name});
        label(diagnostic, other->span, "named here", "在这里命名过");
        return BindingId::none();
      }
      kept.binding = other->binding;
      visible.push_back(kept);
      return kept.binding;
    }
  }
  kept.binding = BindingId::of(current_->bindings.size());
  current_->bindings.push_back({{kept.name, kept.alias}, kept.type});
  if (of_trigger) trigger_names_.push_back(kept);
  visible.push_back(kept);
  return kept.binding;
}

std::vector<Visible> Checker::merge(const std::vector<std::vector<Visible>>& ways) {
  std::vector<Visible> all;
  for (const auto& way : ways) {
    for (const auto& visible : way) {
      if (visible.name.empty()) continue;
      const auto same = [&](const Visible& other) { return other.binding == visible.binding; };
      if (std::any_of(all.begin(), all.end(), same)) continue;
      all.push_back(visible);
      all.back().always = std::all_of(ways.begin(), ways.end(), [&](const auto& other) {
        return std::any_of(other.begin(), other.end(), same);
      });
    }
  }
  return all;
}

// --- Triggers ------------------------------------------------------------------------------------

std::optional<Trigger> Checker::event_trigger(const ast::EventTrigger& trigger,
                                              std::vector<Visible>& visible) {
  OnEvent on;
  bool ok = true;
  const auto take = [&](const ast::EventPattern& each, bool keep) {
    Pattern checked = pattern(each, visible);
    ok = ok && checked.ok;
    if (keep) checked.pattern.binding = bind(each, checked, visible, true);
    return checked.pattern;
  };
  on.first = take(trigger.event, true);
  // A deadline is that of all parts since the one before it.
  std::uint16_t bounded = 0;
  const auto deadline = [&](const ast::DurationLiteral& literal, std::size_t parts) {
    const Span within = length(literal, "`within`", "期限");
    if (!on.within)
      on.within = within;
    else
      on.legs.push_back({bounded, within});
    bounded = static_cast<std::uint16_t>(parts);
  };
  const auto stay_away = [&](const ast::EventPattern& each, std::size_t from, std::size_t until) {
    on.nots.push_back(take(each, false));
    on.nots_during.push_back({static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(until)});
  };
  const std::size_t parts = trigger.then.size();
  for (std::size_t i = 0; i < parts; ++i) {
    const auto& part = trigger.then[i];
    // What must stay away may be asked of the events before it, and of the part that it precedes.
    on.thens.push_back(take(part.event, true));
    for (const auto& without : part.without) stay_away(without, 0, i + 1);
    if (part.within) deadline(*part.within, i + 1);
  }
  if (trigger.absent.empty()) {
    if (trigger.within) deadline(*trigger.within, parts);
    if (bounded < parts) {
      report(Code::NeedsWithin, trigger.span);
      ok = false;
    }
  } else {
    if (bounded < parts || !trigger.within) {
      report(Code::NeedsWithin, trigger.within ? trigger.then.back().span : trigger.span);
      ok = false;
    }
    for (const auto& absent : trigger.absent) stay_away(absent, parts, parts + 1);
    if (trigger.within) deadline(*trigger.within, parts + 1);
  }
  if (!ok) return std::nullopt;
  return Trigger{trigger.span, std::move(on)};
}

std::optional<Trigger> Checker::trigger(const ast::Trigger& trigger,
                                        std::vector<Visible>& visible) {
  const Scope scope;
  const auto crossing = [&](const ast::Expr& expr, SourceSpan span,
                            bool enters) -> std::optional<Trigger> {
    const ExpressionId asked = condition(expr, scope);
    always_the_same(asked, expr.span);
    if (is_poison(asked)) return std::nullopt;
    return Trigger{span, OnCrossing{asked, enters}};
  };
  const auto maybe = [&](const std::optional<ast::Expr>& expr) {
    return expr ? condition(*expr, scope) : ExpressionId::none();
  };
  return std::visit(
      [&](const auto& each) -> std::optional<Trigger> {
        using Each = std::decay_t<decltype(each)>;
        if constexpr (std::is_same_v<Each, ast::EventTrigger>) {
          return event_trigger(each, visible);
        } else if constexpr (std::is_same_v<Each, ast::ReachesTrigger>) {
          const auto [value, threshold] = pair_of(each.value, each.threshold, scope);
          const ExpressionId asked = comparison(Op::GreaterEqual, value, threshold, each.span);
          always_the_same(asked, each.span);
          if (is_poison(asked)) return std::nullopt;
          return Trigger{each.span, OnCrossing{asked, true}};
        } else if constexpr (std::is_same_v<Each, ast::EntersTrigger>) {
          return crossing(each.condition, each.span, true);
        } else if constexpr (std::is_same_v<Each, ast::LeavesTrigger>) {
          return crossing(each.condition, each.span, false);
        } else if constexpr (std::is_same_v<Each, ast::CalledTrigger>) {
          return called_trigger(each);
        } else if constexpr (std::is_same_v<Each, ast::AtTrigger>) {
          OnSchedule on;
          const auto at = instant(each.at);
          on.condition = maybe(each.condition);
          if (!at) return std::nullopt;
          on.schedule.at = *at;
          return Trigger{each.span, on};
        } else if constexpr (std::is_same_v<Each, ast::ScheduleTrigger>) {
          OnSchedule on;
          on.schedule = schedule(each.schedule);
          on.condition = maybe(each.condition);
          return Trigger{each.span, on};
        } else {
          static_assert(std::is_same_v<Each, ast::DateTrigger>);
          return date_trigger(each, maybe(each.condition));
        }
      },
      trigger);
}

// To be called is an event of the customer's that names the campaign.
std::optional<Trigger> Checker::called_trigger(const ast::CalledTrigger& trigger) {
  OnEvent on;
  on.first.span = trigger.span;
  on.first.match.type = koi::type_of(EngineEvent::Called);
  const Field& field = program_.schema[on.first.match.type].fields.front();
  const ExpressionId named =
      add({.op = Op::EventField, .type = field.type, .span = trigger.span}, field.symbol.name);
  const ExpressionId name =
      constant(Value::text(current_->symbol.name), {.kind = Kind::Text}, trigger.span);
  on.first.match.where = binary(Op::Equal, named, name, {.kind = Kind::Bool}, trigger.span);
  return Trigger{trigger.span, std::move(on)};
}

// `on customer.birthday at 09:00`: that day of each year.
std::optional<Trigger> Checker::date_trigger(const ast::DateTrigger& trigger,
                                             ExpressionId condition) {
  OnSchedule on;
  on.condition = condition;
  on.schedule.every = Schedule::Every::Year;
  if (trigger.at) on.schedule.time = trigger.at->value;
  if (trigger.offset) {
    on.schedule.offset = length(*trigger.offset, "the time before or after it", "提前或推后的时长");
    on.schedule.before = trigger.before;
    if (on.schedule.offset.months > 12 || on.schedule.offset.fixed > days(366)) {
      report(Code::MoreThanAYear, trigger.offset->span);
      return std::nullopt;
    }
  }
  const ExpressionId date = path(trigger.date, {}, {});
  if (is_poison(date)) return std::nullopt;
  if (program_[date].op != Op::Attribute || type(date).kind != Kind::Date) {
    report(Code::ExpectedType, trigger.date.span,
           {say("a date of the customer", "顾客的日期属性"), describe(type(date))});
    return std::nullopt;
  }
  on.schedule.date = AttributeId::of(program_[date].index);
  return Trigger{trigger.span, on};
}

TriggerGroup Checker::trigger_group(const ast::TriggerGroup& group,
                                    std::vector<std::vector<Visible>>& kept) {
  TriggerGroup out;
  for (const auto& each : group.triggers) {
    std::vector<Visible> visible;
    auto checked = trigger(each, visible);
    kept.push_back(std::move(visible));
    if (checked) out.triggers.push_back(std::move(*checked));
  }
  return out;
}

// --- Clauses -------------------------------------------------------------------------------------

void Checker::enter_clause(const ast::EnterClause& clause, const Scope& scope) {
  Enter& enter = current_->enter;
  enter.span = clause.span;
  enter.how = clause.always  ? Enter::How::Always
              : clause.every ? Enter::How::Every
                             : Enter::How::Once;
  if (clause.every)
    enter.every = length(*clause.every, "the time between entries", "两次进入的间隔");
  if (!clause.per) return;
  const ExpressionId key = path(*clause.per, scope, {});
  if (type(key).kind == Kind::List) {
    report(Code::ExpectedType, clause.per->span,
           {say("a single value", "单个值"), describe(type(key))});
    return;
  }
  enter.key = key;
}

void Checker::goal_clause(const ast::GoalClause& clause, const Scope& scope) {
  Goal goal;
  goal.event = pattern(clause.event, *scope.visible).pattern;
  goal.within = length(clause.within, "`within`", "期限");
  current_->goal = std::move(goal);
}

// A name alone is an event, or else a condition.
void Checker::leave_clause(const ast::LeaveClause& clause, const Scope& scope) {
  if (const auto* expr = std::get_if<ast::Expr>(&clause.when)) {
    const ExpressionId asked = condition(*expr, scope);
    always_the_same(asked, expr->span);
    current_->leave_conditions.push_back(asked);
    return;
  }
  const auto& event = std::get<ast::EventPattern>(clause.when);
  const bool is_name = !event.any && !event.as && !event.where;
  if (is_name && find(event.event, only(Declares::Event)) == nullptr &&
      find(event.event, values_and_conditions) != nullptr) {
    const ast::Expr named{.span = event.event.span,
                          .kind = ast::Path{{event.event}, event.event.span},
                          .in_parentheses = false};
    current_->leave_conditions.push_back(condition(named, scope));
    return;
  }
  current_->leave_events.push_back(pattern(event, *scope.visible).pattern);
}

void Checker::hold_out_clause(const ast::HoldOutClause& clause) {
  const auto* percent = std::get_if<ast::PercentLiteral>(&clause.share.kind);
  if (percent == nullptr || percent->value < Decimal{} || percent->value > Decimal::of(1)) {
    report(Code::ShareNotInRange, clause.share.span);
    return;
  }
  current_->hold_out = percent->value;
  current_->hold_out_span = clause.span;
}

void Checker::priority_clause(const ast::PriorityClause& clause) {
  if (const auto priority = whole_number(clause.value, 0, 100, "a priority", "优先级"))
    current_->priority = static_cast<int>(*priority);
}

// Both days whole, by the program's clock.
void Checker::period_clause(const ast::FromToClause& clause) {
  const Date first = clause.range.from.value, last = clause.range.to.value;
  if (last < first) {
    report(Code::PeriodEndsBefore, clause.span);
    return;
  }
  current_->from = program_.policy.zone->instant({first, {}});
  current_->until = program_.policy.zone->instant({{last.days + 1}, {}});
}

void Checker::clause(const ast::CampaignClause& clause, const Scope& scope) {
  std::visit(
      [&](const auto& each) {
        using Each = std::decay_t<decltype(each)>;
        if constexpr (std::is_same_v<Each, ast::ClassClause>) {
          if (const auto named = campaign_class(each.name)) current_->campaign_class = *named;
        } else if constexpr (std::is_same_v<Each, ast::ForClause>) {
          current_->audience = condition(each.condition, scope);
          always_the_same(current_->audience, each.condition.span);
        } else if constexpr (std::is_same_v<Each, ast::EnterClause>) {
          enter_clause(each, scope);
        } else if constexpr (std::is_same_v<Each, ast::HoldOutClause>) {
          hold_out_clause(each);
        } else if constexpr (std::is_same_v<Each, ast::GoalClause>) {
          goal_clause(each, scope);
        } else if constexpr (std::is_same_v<Each, ast::LeaveClause>) {
          leave_clause(each, scope);
        } else if constexpr (std::is_same_v<Each, ast::BudgetClause>) {
          budgets(each, "messages", current_->budgets);
        } else if constexpr (std::is_same_v<Each, ast::FromToClause>) {
          period_clause(each);
        } else {
          static_assert(std::is_same_v<Each, ast::PriorityClause>);
          priority_clause(each);
        }
      },
      clause);
}

// --- Campaigns -----------------------------------------------------------------------------------

void Checker::campaign(std::size_t index) {
  const auto& decl = *campaigns_[index];
  Campaign& out = program_.campaigns[index];
  current_ = &out;
  current_ast_ = &decl;
  trigger_names_.clear();
  steps_ = repeats_ = 0;
  const std::size_t first_expression = program_.expressions.size();
  out.symbol = {decl.name.text, decl.alias ? decl.alias->text : std::string()};
  out.span = decl.name.span;

  // Triggers first: clauses read what they keep.
  std::vector<std::vector<Visible>> all_ways;
  std::vector<std::vector<Visible>> of_group;
  for (const auto& group : decl.groups) {
    std::vector<std::vector<Visible>> ways;
    out.groups.push_back(trigger_group(group, ways));
    of_group.push_back(merge(ways));
    all_ways.insert(all_ways.end(), ways.begin(), ways.end());
  }
  if (decl.groups.empty() && !decl.is_broken)
    report(Code::NoTrigger, decl.name.span, {decl.name.text});

  const auto visible = merge(all_ways);
  Scope scope;
  scope.visible = &visible;
  std::set<std::size_t> stated;
  std::map<std::size_t, SourceSpan> first;
  for (const auto& each : decl.clauses) {
    const auto [before, is_new] = first.emplace(each.index(), span_of(each));
    stated.insert(each.index());
    if (!is_new && !may_be_said_again(each)) {
      said_twice(span_of(each), word(clause_words[each.index()]), before->second);
      continue;
    }
    clause(each, scope);
  }
  if (policy_ != nullptr) {
    for (const auto& item : policy_->clauses) {
      const auto* inherited = std::get_if<ast::PolicyCampaigns>(&item);
      if (inherited == nullptr) continue;
      for (const auto& each : inherited->clauses) {
        if (stated.count(each.index()) != 0) continue;
        first.emplace(each.index(), span_of(each));
        clause(each, scope);
      }
    }
  }
  for (const auto& each : decl.clauses)
    if (const auto* period = std::get_if<ast::FromToClause>(&each))
      waits_outlast(decl, period->range);
  if (first.count(0) == 0) report(Code::CampaignNeedsClass, decl.name.span, {decl.name.text});

  for (std::size_t i = 0; i < decl.groups.size(); ++i)
    out.groups[i].steps = block(decl.groups[i].steps, of_group[i], {});

  never_counted(out.budgets);
  gives_too_much(out);

  constexpr std::size_t most_kept = 20'000;
  std::set<std::pair<BindingId, std::uint32_t>> kept;
  for (std::size_t i = first_expression; i < program_.expressions.size(); ++i) {
    const Expression& expression = program_.expressions[i];
    if (expression.op == Op::BindingField) kept.emplace(expression.binding, expression.index);
  }
  if (kept.size() > most_kept)
    report(Code::TooMany, decl.name.span,
           {say("fields kept by a campaign", "活动记下的字段"), std::to_string(most_kept)});
  current_ = nullptr;
  current_ast_ = nullptr;
}

void Checker::campaigns() {
  program_.campaigns.resize(campaigns_.size());
  for (std::size_t i = 0; i < campaigns_.size(); ++i) {
    if (is_looked_into(campaigns_[i]->span)) {
      campaign(i);
      continue;
    }
    const auto& decl = *campaigns_[i];
    program_.campaigns[i].symbol = {decl.name.text, decl.alias ? decl.alias->text : std::string()};
    program_.campaigns[i].span = decl.name.span;
  }
}

}  // namespace koi::check
