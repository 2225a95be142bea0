#include "store/copy.h"

#include <SQLiteCpp/Backup.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "store/detail/database.h"

namespace koi::store {

namespace fs = std::filesystem;

namespace {

constexpr int pages_at_once = 1024;
constexpr int copying_cache_kib = 1024;

// Where a copy that was broken off lies, nobody has it open.
void clear(const fs::path& file) {
  std::error_code fault;
  for (const char* end : {"", "-wal", "-shm", "-journal"}) fs::remove(file.string() + end, fault);
}

Result<void> copy_pages(const fs::path& from, SQLite::Database& into,
                        const std::function<bool()>& gives_up) {
  KOI_LET(const auto source, detail::open_reader(from, copying_cache_kib));
  return detail::guarded(from, [&]() -> Result<void> {
    // While this transaction lasts, what it reads is the file of this moment.
    source->exec("BEGIN");
    source->execAndGet("SELECT count(*) FROM sqlite_schema");
    SQLite::Backup copy(into, *source);
    while (copy.executeStep(pages_at_once) != SQLITE_DONE)
      if (gives_up()) return Error{"stopping", "the copy of " + from.string() + " was broken off"};
    return {};
  });
}

}  // namespace

Result<void> copy_file(const fs::path& from, const fs::path& to,
                       const std::function<bool()>& gives_up) {
  clear(to);
  KOI_TRY(detail::guarded(to, [&]() -> Result<void> {
    SQLite::Database into(to.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    into.exec("PRAGMA synchronous=off");  // synced as a whole, below
    into.exec("PRAGMA journal_mode=off");
    return copy_pages(from, into, gives_up);
  }));
  const int file = ::open(to.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_safe = file >= 0 && ::fsync(file) == 0;
  const int reason = errno;
  if (file >= 0) ::close(file);
  if (!is_safe)
    return Error{"disk", to.string() + " could not be written: " + std::strerror(reason)};
  return {};
}

}  // namespace koi::store
