// JSON text, written by hand: for output with a fixed order of fields on the event path and in
// reports. Reading JSON is done with nlohmann (configuration) or simdjson (events) where it is
// needed.
#pragma once

#include <string>
#include <string_view>

namespace koi {

// Appends `text` as a JSON string, quotes included (RFC 8259). Valid UTF-8 is kept as it is; a byte
// that is not becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace koi
