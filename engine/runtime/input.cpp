#include "runtime/input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace koi::runtime {

namespace {

constexpr std::size_t read_at_once = 256u << 10;
constexpr std::size_t read_at_a_jump = 4u << 10;
constexpr std::size_t kept_of_long_lines = 1000;

std::string name_of(const std::string& path) {
  return path == "-" ? "the standard input" : "`" + path + "`";
}

Error unreadable(const std::string& path, int error) {
  return {"unreadable", name_of(path) + " cannot be read: " + std::strerror(error) +
                            "; check the path and its permissions"};
}

class DiskBytes final : public Bytes {
 public:
  DiskBytes(std::string path, int file, std::uint64_t size)
      : path_(std::move(path)), file_(file), size_(size) {
    ::posix_fadvise(file_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  ~DiskBytes() override { ::close(file_); }
  DiskBytes(const DiskBytes&) = delete;
  DiskBytes& operator=(const DiskBytes&) = delete;
  Result<std::size_t> read(std::uint64_t offset, char* into, std::size_t most) override {
    for (;;) {
      const ssize_t got = ::pread(file_, into, most, static_cast<off_t>(offset));
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return unreadable(path_, errno);
    }
  }
  std::uint64_t size() const override { return size_; }

 private:
  std::string path_;
  int file_;
  std::uint64_t size_;
};

class MemoryBytes final : public Bytes {
 public:
  explicit MemoryBytes(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> read(std::uint64_t offset, char* into, std::size_t most) override {
    if (offset >= bytes_.size()) return std::size_t{0};
    return bytes_.copy(into, most, offset);
  }
  std::uint64_t size() const override { return bytes_.size(); }

 private:
  std::string bytes_;
};

}  // namespace

Result<std::shared_ptr<Bytes>> Bytes::open(const std::string& path) {
  const int file = path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return unreadable(path, errno);
  struct stat status {};
  if (::fstat(file, &status) != 0) {
    const int error = errno;
    ::close(file);
    return unreadable(path, error);
  }
  if (S_ISDIR(status.st_mode)) {
    ::close(file);
    return Error{"unreadable", name_of(path) + " is a folder; name the files in it"};
  }
  if (S_ISREG(status.st_mode) && path != "-")
    return std::shared_ptr<Bytes>(
        std::make_shared<DiskBytes>(path, file, static_cast<std::uint64_t>(status.st_size)));
  std::string bytes;
  for (;;) {
    const std::size_t before = bytes.size();
    bytes.resize(before + read_at_once);
    const ssize_t got = ::read(file, bytes.data() + before, read_at_once);
    const int error = errno;
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) break;
    if (got < 0 && error != EINTR) {
      ::close(file);
      return unreadable(path, error);
    }
  }
  ::close(file);
  return std::shared_ptr<Bytes>(std::make_shared<MemoryBytes>(std::move(bytes)));
}

// ---- Records

void Records::seek(std::uint64_t offset, std::uint64_t number) {
  // What is in the buffer already is not read again.
  const std::uint64_t buffer_begin = offset_ - begin_;
  if (offset >= buffer_begin && offset < offset_ - begin_ + end_) {
    begin_ = static_cast<std::size_t>(offset - buffer_begin);
  } else {
    begin_ = end_ = 0;
    at_end_ = false;
    ahead_ = read_at_a_jump;
  }
  offset_ = offset;
  number_ = number;
}

// Reads on behind what is there; false at the end.
Result<bool> Records::fill() {
  if (at_end_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < ahead_) buffer_.resize(end_ + ahead_);
  KOI_LET(const std::size_t got, bytes_->read(offset_ + end_, buffer_.data() + end_, ahead_));
  ahead_ = std::min(2 * ahead_, read_at_once);
  at_end_ = got == 0;
  end_ += got;
  return got > 0;
}

// Gives what goes up to `end` (the place of a line feed, or of the end).
bool Records::cut(Record& record, std::size_t end, Record::Fault fault) {
  record.text = {buffer_.data() + begin_, end - begin_};
  record.number = number_;
  record.offset = offset_;
  record.fault = fault;
  const std::size_t behind = std::min(end + 1, end_);
  if (csv_)
    number_ += static_cast<std::uint64_t>(std::count(record.text.begin(), record.text.end(), '\n'));
  ++number_;
  offset_ += behind - begin_;
  begin_ = behind;
  if (record.text.ends_with('\r')) record.text.remove_suffix(1);
  if (record.number == 1 && record.text.starts_with("\xef\xbb\xbf")) record.text.remove_prefix(3);
  return !record.text.empty();
}

Result<bool> Records::next(Record& record) {
  for (;;) {
    std::size_t searched = begin_;
    bool in_quotes = false;
    for (;;) {
      const char* const from = buffer_.data() + searched;
      const auto* const feed =
          end_ == searched ? nullptr
                           : static_cast<const char*>(std::memchr(from, '\n', end_ - searched));
      const std::size_t stop =
          feed == nullptr ? end_ : static_cast<std::size_t>(feed - buffer_.data());
      if (csv_ && std::count(from, static_cast<const char*>(buffer_.data() + stop), '"') % 2 != 0)
        in_quotes = !in_quotes;
      if (feed != nullptr && !in_quotes && stop - begin_ <= longest_line) {
        if (cut(record, stop, Record::Fault::None)) return true;
        break;
      }
      if (stop - begin_ > longest_line) {
        if (in_quotes ||
            (csv_ && std::memchr(buffer_.data() + begin_, '\n', stop - begin_) != nullptr)) {
          // A quote that is never closed: its line alone is set aside.
          const auto* line_end =
              static_cast<const char*>(std::memchr(buffer_.data() + begin_, '\n', stop - begin_));
          if (line_end != nullptr) {
            if (cut(record, static_cast<std::size_t>(line_end - buffer_.data()),
                    Record::Fault::OpenQuote))
              return true;
            break;
          }
        }
        // Only its beginning is kept; the rest is read past.
        record = {
            .text = {}, .number = number_, .offset = offset_, .fault = Record::Fault::TooLong};
        long_line_.assign(buffer_.data() + begin_, kept_of_long_lines);
        record.text = long_line_;
        for (;;) {
          const auto* end = static_cast<const char*>(
              end_ == begin_ ? nullptr : std::memchr(buffer_.data() + begin_, '\n', end_ - begin_));
          if (end != nullptr) {
            const std::size_t behind = static_cast<std::size_t>(end - buffer_.data()) + 1;
            offset_ += behind - begin_;
            begin_ = behind;
            break;
          }
          offset_ += end_ - begin_;
          begin_ = end_;
          KOI_LET(const bool more, fill());
          if (!more) break;
        }
        ++number_;
        return true;
      }
      if (feed != nullptr) {  // inside quotes
        searched = stop + 1;
        continue;
      }
      const std::size_t seen = end_ - begin_;
      KOI_LET(const bool more, fill());
      if (more) {
        searched = begin_ + seen;
        continue;
      }
      if (begin_ == end_) return false;
      if (in_quotes) {
        const auto* line_end =
            static_cast<const char*>(std::memchr(buffer_.data() + begin_, '\n', end_ - begin_));
        const std::size_t end =
            line_end == nullptr ? end_ : static_cast<std::size_t>(line_end - buffer_.data());
        if (cut(record, end, Record::Fault::OpenQuote)) return true;
        break;
      }
      if (cut(record, end_, Record::Fault::None)) return true;
      break;
    }
  }
}

// ---- All inputs

namespace {

std::string file_name_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace

Result<Input> Input::open(const std::vector<InputFile>& files, const plan::Plan& plan,
                          const std::function<bool()>& interrupted) {
  Input input;
  input.decoder_ = std::make_unique<Decoder>(plan);
  for (const InputFile& given : files) {
    File file;
    file.path = given.path;
    KOI_LET(auto bytes, Bytes::open(given.path));
    input.size_ += bytes->size();
    file.records = std::make_unique<Records>(std::move(bytes), given.map != nullptr);
    if (given.map != nullptr) {
      Record header;
      KOI_LET(const bool any, file.records->next(header));
      if (!any)
        return Error{"map",
                     name_of(given.path) + " is empty; its first line should name the columns"};
      KOI_LET(auto rows,
              CsvRows::bind(*given.map, header.text, file_name_of(given.path), *plan.policy.zone));
      file.rows = std::move(rows);
    }
    input.files_.push_back(std::move(file));
    KOI_TRY(input.look_through(input.files_.back(), interrupted));
  }
  if (input.files_.size() > 1)
    for (File& file : input.files_) {
      KOI_LET(const bool more, input.advance(file, file.head));
      file.ended = !more;
    }
  return input;
}

// Whether the file is in order by itself; if it is not, the order of its records. A record without
// a time stands with the one before it.
Result<void> Input::look_through(File& file, const std::function<bool()>& interrupted) {
  Record record;
  const auto start = [&](bool header) -> Result<void> {
    file.records->seek(0, 1);
    if (!header) return {};
    KOI_TRY(file.records->next(record));
    return {};
  };
  const auto walk = [&](auto&& each) -> Result<bool> {
    KOI_TRY(start(file.rows.has_value()));
    Timestamp latest = Timestamp::ever();
    for (std::uint64_t count = 0;; ++count) {
      if (count % 65536 == 65535 && interrupted())
        return Error{"interrupted", "interrupted while reading " + name_of(file.path)};
      KOI_LET(const bool more, file.records->next(record));
      if (!more) return true;
      const Timestamp time = time_of(file, record).value_or(latest);
      if (!each(time, time < latest)) return false;
      latest = time;
    }
  };
  std::uint64_t records = 0;
  KOI_LET(const bool sorted, walk([&](Timestamp, bool back) { return ++records, !back; }));
  if (!sorted) {
    records = 0;
    KOI_TRY(walk([&](Timestamp time, bool) {
      file.order.push_back({time, record.number, record.offset});
      return ++records, true;
    }));
    std::stable_sort(file.order.begin(), file.order.end(),
                     [](const Place& a, const Place& b) { return a.time < b.time; });
  }
  records_ += records;
  return start(file.rows.has_value());
}

std::optional<Timestamp> Input::time_of(File& file, const Record& record) {
  if (record.fault != Record::Fault::None) return std::nullopt;
  if (!file.rows) return decoder_->time_of(record.text);
  Texts texts;
  if (file.rows->read(record.text, record.number, texts) != CsvRows::Outcome::Row)
    return std::nullopt;
  return texts.time;
}

Result<bool> Input::advance(File& file, Record& record) {
  if (!file.order.empty()) {
    if (file.at == file.order.size()) return false;
    const Place& place = file.order[file.at++];
    file.records->seek(place.offset, place.number);
    KOI_LET(const bool more, file.records->next(record));
    if (more && files_.size() > 1) file.head_time = place.time;
    return more;
  }
  KOI_LET(const bool more, file.records->next(record));
  if (more && files_.size() > 1)
    if (const auto time = time_of(file, record)) file.head_time = *time;
  return more;
}

Result<bool> Input::next(Record& record, std::size_t& file) {
  if (files_.size() == 1) {
    file = 0;
    return advance(files_[0], record);
  }
  if (given_ != SIZE_MAX) {
    KOI_LET(const bool more, advance(files_[given_], files_[given_].head));
    files_[given_].ended = !more;
  }
  given_ = SIZE_MAX;
  for (std::size_t i = 0; i < files_.size(); ++i)
    if (!files_[i].ended && (given_ == SIZE_MAX || files_[i].head_time < files_[given_].head_time))
      given_ = i;
  if (given_ == SIZE_MAX) return false;
  record = files_[given_].head;
  file = given_;
  return true;
}

Input::Outcome Input::decode(const Record& record, std::size_t file, Incoming& into) {
  const auto rejected = [&](std::string reason) {
    reason_ = std::move(reason);
    return Outcome::Rejected;
  };
  switch (record.fault) {
    case Record::Fault::TooLong:
      return rejected("is longer than 1 MiB; an event is one line, so split it or leave data out");
    case Record::Fault::OpenQuote:
      return rejected("has a quote that does not end; close it, or double it inside a field");
    case Record::Fault::None: break;
  }
  Decoded decoded{};
  if (std::optional<CsvRows>& rows = files_[file].rows) {
    Texts texts;
    switch (rows->read(record.text, record.number, texts)) {
      case CsvRows::Outcome::Bad: return rejected(rows->reason());
      case CsvRows::Outcome::LeftOut: return Outcome::LeftOut;
      case CsvRows::Outcome::Row: break;
    }
    decoded = decoder_->decode(texts, into);
  } else {
    decoded = decoder_->decode(record.text, into);
  }
  switch (decoded) {
    case Decoded::Event: return Outcome::Event;
    case Decoded::UnknownType: return Outcome::UnknownType;
    case Decoded::Rejected: break;
  }
  return rejected(decoder_->reason());
}

}  // namespace koi::runtime
