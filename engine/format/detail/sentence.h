// A file between reading and laying out: words in their final spelling, grouped into sentences and
// bodies between braces. The module's own.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace koi::format {

struct Comment {
  std::string text;
  bool blank_before = false;
};

// A word or sign that is never broken.
struct Piece {
  std::string text;
  int blanks_before = 1;            // 0 to 2, on its line
  bool may_break = false;           // a line may begin with it
  int depth = 0;                    // parentheses and brackets around it
  bool begins_cell = false;         // is put under the same cell of the line above
  bool blank_before = false;        // a blank line stands before it
  std::vector<Comment> above = {};  // lines of their own before it
  std::string beside = {};          // behind it, to the end of the line
};

struct Sentence;

struct Body {
  Piece open;
  std::vector<Sentence> sentences;
  Piece close;
  bool may_be_one_line = false;
};

struct Sentence {
  std::vector<std::variant<Piece, Body>> parts;
  int deeper = 0;     // levels beyond those of its body
  int alignment = 0;  // lines of the same number, one after another, share their cells; 0: none
};

// The text of all of them, ending with a line feed (empty for none).
std::string lay_out(const std::vector<Sentence>& sentences, const std::vector<Comment>& at_end);

}  // namespace koi::format
