// Identifiers: which customer each identifier belongs to, kept for good, in one SQLite file of a
// data directory. An identifier is known by its key, `kind:value`; the partition of its home stands
// in every row. One thread's own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/directory.h"

namespace koi::store {

class Identifiers {
 public:
  // Opens the directory's file or makes it. Errors: "newer", "foreign", "corrupt", "unwritable",
  // "full", "disk". The directory must outlive it.
  static Result<std::unique_ptr<Identifiers>> open(const Directory& directory);
  ~Identifiers();

  // Whose it is; nothing where nobody knows it.
  Result<std::optional<std::string>> find(std::string_view key);

  // Links a key that is not linked yet to a customer. It is found at once, and durable after the
  // next commit().
  Result<void> link(std::string_view key, std::string_view customer);

  // Makes all links so far durable: one sync where there are new ones, else nothing. After an error
  // it is not known which of them are there.
  Result<void> commit();

 private:
  class Impl;
  explicit Identifiers(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::store
