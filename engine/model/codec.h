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
  ByteWriter() = default;
  // Goes on behind what is there; take() gives all of it.
  explicit ByteWriter(std::string bytes) : bytes_(std::move(bytes)) {}

  void byte(std::uint8_t b) { bytes_.push_back(static_cast<char>(b)); }
  void unsigned_(std::uint64_t n) {
    if (n < 0x80) return byte(static_cast<std::uint8_t>(n));
    char small[10];
    std::size_t size = 0;
    for (; n >= 0x80; n >>= 7) small[size++] = static_cast<char>(n | 0x80);
    small[size++] = static_cast<char>(n);
    bytes_.append(small, size);
  }
  void signed_(std::int64_t n) {
    unsigned_((static_cast<std::uint64_t>(n) << 1) ^ static_cast<std::uint64_t>(n >> 63));
  }
  void boolean(bool b) { byte(b ? 1 : 0); }
  void fixed64(std::uint64_t n);  // eight bytes: for hashes
  void hash(Hash128 h) { fixed64(h.high), fixed64(h.low); }
  void time(Timestamp t) { signed_(t.us); }
  void text(std::string_view t) {
    unsigned_(t.size());
    bytes_.append(t);
  }
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
  std::uint8_t byte() {
    if (rest_.empty()) return fault(), std::uint8_t{0};
    const auto b = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return b;
  }
  std::uint64_t unsigned_() {
    if (!rest_.empty() && static_cast<std::uint8_t>(rest_.front()) < 0x80) return byte();
    return long_unsigned();
  }
  std::int64_t signed_() {
    const std::uint64_t n = unsigned_();
    return static_cast<std::int64_t>(n >> 1) ^ -static_cast<std::int64_t>(n & 1);
  }
  bool boolean() { return byte() != 0; }
  std::uint64_t fixed64();
  Hash128 hash() {
    const auto high = fixed64();
    return {high, fixed64()};
  }
  Timestamp time() { return {signed_()}; }
  std::string_view text() { return take(count()); }
  Value value() { return value_at(0); }
  // A count of things that take at least `bytes_each`: never more than what is left can hold.
  std::size_t count(std::size_t bytes_each = 1) {
    const std::uint64_t n = unsigned_();
    if (n > rest_.size() / bytes_each) return fault(), std::size_t{0};
    return static_cast<std::size_t>(n);
  }
  // What follows is not what it must be.
  void fault() {
    ok_ = false;
    rest_ = {};
  }

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  Value value_at(int depth);
  std::uint64_t long_unsigned();
  std::string_view take(std::size_t n) {
    if (n > rest_.size()) return fault(), std::string_view();
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace koi
