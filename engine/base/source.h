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

// One file as it was read. Lines end with \n or \r\n and count from 1; columns count characters
// (code points) from 1.
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
  std::uint32_t line_begin(std::uint32_t number) const;

 private:
  std::string path_;
  std::string text_;
  std::vector<std::uint32_t> line_begins_;
};

// Cells that the text takes on a terminal: a Han character or a full-width sign takes two,
// a combining mark none.
int display_width(std::string_view utf8);

// The first byte that is not valid UTF-8 (RFC 3629), or npos.
std::size_t find_invalid_utf8(std::string_view text);

// Decodes the character that begins at `at` and moves `at` behind it. The text must be valid.
char32_t decode_utf8(std::string_view text, std::size_t& at);
void append_utf8(std::string& text, char32_t character);

}  // namespace koi
