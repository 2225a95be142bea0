// The simulated disk, against SQLite itself: what it promises of a file after a power cut must hold
// on it, and must not where syncs do nothing.
#include "disk.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "base/scratch.h"
#include "store/identifiers.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_store.h"

namespace koi::simulator {
namespace {

class Table {
 public:
  explicit Table(const std::filesystem::path& folder) {
    EXPECT_EQ(sqlite3_open((folder / "t.db").c_str(), &db_), SQLITE_OK);
    run("PRAGMA temp_store=memory");
    run("PRAGMA journal_mode=wal");
    run("PRAGMA synchronous=full");
    run("CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, filler BLOB)");
  }
  ~Table() { sqlite3_close(db_); }
  Table(const Table&) = delete;

  // Whether it was committed.
  bool insert(std::uint64_t rows) {
    return run("BEGIN; WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c LIMIT " +
               std::to_string(rows) +
               ") INSERT INTO t(filler) SELECT randomblob(500) FROM c; COMMIT") == SQLITE_OK;
  }
  void copy_log() { run("PRAGMA wal_checkpoint(passive)"); }
  std::uint64_t count() { return static_cast<std::uint64_t>(number("SELECT count(*) FROM t")); }
  bool is_whole() { return text("PRAGMA integrity_check") == "ok"; }

 private:
  int run(const std::string& sql) {
    return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  }
  std::string text(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    std::string found = "nothing";
    if (sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
      found = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return found;
  }
  std::int64_t number(const char* sql) { return std::atoll(text(sql).c_str()); }
  sqlite3* db_ = nullptr;
};

// Inserts, dies somewhere, starts again. Gives how many runs lost what was committed, or were
// damaged.
int losses(std::uint64_t first_seed, int runs, bool syncs) {
  const Scratch scratch;
  int lost = 0;
  for (int run = 0; run < runs; ++run) {
    Chance chance(first_seed + static_cast<std::uint64_t>(run));
    Disk disk(chance.split());
    const Mount mount(scratch.path(), disk);
    if (!syncs) disk.ignore_syncs([](std::string_view) { return true; });
    std::uint64_t committed = 0, tried = 0;
    bool is_well = true;
    for (int life = 0; life < 4 && is_well; ++life) {
      {
        Table table(scratch.path());
        if (committed > 0) is_well = table.is_whole() && table.count() >= committed;
        tried = table.count();
        disk.die_in(chance.between(1, 80));
        while (is_well && !disk.is_dead()) {
          const std::uint64_t rows = chance.between(1, 30);
          tried += rows;
          if (table.insert(rows)) committed = tried;
          if (chance.one_in(5)) table.copy_log();
        }
        disk.die();
      }
      disk.restart(Death::PowerCut);
    }
    lost += is_well ? 0 : 1;
  }
  return lost;
}

TEST(Disk, KeepsWhatSqliteHasSyncedThroughAnyPowerCut) { EXPECT_EQ(losses(1, 200, true), 0); }

TEST(Disk, LosesItWhereSyncsDoNothing) { EXPECT_GT(losses(1, 40, false), 10); }

TEST(Disk, ThatIsFullTakesNothingMoreAndLosesNothing) {
  const Scratch scratch;
  Disk disk(Chance(1));
  const Mount mount(scratch.path(), disk);
  Table table(scratch.path());
  ASSERT_TRUE(table.insert(10));
  disk.fill(true);
  EXPECT_FALSE(table.insert(1000));
  disk.fill(false);
  EXPECT_EQ(table.count(), 10u);
  EXPECT_TRUE(table.insert(10));
}

TEST(Disk, FailsTheActItIsToldToAndGoesOn) {
  const Scratch scratch;
  Disk disk(Chance(1));
  const Mount mount(scratch.path(), disk);
  Table table(scratch.path());
  ASSERT_TRUE(table.insert(1));
  disk.fail(Disk::Act::Sync, 1);
  EXPECT_FALSE(table.insert(1));
  EXPECT_TRUE(disk.has_failed());
  EXPECT_TRUE(table.insert(1));
  EXPECT_EQ(table.count(), 2u);
}

// What a process finds after the kill of the one that wrote it must be there after a power cut too,
// though nobody has synced it before. `open` makes a file of a directory ready; `write` writes to
// it and says whether that was durable, and from its call of `die_soon` on the process may die at
// any act; `is_there` is whether the next one finds what was written. Gives how often it was found
// and had not been said to be durable: 0 proves nothing.
template <class Open, class Write, class IsThere>
int found_unsure(Open open, Write write, IsThere is_there) {
  const Scratch scratch;
  int unsure = 0;
  for (std::uint64_t run = 0; run < 400; ++run) {
    const std::uint64_t acts = run / 4;
    Disk disk{Chance(run)};
    const Mount mount(scratch.path(), disk);
    const auto process = [&](auto live) {  // false where it could not even open the file
      const auto directory = *store::Directory::open(scratch.path(), {.reserve = 0});
      const auto file = open(directory);
      const bool seen = file && live(**file);
      disk.die();
      return seen;
    };
    const bool is_durable =
        process([&](auto& file) { return write(file, [&] { disk.die_in(acts); }); });
    disk.restart(Death::Kill);
    const bool is_found = process(is_there);
    unsure += is_found && !is_durable ? 1 : 0;
    disk.restart(Death::PowerCut);
    EXPECT_TRUE(!is_found || process(is_there)) << "died at act " << acts;
  }
  return unsure;
}

// Found by a simulation: killed between a link's write and its sync, the next process finds the
// link, journals an event by it, and has nothing to commit.
TEST(Identifiers, AreSyncedWhenTheyAreFoundAfterAKill) {
  const auto open = [](const store::Directory& directory) {
    return store::Identifiers::open(directory);
  };
  const auto write = [](store::Identifiers& all, auto die_soon) {
    die_soon();
    static_cast<void>(all.link("phone:1", "ann"));
    return all.commit().has_value();
  };
  const auto is_there = [](store::Identifiers& all) { return *all.find("phone:1") == "ann"; };
  EXPECT_GT(found_unsure(open, write, is_there), 0);
}

// Found by a simulation: a deploy that was killed at the end of its walk finds the walk over, says
// that the deploy is done, and has nothing more to write.
TEST(States, AreSyncedWhenTheyAreFoundAfterAKill) {
  const auto open = [](const store::Directory& directory) {
    return store::SqliteStore::open(directory, {1});
  };
  const auto write = [](store::SqliteStore& states, auto die_soon) {
    const auto epoch = states.take(0);
    die_soon();
    const auto nobody = []() -> Result<std::span<const store::Saved>> {
      return std::span<const store::Saved>();
    };
    return epoch &&
           states.checkpoint({.group = 0, .epoch = *epoch, .position = 1, .kept = "over"}, nobody)
               .has_value();
  };
  const auto is_there = [](store::SqliteStore& states) { return *states.kept(0) == "over"; };
  EXPECT_GT(found_unsure(open, write, is_there), 0);
}

// A disk that has failed to sync may say that all is well the next time.
TEST(Journal, SaysOfNothingThatItIsDurableAfterASyncThatFailed) {
  const Scratch scratch;
  Disk disk(Chance(1));
  const Mount mount(scratch.path(), disk);
  const auto directory = *store::Directory::open(scratch.path(), {.reserve = 0});
  const auto journal = *store::SqliteJournal::open(directory, {1});
  const store::Epoch epoch = *journal->take(0);
  const std::vector<store::Row> rows{{0, "input"}};
  const store::Appended batch{0, epoch, rows};
  ASSERT_TRUE(journal->write(std::span(&batch, 1)));
  ASSERT_TRUE(journal->sync());
  ASSERT_TRUE(journal->write(std::span(&batch, 1)));
  disk.fail(Disk::Act::Sync, 1);
  EXPECT_EQ(journal->sync().error().code, "unknown");
  EXPECT_EQ(journal->sync().error().code, "unknown");
  EXPECT_EQ(journal->write(std::span(&batch, 1)).error().code, "unknown");
}

// Who else syncs the log may be the one who is told that it failed.
TEST(Journal, TakesNothingMoreWhereTheSyncOfAnotherActHasFailed) {
  const Scratch scratch;
  Disk disk(Chance(1));
  const Mount mount(scratch.path(), disk);
  const auto directory = *store::Directory::open(scratch.path(), {.reserve = 0});
  const auto journal = *store::SqliteJournal::open(directory, {1});
  const store::Epoch epoch = *journal->take(0);
  const std::vector<store::Row> rows{{0, "input"}};
  const store::Appended batch{0, epoch, rows};
  ASSERT_TRUE(journal->write(std::span(&batch, 1)));
  disk.fail(Disk::Act::Sync, 1);
  EXPECT_FALSE(journal->set_aside(0, epoch, {1, 0}));
  EXPECT_EQ(journal->sync().error().code, "unknown");
}

// What is written is in the log that all read; what makes it durable is the sync, beside which more
// may have been written, and no other act.
TEST(Journal, KeepsWhatWasSyncedThroughAPowerCutAndMayLoseWhatWasWrittenBehindIt) {
  const Scratch scratch;
  int lost = 0;
  for (std::uint64_t run = 0; run < 60; ++run) {
    Disk disk{Chance(run)};
    const Mount mount(scratch.path(), disk);
    store::Position synced = 0, written = 0;
    {
      const auto directory = *store::Directory::open(scratch.path(), {.reserve = 0});
      const auto journal = *store::SqliteJournal::open(directory, {1});
      const store::Epoch epoch = *journal->take(0);
      const std::vector<store::Row> rows(run % 5 + 1, {0, std::string(1000, 'x')});
      const store::Appended batch{0, epoch, rows};
      for (std::uint64_t act = 0; act < run % 7 + 1; ++act) {
        written = journal->write(std::span(&batch, 1)).value().front();
        if ((run + act) % 3 != 0) continue;
        ASSERT_TRUE(journal->sync());
        synced = written;
      }
      EXPECT_EQ(journal->read(0, 1, 1000)->size(), written);
      disk.die();
    }
    disk.restart(Death::PowerCut);
    const auto directory = *store::Directory::open(scratch.path(), {.reserve = 0});
    const auto journal = *store::SqliteJournal::open(directory, {1});
    EXPECT_GE(*journal->last(0), synced);
    lost += *journal->last(0) < written ? 1 : 0;
    disk.die();
  }
  EXPECT_GT(lost, 0);  // or this proves nothing
}

// The disk is made for one thread, and the same acts are to come in the same order each time.
TEST(Journal, CopiesItsLogOnTheThreadThatWritesWhereItIsToldSo) {
  const Scratch scratch;
  std::uint64_t acts[2] = {0, 0};
  for (std::uint64_t& all : acts) {
    Disk disk(Chance(1));
    const Mount mount(scratch.path(), disk);
    {
      const auto directory = *store::Directory::open(scratch.path(), {.reserve = 0});
      const auto journal = *store::SqliteJournal::open(directory, {1}, store::Copying::ByWriter);
      const store::Epoch epoch = *journal->take(0);
      std::string bytes(8u << 10, '\0');  // that cannot be compressed
      Chance chance(2);
      std::size_t longest = 0;
      for (int batch = 0; batch < 3000; ++batch) {
        for (char& each : bytes) each = static_cast<char>(chance.next());
        const std::vector<store::Row> rows{{0, bytes}};
        const store::Appended appended{0, epoch, rows};
        ASSERT_TRUE(journal->append(std::span(&appended, 1)));
        if (batch % 100 == 0) longest = std::max(longest, disk.bytes("journal.db-wal").size());
      }
      EXPECT_LT(longest, 12u << 20);
      EXPECT_EQ(*journal->last(0), 3000u);
      all = disk.acts();
      disk.die();
    }
    disk.restart(Death::Kill);
  }
  EXPECT_EQ(acts[0], acts[1]);
}

}  // namespace
}  // namespace koi::simulator
