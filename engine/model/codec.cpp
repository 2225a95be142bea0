#include "model/codec.h"

#include <vector>

namespace koi {

void ByteWriter::fixed64(std::uint64_t n) {
  char small[8];
  for (int i = 0; i < 8; ++i) small[i] = static_cast<char>(n >> (8 * i));
  bytes_.append(small, sizeof small);
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

std::uint64_t ByteReader::long_unsigned() {
  std::uint64_t n = 0;
  for (std::size_t at = 0; at < rest_.size() && at < 10; ++at) {
    const auto b = static_cast<std::uint8_t>(rest_[at]);
    if (at == 9 && b > 1) break;
    n |= static_cast<std::uint64_t>(b & 0x7f) << (7 * at);
    if ((b & 0x80) != 0) continue;
    rest_.remove_prefix(at + 1);
    return n;
  }
  fault();
  return 0;
}

std::uint64_t ByteReader::fixed64() {
  const std::string_view bytes = take(8);
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    n |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[i])) << (8 * i);
  return n;
}

Value ByteReader::value_at(int depth) {
  const std::uint8_t kind = byte();
  if (kind > static_cast<std::uint8_t>(Kind::List) || depth > 4) {
    fault();
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
