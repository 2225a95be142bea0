// Program: what a marketer's files mean. Names are resolved, types are known, inherited clauses are
// filled in; made by check/check.h, read by compile/ and by the test runner. The expressions form
// one array in which operands stand before what uses them.
//
// Ids of channels, contents, attributes, events, enumerations and identifiers are the same numbers
// in the plan that compile/ makes of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "base/id.h"
#include "base/source.h"
#include "base/time.h"
#include "check/incentives.h"
#include "model/event.h"
#include "model/schema.h"
#include "model/value.h"

namespace koi::check {

using ExpressionId = Id<struct ExpressionTag>;
using MetricId = Id<struct MetricTag>;
using SegmentId = Id<struct SegmentTag, std::uint16_t>;
using ChannelId = Id<struct ChannelTag, std::uint16_t>;
using ContentId = Id<struct ContentTag, std::uint16_t>;
using TeamId = Id<struct TeamTag, std::uint16_t>;
using WebhookId = Id<struct WebhookTag, std::uint16_t>;
using BindingId = Id<struct BindingTag, std::uint16_t>;  // in its campaign
using MessageId = Id<struct MessageTag>;

// --- Expressions -------------------------------------------------------------------------------

enum class Op : std::uint8_t {
  // leaves
  Constant,      // `constant`
  Attribute,     // index: AttributeId
  EventField,    // of the event that a `where` or an `on` asks of; index: FieldId, or event_time
  BindingField,  // of an event kept by the campaign; binding, index: FieldId, or event_time
  Metric,        // index: MetricId
  Segment,       // index: SegmentId; is the customer in it?
  CustomerId,
  CustomerCreated,
  Consent,   // index: in Program::consents
  Audience,  // index: in Program::audiences
  // truth; a missing operand is false
  Not,
  And,
  Or,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  In,
  Contains,
  ContainsAny,
  IsKnown,
  IsMissing,
  // values; a missing operand gives missing
  Default,  // a, or b where a is missing
  Add,
  Subtract,
  Multiply,
  Divide,
  Negate,
  ToNumber,
  Days,
  Hours,
  Round,
  Floor,
  Length,
  Lower,
  Join,     // `parts`
  Granted,  // index: in Program::grant_reads
};

// As a field's number: the event's own time.
constexpr std::uint32_t event_time = 0xfffe;
constexpr std::uint32_t event_id = 0xfffd;  // the id that it came with; of BindingField alone

struct TextPart {
  std::string literal;
  ExpressionId value;  // none: only the literal
};

struct Expression {
  Op op = Op::Constant;
  Type type{};  // Kind::Missing is that of what did not check; none is left in a good program
  SourceSpan span{};
  Value constant{};
  std::uint32_t index = 0;
  BindingId binding{};
  ExpressionId a{}, b{};
  std::vector<TextPart> parts{};
  // Of the meaning, by names and not by numbers: equal in every program that says the same.
  Hash128 definition{};
};

// --- Metrics and segments ----------------------------------------------------------------------

enum class Aggregate : std::uint8_t {
  Count,
  Sum,
  Average,
  Min,
  Max,
  First,
  Last,
  Distinct,
  TimeSinceLast,
  Streak,
  Ever,
  Never,
  MostFrequent,
  Values,
};
enum class WindowKind : std::uint8_t { Lifetime, Trailing, ThisDay, ThisWeek, ThisMonth, ThisYear };
struct Window {
  WindowKind kind = WindowKind::Lifetime;
  Span span;  // of Trailing
  friend auto operator<=>(const Window&, const Window&) = default;
};

// Events of a type that meet a condition.
struct EventMatch {
  EventTypeId type;    // none: any event
  ExpressionId where;  // none: all of them
};

// Equal definitions are one metric; `symbol` is that of the declaration first in order, or empty.
struct Metric {
  Symbol symbol;
  SourceSpan span;
  Aggregate aggregate = Aggregate::Count;
  EventMatch events;
  FieldId field;  // none where nothing is read
  Window window;
  Type type;  // of the value
  Hash128 definition;
};

struct Segment {
  Symbol symbol;
  SourceSpan span;
  ExpressionId condition;
};

struct Schedule {
  enum class Every : std::uint8_t { Once, Day, Week, Month, Year };
  Every every = Every::Once;
  Timestamp at;  // Once
  int day = 0;   // Week: 0 Monday … 6 Sunday; Month: 1 to 31
  TimeOfDay time;
  AttributeId date{};  // Year: the day of this date, each year …
  Span offset{};       // … so long before it (else after it)
  bool before = false;
};

// A fixed list of identifiers, from a file that stands beside the one that declares it.
struct Audience {
  Symbol symbol;
  SourceSpan span;  // of the file's name
  std::string file;
  bool is_missing = false;  // the file: nobody is in it then
  IdentifierId by;
  std::vector<std::string> members;  // ascending, each once
  Hash128 definition;                // of who is in it
};

// A level is a value of `attribute`, set by the inner event `ranked`.
struct Tier {
  Symbol symbol;
  SourceSpan span;
  ExpressionId by;
  ExpressionId among;          // none: everybody
  Schedule refreshed;          // by the program's clock
  std::vector<Decimal> up_to;  // by level, from the top: its share and those above it
  AttributeId attribute;
  EventTypeId ranked;
};

// `on register set city = register.city`. Where only an identifier is linked (Field::links), there
// is none.
struct AttributeSet {
  EventMatch events;
  AttributeId attribute;
  ExpressionId value;
};

// --- Campaigns ---------------------------------------------------------------------------------

enum class CampaignClass : std::uint8_t { Marketing, Transactional, Service };

struct Binding {
  Symbol symbol;     // as it is called: `as cart`, else the event's own name
  EventTypeId type;  // none: any event
};
struct EventPattern {
  SourceSpan span;
  EventMatch match;
  BindingId binding;  // none: an event that only keeps away (`and no …`), leads out or is the goal
};

struct OnEvent {  // `when A then B … without C … and no D … within E`
  EventPattern first;
  std::vector<EventPattern> thens;
  std::vector<EventPattern> nots;
  std::optional<Span> within;  // there is one where there are parts or absences
  // Of each of `nots`: while at least `from`, and fewer than `until`, of `thens` have come.
  struct Stretch {
    std::uint16_t from = 0, until = 1;
  };
  std::vector<Stretch> nots_during{};
  // Deadlines behind `within`: each begins when so many of `thens` have come; one behind the last
  // of them is that of the absence which follows.
  struct Leg {
    std::uint16_t from = 1;
    Span within;
  };
  std::vector<Leg> legs{};
};
struct OnCrossing {  // `enters`, `leaves`, `reaches`
  ExpressionId condition;
  bool enters = true;
};
struct OnSchedule {
  Schedule schedule;
  ExpressionId condition;  // none: everybody
};
struct Trigger {
  SourceSpan span;
  std::variant<OnEvent, OnCrossing, OnSchedule> on;
};

struct Step;
using Block = std::vector<Step>;

struct Send {
  MessageId message;
  std::vector<ChannelId> channels;
  std::optional<Span> within;
  std::optional<Span> wait_for_cap;
  // Of an answer: what it answers, and the name of the channel that this was written on.
  ExpressionId reply_to, reply_on;
};
struct Wait {
  Span span;
};
struct WaitUntil {
  enum class Kind : std::uint8_t { TimeOfDay, Weekday, Instant };
  Kind kind = Kind::TimeOfDay;
  TimeOfDay time;
  int weekday = 0;
  ExpressionId instant;
  Span offset;
  bool before = false;
  bool at_time = false;
};
struct WaitFor {
  EventPattern pattern;
  Span up_to;
  Block then;
  Block otherwise;
};
struct If {
  ExpressionId condition;
  Block then;
  Block otherwise;  // `else if` is an If in here
};
struct Set {
  AttributeId attribute;
  ExpressionId value;
};
struct Tag {
  std::string tag;
  bool remove = false;
};
struct Split {
  struct Arm {
    Decimal share;     // all of them make 1
    std::string name;  // empty where it has none
    Block steps;
  };
  std::vector<Arm> arms;
};
struct Emit {
  EventTypeId event;
  std::vector<ExpressionId> fields;  // one for each declared field; none: its default
};
struct Notify {
  TeamId team;
  ExpressionId text;
  std::optional<Span> within;
};
struct Call {
  WebhookId webhook;
  std::vector<std::pair<std::string, ExpressionId>> fields;
};
struct Start {
  std::size_t campaign = 0;  // in Program::campaigns; it has a trigger by call
};
struct Repeat {
  Span every;
  std::int64_t at_most = 1;
  Block steps;
};
struct Give {
  Gift gift;
  bool to_inviter = false;
  bool what_is_left = false;
  bool has_otherwise = false;
  Block otherwise;  // where it is refused
};
struct Take {
  Gift gift;
  Block then;
  Block otherwise;
};
struct ClawBack {  // of what the journey has given
  IncentiveId incentive;
};
struct Stop {};
struct Step {
  SourceSpan span;
  std::variant<Send, Wait, WaitUntil, WaitFor, If, Set, Stop, Tag, Split, Emit, Notify, Call, Start,
               Repeat, Give, Take, ClawBack>
      what;
};

struct TriggerGroup {  // triggers that share their steps
  std::vector<Trigger> triggers;
  Block steps;
};

struct Enter {
  enum class How : std::uint8_t { Once, Every, Always };
  How how = How::Once;
  Span every;
  ExpressionId key;  // none: one for all
  SourceSpan span;   // of the clause; empty where nothing is said
};
struct Goal {
  EventPattern event;
  std::optional<Span> within;
};

struct Campaign {
  Symbol symbol;
  SourceSpan span;
  CampaignClass campaign_class = CampaignClass::Marketing;
  ExpressionId audience;  // `for`; none: everybody
  Enter enter;
  Decimal hold_out;
  SourceSpan hold_out_span;  // of the clause
  std::optional<Goal> goal;
  std::vector<EventPattern> leave_events;
  std::vector<ExpressionId> leave_conditions;
  Timestamp from = Timestamp::ever();  // [from, until): the campaign's period
  Timestamp until = Timestamp::never();
  int priority = 50;
  std::vector<Budget> budgets;  // of what it gives
  std::vector<Binding> bindings;
  std::vector<TriggerGroup> groups;
};

// A content as one campaign says it.
struct Message {
  ContentId content;
  struct Variant {
    ChannelId channel;                // none: every channel without a variant of its own
    ExpressionId title, body, link;   // texts; none where the content has none
    std::string language;             // in lower case; empty: for all that have none of their own
    std::string provider_template{};  // its id; empty: none
    std::vector<std::pair<std::string, ExpressionId>> values{};  // texts that are put into it
  };
  std::vector<Variant> variants;  // by language, all languages last; in it, every channel last
};

// --- Channels and policy -----------------------------------------------------------------------

enum class ChannelClass : std::uint8_t { Conversation, Broadcast, Direct };

struct Opening {               // messages may follow an event for a time
  MetricId events;             // counts those of that time
  std::uint32_t messages = 0;  // so many may follow the last of them; 0: any number
};
struct Channel {
  Symbol symbol;
  SourceSpan span;
  ChannelClass channel_class = ChannelClass::Direct;
  std::int64_t cost_millionths = 0;   // of a major unit of the currency
  std::uint32_t rate_per_second = 0;  // 0: none stated; rounded up
  IdentifierId reach_by;              // none: reaches everyone
  std::vector<AttributeId> cleared_for;
  std::vector<Opening> openings;  // none: it is always open
};

struct Cap {
  std::optional<CampaignClass> campaign_class;  // exactly one of the two is set
  ChannelId channel;
  std::uint32_t limit = 0;
  Span per;
  enum class Calendar : std::uint8_t { None, Day, Week, Month, Year };
  Calendar calendar = Calendar::None;
  std::uint32_t more = 0;  // beyond the limit, for campaigns of at least the priority `more_from`
  int more_from = 0;
};
struct QuietHours {
  TimeOfDay from, to;
  bool drop = false;
};
struct Policy {
  const Zone* zone = nullptr;  // never null
  std::string currency = "CNY";
  std::string currency_sign = "¥";
  std::optional<QuietHours> quiet;
  std::vector<Cap> caps;
  std::array<bool, 3> consent_required{true, false, false};  // by CampaignClass
  Duration lateness = hours(1);
  std::vector<Limit> limits;  // of all that a customer is given
};
struct ConsentKey {
  CampaignClass purpose = CampaignClass::Marketing;
  ChannelId channel;  // none: on any
  friend bool operator==(const ConsentKey&, const ConsentKey&) = default;
};

// --- Tests -------------------------------------------------------------------------------------
// A test is its statements in their order. Customers are numbers into `customers`; whoever is not
// given exists from his first event.

using TestCustomer = std::size_t;

struct GivenCustomer {
  TestCustomer customer = 0;
  std::vector<std::pair<AttributeId, Value>> attributes;
  std::vector<Identifier> identifiers;
  std::vector<ConsentKey> consents;
  std::optional<bool> hold_out;  // none: as the hash says
  std::vector<std::pair<IncentiveId, std::int64_t>> points;
};
struct GivenFailure {  // every delivery on that channel fails from here on
  ChannelId channel;
  std::string reason;  // `unreachable`
};
struct GivenCodes {  // that were uploaded to that pool
  std::string pool;
  std::vector<std::string> codes;
};
struct ClockTo {  // `until T`, `at T`, `at T expect …`: the deadlines of T fire too
  Timestamp to;
};
// `at T ann E { … }`: what is due before T fires, then the event happens; T before the clock: it
// arrives late. No ClockTo stands before it.
struct TestEvent {
  TestCustomer customer = 0;
  Timestamp at;
  bool everyone = false;  // it has no customer of its own
  EventTypeId type;
  std::vector<Value> fields;  // one for each declared field; defaults are filled in
  std::vector<std::pair<FieldId, std::string>> links;  // fields that hold a link handed out before
};
// `10 customers claim lucky_share of ann`: so many who were never there before.
struct TestClaims {
  Timestamp at;
  std::int64_t customers = 0;
  IncentiveId incentive;
  TestCustomer of = 0;
};
// `redeem first_order of ann { amount: ¥120.00 }`: at a till, of the coupon she was given last.
struct TestRedeem {
  enum class Deed : std::uint8_t { Redeem, Lock, RollBack };
  Timestamp at;
  Deed deed = Deed::Redeem;
  IncentiveId coupon;
  TestCustomer of = 0;
  std::string order;  // empty: one of its own
  std::int64_t amount = 0;
  EventTypeId type;  // the order as that event; none: the program has no event with an amount
  std::vector<Value> fields;
  std::vector<IncentiveId> beside;  // her other coupons on that order
  Duration hold;                    // of Lock
};
// `ann gets link bring_a_friend as l`: what she would be handed out; the test writes `l` for it.
struct TestGetsLink {
  Timestamp at;
  TestCustomer customer = 0;
  ReferralId referral;
  std::string as;
};
enum class Action : std::uint8_t {
  Enter,
  Leave,
  Goal,
  Send,
  Set,
  Tag,
  Untag,
  Emit,
  Notify,
  Call,
  Start,
  Give,
  Claim,
  ClawBack,
  Reply,
  Redeem,
};
// `expect [no] [refuse] send C to ann via CH because R`. What is not said fits everything.
struct ExpectAction {
  bool no = false;
  bool refuse = false;
  // `at T expect A`, behind the ClockTo of its line: done since the clock's stop before that one.
  // Else: in the whole test so far.
  bool since_last_stop = false;
  Action action = Action::Send;
  std::string name;  // of the content, the campaign, the attribute …; the tag; empty: any
  std::optional<TestCustomer> customer;
  ChannelId channel;                        // none: any
  std::string reason;                       // of a refusal; empty: any
  std::optional<std::int64_t> least, most;  // of what is given: minor units, points
};
// `expect claimed lucky_share total ¥20.00 each from ¥0.30`.
struct ExpectClaimed {
  IncentiveId incentive;
  bool since_last_stop = false;
  std::optional<std::int64_t> total, least, most;
};
struct ExpectNothing {
  bool more = false;  // `nothing more`
};
struct TestStatement {
  SourceSpan span;
  std::variant<GivenCustomer, GivenFailure, GivenCodes, ClockTo, TestEvent, ExpectAction,
               ExpectNothing, TestClaims, ExpectClaimed, TestGetsLink, TestRedeem>
      what;
};
struct Test {
  std::string name;
  SourceSpan span;
  std::vector<std::string> customers;  // their names, which are their ids
  std::vector<TestStatement> statements;
};

// -----------------------------------------------------------------------------------------------

struct Program {
  Schema schema;  // indexed
  std::vector<Expression> expressions;
  std::vector<Metric> metrics;
  std::vector<Segment> segments;
  std::vector<Tier> tiers;
  std::vector<Audience> audiences;
  std::vector<AttributeSet> sets;  // in the order of the text
  std::vector<Symbol> contents;
  std::vector<Symbol> teams;
  std::vector<Symbol> webhooks;
  std::vector<Message> messages;
  std::vector<Channel> channels;
  std::vector<Campaign> campaigns;  // in the order of the text
  std::vector<ConsentKey> consents;
  std::vector<Incentive> incentives;
  std::vector<Referral> referrals;
  std::vector<GrantRead> grant_reads;
  Policy policy;
  std::vector<Test> tests;

  const Expression& operator[](ExpressionId id) const { return expressions[id.index()]; }
};

}  // namespace koi::check
