#include "plain.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "activity.h"
#include "base/hash.h"

namespace koi::bench {

PlainResult plain(const std::string& folder, std::uint32_t customers,
                  const std::vector<std::uint32_t>& activity, std::size_t group, double seconds) {
  const std::string file = folder + "/plain.db";
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file + end);
  std::string state(300, 'x'), body(120, 'y');
  for (std::size_t i = 0; i < state.size(); ++i) state[i] = static_cast<char>('a' + i * 7 % 26);
  SQLite::Database db(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  db.exec("PRAGMA journal_mode=wal; PRAGMA synchronous=off");
  db.exec("CREATE TABLE seen(id BLOB PRIMARY KEY) WITHOUT ROWID");
  db.exec("CREATE TABLE profile(id INTEGER PRIMARY KEY, state BLOB)");
  db.exec("CREATE TABLE outbox(seq INTEGER PRIMARY KEY, event INTEGER, body BLOB); BEGIN");
  {
    SQLite::Statement insert(db, "INSERT INTO profile VALUES(?,?)");
    for (std::uint32_t customer = 0; customer < customers; ++customer) {
      insert.bind(1, customer);
      insert.bindNoCopy(2, state.data(), static_cast<int>(state.size()));
      insert.exec();
      insert.reset();
    }
  }
  db.exec("COMMIT; PRAGMA wal_checkpoint(truncate); PRAGMA synchronous=full");
  db.exec("PRAGMA cache_size=-262144; PRAGMA temp_store=memory; PRAGMA wal_autocheckpoint=4000");

  SQLite::Statement seen(db, "INSERT OR IGNORE INTO seen(id) VALUES(?)");
  SQLite::Statement profile(db,
                            "INSERT INTO profile(id, state) VALUES(?,?) ON CONFLICT(id) DO UPDATE "
                            "SET state=excluded.state");
  SQLite::Statement outbox(db, "INSERT INTO outbox(event, body) VALUES(?,?)");
  using Clock = std::chrono::steady_clock;
  const std::uint64_t before = written_bytes();
  const auto begin = Clock::now();
  std::size_t events = 0;
  double took = 0;
  do {
    db.exec("BEGIN IMMEDIATE");
    for (std::size_t i = 0; i < group; ++i, ++events) {
      const Hash128 id = hash128("e" + std::to_string(events));
      seen.bindNoCopy(1, &id, sizeof id);
      seen.exec();
      seen.reset();
      std::copy_n(reinterpret_cast<const char*>(&id), 8, state.data());
      profile.bind(1, activity[events % activity.size()]);
      profile.bindNoCopy(2, state.data(), static_cast<int>(state.size()));
      profile.exec();
      profile.reset();
      if (id.low % 5 != 0) continue;
      outbox.bind(1, static_cast<std::int64_t>(events));
      outbox.bindNoCopy(2, body.data(), static_cast<int>(body.size()));
      outbox.exec();
      outbox.reset();
    }
    db.exec("COMMIT");
    took = std::chrono::duration<double>(Clock::now() - begin).count();
  } while (took < seconds);
  return {static_cast<double>(events) / took, (written_bytes() - before) / events};
}

}  // namespace koi::bench
