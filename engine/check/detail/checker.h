// Checker: one walk over a program's trees. Its parts stand in files of their own, by question:
// names.cpp (what is declared), schema.cpp (what events, customers, channels and the policy are),
// types.cpp (what an expression is), paths.cpp, operators.cpp, metrics.cpp, tiers.cpp,
// campaigns.cpp, steps.cpp, acts.cpp (what steps do beside sending and waiting), private.cpp (where
// what is private goes), tests.cpp.
//
// What does not check becomes *poison*: an expression of Kind::Missing, which fits everywhere, so
// that one mistake is told once.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "check/check.h"
#include "check/ways.h"
#include "lang/diagnostics.h"

namespace koi::check {

namespace ast = lang::ast;
using lang::Code;

// --- Types -------------------------------------------------------------------------------------

inline Type simple(Kind kind, bool optional = false) {
  return {.kind = kind, .optional = optional};
}

// Two types of which values can be equal.
inline bool comparable(const Type& a, const Type& b) {
  return a.kind == b.kind && (a.kind != Kind::Enum || a.enumeration == b.enumeration);
}

// The one name that the expression is; null where it is something else.
inline const ast::Name* bare(const ast::Expr& expr) {
  const auto* path = std::get_if<ast::Path>(&expr.kind);
  return path != nullptr && path->names.size() == 1 ? &path->names.front() : nullptr;
}

// --- Names -------------------------------------------------------------------------------------

enum class Declares : std::uint32_t {
  Event = 1u << 0,
  Metric = 1u << 1,
  Segment = 1u << 2,
  Let = 1u << 3,
  Tier = 1u << 4,
  Audience = 1u << 5,
  Content = 1u << 6,
  Incentive = 1u << 7,  // coupon, red packet, points, prize draw
  Referral = 1u << 8,
  Channel = 1u << 9,
  Team = 1u << 10,
  Webhook = 1u << 11,
  Campaign = 1u << 12,
};
constexpr std::uint32_t operator|(Declares a, Declares b) {
  return static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b);
}
constexpr std::uint32_t operator|(std::uint32_t a, Declares b) {
  return a | static_cast<std::uint32_t>(b);
}
constexpr std::uint32_t only(Declares kind) { return static_cast<std::uint32_t>(kind); }
constexpr std::uint32_t any_declaration = ~0u;
// What has a value, or is a condition.
constexpr std::uint32_t values_and_conditions =
    Declares::Metric | Declares::Segment | Declares::Let | Declares::Tier | Declares::Audience;

struct Declared {
  Declares kind;
  std::size_t index = 0;  // among its kind, in the order of the text
  Symbol symbol;
  SourceSpan span;         // of the name
  SourceSpan alias_span;   // of the alias, if there is one
  bool by_engine = false;  // an event that needs no declaration
};

// --- Scopes ------------------------------------------------------------------------------------

// An event that a campaign has kept, by the name it can be read under.
struct Visible {
  std::string name;
  std::string alias;  // of an event's own name
  BindingId binding;
  EventTypeId type;
  bool always = true;     // false: some ways here do not have it, so that its fields are optional
  bool poisoned = false;  // its event is not known, which was told already
  bool by_as = false;     // the campaign gave it the name, at `span`
  SourceSpan span;
};

// What can be read at a place.
struct Scope {
  enum class Place { Anywhere, MetricWhere, OnSet, Content, UnsentContent, TestValue };
  Place place = Place::Anywhere;
  // The event that a `where` asks of.
  bool has_event = false;
  bool event_poisoned = false;
  EventTypeId event;                     // none: any event
  std::vector<std::string> event_names;  // under which it can be read as well: `c.sentiment`
  SourceSpan event_as;                   // where the first of these names was given with `as`
  const std::vector<Visible>* visible = nullptr;
  std::string_view campaign;  // that says the content
  SourceSpan said_at;         // where it does
};

// What the neighbourhood of a bare name makes of it.
struct Want {
  EnumId enumeration;       // then it may be one of these values
  std::uint32_t names = 0;  // then it may be the name of such a declaration, as text
};

// What a declaration has said, under names of the checker's own or the author's.
class Once {
 public:
  // Where it was said before, or null.
  const SourceSpan* before(const std::string& what, SourceSpan span) {
    const auto [first, is_new] = said_.emplace(what, span);
    return is_new ? nullptr : &first->second;
  }
  bool has(const std::string& what) const { return said_.count(what) != 0; }

 private:
  std::map<std::string, SourceSpan> said_;
};

class Checker {
 public:
  Checker(const std::vector<ast::File>& files, Language language, std::vector<Use>* uses,
          const ReadBeside& read, std::optional<std::uint32_t> only = {})
      : files_(files), language_(language), uses_(uses), read_(read), only_(only) {}
  Checked run();

 private:
  bool is_looked_into(SourceSpan span) const { return !only_ || span.source == *only_; }
  bool within_limits();

  // uses.cpp: told wherever a name is looked up; nothing is kept where nobody asked.
  void used(const ast::Name& written, SourceSpan named) const {
    if (uses_ != nullptr) uses_->push_back({written.span, named});
  }
  void declared_names() const;
  void used_event(const ast::Name& written, EventTypeId event) const;
  void used_field(const ast::Name& written, EventTypeId event, FieldId field) const;
  void used_attribute(const ast::Name& written, AttributeId attribute) const;
  void used_value(const ast::Name& written, EnumId enumeration, std::uint32_t value) const;

  // names.cpp
  void collect();
  void declare(Declares kind, std::size_t index, const ast::Name& name, const ast::Alias& alias);
  // The declaration of that name among `kinds`, by name or alias; a declared name goes before the
  // keyword that it may be. Null where there is none; says nothing.
  const Declared* find(const ast::Name& name, std::uint32_t kinds) const;
  // The same, but says what is wrong when there is none.
  const Declared* expect(const ast::Name& name, std::uint32_t kinds);
  const Declared* expect_event(const ast::Name& name);
  const Declared* expect_own_event(const ast::Name& name);
  bool is_to_everyone(EventTypeId type) const { return program_.schema[type].to_everyone; }
  EnumId enum_of(const ast::Expr& expr, EventTypeId where_of, int depth = 0) const;
  EnumId enum_of(const ast::Measure& measure) const;
  std::vector<std::string> names_of(std::uint32_t kinds) const;
  std::string describe(Declares kind) const;
  std::string describe_any(std::uint32_t kinds) const;
  void order_definitions();
  struct Definition {
    Declares kind;
    std::size_t index;
  };
  void collect_uses(const ast::Expr& expr, EventTypeId where_of, std::vector<std::size_t>& uses,
                    const std::map<std::pair<Declares, std::size_t>, std::size_t>& numbers) const;

  // Diagnostics.
  Diagnostic& report(Code code, SourceSpan span, std::initializer_list<std::string> arguments = {});
  std::string say(const char* english, const char* chinese) const {
    return language_ == Language::English ? english : chinese;
  }
  // The keyword in the reader's language.
  std::string word(std::string_view english) const;
  std::string describe(TextKind kind) const;
  // Adds "did you mean" where a candidate is like the word.
  void suggest(Diagnostic& diagnostic, std::string_view word,
               const std::vector<std::string>& candidates) const;
  void label(Diagnostic& diagnostic, SourceSpan span, const char* english,
             const char* chinese) const {
    diagnostic.labels.push_back({span, say(english, chinese)});
  }
  void said_twice(SourceSpan span, const std::string& what, SourceSpan first);
  // Is it said for the first time? Else that is reported. `what` is a keyword, or the author's name
  // of a setting.
  bool is_first(Once& once, const std::string& what, SourceSpan span);
  bool is_first(Once& once, const ast::Setting& setting);

  // schema.cpp
  void events();
  void customer();
  void customer_sets();
  void policy();
  void channels();
  std::optional<Opening> opening(const ast::ChannelOpening& from, const Symbol& channel);
  std::string private_field(const ast::Name& name) const;
  Type type_of(const ast::Type& type);
  Value default_of(const ast::Field& field, const Type& type);
  std::optional<std::uint32_t> enum_value(EnumId enumeration, const ast::Name& name) const;
  std::vector<std::string> enum_names(EnumId enumeration) const;
  FieldId find_field(EventTypeId event, const ast::Name& name) const;
  AttributeId find_attribute(const ast::Name& name) const;
  std::vector<std::string> field_names(EventTypeId event) const;
  std::vector<std::string> attribute_names() const;
  bool is_customer(const ast::Name& name) const;
  std::optional<CampaignClass> campaign_class(const ast::Name& name);
  std::optional<Cap> cap(const ast::CapLimit& limit);
  Cap places_kept(const ast::PolicyCap& cap);

  // tiers.cpp
  void declare_tiers();
  void audiences();
  void members(Audience& audience);
  void tiers();
  ExpressionId level(const Declared& tier, const ast::Name& name, SourceSpan span);
  std::optional<std::uint32_t> level_of(const Declared& tier, const ast::Name& name);
  Schedule schedule(const ast::Schedule& schedule);

  // types.cpp
  ExpressionId expression(const ast::Expr& expr, const Scope& scope, const Want& want = {});
  ExpressionId condition(const ast::Expr& expr, const Scope& scope);
  // An expression that must be of that type; int serves for number, and it may be missing.
  ExpressionId of_type(const ast::Expr& expr, const Scope& scope, const Type& wanted);
  std::pair<ExpressionId, ExpressionId> pair_of(const ast::Expr& left, const ast::Expr& right,
                                                const Scope& scope);
  bool resolves(const ast::Expr& expr, const Scope& scope) const;
  ExpressionId logical(Op op, const std::vector<ast::Expr>& operands, SourceSpan span,
                       const Scope& scope);
  ExpressionId or_(const ast::Or& node, SourceSpan span, const Scope& scope, const Want& want);
  ExpressionId list(const ast::List& node, SourceSpan span, const Scope& scope, const Want& want);
  ExpressionId text(const ast::TextLiteral& literal, const Scope& scope, bool is_content);
  ExpressionId inserted(const ast::Expr& expr, const Scope& scope, bool is_content);
  ExpressionId shown(const ast::Expr& expr, const Scope& scope);
  ExpressionId money(const ast::MoneyLiteral& literal);

  // Building.
  // `name` is what the definition's hash knows it by; `names` what a bare neighbour may name.
  ExpressionId add(Expression expression, std::string_view name = {}, std::uint32_t names = 0);
  ExpressionId poison(SourceSpan span);
  ExpressionId constant(Value value, Type type, SourceSpan span);
  ExpressionId unary(Op op, ExpressionId a, Type type, SourceSpan span);
  ExpressionId binary(Op op, ExpressionId a, ExpressionId b, Type type, SourceSpan span);
  ExpressionId to_number(ExpressionId id);
  // Makes an int a number where the other one is a number.
  void balance(ExpressionId& a, ExpressionId& b);
  Type type(ExpressionId id) const { return program_[id].type; }
  bool is_poison(ExpressionId id) const { return type(id).kind == Kind::Missing; }
  std::string describe(const Type& type) const;

  // paths.cpp
  ExpressionId path(const ast::Path& path, const Scope& scope, const Want& want);
  ExpressionId bare_name(const ast::Name& name, SourceSpan span, const Scope& scope,
                         const Want& want);
  ExpressionId customer_path(const ast::Path& path, const Scope& scope);
  ExpressionId declared_value(const Declared& declared, SourceSpan span, const Scope& scope);
  ExpressionId event_field(const Scope& scope, const ast::Name& field, SourceSpan span);
  ExpressionId binding_field(const Visible& visible, const ast::Name& field, SourceSpan span);
  Want want_of(ExpressionId other) const;
  static std::uint32_t names_meant(const EventType& event, const Field& field);
  bool reads_history(ExpressionId root) const;

  // operators.cpp
  ExpressionId compare(const ast::Compare& node, SourceSpan span, const Scope& scope);
  ExpressionId comparison(Op op, ExpressionId left, ExpressionId right, SourceSpan span);
  ExpressionId arithmetic(const ast::Arithmetic& node, SourceSpan span, const Scope& scope);
  ExpressionId in(const ast::In& node, SourceSpan span, const Scope& scope);
  ExpressionId contains(const ast::Contains& node, SourceSpan span, const Scope& scope);
  ExpressionId call(const ast::Call& node, SourceSpan span, const Scope& scope);
  ExpressionId fit_list(ExpressionId id, const Type& element);
  void mixes_and_or(const ast::Or& node, SourceSpan span);
  void missing_is_not_unequal(ExpressionId value, SourceSpan span);
  void asked_for_missing(ExpressionId either, std::size_t from);
  bool is_constant(ExpressionId id) const { return facts_[id.index()].constant; }
  // Comparisons of values that may be missing, where nothing in `asked` makes sure that they are
  // there.
  void missing_decides(ExpressionId condition, const std::vector<Hash128>& asked);
  void collect_asked(ExpressionId condition, std::vector<Hash128>& asked) const;
  void always_the_same(ExpressionId condition, SourceSpan span);

  // metrics.cpp
  void metric(std::size_t index);
  void segment(std::size_t index);
  void let(std::size_t index);
  MetricId measure(const ast::Measure& measure, Symbol symbol);
  std::optional<Type> metric_type(const ast::Measure& measure, EventTypeId event, FieldId field);

  // campaigns.cpp
  void campaigns();
  void campaign(std::size_t index);
  void clause(const ast::CampaignClause& clause, const Scope& scope);
  void enter_clause(const ast::EnterClause& clause, const Scope& scope);
  void goal_clause(const ast::GoalClause& clause, const Scope& scope);
  void leave_clause(const ast::LeaveClause& clause, const Scope& scope);
  void hold_out_clause(const ast::HoldOutClause& clause);
  void priority_clause(const ast::PriorityClause& clause);
  void period_clause(const ast::FromToClause& clause);
  // The triggers of a group, with what each of them keeps.
  TriggerGroup trigger_group(const ast::TriggerGroup& group,
                             std::vector<std::vector<Visible>>& kept);
  // What can be read where any of these may have led.
  static std::vector<Visible> merge(const std::vector<std::vector<Visible>>& ways);
  std::optional<Trigger> trigger(const ast::Trigger& trigger, std::vector<Visible>& visible);
  std::optional<Trigger> event_trigger(const ast::EventTrigger& trigger,
                                       std::vector<Visible>& visible);
  std::optional<Trigger> called_trigger(const ast::CalledTrigger& trigger);
  std::optional<Trigger> date_trigger(const ast::DateTrigger& trigger, ExpressionId condition);
  // The events of a pattern; its `where` may read what is visible. Poisoned patterns have no type
  // and `ok` is false.
  struct Pattern {
    EventPattern pattern;
    bool ok = true;
  };
  Pattern pattern(const ast::EventPattern& pattern, const std::vector<Visible>& visible);
  // Keeps the event of a pattern under its name.
  BindingId bind(const ast::EventPattern& pattern, const Pattern& checked,
                 std::vector<Visible>& visible, bool of_trigger);
  std::optional<Span> length(const std::optional<ast::DurationLiteral>& literal,
                             const char* what_english, const char* what_chinese);
  Span length(const ast::DurationLiteral& literal, const char* what_english,
              const char* what_chinese);
  std::optional<std::int64_t> whole_number(const ast::Expr& expr, std::int64_t least,
                                           std::int64_t most, const char* english,
                                           const char* chinese);
  std::optional<Timestamp> instant(const ast::Expr& expr);

  // steps.cpp
  Block block(const std::vector<ast::Step>& steps, std::vector<Visible> visible,
              std::vector<Hash128> asked);
  Block block(const std::optional<ast::Block>& block, const std::vector<Visible>& visible,
              const std::vector<Hash128>& asked);
  void send(const ast::SendStep& step, const std::vector<Visible>& visible, Block& out);
  void wait_until(const ast::WaitUntilStep& step, const std::vector<Visible>& visible, Block& out);
  void wait_for(const ast::WaitForStep& step, std::vector<Visible>& visible,
                const std::vector<Hash128>& asked, Block& out);
  void if_(SourceSpan span, const std::vector<ast::IfStep::Branch>& branches,
           const std::optional<ast::Block>& otherwise, const std::vector<Visible>& visible,
           const std::vector<Hash128>& asked, Block& out);
  void set(const ast::SetStep& step, const std::vector<Visible>& visible, Block& out);
  void reply(const ast::ReplyStep& step, const std::vector<Visible>& visible, Block& out);
  Message said_here(std::size_t content, SourceSpan at, const std::vector<Visible>& visible);
  void unreachable(const std::vector<ast::Step>& steps);
  static bool always_stops(const std::vector<ast::Step>& steps);
  static bool always_stops(const ast::Step& step);
  Message message(std::size_t content, const Scope& scope);
  using TemplateValues = std::vector<std::pair<std::string, ExpressionId>>;
  TemplateValues template_values(const ast::ContentTemplate& from, const Scope& scope);
  MessageId keep(Message message);
  void contents();
  // Has the message something for the channel? Whether the channel may carry it is asked later.
  void fits_channel(const Message& message, ChannelId channel, SourceSpan at);

  // acts.cpp
  void tag(const ast::TagStep& step, Block& out);
  void split(const ast::SplitStep& step, const std::vector<Visible>& visible,
             const std::vector<Hash128>& asked, Block& out);
  void repeat(const ast::RepeatStep& step, const std::vector<Visible>& visible,
              const std::vector<Hash128>& asked, Block& out);
  void emit(const ast::EmitStep& step, const std::vector<Visible>& visible, Block& out);
  void notify(const ast::NotifyStep& step, const std::vector<Visible>& visible, Block& out);
  void call_webhook(const ast::CallStep& step, const std::vector<Visible>& visible, Block& out);
  void start(const ast::StartStep& step, Block& out);

  // flow.cpp
  struct Way;
  bool never_hold(const std::vector<ExpressionId>& conditions, bool is_not = false) const;
  void same_parts(ExpressionId condition, SourceSpan span);
  void asked_before(const std::vector<ExpressionId>& chain);
  void waits_outlast(const ast::CampaignDecl& campaign, const ast::DateRange& period);
  void marketing_without_consent();
  void two_on_one_event();

  // levels.cpp: may an inviter be rewarded at the third level, by whatever way?
  void levels();

  // private.cpp
  struct Holds;
  // Texts that leave by a channel, to be asked for what is private in them.
  struct Leaving {
    ChannelId channel;
    SourceSpan at;
    std::vector<ExpressionId> texts;
    std::size_t campaign = none_;  // that says them
  };
  static constexpr std::size_t none_ = ~std::size_t{0};
  void privacy();
  std::set<std::string> held(ExpressionId root, const Holds& holds, EventTypeId where_of,
                             const Campaign* campaign) const;
  SourceSpan reader_of(ExpressionId text, const std::string& name, const Holds& holds,
                       const Leaving& leaving) const;

  // bounds.cpp: what is more than there is
  void worst_case(const Incentive& incentive);
  void costs_more(const Incentive& incentive, std::int64_t all, std::int64_t one,
                  const Budget& budget);
  void never_counted(const std::vector<Budget>& budgets);
  void fits_at_all(const Gift& gift, SourceSpan at, bool or_what_is_left);
  bool has_ceiling(const Gift& gift, const std::vector<Budget>& budgets);
  void gives_too_much(const Campaign& campaign);
  void gives_too_much(const Campaign& campaign, const Budget& budget, IncentiveId only);
  void gives_too_much(const Referral& referral);
  void gives_too_much(const Referral& referral, const Budget& budget, IncentiveId only);
  void no_limit(const Campaign& campaign);
  const Budget* spent_without_limit(IncentiveId id, const Budget* around) const;
  void exceeds(Code code, const std::string& what, const Budget& budget);
  std::string amount_shown(std::int64_t amount, bool is_money) const;
  std::string period_shown(const Per& per) const;
  std::string amount_of_it(const Incentive& of, std::int64_t amount, bool is_money) const;
  std::string all_shown(const Given& given, bool is_money, const std::string& others) const;

  // incentives.cpp
  void incentives();
  void red_packet(const ast::RedPacketDecl& decl, Incentive& out);
  void coupon(const ast::CouponDecl& decl, Incentive& out);
  void coupon_off(const ast::CouponOff& off, Coupon& out);
  void codes_apart();
  void points(const ast::PointsDecl& decl, Incentive& out);
  void prize_draw(const ast::PrizeDrawDecl& decl, Incentive& out);
  void referral(const ast::ReferralDecl& decl, Referral& out);
  std::optional<Per> per(const std::optional<ast::Period>& period);
  void budgets(const ast::BudgetClause& clause, std::string_view unit, std::vector<Budget>& out);
  void limits(const ast::LimitClause& clause, bool of_money, std::vector<Limit>& out);
  void policy_limits();
  void referral_budgets(const ast::BudgetClause& clause, Referral& out);
  std::optional<std::int64_t> amount_of_money(const ast::Expr& expr, std::int64_t least = 1);
  std::optional<Gift> gift(const ast::Gift& gift, const Scope& scope);
  void give(const ast::GiveStep& step, const std::vector<Visible>& visible,
            const std::vector<Hash128>& asked, Block& out);
  void claw_back(const ast::ClawBackStep& step, Block& out);
  void given_codes(const ast::GivenCodes& given, Test& test);
  void take(const ast::TakeStep& step, const std::vector<Visible>& visible,
            const std::vector<Hash128>& asked, Block& out);
  ExpressionId grant_read(const GrantRead& read, Type type, std::string_view name, SourceSpan span);
  ExpressionId points_held(const Declared& declared, SourceSpan span);
  ExpressionId grant_field(const Declared& declared, const ast::Name& field, SourceSpan span);
  bool is_points(const Declared& declared) const;
  void test_claims(const ast::TestClaims& claims, const ast::Expr& at, Test& test);
  void test_redeem(const ast::TestRedeem& redeem, const ast::Expr& at, Test& test);
  void order_fact(const ast::Setting& setting, TestRedeem& out);
  void expect_claimed(const ast::ExpectClaimed& expected, bool since_last_stop, Test& test);
  void test_amount(const ast::ExpectAction& expectation, IncentiveId incentive, ExpectAction& out);

  // tests.cpp
  void tests();
  void test(const ast::TestDecl& test);
  void given(const ast::GivenCustomer& given, Test& test);
  void given_level(const Declared& tier, const ast::Setting& setting, GivenCustomer& out);
  void test_event(const ast::TestEvent& event, std::optional<Timestamp> at, Test& test);
  void expect_action(const ast::ExpectAction& expectation, bool since_last_stop, Test& test);
  TestCustomer test_customer(const ast::Name& name, Test& test);
  std::optional<Value> fixed(const ast::Expr& expr, const Type& wanted);
  std::optional<Value> fixed_setting(const ast::Setting& setting, const Type& type);
  void consents(const ast::Setting& setting, GivenCustomer& out);

  const std::vector<ast::File>& files_;
  Language language_;
  std::vector<Use>* uses_;  // where asked for
  const ReadBeside& read_;
  const std::optional<std::uint32_t> only_;  // the one file that is looked into; none: all
  Program program_;
  std::vector<Diagnostic> diagnostics_;
  // Where K0505 was said, and of what.
  std::vector<std::pair<SourceSpan, Hash128>> unequal_;

  std::vector<Declared> declared_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_name_;
  // Where the values of each enumeration are named; more than once, where two are one type.
  std::vector<std::vector<std::pair<std::uint32_t, SourceSpan>>> enum_places_;
  const ast::CustomerDecl* customer_ = nullptr;
  const ast::PolicyDecl* policy_ = nullptr;
  std::vector<const ast::EventDecl*> events_;
  std::vector<const ast::MetricDecl*> metrics_;
  std::vector<const ast::SegmentDecl*> segments_;
  std::vector<const ast::LetDecl*> lets_;
  std::vector<const ast::ContentDecl*> contents_;
  std::vector<const ast::ChannelDecl*> channels_;
  std::vector<const ast::TierDecl*> tiers_;
  std::vector<const ast::AudienceDecl*> audiences_;
  std::vector<const ast::CampaignDecl*> campaigns_;
  std::vector<const ast::TestDecl*> tests_;
  std::vector<std::variant<const ast::RedPacketDecl*, const ast::CouponDecl*,
                           const ast::PointsDecl*, const ast::PrizeDrawDecl*>>
      incentives_;
  std::vector<const ast::ReferralDecl*> referrals_;

  std::map<std::pair<Declares, std::size_t>, bool> cyclic_;
  std::vector<MetricId> metric_ids_;   // by declaration; none: poisoned
  std::vector<ExpressionId> let_ids_;  // by declaration
  std::map<Hash128, MetricId> metric_by_definition_;
  std::map<Hash128, MessageId> message_by_definition_;
  std::vector<bool> sent_;  // by content
  std::vector<Leaving> leaves_by_;
  std::vector<std::set<std::string>> cleared_;  // by channel: what may leave by it
  std::set<std::string> test_links_;            // that the test under way was handed out
  Campaign* current_ = nullptr;                 // the campaign under way
  std::vector<Visible> trigger_names_;          // what its triggers keep
  std::size_t steps_ = 0;                       // that it has so far
  std::size_t repeats_ = 0;                     // of them
  const ast::CampaignDecl* current_ast_ = nullptr;

  // What is known of an expression beside its own fields.
  struct ExpressionFacts {
    int depth = 1;
    bool constant = false;        // reads nothing
    bool reads_customer = false;  // attributes, metrics, segments, identity
    std::uint32_t names = 0;      // declarations that a bare name beside it may be
  };
  std::vector<ExpressionFacts> facts_;
};

}  // namespace koi::check
