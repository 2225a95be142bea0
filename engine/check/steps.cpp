// Steps, and what they say: contents in the words of the campaign that sends them.
#include <algorithm>
#include <set>

#include "check/detail/checker.h"

namespace koi::check {

namespace {

// Has the content a part that cannot be said yet? Then what it lacks is not told.
bool waits_for_support(const ast::ContentDecl& content) {
  return std::any_of(content.items.begin(), content.items.end(), [](const auto& item) {
    return std::holds_alternative<ast::ContentTemplate>(item.kind) ||
           std::holds_alternative<ast::ContentForLanguage>(item.kind);
  });
}

}  // namespace

// --- Contents ------------------------------------------------------------------------------------

Message Checker::message(std::size_t content, const Scope& scope) {
  struct Texts {
    const ast::TextLiteral* title = nullptr;
    const ast::TextLiteral* body = nullptr;
    const ast::TextLiteral* link = nullptr;
  };
  const auto& decl = *contents_[content];
  const auto put = [&](const ast::TextLiteral*& place, const auto& item, const char* what) {
    if (place != nullptr)
      label(report(Code::SaidTwice, item.span, {word(what)}), place->span, "first said here",
            "第一次写在这里");
    else
      place = &item.text;
  };
  const auto read = [&](Texts& texts, const ast::ContentItem& item) {
    if (const auto* title = std::get_if<ast::ContentTitle>(&item.kind))
      put(texts.title, *title, "title");
    else if (const auto* body = std::get_if<ast::ContentBody>(&item.kind))
      put(texts.body, *body, "body");
    else if (const auto* link = std::get_if<ast::ContentLink>(&item.kind))
      put(texts.link, *link, "link");
    else if (const auto* id = std::get_if<ast::ContentTemplate>(&item.kind))
      unsupported(id->span, "a provider's template", "服务商模板");
    else if (const auto* language = std::get_if<ast::ContentForLanguage>(&item.kind))
      unsupported(language->span, "a content by language", "按语言的内容");
    else
      return false;
    return true;
  };
  Texts outside;
  std::vector<const ast::ContentForChannel*> for_channels;
  for (const auto& item : decl.items)
    if (!read(outside, item)) for_channels.push_back(&std::get<ast::ContentForChannel>(item.kind));

  Message out;
  out.content = ContentId::of(content);
  const auto variant = [&](ChannelId channel, const Texts& texts) {
    const auto checked = [&](const ast::TextLiteral* literal) {
      return literal == nullptr ? ExpressionId::none() : text(*literal, scope, true);
    };
    out.variants.push_back(
        {channel, checked(texts.title), checked(texts.body), checked(texts.link)});
  };
  std::map<std::size_t, SourceSpan> channels;
  for (const auto* each : for_channels) {
    Texts texts;
    for (const auto& item : each->items)
      if (!read(texts, item))
        report(Code::NestedFor, std::get<ast::ContentForChannel>(item.kind).span);
    // What the block does not say is said as everywhere else.
    if (texts.title == nullptr) texts.title = outside.title;
    if (texts.body == nullptr) texts.body = outside.body;
    if (texts.link == nullptr) texts.link = outside.link;
    for (const auto& name : each->channels) {
      const auto* channel = expect(name, only(Declares::Channel));
      if (channel == nullptr) continue;
      const auto [before, is_new] = channels.emplace(channel->index, name.span);
      if (is_new)
        variant(ChannelId::of(channel->index), texts);
      else
        label(report(Code::SaidTwice, name.span, {word("for") + " " + name.text}), before->second,
              "first said here", "第一次写在这里");
    }
  }
  if (outside.title != nullptr || outside.body != nullptr)
    variant(ChannelId::none(), outside);
  else if (for_channels.empty() && !waits_for_support(decl))
    report(Code::ContentEmpty, decl.name.span, {decl.name.text});
  return out;
}

MessageId Checker::keep(Message message) {
  HashInput hash;
  hash.number(message.content.value);
  hash.number(static_cast<std::uint64_t>(current_ - program_.campaigns.data()));
  for (const auto& variant : message.variants) {
    hash.number(variant.channel.value);
    for (const ExpressionId id : {variant.title, variant.body, variant.link}) {
      const Hash128 definition = id.is_none() ? Hash128{} : program_[id].definition;
      hash.number(definition.high).number(definition.low);
    }
  }
  const auto [known, is_new] =
      message_by_definition_.emplace(hash.hash128(), MessageId::of(program_.messages.size()));
  if (is_new) program_.messages.push_back(std::move(message));
  return known->second;
}

void Checker::fits_channel(const Message& message, ChannelId channel, SourceSpan at) {
  const auto& content = *contents_[message.content.index()];
  const auto variant = std::find_if(message.variants.begin(), message.variants.end(),
                                    [&](const Message::Variant& each) {
                                      return each.channel == channel || each.channel.is_none();
                                    });
  const Channel& declared = program_.channels[channel.index()];
  if (variant == message.variants.end()) {
    if (!content.items.empty() && !waits_for_support(content))
      label(report(Code::NothingForChannel, at, {content.name.text, declared.symbol.name}),
            content.name.span, "declared here", "在这里声明");
    return;
  }
  std::set<ExpressionId> seen;
  std::vector<ExpressionId> stack{variant->title, variant->body, variant->link};
  while (!stack.empty()) {
    const ExpressionId id = stack.back();
    stack.pop_back();
    if (id.is_none() || !seen.insert(id).second) continue;
    const Expression& expression = program_[id];
    stack.push_back(expression.a);
    stack.push_back(expression.b);
    for (const auto& part : expression.parts) stack.push_back(part.value);
    if (expression.op != Op::Attribute) continue;
    const auto attribute = AttributeId::of(expression.index);
    if (!program_.schema[attribute].is_private) continue;
    const auto& cleared = declared.cleared_for;
    if (std::find(cleared.begin(), cleared.end(), attribute) != cleared.end()) continue;
    auto& diagnostic = report(Code::NotCleared, at,
                              {program_.schema[attribute].symbol.name, declared.symbol.name});
    label(diagnostic, expression.span, "read here", "在这里读取");
  }
}

// What no campaign sends is checked as far as it can be known.
void Checker::contents() {
  for (std::size_t i = 0; i < contents_.size(); ++i) {
    if (sent_[i]) continue;
    Scope scope;
    scope.place = Scope::Place::UnsentContent;
    message(i, scope);
  }
}

// --- Steps ---------------------------------------------------------------------------------------

bool Checker::always_stops(const ast::Step& step) {
  if (std::holds_alternative<ast::StopStep>(step.kind)) return true;
  const auto all_stop = [](const auto& blocks) {
    return std::all_of(blocks.begin(), blocks.end(),
                       [](const auto& each) { return always_stops(each.block.steps); });
  };
  if (const auto* if_step = std::get_if<ast::IfStep>(&step.kind))
    return if_step->otherwise && always_stops(if_step->otherwise->steps) &&
           all_stop(if_step->branches);
  if (const auto* choose = std::get_if<ast::ChooseStep>(&step.kind))
    return choose->otherwise && always_stops(choose->otherwise->steps) &&
           all_stop(choose->branches);
  if (const auto* split = std::get_if<ast::SplitStep>(&step.kind)) return all_stop(split->arms);
  if (const auto* repeat = std::get_if<ast::RepeatStep>(&step.kind))
    return always_stops(repeat->block.steps);
  if (const auto* wait = std::get_if<ast::WaitForStep>(&step.kind))
    return wait->then && wait->otherwise && always_stops(wait->then->steps) &&
           always_stops(wait->otherwise->steps);
  return false;
}

bool Checker::always_stops(const std::vector<ast::Step>& steps) {
  return std::any_of(steps.begin(), steps.end(),
                     [](const ast::Step& step) { return always_stops(step); });
}

void Checker::unreachable(const std::vector<ast::Step>& steps) {
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    if (!always_stops(steps[i])) continue;
    const auto span_of = [](const ast::Step& step) {
      return std::visit([](const auto& each) { return each.span; }, step.kind);
    };
    auto& diagnostic = report(Code::NeverReached, span_of(steps[i + 1]));
    label(diagnostic, span_of(steps[i]), "every journey has ended here", "旅程在这里已全部结束");
    return;
  }
}

void Checker::send(const ast::SendStep& step, const std::vector<Visible>& visible, Block& out) {
  Send send;
  std::vector<SourceSpan> spans;
  bool ok = true;
  for (const auto& name : step.channels) {
    const auto* channel = expect(name, only(Declares::Channel));
    if (channel == nullptr) {
      ok = false;
      continue;
    }
    const auto id = ChannelId::of(channel->index);
    if (std::find(send.channels.begin(), send.channels.end(), id) != send.channels.end()) {
      report(Code::ChannelTwice, name.span, {name.text});
      continue;
    }
    send.channels.push_back(id);
    spans.push_back(name.span);
  }
  send.within = length(step.within, "`within`", "期限");
  send.wait_for_cap = length(step.or_wait, "`or wait up to`", "等待");
  const auto* content = expect(step.content, only(Declares::Content));
  if (content == nullptr) return;
  sent_[content->index] = true;
  Scope scope;
  scope.place = Scope::Place::Content;
  scope.visible = &visible;
  scope.campaign = current_ast_->name.text;
  scope.said_at = step.content.span;
  Message said = message(content->index, scope);
  for (std::size_t i = 0; i < send.channels.size(); ++i)
    fits_channel(said, send.channels[i], spans[i]);
  if (!ok) return;
  send.message = keep(std::move(said));
  out.push_back({step.span, std::move(send)});
}

void Checker::wait_until(const ast::WaitUntilStep& step, const std::vector<Visible>& visible,
                         Block& out) {
  WaitUntil wait;
  if (const auto* time = std::get_if<ast::TimeLiteral>(&step.until)) {
    wait.kind = WaitUntil::Kind::TimeOfDay;
    wait.time = time->value;
  } else if (const auto* weekday = std::get_if<ast::WeekdayTime>(&step.until)) {
    wait.kind = WaitUntil::Kind::Weekday;
    wait.weekday = weekday->weekday;
    wait.time = weekday->at.value;
  } else {
    const auto& moment = std::get<ast::Moment>(step.until);
    Scope scope;
    scope.visible = &visible;
    wait.kind = WaitUntil::Kind::Instant;
    wait.instant = expression(moment.anchor, scope);
    const Type of = type(wait.instant);
    if (of.kind != Kind::Missing && of.kind != Kind::Instant && of.kind != Kind::Date) {
      report(Code::ExpectedType, moment.anchor.span,
             {say("an instant or a date", "时刻或日期"), describe(of)});
      return;
    }
    if (moment.offset) {
      wait.offset = length(*moment.offset, "the time before or after it", "提前或推后的时长");
      wait.before = moment.before;
    }
    if (moment.at) {
      wait.at_time = true;
      wait.time = moment.at->value;
    }
  }
  out.push_back({step.span, wait});
}

void Checker::wait_for(const ast::WaitForStep& step, std::vector<Visible>& visible,
                       const std::vector<Hash128>& asked, Block& out) {
  WaitFor wait;
  Pattern checked = pattern(step.event, visible);
  // In the block the event that came hides an older one of its type.
  std::vector<Visible> inner = visible;
  checked.pattern.binding = bind(step.event, checked, inner, false);
  wait.pattern = checked.pattern;
  wait.up_to = length(step.up_to, "the wait", "等待");
  wait.then = block(step.then, inner, asked);
  wait.otherwise = block(step.otherwise, visible, asked);
  // Behind the step it may have come or not.
  if (inner.size() > visible.size()) {
    Visible after = inner.back();
    after.always = false;
    const bool hides = std::any_of(visible.begin(), visible.end(),
                                   [&](const Visible& other) { return other.name == after.name; });
    if (!hides) visible.push_back(std::move(after));
  }
  if (checked.ok) out.push_back({step.span, std::move(wait)});
}

// `if`, and `choose first`, which is the same written as a list.
void Checker::if_(SourceSpan span, const std::vector<ast::IfStep::Branch>& from,
                  const std::optional<ast::Block>& or_else, const std::vector<Visible>& visible,
                  const std::vector<Hash128>& asked, Block& out) {
  Scope scope;
  scope.visible = &visible;
  std::vector<Hash128> known = asked;
  Block otherwise;
  std::vector<std::pair<ExpressionId, Block>> branches;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto& branch = from[i];
    const ExpressionId id = condition(branch.condition, scope);
    always_the_same(id, branch.condition.span);
    collect_asked(id, known);
    if (i + 1 < from.size() || or_else) missing_decides(id, known);
    branches.emplace_back(id, block(branch.block.steps, visible, known));
  }
  std::vector<ExpressionId> chain;
  for (const auto& [condition_id, steps] : branches) chain.push_back(condition_id);
  asked_before(chain);
  otherwise = block(or_else, visible, known);
  for (auto branch = branches.rbegin(); branch != branches.rend(); ++branch) {
    If if_step{branch->first, std::move(branch->second), std::move(otherwise)};
    otherwise = {};
    otherwise.push_back({span, std::move(if_step)});
  }
  out.push_back(std::move(otherwise.front()));
}

void Checker::set(const ast::SetStep& step, const std::vector<Visible>& visible, Block& out) {
  Scope scope;
  scope.visible = &visible;
  for (const auto& assignment : step.assignments) {
    const auto& names = assignment.target.names;
    const auto& name = names.back();
    if (names.size() > 2 || (names.size() == 2 && !is_customer(names.front()))) {
      report(Code::SetsAttributes, assignment.target.span);
      continue;
    }
    const AttributeId attribute = find_attribute(name);
    const bool is_identifier = attribute.is_none()
                                   ? !program_.schema.find_identifier(name.text).is_none()
                                   : !program_.schema[attribute].identifier.is_none();
    if (is_identifier) {
      report(Code::IdentifierFromField, assignment.span, {name.text});
      continue;
    }
    if (attribute.is_none()) {
      suggest(report(Code::NoAttribute, name.span, {name.text}), name.text, attribute_names());
      expression(assignment.value, scope);
      continue;
    }
    const ExpressionId value = of_type(assignment.value, scope, program_.schema[attribute].type);
    out.push_back({assignment.span, Set{attribute, value}});
  }
}

void Checker::gift(const ast::Gift& gift, const Scope& scope) {
  if (gift.amount) expression(*gift.amount, scope);
  expect(gift.incentive, Declares::Incentive | Declares::Referral);
}

// Steps that cannot be run yet: refused once each, their names resolved and their blocks checked.
void Checker::unsupported_step(const ast::Step& step, const std::vector<Visible>& visible,
                               const std::vector<Hash128>& asked) {
  Scope scope;
  scope.visible = &visible;
  const auto refuse = [&](SourceSpan span, const char* word) {
    report(Code::NotSupportedYet, span, {say("the step `", "步骤 `") + word + "`"});
  };
  if (const auto* reply = std::get_if<ast::ReplyStep>(&step.kind)) {
    refuse(reply->span, say("reply", "回复").c_str());
    if (const auto* content = expect(reply->content, only(Declares::Content))) {
      sent_[content->index] = true;
      Scope said = scope;
      said.place = Scope::Place::Content;
      said.campaign = current_ast_->name.text;
      said.said_at = reply->content.span;
      message(content->index, said);
    }
  } else if (const auto* give = std::get_if<ast::GiveStep>(&step.kind)) {
    refuse(give->span, say("give", "发放").c_str());
    gift(give->gift, scope);
  } else {
    const auto& take = std::get<ast::TakeStep>(step.kind);
    refuse(take.span, say("take", "扣除").c_str());
    gift(take.gift, scope);
    block(take.then, visible, asked);
    block(take.otherwise, visible, asked);
  }
}

Block Checker::block(const std::optional<ast::Block>& steps, const std::vector<Visible>& visible,
                     const std::vector<Hash128>& asked) {
  return steps ? block(steps->steps, visible, asked) : Block{};
}

Block Checker::block(const std::vector<ast::Step>& steps, std::vector<Visible> visible,
                     std::vector<Hash128> asked) {
  constexpr std::size_t most_steps = 20'000;
  Block out;
  unreachable(steps);
  for (const auto& step : steps) {
    if (++steps_ > most_steps) {
      if (steps_ == most_steps + 1)
        report(Code::TooMany, current_ast_->name.span,
               {say("steps in a campaign", "活动中的步骤"), std::to_string(most_steps)});
      return out;
    }
    if (const auto* send_step = std::get_if<ast::SendStep>(&step.kind)) {
      send(*send_step, visible, out);
    } else if (const auto* wait = std::get_if<ast::WaitStep>(&step.kind)) {
      out.push_back({wait->span, Wait{length(wait->length, "a wait", "等待")}});
    } else if (const auto* until = std::get_if<ast::WaitUntilStep>(&step.kind)) {
      wait_until(*until, visible, out);
    } else if (const auto* wait_for_step = std::get_if<ast::WaitForStep>(&step.kind)) {
      wait_for(*wait_for_step, visible, asked, out);
    } else if (const auto* if_step = std::get_if<ast::IfStep>(&step.kind)) {
      if_(if_step->span, if_step->branches, if_step->otherwise, visible, asked, out);
    } else if (const auto* choose = std::get_if<ast::ChooseStep>(&step.kind)) {
      if_(choose->span, choose->branches, choose->otherwise, visible, asked, out);
    } else if (const auto* set_step = std::get_if<ast::SetStep>(&step.kind)) {
      set(*set_step, visible, out);
    } else if (const auto* stop = std::get_if<ast::StopStep>(&step.kind)) {
      out.push_back({stop->span, Stop{}});
    } else if (const auto* tag_step = std::get_if<ast::TagStep>(&step.kind)) {
      tag(*tag_step, out);
    } else if (const auto* split_step = std::get_if<ast::SplitStep>(&step.kind)) {
      split(*split_step, visible, asked, out);
    } else if (const auto* repeat_step = std::get_if<ast::RepeatStep>(&step.kind)) {
      repeat(*repeat_step, visible, asked, out);
    } else if (const auto* emit_step = std::get_if<ast::EmitStep>(&step.kind)) {
      emit(*emit_step, visible, out);
    } else if (const auto* notify_step = std::get_if<ast::NotifyStep>(&step.kind)) {
      notify(*notify_step, visible, out);
    } else if (const auto* call_step = std::get_if<ast::CallStep>(&step.kind)) {
      call_webhook(*call_step, visible, out);
    } else if (const auto* start_step = std::get_if<ast::StartStep>(&step.kind)) {
      start(*start_step, out);
    } else {
      unsupported_step(step, visible, asked);
    }
  }
  return out;
}

}  // namespace koi::check
