// The signature of Alibaba Cloud's version 3 requests, ACS3-HMAC-SHA256
// (https://help.aliyun.com/document_detail/2593177.html).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/message.h"

namespace koi::connectors {

// "a=1&b=%20": names and values percent-encoded (RFC 3986), in the order of the names.
std::string acs3_query(std::vector<net::Header> parameters);

// 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

// The value of `Authorization` for a request to "/". `headers` hold host, x-acs-content-sha256 and
// whatever else of x-acs-* and content-type is sent; `query` is of acs3_query.
std::string acs3_authorization(std::string_view method, std::string_view query,
                               const net::Headers& headers, std::string_view access_key_id,
                               std::string_view access_key_secret);

}  // namespace koi::connectors
