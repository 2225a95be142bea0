// Input: event files as one stream of records in order of (time, arrival). Arrival is the order of
// the files as given, then of the records in each. A file that is in order already is read as it
// is, in bounded memory; of one that is not, the times and places of its records are sorted first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "runtime/csv.h"
#include "runtime/decode.h"

namespace koi::runtime {

struct Record {
  std::string_view text;     // without its line end; valid until the next record of its file
  std::uint64_t number = 0;  // of its first line in its file, from 1
  std::uint64_t offset = 0;  // of its first byte
  enum class Fault : std::uint8_t { None, TooLong, OpenQuote };
  Fault fault = Fault::None;  // TooLong: `text` is its beginning
};

// A file's bytes: of a regular file from the disk, of anything else (a pipe, `-` for the standard
// input) read whole into memory first, for it cannot be read twice.
class Bytes {
 public:
  static Result<std::shared_ptr<Bytes>> open(const std::string& path);
  virtual ~Bytes() = default;
  // At most `most` bytes from `offset` on; 0 at the end.
  virtual Result<std::size_t> read(std::uint64_t offset, char* into, std::size_t most) = 0;
  virtual std::uint64_t size() const = 0;
};

// Records of a file one after another: lines, or rows of CSV, whose quotes may hold line ends.
class Records {
 public:
  Records(std::shared_ptr<Bytes> bytes, bool csv) : bytes_(std::move(bytes)), csv_(csv) {}
  // False at the end. Lines that hold nothing are passed over.
  Result<bool> next(Record& record);
  // Goes to a record that begins there.
  void seek(std::uint64_t offset, std::uint64_t number);

 private:
  Result<bool> fill();
  bool cut(Record& record, std::size_t end, Record::Fault fault);

  std::shared_ptr<Bytes> bytes_;
  bool csv_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // of what is read and not given yet, in buffer_
  std::uint64_t offset_ = 0;         // in the file, of buffer_[begin_]
  std::uint64_t number_ = 1;
  bool at_end_ = false;
  std::size_t ahead_ = 4096;  // how much the next read takes
  std::string long_line_;
};

struct InputFile {
  std::string path;             // "-": the standard input
  const CsvMap* map = nullptr;  // of CSV; null: JSON lines
};

// All inputs in their one order.
class Input {
 public:
  // Looks through the files once, to know their order. `interrupted` is asked now and then.
  static Result<Input> open(const std::vector<InputFile>& files, const plan::Plan& plan,
                            const std::function<bool()>& interrupted);

  // The next record, valid until the next call. False at the end.
  Result<bool> next(Record& record, std::size_t& file);

  enum class Outcome : std::uint8_t { Event, UnknownType, LeftOut, Rejected };
  // What that record is.
  Outcome decode(const Record& record, std::size_t file, Incoming& into);
  const std::string& reason() const { return reason_; }  // of what was rejected

  std::uint64_t bytes_in_all() const { return size_; }
  std::uint64_t records_in_all() const { return records_; }
  const std::string& path(std::size_t file) const { return files_[file].path; }
  const Decoder& decoder() const { return *decoder_; }

 private:
  struct Place {
    Timestamp time;
    std::uint64_t number, offset;
  };
  struct File {
    std::string path;
    std::unique_ptr<Records> records;
    std::optional<CsvRows> rows;
    std::vector<Place> order;  // of a file that is not in order by itself
    std::size_t at = 0;        // in `order`
    Record head;               // when several files are merged
    Timestamp head_time = Timestamp::ever();
    bool ended = false;
  };
  Result<bool> advance(File& file, Record& record);
  std::optional<Timestamp> time_of(File& file, const Record& record);
  Result<void> look_through(File& file, const std::function<bool()>& interrupted);

  std::unique_ptr<Decoder> decoder_;
  std::vector<File> files_;
  std::size_t given_ = SIZE_MAX;  // the file whose head was given last
  std::uint64_t size_ = 0, records_ = 0;
  std::string reason_;
};

}  // namespace koi::runtime
