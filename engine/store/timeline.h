// Timeline: what was decided for each customer and what became of it, newest first, for people who
// ask. A report beside the truth: everything here follows from the journal, and old lines are
// dropped. One SQLite file of a data directory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"
#include "model/partition.h"
#include "store/directory.h"

namespace koi::store {

struct TimelineEntry {
  Partition partition = 0;
  std::string customer;
  Timestamp time;
  Hash128 key;       // of what it tells of; the same thing told again is one line
  std::string line;  // JSON
  friend bool operator==(const TimelineEntry&, const TimelineEntry&) = default;
};

// Thread-safe.
class Timeline {
 public:
  // Opens the directory's file or makes it. Errors as Identifiers::open.
  static Result<std::unique_ptr<Timeline>> open(const Directory& directory);
  ~Timeline();

  // Adds them all, or none; they are there after a kill of the process, and after a power cut once
  // the file was synced. The same key again is one line.
  Result<void> add(std::span<const TimelineEntry> entries);

  // The customer's last lines, the newest first.
  Result<std::vector<std::string>> of(std::string_view customer, std::size_t limit) const;

  // All entries, the oldest first; what the same thing was told again as well. Stops at an error,
  // and gives it.
  Result<void> each(const std::function<Result<void>(const TimelineEntry&)>& what) const;

  // Drops lines older than `before`, as far as no newer ones stand with them.
  Result<void> drop(Timestamp before);

 private:
  class Impl;
  explicit Timeline(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::store
