#include "aliyun_sms/acs3.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

#include "base/hash.h"
#include "channel/crypto.h"

namespace koi::connectors {

std::string acs3_query(std::vector<net::Header> parameters) {
  std::sort(parameters.begin(), parameters.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::string query;
  for (const auto& [name, value] : parameters)
    query.append(query.empty() ? "" : "&")
        .append(net::percent_encoded(name))
        .append("=")
        .append(net::percent_encoded(value));
  return query;
}

std::string sha256_hex(std::string_view bytes) { return hex_of(channel::sha256(bytes)); }

std::string acs3_authorization(std::string_view method, std::string_view query,
                               const net::Headers& headers, std::string_view access_key_id,
                               std::string_view access_key_secret) {
  net::Headers sorted = headers;
  for (net::Header& header : sorted)
    for (char& c : header.name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::string lines, names;
  for (const net::Header& header : sorted) {
    lines += header.name + ":" + header.value + "\n";
    names += (names.empty() ? "" : ";") + header.name;
  }
  const std::string* const content = net::find(headers, "x-acs-content-sha256");
  KOI_ASSERT(content);
  std::string request(method);
  request.append("\n/\n").append(query).append("\n").append(lines).append("\n");
  request.append(names).append("\n").append(*content);
  const std::string text = "ACS3-HMAC-SHA256\n" + sha256_hex(request);
  return "ACS3-HMAC-SHA256 Credential=" + std::string(access_key_id) + ",SignedHeaders=" + names +
         ",Signature=" + hex_of(channel::hmac_sha256(access_key_secret, text));
}

}  // namespace koi::connectors
