// Journal rows: what the journal's file holds of its groups, as it is found and read. What its
// tables mean, and who writes them: sqlite_journal.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/result.h"
#include "model/codec.h"
#include "store/detail/batches.h"
#include "store/detail/database.h"
#include "store/detail/use.h"
#include "store/groups.h"

namespace koi::store::detail {

constexpr int position_bits = 48;
constexpr Position last_position = (Position{1} << position_bits) - 1;

// Of a row of version 1, and of a skip record: by group, then by position.
inline std::int64_t key_of(Group group, Position last) {
  return static_cast<std::int64_t>((std::uint64_t{group} << position_bits) | last);
}

std::string bytes_of(Hash128 hash);
Hash128 hash_of(std::string_view bytes);
// The group's among the ends of a commit; 0 where they are damaged.
Position end_of(std::string_view ends, Group group);

// The end of a group's history, or of the part of it that was looked at.
struct Tail {
  Position last = 0;
  Hash128 chain;
};

// By any connection; one thread at a time. What SQLite throws goes through: within guarded() only.
class JournalRows {
 public:
  // Both must outlive it.
  JournalRows(SQLite::Database& db, const std::filesystem::path& file);

  // The last end that the group has in the rows of version 1; 0 where there are none.
  Position old_end(Group group);
  // The end of the last batch that was dropped, on which the chain of the rest hangs.
  Tail base(Group group);
  // The number of the last commit; 0 before the first.
  std::int64_t last_number();
  // The last position of the group in the file.
  Position last(Group group);
  // The first commit in which the group gets as far as that position; nothing where it does not.
  std::optional<std::int64_t> reaching(Group group, Position position);
  // The batch in which that position stands, without its bytes; nothing where it is not there.
  std::optional<Batch> holding(Group group, Position position);
  // The group's history up to that position; nothing where no batch ends there.
  std::optional<Tail> tail(Group group, Position position);

  // Calls `with` for each batch of the group from the one with that position on, until it gives
  // false: those of version 1 …
  template <class With>
  void each_old(Group group, Position from, With with) {
    SQLite::Statement rows(db_,
                           "SELECT key, count, epoch, chain, bytes FROM batch WHERE key>=? AND "
                           "key<=? ORDER BY key");
    rows.bind(1, key_of(group, from));
    rows.bind(2, key_of(group, last_position));
    while (rows.executeStep()) {
      const Batch batch{group,
                        static_cast<std::uint64_t>(rows.getColumn(0).getInt64()) & last_position,
                        static_cast<std::uint64_t>(rows.getColumn(1).getInt64()),
                        static_cast<Epoch>(rows.getColumn(2).getInt64()),
                        hash_of(blob(rows.getColumn(3))),
                        blob(rows.getColumn(4))};
      if (!with(batch)) return;
    }
  }
  // … and those of the commits from `number` on in which the group gets further than `before`, with
  // their commit's number. Nothing instead of a batch where it should be one and is damaged.
  template <class With>
  void each(Group group, std::int64_t number, Position before, With with) {
    const Use use(written_);
    written_.bind(1, number);
    while (written_.executeStep()) {
      const Position end = end_of(blob(written_.getColumn(1)), group);
      if (end == before) continue;
      before = end;
      if (!with(written_.getColumn(0).getInt64(),
                part_of(blob(written_.getColumn(2)), blob(written_.getColumn(3)), group, end)))
        return;
    }
  }

  Error damaged(Group group, Position from) const;

 private:
  SQLite::Database& db_;
  const std::filesystem::path& file_;
  SQLite::Statement ends_, written_, base_;
};

}  // namespace koi::store::detail
