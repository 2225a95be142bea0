// At which level of a referral everything may be given. Whoever does something is at none; his
// inviter is at the first, and who brought that one at the second. What was given may begin the
// next gift, to an inviter's inviter and so on: by way of the event that tells of it, of figures of
// such events, of points held, of what a campaign emits, starts or sets. So the level of what an
// inviter is given is one more than the highest of what it may follow from; a third one is refused.
#include <algorithm>
#include <set>

#include "check/detail/checker.h"

namespace koi::check {
namespace {

constexpr int most_levels = 2;

// The highest level of what something may follow from, and where that is given.
struct Cause {
  int level = 0;
  SourceSpan given_at;
};

// What is given at one place.
struct Giving {
  IncentiveId incentive;
  const Campaign* by = nullptr;  // null: a referral
  SourceSpan span;
  int up = 0;     // to the customer, to his inviter, or to that one's inviter
  Cause because;  // the level that it comes at is higher by `up`
  int level() const { return std::min(because.level + up, most_levels + 1); }
};

enum class Holds : std::uint8_t { No, Maybe, Yes };

// What fields of an engine's event have; one without a value is missing, one that is not here is
// not known.
struct Known {
  std::string_view field;
  std::optional<std::string_view> value;
};

class Levels {
 public:
  explicit Levels(const Program& program)
      : program_(program),
        of_campaign_(program.campaigns.size()),
        of_start_(program.campaigns.size()),
        sends_(program.campaigns.size()),
        of_event_(program.schema.events.size()),
        of_attribute_(program.schema.attributes.size()) {}

  // Levels only rise, and not beyond the third: it ends.
  const std::vector<Giving>& all() {
    do {
      has_risen_ = false;
      next_ = 0;
      look();
    } while (has_risen_);
    return givings_;
  }

 private:
  void look();
  void rewards(const Referral& referral);
  Cause walk(const Block& steps, Cause because, std::size_t campaign);
  Cause waited_for(const Block& steps) const;
  void give(const Gift& gift, const Campaign* by, SourceSpan span, int up, Cause because);
  void add(IncentiveId incentive, const Campaign* by, SourceSpan span, int up, Cause because);
  void raise(Cause& to, const Cause& with) {
    if (with.level <= to.level) return;
    to = with;
    has_risen_ = true;
  }

  Cause of(const Trigger& trigger) const;
  Cause of(const EventMatch& events) const;
  Cause of_type(EventTypeId type, ExpressionId where) const;
  Cause of_incentive(IncentiveId incentive) const;
  Cause of_condition(ExpressionId root) const;
  Holds holds(ExpressionId condition, EventTypeId type, const std::vector<Known>& known) const;
  bool tells_of(EventTypeId type, const Incentive& incentive) const;

  const Program& program_;
  std::vector<Giving> givings_;  // in the order in which look() comes by
  std::size_t next_ = 0;         // the one that it comes to next
  bool has_risen_ = false;
  std::vector<Cause> of_campaign_, of_start_;
  std::vector<bool> sends_;
  std::vector<Cause> of_event_;      // that campaigns emit
  std::vector<Cause> of_attribute_;  // that campaigns and events set
};

Cause higher(const Cause& a, const Cause& b) { return b.level > a.level ? b : a; }

void Levels::add(IncentiveId incentive, const Campaign* by, SourceSpan span, int up,
                 Cause because) {
  if (next_ == givings_.size()) {
    givings_.push_back({incentive, by, span, up, {}});
    has_risen_ = true;
  }
  raise(givings_[next_++].because, because);
}

void Levels::give(const Gift& gift, const Campaign* by, SourceSpan span, int up, Cause because) {
  add(gift.incentive, by, span, up, because);
  const auto* draw = std::get_if<PrizeDraw>(&program_.incentives[gift.incentive.index()].what);
  if (draw == nullptr) return;
  for (const PrizeDraw::Prize& prize : draw->prizes)
    if (!prize.gift.is_none()) add(prize.gift, by, span, up, because);
}

// Such an event may be about such an incentive.
bool Levels::tells_of(EventTypeId type, const Incentive& incentive) const {
  const auto* packet = std::get_if<RedPacket>(&incentive.what);
  if (type == koi::type_of(EngineEvent::Claimed)) return packet != nullptr;
  if (type == koi::type_of(EngineEvent::SharedOut))
    return packet != nullptr && packet->how == RedPacket::How::Group;
  if (type == koi::type_of(EngineEvent::Redeemed) || type == koi::type_of(EngineEvent::RunningLow))
    return std::holds_alternative<Coupon>(incentive.what);
  return true;
}

// Of the event with these fields.
Holds Levels::holds(ExpressionId condition, EventTypeId type,
                    const std::vector<Known>& known) const {
  if (condition.is_none()) return Holds::Yes;
  const Expression& each = program_[condition];
  if (each.op == Op::And) return std::min(holds(each.a, type, known), holds(each.b, type, known));
  if (each.op == Op::Or) return std::max(holds(each.a, type, known), holds(each.b, type, known));
  if (each.op == Op::Not) {
    const Holds inner = holds(each.a, type, known);
    return inner == Holds::Maybe ? inner : inner == Holds::Yes ? Holds::No : Holds::Yes;
  }
  if (each.op != Op::Equal && each.op != Op::NotEqual && each.op != Op::In) return Holds::Maybe;
  const bool is_turned = program_[each.a].op == Op::Constant;
  const Expression& field = program_[is_turned ? each.b : each.a];
  const Expression& fixed = program_[is_turned ? each.a : each.b];
  if (field.op != Op::EventField || fixed.op != Op::Constant || field.index == event_time)
    return Holds::Maybe;
  const std::string& name = program_.schema[type].fields[field.index].symbol.name;
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const Known& one) { return one.field == name; });
  if (found == known.end()) return Holds::Maybe;
  if (!found->value) return Holds::No;
  const auto is_it = [&](const Value& value) { return value.as_text() == *found->value; };
  bool answer = false;
  if (each.op == Op::In) {
    const auto& list = fixed.constant.as_list();
    answer = std::any_of(list.begin(), list.end(), is_it);
  } else {
    answer = is_it(fixed.constant) == (each.op == Op::Equal);
  }
  return answer ? Holds::Yes : Holds::No;
}

Cause Levels::of_incentive(IncentiveId incentive) const {
  Cause all;
  for (const Giving& each : givings_)
    if (each.incentive == incentive) all = higher(all, {each.level(), each.span});
  return all;
}

Cause Levels::of_type(EventTypeId type, ExpressionId where) const {
  Cause all;
  const auto is = [&](EngineEvent event) { return type == koi::type_of(event); };
  const auto may_be = [&](const std::vector<Known>& known) {
    return holds(where, type, known) != Holds::No;
  };
  const auto each_campaign = [&](const auto& level_of, bool is_message) {
    for (std::size_t i = 0; i < program_.campaigns.size(); ++i) {
      if (is_message && !sends_[i]) continue;
      std::vector<Known> known{{"campaign", program_.campaigns[i].symbol.name}};
      if (!is_message) known.push_back({"segment", {}});
      if (may_be(known)) all = higher(all, level_of[i]);
    }
  };
  if (is(EngineEvent::Delivered) || is(EngineEvent::Bounced) || is(EngineEvent::Failed)) {
    each_campaign(of_campaign_, true);
  } else if (is(EngineEvent::Called)) {
    each_campaign(of_start_, false);
  } else if (is(EngineEvent::Entered) || is(EngineEvent::Left)) {
    each_campaign(of_campaign_, false);
    for (const Segment& segment : program_.segments)
      if (may_be({{"segment", segment.symbol.name}, {"campaign", {}}}))
        all = higher(all, of_condition(segment.condition));
  } else if (program_.schema[type].made_by_engine &&
             program_.schema[type].fields.front().symbol.name == "incentive") {
    for (const Giving& each : givings_) {
      if (each.level() <= all.level) continue;
      const Incentive& what = program_.incentives[each.incentive.index()];
      std::optional<std::string_view> by;
      if (each.by != nullptr) by = each.by->symbol.name;
      if (tells_of(type, what) && may_be({{"incentive", what.symbol.name}, {"campaign", by}}))
        all = {each.level(), each.span};
    }
  } else {
    all = of_event_[type.index()];
  }
  return all;
}

Cause Levels::of(const EventMatch& events) const {
  if (!events.type.is_none()) return of_type(events.type, events.where);
  Cause all;  // any event
  for (std::size_t i = 0; i < program_.schema.events.size(); ++i)
    all = higher(all, of_type(EventTypeId::of(i), {}));
  return all;
}

// Of what may change whether it holds.
Cause Levels::of_condition(ExpressionId root) const {
  Cause all;
  std::set<std::size_t> seen;
  std::vector<ExpressionId> open{root};
  while (!open.empty()) {
    const ExpressionId id = open.back();
    open.pop_back();
    if (id.is_none() || !seen.insert(id.index()).second) continue;
    const Expression& each = program_[id];
    if (each.op == Op::Metric) {
      all = higher(all, of(program_.metrics[each.index].events));
    } else if (each.op == Op::Segment) {
      open.push_back(program_.segments[each.index].condition);
    } else if (each.op == Op::Attribute) {
      all = higher(all, of_attribute_[each.index]);
    } else if (each.op == Op::Granted) {
      const GrantRead& read = program_.grant_reads[each.index];
      if (!read.incentive.is_none()) {
        all = higher(all, of_incentive(read.incentive));
      } else if (read.what == GrantRead::What::Friends) {
        // A friend counts by what he does, for his inviter, who is one level up.
        const Referral& referral = program_.referrals[read.referral.index()];
        const Cause counted = of(EventMatch{referral.qualify_type, referral.qualify_where});
        all = higher(all, {std::min(counted.level, most_levels) + 1, referral.span});
      }
    }
    open.push_back(each.a);
    open.push_back(each.b);
    for (const TextPart& part : each.parts) open.push_back(part.value);
  }
  return all;
}

Cause Levels::of(const Trigger& trigger) const {
  if (const auto* on = std::get_if<OnEvent>(&trigger.on)) {
    Cause all = of(on->first.match);
    for (const EventPattern& then : on->thens) all = higher(all, of(then.match));
    return all;
  }
  if (const auto* crossing = std::get_if<OnCrossing>(&trigger.on))
    return of_condition(crossing->condition);
  return of_condition(std::get<OnSchedule>(trigger.on).condition);
}

// Whatever it waits for anywhere.
Cause Levels::waited_for(const Block& steps) const {
  Cause all;
  const auto within = [&](const Block& block) { all = higher(all, waited_for(block)); };
  for (const Step& step : steps) {
    if (const auto* wait = std::get_if<WaitFor>(&step.what)) {
      all = higher(all, of(wait->pattern.match));
      within(wait->then), within(wait->otherwise);
    } else if (const auto* choice = std::get_if<If>(&step.what)) {
      within(choice->then), within(choice->otherwise);
    } else if (const auto* split = std::get_if<Split>(&step.what)) {
      for (const Split::Arm& arm : split->arms) within(arm.steps);
    } else if (const auto* repeat = std::get_if<Repeat>(&step.what)) {
      within(repeat->steps);
    } else if (const auto* given = std::get_if<Give>(&step.what)) {
      within(given->otherwise);
    } else if (const auto* taken = std::get_if<Take>(&step.what)) {
      within(taken->then), within(taken->otherwise);
    }
  }
  return all;
}

// What the steps are done because of, and behind them what has come since.
Cause Levels::walk(const Block& steps, Cause because, std::size_t campaign) {
  const Campaign* by = &program_.campaigns[campaign];
  for (const Step& step : steps) {
    if (std::holds_alternative<Send>(step.what)) {
      sends_[campaign] = true;
    } else if (const auto* given = std::get_if<Give>(&step.what)) {
      give(given->gift, by, step.span, given->to_inviter ? 1 : 0, because);
      because = higher(because, walk(given->otherwise, because, campaign));
    } else if (const auto* wait = std::get_if<WaitFor>(&step.what)) {
      const Cause come = higher(because, of(wait->pattern.match));
      because = higher(walk(wait->then, come, campaign), walk(wait->otherwise, because, campaign));
    } else if (const auto* choice = std::get_if<If>(&step.what)) {
      because =
          higher(walk(choice->then, because, campaign), walk(choice->otherwise, because, campaign));
    } else if (const auto* taken = std::get_if<Take>(&step.what)) {
      because =
          higher(walk(taken->then, because, campaign), walk(taken->otherwise, because, campaign));
    } else if (const auto* split = std::get_if<Split>(&step.what)) {
      Cause behind = because;
      for (const Split::Arm& arm : split->arms)
        behind = higher(behind, walk(arm.steps, because, campaign));
      because = behind;
    } else if (const auto* repeat = std::get_if<Repeat>(&step.what)) {
      // The next pass follows from what this one has waited for.
      because = walk(repeat->steps, higher(because, waited_for(repeat->steps)), campaign);
    } else if (const auto* emit = std::get_if<Emit>(&step.what)) {
      raise(of_event_[emit->event.index()], because);
    } else if (const auto* start = std::get_if<Start>(&step.what)) {
      raise(of_start_[start->campaign], because);
    } else if (const auto* set = std::get_if<Set>(&step.what)) {
      raise(of_attribute_[set->attribute.index()], because);
    } else if (std::holds_alternative<Tag>(step.what)) {
      for (std::size_t i = 0; i < of_attribute_.size(); ++i)
        if (program_.schema.attributes[i].symbol.name == "tags") raise(of_attribute_[i], because);
    }
  }
  return because;
}

void Levels::rewards(const Referral& referral) {
  const Cause qualified = of(EventMatch{referral.qualify_type, referral.qualify_where});
  for (const Referral::Reward& each : referral.rewards)
    give(each.gift, nullptr, each.span,
         !each.to_inviter ? 0
         : each.is_one_up ? 2
                          : 1,
         each.at.is_none() ? qualified : of_type(each.at, {}));
  for (const Referral::Milestone& each : referral.milestones)
    give(each.gift, nullptr, each.span, each.to_invitee ? 0 : 1, qualified);
}

void Levels::look() {
  for (const AttributeSet& each : program_.sets)
    raise(of_attribute_[each.attribute.index()], of(each.events));
  for (const Tier& tier : program_.tiers)
    raise(of_attribute_[tier.attribute.index()], of_condition(tier.by));
  for (const Referral& referral : program_.referrals) rewards(referral);
  for (std::size_t i = 0; i < program_.campaigns.size(); ++i)
    for (const TriggerGroup& group : program_.campaigns[i].groups) {
      Cause because;
      for (const Trigger& trigger : group.triggers) because = higher(because, of(trigger));
      raise(of_campaign_[i], walk(group.steps, because, i));
    }
}

}  // namespace

void Checker::levels() {
  if (program_.referrals.empty()) return;
  // Of what is not understood nobody can tell.
  for (const Diagnostic& each : diagnostics_)
    if (each.severity == Severity::Error) return;
  Levels levels(program_);
  std::set<SourceSpan> told;  // a draw's prizes are given at one place
  for (const Giving& each : levels.all()) {
    if (each.up == 0 || each.level() <= most_levels || !told.insert(each.span).second) continue;
    auto& diagnostic = report(Code::ThirdLevelByCause, each.span);
    if (each.because.given_at != each.span)
      label(diagnostic, each.because.given_at, "by what is given here, for one",
            "例如因这里的发放");
  }
}

}  // namespace koi::check
