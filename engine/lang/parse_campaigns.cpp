// Campaigns, their steps, and tests.
#include <algorithm>

#include "lang/parse_builder.h"

namespace koi::lang {

// The grammar takes clauses, triggers and steps in any order; here they fall into place.
ast::CampaignDecl Builder::campaign(Grammar::CampaignDeclarationContext* ctx) {
  ast::CampaignDecl campaign{span(ctx), name(ctx->name()), alias(ctx->alias()), {}, {}, false};
  // A broken trigger was reported; what stands after it is not to blame for its absence.
  bool is_broken = std::any_of(broken.begin(), broken.end(), [&](SourceSpan at) {
    return at.begin >= campaign.span.begin && at.end <= campaign.span.end;
  });
  for (auto* item : ctx->campaignItem()) {
    const auto place = span(item);
    auto& groups = campaign.groups;
    if (!good(item)) {
      is_broken = true;
      continue;
    }
    if (auto* it = item->campaignClause()) {
      if (!groups.empty()) {
        report(Code::ClauseAfterTrigger, place,
               {"`" + slice(span(token(it->getStart()->getTokenIndex()))) + "`"});
      }
      campaign.clauses.push_back(clause(it));
    } else if (auto* begins = item->trigger()) {
      if (groups.empty() || !groups.back().steps.empty()) groups.push_back({place, {}, {}});
      groups.back().triggers.push_back(trigger(begins));
      groups.back().span.end = place.end;
    } else {
      if (groups.empty() && !is_broken) {
        report(Code::StepBeforeTrigger, place,
               {"`" + slice(span(token(item->getStart()->getTokenIndex()))) + "`"});
        is_broken = true;  // once is enough
      }
      auto made = step(item->step());
      if (groups.empty()) continue;
      groups.back().steps.push_back(std::move(made));
      groups.back().span.end = place.end;
    }
  }
  if (!is_broken && !campaign.groups.empty() && campaign.groups.back().steps.empty()) {
    report(Code::TriggerWithoutSteps, campaign.groups.back().span);
  }
  campaign.is_broken = is_broken;
  return campaign;
}

ast::CampaignClause Builder::clause(Grammar::CampaignClauseContext* ctx) {
  const auto place = span(ctx);
  if (ctx->CLASS() != nullptr) return ast::ClassClause{place, name(ctx->name())};
  if (ctx->FOR() != nullptr) return ast::ForClause{place, expression(ctx->expression())};
  if (ctx->ENTER() != nullptr) {
    ast::EnterClause enter{place, ctx->ALWAYS() != nullptr, {}, duration_if(ctx->duration())};
    if (auto* per = ctx->path()) enter.per = path(per);
    return enter;
  }
  if (ctx->HOLD_OUT() != nullptr) return ast::HoldOutClause{place, sum(ctx->sum())};
  if (ctx->GOAL() != nullptr) {
    return ast::GoalClause{place, pattern(ctx->eventPattern()), duration_if(ctx->within())};
  }
  if (ctx->LEAVE() != nullptr) return leave(ctx);
  if (auto* spend = ctx->budgetClause()) return budget(spend);
  if (auto* range = ctx->dateRange()) return ast::FromToClause{place, date_range(range)};
  return ast::PriorityClause{place, sum(ctx->sum())};
}

ast::LeaveClause Builder::leave(Grammar::CampaignClauseContext* ctx) {
  const auto place = span(ctx);
  auto* when = ctx->leaveCondition();
  auto* tail = when->eventTail();
  if (auto* any = when->ANY_EVENT()) {
    const auto words = span(token(any));
    return ast::LeaveClause{place, pattern({slice(words), words}, true, words, tail)};
  }
  if (auto* event = when->word()) {
    return ast::LeaveClause{place, pattern(name(event), false, span(when), tail)};
  }
  return ast::LeaveClause{place, expression(when->expression())};
}

std::optional<ast::Expr> Builder::for_whom(Grammar::ForWhomContext* ctx) {
  if (ctx == nullptr) return std::nullopt;
  return expression(ctx->expression());
}

ast::Trigger Builder::trigger(Grammar::TriggerContext* ctx) {
  const auto place = span(ctx);
  if (ctx->CALLED() != nullptr) return ast::CalledTrigger{place};
  if (ctx->ENTERS() != nullptr || ctx->ENTER() != nullptr) {
    return ast::EntersTrigger{place, expression(ctx->expression())};
  }
  if (ctx->LEAVES() != nullptr || ctx->LEAVE() != nullptr) {
    return ast::LeavesTrigger{place, expression(ctx->expression())};
  }
  if (auto* any = ctx->ANY_EVENT()) {
    const auto words = span(token(any));
    auto event = pattern({slice(words), words}, true, words, ctx->eventTail());
    return sequence(std::move(event), place, ctx->sequence());
  }
  if (ctx->REACHES() != nullptr) {
    return ast::ReachesTrigger{place, sum(ctx->sum(0)), sum(ctx->sum(1))};
  }
  if (auto* event = ctx->word()) {
    const auto word = span(event);
    return sequence(pattern(name(event), false, word, ctx->eventTail()), place, ctx->sequence());
  }
  if (auto* when = ctx->schedule()) {
    return ast::ScheduleTrigger{place, schedule(when), for_whom(ctx->forWhom())};
  }
  if (auto* date = ctx->path()) {
    return ast::DateTrigger{place,      duration_if(ctx->duration()), ctx->AFTER() == nullptr,
                            path(date), time_if(ctx->time()),         for_whom(ctx->forWhom())};
  }
  return ast::AtTrigger{place, sum(ctx->sum(0)), for_whom(ctx->forWhom())};
}

ast::EventTrigger Builder::sequence(ast::EventPattern event, SourceSpan place,
                                    Grammar::SequenceContext* ctx) {
  ast::EventTrigger trigger{place, std::move(event), {}, {}, {}};
  for (auto* each : ctx->thenPart()) {
    const auto patterns = each->eventPattern();
    ast::ThenPart part{span(each), pattern(patterns.front()), {}, {}};
    for (std::size_t i = 1; i < patterns.size(); ++i) part.without.push_back(pattern(patterns[i]));
    for (auto* within : each->within()) part.within = duration(within);
    trigger.then.push_back(std::move(part));
  }
  for (auto* each : ctx->absence()) trigger.absent.push_back(pattern(each->eventPattern()));
  trigger.within = duration_if(ctx->within());
  return trigger;
}

// ----------------------------------------------------------------------------------------- steps

ast::Block Builder::block(Grammar::BlockContext* ctx) {
  ast::Block block{span(ctx), {}};
  for (auto* each : ctx->step()) {
    if (good(each)) block.steps.push_back(step(each));
  }
  return block;
}

std::optional<ast::Block> Builder::block_if(bool there, Grammar::BlockContext* ctx) {
  if (!there) return std::nullopt;
  return block(ctx);
}

ast::Step Builder::step(Grammar::StepContext* ctx) {
  const auto place = span(ctx);
  if (auto* it = ctx->sendStep()) return {send(it)};
  if (auto* it = ctx->replyStep()) {
    return {ast::ReplyStep{place, name(it->name(0)), name(it->name(1)), duration_if(it->within())}};
  }
  if (auto* it = ctx->giveStep()) {
    return {ast::GiveStep{place, gift(it->gift()), it->INVITER() != nullptr,
                          it->OR_WHAT_IS_LEFT() != nullptr,
                          block_if(it->ELSE() != nullptr, it->block())}};
  }
  if (auto* it = ctx->clawBackStep()) return {ast::ClawBackStep{place, name(it->name())}};
  if (auto* it = ctx->takeStep()) {
    const auto blocks = it->block();
    const bool has_else = it->ELSE() != nullptr;
    const bool has_then = blocks.size() > (has_else ? 1u : 0u);
    return {ast::TakeStep{place, gift(it->gift()),
                          block_if(has_then, has_then ? blocks.front() : nullptr),
                          block_if(has_else, has_else ? blocks.back() : nullptr)}};
  }
  if (auto* it = ctx->waitStep()) return {ast::WaitStep{place, duration(it->duration())}};
  if (auto* it = ctx->waitUntilStep()) return {wait_until(it)};
  if (auto* it = ctx->waitForStep()) {
    const auto blocks = it->block();
    const bool has_else = it->ELSE() != nullptr;
    const bool has_then = blocks.size() > (has_else ? 1u : 0u);
    return {ast::WaitForStep{place, pattern(it->eventPattern()), duration(it->duration()),
                             block_if(has_then, has_then ? blocks.front() : nullptr),
                             block_if(has_else, has_else ? blocks.back() : nullptr)}};
  }
  if (auto* it = ctx->ifStep()) {
    ast::IfStep step{place, {}, {}};
    for (auto* each : it->branch()) step.branches.push_back(branch(each));
    step.otherwise = block_if(it->block() != nullptr, it->block());
    return {std::move(step)};
  }
  if (auto* it = ctx->splitStep()) {
    ast::SplitStep split{place, {}};
    for (auto* each : it->splitArm()) {
      if (!whole(each)) continue;
      ast::SplitStep::Arm arm{span(each), sum(each->sum()), {}, block(each->block())};
      if (auto* called = each->plainText()) arm.name = plain_text(called);
      split.arms.push_back(std::move(arm));
    }
    return {std::move(split)};
  }
  if (auto* it = ctx->chooseStep()) {
    ast::ChooseStep choose{place, {}, {}};
    for (auto* each : it->chooseArm()) {
      if (whole(each)) choose.branches.push_back(branch(each->branch()));
    }
    choose.otherwise = block_if(it->block() != nullptr, it->block());
    return {std::move(choose)};
  }
  if (auto* it = ctx->tagStep()) {
    return {ast::TagStep{place, it->UNTAG() != nullptr, plain_text(it->plainText())}};
  }
  if (auto* it = ctx->setStep()) {
    ast::SetStep set{place, {}};
    for (auto* each : it->assignment()) set.assignments.push_back(assignment(each));
    return {std::move(set)};
  }
  if (auto* it = ctx->emitStep()) {
    return {ast::EmitStep{place, name(it->name()), settings(it->settings())}};
  }
  if (auto* it = ctx->notifyStep()) {
    return {ast::NotifyStep{place, name(it->name()), text(it->text()), duration_if(it->within())}};
  }
  if (auto* it = ctx->callStep()) {
    ast::CallStep call{place, name(it->name()), {}};
    if (auto* fields = it->settings()) call.fields = settings(fields);
    return {std::move(call)};
  }
  if (auto* it = ctx->startStep()) return {ast::StartStep{place, name(it->name())}};
  if (auto* it = ctx->repeatStep()) {
    return {ast::RepeatStep{place, duration(it->duration()), sum(it->sum()), block(it->block())}};
  }
  return {ast::StopStep{place}};
}

ast::SendStep Builder::send(Grammar::SendStepContext* ctx) {
  const auto words = ctx->name();
  ast::SendStep send{span(ctx), name(words.front()), names(words, 1), {}, {}};
  for (auto* tail : ctx->sendTail()) {
    if (auto* within = tail->within()) {
      send.within = duration(within);
    } else {
      send.or_wait = duration(tail->duration());
    }
  }
  return send;
}

ast::WaitUntilStep Builder::wait_until(Grammar::WaitUntilStepContext* ctx) {
  const auto place = span(ctx);
  if (auto* day = ctx->weekday()) {
    return {place, ast::WeekdayTime{weekday(day), time(ctx->time())}};
  }
  if (auto* at = ctx->time()) return {place, time(at)};
  auto* moment = ctx->moment();
  return {place, ast::Moment{duration_if(moment->duration()), moment->AFTER() == nullptr,
                             sum(moment->sum()), time_if(moment->time())}};
}

ast::IfStep::Branch Builder::branch(Grammar::BranchContext* ctx) {
  return {span(ctx), expression(ctx->expression()), block(ctx->block())};
}

// ----------------------------------------------------------------------------------------- tests

ast::TestDecl Builder::test(Grammar::TestDeclarationContext* ctx) {
  ast::TestDecl test{span(ctx), plain_text(ctx->plainText()), {}};
  for (auto* each : ctx->testLine()) {
    if (good(each)) test.lines.push_back(test_line(each));
  }
  return test;
}

ast::TestLine Builder::test_line(Grammar::TestLineContext* ctx) {
  const auto place = span(ctx);
  if (ctx->CUSTOMER() != nullptr) {
    return ast::GivenCustomer{place, name(ctx->name(0)), settings(ctx->settings())};
  }
  if (auto* codes = ctx->givenCodes()) {
    const auto texts = codes->plainText();
    ast::GivenCodes given{place, plain_text(texts.front()), {}};
    for (std::size_t i = 1; i < texts.size(); ++i) given.codes.push_back(plain_text(texts[i]));
    return given;
  }
  if (ctx->GIVEN() != nullptr) {
    return ast::GivenFailure{place, name(ctx->name(0)), name(ctx->name(1))};
  }
  if (ctx->UNTIL() != nullptr) return ast::UntilLine{place, sum(ctx->sum())};
  if (ctx->AT() == nullptr) return ast::ExpectLine{place, expectation(ctx->expectation())};

  ast::AtLine line{place, sum(ctx->sum()), {}};
  if (auto* expected = ctx->expectation()) {
    line.act =
        std::visit([](auto&& it) -> decltype(line.act) { return std::forward<decltype(it)>(it); },
                   expectation(expected));
  } else if (auto* act = ctx->testAct()) {
    const auto act_place = span(act);
    const auto words = act->name();
    if (auto* link = act->GETS_LINK(); link != nullptr) {
      line.act = ast::TestGetsLink{act_place, name(words[0]), name(words[1]), name(words[2])};
    } else if (act->CLAIM() != nullptr) {
      line.act = ast::TestClaims{act_place, sum(act->sum()), name(words[0]), name(words[1])};
    } else if (act->OF() != nullptr) {
      using Deed = ast::TestRedeem::Deed;
      const auto deed = act->REDEEM() != nullptr ? Deed::Redeem
                        : act->LOCK() != nullptr ? Deed::Lock
                                                 : Deed::RollBack;
      ast::TestRedeem redeem{act_place, deed, name(words[0]), name(words[1]), {}};
      if (act->settings() != nullptr) redeem.settings = settings(act->settings());
      line.act = std::move(redeem);
    } else if (auto* everyone = act->EVERYONE()) {
      line.act = ast::TestEvent{act_place, true, name_of(token(everyone)), name(words[0]),
                                settings(act->settings())};
    } else {
      line.act = ast::TestEvent{act_place, false, name(words[0]), name(words[1]),
                                settings(act->settings())};
    }
  }
  return line;
}

ast::Expectation Builder::expectation(Grammar::ExpectationContext* ctx) {
  const auto place = span(ctx);
  if (ctx->NOTHING() != nullptr) return ast::ExpectNothing{place, ctx->MORE() != nullptr};
  if (ctx->CLAIMED() != nullptr) {
    const auto sums = ctx->sum();
    std::size_t next = 0;
    auto total = sum_if(ctx->TOTAL() != nullptr, sums, next);
    auto from = sum_if(ctx->EACH_FROM() != nullptr, sums, next);
    auto to = sum_if(ctx->TO() != nullptr, sums, next);
    return ast::ExpectClaimed{place, name(ctx->name()), std::move(total), std::move(from),
                              std::move(to)};
  }
  return expected_action(ctx);
}

ast::ExpectAction Builder::expected_action(Grammar::ExpectationContext* ctx) {
  ast::ExpectAction action;
  action.span = span(ctx);
  action.no = ctx->NO() != nullptr;
  action.refuse = ctx->REFUSE() != nullptr;
  auto* deed = ctx->expectedAction()->expectedDeed();
  switch (token(deed->getStart()->getTokenIndex()).kind) {
    case Kind::ENTER: action.action = ast::ActionKind::Enter; break;
    case Kind::LEAVE: action.action = ast::ActionKind::Leave; break;
    case Kind::GOAL: action.action = ast::ActionKind::Goal; break;
    case Kind::REPLY: action.action = ast::ActionKind::Reply; break;
    case Kind::GIVE: action.action = ast::ActionKind::Give; break;
    case Kind::TAG: action.action = ast::ActionKind::Tag; break;
    case Kind::UNTAG: action.action = ast::ActionKind::Untag; break;
    case Kind::SET: action.action = ast::ActionKind::Set; break;
    case Kind::NOTIFY: action.action = ast::ActionKind::Notify; break;
    case Kind::CALL: action.action = ast::ActionKind::Call; break;
    case Kind::EMIT: action.action = ast::ActionKind::Emit; break;
    case Kind::START: action.action = ast::ActionKind::Start; break;
    case Kind::CLAIM: action.action = ast::ActionKind::Claim; break;
    case Kind::REDEEM: action.action = ast::ActionKind::Redeem; break;
    case Kind::CLAW_BACK: action.action = ast::ActionKind::ClawBack; break;
    default: action.action = ast::ActionKind::Send; break;
  }
  if (auto* what = deed->name()) {
    auto word = name(what);
    const auto place = word.span;
    action.what = ast::Path{{std::move(word)}, place};
  } else if (auto* given = deed->gift()) {
    auto it = gift(given);
    action.count = std::move(it.amount);
    const auto place = it.incentive.span;
    action.what = ast::Path{{std::move(it.incentive)}, place};
  } else if (auto* attribute = deed->path()) {
    action.what = path(attribute);
  } else {
    action.text = plain_text(deed->plainText());
  }
  for (auto* tail : ctx->expectedAction()->expectedTail()) {
    if (tail->VIA() != nullptr) {
      action.via = name(tail->name());
    } else if (tail->BECAUSE() != nullptr) {
      action.because = name(tail->name());
    } else if (tail->AMOUNT() != nullptr) {
      action.amount_from = sum(tail->sum(0));
      action.amount_to = tail->FROM() != nullptr ? sum(tail->sum(1)) : *action.amount_from;
    } else {
      action.customer = name(tail->name());
    }
  }
  return action;
}

}  // namespace koi::lang
