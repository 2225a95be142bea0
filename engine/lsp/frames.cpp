#include "lsp/frames.h"

#include <algorithm>
#include <charconv>

namespace koi::lsp {
namespace {

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The length that a header states; nothing where it states none, or two.
std::optional<std::size_t> length_of(std::string_view header) {
  std::optional<std::size_t> length;
  while (!header.empty()) {
    const auto end = std::min(header.find("\r\n"), header.size());
    const std::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(end + 2, header.size()));
    const auto colon = line.find(':');
    if (colon == line.npos || !same_letters(trimmed(line.substr(0, colon)), "content-length"))
      continue;
    const std::string_view digits = trimmed(line.substr(colon + 1));
    std::size_t value = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (length || digits.empty() || error != std::errc() || stop != digits.data() + digits.size())
      return std::nullopt;
    length = value;
  }
  return length;
}

}  // namespace

std::optional<Frames::Frame> Frames::next() {
  const std::size_t passed = std::min(pass_over_, bytes_.size());
  bytes_.erase(0, passed);
  pass_over_ -= passed;
  if (pass_over_ > 0) return std::nullopt;

  const auto end = bytes_.find("\r\n\r\n");
  if (end == bytes_.npos || end > longest_header) {
    if (bytes_.size() <= longest_header) return std::nullopt;
    // What may be the beginning of a header's end is kept.
    bytes_.erase(0, end == bytes_.npos ? bytes_.size() - 3 : end + 4);
    return Frame{{}, "a header is longer than " + std::to_string(longest_header) + " bytes"};
  }
  const auto length = length_of(std::string_view(bytes_).substr(0, end));
  if (!length) {
    bytes_.erase(0, end + 4);
    return Frame{{}, "a header has no Content-Length"};
  }
  if (*length > longest_message) {
    bytes_.erase(0, end + 4);
    pass_over_ = *length;
    return Frame{{}, "a message is longer than " + std::to_string(longest_message) + " bytes"};
  }
  if (bytes_.size() - (end + 4) < *length) return std::nullopt;
  Frame frame{bytes_.substr(end + 4, *length), {}};
  bytes_.erase(0, end + 4 + *length);
  return frame;
}

std::string framed(std::string_view message) {
  std::string out = "Content-Length: " + std::to_string(message.size()) + "\r\n\r\n";
  out.append(message);
  return out;
}

}  // namespace koi::lsp
