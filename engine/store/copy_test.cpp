#include "store/copy.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "base/scratch.h"

namespace koi::store {
namespace {

namespace fs = std::filesystem;

// What SQL asks of a file, as one number.
std::int64_t asked(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(db, sql, -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW) << sqlite3_errmsg(db);
  const std::int64_t number = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  return number;
}

class Open {
 public:
  explicit Open(const fs::path& file) { EXPECT_EQ(sqlite3_open(file.c_str(), &db_), SQLITE_OK); }
  ~Open() { sqlite3_close(db_); }
  Open(const Open&) = delete;
  operator sqlite3*() const { return db_; }
  void run(const char* sql) const {
    char* fault = nullptr;
    ASSERT_EQ(sqlite3_exec(db_, sql, nullptr, nullptr, &fault), SQLITE_OK) << fault;
  }

 private:
  sqlite3* db_ = nullptr;
};

const auto never = [] { return false; };

TEST(Copy, IsOfOneMomentWhileTheFileIsWrittenTo) {
  const Scratch scratch;
  const fs::path from = scratch.path() / "from.db", to = scratch.path() / "to.db";
  const Open writer(from);
  writer.run("PRAGMA journal_mode=wal");
  writer.run("PRAGMA wal_autocheckpoint=0");
  writer.run("CREATE TABLE a (n INTEGER, filling BLOB); CREATE TABLE b (n INTEGER)");
  writer.run(
      "WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM c WHERE n < 20000) "
      "INSERT INTO a SELECT n, randomblob(500) FROM c");
  writer.run("INSERT INTO b SELECT n FROM a");
  std::atomic<bool> is_over = false;
  std::atomic<int> rounds = 0;
  std::thread writing([&] {
    const Open other(from);
    sqlite3_busy_timeout(other, 10'000);
    for (; !is_over; ++rounds)
      other.run(
          "BEGIN IMMEDIATE; UPDATE a SET n = n + 1; UPDATE b SET n = n + 1; COMMIT;"
          "PRAGMA wal_checkpoint(passive)");
  });
  // Each copy has whole rounds, and one that began later has at least as many.
  std::int64_t least = 0;
  for (int i = 0; i < 5; ++i) {
    while (rounds < i) std::this_thread::yield();
    const auto copied = copy_file(from, to, never);
    ASSERT_TRUE(copied) << copied.error().what;
    const Open copy(to);
    EXPECT_EQ(
        asked(copy, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check != 'ok'"),
        0);
    const std::int64_t sum = asked(copy, "SELECT sum(n) FROM a");
    EXPECT_EQ(sum, asked(copy, "SELECT sum(n) FROM b"));
    EXPECT_EQ(asked(copy, "SELECT count(*) FROM a"), 20000);
    EXPECT_GE(sum, least);
    least = sum;
  }
  is_over = true;
  writing.join();
}

TEST(Copy, IsBrokenOffWhenItIsToBe) {
  const Scratch scratch;
  const fs::path from = scratch.path() / "from.db";
  const Open writer(from);
  writer.run("PRAGMA journal_mode=wal; CREATE TABLE a (filling BLOB)");
  writer.run("INSERT INTO a VALUES (zeroblob(20000000))");
  const auto copied = copy_file(from, scratch.path() / "to.db", [] { return true; });
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, "stopping");
}

TEST(Copy, OfWhatIsNoSuchFileIsRefusedByName) {
  const Scratch scratch;
  const fs::path from = scratch.path() / "from.db", to = scratch.path() / "to.db";
  std::ofstream(from) << std::string(5000, 'x');
  const auto copied = copy_file(from, to, never);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, "corrupt");
  EXPECT_NE(copied.error().what.find("from.db"), std::string::npos);
  const auto missing = copy_file(scratch.path() / "none.db", to, never);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, "unwritable");
}

}  // namespace
}  // namespace koi::store
