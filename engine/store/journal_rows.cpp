#include "store/detail/journal_rows.h"

#include <algorithm>

namespace koi::store::detail {

std::string bytes_of(Hash128 hash) {
  ByteWriter out;
  out.hash(hash);
  return out.take();
}
Hash128 hash_of(std::string_view bytes) { return ByteReader(bytes).hash(); }

Position end_of(std::string_view ends, Group group) {
  ByteReader in(ends);
  for (Group each = 0; each < group; ++each) in.unsigned_();
  return in.unsigned_();
}

JournalRows::JournalRows(SQLite::Database& db, const std::filesystem::path& file)
    : db_(db),
      file_(file),
      ends_(db, "SELECT number, ends FROM written WHERE number>=? ORDER BY number LIMIT 1"),
      written_(db,
               "SELECT number, ends, parts, bytes FROM written WHERE number>=? ORDER BY number"),
      base_(db, "SELECT base_last, base_chain FROM part WHERE grp=?") {}

Position JournalRows::old_end(Group group) {
  SQLite::Statement row(db_, "SELECT max(key) FROM batch WHERE key>? AND key<=?");
  row.bind(1, key_of(group, 0));
  row.bind(2, key_of(group, last_position));
  row.executeStep();
  return static_cast<std::uint64_t>(row.getColumn(0).getInt64()) & last_position;
}

Tail JournalRows::base(Group group) {
  const Use use(base_);
  base_.bind(1, group);
  base_.executeStep();
  return {static_cast<Position>(base_.getColumn(0).getInt64()), hash_of(blob(base_.getColumn(1)))};
}

std::int64_t JournalRows::last_number() {
  return db_.execAndGet("SELECT max(number) FROM written").getInt64();
}

Position JournalRows::last(Group group) {
  const Position before = std::max(base(group).last, old_end(group));
  const Use use(ends_);
  ends_.bind(1, last_number());
  if (!ends_.executeStep()) return before;
  return std::max(before, end_of(blob(ends_.getColumn(1)), group));
}

std::optional<std::int64_t> JournalRows::reaching(Group group, Position position) {
  // Every commit has the ends of all groups, so those of one never fall.
  std::int64_t low = db_.execAndGet("SELECT min(number) FROM written").getInt64();
  std::int64_t high = last_number() + 1;
  const std::int64_t beyond = high;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    const Use use(ends_);
    ends_.bind(1, middle);
    if (!ends_.executeStep()) return std::nullopt;
    if (end_of(blob(ends_.getColumn(1)), group) >= position)
      high = middle;
    else
      low = ends_.getColumn(0).getInt64() + 1;
  }
  return low < beyond ? std::optional(low) : std::nullopt;
}

std::optional<Batch> JournalRows::holding(Group group, Position position) {
  std::optional<Batch> found;
  if (position <= old_end(group))
    each_old(group, position, [&](const Batch& batch) { return found = batch, false; });
  else if (const auto number = reaching(group, position))
    each(group, *number, position - 1,
         [&](std::int64_t, const std::optional<Batch>& batch) { return found = batch, false; });
  if (found && (position < found->first() || position > found->last)) return std::nullopt;
  if (found) found->bytes = {};
  return found;
}

std::optional<Tail> JournalRows::tail(Group group, Position position) {
  const Tail begin = base(group);
  if (position == begin.last) return begin;
  if (position < begin.last || position > last_position) return std::nullopt;
  const auto batch = holding(group, position);
  if (!batch || batch->last != position) return std::nullopt;
  return Tail{batch->last, batch->chain};
}

Error JournalRows::damaged(Group group, Position from) const {
  return {"corrupt", file_.string() + " is damaged: the inputs of group " + std::to_string(group) +
                         " from position " + std::to_string(from) +
                         " on are not what was written; restore it from a backup"};
}

}  // namespace koi::store::detail
