#include "channel/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/assert.h"
#include "channel/detail/bytes.h"

namespace koi::channel {

namespace {

std::string digest_of(std::string_view text, const EVP_MD* how) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  KOI_ASSERT(EVP_Digest(text.data(), text.size(), bytes_of(digest), &size, how, nullptr) == 1);
  digest.resize(size);
  return digest;
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string mac(32, '\0');
  unsigned int size = 0;
  KOI_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text),
                  text.size(), bytes_of(mac), &size) &&
             size == mac.size());
  return mac;
}

std::string sha256(std::string_view text) { return digest_of(text, EVP_sha256()); }
std::string sha1(std::string_view text) { return digest_of(text, EVP_sha1()); }
std::string md5(std::string_view text) { return digest_of(text, EVP_md5()); }

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  KOI_ASSERT(RAND_bytes(bytes_of(bytes), static_cast<int>(count)) == 1);
  return bytes;
}

bool is_same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(bytes_of(out), bytes_of(bytes), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

Result<std::string> from_base64(std::string_view text) {
  const Error error{"base64", "this is no base64"};
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::string_view digits = text.substr(0, text.size() - padding);
  for (const char c : digits)
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
          c == '/'))
      return error;
  if (text.size() % 4 != 0 || text.size() > (std::size_t{16} << 20)) return error;
  std::string out(text.size() / 4 * 3 + 1, '\0');
  const int size = EVP_DecodeBlock(bytes_of(out), bytes_of(text), static_cast<int>(text.size()));
  if (size < 0) return error;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

}  // namespace koi::channel
