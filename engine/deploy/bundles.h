// Bundles: the rules of a deployment as they were deployed, each of them for good. A bundle is a
// program's files (its audiences' too, so that who is in them is part of the rules) and the seed;
// its name is the hash of all of it. It is on the disk before any input names it, because who reads
// that input later needs its schema.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "plan/plan.h"
#include "store/directory.h"

namespace koi::deploy {

struct Bundle {
  struct File {
    std::string name;  // as people are told it: relative to the program's folder
    std::string text;
    friend bool operator==(const File&, const File&) = default;
  };
  std::uint64_t seed = 1;   // of hold-outs and names: the deployment's
  std::vector<File> files;  // in the program's order
  friend bool operator==(const Bundle&, const Bundle&) = default;
};

// What a bundle calls the file of that name beside one of its program's; nothing where it may not
// be named so.
std::optional<std::string> name_beside(std::string_view source, std::string_view name);

// Canonical: equal bundles, equal bytes. The name is their hash.
std::string encode(const Bundle& bundle);
Hash128 name_of(const Bundle& bundle);
// What an input's opening names the rules by (durable::Opening::rules).
constexpr std::uint64_t rules_of(Hash128 bundle) { return bundle.high; }

// The plan of its program. Error "rules" where this version of Koi refuses the program, with the
// first diagnostic, or where it has something that a server cannot keep or carry out.
Result<plan::Plan> compile(const Bundle& bundle);
// The same of one that was live: also where its coupons could generate each other's codes, which
// earlier versions did not refuse. What they have given stands in the journal.
Result<plan::Plan> compile_former(const Bundle& bundle);

// The folder `bundles` of a data directory: one file for each bundle, never changed.
class Bundles {
 public:
  explicit Bundles(const store::Directory& directory) : folder_(directory.path() / "bundles") {}

  // Durable when it returns; what is there already stays. Errors "full", "unwritable", and those of
  // read() where a file of that name is damaged.
  Result<Hash128> keep(const Bundle& bundle) const;
  // Errors: "missing", "corrupt" (the bytes have another hash, or make no bundle), "newer" (a later
  // version of Koi has written it), "unreadable".
  Result<Bundle> read(Hash128 name) const;

  std::filesystem::path file_of(Hash128 name) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace koi::deploy
