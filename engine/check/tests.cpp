// Test blocks: resolved and typed, so that a runner needs neither tree nor names.
#include <algorithm>
#include <array>

#include "check/detail/checker.h"
#include "model/entry.h"

namespace koi::check {
namespace {

// The engine's reason codes (docs/language.md, rule 5), and those of a delivery that fails.
constexpr std::array reasons{
    "no_consent",    "unsubscribed", "hold_out",    "quiet_hours",     "cap",          "expired",
    "missing_value", "no_variant",   "unreachable", "window_closed",   "bad_content",  "quota",
    "credentials",   "failed",       "lapsed",      "campaign_window", "budget",       "limit",
    "no_inviter",    "not_enough",   "all_taken",   "too_late",        "taken_before", "no_prize",
    "self",          "same",         "existing",    "cycle",           "not_eligible", "review",
    "bound_before",  "declined",     "redeemed",    "locked",          "not_yet",      "threshold",
    "scope",         "combination",  "pool_empty",  "not_best",        "unknown_code"};
constexpr std::array failures{"unreachable", "window_closed", "bad_content", "quota",
                              "credentials", "failed",        "lapsed"};

template <std::size_t n>
std::vector<std::string> texts(const std::array<const char*, n>& words) {
  return {words.begin(), words.end()};
}

}  // namespace

std::string Checker::describe(TextKind kind) const {
  if (language_ == Language::English) return std::string(description_of(kind));
  switch (kind) {
    case TextKind::Plain: return "文本";
    case TextKind::Phone: return "电话号码（5 到 15 位数字，国家码前加 +）";
    case TextKind::Email: return "电子邮件地址";
    case TextKind::Url: return "以 http:// 或 https:// 开头的网址";
    case TextKind::Code: return "邀请码（1 到 64 个字母、数字、- 或 _）";
  }
  KOI_ASSERT(false);
}

// The value that an expression has for everybody, in that type; nothing where it is another's.
std::optional<Value> Checker::fixed(const ast::Expr& expr, const Type& wanted) {
  Scope scope;
  scope.place = Scope::Place::TestValue;
  const ExpressionId id = of_type(expr, scope, wanted);
  if (is_poison(id)) return std::nullopt;
  const Expression& expression = program_[id];
  if (expression.op != Op::Constant) {
    report(Code::NotFixed, expr.span);
    return std::nullopt;
  }
  if (wanted.kind != Kind::Text || wanted.text == TextKind::Plain) return expression.constant;
  std::string room;
  const auto form = entry_of(wanted.text, expression.constant.as_text(), room);
  if (!form) {
    report(Code::BadText, expr.span, {describe(wanted.text)});
    return std::nullopt;
  }
  return Value::text(*form);
}

TestCustomer Checker::test_customer(const ast::Name& name, Test& test) {
  const auto found = std::find(test.customers.begin(), test.customers.end(), name.text);
  if (found != test.customers.end())
    return static_cast<TestCustomer>(found - test.customers.begin());
  test.customers.push_back(name.text);
  return test.customers.size() - 1;
}

void Checker::consents(const ast::Setting& setting, GivenCustomer& out) {
  for (const auto& value : setting.values) {
    if (const auto* said = std::get_if<ast::BoolLiteral>(&value.kind); said && !said->value)
      continue;  // `consent: no`
    const auto* named = std::get_if<ast::Path>(&value.kind);
    if (named == nullptr || named->names.size() > 2) {
      report(Code::ConsentNeedsClass, value.span);
      continue;
    }
    ConsentKey key;
    const auto purpose = campaign_class(named->names.front());
    if (named->names.size() == 2) {
      const auto* channel = expect(named->names[1], only(Declares::Channel));
      if (channel == nullptr) continue;
      key.channel = ChannelId::of(channel->index);
    }
    if (!purpose) continue;
    key.purpose = *purpose;
    out.consents.push_back(key);
  }
}

void Checker::given(const ast::GivenCustomer& given, Test& test) {
  GivenCustomer out;
  out.customer = test_customer(given.customer, test);
  Once once;
  for (const auto& setting : given.settings) {
    if (!is_first(once, setting)) continue;
    const AttributeId attribute = find_attribute(setting.name);
    if (attribute.is_none() && setting.name.canonical() == "consent") {
      consents(setting, out);
      continue;
    }
    if (attribute.is_none() && setting.name.canonical() == "hold_out") {
      const auto* held = std::get_if<ast::BoolLiteral>(&setting.values.front().kind);
      if (held == nullptr || setting.values.size() > 1)
        report(Code::YesOrNo, setting.span);
      else
        out.hold_out = held->value;
      continue;
    }
    const auto identifier = attribute.is_none() ? program_.schema.find_identifier(setting.name.text)
                                                : program_.schema[attribute].identifier;
    if (attribute.is_none() && identifier.is_none()) {
      if (const auto* tier = find(setting.name, only(Declares::Tier))) {
        given_level(*tier, setting, out);
        continue;
      }
      if (const auto* held = find(setting.name, only(Declares::Incentive));
          held != nullptr && is_points(*held)) {
        if (const auto count = fixed_setting(setting, {.kind = Kind::Int}))
          out.points.emplace_back(IncentiveId::of(held->index), count->raw());
        continue;
      }
      auto candidates = attribute_names();
      candidates.insert(candidates.end(), program_.schema.identifiers.begin(),
                        program_.schema.identifiers.end());
      candidates.emplace_back("hold_out");
      suggest(report(Code::NoAttribute, setting.name.span, {setting.name.text}), setting.name.text,
              candidates);
      continue;
    }
    Type type{.kind = Kind::Text, .optional = true};
    if (!attribute.is_none()) type = program_.schema[attribute].type;
    const auto value = fixed_setting(setting, type);
    if (!value) continue;
    if (!attribute.is_none()) out.attributes.emplace_back(attribute, *value);
    if (!identifier.is_none())
      out.identifiers.push_back({identifier, std::string(value->as_text())});
  }
  test.statements.push_back({given.span, std::move(out)});
}

// `value: gold`, until the next refreshing.
void Checker::given_level(const Declared& tier, const ast::Setting& setting, GivenCustomer& out) {
  const auto* path = std::get_if<ast::Path>(&setting.values.front().kind);
  if (path == nullptr || path->names.size() != 1 || setting.values.size() > 1) {
    report(Code::TierNeedsLevel, setting.span, {tier.symbol.name});
    return;
  }
  if (const auto found = level_of(tier, path->names.front()))
    out.attributes.emplace_back(program_.tiers[tier.index].attribute, Value::enumerator(*found));
}

// `name: value`; several values are a list's.
std::optional<Value> Checker::fixed_setting(const ast::Setting& setting, const Type& type) {
  const auto& first = setting.values.front();
  const bool is_list = std::holds_alternative<ast::List>(first.kind);
  if (type.kind == Kind::List && !(setting.values.size() == 1 && is_list)) {
    Type element;
    element.kind = type.element;
    element.enumeration = type.enumeration;
    element.text = type.element_text;
    std::vector<Value> values;
    for (const auto& each : setting.values) {
      const auto value = fixed(each, element);
      if (!value) return std::nullopt;
      values.push_back(*value);
    }
    return Value::list(std::move(values));
  }
  if (setting.values.size() > 1) {
    report(Code::OneValue, setting.span, {setting.name.text});
    return std::nullopt;
  }
  return fixed(first, type);
}

void Checker::test_event(const ast::TestEvent& event, std::optional<Timestamp> at, Test& test) {
  const auto* declared = expect(event.event, only(Declares::Event));
  if (declared == nullptr) return;
  const auto type = EventTypeId::of(declared->index);
  const EventType& of = program_.schema[type];
  TestEvent out;
  out.type = type;
  out.fields.resize(of.fields.size());
  std::vector<bool> said(of.fields.size());
  for (const auto& setting : event.fields) {
    const FieldId field = find_field(type, setting.name);
    if (field.is_none()) {
      suggest(report(Code::NoField, setting.name.span, {of.symbol.name, setting.name.text}),
              setting.name.text, field_names(type));
      continue;
    }
    if (said[field.index()]) {
      report(Code::SaidTwice, setting.span, {setting.name.text});
      continue;
    }
    said[field.index()] = true;
    const auto* named = std::get_if<ast::Path>(&setting.values.front().kind);
    if (named != nullptr && named->names.size() == 1 && setting.values.size() == 1 &&
        test_links_.count(named->names.front().text) != 0)
      out.links.emplace_back(field, named->names.front().text);
    else if (const auto value = fixed_setting(setting, of.fields[field.index()].type))
      out.fields[field.index()] = *value;
  }
  for (std::size_t i = 0; i < of.fields.size(); ++i) {
    if (said[i]) continue;
    out.fields[i] = of.fields[i].fallback;
    if (out.fields[i].is_missing() && !of.fields[i].type.optional)
      report(Code::FieldRequired, event.span, {of.fields[i].symbol.name, of.symbol.name});
  }
  if (of.to_everyone != event.everyone) {
    report(of.to_everyone ? Code::SayEveryone : Code::SayWhom, event.event.span, {of.symbol.name});
    return;
  }
  out.everyone = event.everyone;
  if (!out.everyone) out.customer = test_customer(event.customer, test);
  if (!at) return;
  out.at = *at;
  test.statements.push_back({event.span, std::move(out)});
}

void Checker::expect_action(const ast::ExpectAction& expectation, bool since_last_stop,
                            Test& test) {
  ExpectAction out;
  out.no = expectation.no;
  out.refuse = expectation.refuse;
  out.since_last_stop = since_last_stop;
  const auto resolve = [&](std::uint32_t kinds) -> const Declared* {
    return expectation.what ? expect(expectation.what->names.front(), kinds) : nullptr;
  };
  const auto name_it = [&](Declares kind) {
    if (const auto* declared = resolve(only(kind))) out.name = declared->symbol.name;
  };
  switch (expectation.action) {
    case ast::ActionKind::Enter:
      out.action = Action::Enter;
      name_it(Declares::Campaign);
      break;
    case ast::ActionKind::Leave:
      out.action = Action::Leave;
      name_it(Declares::Campaign);
      break;
    case ast::ActionKind::Goal:
      out.action = Action::Goal;
      name_it(Declares::Campaign);
      break;
    case ast::ActionKind::Send:
      out.action = Action::Send;
      name_it(Declares::Content);
      break;
    case ast::ActionKind::Set: {
      out.action = Action::Set;
      if (!expectation.what) break;
      const auto& name = expectation.what->names.back();
      const AttributeId attribute = find_attribute(name);
      if (attribute.is_none())
        suggest(report(Code::NoAttribute, name.span, {name.text}), name.text, attribute_names());
      else
        out.name = program_.schema[attribute].symbol.name;
      break;
    }
    case ast::ActionKind::Give:
    case ast::ActionKind::Claim:
    case ast::ActionKind::ClawBack:
    case ast::ActionKind::Redeem: {
      out.action = expectation.action == ast::ActionKind::Give     ? Action::Give
                   : expectation.action == ast::ActionKind::Claim  ? Action::Claim
                   : expectation.action == ast::ActionKind::Redeem ? Action::Redeem
                                                                   : Action::ClawBack;
      const auto* declared = resolve(Declares::Incentive | Declares::Referral);
      if (declared == nullptr) break;
      out.name = declared->symbol.name;
      test_amount(expectation,
                  declared->kind == Declares::Incentive ? IncentiveId::of(declared->index)
                                                        : IncentiveId::none(),
                  out);
      break;
    }
    case ast::ActionKind::Reply:
      out.action = Action::Reply;
      name_it(Declares::Content);
      break;
    case ast::ActionKind::Tag:
    case ast::ActionKind::Untag:
      out.action = expectation.action == ast::ActionKind::Tag ? Action::Tag : Action::Untag;
      if (expectation.text) out.name = expectation.text->text;
      break;
    case ast::ActionKind::Notify:
      out.action = Action::Notify;
      name_it(Declares::Team);
      break;
    case ast::ActionKind::Call:
      out.action = Action::Call;
      name_it(Declares::Webhook);
      break;
    case ast::ActionKind::Emit:
      out.action = Action::Emit;
      name_it(Declares::Event);
      break;
    case ast::ActionKind::Start:
      out.action = Action::Start;
      name_it(Declares::Campaign);
      break;
  }
  if (expectation.customer) out.customer = test_customer(*expectation.customer, test);
  if (expectation.via)
    if (const auto* channel = expect(*expectation.via, only(Declares::Channel)))
      out.channel = ChannelId::of(channel->index);
  if (expectation.because) {
    const auto reason = expectation.because->canonical();
    if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end())
      suggest(report(Code::NoReason, expectation.because->span, {expectation.because->text}),
              expectation.because->text, texts(reasons));
    out.reason = reason;
  }
  test.statements.push_back({expectation.span, std::move(out)});
}

void Checker::test(const ast::TestDecl& decl) {
  Test test;
  test.name = decl.name.text;
  test.span = decl.name.span;
  test_links_.clear();
  std::optional<Timestamp> clock;
  const auto move_clock = [&](const ast::Expr& expr) {
    const auto to = instant(expr);
    if (!to) return;
    if (clock && *to < *clock) report(Code::ClockGoesBack, expr.span);
    clock = *to;
    test.statements.push_back({expr.span, ClockTo{*to}});
  };
  const auto expect_it = [&](const auto& expectation, SourceSpan span, bool since_last_stop) {
    using Expected = std::decay_t<decltype(expectation)>;
    if constexpr (std::is_same_v<Expected, ast::ExpectAction>)
      expect_action(expectation, since_last_stop, test);
    else if constexpr (std::is_same_v<Expected, ast::ExpectNothing>)
      test.statements.push_back({span, ExpectNothing{expectation.more}});
    else
      expect_claimed(expectation, since_last_stop, test);
  };
  for (const auto& line : decl.lines) {
    if (const auto* customer = std::get_if<ast::GivenCustomer>(&line)) {
      given(*customer, test);
    } else if (const auto* failure = std::get_if<ast::GivenFailure>(&line)) {
      const auto* channel = expect(failure->channel, only(Declares::Channel));
      const auto reason = failure->reason.canonical();
      if (std::find(failures.begin(), failures.end(), reason) == failures.end())
        suggest(report(Code::NoFailure, failure->reason.span, {failure->reason.text}),
                failure->reason.text, texts(failures));
      else if (channel != nullptr)
        test.statements.push_back(
            {failure->span, GivenFailure{ChannelId::of(channel->index), std::string(reason)}});
    } else if (const auto* codes = std::get_if<ast::GivenCodes>(&line)) {
      given_codes(*codes, test);
    } else if (const auto* until = std::get_if<ast::UntilLine>(&line)) {
      move_clock(until->until);
    } else if (const auto* expectation = std::get_if<ast::ExpectLine>(&line)) {
      std::visit([&](const auto& each) { expect_it(each, expectation->span, false); },
                 expectation->expect);
    } else {
      const auto& at = std::get<ast::AtLine>(line);
      if (!at.act) {
        move_clock(at.at);
        continue;
      }
      std::visit(
          [&](const auto& act) {
            using Act = std::decay_t<decltype(act)>;
            if constexpr (std::is_same_v<Act, ast::TestEvent>) {
              const auto time = instant(at.at);
              test_event(act, time, test);
              if (time && (!clock || *time > *clock)) clock = time;
            } else if constexpr (std::is_same_v<Act, ast::TestGetsLink>) {
              const auto* declared = expect(act.referral, only(Declares::Referral));
              const auto time = instant(at.at);
              test_links_.insert(act.as.text);
              if (declared == nullptr || !time) return;
              if (!clock || *time > *clock) clock = time;
              test.statements.push_back(
                  {act.span, TestGetsLink{*time, test_customer(act.customer, test),
                                          ReferralId::of(declared->index), act.as.text}});
            } else if constexpr (std::is_same_v<Act, ast::TestClaims>) {
              test_claims(act, at.at, test);
              if (const auto time = instant(at.at); time && (!clock || *time > *clock))
                clock = time;
            } else if constexpr (std::is_same_v<Act, ast::TestRedeem>) {
              test_redeem(act, at.at, test);
              if (const auto time = instant(at.at); time && (!clock || *time > *clock))
                clock = time;
            } else {
              move_clock(at.at);
              expect_it(act, at.span, true);
            }
          },
          *at.act);
    }
  }
  program_.tests.push_back(std::move(test));
}

void Checker::tests() {
  std::map<std::string, SourceSpan> seen;
  for (const auto* decl : tests_) {
    const auto [first, is_new] = seen.emplace(decl->name.text, decl->name.span);
    if (!is_new)
      label(report(Code::DeclaredTwice, decl->name.span, {decl->name.text}), first->second,
            "declared here", "在这里声明过");
    if (is_looked_into(decl->span)) test(*decl);
  }
}

}  // namespace koi::check
