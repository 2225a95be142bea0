// Bytes: a compact, canonical encoding for states and rows. Equal values give equal bytes.
// Integers are LEB128 varints (signed ones zigzag), texts are a length and their bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/time.h"
#include "model/value.h"

namespace koi {

class ByteWriter {
 public:
  void byte(std::uint8_t b) { bytes_.push_back(static_cast<char>(b)); }
  void unsigned_(std::uint64_t n);
  void signed_(std::int64_t n);
  void boolean(bool b) { byte(b ? 1 : 0); }
  void fixed64(std::uint64_t n);  // eight bytes: for hashes
  void hash(Hash128 h) { fixed64(h.high), fixed64(h.low); }
  void time(Timestamp t) { signed_(t.us); }
  void text(std::string_view t);
  void value(const Value& v);

  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what ByteWriter wrote. Hostile bytes never crash it: after the first fault `ok()` is false
// and everything read is empty.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}
  std::uint8_t byte();
  std::uint64_t unsigned_();
  std::int64_t signed_();
  bool boolean() { return byte() != 0; }
  std::uint64_t fixed64();
  Hash128 hash() {
    const auto high = fixed64();
    return {high, fixed64()};
  }
  Timestamp time() { return {signed_()}; }
  std::string_view text();
  Value value();
  // A count of things that take at least `bytes_each`: never more than what is left can hold.
  std::size_t count(std::size_t bytes_each = 1);

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  Value value_at(int depth);
  std::string_view take(std::size_t n);
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace koi
