// Input: what a row of the journal holds, as bytes and back. A batch of a group begins with its
// opening; what stands behind it is as the plan has it, by number: the opening names the rules, so
// who reads it has that plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/accounts.h"
#include "core/call.h"
#include "core/escrow.h"
#include "core/merge.h"
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
constexpr std::uint32_t semantics = 8;

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

// --- Of customers of different groups who turn out to be one person (moving.cpp)

struct Along;  // an input that goes with its customer

// The event of a customer has met another (Event::met): are the two one person? Until he is told,
// the event waits, and nothing changes him.
struct Meeting {
  std::string other;         // who is asked about
  std::string mine;          // whose event it is; his group is told
  core::Face face;           // his, as of that event
  Timestamp at;              // the event's, not later than the stamp it came with
  IdentifierId link;         // as Met has it
  std::uint64_t number = 0;  // of the asking, among those of his group
  friend bool operator==(const Meeting&, const Meeting&) = default;
};

// What is said to that; beside it there is an Arrival, which says that the other comes to him.
struct Verdict {
  enum class Kind : std::uint8_t {
    Same,       // the other has turned out to be he already
    TwoPeople,  // they are two, and stay so
    Go,         // he is to come: the other, who is `stays` by now, waits for him
    Held,       // the other asks somebody himself: he is to wait, and may meet others meanwhile …
    Again,      // … until he is told to ask again
    Stays,      // to Go: he does not come
  };
  Kind kind = Kind::Same;
  std::string mine, other;   // as the Meeting has them; of Stays, `other` is who waits
  std::uint64_t number = 0;  // likewise
  std::string stays;         // Go: who waits for him …
  Timestamp since;           // … and since when: from then on nothing else changes either
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// All that a customer is, on his way to the one who he is: his state, where codes of his lead, and
// what he waited with. What he has left behind leads there, for good.
struct Arrival {
  std::string stays;  // who he has turned out to be
  std::string goes;   // and who he was
  Timestamp at;       // of the event that has shown it
  Timestamp since;    // of the batch in which that was settled; nothing has changed either since
  std::string state;  // as core::encode(plan, state) has it
  std::vector<CodePlace> places{};
  std::vector<Along> inputs{};  // in the order in which they came
};

// He has come: codes that led to him are known there, and need not be known here any more.
struct Arrived {
  std::string goes;
  std::vector<std::string> codes;
  friend bool operator==(const Arrived&, const Arrived&) = default;
};

// What came for somebody who has gone: for `to`, whom he has turned out to be.
struct Passed {
  std::string to;
  std::uint64_t hops = 1;  // so many groups have passed it on
  std::vector<Along> inputs{};
};

// The customer has refused messages: what is open under any of his ids is to be withdrawn.
struct Refused {
  std::string to;  // the one of his ids that was a customer of the group that is told
  std::string customer;
  std::vector<std::string> ids;  // under which he was known besides
  std::vector<core::Consent> consents;
  friend bool operator==(const Refused&, const Refused&) = default;
};

// What groups tell one another: a customer's turn to another customer, a group to another about
// what the customers of both share, and about customers who are one.
using Told =
    std::variant<core::Message, core::Loan, Meeting, Verdict, Arrival, Arrived, Passed, Refused>;
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
struct Along {
  Timestamp stamp;  // of the batch that brought it
  Given given;
};
// Empty for a call of whoever holds its code, and for what is no customer's.
std::string_view customer_of(const Given& given);
std::string_view customer_of(const LetterFrom& letter);

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
