// Package: a program in one file, `.koib`, to be put live: its sources, what its tests came to, and
// who vouches for it. From the same sources the same bytes, on any machine.
//
//   "koib 1\n"                                     what it is
//   8 bytes, little end first                      the manifest's length
//   the manifest                                   JSON: the files with their lengths, campaigns,
//   tests the files' texts                               in the manifest's order 32 bytes SHA-256
//   of all before: the content's hash 1 byte                                         how many
//   signatures follow, by public key 32 bytes, 64 bytes, …                          each: the key;
//   Ed25519 over "koib 1\n" and the hash
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deploy/bundles.h"
#include "deploy/keys.h"

namespace koi::deploy {

struct Package {
  struct Test {
    std::string name;
    bool passed = false;
    friend bool operator==(const Test&, const Test&) = default;
  };
  std::vector<Bundle::File> files;     // by name
  std::vector<std::string> campaigns;  // in the plan's order
  std::vector<Test> tests;             // in the files' order
  std::vector<Signature> signatures;   // by key
  friend bool operator==(const Package&, const Package&) = default;
};

constexpr std::size_t most_signatures = 16;

// The hash by which people name it, 64 hexadecimal digits; signatures are not part of it.
std::string content_hash(const Package& package);
std::string encode(const Package& package);
// `name` is what sentences call it. Errors: "corrupt" where any byte is not as encode() would write
// it or a signature in it is not good, "newer".
Result<Package> decode_package(std::string_view bytes, std::string_view name);

// Puts a signature to it, in the place of an earlier one by the same key. Error "key".
Result<void> sign(Package& package, std::string_view private_key);

// Who of the ring has signed it, by name. Errors: "unsigned", and "stranger" where only others
// have.
Result<std::vector<std::string>> signed_by(const Package& package, const KeyRing& ring);

}  // namespace koi::deploy
