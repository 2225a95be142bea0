// A delivery as JSON, for the channels whose other side is a program.
#pragma once

#include <optional>
#include <string>

#include "model/delivery.h"

namespace koi::channel {

// Appends {"key":…,"channel":…,"campaign":…,"content":…,"customer":…,"to":{…},…}; `title`, `body`,
// `link`, `template` with its `values`, and `not_after` are left out where there is none. The order
// of the fields stays as it is.
void append_delivery(std::string& out, const Delivery& delivery);

// Appends {"name":"…",…}: what is put into the provider's template.
void append_values(std::string& out, const Delivery& delivery);

// Appends "name":"text", with a comma before it where something stands there already.
void append_field(std::string& out, std::string_view name, std::string_view text);

// A key as providers give it back, 32 hexadecimal digits; nothing where it is none.
std::optional<Hash128> key_from_hex(std::string_view text);

}  // namespace koi::channel
