#include "store/sqlite_store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>

#include "store/detail/database.h"
#include "store/detail/fenced.h"
#include "store/detail/use.h"

namespace koi::store {

namespace {

using detail::bind_bytes;
using detail::blob;
using detail::fenced;
using detail::guarded;
using detail::Use;

// Of each of a group's two connections. What is between the root of the tree and its leaves fits;
// of the leaves nobody asks for the same one again soon: a checkpoint goes through them in their
// order, and who is asked for often is in memory. (With 16 MiB both took the same time.)
constexpr int state_cache_kib = 2 << 10;

// `twin` has the customers whose place in `customer` another one holds: next to none ever, but a
// hash promises nothing.
constexpr detail::Format state_format{.application = 0x4b6f6953,  // "KoiS"
                                      .version = 1,
                                      .tables = R"sql(
  CREATE TABLE part(epoch INTEGER NOT NULL, position INTEGER NOT NULL, kept BLOB NOT NULL);
  INSERT INTO part VALUES(0, 0, x'');
  CREATE TABLE customer(place INTEGER PRIMARY KEY, customer BLOB NOT NULL, due INTEGER,
                        bytes BLOB NOT NULL);
  CREATE INDEX customer_due ON customer(due, customer, place) WHERE due IS NOT NULL;
  CREATE TABLE twin(part INTEGER NOT NULL, customer BLOB NOT NULL, due INTEGER,
                    bytes BLOB NOT NULL, PRIMARY KEY(part, customer)) WITHOUT ROWID;
  CREATE TABLE layout(number INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
)sql",
                                      .synchronous = "normal"};

// Files that were made before anything was shared get it when they are opened.
constexpr const char* shared_table = R"sql(
  CREATE TABLE IF NOT EXISTS shared(key BLOB PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID)sql";

constexpr int place_bits = 53;
constexpr std::string_view file_prefix = "state-";  // behind it the group's number

Partition partition_of_place(std::int64_t place) {
  return static_cast<Partition>(static_cast<std::uint64_t>(place) >> place_bits);
}

std::int64_t first_place_of(Partition partition) {
  return static_cast<std::int64_t>(std::uint64_t{partition} << place_bits);
}
std::int64_t last_place_of(Partition partition) {
  return first_place_of(partition) | ((std::int64_t{1} << place_bits) - 1);
}

// Binds a due instant; never is NULL.
void bind_due(SQLite::Statement& statement, int index, Timestamp due) {
  if (due == Timestamp::never())
    statement.bind(index);
  else
    statement.bind(index, static_cast<std::int64_t>(due.us));
}
Timestamp due_of(const SQLite::Column& column) {
  return column.isNull() ? Timestamp::never() : Timestamp{column.getInt64()};
}

}  // namespace

// One group's file: one connection that reads, one that writes checkpoints.
class SqliteStore::File {
 public:
  File(Group group, Groups groups, std::filesystem::path file,
       std::unique_ptr<SQLite::Database> writer, std::unique_ptr<SQLite::Database> reader)
      : group_(group),
        groups_(groups),
        file_(std::move(file)),
        files_(file_),
        writer_(std::move(writer)),
        reader_(std::move(reader)),
        load_(*reader_, "SELECT customer, bytes FROM customer WHERE place=?"),
        load_twin_(*reader_, "SELECT bytes FROM twin WHERE part=? AND customer=?"),
        load_shared_(*reader_, "SELECT bytes FROM shared WHERE key=?"),
        begin_(*reader_, "BEGIN"),
        end_(*reader_, "COMMIT"),
        same_due_(*writer_,
                  "UPDATE customer SET bytes=?3 WHERE place=?1 AND customer=?2 AND due IS ?4"),
        save_(*writer_,
              "INSERT INTO customer(place, customer, due, bytes) VALUES(?1,?2,?4,?3) ON "
              "CONFLICT(place) DO UPDATE SET due=excluded.due, bytes=excluded.bytes WHERE "
              "customer=excluded.customer"),
        save_twin_(*writer_,
                   "INSERT INTO twin(part, customer, due, bytes) VALUES(?1,?2,?4,?3) ON "
                   "CONFLICT(part, customer) DO UPDATE SET due=excluded.due, bytes=excluded.bytes"),
        remove_(*writer_, "DELETE FROM customer WHERE place=? AND customer=?"),
        remove_twin_(*writer_, "DELETE FROM twin WHERE part=? AND customer=?"),
        is_twin_(*writer_, "SELECT 1 FROM twin WHERE part=? AND customer=?"),
        save_shared_(*writer_,
                     "INSERT INTO shared(key, bytes) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET "
                     "bytes=excluded.bytes"),
        remove_shared_(*writer_, "DELETE FROM shared WHERE key=?1") {
    has_twins_ = writer_->execAndGet("SELECT EXISTS(SELECT 1 FROM twin)").getInt() != 0;
  }

  void shorten_places(int bits) { dropped_bits_ = place_bits - bits; }

  Result<Epoch> take() {
    const std::lock_guard lock(write_mutex_);
    return guarded(file_, [&]() -> Result<Epoch> {
      detail::Transaction transaction(*writer_);
      writer_->exec("UPDATE part SET epoch=epoch+1");
      const Epoch epoch = epoch_of(*writer_);
      transaction.commit();
      return epoch;
    });
  }

  Result<std::optional<std::string>> load(Partition partition, std::string_view customer) {
    const std::lock_guard lock(read_mutex_);
    return guarded(file_, [&] { return found(partition, customer); });
  }

  // One transaction for all of them: to begin one costs more than to find a customer.
  Result<std::vector<std::optional<std::string>>> load_all(std::span<const Key> customers) {
    const std::lock_guard lock(read_mutex_);
    return guarded(file_, [&]() -> Result<std::vector<std::optional<std::string>>> {
      struct Reading {
        explicit Reading(File& file) : file_(file) { run(file_.begin_); }
        ~Reading() { file_.end_.tryExecuteStep(), file_.end_.tryReset(); }
        Reading(const Reading&) = delete;
        File& file_;
      } const reading(*this);
      std::vector<std::optional<std::string>> all;
      all.reserve(customers.size());
      for (const Key& each : customers) {
        KOI_LET(auto bytes, found(each.partition, each.customer));
        all.push_back(std::move(bytes));
      }
      return all;
    });
  }

  Result<void> checkpoint(const Checkpoint& what, const Pieces& changed) {
    const std::lock_guard lock(write_mutex_);
    return guarded(file_, [&]() -> Result<void> {
      const detail::Pushing pushing(files_);
      {
        detail::Transaction transaction(*writer_);
        if (what.epoch != epoch_of(*writer_)) return fenced(group_);
        const auto before =
            static_cast<Position>(writer_->execAndGet("SELECT position FROM part").getInt64());
        if (what.position < before)
          return Error{"gap", "group " + std::to_string(group_) + " has a checkpoint at " +
                                  std::to_string(before) + " already, which is later than " +
                                  std::to_string(what.position)};
        for (;;) {
          KOI_LET(const std::span<const Saved> piece, changed());
          if (piece.empty()) break;
          for (const Saved& saved : piece) save(saved);
        }
        for (const Shared& each : what.shared) save(each);
        SQLite::Statement part(*writer_, "UPDATE part SET position=?, kept=?");
        part.bind(1, static_cast<std::int64_t>(what.position));
        bind_bytes(part, 2, what.kept);
        part.exec();
        if (!what.layout.empty() && what.layout != last_layout_) {
          SQLite::Statement layout(*writer_,
                                   "INSERT INTO layout(bytes) SELECT ?1 WHERE NOT EXISTS(SELECT 1 "
                                   "FROM layout WHERE bytes=?1)");
          bind_bytes(layout, 1, what.layout);
          layout.exec();
        }
        transaction.commit();
        last_layout_ = what.layout;
      }
      return copy_log();
    });
  }

  Result<Position> position() {
    return read([](SQLite::Database& db) -> Result<Position> {
      return static_cast<Position>(db.execAndGet("SELECT position FROM part").getInt64());
    });
  }

  Result<std::string> kept() {
    return read([](SQLite::Database& db) -> Result<std::string> {
      SQLite::Statement row(db, "SELECT kept FROM part");
      row.executeStep();
      return std::string(blob(row.getColumn(0)));
    });
  }

  Result<std::string> shared(std::string_view key) {
    const std::lock_guard lock(read_mutex_);
    return guarded(file_, [&]() -> Result<std::string> {
      const Use use(load_shared_);
      bind_bytes(load_shared_, 1, key);
      if (!load_shared_.executeStep()) return std::string();
      return std::string(blob(load_shared_.getColumn(0)));
    });
  }

  Result<std::vector<Shared>> shared_behind(std::string_view after, std::size_t limit) {
    return read([&](SQLite::Database& db) -> Result<std::vector<Shared>> {
      SQLite::Statement rows(db,
                             "SELECT key, bytes FROM shared WHERE key>?1 ORDER BY key LIMIT ?2");
      bind_bytes(rows, 1, after);
      rows.bind(2, static_cast<std::int64_t>(limit));
      std::vector<Shared> found;
      while (rows.executeStep())
        found.push_back(
            {std::string(blob(rows.getColumn(0))), std::string(blob(rows.getColumn(1)))});
      return found;
    });
  }

  Result<std::vector<std::string>> layouts() {
    return read([](SQLite::Database& db) -> Result<std::vector<std::string>> {
      std::vector<std::string> all;
      SQLite::Statement rows(db, "SELECT bytes FROM layout ORDER BY number");
      while (rows.executeStep()) all.emplace_back(blob(rows.getColumn(0)));
      return all;
    });
  }

  Result<std::vector<Due>> due(Timestamp before, std::size_t limit,
                               const std::optional<Due>& after) {
    return read([&](SQLite::Database& db) -> Result<std::vector<Due>> {
      std::vector<Due> found;
      const auto add = [&](const char* sql, std::int64_t last, const auto& partition) {
        SQLite::Statement rows(db, sql);
        rows.bind(1, static_cast<std::int64_t>(before.us));
        rows.bind(2, static_cast<std::int64_t>(after ? after->due.us : INT64_MIN));
        bind_bytes(rows, 3, after ? after->customer : std::string_view());
        rows.bind(4, last);
        rows.bind(5, static_cast<std::int64_t>(limit));
        while (rows.executeStep())
          found.push_back({due_of(rows.getColumn(0)), partition(rows.getColumn(2).getInt64()),
                           std::string(blob(rows.getColumn(1)))});
      };
      // A place is its partition and a hash, so among equal ids it orders by partition too.
      add("SELECT due, customer, place FROM customer WHERE due IS NOT NULL AND due<?1 "
          "AND (due, customer, place)>(?2,?3,?4) ORDER BY due, customer, place LIMIT ?5",
          after ? last_place_of(after->partition) : -1, partition_of_place);
      if (has_twins_)
        add("SELECT due, customer, part FROM twin WHERE due IS NOT NULL AND due<?1 "
            "AND (due, customer, part)>(?2,?3,?4) ORDER BY due, customer, part LIMIT ?5",
            after ? after->partition : -1,
            [](std::int64_t partition) { return static_cast<Partition>(partition); });
      std::sort(found.begin(), found.end(), [](const Due& a, const Due& b) {
        return std::tie(a.due, a.customer, a.partition) < std::tie(b.due, b.customer, b.partition);
      });
      if (found.size() > limit) found.resize(limit);
      return found;
    });
  }

  Result<std::vector<Saved>> scan(Partition partition, std::string_view after, std::size_t limit) {
    return read([&](SQLite::Database& db) -> Result<std::vector<Saved>> {
      SQLite::Statement rows(
          db,
          "SELECT customer, bytes, due FROM customer WHERE place BETWEEN ?1 AND ?2 AND customer>?3 "
          "UNION ALL SELECT customer, bytes, due FROM twin WHERE part=?4 AND customer>?3 "
          "ORDER BY customer LIMIT ?5");
      rows.bind(1, first_place_of(partition));
      rows.bind(2, last_place_of(partition));
      bind_bytes(rows, 3, after);
      rows.bind(4, partition);
      rows.bind(5, static_cast<std::int64_t>(limit));
      std::vector<Saved> found;
      while (rows.executeStep())
        found.push_back({partition, std::string(blob(rows.getColumn(0))),
                         std::string(blob(rows.getColumn(1))), due_of(rows.getColumn(2))});
      return found;
    });
  }

 private:
  Result<std::optional<std::string>> found(Partition partition, std::string_view customer) {
    {
      const Use use(load_);
      load_.bind(1, place(partition, customer));
      if (load_.executeStep() && blob(load_.getColumn(0)) == customer)
        return std::optional(std::string(blob(load_.getColumn(1))));
    }
    if (!has_twins_) return std::optional<std::string>();
    const Use use(load_twin_);
    load_twin_.bind(1, partition);
    bind_bytes(load_twin_, 2, customer);
    if (!load_twin_.executeStep()) return std::optional<std::string>();
    return std::optional(std::string(blob(load_twin_.getColumn(0))));
  }

  std::int64_t place(Partition partition, std::string_view customer) const {
    const std::uint64_t full = place_of(partition, customer);
    const std::uint64_t first = std::uint64_t{partition} << place_bits;
    return static_cast<std::int64_t>(first | ((full - first) >> dropped_bits_));
  }

  static Epoch epoch_of(SQLite::Database& db) {
    return static_cast<Epoch>(db.execAndGet("SELECT epoch FROM part").getInt64());
  }

  template <class What>
  auto read(What what) -> decltype(what(std::declval<SQLite::Database&>())) {
    const std::lock_guard lock(read_mutex_);
    return guarded(file_, [&] { return what(*reader_); });
  }

  static int run(SQLite::Statement& statement) {
    const Use use(statement);
    return statement.exec();
  }

  void save(const Saved& saved) {
    KOI_ASSERT(groups_.group_of(saved.partition) == group_);
    const std::int64_t at = place(saved.partition, saved.customer);
    if (saved.bytes.empty()) {
      remove_.bind(1, at);
      bind_bytes(remove_, 2, saved.customer);
      if (run(remove_) != 0 || !has_twins_) return;
      remove_twin_.bind(1, saved.partition);
      bind_bytes(remove_twin_, 2, saved.customer);
      run(remove_twin_);
      return;
    }
    if (!has_twins_ || !is_twin(saved)) {
      // An unchanged due instant leaves the index alone.
      bind_state(same_due_, at, saved);
      if (run(same_due_) != 0) return;
      bind_state(save_, at, saved);
      if (run(save_) != 0) return;
    }
    bind_state(save_twin_, saved.partition, saved);
    run(save_twin_);
    has_twins_ = true;
  }

  void save(const Shared& shared) {
    SQLite::Statement& statement = shared.bytes.empty() ? remove_shared_ : save_shared_;
    bind_bytes(statement, 1, shared.key);
    if (!shared.bytes.empty()) bind_bytes(statement, 2, shared.bytes);
    run(statement);
  }

  static void bind_state(SQLite::Statement& statement, std::int64_t at, const Saved& saved) {
    statement.bind(1, at);
    bind_bytes(statement, 2, saved.customer);
    bind_bytes(statement, 3, saved.bytes);
    bind_due(statement, 4, saved.due);
  }

  bool is_twin(const Saved& saved) {
    const Use use(is_twin_);
    is_twin_.bind(1, saved.partition);
    bind_bytes(is_twin_, 2, saved.customer);
    return is_twin_.executeStep();
  }

  // Copying the log syncs it first: from then on the checkpoint is durable. A reader in between can
  // only hold up the copying for the moment of one load.
  Result<void> copy_log() {
    for (int attempt = 0; attempt < 1000; ++attempt) {
      if (detail::copy_log(*writer_).all()) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return Error{"disk", "the log of " + file_.string() + " could not be copied into it"};
  }

  Group group_;
  Groups groups_;
  std::filesystem::path file_;
  detail::Descriptors files_;  // before the connections: it must outlive them
  std::unique_ptr<SQLite::Database> writer_, reader_;
  SQLite::Statement load_, load_twin_, load_shared_, begin_, end_;
  SQLite::Statement same_due_, save_, save_twin_, remove_, remove_twin_, is_twin_;
  SQLite::Statement save_shared_, remove_shared_;
  std::mutex write_mutex_, read_mutex_;
  std::string last_layout_;  // of the last checkpoint
  // Set before the checkpoint that makes the first twin is visible; never unset.
  std::atomic<bool> has_twins_ = false;
  int dropped_bits_ = 0;
};

SqliteStore::SqliteStore(Groups groups, std::vector<std::unique_ptr<File>> files)
    : groups_(groups), files_(std::move(files)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const Directory& directory, Groups groups) {
  std::vector<std::unique_ptr<File>> files;
  for (Group group = 0; group < groups.count; ++group) {
    const auto file = directory.path() / (std::string(file_prefix) + std::to_string(group) + ".db");
    KOI_LET(auto writer, detail::open(file, state_format));
    KOI_LET(auto reader, detail::open_reader(file, state_cache_kib));
    KOI_LET(
        auto opened, guarded(file, [&]() -> Result<std::unique_ptr<File>> {
          writer->exec(shared_table);
          writer->exec("PRAGMA cache_size=-" + std::to_string(state_cache_kib));
          // A kill may have left a checkpoint in the log that was never synced. Whoever finds it
          // goes by it (a deploy that finds its walk over is done), so it must stay.
          if (!detail::copy_log(*writer).all())
            return Error{"disk", "the log of " + file.string() + " could not be copied into it"};
          return std::make_unique<File>(group, groups, file, std::move(writer), std::move(reader));
        }));
    files.push_back(std::move(opened));
  }
  return std::unique_ptr<SqliteStore>(new SqliteStore(groups, std::move(files)));
}

bool SqliteStore::is_file_of(std::string_view name) {
  if (!name.starts_with(file_prefix)) return false;
  const std::size_t end = name.find_first_not_of("0123456789", file_prefix.size());
  if (end == file_prefix.size() || end == std::string_view::npos) return false;
  name.remove_prefix(end);
  return name == ".db" || name == ".db-wal" || name == ".db-shm";
}

void SqliteStore::shorten_places(int bits) {
  for (const auto& file : files_) file->shorten_places(bits);
}

SqliteStore::File& SqliteStore::of(Partition partition) const {
  return *files_[groups_.group_of(partition)];
}

Result<Epoch> SqliteStore::take(Group group) { return files_.at(group)->take(); }
Result<std::optional<std::string>> SqliteStore::load(Partition partition,
                                                     std::string_view customer) const {
  return of(partition).load(partition, customer);
}
Result<std::vector<std::optional<std::string>>> SqliteStore::load_all(
    std::span<const Key> customers) const {
  if (customers.empty()) return std::vector<std::optional<std::string>>();
  return of(customers.front().partition).load_all(customers);
}
Result<void> SqliteStore::checkpoint(const Checkpoint& what, const Pieces& changed) {
  return files_.at(what.group)->checkpoint(what, changed);
}
Result<Position> SqliteStore::position(Group group) const { return files_.at(group)->position(); }
Result<std::string> SqliteStore::kept(Group group) const { return files_.at(group)->kept(); }
Result<std::string> SqliteStore::shared(Group group, std::string_view key) const {
  return files_.at(group)->shared(key);
}
Result<std::vector<Shared>> SqliteStore::shared_behind(Group group, std::string_view after,
                                                       std::size_t limit) const {
  return files_.at(group)->shared_behind(after, limit);
}
Result<std::vector<std::string>> SqliteStore::layouts(Group group) const {
  return files_.at(group)->layouts();
}
Result<std::vector<Due>> SqliteStore::due(Group group, Timestamp before, std::size_t limit,
                                          const std::optional<Due>& after) const {
  return files_.at(group)->due(before, limit, after);
}
Result<std::vector<Saved>> SqliteStore::scan(Partition partition, std::string_view after,
                                             std::size_t limit) const {
  return of(partition).scan(partition, after, limit);
}

}  // namespace koi::store
