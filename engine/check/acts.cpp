// Steps that do something else than send and wait: tags, arms, passes, events, notes to the staff.
#include <algorithm>
#include <set>

#include "check/detail/checker.h"

namespace koi::check {

void Checker::tag(const ast::TagStep& step, Block& out) {
  if (step.tag.text.empty()) {
    report(Code::EmptyName, step.tag.span, {say("a tag", "标签")});
    return;
  }
  out.push_back({step.span, Tag{step.tag.text, step.remove}});
}

void Checker::split(const ast::SplitStep& step, const std::vector<Visible>& visible,
                    const std::vector<Hash128>& asked, Block& out) {
  Split made;
  Decimal all;
  bool known = true;
  std::map<std::string, SourceSpan> names;
  for (const auto& arm : step.arms) {
    ++steps_;
    const auto* percent = std::get_if<ast::PercentLiteral>(&arm.share.kind);
    if (percent == nullptr || percent->value < Decimal{} || percent->value > Decimal::of(1)) {
      report(Code::ShareNotInRange, arm.share.span);
      known = false;
    } else {
      all.millionths += percent->value.millionths;
    }
    if (arm.name && arm.name->text.empty())
      report(Code::EmptyName, arm.name->span, {say("an arm", "分支")});
    if (arm.name) {
      const auto [first, is_new] = names.emplace(arm.name->text, arm.name->span);
      if (!is_new) said_twice(arm.name->span, arm.name->text, first->second);
    }
    made.arms.push_back({percent ? percent->value : Decimal{},
                         arm.name ? arm.name->text : std::string(),
                         block(arm.block.steps, visible, asked)});
  }
  if (known && all != Decimal::of(1))
    report(Code::SharesNotWhole, step.span, {to_string(Decimal{all.millionths * 100}) + "%"});
  out.push_back({step.span, std::move(made)});
}

void Checker::repeat(const ast::RepeatStep& step, const std::vector<Visible>& visible,
                     const std::vector<Hash128>& asked, Block& out) {
  constexpr std::size_t most_repeats = 1'000;  // each takes places in the campaign's frame
  if (++repeats_ == most_repeats + 1)
    report(Code::TooMany, current_ast_->name.span,
           {say("repetitions in a campaign", "活动中的重复"), std::to_string(most_repeats)});
  Repeat made;
  made.every = length(step.every, "the time between passes", "每次重复的间隔");
  const auto times = whole_number(step.at_most, 1, 10'000, "the number of passes", "重复的次数");
  made.at_most = times.value_or(1);
  made.steps = block(step.block.steps, visible, asked);
  out.push_back({step.span, std::move(made)});
}

void Checker::emit(const ast::EmitStep& step, const std::vector<Visible>& visible, Block& out) {
  Scope scope;
  scope.visible = &visible;
  const auto* declared = expect_own_event(step.event);
  if (declared == nullptr) {
    for (const auto& field : step.fields)
      for (const auto& value : field.values) expression(value, scope);
    return;
  }
  if (declared->by_engine) {
    report(Code::EmitsEnginesOwn, step.event.span, {step.event.text});
    return;
  }
  Emit made;
  made.event = EventTypeId::of(declared->index);
  // By copy: expressions may be added to the program meanwhile, events may not.
  const std::vector<Field> fields = program_.schema[made.event].fields;
  made.fields.resize(fields.size());
  std::vector<bool> said(fields.size());
  bool ok = true;
  for (const auto& setting : step.fields) {
    const FieldId field = find_field(made.event, setting.name);
    if (field.is_none()) {
      suggest(report(Code::NoField, setting.name.span, {step.event.text, setting.name.text}),
              setting.name.text, field_names(made.event));
      ok = false;
      continue;
    }
    if (said[field.index()] || setting.values.size() > 1) {
      report(said[field.index()] ? Code::SaidTwice : Code::OneValue, setting.span,
             {setting.name.text});
      continue;
    }
    said[field.index()] = true;
    made.fields[field.index()] = of_type(setting.values.front(), scope, fields[field.index()].type);
  }
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (!said[i] && fields[i].fallback.is_missing() && !fields[i].type.optional)
      report(Code::FieldRequired, step.span, {fields[i].symbol.name, step.event.text});
  if (ok) out.push_back({step.span, std::move(made)});
}

void Checker::notify(const ast::NotifyStep& step, const std::vector<Visible>& visible, Block& out) {
  Scope scope;
  scope.visible = &visible;
  Notify made;
  const auto* team = expect(step.team, only(Declares::Team));
  made.text = text(step.text, scope, true);
  made.within = length(step.within, "`within`", "期限");
  if (team == nullptr || is_poison(made.text)) return;
  made.team = TeamId::of(team->index);
  out.push_back({step.span, std::move(made)});
}

void Checker::call_webhook(const ast::CallStep& step, const std::vector<Visible>& visible,
                           Block& out) {
  Scope scope;
  scope.visible = &visible;
  Call made;
  Once once;
  for (const auto& setting : step.fields) {
    if (!is_first(once, setting)) continue;
    if (setting.values.size() > 1) {
      report(Code::OneValue, setting.span, {setting.name.text});
      continue;
    }
    const ExpressionId value = expression(setting.values.front(), scope);
    if (!is_poison(value)) made.fields.emplace_back(setting.name.text, value);
  }
  const auto* webhook = expect(step.webhook, only(Declares::Webhook));
  if (webhook == nullptr) return;
  made.webhook = WebhookId::of(webhook->index);
  out.push_back({step.span, std::move(made)});
}

void Checker::start(const ast::StartStep& step, Block& out) {
  const auto* campaign = expect(step.campaign, only(Declares::Campaign));
  if (campaign == nullptr) return;
  const auto& decl = *campaigns_[campaign->index];
  const bool is_called = std::any_of(decl.groups.begin(), decl.groups.end(), [](const auto& group) {
    return std::any_of(group.triggers.begin(), group.triggers.end(), [](const auto& trigger) {
      return std::holds_alternative<ast::CalledTrigger>(trigger);
    });
  });
  if (!is_called) {
    label(report(Code::NotCalled, step.campaign.span, {step.campaign.text}), decl.name.span,
          "declared here", "在这里声明");
    return;
  }
  out.push_back({step.span, Start{campaign->index}});
}

}  // namespace koi::check
