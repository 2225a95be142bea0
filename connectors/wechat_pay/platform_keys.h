// PlatformKeys: whom to believe that an answer or a callback is WeChat Pay's. By the exact serial
// that it names: a public key that the operator has set, or certificates that are fetched and
// decrypted by the APIv3 key.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "net/message.h"
#include "wechat_pay/crypt.h"

namespace koi::connectors {

class PlatformKeys {
 public:
  void set(std::string serial, RsaKey key) { keys_.insert_or_assign(std::move(serial), key); }
  bool has(const std::string& serial) const { return keys_.contains(serial); }

  // The answer of /v3/certificates: adds those that can be decrypted; how many.
  std::size_t take(std::string_view certificates, std::string_view api_key);

  // The serial that headers name; empty where they name none.
  static std::string serial_of(const net::Headers& headers);
  // By a key that is known, and not older or newer than five minutes.
  bool verifies(const net::Headers& headers, std::string_view body, Timestamp now) const;

 private:
  std::map<std::string, RsaKey> keys_;
};

}  // namespace koi::connectors
