#include "store/notes.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "store/detail/database.h"

namespace koi::store {

namespace {

using detail::bind_bytes;
using detail::blob;
using detail::guarded;

constexpr detail::Format notes_format{.application = 0x4b6f694e,  // "KoiN"
                                      .version = 1,
                                      .tables = R"sql(
  CREATE TABLE note(channel TEXT NOT NULL, name BLOB NOT NULL, until INTEGER NOT NULL,
                    text BLOB NOT NULL, PRIMARY KEY(channel, name)) WITHOUT ROWID;
  CREATE INDEX by_end ON note(until);
)sql",
                                      .synchronous = "full"};

}  // namespace

class Notes::Impl {
 public:
  Impl(std::filesystem::path file, std::unique_ptr<SQLite::Database> db)
      : file_(std::move(file)),
        db_(std::move(db)),
        put_(*db_, "INSERT OR REPLACE INTO note VALUES(?,?,?,?)"),
        remove_(*db_, "DELETE FROM note WHERE channel=? AND name=?"),
        thread_([this] { write_all(); }) {}
  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    come_.notify_all();
    thread_.join();
  }

  Result<std::vector<Note>> of(const std::string& channel) {
    const std::lock_guard lock(db_mutex_);
    return guarded(file_, [&]() -> Result<std::vector<Note>> {
      std::vector<Note> notes;
      SQLite::Statement read(*db_, "SELECT name, until, text FROM note WHERE channel=? ORDER BY 1");
      read.bind(1, channel);
      while (read.executeStep())
        notes.push_back({channel,
                         std::string(blob(read.getColumn(0))),
                         std::string(blob(read.getColumn(2))),
                         {read.getColumn(1).getInt64()}});
      return notes;
    });
  }

  void put(Note note, std::function<void(Result<void>)> then) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back({std::move(note), std::move(then)});
      ++given_;
    }
    come_.notify_all();
  }

  void settle() {
    std::unique_lock lock(mutex_);
    const std::uint64_t given = given_;
    settled_.wait(lock, [&] { return done_ >= given; });
  }

 private:
  struct Change {
    Note note;
    std::function<void(Result<void>)> then;
  };

  void write_all() {
    for (std::unique_lock lock(mutex_);;) {
      come_.wait(lock, [&] { return is_over_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      std::vector<Change> changes = std::exchange(waiting_, {});
      lock.unlock();
      const Result<void> written = write(changes);
      for (const Change& change : changes) change.then(written);
      lock.lock();
      done_ += changes.size();
      settled_.notify_all();
    }
  }

  Result<void> write(const std::vector<Change>& changes) {
    const std::lock_guard lock(db_mutex_);
    return guarded(file_, [&]() -> Result<void> {
      detail::Transaction transaction(*db_);
      for (const Change& change : changes) {
        const Note& note = change.note;
        SQLite::Statement& statement = note.until == Timestamp::ever() ? remove_ : put_;
        statement.reset();
        statement.bind(1, note.channel);
        bind_bytes(statement, 2, note.name);
        if (&statement == &put_) {
          put_.bind(3, note.until.us);
          bind_bytes(put_, 4, note.text);
        }
        statement.exec();
        statement.reset();
      }
      transaction.commit();
      if (++commits_ % detail::commits_until_copied == 0) detail::copy_log(*db_);
      return {};
    });
  }

  const std::filesystem::path file_;
  std::mutex db_mutex_;
  std::unique_ptr<SQLite::Database> db_;
  SQLite::Statement put_, remove_;
  std::uint64_t commits_ = 0;

  std::mutex mutex_;
  std::condition_variable come_, settled_;
  std::vector<Change> waiting_;
  std::uint64_t given_ = 0, done_ = 0;
  bool is_over_ = false;
  std::thread thread_;
};

Notes::Notes(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Notes::~Notes() = default;

Result<std::unique_ptr<Notes>> Notes::open(const Directory& directory, Timestamp now) {
  const auto file = directory.path() / "notes.db";
  KOI_LET(auto db, detail::open(file, notes_format));
  KOI_TRY(guarded(file, [&]() -> Result<void> {
    SQLite::Statement drop(*db, "DELETE FROM note WHERE until<=?");
    drop.bind(1, now.us);
    drop.exec();
    detail::copy_log(*db);
    return {};
  }));
  return std::unique_ptr<Notes>(new Notes(std::make_unique<Impl>(file, std::move(db))));
}

Result<std::vector<Note>> Notes::of(const std::string& channel) const { return impl_->of(channel); }
void Notes::put(Note note, std::function<void(Result<void>)> then) {
  impl_->put(std::move(note), std::move(then));
}
void Notes::settle() { impl_->settle(); }

}  // namespace koi::store
