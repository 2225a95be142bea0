#include "aliyun_sms/acs3.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace koi::connectors {

namespace {

std::string hex_of(const std::array<unsigned char, 32>& bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes)
    text.append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  return text;
}

}  // namespace

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

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, 32> digest{};
  KOI_ASSERT(
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return hex_of(digest);
}

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
  std::array<unsigned char, 32> mac{};
  unsigned int length = 0;
  KOI_ASSERT(
      HMAC(EVP_sha256(), access_key_secret.data(), static_cast<int>(access_key_secret.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &length) &&
      length == mac.size());
  return "ACS3-HMAC-SHA256 Credential=" + std::string(access_key_id) + ",SignedHeaders=" + names +
         ",Signature=" + hex_of(mac);
}

}  // namespace koi::connectors
