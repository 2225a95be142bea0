// The two seams in memory: for `koi run`, for tests and for the simulator. Nothing outlives them.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "store/journal.h"
#include "store/store.h"

namespace koi::store {

class MemoryJournal final : public Journal {
 public:
  // Journals that live at the same time need different ids, or their chains are the same.
  explicit MemoryJournal(Groups groups = {}, std::uint64_t id = 0);

  Result<Epoch> take(Group group) override;
  Result<std::vector<Position>> append(std::span<const Appended> batches) override;
  Result<std::vector<Read>> read(Group group, Position from, std::size_t limit) const override;
  Result<Position> last(Group group) const override;
  Result<Hash128> chain(Group group, Position position) const override;
  Result<void> set_aside(Group group, Epoch epoch, SetAside what) override;
  Result<std::vector<SetAside>> set_aside(Group group) const override;
  Result<void> drop(Group group, Epoch epoch, Position before) override;

 private:
  struct Log {
    Epoch epoch = 0;
    Position dropped = 0;  // rows up to here are gone
    std::deque<Row> rows;
    std::map<Position, Hash128> chain;  // by the batch's end, from `dropped` on
    std::set<SetAside> set_aside;
  };
  Groups groups_;
  mutable std::mutex mutex_;
  std::vector<Log> logs_;
};

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(Groups groups = {});

  Result<Epoch> take(Group group) override;
  Result<std::optional<std::string>> load(Partition partition,
                                          std::string_view customer) const override;
  using Store::checkpoint;
  Result<void> checkpoint(const Checkpoint& what, const Pieces& changed) override;
  Result<std::string> kept(Group group) const override;
  Result<std::string> shared(Group group, std::string_view key) const override;
  Result<std::vector<Shared>> shared_behind(Group group, std::string_view after,
                                            std::size_t limit) const override;
  Result<std::vector<std::string>> layouts(Group group) const override;
  Result<Position> position(Group group) const override;
  Result<std::vector<Due>> due(Group group, Timestamp before, std::size_t limit,
                               const std::optional<Due>& after = std::nullopt) const override;
  Result<std::vector<Saved>> scan(Partition partition, std::string_view after,
                                  std::size_t limit) const override;

 private:
  struct Kept {
    std::string bytes;
    Timestamp due;
  };
  struct Part {
    Epoch epoch = 0;
    Position position = 0;
    std::string kept;
    std::vector<std::string> layouts;
    std::map<std::pair<Partition, std::string>, Kept> customers;
    std::map<std::string, std::string, std::less<>> shared;
    // By (due, customer, partition), the order in which they are given.
    std::set<std::tuple<Timestamp, std::string, Partition>> timers;
  };
  Groups groups_;
  mutable std::mutex mutex_;
  std::vector<Part> parts_;
};

}  // namespace koi::store
