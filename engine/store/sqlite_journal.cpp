#include "store/sqlite_journal.h"

#include <sqlite3.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "model/codec.h"
#include "store/detail/batches.h"
#include "store/detail/database.h"
#include "store/detail/fenced.h"
#include "store/detail/journal_rows.h"
#include "store/detail/use.h"

namespace koi::store {

namespace {

using detail::Batch;
using detail::bind_bytes;
using detail::blob;
using detail::bytes_of;
using detail::fenced;
using detail::guarded;
using detail::key_of;
using detail::last_position;
using detail::Tail;

// `written` has a row for each commit (more for a very long one), in their order: so it grows at
// its end alone, and no page of it is touched again. `ends` is the last position of every group as
// of that commit, `parts` says whose batches it holds and how they hang together, `bytes` has them
// one behind the other. `batch` is what it was in files of version 1: a row for each batch, by
// (group, position of its last input). They are read as long as they are there; nothing is added.
// Such a file gets the tables that it lacks when it is opened, and its version when a group is
// taken: until then a Koi of before can still go on with it. `dropped` are logically gone; the
// physical rows go when all of a commit is. `base_*`: the end of the last batch that went, on which
// the chain of the rest hangs. `set_aside` are skip records, by the key that batches had.
constexpr const char* tables = R"sql(
  CREATE TABLE IF NOT EXISTS journal(id BLOB NOT NULL, groups INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS part(grp INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
                                  dropped INTEGER NOT NULL, base_last INTEGER NOT NULL,
                                  base_chain BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS written(number INTEGER PRIMARY KEY, ends BLOB NOT NULL,
                                     parts BLOB NOT NULL, bytes BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS batch(key INTEGER PRIMARY KEY, count INTEGER NOT NULL,
                                   epoch INTEGER NOT NULL, chain BLOB NOT NULL,
                                   bytes BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS set_aside(key INTEGER NOT NULL, customer INTEGER NOT NULL,
                                       PRIMARY KEY(key, customer)) WITHOUT ROWID
)sql";
// Of whoever writes and of whoever reads: both go through the file in its order.
constexpr int journal_cache_kib = 1 << 10;
constexpr detail::Format journal_format{
    .application = 0x4b6f694a,  // "KoiJ"
    .version = 2,
    .tables = tables,
    .synchronous = "normal"};  // each commit is synced by itself

// A commit of many groups with this much goes on in another row: SQLite's have their limits.
constexpr std::size_t long_row = 16u << 20;

// When the log of the file has this many pages it is copied, and when the copying is this close
// behind, the committing thread does the rest itself, so that the log begins anew.
constexpr int pages_to_copy = 2000, pages_to_finish = 200;

}  // namespace

class SqliteJournal::Impl {
 public:
  Impl(const Directory& directory, std::filesystem::path file,
       std::unique_ptr<SQLite::Database> writer, std::unique_ptr<SQLite::Database> reader,
       std::unique_ptr<SQLite::Database> copier, Copying copying)
      : directory_(directory),
        file_(std::move(file)),
        files_(file_),
        writer_(std::move(writer)),
        reader_(std::move(reader)),
        copier_(std::move(copier)),
        is_copied_beside_(copying == Copying::Beside),
        as_written_(*writer_, file_),
        as_read_(*reader_, file_),
        insert_(*writer_, "INSERT INTO written(number, ends, parts, bytes) VALUES(?,?,?,?)"),
        epoch_(*writer_, "SELECT epoch FROM part WHERE grp=?"),
        begin_(*writer_, "BEGIN IMMEDIATE"),
        commit_(*writer_, "COMMIT"),
        begin_reading_(*reader_, "BEGIN"),
        end_reading_(*reader_, "COMMIT"),
        log_(*writer_) {
    const auto found = [&] {
      SQLite::Statement row(*writer_, "SELECT id, groups FROM journal");
      row.executeStep();
      return std::pair(std::string(blob(row.getColumn(0))), row.getColumn(1).getInt());
    }();
    id_ = found.first;
    groups_.count = static_cast<std::uint16_t>(found.second);
    tails_.resize(groups_.count);
    epochs_.resize(groups_.count);
    reads_.resize(groups_.count);
    sqlite3_wal_hook(
        writer_->getHandle(),
        [](void* self, sqlite3*, const char*, int pages) {
          static_cast<Impl*>(self)->pages_ = pages;
          return SQLITE_OK;
        },
        this);
  }

  // Before anything else.
  Result<void> begin() {
    {
      detail::Transaction transaction(*writer_);
      KOI_TRY(learn());
      transaction.commit();
    }
    if (is_copied_beside_) copying_ = std::thread([this] { copy_on(); });
    return {};
  }

  ~Impl() {
    {
      const std::lock_guard lock(copy_mutex_);
      stop_ = true;
    }
    copy_wanted_.notify_one();
    if (copying_.joinable()) copying_.join();
  }

  Groups groups() const { return groups_; }

  Result<Epoch> take(Group group) {
    const std::lock_guard lock(write_mutex_);
    KOI_ASSERT(group < groups_.count);
    return guarded(file_, [&]() -> Result<Epoch> {
      detail::Transaction transaction(*writer_);
      KOI_TRY(learn());  // another process may have gone on with it
      SQLite::Statement raise(*writer_, "UPDATE part SET epoch=epoch+1 WHERE grp=?");
      raise.bind(1, group);
      raise.exec();
      const Epoch epoch = epoch_of(group);
      if (writer_->execAndGet("PRAGMA user_version").getInt() < journal_format.version)
        writer_->exec("PRAGMA user_version=" + std::to_string(journal_format.version));
      transaction.commit();
      epochs_[group] = epoch;
      version_ = version_of_file();
      // With what a kill has left unsynced in the log, and is taken for written from here on.
      sync_log();
      return epoch;
    });
  }

  Result<std::vector<Position>> append(std::span<const Appended> batches) {
    KOI_LET(auto last, write(batches));
    KOI_TRY(sync());
    return last;
  }

  Result<std::vector<Position>> write(std::span<const Appended> batches) {
    const std::lock_guard lock(write_mutex_);
    if (const auto broken = why_broken()) return *broken;
    bytes_.clear();
    ends_in_bytes_.clear();
    for (const Appended& batch : batches) {
      KOI_ASSERT(batch.group < groups_.count);
      for (const Row& row : batch.rows) KOI_ASSERT(groups_.group_of(row.partition) == batch.group);
      if (!batch.rows.empty() && !packer_.pack(batch.rows, bytes_))
        return Error{"too_large", "a batch of more than " +
                                      std::to_string(detail::Packer::longest_batch >> 20) +
                                      " MiB cannot be journalled"};
      ends_in_bytes_.push_back(bytes_.size());
    }
    KOI_TRY(directory_.room_left());
    auto written = guarded(file_, [&] { return insert(batches); });
    if (!written) return std::move(written).error();
    std::vector<Position> last;
    for (const Appended& batch : batches) last.push_back(tails_[batch.group].last);
    if (bytes_.capacity() > detail::Packer::most_room) bytes_ = {};
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
      const Reading reading(*this);
      if (const auto tail = as_read_.tail(group, position)) return tail->chain;
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
      const Position dropped = std::min(before == 0 ? 0 : before - 1, tails_[group].last);
      // The end of the last batch that goes whole, on which the chain of the rest will hang.
      Position whole = dropped;
      if (dropped < tails_[group].last) {
        const auto cut = as_written_.holding(group, dropped + 1);
        if (!cut) return as_written_.damaged(group, dropped + 1);
        whole = cut->before();
      }
      if (whole > as_written_.base(group).last) {
        const auto tail = as_written_.tail(group, whole);
        if (!tail) return as_written_.damaged(group, whole);
        SQLite::Statement base(*writer_, "UPDATE part SET base_last=?, base_chain=? WHERE grp=?");
        base.bind(1, static_cast<std::int64_t>(whole));
        const std::string chain = bytes_of(tail->chain);
        bind_bytes(base, 2, chain);
        base.bind(3, group);
        base.exec();
        SQLite::Statement forget(*writer_, "DELETE FROM batch WHERE key>? AND key<=?");
        forget.bind(1, key_of(group, 0));
        forget.bind(2, key_of(group, whole));
        forget.exec();
        forget_commits();
      }
      SQLite::Statement mark(*writer_, "UPDATE part SET dropped=max(dropped, ?) WHERE grp=?");
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
  // While it lives, all that is read is of one moment.
  class Reading {
   public:
    explicit Reading(const Impl& of) : of_(of) {
      const detail::Use use(of_.begin_reading_);
      of_.begin_reading_.exec();
    }
    ~Reading() { of_.end_reading_.tryExecuteStep(), of_.end_reading_.tryReset(); }
    Reading(const Reading&) = delete;

   private:
    const Impl& of_;
  };

  Epoch epoch_of(Group group) {
    const detail::Use use(epoch_);
    epoch_.bind(1, group);
    epoch_.executeStep();
    return static_cast<Epoch>(epoch_.getColumn(0).getInt64());
  }

  // Differs from what it was where anybody has written to the file since, this connection too; of
  // others it is known within a transaction.
  unsigned version_of_file() {
    unsigned version = 0;
    const int code =
        sqlite3_file_control(writer_->getHandle(), "main", SQLITE_FCNTL_DATA_VERSION, &version);
    if (code != SQLITE_OK) throw SQLite::Exception(writer_->getHandle(), code);
    return version;
  }

  // Within a transaction: what the file says of the groups, unless that is known.
  Result<void> learn() {
    const unsigned version = version_of_file();
    if (version == version_) return {};
    for (Group group = 0; group < groups_.count; ++group) {
      epochs_[group] = epoch_of(group);
      const Position last = as_written_.last(group);
      const auto tail = as_written_.tail(group, last);
      if (!tail) return as_written_.damaged(group, last);
      tails_[group] = *tail;
    }
    number_ = as_written_.last_number();
    version_ = version;
    return {};
  }

  // The commits go of which no batch is needed any more.
  void forget_commits() {
    std::int64_t needed = number_ + 1;
    for (Group group = 0; group < groups_.count; ++group)
      if (const auto first = as_written_.reaching(group, as_written_.base(group).last + 1))
        needed = std::min(needed, *first);
    SQLite::Statement forget(*writer_, "DELETE FROM written WHERE number<?");
    forget.bind(1, needed);
    forget.exec();
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

  Result<void> insert(std::span<const Appended> batches) {
    finish_copying();
    detail::Prepared transaction(*writer_, begin_, commit_);
    KOI_TRY(learn());
    std::vector<Tail> tails = tails_;
    std::int64_t number = number_;
    ByteWriter parts;
    std::size_t begin = 0, row = 0;  // in `bytes_`, of a batch and of a row
    const auto put_row = [&] {
      ByteWriter ends;
      for (const Tail& tail : tails) ends.unsigned_(tail.last);
      const detail::Use use(insert_);
      insert_.bind(1, ++number);
      bind_bytes(insert_, 2, ends.bytes());
      bind_bytes(insert_, 3, parts.bytes());
      bind_bytes(insert_, 4, std::string_view(bytes_).substr(row, begin - row));
      insert_.exec();
      parts = {};
      row = begin;
    };
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const Appended& each = batches[i];
      if (each.epoch != epochs_[each.group]) return fenced(each.group);
      Tail& tail = tails[each.group];
      const std::size_t size = ends_in_bytes_[i] - std::exchange(begin, ends_in_bytes_[i]);
      if (size == 0) continue;
      Batch batch{each.group,
                  tail.last + each.rows.size(),
                  each.rows.size(),
                  each.epoch,
                  {},
                  std::string_view(bytes_).substr(begin - size, size)};
      batch.chain = detail::chained(tail.chain, batch);
      detail::write_part(parts, batch);
      tail = {batch.last, batch.chain};
      if (begin - row >= long_row) put_row();
    }
    if (!parts.bytes().empty()) put_row();
    if (number == number_) return {};
    try {
      transaction.commit();
      version_ = version_of_file();
      log_.find();
    } catch (const SQLite::Exception& fault) {
      return unknown(detail::error_of(fault, file_));
    }
    number_ = number;
    tails_ = std::move(tails);
    return {};
  }

  Result<std::vector<Read>> read_from(Group group, Position from, std::size_t limit) const {
    const Reading reading(*this);
    SQLite::Statement part(*reader_, "SELECT dropped FROM part WHERE grp=?");
    part.bind(1, group);
    part.executeStep();
    const auto dropped = static_cast<Position>(part.getColumn(0).getInt64());
    if (from <= dropped)
      return Error{"gap", "group " + std::to_string(group) + " keeps no rows before " +
                              std::to_string(dropped + 1)};
    std::vector<Read> found;
    if (from > last_position || limit == 0) return found;
    const Position old_end = as_read_.old_end(group);
    std::optional<std::int64_t> number;  // of the first commit to be read
    std::optional<Tail> before;
    if (const Next& next = reads_[group]; next.number > 0 && next.from == from) {
      number = next.number;
      before = next.before;
    } else {
      if (from > as_read_.last(group)) return found;
      const auto first = as_read_.holding(group, from);
      if (first) before = as_read_.tail(group, first->before());
      if (!before) return as_read_.damaged(group, from);
      number = as_read_.reaching(group, std::max(from, old_end + 1));
    }

    // Where this goes on: the commit whose batch was not taken to its end, or the one behind it.
    Next next;
    std::optional<Error> fault;
    const auto take = [&](const std::optional<Batch>& batch) {
      const bool follows = batch && before->last == batch->before() &&
                           detail::chained(before->chain, *batch) == batch->chain;
      auto rows = follows ? detail::unpack(batch->bytes, batch->count) : std::nullopt;
      if (!rows) {
        fault = as_read_.damaged(group, before->last + 1);
        return false;
      }
      for (std::size_t i = 0; i < rows->size() && found.size() < limit; ++i)
        if (batch->first() + i >= from)
          found.push_back({batch->first() + i, std::move((*rows)[i])});
      const bool is_over = found.empty() || found.back().position >= batch->last;
      if (is_over) before = {batch->last, batch->chain};
      return found.size() < limit;
    };
    if (before->last < old_end) as_read_.each_old(group, from, take);
    if (number && !fault && found.size() < limit)
      as_read_.each(group, *number, before->last,
                    [&](std::int64_t at, const std::optional<Batch>& batch) {
                      const bool goes_on = take(batch);
                      if (!goes_on && !fault)
                        next = {found.back().position + 1,
                                before->last == batch->last ? at + 1 : at, *before};
                      return goes_on;
                    });
    if (fault) return *fault;
    reads_[group] = next;
    return found;
  }

  // --- The copying of the file's log, beside the commits
  // ------------------------------------------

  void note_pages() {
    if (pages_ < pages_to_copy) return;
    if (!copying_.joinable()) {
      nearly_ = copy();
      return;
    }
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

  void copy_on() {
    for (;;) {
      {
        std::unique_lock lock(copy_mutex_);
        copy_wanted_.wait(lock, [&] { return wanted_ || stop_; });
        if (stop_) return;
      }
      const bool nearly = copy();
      const std::lock_guard lock(copy_mutex_);
      wanted_ = false;
      nearly_ = nearly;
    }
  }

  // Is little left? A copy that fails is tried again with the next one; the log only grows
  // meanwhile.
  bool copy() {
    bool nearly = false;
    const auto copied = guarded(file_, [&]() -> Result<void> {
      const detail::Pushing pushing(files_);
      for (int round = 0; round < 20 && !nearly; ++round) {
        const detail::Copied now = detail::copy_log(*copier_);
        nearly = now.pages - now.copied <= pages_to_finish;
      }
      return {};
    });
    return copied && nearly;
  }

  const Directory& directory_;
  std::filesystem::path file_;
  detail::Descriptors files_;  // before the connections: it must outlive them
  std::unique_ptr<SQLite::Database> writer_, reader_, copier_;
  bool is_copied_beside_;
  detail::JournalRows as_written_;
  mutable detail::JournalRows as_read_;
  SQLite::Statement insert_, epoch_, begin_, commit_;
  mutable SQLite::Statement begin_reading_, end_reading_;
  detail::Log log_;
  std::string id_;
  Groups groups_;
  mutable std::mutex write_mutex_, read_mutex_;

  // Whoever writes, under write_mutex_.
  detail::Packer packer_;
  std::string bytes_;                       // of the batches of a commit
  std::vector<std::size_t> ends_in_bytes_;  // of each of them
  std::optional<unsigned> version_;         // of the file, for which these are known
  std::vector<Tail> tails_;
  std::vector<Epoch> epochs_;
  std::int64_t number_ = 0;  // of the last commit

  // Where the last reading of a group ended, in the middle of a commit: most are gone on with.
  struct Next {
    Position from = 0;
    std::int64_t number = 0;  // 0: nobody has read so far
    Tail before;
  };
  mutable std::vector<Next> reads_;  // under read_mutex_

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
                                                           Groups groups, Copying copying) {
  using Opened = Result<std::unique_ptr<SqliteJournal>>;
  const auto file = directory.path() / "journal.db";
  KOI_LET(auto writer, detail::open(file, journal_format));
  KOI_LET(auto reader, detail::open_reader(file, journal_cache_kib));
  KOI_LET(auto copier, detail::open_reader(file, 256));
  return guarded(file, [&]() -> Opened {
    writer->exec("PRAGMA cache_size=-" + std::to_string(journal_cache_kib));
    {
      detail::Transaction made(*writer);
      writer->exec(tables);
      made.commit();
    }
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
    auto impl = std::make_unique<Impl>(directory, file, std::move(writer), std::move(reader),
                                       std::move(copier), copying);
    KOI_TRY(impl->begin());
    return std::unique_ptr<SqliteJournal>(new SqliteJournal(std::move(impl)));
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
