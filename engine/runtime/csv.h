// CSV: rows of a table as events, by a small map that a marketer can write (docs/running.md).
//
//   # payments.map
//   only   event is not "test"                  # or: skip event starts with "debug"
//   type    = event { payment_done -> purchase, cart -> add_to_cart }
//   id      = transaction "-" line              # pieces one behind the other
//   time    = timestamp as "%Y-%m-%d %H:%M:%S" in "Europe/London"
//   subject = user_id
//   amount  = price * quantity                  # exact
//   channel = "web"                             # a text in quotes stands for itself
//
// A bare word is a column, [in brackets] if its name has blanks; `line` is the row's line number
// and `file` the file's name. Without `id`, an event is named FILE:LINE.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "runtime/decode.h"

namespace koi::runtime {

// The fields of one record of RFC 4180; views are of the record or of `room`. False where a quote
// does not end or stands in the middle of a field.
bool split_csv(std::string_view record, std::vector<std::string_view>& fields, std::string& room);

class CsvMap {
 public:
  // Where `path` is for error messages. Error "map": which line, what is wrong with it, the remedy.
  static Result<CsvMap> parse(std::string_view text, const std::string& path);

 private:
  friend class CsvRows;
  struct Piece {
    enum class Kind { Literal, Column, Line, File };
    Kind kind = Kind::Literal;
    std::string text;            // the literal, or the column's name
    std::size_t column = 0;      // set when bound to a header
    std::vector<Piece> factors;  // of a product: the other columns
  };
  struct Part {
    std::string name;
    std::vector<Piece> pieces;
    std::string format, zone;
    std::vector<std::pair<std::string, std::string>> translations;
    int line = 0;
  };
  struct Filter {
    enum class How { Is, Empty, StartsWith };
    bool keep = true;  // `only`; else `skip`
    bool negated = false;
    How how = How::Is;
    Piece column;
    std::string text;
    int line = 0;
  };
  std::string path_;
  std::vector<Part> parts_;
  std::vector<Filter> filters_;
};

// A map bound to the header of one file.
class CsvRows {
 public:
  // `program_zone` is where times without an offset are, unless the map says otherwise. Error
  // "map" where the map names a column that the header lacks.
  static Result<CsvRows> bind(const CsvMap& map, std::string_view header, std::string file,
                              const Zone& program_zone);

  enum class Outcome { Row, LeftOut, Bad };
  // The record as the texts of an event, valid until the next call. Bad: reason() says why.
  Outcome read(std::string_view record, std::uint64_t line, Texts& texts);
  const std::string& reason() const { return reason_; }

 private:
  CsvRows() = default;
  bool value_of(const CsvMap::Part& part, std::uint64_t line, std::string& out);
  bool time_of(const CsvMap::Part& part, std::string_view text, Timestamp& time);
  bool bad(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  CsvMap map_;
  std::string file_;
  const Zone* zone_ = nullptr;
  std::size_t columns_ = 0;
  std::vector<std::string_view> fields_;
  std::vector<std::string> values_;  // by part
  std::vector<std::pair<std::string_view, std::string_view>> named_;
  std::string room_, id_, reason_;
};

// Reads `text` by a pattern of %Y %m %d %H %M %S %f (decimals of a second), %y %e %b %z and letters
// that stand for themselves. With `%z` (an offset or Z) it is an instant by itself, else it is
// `zone`'s clock.
std::optional<Timestamp> parse_time(std::string_view text, std::string_view format,
                                    const Zone& zone);

}  // namespace koi::runtime
