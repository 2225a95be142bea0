// Schema: what a program says that events and customers look like. The door (decoding) and the core
// share it; it is part of the plan and immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/id.h"
#include "model/value.h"

namespace koi {

using EventTypeId = Id<struct EventTypeTag, std::uint16_t>;
using FieldId = Id<struct FieldTag, std::uint16_t>;  // a field of its event type
using AttributeId = Id<struct AttributeTag, std::uint16_t>;
using EnumId = Id<struct EnumTag, std::uint16_t>;
using IdentifierId =
    Id<struct IdentifierTag, std::uint16_t>;  // a kind of identifier: wechat_openid

// The named text kinds are validated on entry (model/entry.h).
enum class TextKind : std::uint8_t { Plain, Phone, Email, Url, Code };

struct Type {
  Kind kind = Kind::Missing;
  bool optional = false;
  TextKind text = TextKind::Plain;  // of Text
  EnumId enumeration{};             // of Enum, and of a List of Enum
  Kind element = Kind::Missing;     // of List
  TextKind element_text = TextKind::Plain;
  friend bool operator==(const Type&, const Type&) = default;
};

// A declared name and its alias (may be empty): one symbol, two spellings.
struct Symbol {
  std::string name;
  std::string alias;
};

struct Enumeration {
  std::vector<Symbol> values;
};

struct Field {
  Symbol symbol;
  Type type;
  Value fallback{};  // `= 0`; missing where none is declared
  bool is_private = false;
  // Set from this field, an identifier links the customer: `identify by phone` with
  // `on register set phone = register.phone`. None where the field links nothing.
  IdentifierId links{};
};

struct EventType {
  Symbol symbol;
  std::vector<Field> fields;
  bool made_by_engine = false;  // opened, delivered, entered … (they may come from outside too)
  // Only the engine says it, and nobody may name it: find_event() does not know it.
  bool is_inner = false;
  // It has no subject: every customer that is there sees it, and it is nobody's own. `any event`
  // does not mean it, and it begins nobody.
  bool to_everyone = false;
};

struct Attribute {
  Symbol symbol;
  Type type;
  Value fallback{};
  bool is_private = false;
  IdentifierId identifier{};  // the attribute is an identifier too (`identify by phone`), or none
  bool is_inner = false;      // kept by the engine, and nobody may name it
};

// Attributes that every program has, at fixed places.
constexpr AttributeId time_zone_attribute = AttributeId::of(0);
constexpr AttributeId language_attribute = AttributeId::of(1);
constexpr AttributeId stage_attribute = AttributeId::of(2);
constexpr AttributeId tags_attribute = AttributeId::of(3);  // a list of texts, as tagged

// Events that the engine knows by itself stand first, in this order.
enum class EngineEvent : std::uint16_t {
  Delivered,
  Opened,
  Clicked,
  Replied,
  Bounced,
  Failed,
  Unsubscribed,
  Consented,
  Given,
  Claimed,
  Lapsed,
  Redeemed,
  RewardFailed,
  Joined,
  Entered,
  Left,
  Called,
  SharedOut,
  RunningLow,
};
constexpr std::size_t engine_event_count = 19;
constexpr EventTypeId type_of(EngineEvent event) {
  return EventTypeId::of(static_cast<std::size_t>(event));
}
// Fields of the message events (Delivered … Consented): content, channel, campaign; Unsubscribed
// and Consented have `purpose` (a campaign class; missing: all) behind them. Fields of the
// incentive events (SharedOut too): incentive, amount, code, campaign. Joined: code. Entered and
// Left: segment, campaign (one of them is missing). Called: campaign; it lets the customer into
// that one. RunningLow: incentive, left; of the customer who was given the code behind which so few
// are left in its pool.
std::vector<EventType> engine_events();
// Where those of the message events and of the incentive events stand.
namespace message_field {
constexpr std::size_t content = 0, channel = 1, campaign = 2, purpose = 3;
}
namespace incentive_field {
constexpr std::size_t incentive = 0, amount = 1, code = 2, campaign = 3;
}

struct Schema {
  std::vector<EventType> events;      // engine_events() first
  std::vector<Attribute> attributes;  // the four of every program first
  std::vector<Enumeration> enumerations;
  std::vector<std::string> identifiers;  // names of identifier kinds
  int currency_decimals = 2;             // minor units of the program's currency

  // By name or alias, built once by index().
  std::unordered_map<std::string_view, EventTypeId> event_by_name;

  const EventType& operator[](EventTypeId id) const { return events[id.index()]; }
  const Attribute& operator[](AttributeId id) const { return attributes[id.index()]; }
  EventTypeId find_event(std::string_view name_or_alias) const;  // none() where there is none
  IdentifierId find_identifier(std::string_view name) const;
  // Fills event_by_name; call again after events have changed or the schema was copied.
  void index();
};

}  // namespace koi
