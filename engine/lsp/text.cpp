#include "lsp/text.h"

#include <algorithm>

#include "base/source.h"

namespace koi::lsp {
namespace {

std::uint32_t units(char32_t character) {
  return character != not_a_character && character > 0xFFFF ? 2 : 1;
}

}  // namespace

Lines::Lines(std::string_view text) : text_(text), begins_{0} {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n') ++at;
    if (text[at] == '\n' || text[at] == '\r') begins_.push_back(static_cast<std::uint32_t>(at + 1));
  }
}

std::string_view Lines::line(std::uint32_t number) const {
  const std::uint32_t begin = begins_[number];
  const auto end = number + 1 < begins_.size() ? begins_[number + 1] : text_.size();
  std::string_view whole = text_.substr(begin, end - begin);
  while (!whole.empty() && (whole.back() == '\n' || whole.back() == '\r')) whole.remove_suffix(1);
  return whole;
}

std::uint32_t Lines::offset(Position position) const {
  if (position.line >= begins_.size()) return static_cast<std::uint32_t>(text_.size());
  const std::string_view whole = line(position.line);
  std::uint32_t counted = 0;
  std::size_t at = 0;
  while (at < whole.size()) {
    std::size_t next = at;
    counted += units(decode_utf8(whole, next));
    if (counted > position.character) break;
    at = next;
  }
  return begins_[position.line] + static_cast<std::uint32_t>(at);
}

Position Lines::position(std::uint32_t offset) const {
  const auto behind = std::upper_bound(begins_.begin(), begins_.end(), offset);
  Position out;
  out.line = static_cast<std::uint32_t>(behind - begins_.begin()) - 1;
  const std::string_view whole = line(out.line);
  const std::size_t end = std::min<std::size_t>(offset - begins_[out.line], whole.size());
  for (std::size_t at = 0; at < end;) {
    const std::size_t before = at;
    const std::uint32_t width = units(decode_utf8(whole, at));
    if (at > end && before < end) break;
    out.character += width;
  }
  return out;
}

std::string replaced(std::string_view text, Range range, std::string_view by) {
  const Lines lines(text);
  const std::uint32_t begin = lines.offset(range.start);
  const std::uint32_t end = std::max(begin, lines.offset(range.end));
  std::string out(text.substr(0, begin));
  out.append(by).append(text.substr(end));
  return out;
}

}  // namespace koi::lsp
