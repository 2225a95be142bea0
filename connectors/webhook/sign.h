// The signature of Standard Webhooks 1.0.0, symmetric form (`v1`).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace koi::connectors {

// The bytes of a secret: base64 of 24 to 64 bytes, with or without `whsec_` before it.
std::optional<std::string> webhook_key(std::string_view secret);

// The value of `webhook-signature`: "v1,<base64> v1,<base64>", one for each key.
std::string webhook_signatures(const std::vector<std::string>& keys, std::string_view id,
                               std::string_view second, std::string_view body);

}  // namespace koi::connectors
