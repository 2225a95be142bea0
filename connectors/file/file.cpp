// File: a line of JSON for each delivery, appended and synced before it counts as done. Each key
// stands in the file once, over crashes and repetitions, so that whoever reads it need not ask.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/json.h"
#include "channel/connector.h"
#include "channel/delivery_json.h"
#include "channel/line_writer.h"
#include "file/key_index.h"

namespace koi::connectors {

using namespace channel;

namespace {

constexpr std::array settings{
    Setting{.name = "path",
            .kind = Setting::Kind::Path,
            .help = "The file. It is made where it is missing; beside it, its name with `.keys`, "
                    "lies an index that may be removed."},
};

constexpr std::string_view line_begin = R"({"key":")";
constexpr std::size_t key_digits = 32;
constexpr std::uint64_t cover_every = std::uint64_t{16} << 20;  // bytes of the file

std::string line_of(const Delivery& delivery, Timestamp now) {
  std::string line(line_begin);
  line += to_hex(delivery.key) + '"';
  const auto field = [&](std::string_view name, std::string_view text) {
    line += ",\"";
    line += name;
    line += "\":";
    append_json_string(line, text);
  };
  field("at", to_string(now, utc()));
  field("channel", delivery.channel);
  field("campaign", delivery.campaign);
  field("content", delivery.content);
  field("customer", delivery.customer);
  line += R"(,"to":{)";
  for (std::size_t i = 0; i < delivery.addresses.size(); ++i) {
    if (i) line += ',';
    append_json_string(line, delivery.addresses[i].kind);
    line += ':';
    append_json_string(line, delivery.addresses[i].value);
  }
  line += '}';
  if (!delivery.title.empty()) field("title", delivery.title);
  if (!delivery.body.empty()) field("body", delivery.body);
  if (!delivery.link.empty()) field("link", delivery.link);
  if (!delivery.provider_template.empty()) {
    field("template", delivery.provider_template);
    line += R"(,"values":)";
    append_values(line, delivery);
  }
  if (!delivery.reply_to.empty()) field("reply_to", delivery.reply_to);
  if (const auto& payout = delivery.payout) {
    line += R"(,"payout":{"amount":)" + std::to_string(payout->amount);
    field("currency", payout->currency);
    line += '}';
  }
  return line + "}\n";
}

std::optional<Hash128> key_of(std::string_view line) {
  if (!line.starts_with(line_begin) || line.size() < line_begin.size() + key_digits + 1 ||
      line[line_begin.size() + key_digits] != '"')
    return std::nullopt;
  Hash128 key;
  for (std::size_t i = 0; i < key_digits; ++i) {
    const char c = line[line_begin.size() + i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    std::uint64_t& half = i < 16 ? key.high : key.low;
    half = half << 4 | static_cast<std::uint64_t>(digit);
  }
  return key;
}

// The file and what is known of it. Used by the writer's thread alone once it is open.
class Output {
 public:
  ~Output() {
    if (fd_ < 0) return;
    if (!broken_) (void)keys_.cover(size_);  // only saves reading at the next opening
    ::close(fd_);
  }

  Result<void> open(const std::string& path) {
    path_ = path;
    fd_ = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0)
      return wrong("cannot be opened; does its folder exist, and may this user write there");
    struct stat found {};
    if (fstat(fd_, &found) != 0 || !S_ISREG(found.st_mode))
      return Error{"file",
                   path + ": is no ordinary file; name one, or a file that is not there yet"};
    if (flock(fd_, LOCK_EX | LOCK_NB) != 0)
      return Error{"file", path + ": another Koi writes to it; stop that one or name another file"};
    // The name itself must survive a power cut too.
    const auto folder = std::filesystem::path(path).parent_path();
    const int folder_fd =
        ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0 || fsync(folder_fd) != 0) {
      if (folder_fd >= 0) ::close(folder_fd);
      return wrong("its folder cannot be synced");
    }
    ::close(folder_fd);
    size_ = static_cast<std::uint64_t>(found.st_size);
    KOI_TRY(keys_.open(path + ".keys", size_));
    return read_the_rest();
  }

  std::vector<Outcome> append(std::span<const Line> lines) {
    if (broken_) return all(lines, Deferred{.why = "the file failed before; see why, and restart"});
    std::string bytes;
    std::vector<Hash128> added;
    for (const Line& line : lines) {
      const auto known = keys_.has(line.key);
      if (!known) return fail(lines, known.error().what);
      if (*known || !pending_.insert(line.key).second) continue;
      bytes += line.text;
      added.push_back(line.key);
    }
    pending_.clear();
    if (!write(bytes)) return all(lines, not_written());
    if (!bytes.empty() && fdatasync(fd_) != 0) {
      // What a failed sync leaves is not to be known: nothing more is promised by this process.
      broken_ = true;
      return all(lines, Unknown{"the file cannot be synced: " + std::string(std::strerror(errno))});
    }
    size_ += bytes.size();
    for (const Hash128& key : added)
      if (const auto kept = keys_.add(key); !kept) return fail(lines, kept.error().what);
    if (size_ - keys_.covers() >= cover_every)
      if (const auto covered = keys_.cover(size_); !covered)
        return fail(lines, covered.error().what);
    return all(lines, Done{});
  }

 private:
  Error wrong(const char* what) const {
    return {"file", path_ + ": " + what + " (" + std::strerror(errno) + ")"};
  }
  static std::vector<Outcome> all(std::span<const Line> lines, const Outcome& outcome) {
    return std::vector<Outcome>(lines.size(), outcome);
  }
  // Without the index no key can be told from a new one, so nothing more is written.
  std::vector<Outcome> fail(std::span<const Line> lines, const std::string& what) {
    broken_ = true;
    return all(lines, Unknown{what});
  }

  // All of it or, as far as the file can say, nothing.
  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        const int why = n == 0 ? EIO : errno;
        broken_ = ftruncate(fd_, static_cast<off_t>(size_)) != 0;
        errno = why;
        return false;
      }
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  Outcome not_written() const {
    const std::string why = std::string("the file cannot be written: ") + std::strerror(errno);
    if (broken_) return Unknown{why};
    return Deferred{.why = why};
  }

  // From where the index ends: its keys, and a last line that a crash cut off is taken away.
  Result<void> read_the_rest() {
    std::uint64_t at = keys_.covers();
    std::string text;
    std::vector<char> piece(std::size_t{1} << 20);
    while (true) {
      const ssize_t n =
          pread(fd_, piece.data(), piece.size(), static_cast<off_t>(at + text.size()));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return wrong("cannot be read");
      if (n == 0) break;
      text.append(piece.data(), static_cast<std::size_t>(n));
      std::size_t begin = 0;
      for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
        const auto key = key_of(std::string_view(text).substr(begin, end - begin));
        if (!key) return not_ours();
        KOI_TRY(keys_.add_uncovered(*key));
      }
      at += begin;
      text.erase(0, begin);
      if (text.size() > (std::size_t{64} << 20)) return not_ours();
    }
    if (!text.empty()) {
      const std::size_t same = std::min(text.size(), line_begin.size());
      if (text.compare(0, same, line_begin, 0, same) != 0) return not_ours();
      if (ftruncate(fd_, static_cast<off_t>(at)) != 0) return wrong("cannot be written");
    }
    size_ = at;
    // What is there may not have been synced by the process that wrote it.
    if (fdatasync(fd_) != 0) return wrong("cannot be synced");
    return keys_.cover(size_);
  }
  Error not_ours() const {
    return {"file", path_ + ": holds lines that are not Koi's deliveries; name another file"};
  }

  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  bool broken_ = false;
  KeyIndex keys_;
  std::set<Hash128> pending_;
};

class File final : public Connector {
 public:
  File(std::unique_ptr<Output> output, Tools tools)
      : tools_(std::move(tools)),
        output_(std::move(output)),
        writer_(tools_.executor,
                [output = output_.get()](std::span<const Line> lines, const auto&) {
                  return output->append(lines);
                }) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    Line line{delivery.key, line_of(delivery, tools_.now())};
    co_return co_await writer_.write(std::move(line));
  }

 private:
  Tools tools_;
  std::unique_ptr<Output> output_;
  LineWriter writer_;  // ends before what it writes to
};

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  auto output = std::make_unique<Output>();
  KOI_TRY(output->open(given.text("path")));
  return std::unique_ptr<Connector>(std::make_unique<File>(std::move(output), std::move(tools)));
}

}  // namespace

const ConnectorType& file() {
  static const ConnectorType type{
      .name = "file",
      .summary = "Appends each delivery to a file as a line of JSON, each key once.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::Recognised, .at_once = 1024, .replies = true},
      .open = open};
  return type;
}

}  // namespace koi::connectors
