#include "store/timeline.h"

#include <zstd.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "model/codec.h"
#include "store/detail/database.h"

namespace koi::store {

namespace {

using detail::bind_bytes;
using detail::blob;
using detail::guarded;

// A row holds the entries of some time, of all customers, packed and compressed: they are written
// one after the other, as fast as a file can be, and rarely read. `filter` is a Bloom filter of
// their customers (Bloom, CACM 1970; 16 bits an entry, 4 probes: one of 400 misses looks like a
// hit), so that looking for one customer opens few rows.
constexpr detail::Format timeline_format{.application = 0x4b6f6954,  // "KoiT"
                                         .version = 1,
                                         .tables = R"sql(
  CREATE TABLE entries(id INTEGER PRIMARY KEY, latest INTEGER NOT NULL, count INTEGER NOT NULL,
                       size INTEGER NOT NULL, filter BLOB NOT NULL, bytes BLOB NOT NULL);
)sql",
                                         .synchronous = "normal"};

constexpr std::size_t entries_in_row = 1000;    // a short row is filled up before the next begins
constexpr std::size_t largest_row = 64u << 20;  // unpacked, in bytes
constexpr std::size_t bits_for_each = 16, probes = 4;

class Filter {
 public:
  explicit Filter(std::string bits) : bits_(std::move(bits)) {}
  static Filter of(std::span<const TimelineEntry> entries) {
    Filter filter(std::string(std::max<std::size_t>(8, entries.size() * bits_for_each / 8), '\0'));
    for (const TimelineEntry& entry : entries)
      filter.each_bit(entry.customer, [&](char& byte, char bit) {
        byte = static_cast<char>(byte | bit);
        return true;
      });
    return filter;
  }
  bool may_hold(std::string_view customer) {
    return !bits_.empty() &&
           each_bit(customer, [](const char& byte, char bit) { return (byte & bit) != 0; });
  }
  const std::string& bits() const { return bits_; }

 private:
  template <class Each>
  bool each_bit(std::string_view customer, Each each) {
    const Hash128 hash = hash128(customer);
    for (std::size_t i = 0; i < probes; ++i) {
      const std::uint64_t at = (hash.high + i * hash.low) % (bits_.size() * 8);
      if (!each(bits_[at / 8], static_cast<char>(1 << (at % 8)))) return false;
    }
    return true;
  }
  std::string bits_;
};

std::string pack(std::span<const TimelineEntry> entries) {
  ByteWriter out;
  for (const TimelineEntry& entry : entries) {
    out.unsigned_(entry.partition);
    out.text(entry.customer);
    out.time(entry.time);
    out.hash(entry.key);
    out.text(entry.line);
  }
  return out.take();
}

std::string compress(const std::string& bytes) {
  std::string packed(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size =
      ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 1);
  KOI_ASSERT(ZSTD_isError(size) == 0);
  packed.resize(size);
  return packed;
}

// The entries of a row; empty where it is damaged: a report loses a piece, nothing else does.
std::vector<TimelineEntry> unpack(std::string_view packed, std::size_t size) {
  if (size > largest_row) return {};
  std::string bytes(size, '\0');
  const std::size_t got = ZSTD_decompress(bytes.data(), bytes.size(), packed.data(), packed.size());
  if (ZSTD_isError(got) != 0 || got != size) return {};
  std::vector<TimelineEntry> entries;
  for (ByteReader in(bytes); !in.at_end() && in.ok();) {
    TimelineEntry entry;
    entry.partition = static_cast<Partition>(in.unsigned_());
    entry.customer = in.text();
    entry.time = in.time();
    entry.key = in.hash();
    entry.line = in.text();
    if (in.ok()) entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

class Timeline::Impl {
 public:
  Impl(std::filesystem::path file, std::unique_ptr<SQLite::Database> db)
      : file_(std::move(file)),
        db_(std::move(db)),
        put_(*db_, "INSERT OR REPLACE INTO entries VALUES(?,?,?,?,?,?)"),
        last_(*db_, "SELECT id, count, size, bytes FROM entries ORDER BY id DESC LIMIT 1"),
        backwards_(*db_, "SELECT filter, size, bytes FROM entries ORDER BY id DESC"),
        drop_(*db_, "DELETE FROM entries WHERE latest<?") {}

  Result<void> add(std::span<const TimelineEntry> entries) {
    if (entries.empty()) return {};
    const std::lock_guard lock(mutex_);
    return guarded(file_, [&]() -> Result<void> {
      std::vector<TimelineEntry> row;
      const std::int64_t id = begin_row(row);
      row.insert(row.end(), entries.begin(), entries.end());
      const Timestamp latest =
          std::max_element(row.begin(), row.end(), [](const auto& a, const auto& b) {
            return a.time < b.time;
          })->time;
      const std::string bytes = pack(row), packed = compress(bytes);
      const Filter filter = Filter::of(row);
      put_.reset();
      put_.bind(1, id);
      put_.bind(2, static_cast<std::int64_t>(latest.us));
      put_.bind(3, static_cast<std::int64_t>(row.size()));
      put_.bind(4, static_cast<std::int64_t>(bytes.size()));
      bind_bytes(put_, 5, filter.bits());
      bind_bytes(put_, 6, packed);
      put_.exec();
      put_.reset();
      if (++adds_ % detail::adds_until_copied == 0) detail::copy_log(*db_);
      return {};
    });
  }

  Result<std::vector<std::string>> of(std::string_view customer, std::size_t limit) {
    const std::lock_guard lock(mutex_);
    using Lines = Result<std::vector<std::string>>;
    return guarded(file_, [&]() -> Lines {
      std::vector<TimelineEntry> found;
      std::set<Hash128> keys;
      backwards_.reset();
      while (found.size() < limit && backwards_.executeStep()) {
        Filter filter{std::string(blob(backwards_.getColumn(0)))};
        if (!filter.may_hold(customer)) continue;
        auto row = unpack(blob(backwards_.getColumn(2)),
                          static_cast<std::size_t>(backwards_.getColumn(1).getInt64()));
        for (auto entry = row.rbegin(); entry != row.rend(); ++entry)
          if (entry->customer == customer && keys.insert(entry->key).second)
            found.push_back(std::move(*entry));
      }
      backwards_.reset();
      // What a recovery tells again stands later than it happened.
      std::stable_sort(found.begin(), found.end(),
                       [](const auto& a, const auto& b) { return a.time > b.time; });
      std::vector<std::string> lines;
      for (std::size_t i = 0; i < std::min(limit, found.size()); ++i)
        lines.push_back(std::move(found[i].line));
      return lines;
    });
  }

  Result<void> each(const std::function<Result<void>(const TimelineEntry&)>& what) {
    const std::lock_guard lock(mutex_);
    return guarded(file_, [&]() -> Result<void> {
      SQLite::Statement onwards(*db_, "SELECT size, bytes FROM entries ORDER BY id");
      while (onwards.executeStep())
        for (const TimelineEntry& entry :
             unpack(blob(onwards.getColumn(1)),
                    static_cast<std::size_t>(onwards.getColumn(0).getInt64())))
          KOI_TRY(what(entry));
      return {};
    });
  }

  Result<void> drop(Timestamp before) {
    const std::lock_guard lock(mutex_);
    return guarded(file_, [&]() -> Result<void> {
      drop_.reset();
      drop_.bind(1, static_cast<std::int64_t>(before.us));
      drop_.exec();
      drop_.reset();
      return {};
    });
  }

 private:
  // The row that the next entries go into, and what stands in it.
  std::int64_t begin_row(std::vector<TimelineEntry>& row) {
    std::int64_t id = 1;
    last_.reset();
    if (last_.executeStep()) {
      id = last_.getColumn(0).getInt64();
      if (static_cast<std::size_t>(last_.getColumn(1).getInt64()) < entries_in_row)
        row = unpack(blob(last_.getColumn(3)),
                     static_cast<std::size_t>(last_.getColumn(2).getInt64()));
      else
        ++id;
    }
    last_.reset();
    return id;
  }

  std::filesystem::path file_;
  std::mutex mutex_;
  std::unique_ptr<SQLite::Database> db_;
  SQLite::Statement put_, last_, backwards_, drop_;
  std::uint64_t adds_ = 0;
};

Timeline::Timeline(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Timeline::~Timeline() = default;

Result<std::unique_ptr<Timeline>> Timeline::open(const Directory& directory) {
  const auto file = directory.path() / "timeline.db";
  KOI_LET(auto db, detail::open(file, timeline_format));
  return std::unique_ptr<Timeline>(new Timeline(std::make_unique<Impl>(file, std::move(db))));
}

Result<void> Timeline::add(std::span<const TimelineEntry> entries) { return impl_->add(entries); }
Result<std::vector<std::string>> Timeline::of(std::string_view customer, std::size_t limit) const {
  return impl_->of(customer, limit);
}
Result<void> Timeline::each(const std::function<Result<void>(const TimelineEntry&)>& what) const {
  return impl_->each(what);
}
Result<void> Timeline::drop(Timestamp before) { return impl_->drop(before); }

}  // namespace koi::store
