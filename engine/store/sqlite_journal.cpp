#include "store/sqlite_journal.h"

#include <sqlite3.h>
#include <zstd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "model/codec.h"
#include "store/detail/database.h"

namespace koi::store {

namespace {

using detail::bind_bytes;
using detail::blob;
using detail::guarded;

// A row's key is (group, position of its last input): batches of a group stand together, in order.
// `dropped` are logically gone; the physical rows go when a whole batch is. `base_*`: the end of
// the last batch that went, on which the chain of the rest hangs.
constexpr detail::Format format{.application = 0x4b6f694a,  // "KoiJ"
                                .version = 1,
                                .tables = R"sql(
  CREATE TABLE journal(id BLOB NOT NULL, groups INTEGER NOT NULL);
  CREATE TABLE part(grp INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, dropped INTEGER NOT NULL,
                    base_last INTEGER NOT NULL, base_chain BLOB NOT NULL);
  CREATE TABLE batch(key INTEGER PRIMARY KEY, count INTEGER NOT NULL, epoch INTEGER NOT NULL,
                     chain BLOB NOT NULL, bytes BLOB NOT NULL);
)sql",
                                .synchronous = "normal"};  // each commit is synced by itself

// Skip records. Files of before have no such table; a Koi of before that opens one with it does not
// read it, and crashes once more.
constexpr const char* skip_table = R"sql(
  CREATE TABLE IF NOT EXISTS set_aside(key INTEGER NOT NULL, customer INTEGER NOT NULL,
                                       PRIMARY KEY(key, customer)) WITHOUT ROWID
)sql";

constexpr int position_bits = 48;
constexpr Position last_position = (Position{1} << position_bits) - 1;
constexpr std::size_t longest_batch = 256u << 20;  // of a group, before it is compressed
// When the log of the file has this many pages it is copied, and when the copying is this close
// behind, the committing thread does the rest itself, so that the log begins anew.
constexpr int pages_to_copy = 2000, pages_to_finish = 200;

std::int64_t key_of(Group group, Position last) {
  return static_cast<std::int64_t>((std::uint64_t{group} << position_bits) | last);
}

std::string bytes_of(Hash128 hash) {
  ByteWriter out;
  out.hash(hash);
  return out.take();
}
Hash128 hash_of(std::string_view bytes) { return ByteReader(bytes).hash(); }

struct Batch {
  Position first = 0, last = 0;
  Epoch epoch = 0;
  Hash128 chain;
  std::string bytes;  // as in the file
};

Hash128 chained(Hash128 before, Group group, const Batch& batch) {
  ByteWriter header;
  header.hash(before);
  header.unsigned_(group);
  header.unsigned_(batch.first);
  header.unsigned_(batch.last);
  header.unsigned_(batch.epoch);
  const Hash128 content = hash128(batch.bytes);
  header.hash(content);
  return hash128(header.bytes());
}

Error fenced(Group group) {
  return {"fenced", "another process has taken over group " + std::to_string(group) +
                        "; this one must stop writing to it"};
}

// Packs rows and compresses them. Keeps its room; not for two threads at once.
class Packer {
 public:
  Packer() : context_(ZSTD_createCCtx()) { KOI_ASSERT(context_ != nullptr); }
  ~Packer() { ZSTD_freeCCtx(context_); }
  Packer(const Packer&) = delete;

  // Empty where the rows are more than a batch may hold.
  std::string pack(std::span<const Row> rows) {
    ByteWriter packed;
    for (const Row& row : rows) {
      packed.unsigned_(row.partition);
      packed.text(row.bytes);
      if (packed.bytes().size() > longest_batch) return {};
    }
    ByteWriter head;
    head.fixed64(packed.bytes().size());
    std::string bytes = head.take();
    const std::size_t at = bytes.size();
    bytes.resize(at + ZSTD_compressBound(packed.bytes().size()));
    const std::size_t size = ZSTD_compressCCtx(context_, bytes.data() + at, bytes.size() - at,
                                               packed.bytes().data(), packed.bytes().size(), 1);
    KOI_ASSERT(ZSTD_isError(size) == 0);
    bytes.resize(at + size);
    return bytes;
  }

 private:
  ZSTD_CCtx* context_;
};

// The packed rows of a batch, or nothing where the bytes are not what Packer made.
std::optional<std::vector<Row>> unpack(std::string_view bytes, std::size_t count) {
  const std::string_view head = bytes.substr(0, 8);
  const std::string_view compressed = bytes.substr(head.size());
  const std::uint64_t size = ByteReader(head).fixed64();
  if (head.size() < 8 || size > longest_batch) return std::nullopt;
  std::string packed(size, '\0');
  const std::size_t got =
      ZSTD_decompress(packed.data(), packed.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(got) != 0 || got != size) return std::nullopt;
  ByteReader in(packed);
  std::vector<Row> rows;
  rows.reserve(std::min(count, packed.size()));
  while (in.ok() && !in.at_end()) {
    const std::uint64_t partition = in.unsigned_();
    if (partition >= partition_count) return std::nullopt;
    rows.push_back({static_cast<Partition>(partition), std::string(in.text())});
  }
  if (!in.ok() || rows.size() != count) return std::nullopt;
  return rows;
}

}  // namespace

class SqliteJournal::Impl {
 public:
  Impl(const Directory& directory, std::filesystem::path file,
       std::unique_ptr<SQLite::Database> writer, std::unique_ptr<SQLite::Database> reader,
       std::unique_ptr<SQLite::Database> copier)
      : directory_(directory),
        file_(std::move(file)),
        files_(file_),
        writer_(std::move(writer)),
        reader_(std::move(reader)),
        copier_(std::move(copier)),
        insert_(*writer_, "INSERT INTO batch(key, count, epoch, chain, bytes) VALUES(?,?,?,?,?)"),
        epoch_(*writer_, "SELECT epoch FROM part WHERE grp=?"),
        begin_(*writer_, "BEGIN IMMEDIATE"),
        commit_(*writer_, "COMMIT"),
        log_(*writer_) {
    const auto found = [&] {
      SQLite::Statement row(*writer_, "SELECT id, groups FROM journal");
      row.executeStep();
      return std::pair(std::string(blob(row.getColumn(0))), row.getColumn(1).getInt());
    }();
    id_ = found.first;
    groups_.count = static_cast<std::uint16_t>(found.second);
    tails_.resize(groups_.count);
    for (Group group = 0; group < groups_.count; ++group) tails_[group] = tail_of(*writer_, group);
    sqlite3_wal_hook(
        writer_->getHandle(),
        [](void* self, sqlite3*, const char*, int pages) {
          static_cast<Impl*>(self)->pages_ = pages;
          return SQLITE_OK;
        },
        this);
    copying_ = std::thread([this] { copy(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(copy_mutex_);
      stop_ = true;
    }
    copy_wanted_.notify_one();
    copying_.join();
  }

  Groups groups() const { return groups_; }

  Result<Epoch> take(Group group) {
    const std::lock_guard lock(write_mutex_);
    KOI_ASSERT(group < groups_.count);
    return guarded(file_, [&]() -> Result<Epoch> {
      detail::Transaction transaction(*writer_);
      SQLite::Statement raise(*writer_, "UPDATE part SET epoch=epoch+1 WHERE grp=?");
      raise.bind(1, group);
      raise.exec();
      const Epoch epoch = epoch_of(group);
      transaction.commit();
      // With what a kill has left unsynced in the log, and is taken for written from here on.
      sync_log();
      tails_[group] = tail_of(*writer_, group);  // another process may have gone on with it
      return epoch;
    });
  }

  Result<std::vector<Position>> append(std::span<const Appended> batches) {
    KOI_LET(auto last, write(batches));
    KOI_TRY(sync());
    return last;
  }

  Result<std::vector<Position>> write(std::span<const Appended> batches) {
    std::vector<std::string> packed;
    packed.reserve(batches.size());
    const std::lock_guard lock(write_mutex_);
    if (const auto broken = why_broken()) return *broken;
    for (const Appended& batch : batches) {
      KOI_ASSERT(batch.group < groups_.count);
      for (const Row& row : batch.rows) KOI_ASSERT(groups_.group_of(row.partition) == batch.group);
      packed.push_back(packer_.pack(batch.rows));
      if (packed.back().empty())
        return Error{"too_large", "a batch of more than " + std::to_string(longest_batch >> 20) +
                                      " MiB cannot be journalled"};
    }
    KOI_TRY(directory_.room_left());
    std::vector<Tail> tails;
    auto written = guarded(file_, [&] { return insert(batches, std::move(packed), tails); });
    if (!written) return std::move(written).error();
    std::vector<Position> last;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      tails_[batches[i].group] = tails[i];
      last.push_back(tails[i].last);
    }
    note_pages();
    return last;
  }

  // Beside whoever writes.
  Result<void> sync() {
    if (const auto broken = why_broken()) return *broken;
    const auto synced = guarded(file_, [&]() -> Result<void> {
      log_.sync();
      return {};
    });
    if (synced) return {};
    return unknown(synced.error());
  }

  Result<std::vector<Read>> read(Group group, Position from, std::size_t limit) const {
    const std::lock_guard lock(read_mutex_);
    KOI_ASSERT(group < groups_.count && from > 0);
    return guarded(file_, [&] { return read_from(group, from, limit); });
  }

  Position last(Group group) const {
    const std::lock_guard lock(write_mutex_);
    KOI_ASSERT(group < groups_.count);
    return tails_[group].last;
  }

  Result<Hash128> chain(Group group, Position position) const {
    const std::lock_guard lock(read_mutex_);
    KOI_ASSERT(group < groups_.count);
    return guarded(file_, [&]() -> Result<Hash128> {
      const Tail base = base_of(*reader_, group);
      if (position == base.last) return base.chain;
      SQLite::Statement row(*reader_, "SELECT chain FROM batch WHERE key=?");
      row.bind(1, key_of(group, position));
      if (position <= last_position && row.executeStep()) return hash_of(blob(row.getColumn(0)));
      return Error{"gap", "no batch of group " + std::to_string(group) +
                              " is known to end at position " + std::to_string(position) + " of " +
                              file_.string()};
    });
  }

  Result<void> set_aside(Group group, Epoch epoch, SetAside what) {
    const std::lock_guard lock(write_mutex_);
    KOI_ASSERT(group < groups_.count && what.position <= tails_[group].last);
    return guarded(file_, [&]() -> Result<void> {
      detail::Transaction transaction(*writer_);
      if (epoch != epoch_of(group)) return fenced(group);
      SQLite::Statement skip(*writer_, "INSERT OR IGNORE INTO set_aside VALUES(?,?)");
      skip.bind(1, key_of(group, what.position));
      skip.bind(2, static_cast<std::int64_t>(what.customer));
      skip.exec();
      transaction.commit();
      sync_log();
      return {};
    });
  }

  Result<std::vector<SetAside>> set_aside(Group group) const {
    const std::lock_guard lock(read_mutex_);
    KOI_ASSERT(group < groups_.count);
    return guarded(file_, [&]() -> Result<std::vector<SetAside>> {
      std::vector<SetAside> all;
      SQLite::Statement rows(
          *reader_, "SELECT key, customer FROM set_aside WHERE key>? AND key<=? ORDER BY key");
      rows.bind(1, key_of(group, 0));
      rows.bind(2, key_of(group, last_position));
      while (rows.executeStep())
        all.push_back({static_cast<std::uint64_t>(rows.getColumn(0).getInt64()) & last_position,
                       static_cast<std::uint64_t>(rows.getColumn(1).getInt64())});
      std::sort(all.begin(), all.end());
      return all;
    });
  }

  Result<void> drop(Group group, Epoch epoch, Position before) {
    const std::lock_guard lock(write_mutex_);
    KOI_ASSERT(group < groups_.count);
    return guarded(file_, [&]() -> Result<void> {
      detail::Transaction transaction(*writer_);
      if (epoch != epoch_of(group)) return fenced(group);
      // The last batch that goes whole, on which the chain of the rest will hang.
      SQLite::Statement whole(
          *writer_, "SELECT key, chain FROM batch WHERE key>? AND key<? ORDER BY key DESC LIMIT 1");
      whole.bind(1, key_of(group, 0));
      whole.bind(2, key_of(group, std::min(before, last_position)));
      if (whole.executeStep()) {
        const std::int64_t key = whole.getColumn(0).getInt64();
        SQLite::Statement base(*writer_, "UPDATE part SET base_last=?, base_chain=? WHERE grp=?");
        base.bind(1, key & static_cast<std::int64_t>(last_position));
        const std::string chain(blob(whole.getColumn(1)));
        bind_bytes(base, 2, chain);
        base.bind(3, group);
        base.exec();
        SQLite::Statement forget(*writer_, "DELETE FROM batch WHERE key>? AND key<=?");
        forget.bind(1, key_of(group, 0));
        forget.bind(2, key);
        forget.exec();
      }
      SQLite::Statement mark(*writer_, "UPDATE part SET dropped=max(dropped, ?) WHERE grp=?");
      const Position dropped = std::min(before == 0 ? 0 : before - 1, tails_[group].last);
      mark.bind(1, static_cast<std::int64_t>(dropped));
      mark.bind(2, group);
      mark.exec();
      SQLite::Statement skips(*writer_, "DELETE FROM set_aside WHERE key>? AND key<=?");
      skips.bind(1, key_of(group, 0));
      skips.bind(2, key_of(group, dropped));
      skips.exec();
      transaction.commit();
      sync_log();
      return {};
    });
  }

 private:
  struct Tail {
    Position last = 0;
    Hash128 chain;
  };

  Epoch epoch_of(Group group) {
    epoch_.bind(1, group);
    epoch_.executeStep();
    const Epoch epoch = static_cast<Epoch>(epoch_.getColumn(0).getInt64());
    epoch_.reset();
    return epoch;
  }

  static Tail base_of(SQLite::Database& db, Group group) {
    SQLite::Statement base(db, "SELECT base_last, base_chain FROM part WHERE grp=?");
    base.bind(1, group);
    base.executeStep();
    return {static_cast<Position>(base.getColumn(0).getInt64()), hash_of(blob(base.getColumn(1)))};
  }

  // The end of the group's last batch before `before`.
  static Tail tail_of(SQLite::Database& db, Group group, Position before = last_position) {
    SQLite::Statement row(
        db, "SELECT key, chain FROM batch WHERE key>? AND key<? ORDER BY key DESC LIMIT 1");
    row.bind(1, key_of(group, 0));
    row.bind(2, key_of(group, before));
    if (!row.executeStep()) return base_of(db, group);
    const auto key = static_cast<std::uint64_t>(row.getColumn(0).getInt64());
    return {key & last_position, hash_of(blob(row.getColumn(1)))};
  }

  // Whoever's sync of the log fails, what others have written to it may be lost with it.
  void sync_log() {
    try {
      log_.find();
      log_.sync();
    } catch (const SQLite::Exception& fault) {
      static_cast<void>(unknown(detail::error_of(fault, file_)));
      throw;
    }
  }

  std::optional<Error> why_broken() const {
    const std::lock_guard lock(broken_mutex_);
    return broken_;
  }
  // Whether the disk has the last batch cannot be told from here, and never will: after a sync that
  // failed the next one may say that all is well.
  Error unknown(const Error& cause) {
    const std::lock_guard lock(broken_mutex_);
    if (!broken_)
      broken_ =
          Error{"unknown", "it is not known whether the last batch was written: " + cause.what +
                               "; start again, and the journal tells"};
    return *broken_;
  }

  Result<void> insert(std::span<const Appended> batches, std::vector<std::string> packed,
                      std::vector<Tail>& tails) {
    finish_copying();
    detail::Prepared transaction(*writer_, begin_, commit_);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const Appended& each = batches[i];
      if (each.epoch != epoch_of(each.group)) return fenced(each.group);
      const Tail& tail = tails_[each.group];
      tails.push_back(tail);
      if (each.rows.empty()) continue;
      const Batch batch{
          tail.last + 1, tail.last + each.rows.size(), each.epoch, {}, std::move(packed[i])};
      tails.back() = {batch.last, chained(tail.chain, each.group, batch)};
      const std::string chain = bytes_of(tails.back().chain);
      insert_.bind(1, key_of(each.group, batch.last));
      insert_.bind(2, static_cast<std::int64_t>(each.rows.size()));
      insert_.bind(3, static_cast<std::int64_t>(each.epoch));
      bind_bytes(insert_, 4, chain);
      bind_bytes(insert_, 5, batch.bytes);
      try {
        insert_.exec();
      } catch (...) {
        insert_.tryReset();
        throw;
      }
      insert_.reset();
    }
    try {
      transaction.commit();
      log_.find();
    } catch (const SQLite::Exception& fault) {
      return unknown(detail::error_of(fault, file_));
    }
    return {};
  }

  Result<std::vector<Read>> read_from(Group group, Position from, std::size_t limit) const {
    SQLite::Statement part(*reader_, "SELECT dropped FROM part WHERE grp=?");
    part.bind(1, group);
    part.executeStep();
    const auto dropped = static_cast<Position>(part.getColumn(0).getInt64());
    if (from <= dropped)
      return Error{"gap", "group " + std::to_string(group) + " keeps no rows before " +
                              std::to_string(dropped + 1)};
    std::vector<Read> found;
    if (from > last_position) return found;
    Tail before = tail_of(*reader_, group, from);
    SQLite::Statement rows(*reader_,
                           "SELECT key, count, epoch, chain, bytes FROM batch WHERE key>=? AND "
                           "key<=? ORDER BY key");
    rows.bind(1, key_of(group, from));
    rows.bind(2, key_of(group, last_position));
    while (found.size() < limit && rows.executeStep()) {
      const auto key = static_cast<std::uint64_t>(rows.getColumn(0).getInt64());
      const auto count = static_cast<std::uint64_t>(rows.getColumn(1).getInt64());
      Batch batch{before.last + 1, key & last_position,
                  static_cast<Epoch>(rows.getColumn(2).getInt64()),
                  hash_of(blob(rows.getColumn(3))), std::string(blob(rows.getColumn(4)))};
      const bool follows = before.last + count == batch.last;
      if (!follows || chained(before.chain, group, batch) != batch.chain)
        return damaged(group, batch.first);
      auto unpacked = unpack(batch.bytes, count);
      if (!unpacked) return damaged(group, batch.first);
      for (std::size_t i = 0; i < unpacked->size() && found.size() < limit; ++i)
        if (batch.first + i >= from) found.push_back({batch.first + i, std::move((*unpacked)[i])});
      before = {batch.last, batch.chain};
    }
    return found;
  }

  Error damaged(Group group, Position from) const {
    return {"corrupt", file_.string() + " is damaged: the inputs of group " +
                           std::to_string(group) + " from position " + std::to_string(from) +
                           " on are not what was written; restore it from a backup"};
  }

  // --- The copying of the file's log, beside the commits
  // ------------------------------------------

  void note_pages() {
    if (pages_ < pages_to_copy) return;
    {
      const std::lock_guard lock(copy_mutex_);
      if (wanted_ || nearly_) return;
      wanted_ = true;
    }
    copy_wanted_.notify_one();
  }

  // On the committing thread: what little is left is copied here, where nobody adds to it.
  void finish_copying() {
    {
      const std::lock_guard lock(copy_mutex_);
      if (!nearly_) return;
      nearly_ = false;
    }
    detail::copy_log(*writer_);
  }

  void copy() {
    for (;;) {
      {
        std::unique_lock lock(copy_mutex_);
        copy_wanted_.wait(lock, [&] { return wanted_ || stop_; });
        if (stop_) return;
      }
      bool nearly = false;
      // A copy that fails is tried again with the next one; the log only grows meanwhile.
      const auto copied = guarded(file_, [&]() -> Result<void> {
        const detail::Pushing pushing(files_);
        for (int round = 0; round < 20 && !nearly; ++round) {
          const detail::Copied now = detail::copy_log(*copier_);
          nearly = now.pages - now.copied <= pages_to_finish;
        }
        return {};
      });
      const std::lock_guard lock(copy_mutex_);
      wanted_ = false;
      nearly_ = copied && nearly;
    }
  }

  const Directory& directory_;
  std::filesystem::path file_;
  detail::Descriptors files_;  // before the connections: it must outlive them
  std::unique_ptr<SQLite::Database> writer_, reader_, copier_;
  SQLite::Statement insert_, epoch_, begin_, commit_;
  detail::Log log_;
  std::string id_;
  Groups groups_;
  mutable std::mutex write_mutex_, read_mutex_;
  Packer packer_;
  std::vector<Tail> tails_;
  mutable std::mutex broken_mutex_;
  std::optional<Error> broken_;
  int pages_ = 0;  // in the log of the file, as SQLite said after the last commit

  std::mutex copy_mutex_;
  std::condition_variable copy_wanted_;
  bool wanted_ = false, nearly_ = false, stop_ = false;
  std::thread copying_;
};

SqliteJournal::SqliteJournal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteJournal::~SqliteJournal() = default;

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(const Directory& directory,
                                                           Groups groups) {
  using Opened = Result<std::unique_ptr<SqliteJournal>>;
  const auto file = directory.path() / "journal.db";
  KOI_LET(auto writer, detail::open(file, format));
  KOI_LET(auto reader, detail::open_reader(file, 2 << 10));
  KOI_LET(auto copier, detail::open_reader(file, 256));
  return guarded(file, [&]() -> Opened {
    writer->exec(skip_table);
    if (!SQLite::Statement(*writer, "SELECT 1 FROM journal").executeStep()) {
      detail::Transaction made(*writer);
      std::random_device chance;
      ByteWriter id;
      for (int i = 0; i < 2; ++i) id.fixed64((std::uint64_t{chance()} << 32) | chance());
      SQLite::Statement journal(*writer, "INSERT INTO journal VALUES(?,?)");
      bind_bytes(journal, 1, id.bytes());
      journal.bind(2, groups.count);
      journal.exec();
      SQLite::Statement part(*writer, "INSERT INTO part VALUES(?,0,0,0,?)");
      for (Group group = 0; group < groups.count; ++group) {
        const std::string chain = bytes_of(HashInput().text(id.bytes()).number(group).hash128());
        part.bind(1, group);
        bind_bytes(part, 2, chain);
        part.exec();
        part.reset();
      }
      made.commit();
      detail::Log log(*writer);
      log.find();
      log.sync();
    }
    return std::unique_ptr<SqliteJournal>(new SqliteJournal(std::make_unique<Impl>(
        directory, file, std::move(writer), std::move(reader), std::move(copier))));
  });
}

Groups SqliteJournal::groups() const { return impl_->groups(); }
Result<Epoch> SqliteJournal::take(Group group) { return impl_->take(group); }
Result<std::vector<Position>> SqliteJournal::append(std::span<const Appended> batches) {
  return impl_->append(batches);
}
Result<std::vector<Position>> SqliteJournal::write(std::span<const Appended> batches) {
  return impl_->write(batches);
}
Result<void> SqliteJournal::sync() { return impl_->sync(); }
Result<std::vector<Read>> SqliteJournal::read(Group group, Position from, std::size_t limit) const {
  return impl_->read(group, from, limit);
}
Result<Position> SqliteJournal::last(Group group) const { return impl_->last(group); }
Result<Hash128> SqliteJournal::chain(Group group, Position position) const {
  return impl_->chain(group, position);
}
Result<void> SqliteJournal::set_aside(Group group, Epoch epoch, SetAside what) {
  return impl_->set_aside(group, epoch, what);
}
Result<std::vector<SetAside>> SqliteJournal::set_aside(Group group) const {
  return impl_->set_aside(group);
}
Result<void> SqliteJournal::drop(Group group, Epoch epoch, Position before) {
  return impl_->drop(group, epoch, before);
}

}  // namespace koi::store
