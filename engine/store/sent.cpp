#include "store/sent.h"

#include <sys/random.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "model/codec.h"
#include "store/detail/database.h"

namespace koi::store {

namespace {

using detail::bind_bytes;
using detail::blob;
using detail::guarded;

constexpr detail::Format messages_format{.application = 0x4b6f694d,  // "KoiM"
                                         .version = 1,
                                         .tables = R"sql(
  CREATE TABLE message(second INTEGER NOT NULL, half INTEGER NOT NULL, bytes BLOB NOT NULL,
                       PRIMARY KEY(second, half)) WITHOUT ROWID;
  CREATE TABLE secret(only INTEGER PRIMARY KEY CHECK(only=1), bytes BLOB NOT NULL);
)sql",
                                         .synchronous = "normal"};

constexpr std::size_t secret_bytes = 32;

std::string encode(const SentMessage& message) {
  ByteWriter out;
  out.time(message.time);
  out.hash(message.key);
  for (const std::string* text :
       {&message.customer, &message.channel, &message.campaign, &message.content, &message.link})
    out.text(*text);
  return out.take();
}

std::optional<SentMessage> decode(std::string_view bytes) {
  ByteReader in(bytes);
  SentMessage message;
  message.time = in.time();
  message.key = in.hash();
  for (std::string* text :
       {&message.customer, &message.channel, &message.campaign, &message.content, &message.link})
    *text = in.text();
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return message;
}

Result<std::string> chance() {
  std::string bytes(secret_bytes, '\0');
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return Error{"random", "the system gives no random bytes"};
  return bytes;
}

}  // namespace

SentName SentMessage::name() const {
  const std::int64_t second = std::clamp<std::int64_t>(time.us / 1'000'000, 0, UINT32_MAX);
  return {static_cast<std::uint32_t>(second), key.high ^ key.low};
}

class Sent::Impl {
 public:
  Impl(std::filesystem::path file, std::unique_ptr<SQLite::Database> db)
      : file_(std::move(file)),
        db_(std::move(db)),
        put_(*db_, "INSERT OR REPLACE INTO message VALUES(?,?,?)"),
        find_(*db_, "SELECT bytes FROM message WHERE second=? AND half=?"),
        drop_(*db_, "DELETE FROM message WHERE second<?") {}

  Result<void> find_secret() {
    return guarded(file_, [&]() -> Result<void> {
      SQLite::Statement read(*db_, "SELECT bytes FROM secret");
      if (read.executeStep()) {
        secret_ = blob(read.getColumn(0));
      } else {
        KOI_LET(secret_, chance());
        SQLite::Statement write(*db_, "INSERT INTO secret VALUES(1,?)");
        bind_bytes(write, 1, secret_);
        write.exec();
        detail::copy_log(*db_);  // links that went out must be known again
      }
      if (secret_.size() == secret_bytes) return {};
      return Error{"corrupt", file_.string() + " is damaged; restore it from a backup"};
    });
  }

  Result<void> add(std::span<const SentMessage> messages) {
    if (messages.empty()) return {};
    const std::lock_guard lock(mutex_);
    return guarded(file_, [&]() -> Result<void> {
      detail::Transaction transaction(*db_);
      for (const SentMessage& message : messages) {
        const SentName name = message.name();
        const std::string bytes = encode(message);
        put_.reset();
        put_.bind(1, static_cast<std::int64_t>(name.second));
        put_.bind(2, static_cast<std::int64_t>(name.half));
        bind_bytes(put_, 3, bytes);
        put_.exec();
      }
      put_.reset();
      transaction.commit();
      if (++adds_ % detail::adds_until_copied == 0) detail::copy_log(*db_);
      return {};
    });
  }

  Result<std::optional<SentMessage>> find(SentName name) {
    using Found = Result<std::optional<SentMessage>>;
    const std::lock_guard lock(mutex_);
    return guarded(file_, [&]() -> Found {
      find_.reset();
      find_.bind(1, static_cast<std::int64_t>(name.second));
      find_.bind(2, static_cast<std::int64_t>(name.half));
      std::optional<SentMessage> found;
      if (find_.executeStep()) found = decode(blob(find_.getColumn(0)));
      find_.reset();
      return found;
    });
  }

  Result<void> drop(Timestamp before) {
    const std::lock_guard lock(mutex_);
    return guarded(file_, [&]() -> Result<void> {
      drop_.reset();
      drop_.bind(1, static_cast<std::int64_t>(before.us / 1'000'000));
      drop_.exec();
      drop_.reset();
      return {};
    });
  }

  const std::string& secret() const { return secret_; }

 private:
  std::filesystem::path file_;
  std::mutex mutex_;
  std::unique_ptr<SQLite::Database> db_;
  SQLite::Statement put_, find_, drop_;
  std::string secret_;
  std::uint64_t adds_ = 0;
};

Sent::Sent(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sent::~Sent() = default;

Result<std::unique_ptr<Sent>> Sent::open(const Directory& directory) {
  const auto file = directory.path() / "sent.db";
  KOI_LET(auto db, detail::open(file, messages_format));
  auto impl = std::make_unique<Impl>(file, std::move(db));
  KOI_TRY(impl->find_secret());
  return std::unique_ptr<Sent>(new Sent(std::move(impl)));
}

Result<void> Sent::add(std::span<const SentMessage> messages) { return impl_->add(messages); }
Result<std::optional<SentMessage>> Sent::find(SentName name) const { return impl_->find(name); }
Result<void> Sent::drop(Timestamp before) { return impl_->drop(before); }
const std::string& Sent::secret() const { return impl_->secret(); }

}  // namespace koi::store
