#include "wechat_pay/crypt.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>

#include "base/assert.h"
#include "base/hash.h"
#include "channel/crypto.h"
#include "channel/push_crypt.h"

namespace koi::connectors {

namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
template <class T, auto release>
struct Release {
  void operator()(T* each) const { release(each); }
};
using Context = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX, EVP_MD_CTX_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, Release<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>>;
using Memory = std::unique_ptr<BIO, Release<BIO, BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Release<X509, X509_free>>;

}  // namespace

std::string pay_sign(const std::map<std::string, std::string>& fields, std::string_view api_key,
                     PaySign by) {
  std::string text;
  for (const auto& [name, value] : fields)
    if (!value.empty() && name != "sign") text.append(name).append("=").append(value).append("&");
  text.append("key=").append(api_key);
  std::string sign =
      hex_of(by == PaySign::Md5 ? channel::md5(text) : channel::hmac_sha256(api_key, text));
  for (char& c : sign)
    if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
  return sign;
}

Result<RsaKey> RsaKey::read(std::string_view pem) {
  const auto memory = [&] {
    return Memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  };
  EVP_PKEY* key = nullptr;
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos)
    key = PEM_read_bio_PrivateKey(memory().get(), nullptr, nullptr, nullptr);
  else if (pem.find("BEGIN CERTIFICATE-----") != std::string_view::npos) {
    const Certificate certificate(PEM_read_bio_X509(memory().get(), nullptr, nullptr, nullptr));
    if (certificate) key = X509_get_pubkey(certificate.get());
  } else {
    key = PEM_read_bio_PUBKEY(memory().get(), nullptr, nullptr, nullptr);
  }
  RsaKey made;
  made.key_ = std::shared_ptr<EVP_PKEY>(key, [](EVP_PKEY* each) { EVP_PKEY_free(each); });
  if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) return made;
  return Error{"key", "this is no RSA key or certificate in PEM"};
}

std::string RsaKey::sign(std::string_view message) const {
  const Context context(EVP_MD_CTX_new());
  std::size_t size = 0;
  KOI_ASSERT(context &&
             EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1);
  KOI_ASSERT(EVP_DigestSign(context.get(), nullptr, &size, bytes_of(message), message.size()) == 1);
  std::string signature(size, '\0');
  KOI_ASSERT(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                            &size, bytes_of(message), message.size()) == 1);
  signature.resize(size);
  return channel::base64(signature);
}

bool RsaKey::verifies(std::string_view message, std::string_view signature) const {
  const auto bytes = channel::from_base64(signature);
  const Context context(EVP_MD_CTX_new());
  return bytes && context &&
         EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(*bytes), bytes->size(), bytes_of(message),
                          message.size()) == 1;
}

std::string pay_request_text(std::string_view method, std::string_view path,
                             std::string_view second, std::string_view nonce,
                             std::string_view body) {
  std::string text;
  for (const std::string_view line : {method, path, second, nonce, body})
    text.append(line).append("\n");
  return text;
}

std::string pay_answer_text(std::string_view second, std::string_view nonce,
                            std::string_view body) {
  std::string text;
  for (const std::string_view line : {second, nonce, body}) text.append(line).append("\n");
  return text;
}

Result<std::string> pay_decrypt(std::string_view key, std::string_view nonce,
                                std::string_view associated, std::string_view sealed_base64) {
  const Error error{"decrypt", "this cannot be decrypted by the APIv3 key"};
  constexpr std::size_t tag_bytes = 16;
  const auto sealed = channel::from_base64(sealed_base64);
  if (!sealed || sealed->size() < tag_bytes || nonce.empty() || nonce.size() > 64 ||
      (key.size() != 16 && key.size() != 32))
    return error;
  const std::string_view text = std::string_view(*sealed).substr(0, sealed->size() - tag_bytes);
  std::string tag = sealed->substr(text.size()), plain(text.size() + 16, '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new());
  KOI_ASSERT(cipher);
  int size = 0, rest = 0;
  auto* const out = reinterpret_cast<unsigned char*>(plain.data());
  const EVP_CIPHER* const kind = key.size() == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
  const bool is_open =
      EVP_DecryptInit_ex(cipher.get(), kind, nullptr, nullptr, nullptr) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_IVLEN, static_cast<int>(nonce.size()),
                          nullptr) == 1 &&
      EVP_DecryptInit_ex(cipher.get(), nullptr, nullptr, bytes_of(key), bytes_of(nonce)) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes_of(associated),
                        static_cast<int>(associated.size())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), out, &size, bytes_of(text), static_cast<int>(text.size())) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), out + size, &rest) == 1;
  if (!is_open) return error;
  plain.resize(static_cast<std::size_t>(size + rest));
  return plain;
}

}  // namespace koi::connectors
