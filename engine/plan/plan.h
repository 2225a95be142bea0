// Plan: what the engine runs. Flat, immutable, shared between threads; made by compile/, read by
// core/ and the door. Names are resolved, expressions are nodes in one array, steps are code.
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
#include "base/time.h"
#include "model/schema.h"
#include "model/value.h"
#include "plan/incentives.h"

namespace koi::plan {

using NodeId = Id<struct NodeTag>;
using MetricId = Id<struct MetricTag>;
using AccumulatorId = Id<struct AccumulatorTag, std::uint16_t>;
using LogId = Id<struct LogTag, std::uint16_t>;
using WatchId = Id<struct WatchTag, std::uint16_t>;
using CampaignId = Id<struct CampaignTag, std::uint16_t>;
using ChannelId = Id<struct ChannelTag, std::uint16_t>;
using SlotId = Id<struct SlotTag, std::uint16_t>;  // a place in a campaign's frame
using TemplateId = Id<struct TemplateTag>;
using ContentId = Id<struct ContentTag, std::uint16_t>;
using TeamId = Id<struct TeamTag, std::uint16_t>;
using WebhookId = Id<struct WebhookTag, std::uint16_t>;
using ArmId = Id<struct ArmTag, std::uint16_t>;  // in its campaign

// A field that every event has beside the declared ones: its own time.
constexpr FieldId event_time_field = FieldId::of(0xfffe);
// And the id that it came with: what an answer to it names.
constexpr FieldId event_id_field = FieldId::of(0xfffd);

// --- Expressions -------------------------------------------------------------------------------

enum class Op : std::uint8_t {
  // leaves; `index` says which
  Constant,   // plan.constants
  Attribute,  // of the customer
  Field,      // of the event at hand (event_time_field: its time)
  Slot,       // of the campaign's frame
  Metric,     // plan.metrics, as of now
  Watch,      // is the customer in this segment?
  CustomerId,
  CustomerCreated,
  Consent,   // has the customer consented? `index` is a ConsentKey
  Audience,  // is one of the customer's identifiers in plan.audiences?
  // truth. A missing operand is false.
  Not,
  And,
  Or,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  In,           // a is an element of the list b
  Contains,     // list a holds b, or text a contains text b
  ContainsAny,  // the same for any element of list b
  IsKnown,
  IsMissing,
  // values. A missing operand (or an overflow, or a division by zero) gives missing.
  Default,  // a, or b where a is missing
  Add,
  Subtract,
  Multiply,
  Divide,
  Negate,
  ToNumber,  // int to number
  Days,
  Hours,
  Round,
  Floor,
  Length,
  Lower,
  Join,     // text of plan.templates[index]
  Granted,  // plan.grant_reads[index]
};

// One node; `a` and `b` are its operands, earlier in the array. Equal sub-expressions are one node.
struct Node {
  Op op = Op::Constant;
  Kind kind = Kind::Missing;  // of the result; Bool for truth
  std::uint32_t index = 0;
  NodeId a;
  NodeId b;
  friend auto operator<=>(const Node&, const Node&) = default;
};

// A text with holes: pieces of literal text and nodes, in turn. A missing value makes the whole
// text missing.
struct Template {
  struct Part {
    std::string literal;
    NodeId node;         // none: only the literal
    EnumId enumeration;  // how an Enum is shown: the value's name
  };
  std::vector<Part> parts;
};

// --- Metrics -----------------------------------------------------------------------------------

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
  Span span;  // of Trailing: (t - span, t]
  friend auto operator<=>(const Window&, const Window&) = default;
};

// Events that count: of that type, with `where` true (reading the event's fields alone).
struct EventMatch {
  EventTypeId type;  // none: any event (declared or the engine's)
  NodeId where;      // none: all of them
  friend auto operator<=>(const EventMatch&, const EventMatch&) = default;
};

struct Metric {
  Symbol symbol;  // empty names for a metric written in a condition
  // Of the definition (event, where, aggregate, field, window) by its text: equal definitions keep
  // their state over deploys.
  std::uint64_t definition = 0;
  Aggregate aggregate = Aggregate::Count;
  EventMatch events;
  FieldId field;  // what is aggregated, or none
  Window window;
  Kind kind = Kind::Int;  // of the value
  // Where its state is: an accumulator (Lifetime), else a log and the column of `field` in it.
  AccumulatorId accumulator;
  LogId log;
  std::uint16_t column = 0;
};

// Do the customer's clocks decide what the metric is?
bool follows_zone(const Metric& metric);

// What a lifetime metric keeps. Metrics over the same events and field share one: `aggregate` is
// Count (for count, ever, never), Sum (sum and count, for sum and average), Min, Max, First, Last
// (without a field for time since last), Distinct (for distinct, values, most frequent) or Streak.
struct Accumulator {
  std::uint64_t definition = 0;
  Aggregate aggregate = Aggregate::Count;
  EventMatch events;
  FieldId field;
};

// The events of the last `retention` for the windowed metrics that share them.
struct Log {
  std::uint64_t definition = 0;
  EventMatch events;
  std::vector<FieldId> columns;
  Span retention;  // the widest window; calendar windows count as their longest (a day as 2 days …)
};

// --- Watches -----------------------------------------------------------------------------------

// A condition whose truth is maintained, with the instants at which it flips: a segment, or what
// stands behind `reaches`, `enters`, `leaves`. Watches read only watches before them. A new
// customer is outside of all of them.
struct Watch {
  Symbol symbol;  // a segment's; empty for a hidden one
  std::uint64_t definition = 0;
  NodeId condition;
  bool is_segment = false;
};

// A fixed list of people: whoever has one of these identifiers is in it.
struct Audience {
  Symbol symbol;
  IdentifierId by;
  std::vector<std::string> members;  // ascending, each once
};

// --- Campaigns ---------------------------------------------------------------------------------

enum class CampaignClass : std::uint8_t { Marketing, Transactional, Service };
std::string_view name_of(CampaignClass campaign_class);

// Keeps a field of an event in a slot of the frame.
struct Capture {
  FieldId field;
  SlotId slot;
};

// `E as x where …`: which events, and what is kept of the one that comes.
struct Binding {
  EventMatch match;  // `where` may read slots bound before
  std::vector<Capture> captures;
};

struct Schedule {
  enum class Every : std::uint8_t { Once, Day, Week, Month, Year };
  Every every = Every::Once;
  Timestamp at;  // Once: the instant
  int day = 0;   // Week: 0 Monday … 6 Sunday; Month: 1 to 31 (a day the month lacks is its last)
  TimeOfDay time;  // Day, Week, Month, Year: in the customer's zone
  // Year: the date of the customer's whose day comes back each year from its own on, and how long
  // before it (else after it).
  AttributeId date{};
  Span offset{};
  bool before = false;
};

// Ranks customers against each other, whenever it is refreshed. A level is an attribute, set by an
// inner event, so that it is read, watched and kept like any other.
struct Tier {
  Symbol symbol;
  NodeId by;           // missing: he has no level
  NodeId among;        // none: everybody
  Schedule refreshed;  // by the program's clock
  // Of the levels from the top: the share of all that they and those above them have, in
  // millionths.
  std::vector<std::int64_t> up_to;
  AttributeId attribute;  // an enumeration: the levels, and behind them that he has none
  // On a server: what `by` was when the tier was last refreshed, kept when he is first touched
  // behind that instant; the attribute's time is the instant. None: not a server's.
  AttributeId taken{};
  EventTypeId ranked;  // its one field is the attribute's new value
};

struct Trigger {
  enum class Kind : std::uint8_t {
    Event,     // `first`
    Sequence,  // `first`, then each of `thens`, none of `nots`, within `within` and `legs`
    Absence,   // `first`, then none of `nots` within `within`
    Enters,    // `watch` becomes true (`reaches` too)
    Leaves,    // `watch` becomes false
    Schedule,  // `schedule`, for those who meet `condition`
  };
  Kind kind = Kind::Event;
  Binding first;
  std::vector<Binding> thens;
  std::vector<EventMatch> nots;
  Span within;
  // Of each of `nots`: it must stay away while at least `from`, and fewer than `until`, of `thens`
  // have come.
  struct Stretch {
    std::uint16_t from = 0, until = 1;
    friend bool operator==(const Stretch&, const Stretch&) = default;
  };
  std::vector<Stretch> nots_during;
  // Deadlines behind `within`, which is over when the first of them begins: with the event that
  // makes it so many of `thens` that have come. One that begins with the last of them is an
  // absence's: when it is over, the trigger is complete.
  struct Leg {
    std::uint16_t from = 1;
    Span within;
  };
  std::vector<Leg> legs;
  WatchId watch;
  Schedule schedule;
  NodeId condition;         // of Schedule; none: everybody
  std::uint16_t start = 0;  // where its steps begin in the campaign's code
};

struct Enter {
  enum class How : std::uint8_t { Once, Every, Always };
  How how = How::Once;
  Span every;  // of Every
  NodeId key;  // `once per cart.sku`; none: one for all
  // The key can be computed from the first event of a trigger in parts.
  bool key_from_first = true;
};

struct Goal {
  EventMatch match;            // `where` may read slots
  std::optional<Span> within;  // from the entry; none: up to the journey's end
};

// --- Steps: code. A program counter is an index into Campaign::steps; behind the last one is the
// end.

struct Send {
  std::uint32_t message = 0;         // plan.messages
  std::vector<ChannelId> channels;   // tried in this order; none: only where all of a closed
                                     // campaign's are gone
  std::optional<Span> within;        // not delivered later than this after the step was reached
  std::optional<Span> wait_for_cap;  // `or wait up to D`
  std::uint16_t ordinal = 0;  // of the step in its campaign's text: part of its effects' keys
  // Of an answer, which goes where the event came from: what it answers, and by which of
  // `channels` it was written. None: it is not one.
  NodeId reply_to, reply_on;
  bool is_reply() const { return !reply_to.is_none(); }
};
struct Wait {
  Span span;
};
struct WaitUntil {
  enum class Kind : std::uint8_t { TimeOfDay, Weekday, Instant };
  Kind kind = Kind::TimeOfDay;
  TimeOfDay time;        // TimeOfDay, Weekday; Instant with `at_time`
  int weekday = 0;       // Weekday: 0 Monday … 6 Sunday
  NodeId instant;        // Instant: a node of kind Instant or Date (missing: goes on at once)
  Span offset;           // Instant: this much …
  bool before = false;   // … before it (else after)
  bool at_time = false;  // `… at 10:00`: that day, at this time of the customer's zone
};
struct WaitFor {
  Binding binding;
  Span up_to;
  std::uint16_t on_event = 0;    // goes on here when it comes
  std::uint16_t on_timeout = 0;  // and here when it does not
};
struct If {
  NodeId condition;
  std::uint16_t otherwise = 0;  // where it goes when false; else to the next step
};
struct Jump {
  std::uint16_t to = 0;
};
struct Set {
  AttributeId attribute;
  NodeId value;
  std::uint16_t ordinal = 0;
};
struct Tag {
  AttributeId attribute;  // a list of texts
  std::string tag;
  bool remove = false;
};
// Each customer takes one arm, always the same: `number` tells the splits of a campaign apart.
struct Split {
  struct Arm {
    std::int64_t up_to = 0;  // millionths: the shares of this arm and those before it
    ArmId arm;               // none: it has no name
    std::uint16_t start = 0;
  };
  std::vector<Arm> arms;
  std::uint16_t number = 0;
};
// Slots in which a repetition keeps when it began to count, how many passes have begun since then,
// and how many in all.
struct Passes {
  SlotId since, counted, all;
};
struct Repeat {  // the first pass begins
  Passes passes;
};
struct Again {  // the end of a pass: the next one begins at `back` when it is due, or it goes on
  Passes passes;
  Span every;
  std::int64_t at_most = 1;
  std::uint16_t back = 0;
};
struct Emit {
  EventTypeId event;
  std::vector<NodeId> fields;  // of each declared field; none: its default
};
struct Notify {
  TeamId team;
  TemplateId text;
  std::optional<Span> within;  // somebody must have taken it by then
};
struct Call {
  struct Given {
    std::string name;
    NodeId value;
    Type type;
  };
  WebhookId webhook;
  std::vector<Given> fields;
};
struct Start {
  std::string campaign;  // its name: whichever version of it takes entries
};
struct Stop {};
using Step = std::variant<Send, Wait, WaitUntil, WaitFor, If, Jump, Set, Stop, Tag, Split, Repeat,
                          Again, Emit, Notify, Call, Start, Give, Take, ClawBack>;

// The attribute that a step may change; none where it changes none.
AttributeId attribute_set_by(const Step& step);

// An arm of a split that has a name: an experiment that is reported.
struct Arm {
  std::string name;
  std::uint16_t split = 0;  // its number
};

struct Campaign {
  Symbol symbol;
  CampaignClass campaign_class = CampaignClass::Marketing;
  int priority = 50;
  NodeId audience;  // `for`; none: everybody. May read slots
  Enter enter;
  Decimal hold_out;  // share of customers, 0 to 1
  // [from, until): outside of it nobody enters and nothing is done.
  Timestamp from = Timestamp::ever();
  Timestamp until = Timestamp::never();
  std::optional<Goal> goal;
  std::vector<EventMatch> leave_events;  // `where` may read slots
  std::vector<NodeId> leave_conditions;  // may read slots
  std::vector<BudgetId> budgets;         // money: what it gives and channels cost; else messages
  std::vector<Trigger> triggers;
  std::vector<Step> steps;
  std::vector<Arm> arms;
  std::uint16_t frame_size = 0;
  // A version that earlier rules had and these have not: nobody enters it, and who is under way in
  // it goes on by it. Compiling makes none; a deploy puts them beside the rules' own.
  bool closed = false;
  std::uint64_t version = 0;       // closed: of what it says
  std::vector<CampaignId> others;  // its other versions: who is in one of them is in this one
  CampaignId entries = CampaignId::none();  // where entries into any of them are noted; none: here
  // Whose entries it takes: customers whose share_of() is in [takes_from, takes_to). All of them,
  // of a closed one none, but in a canary, where a new version has some and the former one the
  // others.
  std::uint32_t takes_from = 0, takes_to = 1'000'000;
};
inline bool takes_entries(const Campaign& campaign) {
  return campaign.takes_from < campaign.takes_to;
}
// What tells versions of a campaign apart: its name, and behind `@` a closed one's version.
std::string full_name_of(const Campaign& campaign);

// What is said, as one campaign says it: content's texts with the campaign's names in them.
struct Message {
  ContentId content;
  struct Variant {
    ChannelId channel;             // none: for every channel that has no variant of its own
    TemplateId title, body, link;  // none where the content has none
    std::string language;          // in lower case; empty: for all that have none of their own
    // The provider's own template that it is sent by, and the values that are put into it, by their
    // names there. An empty id: none.
    std::string provider_template{};
    std::vector<std::pair<std::string, TemplateId>> values{};
  };
  // By language, the one for all of them last; within it, the one for every channel last. Where a
  // language has no such one, the customer is served by the next.
  std::vector<Variant> variants;
};

// --- Channels and policy -----------------------------------------------------------------------

enum class ChannelClass : std::uint8_t { Conversation, Broadcast, Direct };
std::string_view name_of(ChannelClass channel_class);

// What the customer does opens a channel to messages, for a time: a provider's reply window.
struct Opening {
  MetricId events;             // counts those of that time (WindowKind::Trailing)
  std::uint32_t messages = 0;  // so many may follow the last of them; 0: any number
};

struct Channel {
  Symbol symbol;
  ChannelClass channel_class = ChannelClass::Direct;
  std::int64_t cost_millionths = 0;   // of a major unit of the currency, for one message
  std::uint32_t rate_per_second = 0;  // 0: none stated. Shapes delivery, never a decision
  IdentifierId reach_by;              // none: reaches everyone
  std::vector<AttributeId> cleared_for;
  std::vector<Opening> openings;  // it is open while one of them is; none: always
};

struct Cap {
  std::optional<CampaignClass> campaign_class;  // exactly one of the two is set
  ChannelId channel;
  std::uint32_t limit = 0;
  Span per;
  enum class Calendar : std::uint8_t { None, Day, Week, Month, Year };
  Calendar calendar = Calendar::None;  // else counts in calendar periods of the customer's zone
  std::uint32_t more = 0;              // so many places beyond the limit are kept …
  int more_from = 0;                   // … for campaigns of this priority or a higher one
};

struct QuietHours {
  TimeOfDay from;  // the first instant that is quiet
  TimeOfDay to;    // the first that is not; from > to spans midnight
  bool drop = false;
};

struct Policy {
  const Zone* zone = nullptr;  // never null in a plan
  std::string currency = "CNY";
  std::string currency_sign = "¥";
  std::optional<QuietHours> quiet;
  std::vector<Cap> caps;
  std::array<bool, 3> consent_required{true, false, false};  // by CampaignClass
  Duration lateness = hours(1);
  std::vector<LimitId> limits;    // of all that a customer is given
  Duration id_horizon = days(7);  // how long event ids are remembered; at least lateness
};

// What `Op::Consent` asks: a class of campaign on a channel (none: on any).
struct ConsentKey {
  CampaignClass purpose = CampaignClass::Marketing;
  ChannelId channel;
};

// --- Who cares about what ----------------------------------------------------------------------

struct AttributeSet {  // `on register set city = register.city`
  AttributeId attribute;
  NodeId value;
  NodeId where{};  // `on register where …`; none: always
};
struct TriggerRef {
  CampaignId campaign;
  std::uint16_t trigger = 0;
};

// All that an event of one type can concern.
struct Reaction {
  std::vector<AttributeSet> sets;
  std::vector<AccumulatorId> accumulators;
  std::vector<LogId> logs;
  std::vector<WatchId> watches;      // whose condition may change with it, ascending
  std::vector<TriggerRef> begins;    // triggers whose `first` it may be, in campaign order
  std::vector<CampaignId> concerns;  // campaigns that wait for it, leave by it, or have it as goal
  bool remembered = false;           // kept for `lateness`: a late start looks back at it
};

struct Plan {
  // Out of line: each file that keeps a plan would compile how all of its parts are copied.
  Plan();
  Plan(const Plan&);
  Plan(Plan&&) noexcept;
  Plan& operator=(const Plan&);
  Plan& operator=(Plan&&) noexcept;
  ~Plan();

  std::uint64_t seed = 1;    // of hold-outs and of names; part of the program's run
  std::uint64_t canary = 0;  // what share_of() is drawn by, beside the seed
  Schema schema;
  std::vector<Value> constants;
  std::vector<Node> nodes;
  std::vector<Template> templates;
  std::vector<Metric> metrics;
  std::vector<Accumulator> accumulators;
  std::vector<Log> logs;
  std::vector<Watch> watches;
  std::vector<Tier> tiers;
  std::vector<Audience> audiences;
  std::vector<Symbol> contents;
  std::vector<Symbol> teams;
  std::vector<Symbol> webhooks;
  std::vector<Message> messages;
  std::vector<Channel> channels;
  std::vector<Campaign> campaigns;  // in their order: priority, then name
  std::vector<ConsentKey> consents;
  std::vector<Incentive> incentives;
  std::vector<Budget> budgets;
  std::vector<Limit> limits;
  std::vector<Referral> referrals;
  std::vector<GrantRead> grant_reads;
  Policy policy;

  std::vector<Reaction> reactions;  // by event type
  // Who may change with an attribute or with another watch, through other watches too; ascending.
  std::vector<std::vector<WatchId>> watches_of_attribute, watches_of_watch;
  std::vector<WatchId> watches_of_identity;  // that read an audience, by way of watches too
  std::vector<WatchId> watches_of_grants;    // who may change with what the customer is given
  std::vector<std::vector<TriggerRef>> on_enter, on_leave;  // by watch: triggers on its crossing
  std::vector<TriggerRef> schedules;

  const Node& operator[](NodeId id) const { return nodes[id.index()]; }
  // Is there anything that customers compete for? Then a run must serve them in their one order.
  bool has_competition() const;
};

// Where a customer stands among all of them, from 0 to 999,999: by chance, and always the same in
// one canary.
std::uint32_t share_of(const Plan& plan, std::string_view customer);
bool takes_entries_of(const Plan& plan, const Campaign& campaign, std::string_view customer);

}  // namespace koi::plan
