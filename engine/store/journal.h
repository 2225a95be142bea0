// Journal: the inputs, in the order in which they were accepted. The truth of a deployment: what it
// holds has happened, all else can be computed again. One of the two seams (docs/architecture.md);
// conformance.h is what every implementation passes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "store/groups.h"

namespace koi::store {

struct Row {
  Partition partition = 0;  // of the customer whose input this is
  std::string bytes;        // opaque here
  friend bool operator==(const Row&, const Row&) = default;
};

// What one group adds in one commit, under the epoch it was taken with.
struct Appended {
  Group group = 0;
  Epoch epoch = 0;
  std::span<const Row> rows;
};

struct Read {
  Position position = 0;
  Row row;
  friend bool operator==(const Read&, const Read&) = default;
};

// What is never stepped again because it crashes whoever steps it: the input at `position`, or,
// where that is a batch's opening, the timers of one customer that were due there.
struct SetAside {
  Position position = 0;
  std::uint64_t customer = 0;  // whose timers, by place_of and one more; 0: the input
  friend auto operator<=>(const SetAside&, const SetAside&) = default;
};

// Thread-safe: groups append and read at the same time.
class Journal {
 public:
  virtual ~Journal() = default;

  // Takes a group over: a higher epoch than any before. Older owners are fenced from here on.
  virtual Result<Epoch> take(Group group) = 0;

  // Commits the batches of several groups together: all of them or none. Gives each group's last
  // position, in the batches' order (of a group at most one batch). When it returns they are as
  // durable as the journal promises. Every row's partition must belong to its group (an assertion).
  // Error "fenced" if any epoch is not its group's newest; then nothing was appended.
  virtual Result<std::vector<Position>> append(std::span<const Appended> batches) = 0;

  // The same in two halves, so that the next batches are written while these are being synced. What
  // write() has written can be read at once; it is durable when a sync() that began behind it has
  // returned. One thread may write while another one syncs. After an error of sync() it is not
  // known what of it is there. Whoever has no halves does everything in the first.
  virtual Result<std::vector<Position>> write(std::span<const Appended> batches) {
    return append(batches);
  }
  virtual Result<void> sync() { return {}; }

  // At most `limit` rows of the group from `from` (included) on, in order. None at the end. Error
  // "gap" where rows from there on were dropped.
  virtual Result<std::vector<Read>> read(Group group, Position from, std::size_t limit) const = 0;

  // The last position of the group; 0 while it is empty.
  virtual Result<Position> last(Group group) const = 0;

  // A name for the group's history up to the end of the batch that ends at `position` (0: before
  // the first). No other journal gives it, nor this one with other rows: a checkpoint keeps it, so
  // that files which do not belong together are noticed. Error "gap" where no batch is known to end
  // there.
  virtual Result<Hash128> chain(Group group, Position position) const = 0;

  // Writes a skip record: whoever reads the group's rows leaves that out from here on. Durable when
  // it returns; what was set aside already may be so again. Error "fenced" as append().
  virtual Result<void> set_aside(Group group, Epoch epoch, SetAside what) = 0;
  // All that is set aside in the rows that the group has, ascending.
  virtual Result<std::vector<SetAside>> set_aside(Group group) const = 0;

  // Forgets the rows before `before`. Only what a durable checkpoint covers may be dropped.
  virtual Result<void> drop(Group group, Epoch epoch, Position before) = 0;
};

}  // namespace koi::store
