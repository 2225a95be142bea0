#include "channel/push_crypt.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "base/hash.h"
#include "channel/crypto.h"
#include "channel/detail/bytes.h"

namespace koi::channel {

namespace {

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
constexpr std::size_t block = 32;  // of the padding; the cipher's own is 16
constexpr std::size_t head = 20;   // 16 bytes of chance, 4 of length

}  // namespace

std::string push_signature(std::initializer_list<std::string_view> texts) {
  std::vector<std::string_view> sorted(texts);
  std::sort(sorted.begin(), sorted.end());
  std::string all;
  for (const std::string_view text : sorted) all += text;
  return hex_of(sha1(all));
}

Result<PushCrypt> PushCrypt::open(std::string token, std::string_view encoding_key,
                                  std::string receiver) {
  const auto key = from_base64(std::string(encoding_key) + "=");
  if (encoding_key.size() != 43 || !key || key->size() != block)
    return Error{"settings", "the EncodingAESKey must be the 43 letters and digits of the page"};
  PushCrypt made;
  made.token_ = std::move(token);
  made.receiver_ = std::move(receiver);
  std::copy(key->begin(), key->end(), made.key_.begin());
  return made;
}

std::string PushCrypt::signature(std::string_view timestamp, std::string_view nonce,
                                 std::string_view encrypted) const {
  return push_signature({token_, timestamp, nonce, encrypted});
}

bool PushCrypt::is_signed(std::string_view given, std::string_view timestamp,
                          std::string_view nonce, std::string_view encrypted) const {
  return is_same_secret(given, signature(timestamp, nonce, encrypted));
}

Result<std::string> PushCrypt::decrypt(std::string_view encrypted) const {
  const Error error{"decrypt", "this cannot be decrypted by the key, or is for somebody else"};
  const auto sealed = from_base64(encrypted);
  if (!sealed || sealed->empty() || sealed->size() % 16 != 0) return error;
  std::string plain(sealed->size() + 16, '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  KOI_ASSERT(cipher);
  int size = 0, rest = 0;
  auto* const out = reinterpret_cast<unsigned char*>(plain.data());
  const bool is_open =
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_cbc(), nullptr, key_.data(), key_.data()) == 1 &&
      EVP_CIPHER_CTX_set_padding(cipher.get(), 0) == 1 &&
      EVP_DecryptUpdate(cipher.get(), out, &size, bytes_of(*sealed),
                        static_cast<int>(sealed->size())) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), out + size, &rest) == 1;
  if (!is_open) return error;
  plain.resize(static_cast<std::size_t>(size + rest));
  const auto pad = static_cast<unsigned char>(plain.back());
  if (pad < 1 || pad > block || plain.size() < head + pad) return error;
  plain.resize(plain.size() - pad);
  std::size_t length = 0;
  for (std::size_t i = 16; i < head; ++i)
    length = length << 8 | static_cast<unsigned char>(plain[i]);
  if (length > plain.size() - head) return error;
  if (std::string_view(plain).substr(head + length) != receiver_) return error;
  return plain.substr(head, length);
}

std::string PushCrypt::encrypt(std::string_view message, std::string_view chance) const {
  KOI_ASSERT(chance.size() == 16 && message.size() < (std::size_t{8} << 20));
  std::string plain(chance);
  const auto length = static_cast<std::uint32_t>(message.size());
  for (int shift = 24; shift >= 0; shift -= 8) plain += static_cast<char>(length >> shift & 255);
  plain.append(message).append(receiver_);
  const std::size_t pad = block - plain.size() % block;
  plain.append(pad, static_cast<char>(pad));
  std::string sealed(plain.size() + 16, '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  KOI_ASSERT(cipher);
  int size = 0, rest = 0;
  auto* const out = reinterpret_cast<unsigned char*>(sealed.data());
  KOI_ASSERT(
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_cbc(), nullptr, key_.data(), key_.data()) == 1 &&
      EVP_CIPHER_CTX_set_padding(cipher.get(), 0) == 1 &&
      EVP_EncryptUpdate(cipher.get(), out, &size, bytes_of(plain),
                        static_cast<int>(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), out + size, &rest) == 1);
  sealed.resize(static_cast<std::size_t>(size + rest));
  return base64(sealed);
}

}  // namespace koi::channel
