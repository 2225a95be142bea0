// Keys: who vouches for a bundle. Ed25519 signatures (RFC 8032) by OpenSSL; private keys are PEM
// files as OpenSSL's own tools write them.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::deploy {

constexpr std::size_t key_bytes = 32, signature_bytes = 64;  // of public keys, of signatures

struct Signature {
  std::string key;    // the public key, key_bytes long
  std::string bytes;  // signature_bytes of them
  friend auto operator<=>(const Signature&, const Signature&) = default;
};

std::string sha256(std::string_view bytes);  // 32 bytes

// A new private key, in PEM (PKCS #8, without a passphrase). Secret.
Result<std::string> make_private_key();
// Errors "key": the text holds no Ed25519 private key.
Result<std::string> public_key_of(std::string_view private_key);
Result<Signature> sign(std::string_view private_key, std::string_view message);
// Was it made over this message by the owner of the key in it? Whose that is, is not asked.
bool is_good(const Signature& signature, std::string_view message);

// A key as a line that may be told to anybody: "ed25519 HEX NAME".
std::string line_of(std::string_view public_key, std::string_view name);

// Whose signatures are trusted: such lines, empty ones, and comments after `#`.
class KeyRing {
 public:
  // Error "keys": a line that is none of these, a key or a name twice, or no key at all; `file` is
  // what the sentence calls it.
  static Result<KeyRing> parse(std::string_view text, std::string_view file);
  // The name of the key's owner; nullptr: a stranger's.
  const std::string* owner_of(std::string_view public_key) const;

 private:
  std::map<std::string, std::string, std::less<>> owners_;  // by public key
};

}  // namespace koi::deploy
