// Receipt: what became of a delivery, as an input of the customer it was for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/time.h"

namespace koi {

// Why a delivery was refused for good. A provider's codes are mapped to these by its connector.
enum class Failure : std::uint8_t {
  None,
  Unreachable,   // the person cannot be reached there: unknown, blocked, gone
  WindowClosed,  // the channel's reply window is over
  BadContent,
  Quota,
  Credentials,
  Failed,  // given up: its `not after` has come
  Lapsed,  // the person did not take in time what he was paid, and the provider has given it back;
           // of a message to the staff: nobody took it in time
};
std::string_view name_of(Failure failure);  // "unreachable", "window_closed", …
// None where the name is no failure's.
Failure failure_of(std::string_view name);

struct Receipt {
  Hash128 key;  // of the effect
  Timestamp time;
  Failure failure = Failure::None;  // None: delivered, or nobody can tell
  // It may or may not have been delivered, and nobody can tell. That is not failed: what the send
  // took of caps and budgets stays taken, and no other channel is tried; nor is it said to have
  // been delivered.
  bool unknown = false;
  std::string by;  // of a message to the staff: who has taken it, as he says
  // Of a payment: it is sent, and whoever must claim it within some time has not opened it yet.
  // Where payments are made up (`koi run`, `koi test`); a server's ends when the provider knows
  // that he has.
  bool is_unopened = false;
};

}  // namespace koi
