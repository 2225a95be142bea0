// Database: one SQLite file of a data directory. Knows its format, opens connections to it, and
// turns SQLite's exceptions into errors; nothing here knows what the tables mean.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"

struct sqlite3_file;

namespace koi::store::detail {

// What a file is and how it is kept.
struct Format {
  std::int32_t application;  // tells Koi's files from others
  std::int32_t version;      // raised whenever an older program would misread the file
  const char* tables;        // SQL that makes them, where the file is new
  const char* synchronous;   // "full": a commit is durable; "normal": after the next checkpoint
};

// SQLite's exception as an error that names the file and the remedy.
Error error_of(const SQLite::Exception& fault, const std::filesystem::path& file);

// Runs `what` and gives its Result, or SQLite's fault as one. The end of all its exceptions.
template <class What>
auto guarded(const std::filesystem::path& file, What what) -> decltype(what()) {
  try {
    return what();
  } catch (const SQLite::Exception& fault) {
    return error_of(fault, file);
  }
}

// A connection to the file, made and brought to its format where it is new. Errors: "newer" where a
// later version of Koi has written it, "foreign" where it is not Koi's, and those of error_of.
Result<std::unique_ptr<SQLite::Database>> open(const std::filesystem::path& file,
                                               const Format& format);
// One more connection to a file that is open already; it only reads.
Result<std::unique_ptr<SQLite::Database>> open_reader(const std::filesystem::path& file,
                                                      int cache_kib);

// The file's write-ahead log, to be synced by itself: what a "normal" commit has written is durable
// when sync() has returned. Any thread may sync while others use the connection, which must outlive
// this.
class Log {
 public:
  explicit Log(SQLite::Database& db) : db_(db) {}
  // Finds the log, on the thread that uses the connection; where there was a commit at least.
  void find();
  // Throws as SQLite::Database does.
  void sync() const;

 private:
  SQLite::Database& db_;
  std::atomic<sqlite3_file*> file_ = nullptr;
};

// A transaction that is rolled back unless it was committed.
class Transaction {
 public:
  explicit Transaction(SQLite::Database& db) : db_(db) { db_.exec("BEGIN IMMEDIATE"); }
  ~Transaction() {
    if (open_) db_.tryExec("ROLLBACK");
  }
  Transaction(const Transaction&) = delete;
  void commit() {
    db_.exec("COMMIT");
    open_ = false;
  }

 private:
  SQLite::Database& db_;
  bool open_ = true;
};

// The same with statements that are kept: for what is done a thousand times a second.
class Prepared {
 public:
  Prepared(SQLite::Database& db, SQLite::Statement& begin, SQLite::Statement& commit)
      : db_(db), commit_(commit) {
    run(begin);
  }
  ~Prepared() {
    if (open_) db_.tryExec("ROLLBACK");
  }
  Prepared(const Prepared&) = delete;
  void commit() {
    run(commit_);
    open_ = false;
  }

 private:
  static void run(SQLite::Statement& statement) {
    try {
      statement.exec();
    } catch (...) {
      statement.tryReset();
      throw;
    }
    statement.reset();
  }

  SQLite::Database& db_;
  SQLite::Statement& commit_;
  bool open_ = true;
};

// How far the copying of the write-ahead log into the file has come, in pages.
struct Copied {
  int pages = 0;   // in the log
  int copied = 0;  // of these, in the file
  bool all() const { return copied >= pages; }
};
Copied copy_log(SQLite::Database& db);
// How often the log of a file is copied that is copied now and then: after so many commits of a few
// rows, or adds of as many as there are.
inline constexpr int commits_until_copied = 64;
inline constexpr int adds_until_copied = 16;

// Descriptors of a file and its log beside SQLite's own. They must outlive every connection of the
// process to that file: closing one drops the locks that SQLite holds on it.
class Descriptors {
 public:
  explicit Descriptors(const std::filesystem::path& file);
  ~Descriptors();
  Descriptors(const Descriptors&) = delete;
  // Begins to write to the disk what waits for it in memory.
  void push() const;
  // False where the system has no such files: whoever serves SQLite keeps them elsewhere.
  bool are_there() const { return data_ >= 0 || log_ >= 0; }

 private:
  int data_, log_;
};

// While it lives, what is written to the file and its log is pushed out to the disk as it goes, so
// that the sync at the end has little left to do and does not hold up other files' syncs.
class Pushing {
 public:
  explicit Pushing(const Descriptors& files);
  ~Pushing();
  Pushing(const Pushing&) = delete;

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

inline std::string_view blob(const SQLite::Column& column) {
  return {static_cast<const char*>(column.getBlob()), static_cast<std::size_t>(column.getBytes())};
}
inline void bind_bytes(SQLite::Statement& statement, int index, std::string_view bytes) {
  // A null pointer would bind NULL, where empty bytes are meant.
  statement.bindNoCopy(index, static_cast<const void*>(bytes.empty() ? "" : bytes.data()),
                       static_cast<int>(bytes.size()));
}

}  // namespace koi::store::detail
