// PushCrypt: how Tencent's platforms sign and encrypt what they push to a callback address
// (WXBizMsgCrypt, of official accounts and of WeCom): SHA-1 over sorted texts, AES-256-CBC with
// padding to 32 bytes.
// https://developer.work.weixin.qq.com/document/path/90968
#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::channel {

// Lower-case hexadecimal SHA-1 of the texts, sorted by bytes and put together.
std::string push_signature(std::initializer_list<std::string_view> texts);

class PushCrypt {
 public:
  // `encoding_key` are the 43 letters and digits that the platform's page shows; `receiver` is the
  // AppID or CorpID that every message must name. Error "settings" where the key is none.
  static Result<PushCrypt> open(std::string token, std::string_view encoding_key,
                                std::string receiver);

  std::string signature(std::string_view timestamp, std::string_view nonce,
                        std::string_view encrypted) const;
  bool is_signed(std::string_view signature, std::string_view timestamp, std::string_view nonce,
                 std::string_view encrypted) const;

  // From base64 to the message. Error "decrypt" where it is not one of ours for this receiver.
  Result<std::string> decrypt(std::string_view encrypted) const;
  // `chance` are 16 bytes that nobody can guess.
  std::string encrypt(std::string_view message, std::string_view chance) const;

 private:
  std::string token_, receiver_;
  std::array<unsigned char, 32> key_{};
};

}  // namespace koi::channel
