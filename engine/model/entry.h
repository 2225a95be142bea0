// Entry: the named text kinds (phone, email, url, code), checked and brought into one form where
// they come in, so that equal ones are equal bytes: an identifier must be recognised again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/schema.h"

namespace koi {

// `text` in the form in which it is kept, or nothing where it is not of that kind. The view is of
// `text` itself, or of `room`, which is overwritten.
//   Plain  any text
//   Phone  5 to 15 digits, a + before a country code; blanks, hyphens, dots and parentheses between
//          them are dropped (ITU-T E.164 has at most 15 digits)
//   Email  local@domain of at most 254 bytes, without blanks; ASCII letters become lower case
//   Url    http:// or https:// and a host, at most 2,048 bytes, without blanks
//   Code   1 to 64 letters, digits, - and _
std::optional<std::string_view> entry_of(TextKind kind, std::string_view text, std::string& room);

// What such a text looks like, for a sentence: "a phone number (5 to 15 digits, …)".
std::string_view description_of(TextKind kind);

}  // namespace koi
