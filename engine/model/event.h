// Event: something that happened to a customer, typed and validated against the schema.
#pragma once

#include <string>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "model/schema.h"
#include "model/value.h"

namespace koi {

// One identifier of a customer: its kind and its text ("wechat_openid", "oABC").
struct Identifier {
  IdentifierId kind;
  std::string text;
  friend auto operator<=>(const Identifier&, const Identifier&) = default;
};

// Where a code leads, as the group that knows it has said when the input came in that names it. By
// names, as the rules have them: of an incentive's or of a referral's code the other one is empty.
struct CodePlace {
  std::string code, customer, incentive, referral;
  friend bool operator==(const CodePlace&, const CodePlace&) = default;
};

// An identifier that an event carries, and that is another customer's already: the two may be one
// person.
struct Met {
  Identifier identifier;
  std::string customer;  // whose it is, as far as is known where events come in
  // How sure that is: the kinds of identifiers before this one, which are surer, may still tell the
  // two apart. Of the two kinds that the event brings together the less sure one; where both are of
  // one kind, the one behind it, for two phones are two people's.
  IdentifierId link;
  friend bool operator==(const Met&, const Met&) = default;
};

// An event of unknown type is not an Event: the door counts and reports it.
struct Event {
  // Out of line: each file that has an event would compile how all of its parts are copied.
  Event();
  Event(const Event&);
  Event(Event&&) noexcept;
  Event& operator=(const Event&);
  Event& operator=(Event&&) noexcept;
  ~Event();

  std::string id;  // as the source named it; never empty
  EventTypeId type;
  Timestamp time;                       // when it happened
  std::string customer;                 // the resolved customer id
  std::vector<Value> fields;            // one for each declared field, missing where absent
  std::vector<Identifier> identifiers;  // that this event links to the customer
  std::vector<Met> met{};               // and those that are others'
  // Of the codes in its fields that lead somewhere; none where one group serves all customers, who
  // then find them among themselves.
  std::vector<CodePlace> places{};

  // The id as states remember it.
  std::uint64_t id_hash() const { return hash64(id); }
};

}  // namespace koi
