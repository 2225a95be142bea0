#include "model/value.h"

#include <cstring>
#include <string>

#include "base/assert.h"

namespace koi {

namespace {

using ListBlock = std::vector<Value>;

// A long text: its size, and its bytes behind it.
using TextSize = std::uint32_t;

void* new_text(std::string_view text) {
  KOI_ASSERT(text.size() <= UINT32_MAX);
  const auto size = static_cast<TextSize>(text.size());
  char* const block = static_cast<char*>(::operator new(sizeof size + size));
  std::memcpy(block, &size, sizeof size);
  std::memcpy(block + sizeof size, text.data(), size);
  return block;
}
std::string_view text_in(const void* block) {
  TextSize size = 0;
  std::memcpy(&size, block, sizeof size);
  return {static_cast<const char*>(block) + sizeof size, size};
}

}  // namespace

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::Missing: return "missing";
    case Kind::Bool: return "bool";
    case Kind::Int: return "int";
    case Kind::Number: return "number";
    case Kind::Money: return "money";
    case Kind::Text: return "text";
    case Kind::Time: return "time";
    case Kind::Date: return "date";
    case Kind::Instant: return "instant";
    case Kind::Duration: return "duration";
    case Kind::Enum: return "enum";
    case Kind::List: return "list";
  }
  KOI_ASSERT(false);
}

Value Value::text(std::string_view utf8) {
  Value value(Kind::Text, 0);
  if (utf8.size() <= inline_bytes) {
    value.size_ = static_cast<std::uint8_t>(utf8.size());
    // The fourteen bytes behind kind and size are one buffer, whatever the members are called.
    if (!utf8.empty()) std::memcpy(reinterpret_cast<char*>(&value) + 2, utf8.data(), utf8.size());
  } else {
    value.block_ = new_text(utf8);
    value.size_ = in_block;
  }
  return value;
}

Value Value::list(std::vector<Value> elements) {
  Value value(Kind::List, 0);
  value.block_ = new ListBlock(std::move(elements));
  value.size_ = in_block;
  return value;
}

Value::Value(const Value& other) {
  if (other.owns_block())
    copy_block(other);
  else
    std::memcpy(static_cast<void*>(this), &other, sizeof(Value));
}

Value::Value(Value&& other) noexcept {
  std::memcpy(static_cast<void*>(this), &other, sizeof(Value));
  other.kind_ = Kind::Missing;
  other.size_ = 0;
}

Value& Value::operator=(const Value& other) {
  if (this == &other) return *this;
  Value copy(other);
  return *this = std::move(copy);
}

Value& Value::operator=(Value&& other) noexcept {
  if (this == &other) return *this;
  if (owns_block()) release();
  std::memcpy(static_cast<void*>(this), &other, sizeof(Value));
  other.kind_ = Kind::Missing;
  other.size_ = 0;
  return *this;
}

void Value::copy_block(const Value& other) {
  kind_ = other.kind_;
  size_ = in_block;
  if (kind_ == Kind::Text)
    block_ = new_text(text_in(other.block_));
  else
    block_ = new ListBlock(*static_cast<const ListBlock*>(other.block_));
}

void Value::release() {
  if (kind_ == Kind::Text)
    ::operator delete(block_);
  else
    delete static_cast<ListBlock*>(block_);
  size_ = 0;
}

std::string_view Value::as_text() const {
  if (kind_ != Kind::Text) return {};
  if (owns_block()) return text_in(block_);
  return {inline_text(), size_};
}

std::span<const Value> Value::as_list() const {
  if (kind_ != Kind::List) return {};
  return *static_cast<const ListBlock*>(block_);
}

std::size_t Value::heap_bytes() const {
  if (!owns_block()) return 0;
  if (kind_ == Kind::Text) return sizeof(TextSize) + text_in(block_).size();
  std::size_t bytes = sizeof(ListBlock);
  for (const Value& element : as_list()) bytes += sizeof(Value) + element.heap_bytes();
  return bytes;
}

std::strong_ordering operator<=>(const Value& a, const Value& b) {
  if (a.kind_ != b.kind_) return a.kind_ <=> b.kind_;
  switch (a.kind_) {
    case Kind::Missing: return std::strong_ordering::equal;
    case Kind::Text: return a.as_text() <=> b.as_text();
    case Kind::List: {
      const auto left = a.as_list(), right = b.as_list();
      for (std::size_t i = 0; i < left.size() && i < right.size(); ++i)
        if (const auto order = left[i] <=> right[i]; order != 0) return order;
      return left.size() <=> right.size();
    }
    default: return a.number_ <=> b.number_;
  }
}

}  // namespace koi
