// A document's text as editors count it: lines, and UTF-16 units within them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace koi::lsp {

// Lines from 0; a character outside the basic plane (emoji, rare Han) takes two units, a byte that
// is not UTF-8 one.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t character = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};
struct Range {
  Position start;
  Position end;
  friend auto operator<=>(const Range&, const Range&) = default;
};

// Lines end with \n, \r\n or \r. Places outside a line are taken as its end, lines behind the last
// as the end of the text, and a place within a character as the character's beginning.
class Lines {
 public:
  explicit Lines(std::string_view text);  // the text must outlive it

  std::uint32_t offset(Position position) const;
  Position position(std::uint32_t offset) const;
  Range range(std::uint32_t begin, std::uint32_t end) const {
    return {position(begin), position(end)};
  }
  std::uint32_t count() const { return static_cast<std::uint32_t>(begins_.size()); }

 private:
  std::string_view line(std::uint32_t number) const;  // without its end

  std::string_view text_;
  std::vector<std::uint32_t> begins_;
};

// The text with what stands in `range` replaced; ends before beginnings are taken as empty ranges.
std::string replaced(std::string_view text, Range range, std::string_view by);

}  // namespace koi::lsp
