// What providers' signatures are made of, by OpenSSL. Bytes are texts that may hold anything.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::channel {

// RFC 2104 with SHA-256: 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);
std::string sha256(std::string_view text);  // 32 bytes
std::string sha1(std::string_view text);    // 20 bytes; for protocols that want no better
std::string md5(std::string_view text);     // 16 bytes; likewise

// Bytes that nobody can guess.
std::string random_bytes(std::size_t count);

// Whether two texts are equal, in a time that does not depend on where they differ.
bool is_same_secret(std::string_view a, std::string_view b);

// RFC 4648, 4, with its padding, on one line.
std::string base64(std::string_view bytes);
// That and nothing else, of at most 16 MiB. Error "base64".
Result<std::string> from_base64(std::string_view text);

}  // namespace koi::channel
