// Package: a program in one file, `.koib`, to be put live: its sources, the plan that they are
// compiled to, what its tests came to and what they have seen, and who vouches for it. From the
// same sources the same bytes, on any machine.
//
//   "koib 2\n"  what it is
//   8 bytes     little end first: the manifest's length
//   manifest    JSON: files with their lengths, campaigns, the plan's length, tests, coverage
//   files       their texts, in the manifest's order
//   plan        as text
//   32 bytes    SHA-256 of all before: the content's hash
//   1 byte      how many signatures follow, by public key; each
//   32 + 64 bytes  is the key, and Ed25519 over "koib 2\n" and the hash
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
  // Of clauses and branches, how many the tests came by, and a line for each that they did not.
  struct Coverage {
    std::uint64_t seen = 0, of = 0;
    std::vector<std::string> unseen;
    friend bool operator==(const Coverage&, const Coverage&) = default;
  };
  std::vector<Bundle::File> files;     // by name
  std::vector<std::string> campaigns;  // in the plan's order
  std::string plan;                    // plan_text() of what they are compiled to
  std::vector<Test> tests;             // in the files' order
  Coverage coverage;
  std::vector<Signature> signatures;  // by key
  friend bool operator==(const Package&, const Package&) = default;
};

constexpr std::size_t most_signatures = 16;

// All that the plan says: its listing, for people, and a line for each campaign with the hash of
// what it means.
std::string plan_text(const plan::Plan& plan);
// Compiles the package's files, and sees that they come to the plan that its tests were run with.
// Errors: "rules" where they are no program here, "plan" where this Koi makes another plan of them.
Result<void> check_plan(const Package& package);

// The hash by which people name it, 64 hexadecimal digits; signatures are not part of it.
std::string content_hash(const Package& package);
std::string encode(const Package& package);
// `name` is what sentences call it. Errors: "corrupt" where any byte is not as encode() would write
// it or a signature in it is not good, "newer" and "older" (of another version of Koi).
Result<Package> decode_package(std::string_view bytes, std::string_view name);

// Puts a signature to it, in the place of an earlier one by the same key. Error "key".
Result<void> sign(Package& package, std::string_view private_key);

// Who of the ring has signed it, by name. Errors: "unsigned", and "stranger" where only others
// have.
Result<std::vector<std::string>> signed_by(const Package& package, const KeyRing& ring);

}  // namespace koi::deploy
