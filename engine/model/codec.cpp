#include "model/codec.h"

#include <vector>

namespace koi {

void ByteWriter::unsigned_(std::uint64_t n) {
  for (; n >= 0x80; n >>= 7) byte(static_cast<std::uint8_t>(n | 0x80));
  byte(static_cast<std::uint8_t>(n));
}

void ByteWriter::signed_(std::int64_t n) {
  unsigned_((static_cast<std::uint64_t>(n) << 1) ^ static_cast<std::uint64_t>(n >> 63));
}

void ByteWriter::fixed64(std::uint64_t n) {
  for (int shift = 0; shift < 64; shift += 8) byte(static_cast<std::uint8_t>(n >> shift));
}

void ByteWriter::text(std::string_view t) {
  unsigned_(t.size());
  bytes_.append(t);
}

void ByteWriter::value(const Value& v) {
  byte(static_cast<std::uint8_t>(v.kind()));
  switch (v.kind()) {
    case Kind::Missing: return;
    case Kind::Text: return text(v.as_text());
    case Kind::List:
      unsigned_(v.as_list().size());
      for (const Value& element : v.as_list()) value(element);
      return;
    default: return signed_(v.raw());
  }
}

std::string_view ByteReader::take(std::size_t n) {
  if (!ok_ || n > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const std::string_view taken = rest_.substr(0, n);
  rest_.remove_prefix(n);
  return taken;
}

std::uint8_t ByteReader::byte() {
  const auto taken = take(1);
  return taken.empty() ? 0 : static_cast<std::uint8_t>(taken[0]);
}

std::uint64_t ByteReader::unsigned_() {
  std::uint64_t n = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const std::uint8_t b = byte();
    if (shift == 63 && b > 1) break;
    n |= static_cast<std::uint64_t>(b & 0x7f) << shift;
    if ((b & 0x80) == 0) return ok_ ? n : 0;
  }
  take(rest_.size() + 1);
  return 0;
}

std::int64_t ByteReader::signed_() {
  const std::uint64_t n = unsigned_();
  return static_cast<std::int64_t>(n >> 1) ^ -static_cast<std::int64_t>(n & 1);
}

std::uint64_t ByteReader::fixed64() {
  std::uint64_t n = 0;
  for (int shift = 0; shift < 64; shift += 8) n |= static_cast<std::uint64_t>(byte()) << shift;
  return n;
}

std::string_view ByteReader::text() { return take(count()); }

std::size_t ByteReader::count(std::size_t bytes_each) {
  const std::uint64_t n = unsigned_();
  if (n > rest_.size() / bytes_each) {
    take(rest_.size() + 1);
    return 0;
  }
  return static_cast<std::size_t>(n);
}

Value ByteReader::value() { return value_at(0); }

Value ByteReader::value_at(int depth) {
  const std::uint8_t kind = byte();
  if (kind > static_cast<std::uint8_t>(Kind::List) || depth > 4) {
    take(rest_.size() + 1);
    return {};
  }
  switch (static_cast<Kind>(kind)) {
    case Kind::Missing: return {};
    case Kind::Text: return Value::text(text());
    case Kind::List: {
      std::vector<Value> elements(count());
      for (Value& element : elements) element = value_at(depth + 1);
      return Value::list(std::move(elements));
    }
    default: return Value::raw(static_cast<Kind>(kind), signed_());
  }
}

}  // namespace koi
