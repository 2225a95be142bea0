// The tree of a Koi file: what was written, in the author's order, with names not yet resolved.
// Plain structs; every node has the span of its text. Clauses stand in vectors in the order of the
// text, so that the formatter keeps it and the checker sees what was said twice.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/decimal.h"
#include "base/source.h"
#include "base/time.h"

namespace koi::lang::ast {

// A value on the heap that copies like a value. Never empty, but for one that was moved from.
template <class T>
class Box {
 public:
  Box(T value) : value_(std::make_unique<T>(std::move(value))) {}
  Box(const Box& other) : value_(std::make_unique<T>(*other.value_)) {}
  Box(Box&&) noexcept = default;
  Box& operator=(const Box& other) {
    if (this != &other) value_ = std::make_unique<T>(*other.value_);
    return *this;
  }
  Box& operator=(Box&&) noexcept = default;
  ~Box() = default;

  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return value_.get(); }
  const T* operator->() const { return value_.get(); }

 private:
  std::unique_ptr<T> value_;
};

// A name as it was written, without back-quotes. Where a Chinese keyword or the Chinese name of
// something that is always there stands for a name, `keyword` is its English spelling, so that
// `顾客.城市` begins as `customer.city` does, and `营销` is `marketing`; else it is empty, for
// back-quoted words too. What the program declares under the written text goes before it.
struct Name {
  std::string text;
  SourceSpan span;
  std::string_view keyword = {};  // in static storage

  // The spelling by which built-in names are found.
  std::string_view canonical() const { return keyword.empty() ? std::string_view(text) : keyword; }
};

using Alias =
    std::optional<Name>;  // the quoted second name of a declaration; its span has the quotes

// Text in quotes into which nothing is inserted (a test's name, a file's name).
struct PlainText {
  std::string text;
  SourceSpan span;
};

// ---------------------------------------------------------------------------------- expressions

struct Expr;

// `a.b.c`, never empty.
struct Path {
  std::vector<Name> names;
  SourceSpan span;
};

struct TextChunk {
  std::string text;  // escapes and doubled braces resolved
  SourceSpan span;
};
// Text with what is inserted into it: `"{customer.name or "you"}, welcome"`.
struct TextLiteral {
  std::vector<std::variant<TextChunk, Box<Expr>>> parts;
  SourceSpan span;
};
struct NumberLiteral {
  Decimal value;
};
struct PercentLiteral {
  Decimal value;  // 15% is 0.15
};
// The amount as digits with at most one point ("12.50"); how many decimals the currency has is the
// checker's to know.
struct MoneyLiteral {
  std::string amount;
  std::string currency;  // ISO 4217; ¥ and 元 are CNY, $ is USD, € is EUR, £ is GBP
  SourceSpan span;
};
struct DurationLiteral {
  Span value;
  SourceSpan span;
};
struct TimeLiteral {
  TimeOfDay value;
  SourceSpan span;
};
struct DateLiteral {
  Date value;
  SourceSpan span;
};
struct LocalTimeLiteral {  // in the program's time zone
  LocalTime value;
};
struct InstantLiteral {
  Timestamp value;
};
struct BoolLiteral {
  bool value = false;
};

struct Not {
  Box<Expr> operand;
};
struct Negate {
  Box<Expr> operand;
};
// `a and b and c` is one node, so that a long condition is not a deep one.
struct And {
  std::vector<Expr> operands;
};
// Of conditions, or `x or y`: the value of an optional, else the default.
struct Or {
  std::vector<Expr> operands;
};
enum class CompareOp { Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual };
struct Compare {
  CompareOp op;
  Box<Expr> left;
  Box<Expr> right;
};
enum class ArithmeticOp { Add, Subtract, Multiply, Divide };
struct Arithmetic {
  ArithmeticOp op;
  Box<Expr> left;
  Box<Expr> right;
};
// `in S` (the customer), `x in [a, b]`, `x not in xs`.
struct In {
  std::optional<Box<Expr>> left;
  bool negated = false;  // written `not in` after a left side; before one it is a Not
  Box<Expr> right;       // a Path or a List
};
struct Contains {
  Box<Expr> left;
  bool any_of = false;
  Box<Expr> right;  // a List with any_of, as a rule
};
struct Known {
  Box<Expr> operand;
  bool known = true;  // false: `is missing`
};
struct Call {
  Name function;
  std::vector<Expr> arguments;
};
struct List {
  std::vector<Expr> items;
};

enum class Aggregate {
  Count,
  Sum,
  Average,
  Min,
  Max,
  First,
  Last,
  Distinct,
  TimeSinceLast,
  StreakOfDays,
  Ever,
  Never,
  MostFrequent,
  Values,
};
enum class CalendarUnit { Day, Week, Month, Year };

struct Window {
  SourceSpan span;
  std::variant<Span, CalendarUnit> length;  // `over 30 days` | `this month`
};
// What a metric is; as an expression, a metric without a name.
struct Measure {
  SourceSpan span;
  Aggregate aggregate = Aggregate::Count;
  bool any_event = false;  // then `event` is the words `any event`
  Path event;              // `purchase`, or `purchase.amount` where a field is meant
  std::optional<Box<Expr>> where;
  std::optional<Window> window;  // none: the lifetime
};

struct Expr {
  SourceSpan span;
  std::variant<TextLiteral, NumberLiteral, PercentLiteral, MoneyLiteral, DurationLiteral,
               TimeLiteral, DateLiteral, LocalTimeLiteral, InstantLiteral, BoolLiteral, Path, Not,
               Negate, And, Or, Compare, Arithmetic, In, Contains, Known, Call, List, Measure>
      kind;
  bool in_parentheses = false;  // the span includes them
};

// ------------------------------------------------------------------------------- shared phrases

// `purchase as p where amount > ¥5`, `any event`.
struct EventPattern {
  SourceSpan span;
  bool any = false;
  Name event;  // with `any`, the words
  std::optional<Name> as;
  std::optional<Expr> where;
};

// `name: value` in braces: an event's fields in a test, `emit`, `call`, `given customer`.
struct Setting {
  SourceSpan span;
  Name name;
  std::vector<Expr> values;  // `a, b` are two; never empty
};

struct EveryDay {};
struct EveryWeekday {
  int weekday = 0;  // 0 Monday … 6 Sunday
};
struct EveryMonthDay {
  int day = 1;
};
// `every day at 09:00`, `every monday at …`, `on the 1st of each month at …`.
struct Schedule {
  SourceSpan span;
  std::variant<EveryDay, EveryWeekday, EveryMonthDay> when;
  TimeLiteral at;
};

// `per day`, `per calendar day`, `per 30 days`.
struct Period {
  SourceSpan span;
  bool calendar = false;  // written `calendar`
  std::variant<Span, CalendarUnit> length;
};

// `budget 100_000 messages`, `¥5_000.00 per day`.
struct BudgetItem {
  SourceSpan span;
  Expr amount;             // money or a number
  std::optional<Name> of;  // messages, issued, draws
  std::optional<Period> per;
};
struct BudgetClause {
  SourceSpan span;
  std::vector<BudgetItem> items;
};

// `limit 1 per customer per 30 days`, `¥50.00 per customer per month`.
struct LimitItem {
  SourceSpan span;
  Expr amount;  // a number, or money in a policy
  Path per;     // customer, device, …
  std::optional<Period> period;
};
struct LimitClause {
  SourceSpan span;
  std::vector<LimitItem> items;
};

// `from 2026-03-01 to 2026-03-31`, both days whole.
struct DateRange {
  SourceSpan span;
  DateLiteral from;
  DateLiteral to;
};

// What `give` gives: `ten_off`, `500 stars`, `(p.amount / ¥1.00) stars`.
struct Gift {
  SourceSpan span;
  std::optional<Expr> amount;
  Name incentive;
};

// ------------------------------------------------------------------------------------ vocabulary

enum class TypeKind {
  Text,
  Number,
  Int,
  Money,
  Bool,
  Time,
  Date,
  Instant,
  Duration,
  Phone,
  Email,
  Url,
  Code,
  Enum,
};
struct EnumValue {
  SourceSpan span;
  Name name;
  Alias alias;
};
struct Type {
  SourceSpan span;
  TypeKind kind = TypeKind::Text;
  std::vector<EnumValue> values;  // of an Enum
  bool list = false;              // `list of T`
  bool optional = false;          // `T?`
};
struct Field {
  SourceSpan span;
  Name name;
  Alias alias;
  Type type;
  std::optional<Expr> default_value;
  bool is_private = false;
};

struct EventDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  bool to_everyone = false;
  std::vector<Field> fields;
};

struct Assignment {
  SourceSpan span;
  Path target;
  Expr value;
};
struct IdentifyBy {
  SourceSpan span;
  std::vector<Name> names;
};
// `on register set name = register.name, city = register.city`.
struct OnEvent {
  SourceSpan span;
  EventPattern event;
  std::vector<Assignment> assignments;
};
struct CustomerDecl {
  SourceSpan span;
  Alias alias;
  std::vector<std::variant<Field, IdentifyBy, OnEvent>> items;
};

struct MetricDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  Measure measure;
};
struct SegmentDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  Expr when;
};
struct LetDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  Expr value;
};

struct TopShare {
  Expr share;  // a percent
};
struct NextShare {
  Expr share;
};
struct TheRest {};
struct TierLevel {
  SourceSpan span;
  Name name;
  Alias alias;
  std::variant<TopShare, NextShare, TheRest> share;
};
struct TierDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  Expr by;
  std::optional<Expr> among;
  std::optional<Schedule> refreshed;
  bool quintiles = false;  // `into quintiles`: then there are no levels
  std::vector<TierLevel> levels;
};
struct AudienceDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  PlainText file;
  Name by;
};

// --------------------------------------------------------------------------- content and channels

struct ContentItem;
struct ContentTitle {
  SourceSpan span;
  TextLiteral text;
};
struct ContentBody {
  SourceSpan span;
  TextLiteral text;
};
struct ContentLink {
  SourceSpan span;
  TextLiteral text;
};
// `template "SMS_1234" { name: customer.name }`: the provider's own template and its parameters.
struct ContentTemplate {
  SourceSpan span;
  PlainText id;
  std::vector<Setting> parameters;
};
struct ContentForChannel {
  SourceSpan span;
  std::vector<Name> channels;
  std::vector<ContentItem> items;
};
struct ContentForLanguage {
  SourceSpan span;
  PlainText language;  // `language "en" { … }`
  std::vector<ContentItem> items;
};
struct ContentItem {
  std::variant<ContentTitle, ContentBody, ContentLink, ContentTemplate, ContentForChannel,
               ContentForLanguage>
      kind;
};
struct ContentDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  std::vector<ContentItem> items;
};

struct ChannelClass {
  SourceSpan span;
  Name name;  // conversation, broadcast, direct
};
struct ChannelCost {
  SourceSpan span;
  Expr cost;
};
struct ChannelRate {
  SourceSpan span;
  Expr messages;
  Span per;
};
struct ChannelClearedFor {
  SourceSpan span;
  std::vector<Name> attributes;
};
struct ChannelReachBy {
  SourceSpan span;
  Name identifier;
};
// `48 hours after replied where kind == "text" up to 5`: what lets messages follow it.
struct ChannelOpening {
  SourceSpan span;
  DurationLiteral lasts;
  EventPattern event;  // without `as`
  std::optional<Expr> messages;
};
struct ChannelOpen {
  SourceSpan span;
  std::vector<ChannelOpening> openings;
};
struct ChannelDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  std::vector<std::variant<ChannelClass, ChannelCost, ChannelRate, ChannelClearedFor,
                           ChannelReachBy, ChannelOpen>>
      clauses;
};
struct TeamDecl {
  SourceSpan span;
  Name name;
  Alias alias;
};
struct WebhookDecl {
  SourceSpan span;
  Name name;
  Alias alias;
};

// ------------------------------------------------------------------------------------ incentives

// `off ¥10.00 on orders from ¥50.00`, `off 15% up to ¥30.00 … where category in [..]`.
struct CouponOff {
  SourceSpan span;
  Expr amount;  // money or a percent
  std::optional<Expr> up_to;
  std::optional<Expr> orders_from;
  std::optional<Expr> where;
};
struct CodesGenerated {
  SourceSpan span;
  PlainText pattern;
};
struct CodesFromPool {
  SourceSpan span;
  PlainText file;
  std::optional<Expr> low_at;
};
struct Valid {
  SourceSpan span;
  std::variant<DurationLiteral, DateRange> length;
};
struct CombineWith {
  SourceSpan span;
  std::vector<Name> names;  // `none`, `any`, or coupons
};
struct CouponDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  std::vector<std::variant<CouponOff, CodesGenerated, CodesFromPool, Valid, CombineWith,
                           BudgetClause, LimitClause>>
      clauses;
};

struct FixedAmount {
  SourceSpan span;
  Expr amount;
};
struct RandomAmount {
  SourceSpan span;
  Expr from;
  Expr to;
  std::optional<Expr> average;
};
struct GroupTotal {
  SourceSpan span;
  Expr total;
  Expr among;
  bool by_luck = false;  // false: equally
  std::optional<Expr> at_least;
};
struct ClaimWithin {
  SourceSpan span;
  DurationLiteral within;
};
struct PayVia {
  SourceSpan span;
  Name channel;
};
struct Wishes {
  SourceSpan span;
  TextLiteral text;
};
struct RedPacketDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  std::vector<std::variant<FixedAmount, RandomAmount, GroupTotal, ClaimWithin, PayVia, Wishes,
                           BudgetClause, LimitClause>>
      clauses;
};

struct PointsExpire {
  SourceSpan span;
  DurationLiteral after;
};
struct PointsWorth {
  SourceSpan span;
  Expr money;
};
struct PointsPending {
  SourceSpan span;
  DurationLiteral until;
};
struct PointsDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  std::vector<std::variant<PointsExpire, PointsPending, PointsWorth, BudgetClause, LimitClause>>
      clauses;
};

struct Prize {
  SourceSpan span;
  std::variant<PlainText, Gift> what;
  Expr weight;
  std::optional<Expr> stock;
};
struct PrizeDrawDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  std::vector<std::variant<Prize, BudgetClause, LimitClause>> clauses;
};

struct ReferralLink {
  SourceSpan span;
  TextLiteral text;
};
struct ReferralBind {
  SourceSpan span;
  bool first_touch = true;
  std::optional<DurationLiteral> within;
};
struct ReferralQualify {
  SourceSpan span;
  EventPattern when;
  std::optional<DurationLiteral> within;
};
struct ReferralReward {
  SourceSpan span;
  bool inviter = true;  // false: the invitee
  Gift gift;
  std::optional<Name> at;  // an event, as `at register`
  // So many times `of inviter` stands behind `inviter`: of each who brought him who stands before.
  std::size_t above = 0;
};
struct ReferralMilestone {
  SourceSpan span;
  Expr friends;
  Gift gift;
  bool to_invitee = false;
};
struct ReferralRefuse {
  SourceSpan span;
  struct Reason {
    SourceSpan span;
    std::vector<Name> words;  // `same device`
  };
  std::vector<Reason> reasons;
};
struct ReferralReview {
  SourceSpan span;
  Expr more_than;
  DurationLiteral within;
};
struct ReferralClawBack {
  SourceSpan span;
  EventPattern when;
  std::optional<DurationLiteral> within;
};
struct ReferralDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  std::vector<
      std::variant<ReferralLink, ReferralBind, ReferralQualify, ReferralReward, ReferralMilestone,
                   ReferralRefuse, ReferralReview, ReferralClawBack, LimitClause, BudgetClause>>
      clauses;
};

// ----------------------------------------------------------------------------- campaign clauses

struct ClassClause {
  SourceSpan span;
  Name name;  // marketing, transactional, service
};
struct ForClause {
  SourceSpan span;
  Expr condition;
};
struct EnterClause {
  SourceSpan span;
  bool always = false;      // else once
  std::optional<Path> per;  // `once per cart.sku`
  std::optional<DurationLiteral> every;
};
struct HoldOutClause {
  SourceSpan span;
  Expr share;  // a percent
};
struct GoalClause {
  SourceSpan span;
  EventPattern event;
  std::optional<DurationLiteral> within;
};
// `leave when purchase where …` is an EventPattern. A bare name (`leave when staff`) is one too:
// the checker finds out whether it is an event or a condition. Every other condition is an Expr.
struct LeaveClause {
  SourceSpan span;
  std::variant<EventPattern, Expr> when;
};
struct FromToClause {
  SourceSpan span;
  DateRange range;
};
struct PriorityClause {
  SourceSpan span;
  Expr value;
};
using CampaignClause = std::variant<ClassClause, ForClause, EnterClause, HoldOutClause, GoalClause,
                                    LeaveClause, BudgetClause, FromToClause, PriorityClause>;

// ---------------------------------------------------------------------------------------- policy

struct PolicyTimeZone {
  SourceSpan span;
  PlainText zone;
};
struct PolicyCurrency {
  SourceSpan span;
  Name currency;
};
struct PolicyQuietHours {
  SourceSpan span;
  TimeLiteral from;
  TimeLiteral to;
  bool drop = false;  // else delay, which is also what silence means
};
// `3 per week`, `1 per calendar day`.
struct CapLimit {
  SourceSpan span;
  Expr count;
  Period per;
};
// `1 more for priority >= 80`.
struct CapMore {
  SourceSpan span;
  Expr count;
  CompareOp op = CompareOp::GreaterEqual;
  Expr priority;
};
struct PolicyCap {
  SourceSpan span;
  Name of;  // a class or a channel
  std::vector<std::variant<CapLimit, CapMore>> items;
};
struct PolicyConsent {
  SourceSpan span;
  bool required = true;
  std::vector<Name> classes;
};
struct PolicyLateness {
  SourceSpan span;
  DurationLiteral value;
};
struct PolicyCampaigns {
  SourceSpan span;
  std::vector<CampaignClause> clauses;
};
struct PolicyDecl {
  SourceSpan span;
  std::vector<std::variant<PolicyTimeZone, PolicyCurrency, PolicyQuietHours, PolicyCap,
                           PolicyConsent, PolicyLateness, PolicyCampaigns, LimitClause>>
      clauses;
};

// -------------------------------------------------------------------------------------- triggers

// `then B as b where … without C within D`.
struct ThenPart {
  SourceSpan span;
  EventPattern event;
  std::vector<EventPattern> without;
  std::optional<DurationLiteral> within;
};
// `when A [then B …]… [and no C …]… [within D]`. With neither parts nor absences: the event alone.
// `within` is the last one written when absences follow; a sequence's stands in its parts.
struct EventTrigger {
  SourceSpan span;
  EventPattern event;
  std::vector<ThenPart> then;
  std::vector<EventPattern> absent;
  std::optional<DurationLiteral> within;
};
struct ReachesTrigger {  // `when METRIC reaches N`
  SourceSpan span;
  Expr value;
  Expr threshold;
};
struct EntersTrigger {  // `when enters S`
  SourceSpan span;
  Expr condition;
};
struct LeavesTrigger {
  SourceSpan span;
  Expr condition;
};
struct CalledTrigger {
  SourceSpan span;
};
struct AtTrigger {  // `at 2026-11-11 20:00 for S`
  SourceSpan span;
  Expr at;  // a LocalTimeLiteral or an InstantLiteral
  std::optional<Expr> condition;
};
struct ScheduleTrigger {  // `every day at 09:00 for S`
  SourceSpan span;
  Schedule schedule;
  std::optional<Expr> condition;
};
struct DateTrigger {  // `on customer.birthday at 09:00`, `3 days before customer.renewal at …`
  SourceSpan span;
  std::optional<DurationLiteral> offset;
  bool before = true;  // else after; says nothing without an offset
  Path date;
  std::optional<TimeLiteral> at;
  std::optional<Expr> condition;
};
using Trigger = std::variant<EventTrigger, ReachesTrigger, EntersTrigger, LeavesTrigger,
                             CalledTrigger, AtTrigger, ScheduleTrigger, DateTrigger>;

// ----------------------------------------------------------------------------------------- steps

struct Step;

struct Block {
  SourceSpan span;  // with the braces
  std::vector<Step> steps;
};
struct SendStep {
  SourceSpan span;
  Name content;
  std::vector<Name> channels;              // in the order in which they are tried; never empty
  std::optional<DurationLiteral> within;   // not delivered later than that
  std::optional<DurationLiteral> or_wait;  // `or wait up to D`
};
struct ReplyStep {  // `reply C to c`
  SourceSpan span;
  Name content;
  Name to;
  std::optional<DurationLiteral> within;
};
struct GiveStep {
  SourceSpan span;
  Gift gift;
  bool to_inviter = false;
  bool or_what_is_left = false;
  std::optional<Block> otherwise;
};
struct ClawBackStep {
  SourceSpan span;
  Name incentive;
};
struct TakeStep {
  SourceSpan span;
  Gift gift;
  std::optional<Block> then;
  std::optional<Block> otherwise;
};
struct WaitStep {
  SourceSpan span;
  DurationLiteral length;
};
struct WeekdayTime {
  int weekday = 0;  // 0 Monday … 6 Sunday
  TimeLiteral at;
};
// `live.starts`, `3 days before first_order.valid_until at 10:00`, `2026-11-11 20:00`.
struct Moment {
  std::optional<DurationLiteral> offset;
  bool before = true;  // else after; says nothing without an offset
  Expr anchor;
  std::optional<TimeLiteral> at;
};
struct WaitUntilStep {
  SourceSpan span;
  std::variant<TimeLiteral, WeekdayTime, Moment> until;
};
struct WaitForStep {
  SourceSpan span;
  EventPattern event;
  DurationLiteral up_to;
  std::optional<Block> then;
  std::optional<Block> otherwise;
};
struct IfStep {
  SourceSpan span;
  struct Branch {
    SourceSpan span;
    Expr condition;
    Block block;
  };
  std::vector<Branch> branches;  // if, else if, …; never empty
  std::optional<Block> otherwise;
};
struct SplitStep {
  SourceSpan span;
  struct Arm {
    SourceSpan span;
    Expr share;  // a percent
    std::optional<PlainText> name;
    Block block;
  };
  std::vector<Arm> arms;
};
struct ChooseStep {  // `choose first { when … { … } else { … } }`
  SourceSpan span;
  std::vector<IfStep::Branch> branches;
  std::optional<Block> otherwise;
};
struct TagStep {
  SourceSpan span;
  bool remove = false;  // `untag`
  PlainText tag;
};
struct SetStep {
  SourceSpan span;
  std::vector<Assignment> assignments;
};
struct EmitStep {
  SourceSpan span;
  Name event;
  std::vector<Setting> fields;
};
struct NotifyStep {
  SourceSpan span;
  Name team;
  TextLiteral text;
  std::optional<DurationLiteral> within;
};
struct CallStep {
  SourceSpan span;
  Name webhook;
  std::vector<Setting> fields;
};
struct StartStep {
  SourceSpan span;
  Name campaign;
};
struct RepeatStep {
  SourceSpan span;
  DurationLiteral every;
  Expr at_most;
  Block block;
};
struct StopStep {
  SourceSpan span;
};
struct Step {
  std::variant<SendStep, ReplyStep, GiveStep, ClawBackStep, TakeStep, WaitStep, WaitUntilStep,
               WaitForStep, IfStep, SplitStep, ChooseStep, TagStep, SetStep, EmitStep, NotifyStep,
               CallStep, StartStep, RepeatStep, StopStep>
      kind;
};

// Triggers one after another share the steps that follow.
struct TriggerGroup {
  SourceSpan span;
  std::vector<Trigger> triggers;  // never empty
  std::vector<Step> steps;        // empty only where an error was reported
};
struct CampaignDecl {
  SourceSpan span;
  Name name;
  Alias alias;
  std::vector<CampaignClause> clauses;
  std::vector<TriggerGroup> groups;
  bool is_broken = false;  // a part of it could not be read, and was reported
};

// ----------------------------------------------------------------------------------------- tests

// An instant in a test: a LocalTimeLiteral or an InstantLiteral (or a date, which is its midnight).
struct GivenCustomer {
  SourceSpan span;
  Name customer;
  std::vector<Setting> settings;
};
struct GivenFailure {  // `given wechat fails with unreachable`
  SourceSpan span;
  Name channel;
  Name reason;
};
struct GivenCodes {  // `given codes from pool "FILE" ["A1", "A2"]`
  SourceSpan span;
  PlainText pool;
  std::vector<PlainText> codes;
};
struct TestEvent {  // `ann purchase { amount: ¥99.00 }`
  SourceSpan span;
  bool everyone = false;  // `everyone price_drop { … }`
  Name customer;
  Name event;
  std::vector<Setting> fields;
};
struct TestGetsLink {  // `ann gets link bring_a_friend as l`
  SourceSpan span;
  Name customer;
  Name referral;
  Name as;
};
struct TestClaims {  // `10 customers claim lucky_share of ann`
  SourceSpan span;
  Expr count;
  Name incentive;
  Name of;
};

struct TestRedeem {  // `redeem first_order of ann { amount: ¥120.00 }`
  enum class Deed { Redeem, Lock, RollBack };
  SourceSpan span;
  Deed deed = Deed::Redeem;
  Name coupon;
  Name of;
  std::vector<Setting> settings;
};

enum class ActionKind {
  Enter,
  Leave,
  Goal,
  Send,
  Reply,
  Give,
  Tag,
  Untag,
  Set,
  Notify,
  Call,
  Emit,
  Start,
  Claim,
  ClawBack,
  Redeem,
};
// `[no] send C to ann via CH`, `refuse send C to ann because R`, `give X to ann amount from A to
// B`.
struct ExpectAction {
  SourceSpan span;
  bool no = false;
  bool refuse = false;
  ActionKind action = ActionKind::Send;
  std::optional<Expr> count;      // `give 200 stars`
  std::optional<Path> what;       // content, incentive, campaign, team, event, attribute
  std::optional<PlainText> text;  // of a tag
  std::optional<Name> customer;   // after `to` or `for`
  std::optional<Name> via;
  std::optional<Name> because;
  std::optional<Expr> amount_from;  // `amount ¥5.00` has equal ends
  std::optional<Expr> amount_to;
};
struct ExpectNothing {
  SourceSpan span;
  bool more = false;  // `nothing more`
};
struct ExpectClaimed {  // `claimed lucky_share total ¥20.00 each from ¥0.30 to ¥5.00`
  SourceSpan span;
  Name incentive;
  std::optional<Expr> total;
  std::optional<Expr> each_from;
  std::optional<Expr> each_to;
};
using Expectation = std::variant<ExpectAction, ExpectNothing, ExpectClaimed>;

// `at T` with what happens then; with nothing after it the clock moves there.
struct AtLine {
  SourceSpan span;
  Expr at;
  std::optional<std::variant<TestEvent, TestGetsLink, TestClaims, TestRedeem, ExpectAction,
                             ExpectNothing, ExpectClaimed>>
      act;
};
struct UntilLine {
  SourceSpan span;
  Expr until;
};
struct ExpectLine {
  SourceSpan span;
  Expectation expect;
};
using TestLine =
    std::variant<GivenCustomer, GivenFailure, GivenCodes, AtLine, UntilLine, ExpectLine>;
struct TestDecl {
  SourceSpan span;
  PlainText name;
  std::vector<TestLine> lines;
};

// ------------------------------------------------------------------------------------------ file

using Declaration =
    std::variant<EventDecl, CustomerDecl, MetricDecl, SegmentDecl, LetDecl, TierDecl, AudienceDecl,
                 ContentDecl, CouponDecl, RedPacketDecl, PointsDecl, PrizeDrawDecl, ReferralDecl,
                 ChannelDecl, TeamDecl, WebhookDecl, PolicyDecl, CampaignDecl, TestDecl>;

// Declarations that could not be read whole are left out; their diagnostics say why.
struct File {
  std::uint32_t source = 0;
  std::vector<Declaration> declarations;
  std::vector<SourceSpan> comments;        // from `#` to before the end of the line
  std::vector<std::uint32_t> blank_lines;  // where each begins; runs of them once
};

}  // namespace koi::lang::ast
