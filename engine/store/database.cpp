#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>

#include "store/detail/database.h"

namespace koi::store::detail {

Error error_of(const SQLite::Exception& fault, const std::filesystem::path& file) {
  const std::string name = file.string();
  switch (fault.getErrorCode()) {
    case SQLITE_FULL:
      return {"full",
              "there is no room left on the disk of " + name + "; make room, and it goes on"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {"corrupt", name + " is damaged (" + fault.what() + "); restore it from a backup"};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {"unwritable", name + " cannot be opened for writing (" + fault.what() +
                                "); see to its permissions and those of its directory"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {"locked", name + " is in use by another process; stop that one first"};
    default: return {"disk", name + " could not be read or written (" + fault.what() + ")"};
  }
}

namespace {

std::unique_ptr<SQLite::Database> connect(const std::filesystem::path& file, int flags,
                                          int cache_kib) {
  auto db = std::make_unique<SQLite::Database>(file.string(), flags | SQLite::OPEN_NOMUTEX, 1000);
  db->exec("PRAGMA cache_size=-" + std::to_string(cache_kib));
  db->exec("PRAGMA temp_store=memory");
  // Old contents are not wiped by writing pages a second time: what must be unreadable is sealed.
  db->exec("PRAGMA secure_delete=off");
  return db;
}

// A file that was just made is found again after a power cut.
void sync_directory(const std::filesystem::path& path) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  ::fsync(directory);
  ::close(directory);
}

}  // namespace

Result<std::unique_ptr<SQLite::Database>> open(const std::filesystem::path& file,
                                               const Format& format) {
  using Opened = Result<std::unique_ptr<SQLite::Database>>;
  return guarded(file, [&]() -> Opened {
    auto db = connect(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 16 << 10);
    const int application = db->execAndGet("PRAGMA application_id").getInt();
    const int version = db->execAndGet("PRAGMA user_version").getInt();
    const bool is_new = application == 0 && version == 0 &&
                        db->execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0;
    if (!is_new && application != format.application)
      return Error{"foreign",
                   file.string() + " is not a file that Koi made; give another directory"};
    if (version > format.version)
      return Error{"newer", file.string() + " was written by a newer Koi (format " +
                                std::to_string(version) + ", this one knows up to " +
                                std::to_string(format.version) + "); run that version"};
    db->exec("PRAGMA journal_mode=wal");
    db->exec(std::string("PRAGMA synchronous=") + format.synchronous);
    db->exec("PRAGMA wal_autocheckpoint=0");  // the log is copied where it holds up nobody
    db->exec("PRAGMA journal_size_limit=268435456");
    if (is_new) {
      Transaction made(*db);
      db->exec(format.tables);
      db->exec("PRAGMA application_id=" + std::to_string(format.application));
      db->exec("PRAGMA user_version=" + std::to_string(format.version));
      made.commit();
      sync_directory(file.parent_path());
    }
    return db;
  });
}

Result<std::unique_ptr<SQLite::Database>> open_reader(const std::filesystem::path& file,
                                                      int cache_kib) {
  using Opened = Result<std::unique_ptr<SQLite::Database>>;
  return guarded(file, [&]() -> Opened {
    auto db = connect(file, SQLite::OPEN_READWRITE, cache_kib);
    db->exec("PRAGMA wal_autocheckpoint=0");
    db->exec("PRAGMA query_only=on");
    return db;
  });
}

Copied copy_log(SQLite::Database& db) {
  SQLite::Statement copy(db, "PRAGMA wal_checkpoint(passive)");
  copy.executeStep();
  return {copy.getColumn(1).getInt(), copy.getColumn(2).getInt()};
}

// SQLite keeps the log's file as long as the connection lives.
void Log::find() {
  if (file_) return;
  sqlite3_file* file = nullptr;
  const int code =
      sqlite3_file_control(db_.getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
  if (code != SQLITE_OK) throw SQLite::Exception(db_.getHandle(), code);
  file_ = file;
}

void Log::sync() const {
  sqlite3_file* const file = file_;
  KOI_ASSERT(file != nullptr && file->pMethods != nullptr);
  const int code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK) throw SQLite::Exception("the log could not be synced", code);
}

// Any descriptor of a file will do: what is pushed is the file's pages in memory.
Descriptors::Descriptors(const std::filesystem::path& file)
    : data_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)),
      log_(::open((file.string() + "-wal").c_str(), O_RDONLY | O_CLOEXEC)) {}

Descriptors::~Descriptors() {
  if (data_ >= 0) ::close(data_);
  if (log_ >= 0) ::close(log_);
}

void Descriptors::push() const {
  if (data_ >= 0) ::sync_file_range(data_, 0, 0, SYNC_FILE_RANGE_WRITE);
  if (log_ >= 0) ::sync_file_range(log_, 0, 0, SYNC_FILE_RANGE_WRITE);
}

Pushing::Pushing(const Descriptors& files) {
  if (!files.are_there()) return;
  thread_ = std::thread([this, &files] {
    while (!stop_.load(std::memory_order_relaxed)) {
      files.push();
      std::this_thread::sleep_for(std::chrono::milliseconds(4));
    }
  });
}

Pushing::~Pushing() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace koi::store::detail
