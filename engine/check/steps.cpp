// Steps, and what they say: contents in the words of the campaign that sends them.
#include <algorithm>
#include <iterator>
#include <set>

#include "check/detail/checker.h"

namespace koi::check {

namespace {

// Has the content a part that cannot be said yet? Then what it lacks is not told.
std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// A language as customers have it: `zh`, `zh-CN`, `pt-BR`.
bool is_language(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= 35 && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), fits);
}

}  // namespace

// --- Contents ------------------------------------------------------------------------------------

// What one block of a content says; the blocks are told apart by language and channel, and a text
// is the first that there is of: both, the language alone, the channel alone, neither.
Message Checker::message(std::size_t content, const Scope& scope) {
  struct Texts {
    const ast::TextLiteral* title = nullptr;
    const ast::TextLiteral* body = nullptr;
    const ast::TextLiteral* link = nullptr;
    const ast::ContentTemplate* sent_by = nullptr;
  };
  struct Place {
    std::string language;  // empty: all
    ChannelId channel;     // none: all
    auto operator<=>(const Place&) const = default;
  };
  const auto& decl = *contents_[content];
  std::map<Place, Texts> said;
  std::map<Place, SourceSpan> spans;
  std::vector<std::string> languages;  // as they come
  std::vector<ChannelId> channels;
  bool misplaced = false;  // what it says is said where or how it can not be
  const auto put = [&](auto*& place, const auto& said_here, SourceSpan span, const char* what) {
    if (place != nullptr)
      said_twice(span, word(what), place->span);
    else
      place = &said_here;
  };
  const auto once = [&](const Place& place, SourceSpan span, const std::string& name) {
    const auto [before, is_new] = spans.emplace(place, span);
    if (!is_new) said_twice(span, name, before->second);
    return is_new;
  };
  const auto read = [&](const auto& self, const std::vector<ast::ContentItem>& items,
                        const Place& place) -> void {
    for (const auto& item : items) {
      Texts& texts = said[place];
      if (const auto* title = std::get_if<ast::ContentTitle>(&item.kind)) {
        put(texts.title, title->text, title->span, "title");
      } else if (const auto* body = std::get_if<ast::ContentBody>(&item.kind)) {
        put(texts.body, body->text, body->span, "body");
      } else if (const auto* link = std::get_if<ast::ContentLink>(&item.kind)) {
        put(texts.link, link->text, link->span, "link");
      } else if (const auto* coded = std::get_if<ast::ContentTemplate>(&item.kind)) {
        put(texts.sent_by, *coded, coded->span, "template");
      } else if (const auto* of = std::get_if<ast::ContentForLanguage>(&item.kind)) {
        const std::string language = lower_case(of->language.text);
        if (!place.language.empty()) {
          misplaced = true, report(Code::NestedFor, of->span);
        } else if (!is_language(language)) {
          report(Code::UnknownLanguage, of->language.span, {of->language.text});
        } else if (once({language, place.channel}, of->language.span, of->language.text)) {
          if (std::find(languages.begin(), languages.end(), language) == languages.end())
            languages.push_back(language);
          self(self, of->items, {language, place.channel});
        }
      } else {
        const auto& channel_block = std::get<ast::ContentForChannel>(item.kind);
        if (!place.channel.is_none()) {
          misplaced = true, report(Code::NestedFor, channel_block.span);
          continue;
        }
        for (const auto& name : channel_block.channels) {
          const auto* channel = expect(name, only(Declares::Channel));
          if (channel == nullptr) continue;
          const auto id = ChannelId::of(channel->index);
          if (!once({place.language, id}, name.span, word("for") + " " + name.text)) continue;
          if (std::find(channels.begin(), channels.end(), id) == channels.end())
            channels.push_back(id);
          self(self, channel_block.items, {place.language, id});
        }
      }
    }
  };
  read(read, decl.items, {});

  Message out;
  out.content = ContentId::of(content);
  std::map<const ast::TextLiteral*, ExpressionId> checked;  // each text once
  std::map<const ast::ContentTemplate*, TemplateValues> filled;
  const auto variant = [&](const std::string& language, ChannelId channel) {
    const auto first = [&](auto* Texts::*what) {
      for (const Place& place :
           {Place{language, channel}, Place{language, {}}, Place{{}, channel}, Place{{}, {}}}) {
        const auto found = said.find(place);
        if (found != said.end() && found->second.*what != nullptr) return found->second.*what;
      }
      return decltype(Texts().*what)(nullptr);
    };
    const auto text = [&](const ast::TextLiteral* literal) -> ExpressionId {
      if (literal == nullptr) return {};
      const auto [known, is_new] = checked.emplace(literal, ExpressionId());
      if (is_new) known->second = this->text(*literal, scope, true);
      return known->second;
    };
    Message::Variant made{channel, text(first(&Texts::title)), text(first(&Texts::body)),
                          text(first(&Texts::link)), language};
    if (const ast::ContentTemplate* sent_by = first(&Texts::sent_by)) {
      const auto [known, is_new] = filled.emplace(sent_by, TemplateValues());
      if (is_new) known->second = template_values(*sent_by, scope);
      made.provider_template = sent_by->id.text;
      made.values = known->second;
      misplaced = misplaced || sent_by->id.text.empty();
    }
    if (!made.title.is_none() || !made.body.is_none() || !made.provider_template.empty())
      out.variants.push_back(std::move(made));
  };
  languages.emplace_back();
  channels.push_back(ChannelId::none());
  for (const std::string& language : languages)
    for (const ChannelId channel : channels) variant(language, channel);
  if (out.variants.empty() && !misplaced)
    report(Code::ContentEmpty, decl.name.span, {decl.name.text});
  return out;
}

// What is put into a provider's template, by the names that it has there.
Checker::TemplateValues Checker::template_values(const ast::ContentTemplate& from,
                                                 const Scope& scope) {
  TemplateValues values;
  Once once;
  if (from.id.text.empty()) report(Code::TemplateNeedsId, from.id.span);
  for (const auto& setting : from.parameters) {
    if (!is_first(once, setting)) continue;
    if (setting.values.size() > 1)
      report(Code::OneValue, setting.span, {setting.name.text});
    else
      values.emplace_back(setting.name.text, shown(setting.values.front(), scope));
  }
  return values;
}

MessageId Checker::keep(Message message) {
  HashInput hash;
  hash.number(message.content.value);
  hash.number(static_cast<std::uint64_t>(current_ - program_.campaigns.data()));
  for (const auto& variant : message.variants) {
    hash.number(variant.channel.value).text(variant.language);
    for (const ExpressionId id : {variant.title, variant.body, variant.link}) {
      const Hash128 definition = id.is_none() ? Hash128{} : program_[id].definition;
      hash.number(definition.high).number(definition.low);
    }
    hash.text(variant.provider_template).number(variant.values.size());
    for (const auto& [name, value] : variant.values)
      hash.text(name)
          .number(program_[value].definition.high)
          .number(program_[value].definition.low);
  }
  const auto [known, is_new] =
      message_by_definition_.emplace(hash.hash128(), MessageId::of(program_.messages.size()));
  if (is_new) program_.messages.push_back(std::move(message));
  return known->second;
}

void Checker::fits_channel(const Message& message, ChannelId channel, SourceSpan at) {
  const auto& content = *contents_[message.content.index()];
  const Channel& declared = program_.channels[channel.index()];
  bool for_all = false;
  std::vector<ExpressionId> leaving;
  for (const Message::Variant& each : message.variants) {
    if (each.channel != channel && !each.channel.is_none()) continue;
    for_all = for_all || each.language.empty();
    leaving.insert(leaving.end(), {each.title, each.body, each.link});
    for (const auto& [name, value] : each.values) leaving.push_back(value);
  }
  if (!for_all && !message.variants.empty())
    label(report(Code::NothingForChannel, at, {content.name.text, declared.symbol.name}),
          content.name.span, "declared here", "在这里声明");
  leaves_by_.push_back({channel, at, std::move(leaving),
                        static_cast<std::size_t>(current_ - program_.campaigns.data())});
}

// What no campaign sends is checked as far as it can be known.
void Checker::contents() {
  for (std::size_t i = 0; i < contents_.size(); ++i) {
    if (sent_[i] || !is_looked_into(contents_[i]->span)) continue;
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
  Message said = said_here(content->index, step.content.span, visible);
  for (std::size_t i = 0; i < send.channels.size(); ++i)
    fits_channel(said, send.channels[i], spans[i]);
  if (!ok) return;
  send.message = keep(std::move(said));
  out.push_back({step.span, std::move(send)});
}

Message Checker::said_here(std::size_t content, SourceSpan at,
                           const std::vector<Visible>& visible) {
  sent_[content] = true;
  Scope scope;
  scope.place = Scope::Place::Content;
  scope.visible = &visible;
  scope.campaign = current_ast_->name.text;
  scope.said_at = at;
  return message(content, scope);
}

// `reply C to c`. Which channel it leaves by is known when somebody has written; on those that the
// content says nothing on nothing is answered.
void Checker::reply(const ast::ReplyStep& step, const std::vector<Visible>& visible, Block& out) {
  Send send;
  send.within = length(step.within, "`within`", "期限");
  const auto* content = expect(step.content, only(Declares::Content));
  Message said;
  if (content != nullptr) said = said_here(content->index, step.content.span, visible);
  for (std::size_t i = 0; i < program_.channels.size(); ++i) {
    const auto channel = ChannelId::of(i);
    const bool is_said_there =
        std::any_of(said.variants.begin(), said.variants.end(), [&](const Message::Variant& each) {
          return each.language.empty() && (each.channel.is_none() || each.channel == channel);
        });
    send.channels.push_back(channel);
    if (is_said_there) fits_channel(said, channel, step.content.span);
  }
  const auto place = std::find_if(visible.rbegin(), visible.rend(), [&](const Visible& each) {
    return each.name == step.to.text || (!each.alias.empty() && each.alias == step.to.text);
  });
  if (place == visible.rend()) {
    std::vector<std::string> names;
    for (const Visible& each : visible) names.push_back(each.name);
    suggest(report(Code::NothingToAnswer, step.to.span, {step.to.text}), step.to.text, names);
    return;
  }
  if (place->poisoned) return;
  if (place->by_as)
    used(step.to, place->span);
  else if (!place->type.is_none())
    used_event(step.to, place->type);
  const ast::Name channel{"channel", step.to.span};
  const FieldId field = place->type.is_none() ? FieldId::none() : find_field(place->type, channel);
  if (field.is_none() ||
      program_.schema[place->type].fields[field.index()].type.kind != Kind::Text) {
    report(Code::NotWrittenAnywhere, step.to.span, {step.to.text});
    return;
  }
  send.reply_on = binding_field(*place, channel, step.to.span);
  send.reply_to = add({.op = Op::BindingField,
                       .type = {.kind = Kind::Text, .optional = true},
                       .span = step.to.span,
                       .index = event_id,
                       .binding = place->binding},
                      "id of " + place->name);
  if (content == nullptr) return;
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
  if (branches.empty()) {  // each of them has an error of its own
    std::move(otherwise.begin(), otherwise.end(), std::back_inserter(out));
    return;
  }
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
    } else if (const auto* give_step = std::get_if<ast::GiveStep>(&step.kind)) {
      give(*give_step, visible, asked, out);
    } else if (const auto* back = std::get_if<ast::ClawBackStep>(&step.kind)) {
      claw_back(*back, out);
    } else if (const auto* take_step = std::get_if<ast::TakeStep>(&step.kind)) {
      take(*take_step, visible, asked, out);
    } else {
      reply(std::get<ast::ReplyStep>(step.kind), visible, out);
    }
  }
  return out;
}

}  // namespace koi::check
