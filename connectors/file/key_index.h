// KeyIndex: which keys a file of deliveries holds, in bounded memory: an open-addressed hash table
// on disk beside it. It is a cache of that file: what it does not cover is read again at opening,
// and a damaged or missing one is made anew. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/hash.h"
#include "base/result.h"

namespace koi::connectors {

class KeyIndex {
 public:
  ~KeyIndex();
  KeyIndex() = default;
  KeyIndex(const KeyIndex&) = delete;
  KeyIndex& operator=(const KeyIndex&) = delete;

  // Opens or makes the index at `path`. `most` is the size of the file it is about: an index that
  // claims to cover more belongs to another and is made anew.
  Result<void> open(std::string path, std::uint64_t most);

  // How many bytes of the file are covered: every key in them is here.
  std::uint64_t covers() const { return covers_; }

  Result<bool> has(Hash128 key) const;
  // Adding a key again changes nothing.
  Result<void> add(Hash128 key);
  // The same for a key of what is not covered: a process that died may have added it already, and
  // nobody has counted it. Each such key once after open().
  Result<void> add_uncovered(Hash128 key);
  // Makes what was added durable, and says that it covers that many bytes.
  Result<void> cover(std::uint64_t bytes);

 private:
  Result<void> make(const std::string& path, std::uint64_t slots);
  Result<void> grow();
  // The slot where the key is or would be, and whether it is there.
  struct Place {
    std::uint64_t slot = 0;
    bool taken = false;
  };
  Result<Place> place_of(Hash128 key) const;
  Result<void> put(std::uint64_t slot, Hash128 key);
  Error error(const char* doing) const;

  std::string path_;
  int fd_ = -1;
  std::uint64_t slots_ = 0, used_ = 0, covers_ = 0;
};

}  // namespace koi::connectors
