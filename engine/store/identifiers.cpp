#include "store/identifiers.h"

#include <utility>

#include "model/partition.h"
#include "store/detail/database.h"

namespace koi::store {

namespace {

constexpr detail::Format identifiers_format{.application = 0x4b6f6949,  // "KoiI"
                                            .version = 1,
                                            .tables = R"sql(
  CREATE TABLE identifier(home INTEGER NOT NULL, key BLOB NOT NULL, customer BLOB NOT NULL,
                          PRIMARY KEY(home, key)) WITHOUT ROWID;
)sql",
                                            .synchronous = "full"};

}  // namespace

class Identifiers::Impl {
 public:
  Impl(std::filesystem::path file, std::unique_ptr<SQLite::Database> db)
      : file_(std::move(file)),
        db_(std::move(db)),
        find_(*db_, "SELECT customer FROM identifier WHERE home=? AND key=?"),
        link_(*db_, "INSERT INTO identifier VALUES(?,?,?)") {}

  Result<std::optional<std::string>> find(std::string_view key) {
    using Found = Result<std::optional<std::string>>;
    return detail::guarded(file_, [&]() -> Found {
      find_.reset();
      find_.bind(1, partition_of(key));
      detail::bind_bytes(find_, 2, key);
      if (!find_.executeStep()) return std::optional<std::string>();
      std::string customer(detail::blob(find_.getColumn(0)));
      find_.reset();
      return std::optional(std::move(customer));
    });
  }

  Result<void> link(std::string_view key, std::string_view customer) {
    return detail::guarded(file_, [&]() -> Result<void> {
      if (!open_) open_ = std::make_unique<detail::Transaction>(*db_);
      link_.reset();
      link_.bind(1, partition_of(key));
      detail::bind_bytes(link_, 2, key);
      detail::bind_bytes(link_, 3, customer);
      link_.exec();
      link_.reset();
      return {};
    });
  }

  Result<void> commit() {
    if (!open_) return {};
    const auto done = std::exchange(open_, nullptr);
    return detail::guarded(file_, [&]() -> Result<void> {
      done->commit();
      if (++commits_ % detail::commits_until_copied == 0) detail::copy_log(*db_);
      return {};
    });
  }

 private:
  std::filesystem::path file_;
  std::unique_ptr<SQLite::Database> db_;
  SQLite::Statement find_, link_;
  std::unique_ptr<detail::Transaction> open_;
  std::uint64_t commits_ = 0;
};

Identifiers::Identifiers(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Identifiers::~Identifiers() = default;

Result<std::unique_ptr<Identifiers>> Identifiers::open(const Directory& directory) {
  const auto file = directory.path() / "identifiers.db";
  KOI_LET(auto db, detail::open(file, identifiers_format));
  return detail::guarded(file, [&]() -> Result<std::unique_ptr<Identifiers>> {
    // A process that was killed in the middle of a commit leaves a link that is found and not
    // synced: an event would follow it, and a power cut take it away. Copying syncs the log first.
    detail::copy_log(*db);
    return std::unique_ptr<Identifiers>(
        new Identifiers(std::make_unique<Impl>(file, std::move(db))));
  });
}

Result<std::optional<std::string>> Identifiers::find(std::string_view key) {
  return impl_->find(key);
}
Result<void> Identifiers::link(std::string_view key, std::string_view customer) {
  return impl_->link(key, customer);
}
Result<void> Identifiers::commit() { return impl_->commit(); }

}  // namespace koi::store
