// Source text and places in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace koi {

// A half-open range of bytes in the source with that number (its position in the list of sources).
struct SourceSpan {
  std::uint32_t source = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  friend auto operator<=>(const SourceSpan&, const SourceSpan&) = default;
};

// One file as it was read, at most 4 GiB - 1 long; it need not be valid UTF-8. Lines end with \n or
// \r\n and count from 1; columns count characters (code points) from 1. Places outside the text are
// taken as its end, so that a diagnostic can always be shown.
class Source {
 public:
  Source(std::string path, std::string text);

  const std::string& path() const { return path_; }
  std::string_view text() const { return text_; }
  std::string_view slice(SourceSpan span) const;

  struct Position {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
  };
  Position position(std::uint32_t offset) const;
  // The text of a line without its end; empty past the last one.
  std::string_view line(std::uint32_t number) const;
  // Where that line begins; the end of the text past the last one.
  std::uint32_t line_begin(std::uint32_t number) const;

 private:
  std::string path_;
  std::string text_;
  std::vector<std::uint32_t> line_begins_;
};

// Cells that the text takes on a terminal: a Han character or a full-width sign takes two,
// a combining mark or a control character none, a byte that is not UTF-8 one.
int display_width(std::string_view utf8);
int display_width(char32_t character);

// The first byte that is not valid UTF-8 (RFC 3629), or npos.
std::size_t find_invalid_utf8(std::string_view text);

// Decodes the character that begins at `at` (before the end) and moves `at` behind it. Where the
// text is not valid UTF-8 it takes one byte and gives `not_a_character`.
inline constexpr char32_t not_a_character = 0xffffffff;
char32_t decode_utf8(std::string_view text, std::size_t& at);
// What is no Unicode scalar value becomes U+FFFD.
void append_utf8(std::string& text, char32_t character);

}  // namespace koi
