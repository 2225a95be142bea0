// The store in SQLite files, one for each group. A customer is one row, found by a number made of
// his partition and a hash of his id, so that a load is one look-up and a checkpoint in the order
// of place_of() walks the file once.
#pragma once

#include <memory>

#include "store/directory.h"
#include "store/store.h"

namespace koi::store {

class SqliteStore final : public Store {
 public:
  // Opens the directory's states, or makes the files; what is found is durable then. `groups` must
  // be what the directory's journal says. Errors: "newer", "foreign", "corrupt", "unwritable",
  // "full", "disk".
  static Result<std::unique_ptr<SqliteStore>> open(const Directory& directory, Groups groups);
  ~SqliteStore() override;
  // Whether a file of a directory is one of these, or SQLite's beside one.
  static bool is_file_of(std::string_view name);

  Result<std::vector<std::optional<std::string>>> load_all(
      std::span<const Key> customers) const override;
  using Store::checkpoint;
  Result<Epoch> take(Group group) override;
  Result<std::optional<std::string>> load(Partition partition,
                                          std::string_view customer) const override;
  Result<void> checkpoint(const Checkpoint& what, const Pieces& changed) override;
  Result<Position> position(Group group) const override;
  Result<std::string> kept(Group group) const override;
  Result<std::string> shared(Group group, std::string_view key) const override;
  Result<std::vector<Shared>> shared_behind(Group group, std::string_view after,
                                            std::size_t limit) const override;
  Result<std::vector<std::string>> layouts(Group group) const override;
  Result<std::vector<Due>> due(Group group, Timestamp before, std::size_t limit,
                               const std::optional<Due>& after = std::nullopt) const override;
  Result<std::vector<Saved>> scan(Partition partition, std::string_view after,
                                  std::size_t limit) const override;

  // For tests: keeps only so many bits of the hash of an id, so that customers collide.
  void shorten_places(int bits);

 private:
  class File;
  explicit SqliteStore(Groups groups, std::vector<std::unique_ptr<File>> files);
  File& of(Partition partition) const;

  Groups groups_;
  std::vector<std::unique_ptr<File>> files_;  // by group
};

}  // namespace koi::store
