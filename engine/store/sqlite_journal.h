// The journal in one SQLite file for all groups of a process. A row of its table is a commit, with
// a batch for each group that has something in it: packed, compressed, and chained to the group's
// batch before by a checksum, so that what is missing, changed or of another journal is noticed
// when it is read. A commit has the end of every group: of a thousand of them that is two KiB.
#pragma once

#include <cstdint>
#include <memory>

#include "store/directory.h"
#include "store/journal.h"

namespace koi::store {

// Who copies the file's log into the file, when it has grown long: a thread beside the commits,
// which hold up nobody then; or the thread that writes, for those who want all of it on one thread.
enum class Copying : std::uint8_t { Beside, ByWriter };

class SqliteJournal final : public Journal {
 public:
  // Opens the directory's journal, or makes one with that many groups; the number stays as it was
  // when it was made. Errors: "newer", "foreign", "corrupt", "unwritable", "full", "disk".
  // The directory must outlive the journal.
  static Result<std::unique_ptr<SqliteJournal>> open(const Directory& directory, Groups groups,
                                                     Copying copying = Copying::Beside);
  ~SqliteJournal() override;

  Groups groups() const;

  Result<Epoch> take(Group group) override;
  // A commit that fails, or of which it is not known whether it failed, gives "unknown" and closes
  // the journal: every later append, write and sync gives "unknown" too. "full" wrote nothing and
  // may be tried again.
  Result<std::vector<Position>> append(std::span<const Appended> batches) override;
  Result<std::vector<Position>> write(std::span<const Appended> batches) override;
  Result<void> sync() override;
  Result<std::vector<Read>> read(Group group, Position from, std::size_t limit) const override;
  Result<Position> last(Group group) const override;
  Result<Hash128> chain(Group group, Position position) const override;
  Result<void> set_aside(Group group, Epoch epoch, SetAside what) override;
  Result<std::vector<SetAside>> set_aside(Group group) const override;
  Result<void> drop(Group group, Epoch epoch, Position before) override;

 private:
  class Impl;
  explicit SqliteJournal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::store
