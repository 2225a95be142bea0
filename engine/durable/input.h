// Input: what a row of the journal holds, as bytes and back. A batch of a group begins with its
// opening; what stands behind it is as the plan has it, by number: the opening names the rules, so
// who reads it has that plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "base/time.h"
#include "core/accounts.h"
#include "core/call.h"
#include "core/escrow.h"
#include "model/event.h"
#include "model/receipt.h"
#include "plan/plan.h"
#include "store/groups.h"

namespace koi {
class ByteReader;
class ByteWriter;
}  // namespace koi

namespace koi::durable {

// Raised whenever the core would decide otherwise over the same inputs. A tail of the journal under
// another number is refused.
constexpr std::uint32_t semantics = 3;

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

// What groups tell one another: a customer's turn to another customer, a group to another about
// what the customers of both share.
using Told = std::variant<core::Message, core::Loan>;
// What another group has told this one (letters.h). A message counts at the stamp of the batch that
// brings it.
struct LetterFrom {
  store::Group from = 0;
  std::uint64_t number = 0;  // 1, 2, 3, … of those from there to here; 0: of this group's own
  Told told;
};

// What comes in from outside, from a connector or on the way to one, and from other groups. A call
// counts at its batch's stamp.
using Given = std::variant<Event, ReceiptFor, AttemptFor, core::Call, LetterFrom>;
// Empty for a call of whoever holds its code, and for what is no customer's.
std::string_view customer_of(const Given& given);

// Older at this stamp than any id that is remembered, so that it could not be told from a
// duplicate: it is recorded and applied to nothing. A refusal is a refusal however late it comes.
bool is_beyond_ids(const Event& event, Timestamp stamp, const plan::Policy& policy);

using Input = std::variant<Opening, Event, ReceiptFor, AttemptFor, core::Call, LetterFrom>;
// Asserts that it is no opening.
Given given_of(Input input);

std::string encode(const Opening& opening);
// `room`: what it holds is forgotten, and its memory used.
std::string encode(const Given& given, std::string room = {});

// Error "corrupt" where the bytes are no input that the plan's schema allows.
Result<Input> decode_input(const plan::Plan& plan, std::string_view bytes);
// Whom an input concerns, without the rest of it; empty for an opening, and where the bytes are no
// input.
std::string_view customer_in(std::string_view bytes);
// What groups tell one another, as the journal and the rows of letters have it.
void write(ByteWriter& out, const Told& told);
bool read(ByteReader& in, const plan::Plan& plan, Told& told);  // false: it is none
// The opening alone, which every program can read; nothing where the bytes are none.
std::optional<Opening> decode_opening(std::string_view bytes);

}  // namespace koi::durable
