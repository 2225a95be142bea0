#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/scratch.h"
#include "store/conformance.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_store.h"

namespace koi::store {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

struct SqliteWorld {
  std::unique_ptr<Journal> journal(Groups groups) {
    return std::move(SqliteJournal::open(directory, groups)).value();
  }
  std::unique_ptr<Store> store(Groups groups) {
    auto opened = std::move(SqliteStore::open(directory, groups)).value();
    if (place_bits) opened->shorten_places(*place_bits);
    return opened;
  }
  std::optional<int> place_bits;
  Scratch scratch;
  Directory directory = *Directory::open(scratch.path());
};

// Where next to all customers of a partition have one place.
struct CrowdedWorld : SqliteWorld {
  CrowdedWorld() { place_bits = 0; }
};

void sql(const fs::path& file, const std::string& text) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
  char* fault = nullptr;
  ASSERT_EQ(sqlite3_exec(db, text.c_str(), nullptr, nullptr, &fault), SQLITE_OK)
      << (fault ? fault : "");
  sqlite3_close(db);
}

std::vector<Row> rows_of(Group group, int from, int count) {
  std::vector<Row> rows;
  for (int i = from; i < from + count; ++i)
    rows.push_back({group, "input number " + std::to_string(i) + std::string(60, 'x')});
  return rows;
}

Position append(Journal& journal, Group group, Epoch epoch, const std::vector<Row>& rows) {
  const Appended batch{group, epoch, rows};
  return journal.append(std::span(&batch, 1)).value().front();
}

TEST(SqliteJournal, HoldsWhatItHeldWhenItIsOpenedAgain) {
  const Scratch scratch;
  std::vector<Hash128> chain;
  {
    const auto directory = *Directory::open(scratch.path());
    const auto journal = *SqliteJournal::open(directory, Groups{2});
    const Epoch epoch = *journal->take(1);
    for (int i = 0; i < 300; i += 3) append(*journal, 1, epoch, rows_of(1, i, 3));
    for (Position at : {0, 3, 150, 300}) chain.push_back(*journal->chain(1, at));
  }
  const auto directory = *Directory::open(scratch.path());
  const auto journal = *SqliteJournal::open(directory, Groups{7});
  EXPECT_EQ(journal->groups().count, 2);
  EXPECT_EQ(*journal->last(1), 300u);
  const auto read = *journal->read(1, 1, 1000);
  ASSERT_EQ(read.size(), 300u);
  const auto rows = rows_of(1, 0, 300);
  for (std::size_t i = 0; i < 300; ++i) EXPECT_EQ(read[i], (Read{i + 1, rows[i]}));
  std::vector<Hash128> again;
  for (Position at : {0, 3, 150, 300}) again.push_back(*journal->chain(1, at));
  EXPECT_EQ(again, chain);
  EXPECT_GT(*journal->take(1), 1u);
}

// Long enough for several rounds of copying the log while commits go on.
TEST(SqliteJournal, ItsLogBeginsAnewWhileCommitsGoOn) {
  const Scratch scratch;
  const auto directory = *Directory::open(scratch.path());
  const auto journal = *SqliteJournal::open(directory, Groups{1});
  const Epoch epoch = *journal->take(0);
  std::string noise(40'000, '\0');
  std::uint64_t written = 0;
  for (std::uint64_t i = 0; written < (60u << 20); ++i) {
    for (std::size_t at = 0; at + 8 <= noise.size(); at += 8) {
      const std::uint64_t word = hash64(std::to_string(i), at);
      std::copy_n(reinterpret_cast<const char*>(&word), 8, noise.data() + at);
    }
    append(*journal, 0, epoch, {{0, noise}});
    written += noise.size();
  }
  EXPECT_LT(fs::file_size(scratch.path() / "journal.db-wal"), written / 2);
}

// What a Koi of before has written: two groups, two rows of which are in one commit.
constexpr const char* version_one = R"sql(
  PRAGMA application_id=1265592650;
  PRAGMA user_version=1;
  CREATE TABLE journal(id BLOB NOT NULL, groups INTEGER NOT NULL);
  CREATE TABLE part(grp INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, dropped INTEGER NOT NULL,
                    base_last INTEGER NOT NULL, base_chain BLOB NOT NULL);
  CREATE TABLE batch(key INTEGER PRIMARY KEY, count INTEGER NOT NULL, epoch INTEGER NOT NULL,
                     chain BLOB NOT NULL, bytes BLOB NOT NULL);
  INSERT INTO journal VALUES(X'57DD505521AB46C0822556E7C5ECE6BE',2);
  INSERT INTO part VALUES(0,1,0,0,X'7A004FBA490658EA5939046C2CE2F7AF'),
                         (1,1,0,0,X'B5D028445F0E153D2DA5CE05D6AF0B6D');
  INSERT INTO batch VALUES
    (2,2,1,X'CF6AD4B14EA26C189CD8558BC7541810',
     X'080000000000000028B52FFD20084100000002613002026131'),
    (3,1,1,X'9F3E30380A636836968D16FD5FAE8641',
     X'040000000000000028B52FFD200421000004026132'),
    (5,2,1,X'1982ADA4AFD69BA09B7B350D52396803',
     X'080000000000000028B52FFD20084100000002613302026134'),
    (281474976710657,1,1,X'FBE93CE231FECE276489089A0CE9F96A',
     X'040000000000000028B52FFD200421000001026230'),
    (281474976710660,3,1,X'78287AD0FD62683D79F0CB2871E20929',
     X'0C0000000000000028B52FFD200C610000030262310102623201026233');
)sql";

TEST(SqliteJournal, ReadsAFileOfVersionOneAndGoesOnWithIt) {
  const Scratch scratch;
  sql(scratch.path() / "journal.db", version_one);
  const auto directory = *Directory::open(scratch.path());
  const auto journal = *SqliteJournal::open(directory, Groups{2});
  EXPECT_EQ(*journal->last(0), 5u);
  EXPECT_EQ(*journal->last(1), 4u);
  EXPECT_EQ(to_hex(*journal->chain(0, 0)), "ea580649ba4f007aaff7e22c6c043959");
  EXPECT_EQ(to_hex(*journal->chain(0, 3)), "3668630a38303e9f4186ae5ffd168d96");
  EXPECT_EQ(to_hex(*journal->chain(0, 5)), "a09bd6afa4ad8219036839520d357b9b");
  EXPECT_EQ(to_hex(*journal->chain(1, 4)), "3d6862fdd07a28782909e27128cbf079");

  const auto version = [&] {
    SQLite::Database db((scratch.path() / "journal.db").string());
    return db.execAndGet("PRAGMA user_version").getInt();
  };
  EXPECT_EQ(version(), 1);
  const Epoch epoch = *journal->take(0);
  EXPECT_EQ(epoch, 2u);
  EXPECT_EQ(version(), 2);
  EXPECT_EQ(append(*journal, 0, epoch, {{4, "a5"}, {0, "a6"}}), 7u);
  EXPECT_EQ(append(*journal, 0, epoch, {{2, "a7"}}), 8u);
  ASSERT_TRUE(journal->set_aside(0, epoch, {6, 0}));
  EXPECT_EQ(*journal->set_aside(0), (std::vector<SetAside>{{6, 0}}));
  std::vector<Read> all;
  for (Position i = 0; i < 8; ++i) {
    const Partition partitions[] = {0, 2, 4, 0, 2, 4, 0, 2};
    all.push_back({i + 1, {partitions[i], "a" + std::to_string(i)}});
  }
  for (std::size_t from = 0; from <= 8; ++from)
    for (std::size_t limit = 1; from + limit <= 8; ++limit)
      EXPECT_EQ(*journal->read(0, from + 1, limit),
                std::vector<Read>(all.begin() + static_cast<std::ptrdiff_t>(from),
                                  all.begin() + static_cast<std::ptrdiff_t>(from + limit)))
          << from << " " << limit;
  EXPECT_EQ(journal->read(1, 1, 100)->size(), 4u);
  EXPECT_EQ(journal->read(1, 3, 100)->front().row.bytes, "b2");

  // Within the old rows, and behind them.
  ASSERT_TRUE(journal->drop(0, epoch, 5));
  EXPECT_EQ(to_hex(*journal->chain(0, 3)), "3668630a38303e9f4186ae5ffd168d96");
  EXPECT_EQ(journal->chain(0, 2).error().code, "gap");
  EXPECT_EQ(journal->read(0, 5, 100)->size(), 4u);
  ASSERT_TRUE(journal->drop(0, epoch, 8));
  EXPECT_EQ(*journal->read(0, 8, 100), std::vector<Read>{all[7]});
  EXPECT_EQ(journal->read(1, 1, 100)->size(), 4u);
}

TEST(SqliteJournal, FindsEachGroupAmongCommitsOfSomeOfThem) {
  const Scratch scratch;
  constexpr Group groups = 3;
  std::array<std::vector<Read>, groups> written;
  std::array<std::vector<std::pair<Position, Hash128>>, groups> names;
  std::uint64_t dice = 0;
  const auto below = [&](std::uint64_t n) { return hash64("dice", ++dice) % n; };
  const auto directory = *Directory::open(scratch.path());
  std::array<Epoch, groups> epochs{};
  auto journal = *SqliteJournal::open(directory, Groups{groups});
  const auto take_all = [&] {
    for (Group group = 0; group < groups; ++group) epochs[group] = *journal->take(group);
  };
  take_all();
  for (int commit = 0; commit < 300; ++commit) {
    std::vector<std::vector<Row>> rows(groups);
    std::vector<Appended> batches;
    for (Group group = 0; group < groups; ++group) {
      // One of them comes once in a while; a batch may be empty.
      if (below(group == 2 ? 50 : 2) != 0) continue;
      for (std::uint64_t i = below(5); i > 0; --i) {
        rows[group].push_back({group, std::string(below(3000), 'x') + std::to_string(commit)});
        written[group].push_back({written[group].size() + 1, rows[group].back()});
      }
      batches.push_back({group, epochs[group], rows[group]});
    }
    const auto last = *journal->append(batches);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const Group group = batches[i].group;
      EXPECT_EQ(last[i], written[group].size());
      names[group].emplace_back(last[i], *journal->chain(group, last[i]));
    }
    if (commit % 100 != 99) continue;
    journal.reset();
    journal = *SqliteJournal::open(directory, Groups{groups});
    take_all();
  }
  const auto is_as_written = [&](Group group, Position dropped) {
    for (int i = 0; i < 100; ++i) {
      Position from = dropped + 1 + below(written[group].size() - dropped + 2);
      const std::size_t limit = 1 + below(40);
      // Read on from there a few times, as who goes through a journal does.
      for (int piece = 0; piece < 3; ++piece) {
        const std::size_t begin = std::min<std::size_t>(from - 1, written[group].size());
        const std::size_t end = std::min(begin + limit, written[group].size());
        ASSERT_EQ(*journal->read(group, from, limit),
                  std::vector<Read>(written[group].begin() + static_cast<std::ptrdiff_t>(begin),
                                    written[group].begin() + static_cast<std::ptrdiff_t>(end)));
        from += limit;
      }
    }
    for (const auto& [position, name] : names[group]) {
      if (position <= dropped) continue;
      EXPECT_EQ(*journal->chain(group, position), name);
    }
  };
  for (Group group = 0; group < groups; ++group) is_as_written(group, 0);

  const auto commits = [&] {
    SQLite::Database db((scratch.path() / "journal.db").string());
    return db.execAndGet("SELECT count(*) FROM written").getInt();
  };
  const int before = commits();
  for (Group group = 0; group < groups; ++group) {
    ASSERT_TRUE(journal->drop(group, epochs[group], written[group].size() / 2));
    for (Group each = 0; each < groups; ++each)
      is_as_written(each, each > group ? 0 : written[each].size() / 2 - 1);
  }
  EXPECT_LT(commits(), before * 3 / 4);
  for (Group group = 0; group < groups; ++group)
    ASSERT_TRUE(journal->drop(group, epochs[group], written[group].size() + 1));
  EXPECT_EQ(commits(), 0);
  journal.reset();
  journal = *SqliteJournal::open(directory, Groups{groups});
  take_all();
  for (Group group = 0; group < groups; ++group) {
    EXPECT_EQ(*journal->last(group), written[group].size());
    EXPECT_EQ(append(*journal, group, epochs[group], {{group, "more"}}), written[group].size() + 1);
    EXPECT_EQ(journal->read(group, written[group].size() + 1, 10)->size(), 1u);
  }
}

TEST(SqliteJournal, ReadsOnBehindABatchThatHasGoneMeanwhile) {
  const Scratch scratch;
  const auto directory = *Directory::open(scratch.path());
  const auto journal = *SqliteJournal::open(directory, Groups{1});
  const Epoch epoch = *journal->take(0);
  for (int i = 0; i < 9; i += 3) append(*journal, 0, epoch, rows_of(0, i, 3));
  EXPECT_EQ(journal->read(0, 1, 3)->size(), 3u);
  ASSERT_TRUE(journal->drop(0, epoch, 4));
  EXPECT_EQ(journal->read(0, 4, 2)->size(), 2u);
  ASSERT_TRUE(journal->drop(0, epoch, 6));
  EXPECT_EQ(journal->read(0, 6, 9)->size(), 4u);
}

TEST(SqliteJournal, TakesACommitThatIsLongerThanOneRow) {
  const Scratch scratch;
  constexpr Group groups = 3;
  const auto directory = *Directory::open(scratch.path());
  auto journal = *SqliteJournal::open(directory, Groups{groups});
  std::vector<std::vector<Row>> rows(groups);
  std::vector<Appended> batches;
  for (Group group = 0; group < groups; ++group) {
    std::string noise(9u << 20, '\0');
    for (std::size_t at = 0; at + 8 <= noise.size(); at += 8) {
      const std::uint64_t word = hash64("noise", group + at);
      std::copy_n(reinterpret_cast<const char*>(&word), 8, noise.data() + at);
    }
    rows[group] = {{group, noise}, {group, std::to_string(group)}};
    batches.push_back({group, *journal->take(group), rows[group]});
  }
  EXPECT_EQ(*journal->append(batches), std::vector<Position>(groups, 2));
  journal.reset();
  journal = *SqliteJournal::open(directory, Groups{groups});
  for (Group group = 0; group < groups; ++group) {
    const auto read = *journal->read(group, 1, 10);
    ASSERT_EQ(read.size(), 2u);
    EXPECT_TRUE(read[0].row == rows[group][0] && read[1].row == rows[group][1]);
    EXPECT_TRUE(journal->chain(group, 2));
  }
}

class DamagedJournal : public ::testing::Test {
 protected:
  void damage(const std::string& text) {
    {
      const auto directory = *Directory::open(scratch_.path());
      const auto journal = *SqliteJournal::open(directory, Groups{2});
      const Epoch one = *journal->take(1), zero = *journal->take(0);
      for (int i = 0; i < 30; i += 3) append(*journal, 1, one, rows_of(1, i, 3));
      append(*journal, 0, zero, rows_of(0, 0, 3));
    }
    sql(scratch_.path() / "journal.db", text);
    directory_.emplace(*Directory::open(scratch_.path()));
    journal_ = *SqliteJournal::open(*directory_, Groups{2});
  }
  std::string fault_from(Position from) {
    const auto read = journal_->read(1, from, 1000);
    return read ? "" : read.error().code;
  }
  // Group 1's batches end at 3, 6, …, 30, each in a commit of its own.
  static std::string commit_of(int last) { return std::to_string(last / 3); }

  Scratch scratch_;
  std::optional<Directory> directory_;
  std::unique_ptr<SqliteJournal> journal_;
};

TEST_F(DamagedJournal, IsReadWhereNothingWasDamaged) {
  damage("UPDATE part SET epoch=epoch");
  EXPECT_EQ(fault_from(1), "");
}
TEST_F(DamagedJournal, NoticesAChangedByte) {
  damage("UPDATE written SET bytes=substr(bytes,1,20)||x'00'||substr(bytes,22) WHERE number=" +
         commit_of(12));
  EXPECT_EQ(fault_from(1), "corrupt");
  EXPECT_EQ(fault_from(10), "corrupt");
  EXPECT_EQ(fault_from(13), "");
}
TEST_F(DamagedJournal, NoticesAMissingBatch) {
  damage("DELETE FROM written WHERE number=" + commit_of(12));
  EXPECT_EQ(fault_from(1), "corrupt");
  EXPECT_EQ(fault_from(11), "corrupt");
  EXPECT_EQ(fault_from(13), "corrupt");
}
TEST_F(DamagedJournal, NoticesABatchInAnothersPlace) {
  damage("UPDATE written SET (parts, bytes)=(SELECT parts, bytes FROM written WHERE number=" +
         commit_of(9) + ") WHERE number=" + commit_of(12));
  EXPECT_EQ(fault_from(1), "corrupt");
}
TEST_F(DamagedJournal, NoticesABatchOfAnotherEpoch) {
  // The group, the count and the epoch stand before the chain, a byte each.
  damage("UPDATE written SET parts=substr(parts,1,2)||x'07'||substr(parts,4) WHERE number=" +
         commit_of(12));
  EXPECT_EQ(fault_from(1), "corrupt");
  EXPECT_EQ(fault_from(13), "");
}
TEST_F(DamagedJournal, NoticesABatchOfAnotherGroup) {
  damage("UPDATE written SET parts=x'00'||substr(parts,2) WHERE number=" + commit_of(12));
  EXPECT_EQ(fault_from(1), "corrupt");
}
TEST_F(DamagedJournal, NamesTheFileAndTheRemedy) {
  damage(
      "UPDATE written SET parts=substr(parts,1,3)||zeroblob(16)||substr(parts,20) WHERE number=" +
      commit_of(6));
  const Error fault = journal_->read(1, 1, 1000).error();
  EXPECT_THAT(fault.what, HasSubstr("journal.db"));
  EXPECT_THAT(fault.what, HasSubstr("restore it"));
}

TEST(SqliteFiles, OneDatabaseThatIsNoneIsDamaged) {
  const Scratch scratch;
  std::ofstream(scratch.path() / "journal.db") << std::string(8192, 'x');
  const auto directory = *Directory::open(scratch.path());
  EXPECT_EQ(SqliteJournal::open(directory, Groups{1}).error().code, "corrupt");
}

TEST(SqliteFiles, OfANewerVersionAreRefused) {
  const Scratch scratch;
  const auto directory = *Directory::open(scratch.path());
  ASSERT_TRUE(SqliteJournal::open(directory, Groups{1}));
  ASSERT_TRUE(SqliteStore::open(directory, Groups{1}));
  sql(scratch.path() / "journal.db", "PRAGMA user_version=3");
  sql(scratch.path() / "state-0.db", "PRAGMA user_version=2");
  const Error journal = SqliteJournal::open(directory, Groups{1}).error();
  EXPECT_EQ(journal.code, "newer");
  EXPECT_THAT(journal.what, HasSubstr("newer Koi"));
  EXPECT_EQ(SqliteStore::open(directory, Groups{1}).error().code, "newer");
}

TEST(SqliteFiles, OfSomebodyElseAreRefused) {
  const Scratch scratch;
  const auto directory = *Directory::open(scratch.path());
  sql(scratch.path() / "journal.db", "CREATE TABLE recipes(name); PRAGMA user_version=1");
  EXPECT_EQ(SqliteJournal::open(directory, Groups{1}).error().code, "foreign");
}

TEST(Directory, BelongsToOneAtATime) {
  const Scratch scratch;
  {
    const auto first = Directory::open(scratch.path());
    ASSERT_TRUE(first);
    const auto second = Directory::open(scratch.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, "locked");
    EXPECT_THAT(second.error().what, HasSubstr("process " + std::to_string(::getpid())));
  }
  EXPECT_TRUE(Directory::open(scratch.path()));
}

TEST(Directory, ThatCannotBeWrittenToIsRefused) {
  const auto inside_a_file = Directory::open("/proc/self/stat/koi");
  ASSERT_FALSE(inside_a_file);
  EXPECT_EQ(inside_a_file.error().code, "unwritable");
  // No user at all may make files here.
  const auto read_only = Directory::open("/proc/self");
  ASSERT_FALSE(read_only);
  EXPECT_EQ(read_only.error().code, "unwritable");
  EXPECT_THAT(read_only.error().what, HasSubstr("/proc/self"));
}

TEST(SqliteJournal, TakesNothingMoreWhenOnlyTheReserveIsLeftAndGoesOnWhenThereIsRoom) {
  const Scratch scratch;
  std::uint64_t free = 1u << 30;
  const auto directory = *Directory::open(
      scratch.path(), {.reserve = 100u << 20, .free_bytes = [&](const fs::path&) { return free; }});
  const auto journal = *SqliteJournal::open(directory, Groups{1});
  const auto store = *SqliteStore::open(directory, Groups{1});
  const Epoch epoch = *journal->take(0);
  append(*journal, 0, epoch, rows_of(0, 0, 3));

  free = (100u << 20) - 1;
  const auto rows = rows_of(0, 3, 3);
  const Appended batch{0, epoch, rows};
  const auto refused = journal->append(std::span(&batch, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "full");
  EXPECT_THAT(refused.error().what, HasSubstr("make room"));
  EXPECT_EQ(*journal->last(0), 3u);
  // What is kept in reserve is for this.
  EXPECT_TRUE(store->checkpoint(0, *store->take(0), 3, std::vector<Saved>{{0, "ann", "a"}}));

  free = 1u << 30;
  EXPECT_EQ(append(*journal, 0, epoch, rows), 6u);
  EXPECT_EQ(journal->read(0, 1, 100)->size(), 6u);
}

TEST(SqliteStore, HoldsWhatItHeldWhenItIsOpenedAgain) {
  const Scratch scratch;
  {
    const auto directory = *Directory::open(scratch.path());
    const auto store = *SqliteStore::open(directory, Groups{2});
    ASSERT_TRUE(store->checkpoint(
        1, *store->take(1), 5, std::vector<Saved>{{1, "ann", "a", {7}}, {3, "bo", "b"}}, "kept"));
  }
  const auto directory = *Directory::open(scratch.path());
  const auto store = *SqliteStore::open(directory, Groups{2});
  EXPECT_EQ(*store->position(1), 5u);
  EXPECT_EQ(*store->kept(1), "kept");
  EXPECT_EQ(*store->load(1, "ann"), "a");
  EXPECT_EQ(*store->due(1, {8}, 10), (std::vector<Due>{{{7}, 1, "ann"}}));
}

TEST(SqliteStore, ManyCustomersOfOnePlaceAreToldApart) {
  CrowdedWorld world;
  const auto store = world.store(Groups{1});
  const Epoch epoch = *store->take(0);
  std::vector<Saved> all;
  for (int i = 0; i < 50; ++i)
    all.push_back({3, "customer " + std::to_string(i), std::to_string(i), {100 - i}});
  ASSERT_TRUE(store->checkpoint(0, epoch, 1, all));
  for (Saved& saved : all) saved.bytes += "!";
  ASSERT_TRUE(store->checkpoint(0, epoch, 2, all));
  for (const Saved& saved : all) EXPECT_EQ(*store->load(3, saved.customer), saved.bytes);
  EXPECT_EQ(*store->load(3, "customer 50"), std::nullopt);
  EXPECT_EQ(store->due(0, Timestamp::never(), 100)->size(), 50u);

  // The one who holds the place goes, then comes back, while the others stay.
  for (Position round = 0; round < 2; ++round) {
    std::vector<Saved> gone(all.begin(), all.begin() + 25);
    for (Saved& saved : gone) saved.bytes.clear();
    ASSERT_TRUE(store->checkpoint(0, epoch, 3 + 2 * round, gone));
    EXPECT_EQ(store->scan(3, "", 100)->size(), 25u);
    EXPECT_EQ(*store->load(3, "customer 30"), "30!");
    std::reverse(all.begin(), all.end());
    ASSERT_TRUE(store->checkpoint(0, epoch, 4 + 2 * round, all));
    EXPECT_EQ(store->scan(3, "", 100)->size(), 50u);
    EXPECT_EQ(store->due(0, Timestamp::never(), 100)->size(), 50u);
    std::reverse(all.begin(), all.end());
  }
}

TEST(SqliteStore, LoadsWhileACheckpointIsBeingWritten) {
  const Scratch scratch;
  const auto directory = *Directory::open(scratch.path());
  const auto store = *SqliteStore::open(directory, Groups{1});
  const Epoch epoch = *store->take(0);
  ASSERT_TRUE(store->checkpoint(0, epoch, 1, std::vector<Saved>{{0, "ann", "old"}}));
  const std::vector<Saved> piece{{0, "ann", "new"}};
  int pieces = 0;
  ASSERT_TRUE(store->checkpoint({0, epoch, 2, "k"}, [&]() -> Result<std::span<const Saved>> {
    EXPECT_EQ(*store->load(0, "ann"), "old");
    EXPECT_EQ(*store->position(0), 1u);
    return pieces++ == 0 ? std::span<const Saved>(piece) : std::span<const Saved>();
  }));
  EXPECT_EQ(*store->load(0, "ann"), "new");
}

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, JournalConformance, SqliteWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreConformance, SqliteWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(SqliteCrowded, StoreConformance, CrowdedWorld);

}  // namespace koi::store
