#include "deploy/keys.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/hash.h"

namespace koi::deploy {

namespace {

constexpr std::string_view algorithm = "ed25519";

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Context = std::unique_ptr<EVP_MD_CTX, Free>;
using Bio = std::unique_ptr<BIO, Free>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

Error no_key() { return {"key", "that is no Ed25519 private key; `koi keys make FILE` makes one"}; }

// No passphrase is asked for: who deploys may be a program.
int no_passphrase(char*, int, int, void*) { return 0; }

Result<Key> read_private(std::string_view pem) {
  const Bio bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), 1u << 20))));
  Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) return no_key();
  return key;
}

Result<std::string> public_of(const Key& key) {
  std::string bytes(key_bytes, '\0');
  std::size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), bytes_of(bytes), &size) != 1 || size != key_bytes)
    return no_key();
  return bytes;
}

// Empty where the text is not that.
std::string from_hex(std::string_view text) {
  std::string bytes;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() % 2 != 0) return {};
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

}  // namespace

std::string sha256(std::string_view bytes) {
  std::string digest(32, '\0');
  unsigned size = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), bytes_of(digest), &size, EVP_sha256(), nullptr);
  KOI_ASSERT(done == 1 && size == digest.size());
  return digest;
}

Result<std::string> make_private_key() {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!key || !bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1)
    return Error{"key", "OpenSSL makes no Ed25519 key here"};
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

Result<std::string> public_key_of(std::string_view private_key) {
  KOI_LET(const Key key, read_private(private_key));
  return public_of(key);
}

Result<Signature> sign(std::string_view private_key, std::string_view message) {
  KOI_LET(const Key key, read_private(private_key));
  KOI_LET(std::string owner, public_of(key));
  Signature made{std::move(owner), std::string(signature_bytes, '\0')};
  std::size_t size = made.bytes.size();
  const Context context(EVP_MD_CTX_new());
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), bytes_of(made.bytes), &size, bytes_of(message),
                     message.size()) != 1 ||
      size != signature_bytes)
    return Error{"key", "OpenSSL does not sign with that key"};
  return made;
}

bool is_good(const Signature& signature, std::string_view message) {
  if (signature.key.size() != key_bytes || signature.bytes.size() != signature_bytes) return false;
  const Key key(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, nullptr, bytes_of(std::string_view(signature.key)), signature.key.size()));
  const Context context(EVP_MD_CTX_new());
  return key && context &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(std::string_view(signature.bytes)),
                          signature.bytes.size(), bytes_of(message), message.size()) == 1;
}

std::string line_of(std::string_view public_key, std::string_view name) {
  return std::string(algorithm) + " " + hex_of(public_key) + " " + std::string(name) + "\n";
}

Result<KeyRing> KeyRing::parse(std::string_view text, std::string_view file) {
  KeyRing ring;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, std::min(line.find('#'), line.size()));
    std::vector<std::string_view> words;
    while (!line.empty()) {
      const std::size_t word = std::min(line.find_first_of(" \t\r"), line.size());
      if (word > 0) words.push_back(line.substr(0, word));
      line.remove_prefix(std::min(word + 1, line.size()));
    }
    if (words.empty()) continue;
    const auto wrong = [&](std::string_view how) {
      return Error{"keys", std::string(file) + ", line " + std::to_string(number) + ": " +
                               std::string(how) +
                               "; a line is `ed25519 KEY NAME`, as `koi keys show` prints it"};
    };
    if (words.size() != 3 || words[0] != algorithm) return wrong("that is no key");
    std::string key = from_hex(words[1]);
    if (key.size() != key_bytes) return wrong("the key is not 64 hexadecimal digits");
    for (const auto& [known, owner] : ring.owners_)
      if (known == key || owner == words[2]) return wrong("the key or the name is there already");
    ring.owners_.emplace(std::move(key), words[2]);
  }
  if (ring.owners_.empty()) return Error{"keys", std::string(file) + " has no keys in it"};
  return ring;
}

const std::string* KeyRing::owner_of(std::string_view public_key) const {
  const auto found = owners_.find(public_key);
  return found == owners_.end() ? nullptr : &found->second;
}

}  // namespace koi::deploy
