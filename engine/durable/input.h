// Input: what a row of the journal holds, as bytes and back. A batch of a group begins with its
// opening; the events and receipts behind it are as the plan's schema has them, by number: the
// opening names the rules, so who reads them has that schema.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "base/time.h"
#include "core/call.h"
#include "model/event.h"
#include "model/receipt.h"
#include "plan/plan.h"

namespace koi::durable {

// Raised whenever the core would decide otherwise over the same inputs. A tail of the journal under
// another number is refused.
constexpr std::uint32_t semantics = 2;

// The first row of a batch: a tick of the clock, and how all behind it is to be read.
struct Opening {
  Timestamp stamp;           // the batch's; never before the one of the batch before
  std::uint32_t timers = 0;  // at most so many fire before its inputs, the rest with the next batch
  std::uint32_t semantics = durable::semantics;
  std::uint64_t rules = 0;  // names the program that decides
  friend bool operator==(const Opening&, const Opening&) = default;
};

struct ReceiptFor {
  std::string customer;
  Receipt receipt;
};

// A delivery of the customer is about to be attempted, by a connector that must not do it twice. It
// changes nothing of him; a replay of it gives no leave to attempt.
struct AttemptFor {
  std::string customer;
  Hash128 key;
  friend bool operator==(const AttemptFor&, const AttemptFor&) = default;
};

// What comes in from outside, from a connector, or on the way to one. A call counts at its batch's
// stamp.
using Given = std::variant<Event, ReceiptFor, AttemptFor, core::Call>;
// Empty for a call of whoever holds its code.
std::string_view customer_of(const Given& given);

// Older at this stamp than any id that is remembered, so that it could not be told from a
// duplicate: it is recorded and applied to nothing. A refusal is a refusal however late it comes.
bool is_beyond_ids(const Event& event, Timestamp stamp, const plan::Policy& policy);

using Input = std::variant<Opening, Event, ReceiptFor, AttemptFor, core::Call>;

std::string encode(const Opening& opening);
// `room`: what it holds is forgotten, and its memory used.
std::string encode(const Given& given, std::string room = {});

// Error "corrupt" where the bytes are no input that the plan's schema allows.
Result<Input> decode_input(const plan::Plan& plan, std::string_view bytes);
// Whom an input concerns, without the rest of it; empty for an opening, and where the bytes are no
// input.
std::string_view customer_in(std::string_view bytes);
// The opening alone, which every program can read; nothing where the bytes are none.
std::optional<Opening> decode_opening(std::string_view bytes);

}  // namespace koi::durable
