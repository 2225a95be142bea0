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

// An event of unknown type is not an Event: the door counts and reports it.
struct Event {
  std::string id;  // as the source named it; never empty
  EventTypeId type;
  Timestamp time;                       // when it happened
  std::string customer;                 // the resolved customer id
  std::vector<Value> fields;            // one for each declared field, missing where absent
  std::vector<Identifier> identifiers;  // that this event links to the customer

  // The id as states remember it.
  std::uint64_t id_hash() const { return hash64(id); }
};

}  // namespace koi
