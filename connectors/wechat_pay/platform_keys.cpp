#include "wechat_pay/platform_keys.h"

#include <nlohmann/json.hpp>

#include "json_text.h"

namespace koi::connectors {

namespace {

using Json = nlohmann::json;

std::string header(const net::Headers& headers, std::string_view name) {
  const std::string* const found = net::find(headers, name);
  return found ? *found : std::string();
}

}  // namespace

std::size_t PlatformKeys::take(std::string_view certificates, std::string_view api_key) {
  const Json json = Json::parse(certificates, nullptr, false);
  if (!json.is_object() || !json.contains("data") || !json["data"].is_array()) return 0;
  std::size_t taken = 0;
  for (const Json& each : json["data"]) {
    const std::string serial = text_of(each, "serial_no");
    if (serial.empty() || !each.contains("encrypt_certificate")) continue;
    const Json& sealed = each["encrypt_certificate"];
    const auto pem = pay_decrypt(api_key, text_of(sealed, "nonce"),
                                 text_of(sealed, "associated_data"), text_of(sealed, "ciphertext"));
    if (!pem) continue;
    auto key = RsaKey::read(*pem);
    if (!key) continue;
    set(serial, *std::move(key));
    ++taken;
  }
  return taken;
}

std::string PlatformKeys::serial_of(const net::Headers& headers) {
  return header(headers, "Wechatpay-Serial");
}

bool PlatformKeys::verifies(const net::Headers& headers, std::string_view body,
                            Timestamp now) const {
  const auto found = keys_.find(serial_of(headers));
  const std::string second = header(headers, "Wechatpay-Timestamp");
  if (found == keys_.end() || second.empty() || second.size() > 11 ||
      second.find_first_not_of("0123456789") != std::string::npos)
    return false;
  const Duration age = now - Timestamp{std::stoll(second) * 1'000'000};
  if (age >= minutes(5) || age <= microseconds(0) - minutes(5)) return false;
  return found->second.verifies(pay_answer_text(second, header(headers, "Wechatpay-Nonce"), body),
                                header(headers, "Wechatpay-Signature"));
}

}  // namespace koi::connectors
