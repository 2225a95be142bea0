// How WeChat Pay signs and encrypts: MD5 and HMAC-SHA256 over sorted fields (APIv2), RSA with
// SHA-256 and AES-GCM (APIv3).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct evp_pkey_st;  // OpenSSL's

namespace koi::connectors {

// --- APIv2: https://pay.weixin.qq.com/wiki/doc/api/micropay.php?chapter=4_3

enum class PaySign : std::uint8_t { Md5, HmacSha256 };
// Upper-case hexadecimal, over all fields that are not empty, but `sign`.
std::string pay_sign(const std::map<std::string, std::string>& fields, std::string_view api_key,
                     PaySign by);

// --- APIv3: https://pay.weixin.qq.com/doc/v3/merchant/4012081606

// An RSA key: the merchant's own, or the platform's, which is given as a public key or inside a
// certificate.
class RsaKey {
 public:
  // PEM of a private key (PKCS #8 or #1), a public key, or a certificate. Error "key".
  static Result<RsaKey> read(std::string_view pem);

  std::string sign(std::string_view message) const;  // base64; a private key's
  bool verifies(std::string_view message, std::string_view signature) const;

 private:
  std::shared_ptr<::evp_pkey_st> key_;
};

// What a request is signed over, and what an answer or a callback is.
std::string pay_request_text(std::string_view method, std::string_view path,
                             std::string_view second, std::string_view nonce,
                             std::string_view body);
std::string pay_answer_text(std::string_view second, std::string_view nonce, std::string_view body);

// AES-GCM with a tag of 16 bytes behind the text; `key` has 32 bytes (or 16: AES-128). Error
// "decrypt".
Result<std::string> pay_decrypt(std::string_view key, std::string_view nonce,
                                std::string_view associated, std::string_view sealed_base64);

}  // namespace koi::connectors
